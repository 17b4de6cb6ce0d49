//! The statements a connection has prepared.

use crate::StoreError;
use crate::driver::Dialect;
use crate::driver::dialect::RowSource;
use crate::driver::network::Sql;
use crate::driver::set::SetStatement;
use crate::driver::texts::Texts;
use std::collections::HashMap;
use tokio_postgres::Statement;

/// A statement that is needed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    Sql(Sql<'a>),
    Set(SetStatement),
}

/// A statement that can be sent.
pub(super) enum Ready {
    Prepared(Statement),
    /// To be sent with its parameters, and not kept by the server.
    Text(String),
}

/// What is known of a statement that is needed.
pub(super) enum Found {
    Ready(Ready),
    /// It is yet to be prepared, from this text.
    Missing(String),
}

/// What tells a statement of the code from every other, without looking at its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Constant(usize, usize),
    Set(usize, u8),
}

#[derive(Debug)]
struct Used {
    statement: Statement,
    at: u64,
}

/// The statements of the code are kept for good, for there are not many; of those put together at run time, the ones that
/// were used last.
pub(super) struct Statements {
    texts: Texts,
    /// How many statements put together at run time are kept. 0 stands for no prepared statement at all.
    room: usize,
    constant: HashMap<Key, Statement>,
    dynamic: HashMap<String, Used>,
    uses: u64,
}

impl Statements {
    pub(super) fn new(room: usize) -> Self {
        let texts = Texts::new(Dialect::Postgres, RowSource::Json);
        Self { texts, room, constant: HashMap::new(), dynamic: HashMap::new(), uses: 0 }
    }

    pub(super) fn find(&mut self, wanted: Wanted<'_>) -> Result<Found, StoreError> {
        let kept = match (key(wanted), wanted) {
            (Some(key), _) => self.constant.get(&key).cloned(),
            (None, Wanted::Sql(Sql::Dynamic(sql))) => {
                self.uses += 1;
                let used = self.dynamic.get_mut(sql);
                used.map(|used| {
                    used.at = self.uses;
                    used.statement.clone()
                })
            }
            (None, _) => None,
        };
        if let Some(statement) = kept {
            return Ok(Found::Ready(Ready::Prepared(statement)));
        }
        let text = self.text(wanted)?;
        Ok(if self.room == 0 { Found::Ready(Ready::Text(text)) } else { Found::Missing(text) })
    }

    /// The statement as PostgreSQL wants it.
    pub(super) fn text(&mut self, wanted: Wanted<'_>) -> Result<String, StoreError> {
        match wanted {
            Wanted::Sql(Sql::Constant(sql)) => self.texts.constant(sql).map(str::to_owned),
            Wanted::Sql(Sql::Dynamic(sql)) => Ok(Dialect::Postgres.expand(sql)?.into_owned()),
            Wanted::Set(statement) => self.texts.set(statement).map(str::to_owned),
        }
    }

    pub(super) fn keep(&mut self, wanted: Wanted<'_>, statement: &Statement) {
        match (key(wanted), wanted) {
            (Some(key), _) => drop(self.constant.insert(key, statement.clone())),
            (None, Wanted::Sql(Sql::Dynamic(sql))) => {
                if self.dynamic.len() >= self.room {
                    self.forget_oldest();
                }
                self.uses += 1;
                let used = Used { statement: statement.clone(), at: self.uses };
                self.dynamic.insert(sql.to_owned(), used);
            }
            (None, _) => {}
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.dynamic.iter().min_by_key(|(_, used)| used.at).map(|(sql, _)| sql.clone());
        if let Some(sql) = oldest {
            self.dynamic.remove(&sql);
        }
    }

    /// Forgets all of them; the server does, too.
    pub(super) fn forget(&mut self) {
        self.constant.clear();
        self.dynamic.clear();
    }
}

fn key(wanted: Wanted<'_>) -> Option<Key> {
    match wanted {
        Wanted::Sql(Sql::Constant(sql)) => Some(Key::Constant(sql.as_ptr().addr(), sql.len())),
        Wanted::Sql(Sql::Dynamic(_)) => None,
        Wanted::Set(statement) => {
            let (address, kind) = statement.identity();
            Some(Key::Set(address, kind))
        }
    }
}
