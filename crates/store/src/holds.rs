//! What is kept of the open orders of each user: their number, and for how many pieces they ask.
//!
//! Like the sums of orders, they are differences when a batch is written. Users who have no open order have no row, so
//! the table is as small as the shop is busy.

use std::collections::BTreeMap;

use domain::{Holds, Order, Status, UserId};

use crate::driver::{Rows, Sets};
use crate::tables::ADD_HOLDS;

/// What is to be added to the rows of `customer_holds`, merged, by user.
#[derive(Debug, Default)]
pub(crate) struct HoldChanges(BTreeMap<UserId, Holds>);

impl HoldChanges {
    /// Counts an order as it is now, and no longer as it was with the status it had, if it was there.
    pub(crate) fn move_order(&mut self, order: &Order, before: Option<Status>) {
        let Some(user_id) = order.user_id else { return };
        let before = before.map_or_else(Holds::default, |status| Holds::of(status, order.total_quantity));
        let after = order.holds();
        if before != after {
            let change = self.0.entry(user_id).or_default();
            *change = change.moved(before, after);
        }
    }

    /// Adds what there is to be added, in the order of the users: servers that write side by side meet in one order.
    pub(crate) fn write(self, sets: &mut Sets) {
        let (mut rows, mut left) = (Rows::new(), Rows::new());
        for (user_id, Holds { orders, units }) in self.0 {
            if (orders, units) != (0, 0) {
                rows.push([user_id.0.into(), orders.into(), units.into()]);
            }
            if orders < 0 {
                left.push([user_id.0.into()]);
            }
        }
        sets.add(&ADD_HOLDS, rows);
        sets.clear(&ADD_HOLDS, left);
    }
}
