//! What a database was asked, for tests that count queries or want to know how they are gone about.

use super::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// SQL and its parameters.
type Query = (String, Vec<Value>);

/// The queries of the readers of one handle to a database (see [`Database::overhear`](super::Database::overhear)), as
/// they were asked: macros and placeholders are not replaced yet. One that is asked again over another connection is
/// told once.
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Overheard(Arc<Mutex<Vec<Query>>>);

impl Overheard {
    pub(super) fn note(&self, sql: &str, params: &[Value]) {
        let mut queries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queries.push((sql.to_owned(), params.to_vec()));
    }

    /// Takes out what was asked since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Query> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
