//! What was changed: told by the writer of its own batches, and read from the event log about everybody's.
//!
//! Whoever keeps answers needs to know which of them are out of date. Between servers only the event log tells:
//! every change that an answer shows is an event, committed with it and numbered in commit order.

use std::collections::BTreeSet;
use std::ops::Range;

use domain::{OrderId, ProductId, UserId};

use crate::driver::Row;
use crate::job::Verdict;
use crate::{Store, StoreError};

/// More events at once are not read one by one: everything is taken for changed. Part of the statements below.
const MOST_EVENTS: i64 = 1000;

/// Where the log stands.
const NEXT: &str = "SELECT c.next FROM counters c WHERE c.name = 'event'";

/// Bounded by a constant, so that a database that plans once for all parameters knows how few rows there will be.
macro_rules! events {
    ($select:literal, $rest:literal) => {
        concat!(
            $select,
            " FROM (SELECT e.id, e.order_id, e.product_id, e.user_id FROM events e WHERE e.id > ? \
             ORDER BY e.id LIMIT 1000) n ",
            $rest
        )
    };
}

const CHANGES: &str = events!(
    "SELECT n.id, n.order_id, n.product_id, n.user_id, o.user_id",
    "LEFT JOIN orders o ON o.id = n.order_id"
);
const PRODUCTS_OF_ORDERS: &str =
    events!("SELECT DISTINCT i.product_id", "JOIN order_items i ON i.order_id = n.order_id");

/// The things whose rows were changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Anything may have been changed, also what is not named.
    pub everything: bool,
    /// Products, by themselves or by their stock.
    pub products: Vec<ProductId>,
    /// Orders, and whose they are.
    pub orders: Vec<(OrderId, Option<UserId>)>,
    /// Users.
    pub users: Vec<UserId>,
}

impl Touched {
    /// Whatever there is.
    #[must_use]
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.everything |= other.everything;
        self.products.extend(other.products);
        self.orders.extend(other.orders);
        self.users.extend(other.users);
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// One for each job.
    pub verdicts: Vec<Verdict>,
    /// What the batch changed; everything where its outcome is not known.
    pub touched: Touched,
    /// The numbers of the events that tell of it, one range for each transaction that is known to be committed.
    pub events: Vec<Range<i64>>,
}

/// What the event log told.
#[derive(Debug)]
pub struct Changes {
    /// What was changed since the event asked about.
    pub touched: Touched,
    /// The number of the last event that was taken into account.
    pub last: i64,
}

impl Store {
    /// What anybody has changed since the event with the number `after`; `None` asks where the log ends, and takes
    /// everything for changed.
    ///
    /// Everything it is, too, when more happened than is worth reading, and when the log ends before `after`, as that of
    /// a database does which has forgotten its last commits or was replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn changes(&self, after: Option<i64>) -> Result<Changes, StoreError> {
        let next = self.database().reader().await?.query(NEXT, &[]).await?;
        let next = next.first().ok_or_else(|| StoreError::decode("the counters are missing"))?;
        let last = next.int(0)? - 1;
        match after {
            Some(after) if after == last => Ok(Changes { touched: Touched::default(), last }),
            Some(after) if (after..=after.saturating_add(MOST_EVENTS)).contains(&last) => {
                self.changes_told(after).await
            }
            _ => Ok(Changes { touched: Touched::everything(), last }),
        }
    }

    async fn changes_told(&self, after: i64) -> Result<Changes, StoreError> {
        let mut reader = self.database().long_reader().await?;
        let events = reader.query_long(CHANGES, &[after.into()]).await?;
        // Asked for later, so that it covers those events at least. What an order consists of never changes.
        let products = reader.query_long(PRODUCTS_OF_ORDERS, &[after.into()]).await?;
        let mut told = Told { last: after, ..Told::default() };
        for event in &events {
            told.take(event)?;
        }
        for product in &products {
            told.products.insert(ProductId(product.int(0)?));
        }
        let touched = Touched {
            everything: false,
            products: told.products.into_iter().collect(),
            orders: told.orders.into_iter().collect(),
            users: told.users.into_iter().collect(),
        };
        Ok(Changes { touched, last: told.last })
    }
}

/// What events tell of, each thing once.
#[derive(Debug, Default)]
struct Told {
    last: i64,
    products: BTreeSet<ProductId>,
    orders: BTreeSet<(OrderId, Option<UserId>)>,
    users: BTreeSet<UserId>,
}

impl Told {
    /// Takes in a row of [`CHANGES`].
    fn take(&mut self, row: &Row) -> Result<(), StoreError> {
        self.last = self.last.max(row.int(0)?);
        let order = row.opt_int(1)?.map(OrderId);
        self.products.extend(row.opt_int(2)?.map(ProductId));
        match order {
            // The event names the user for whom it was placed, who is not changed by that.
            Some(order) => drop(self.orders.insert((order, row.opt_int(4)?.map(UserId)))),
            None => self.users.extend(row.opt_int(3)?.map(UserId)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[test]
    fn the_statements_read_as_many_events_as_are_worth_it() {
        for sql in [CHANGES, PRODUCTS_OF_ORDERS] {
            assert!(sql.contains(&format!("LIMIT {MOST_EVENTS})")), "{sql}");
        }
    }

    #[tokio::test]
    async fn changes_are_found_by_key() {
        let planner = Planner::new().await;
        planner.check(NEXT, &["SEARCH c USING PRIMARY KEY (name=?)"]).await;
        let log = "SEARCH e USING INTEGER PRIMARY KEY (rowid>?)";
        let order = "SEARCH o USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
        let items = "SEARCH i USING PRIMARY KEY (order_id=?)";
        for (sql, rest) in [(CHANGES, order), (PRODUCTS_OF_ORDERS, items)] {
            let plan = planner.plan(sql).await;
            let has = |step: &str| plan.iter().any(|line| line == step);
            // The few events are walked through, tables are not.
            let scans = plan.iter().filter(|line| line.starts_with("SCAN")).collect::<Vec<_>>();
            assert!(has(log) && has(rest) && scans == ["SCAN n"], "{sql}\n{plan:#?}");
        }
    }
}
