//! The sums that are kept of orders, by day, status and product.
//!
//! They are differences when a batch is written: an order that goes from one status to another is taken from one row
//! and added to another one. What it adds up to was frozen when it was placed, so what is taken away is what was added.

use std::collections::BTreeMap;

use domain::{Order, Status};

use crate::driver::{Rows, Sets};
use crate::tables::{ADD_SUMS, INSERT_SUMS};

/// A day of UTC, in microseconds.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// In the place of a product: all orders, whatever was ordered.
pub(crate) const ALL_PRODUCTS: i64 = 0;

/// In the place of a product: all orders of all days, which are kept as those of [`NO_DAY`].
pub(crate) const WHOLE_SHOP: i64 = -1;

/// The day of the sums of the whole shop.
pub(crate) const NO_DAY: i64 = 0;

/// The day of a time, counted from 1970 in UTC.
pub(crate) const fn day_of(at_us: i64) -> i64 {
    at_us.div_euclid(DAY_US)
}

/// The day of the order `o` in SQL. A time before 1970 is rounded down on every database.
macro_rules! day {
    () => {
        "(o.placed_at_us - (o.placed_at_us % 86400000000 + 86400000000) % 86400000000) {div} 86400000000"
    };
}

pub(crate) use day;

/// How the changes of a batch are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sums {
    /// Added to the rows that are there.
    Add,
    /// As rows of their own, to be added up later; see [`crate::filling`].
    Append,
}

/// What is to be added to the rows of `order_sums`, merged, by their key: product, day and status.
#[derive(Debug, Default)]
pub(crate) struct SumChanges(BTreeMap<(i64, i64, &'static str), Difference>);

/// No number here comes near its limits: a batch has some thousand orders, and a half has 32 bits.
#[derive(Debug)]
struct Difference {
    orders: i64,
    amount: (i64, i64),
    quantity: (i64, i64),
    first_id: i64,
    last_id: i64,
}

impl SumChanges {
    /// Moves an order from the status it had, if it was there, to the one it has.
    pub(crate) fn move_order(&mut self, order: &Order, before: Option<Status>) {
        let after = order.status();
        if before == Some(after) {
            return;
        }
        self.count(order, after, 1);
        if let Some(before) = before {
            self.count(order, before, -1);
        }
    }

    fn count(&mut self, order: &Order, status: Status, sign: i64) {
        let day = day_of(order.placed_at_us);
        // The rules make one item of all lines with the same product.
        let products = order.items.iter().map(|item| (item.product_id.0, day));
        for (product, day) in products.chain([(ALL_PRODUCTS, day), (WHOLE_SHOP, NO_DAY)]) {
            self.0.entry((product, day, status.word())).or_default().add(order, sign);
        }
    }

    /// Adds what there is to be added, in the order of the keys: servers that write side by side meet in one order. A row
    /// that the last of its orders has left goes: there would be five of them for each one that counts.
    pub(crate) fn write(self, sets: &mut Sets, how: Sums) {
        let (mut rows, mut left) = (Rows::new(), Rows::new());
        for ((product, day, status), sum) in self.0 {
            rows.push([
                product.into(),
                day.into(),
                status.into(),
                sum.orders.into(),
                sum.amount.0.into(),
                sum.amount.1.into(),
                sum.quantity.0.into(),
                sum.quantity.1.into(),
                sum.first_id.into(),
                sum.last_id.into(),
            ]);
            if sum.orders < 0 {
                left.push([product.into(), day.into(), status.into()]);
            }
        }
        if how == Sums::Append {
            sets.insert(&INSERT_SUMS, rows);
            return;
        }
        sets.add(&ADD_SUMS, rows);
        sets.clear(&ADD_SUMS, left);
    }
}

impl Default for Difference {
    fn default() -> Self {
        Self { orders: 0, amount: (0, 0), quantity: (0, 0), first_id: i64::MAX, last_id: i64::MIN }
    }
}

impl Difference {
    fn add(&mut self, order: &Order, sign: i64) {
        let add = |sum: &mut (i64, i64), value: i64| {
            sum.0 += sign * (value >> 32);
            sum.1 += sign * (value & 0xffff_ffff);
        };
        self.orders += sign;
        add(&mut self.amount, order.total_amount_cents);
        add(&mut self.quantity, order.total_quantity);
        // One that leaves lies within the bounds of the row already.
        self.first_id = self.first_id.min(order.id.0);
        self.last_id = self.last_id.max(order.id.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_1970_are_days_as_well() {
        for (at_us, day) in [(0, 0), (DAY_US - 1, 0), (DAY_US, 1), (-1, -1), (-DAY_US, -1), (-DAY_US - 1, -2)]
        {
            assert_eq!(day_of(at_us), day, "{at_us}");
        }
    }
}
