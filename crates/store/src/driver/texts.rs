//! The statements a connection has already translated.

use super::Dialect;
use super::dialect::RowSource;
use super::set::{SetStatement, single_sql};
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
    row_source: RowSource,
    /// Address and length, and what the text became.
    constant: HashMap<(usize, usize), Cow<'static, str>>,
    sets: HashMap<(usize, u8), String>,
    singles: HashMap<(usize, u8), String>,
}

impl Texts {
    pub(super) fn new(dialect: Dialect, row_source: RowSource) -> Self {
        let (constant, sets, singles) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { dialect, row_source, constant, sets, singles }
    }

    pub(super) fn constant(&mut self, sql: &'static str) -> Result<&str, StoreError> {
        match self.constant.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(self.dialect.expand_with(sql, self.row_source)?)),
        }
    }

    pub(super) fn set(&mut self, statement: SetStatement) -> Result<&str, StoreError> {
        match self.sets.entry(statement.identity()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(statement.sql(self.dialect, self.row_source)?)),
        }
    }

    /// The statement for one row at a time, which only SQLite is asked.
    pub(super) fn single(&mut self, statement: SetStatement) -> &str {
        self.singles.entry(statement.identity()).or_insert_with(|| single_sql(statement))
    }
}
