//! The statements that a connection has prepared.

use super::super::Dialect;
use super::super::dialect::RowSource;
use super::super::network::Sql;
use super::super::set::SetStatement;
use super::super::texts::Texts;
use crate::StoreError;
use mysql_async::Statement;
use std::collections::HashMap;

/// What to run: SQL, or a statement over rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'a> {
    Sql(Sql<'a>),
    Set(SetStatement),
}

/// A cache that belongs to one connection. The server counts what all connections have prepared, so what is forgotten
/// is closed.
#[derive(Debug)]
pub(super) struct Statements {
    texts: Texts,
    row_source: RowSource,
    /// Statements whose text is in the code: by its address and length.
    constant: HashMap<(usize, usize), Statement>,
    sets: HashMap<(usize, u8), Statement>,
    /// Statements put together at run time, the one used last at the end.
    dynamic: Vec<(String, Statement)>,
    /// How many of the latter are kept; if none, none of the others either.
    limit: usize,
}

impl Statements {
    pub(super) fn new(limit: usize, row_source: RowSource) -> Self {
        Self {
            texts: Texts::new(Dialect::MySql, row_source),
            row_source,
            constant: HashMap::new(),
            sets: HashMap::new(),
            dynamic: Vec::new(),
            limit,
        }
    }

    pub(super) fn row_source(&self) -> RowSource {
        self.row_source
    }

    /// The statement if it is prepared already.
    pub(super) fn known(&mut self, text: Text<'_>) -> Option<Statement> {
        match text {
            Text::Sql(Sql::Constant(sql)) => self.constant.get(&address(sql)).cloned(),
            Text::Set(set) => self.sets.get(&set.identity()).cloned(),
            Text::Sql(Sql::Dynamic(sql)) => {
                let at = self.dynamic.iter().position(|(known, _)| known == sql)?;
                let found = self.dynamic.remove(at);
                let statement = found.1.clone();
                self.dynamic.push(found);
                Some(statement)
            }
        }
    }

    /// The SQL as the server takes it, apart from rows that are to be written into it ([`Statements::unfinished`]).
    pub(super) fn sql(&mut self, text: Text<'_>) -> Result<String, StoreError> {
        match text {
            Text::Sql(Sql::Constant(sql)) => self.texts.constant(sql).map(str::to_owned),
            Text::Sql(Sql::Dynamic(sql)) => {
                Dialect::MySql.expand_with(sql, self.row_source).map(|sql| sql.into_owned())
            }
            Text::Set(set) => self.texts.set(set).map(str::to_owned),
        }
    }

    /// The SQL of a statement that has its rows written into it: with others it is another text, so it is not prepared.
    pub(super) fn unfinished(&mut self, text: Text<'_>) -> Result<Option<String>, StoreError> {
        match self.row_source {
            RowSource::Json => Ok(None),
            RowSource::Literals => Ok(Some(self.sql(text)?).filter(|sql| sql.contains('{'))),
        }
    }

    /// Whether a statement outlives its use.
    pub(super) fn keeps_any(&self) -> bool {
        self.limit > 0
    }

    /// Keeps a statement, and gives one back that is to be closed instead.
    pub(super) fn keep(&mut self, text: Text<'_>, statement: Statement) -> Option<Statement> {
        match text {
            _ if !self.keeps_any() => None,
            Text::Sql(Sql::Constant(sql)) => self.constant.insert(address(sql), statement),
            Text::Set(set) => self.sets.insert(set.identity(), statement),
            Text::Sql(Sql::Dynamic(sql)) => {
                self.dynamic.push((sql.to_owned(), statement));
                (self.dynamic.len() > self.limit).then(|| self.dynamic.remove(0).1)
            }
        }
    }

    /// Forgets all, and gives them back to be closed.
    pub(super) fn take(&mut self) -> Vec<Statement> {
        let constant = std::mem::take(&mut self.constant).into_values();
        let sets = std::mem::take(&mut self.sets).into_values();
        let dynamic = std::mem::take(&mut self.dynamic).into_iter().map(|(_, statement)| statement);
        constant.chain(sets).chain(dynamic).collect()
    }
}

fn address(sql: &'static str) -> (usize, usize) {
    (sql.as_ptr().addr(), sql.len())
}
