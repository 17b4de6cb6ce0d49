//! Orders whose time is up: who they are, and that they give back what they hold before anybody is refused for want of it;
//! and those that have no such time.
//!
//! Somebody sweeps them away from time to time. Between two times they hold what is nobody's any more, so a command that
//! is refused for want of stock, or because its customer has too much waiting, is decided once more after those that
//! stand in its way have expired, in the same transaction. This costs nothing where nothing is refused, and one look
//! into an index for each batch in which something is; where much is refused, in a sale whose last piece is gone, it is
//! asked beforehand when the first order expires, together with what the batch loads.

use std::collections::BTreeMap;

use domain::{Actor, Command as _, Context, ExpireOrders, Keys, Lack, Order, OrderId, Snapshot};

use crate::driver::{Row, Rows, Transaction};
use crate::flush::Pending;
use crate::load::load_more;
use crate::{Store, StoreError};

const EXPIRED: &str = "SELECT o.id FROM orders o {via orders_by_expiry} \
     WHERE o.expires_at_us <= ? ORDER BY o.expires_at_us, o.id LIMIT ?";
/// Asked for along with what a batch loads, where it is likely to be needed: then it costs no round trip.
pub(crate) const EARLIEST: &str = "SELECT o.expires_at_us FROM orders o {via orders_by_expiry} \
     WHERE o.expires_at_us IS NOT NULL ORDER BY o.expires_at_us LIMIT 1";
/// Those that matter to a batch: of its customers, or with its products. The sum keeps databases from the index on
/// products: an order has few items, a batch may have a thousand products.
const IN_THE_WAY: &str = "SELECT o.id, o.expires_at_us FROM orders o {via orders_by_expiry} \
     WHERE o.expires_at_us <= ? AND (o.user_id IN (SELECT u.id FROM {rows:id int} u) \
     OR EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = o.id \
     AND i.product_id + 0 IN (SELECT p.id FROM {rows:id int} p))) \
     ORDER BY o.expires_at_us, o.id LIMIT ?";

/// Those that wait, whether or not they have an end: so many are read at a time, and never more to find the few without.
const PENDING: &str = "SELECT o.id, o.expires_at_us FROM orders o {via orders_by_status} \
     WHERE o.status = 'pending' AND o.id > ? ORDER BY o.id LIMIT ?";

/// How many are looked for at first, and how many times as many when these were not enough.
const FIRST_LOOK: i64 = 200;
const MORE: i64 = 4;
/// No batch looks for more: after a long rest there may be any number, and others wait meanwhile. The sweeper is at work
/// on them then.
const LAST_LOOK: i64 = FIRST_LOOK * MORE * MORE * MORE;
/// The commands of a batch are not of the same moment. One look is to do for all of them.
const AHEAD_US: i64 = 1_000_000;

impl Store {
    /// The orders that have expired at `now_us` and nobody has swept away, those that have for the longest time first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn expired_orders(&self, now_us: i64, limit: i64) -> Result<Vec<OrderId>, StoreError> {
        let rows = self.database().reader().await?.query(EXPIRED, &[now_us.into(), limit.into()]).await?;
        rows.iter().map(|row| row.int(0).map(OrderId)).collect()
    }

    /// Looks at the next `limit` pending orders behind `after`, by id. Orders are numbered as they are committed, so those
    /// that come later are behind these, and what was looked at need not be looked at again.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pending_orders(&self, after: OrderId, limit: i64) -> Result<Waiting, StoreError> {
        let rows = self.database().reader().await?.query(PENDING, &[after.0.into(), limit.into()]).await?;
        let mut waiting = Waiting { endless: Vec::new(), last: None };
        for row in rows {
            let id = OrderId(row.int(0)?);
            waiting.last = Some(id);
            if row.opt_int(1)?.is_none() {
                waiting.endless.push(id);
            }
        }
        Ok(waiting)
    }
}

/// Some of the orders that wait to be confirmed or paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Those that may wait for ever.
    pub endless: Vec<OrderId>,
    /// The last one that was looked at; `None` when there was none.
    pub last: Option<OrderId>,
}

/// What one batch knows about orders that have expired.
#[derive(Debug)]
pub(crate) struct Overdue {
    /// When those that were found expire.
    found: BTreeMap<OrderId, i64>,
    /// All that expire before this time have been found.
    known_before_us: i64,
    next_look: i64,
    was_needed: bool,
}

impl Default for Overdue {
    fn default() -> Self {
        Self { found: BTreeMap::new(), known_before_us: i64::MIN, next_look: FIRST_LOOK, was_needed: false }
    }
}

