//! Ending the wait of orders that nobody has paid or confirmed in time.

use std::collections::BTreeSet;

use super::order_change::carry_out;
use crate::{Action, Change, Command, Context, Decision, Draft, Keys, OrderId, Rejection, Snapshot};

/// Cancels those of the orders that have expired, and gives back what they hold.
///
/// Whoever named them may have seen them a while ago: each is looked at again, and one that was confirmed, paid or
/// cancelled since, or whose time has not come, is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpireOrders {
    /// Which orders; in any order, and one that is named twice expires once.
    pub order_ids: Vec<OrderId>,
}

impl Command for ExpireOrders {
    /// The orders that expired just now, by id.
    type Outcome = Vec<OrderId>;

    fn word(&self) -> &'static str {
        "order.expire"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { orders: self.order_ids.clone(), ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Vec<OrderId>>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        let mut expired = Vec::new();
        for id in self.order_ids.iter().copied().collect::<BTreeSet<_>>() {
            let Some(before) = snapshot.order(id).filter(|order| order.is_expired(context.now_us)) else {
                continue;
            };
            let mut order = before.clone();
            carry_out(&mut draft, &mut order, Action::Cancel)?;
            order.version += 1;
            order.updated_at_us = Some(context.now_us);
            draft.put(Change::PutOrder(order));
            expired.push(id);
        }
        Ok(draft.decide(expired))
    }
}
