//! The wait of orders that nobody has paid or confirmed: giving it an end, and ending it.

use std::collections::BTreeSet;

use super::order_change::carry_out;
use crate::{
    Action, Change, Command, Context, Decision, Draft, Event, Keys, OrderId, OrderState, Rejection, Snapshot,
};

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

/// Gives those of the orders an end that are pending and may wait for ever: they were placed when the shop set no time for
/// it. All of them get the time that the shop sets now, counted from now.
///
/// Whoever named them may have seen them a while ago: each is looked at again, and one that has an end by now, or waits for
/// nothing any more, is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitWaits {
    /// Which orders; in any order, and more than once if need be.
    pub order_ids: Vec<OrderId>,
    /// How long they may stay pending from now on, in microseconds.
    pub life_us: i64,
}

impl Command for LimitWaits {
    /// The orders that have got an end just now, by id.
    type Outcome = Vec<OrderId>;

    fn word(&self) -> &'static str {
        "order.limit_wait"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { orders: self.order_ids.clone(), ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Vec<OrderId>>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        let mut limited = Vec::new();
        for id in self.order_ids.iter().copied().collect::<BTreeSet<_>>() {
            let Some(mut order) = snapshot.order(id).cloned() else { continue };
            if order.state != OrderState::Pending || order.expires_at_us.is_some() {
                continue;
            }
            order.expires_at_us = Some(context.now_us.saturating_add(self.life_us));
            order.version += 1;
            order.updated_at_us = Some(context.now_us);
            draft.put(Change::PutOrder(order));
            draft.record(Event::OrderWaitLimited { order_id: id });
            limited.push(id);
        }
        Ok(draft.decide(limited))
    }
}
