//! The read path: lists and reports skip the rules and fill plain views.
//!
//! What is asked for all the time (a product, an order, a user, a session) runs inline by constant SQL that finds its
//! rows by key. Lists may look at many rows, so they run where they keep nobody waiting.

mod events;
mod filter;
mod movements;
mod orders;
mod products;
mod users;

use crate::driver::{Row, Value};
use crate::{Listing, Page, Store, StoreError};

const PING: &str = "SELECT c.next FROM counters c WHERE c.name = 'event'";

const OLDEST_ANSWER: &str = "SELECT MIN(k.created_at_us) FROM idempotency_keys k";

impl Store {
    /// When the oldest of the kept answers was given, microseconds since 1970 UTC.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn oldest_answer_us(&self) -> Result<Option<i64>, StoreError> {
        self.first(OLDEST_ANSWER, &[]).await?.map_or(Ok(None), |row| row.opt_int(0))
    }

    /// Whether the database answers, and holds a shop.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self.first(PING, &[]).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::decode("the counters are missing")),
        }
    }

    /// The one row of a query that finds its rows by key, or none.
    async fn first(&self, sql: &'static str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.database().reader().await?.query(sql, params).await?.into_iter().next())
    }
}

/// Rows of a page, of which one more was asked for than it holds.
fn listing<T>(
    found: Vec<Row>,
    page: &Page,
    read: impl FnMut(Row) -> Result<T, StoreError>,
) -> Result<Listing<T>, StoreError> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    let rows = found.into_iter().take(limit).map(read).collect::<Result<_, _>>()?;
    Ok(Listing { rows, more })
}

/// The name shown for a user, of the two columns `full_name, username` that begin at `at`.
fn display_name(row: &mut Row, at: usize) -> Result<Option<String>, StoreError> {
    Ok(match row.opt_text(at)? {
        Some(full_name) => Some(full_name),
        None => row.opt_text(at + 1)?,
    })
}