impl Overdue {
    /// Takes in the answer to [`EARLIEST`].
    pub(crate) fn begin(&mut self, earliest: &[Row]) -> Result<(), StoreError> {
        self.known_before_us = earliest.first().map(|row| row.int(0)).transpose()?.unwrap_or(i64::MAX);
        Ok(())
    }

    /// Whether anything was refused that expired orders might have helped.
    pub(crate) fn was_needed(&self) -> bool {
        self.was_needed
    }

    /// Lets orders expire that hold what a command lacks. False when there are none.
    pub(crate) async fn give_back(
        &mut self,
        transaction: &mut Transaction,
        snapshot: &mut Snapshot,
        pending: &mut Pending,
        (lack, context): (Lack, Context),
    ) -> Result<bool, StoreError> {
        self.was_needed = true;
        let now_us = context.now_us;
        loop {
            let due = self.found.iter().filter(|(_, expires_at_us)| **expires_at_us <= now_us);
            let orders: Vec<_> = due.map(|(id, _)| *id).collect();
            let keys = Keys { orders: orders.clone(), ..Keys::default() };
            load_more(transaction, snapshot, keys, Vec::new()).await?;
            // Some of them may have been changed in this very batch.
            let stands_in_the_way = |id: &OrderId| {
                let order = snapshot.order(*id).filter(|order| order.is_expired(now_us));
                order.is_some_and(|order| holds_any(order, &lack))
            };
            let order_ids: Vec<_> = orders.into_iter().filter(stands_in_the_way).collect();
            if !order_ids.is_empty() {
                let context = Context { actor: Actor::SYSTEM, ..context };
                let decided = ExpireOrders { order_ids }.decide(snapshot, &context);
                let decision =
                    decided.map_err(|_| StoreError::decode("an expired order cannot give back"))?;
                // The system's work is told by the ledger and the events.
                pending.take(snapshot, decision.effects, None);
                return Ok(true);
            }
            if now_us < self.known_before_us || self.next_look > LAST_LOOK {
                return Ok(false);
            }
            self.look(transaction, snapshot, now_us.saturating_add(AHEAD_US)).await?;
        }
    }

    /// Looks for those that matter to the batch, further than before.
    async fn look(
        &mut self,
        transaction: &mut Transaction,
        snapshot: &Snapshot,
        until_us: i64,
    ) -> Result<(), StoreError> {
        let users = Rows::of_ints(snapshot.holds.keys().map(|id| id.0)).to_value()?;
        let products = Rows::of_ints(snapshot.products.keys().map(|id| id.0)).to_value()?;
        let params = [until_us.into(), users, products, self.next_look.into()];
        let rows = transaction.query(IN_THE_WAY, &params).await?;
        let is_all = i64::try_from(rows.len()).is_ok_and(|found| found < self.next_look);
        self.known_before_us = until_us.saturating_add(1);
        for row in rows {
            let (id, expires_at_us) = (OrderId(row.int(0)?), row.int(1)?);
            self.found.insert(id, expires_at_us);
            if !is_all {
                // The last one may have others beside it.
                self.known_before_us = expires_at_us;
            }
        }
        if !is_all {
            self.next_look *= MORE;
        }
        Ok(())
    }
}

/// Whether the order holds any of what is lacking.
fn holds_any(order: &Order, lack: &Lack) -> bool {
    let holds = |id| order.items.iter().any(|item| item.product_id == id && item.allocated > 0);
    let counts = lack.user_id.is_some() && lack.user_id == order.user_id;
    counts || lack.products.iter().any(|id| holds(*id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn expired_orders_are_found_by_their_time() {
        let planner = Planner::new().await;
        let step = "SEARCH o USING INDEX orders_by_expiry (expires_at_us<?)";
        planner.check(EARLIEST, &["SEARCH o USING COVERING INDEX orders_by_expiry (expires_at_us>?)"]).await;
        planner.check(EXPIRED, &[&step.replace("INDEX", "COVERING INDEX")]).await;
        planner.check(PENDING, &["SEARCH o USING INDEX orders_by_status (status=? AND id>?)"]).await;
        let items = "SEARCH i USING PRIMARY KEY (order_id=?)";
        let plan = planner.plan(IN_THE_WAY).await;
        let has = |step: &str| plan.iter().any(|line| line.starts_with(step));
        assert!(has(step) && has(items), "{plan:#?}");
        assert!(
            plan.iter().all(|line| !line.starts_with("SCAN o") && !line.contains("AUTOMATIC")),
            "{plan:#?}"
        );
    }
}
