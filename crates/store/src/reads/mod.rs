//! The read path: lists and reports skip the rules and fill plain views.
//!
//! What is asked for all the time (a product, an order, a user, a session) runs inline by constant SQL that finds its
//! rows by key. Lists may look at many rows, so they run where they keep nobody waiting.

mod api_keys;
mod audit;
mod choice;
mod events;
mod filter;
mod movements;
mod orders;
mod paths;
mod products;
mod search;
mod sums;
mod users;

use std::pin::Pin;

use self::filter::Select;
use crate::driver::{Reader, Row, Value, Weakness};
use crate::{Listing, Page, Store, StoreError};

const PING: &str = "SELECT c.next FROM counters c WHERE c.name = 'event'";

const BEGUN: &str = "SELECT m.applied_at_us FROM schema_migrations m WHERE m.version = 1";
const OLDEST_ANSWER: &str = "SELECT MIN(k.created_at_us) FROM idempotency_keys k";

/// What comes of several statements. Boxed, because the compiler does not see that the future of an `AsyncFn` may move to
/// another thread.
type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl Store {
    /// When the oldest of the kept answers was given, microseconds since 1970 UTC.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn oldest_answer_us(&self) -> Result<Option<i64>, StoreError> {
        self.first(OLDEST_ANSWER, &[]).await?.map_or(Ok(None), |row| row.opt_int(0))
    }

    /// When the shop was set up, microseconds since 1970 UTC: that is when its first migration was applied.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begun_us(&self) -> Result<Option<i64>, StoreError> {
        self.first(BEGUN, &[]).await?.map_or(Ok(None), |row| row.opt_int(0))
    }

    /// Whether the database answers, holds a shop, and can be written to as far as is known.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self.first(PING, &[]).await? {
            Some(_) => self.database().check_ground().await,
            None => Err(StoreError::decode("the counters are missing")),
        }
    }

    /// Why the database may forget what it has answered; empty when it keeps that through a power cut.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn weaknesses(&self) -> Result<Vec<Weakness>, StoreError> {
        self.database().weaknesses().await
    }

    /// The one row of a query that finds its rows by key, or none.
    async fn first(&self, sql: &'static str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.database().reader().await?.query(sql, params).await?.into_iter().next())
    }

    /// Reads several things of one state. When the connection is lost on the way, that state is gone with it, and all is
    /// read anew.
    async fn of_one_state<Q, T>(
        &self,
        query: &Q,
        read: for<'a> fn(&'a mut Reader, &'a Q) -> Reading<'a, T>,
    ) -> Result<T, StoreError> {
        let mut reader = self.database().long_reader().await?;
        loop {
            reader.begin_snapshot().await?;
            let found = read(&mut reader, query).await;
            let ended = reader.end_snapshot().await;
            match found.and_then(|found| ended.map(|()| found)) {
                Err(error) if reader.may_begin_anew(&error).await => {}
                found => return found,
            }
        }
    }
}

/// The one row of an aggregate over all that a query matches.
async fn aggregate(reader: &mut Reader, select: &Select) -> Result<Row, StoreError> {
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    found.into_iter().next().ok_or_else(|| StoreError::decode("the row of an aggregate is missing"))
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
