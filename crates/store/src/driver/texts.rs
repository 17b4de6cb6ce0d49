//! The statements a connection has already translated.

use super::Dialect;
use super::set::SetStatement;
use crate::StoreError;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A cache that belongs to one connection, so that looking something up needs no lock.
///
/// Constant SQL is found by where it lies in memory: hashing two numbers instead of hundreds of characters.
#[derive(Debug)]
pub(super) struct Texts {
    dialect: Dialect,
    /// Address and length, and what the text became.
    constant: HashMap<(usize, usize), Cow<'static, str>>,
    sets: HashMap<(usize, u8), String>,
}

impl Texts {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, constant: HashMap::new(), sets: HashMap::new() }
    }

    pub(super) fn constant(&mut self, sql: &'static str) -> Result<&str, StoreError> {
        match self.constant.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(self.dialect.expand(sql)?)),
        }
    }

    pub(super) fn set(&mut self, statement: SetStatement) -> Result<&str, StoreError> {
        match self.sets.entry(statement.identity()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(statement.sql(self.dialect)?)),
        }
    }
}
