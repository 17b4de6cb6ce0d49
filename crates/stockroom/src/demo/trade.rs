//! The sample months: customers order, staff work through what is open, goods come in.

use domain::{
    Action, Actor, AdjustStock, AllocateAt, ChangeOrder, Customs, Goal, Order, OrderLine, PlaceOrder,
    PlacingCustoms, PlacingTerms, Status, StockChange, StockLine, UserId,
};

use super::{DAY_US, DAYS, Good, HOUR_US, MINUTE_US, Sample, granted};
use crate::random::Random;

/// Days between two deliveries.
const DELIVERY_DAYS: i64 = 14;
/// Orders of so many days ago and later are dealt with slowly, so that there is work left to look at.
const SLOW_DAYS: i64 = 28;

/// Something that happens in the shop.
enum Deed {
    Adjust(AdjustStock),
    Place(PlaceOrder),
    Change(ChangeOrder),
}

/// Something that happens at a time, in microseconds since 1970 UTC.
struct Entry {
    at_us: i64,
    actor: Actor,
    deed: Deed,
}

impl Sample<'_> {
    /// Lives through the months day by day, and returns how many orders were placed.
    pub(super) async fn trade(
        &self,
        staff: Actor,
        customers: &[Actor],
        goods: &[Good],
    ) -> anyhow::Result<usize> {
        let mut random = Random::new(2026);
        let mut planned: Vec<Entry> = Vec::new();
        let mut placed = 0;
        for day in 1..=DAYS {
            let midnight_us = self.start_us + day * DAY_US;
            planned.extend(arrivals(day, staff, midnight_us, goods, &mut random));
            planned.extend(demand(customers, midnight_us, goods, &mut random));
            // What is planned for after now has not happened yet.
            let end_us = self.now_us.min(midnight_us + DAY_US);
            let mut today: Vec<Entry> = planned.extract_if(.., |entry| entry.at_us < end_us).collect();
            // Numbers are given in order of time.
            today.sort_by_key(|entry| entry.at_us);
            for order in self.in_order(today.into_iter().map(|entry| self.carry_out(entry))).await {
                if let Some(order) = order? {
                    placed += 1;
                    planned.extend(future_of(&order, staff, DAYS - day, &mut random));
                }
            }
        }
        Ok(placed)
    }

    /// Carries something out, and returns the order if one was placed.
    async fn carry_out(&self, Entry { at_us, actor, deed }: Entry) -> anyhow::Result<Option<Order>> {
        match deed {
            Deed::Adjust(command) => granted(self.at(actor, at_us, command).await?).map(|_| None),
            Deed::Change(command) => granted(self.at(actor, at_us, command).await?).map(|_| None),
            // Out of stock: customers leave, as they do.
            Deed::Place(command) => Ok(self.at(actor, at_us, command).await?.ok().map(|placed| placed.order)),
        }
    }
}

/// A delivery now and then, of whatever the supplier had; and once a month somebody drops something.
fn arrivals(day: i64, staff: Actor, midnight_us: i64, goods: &[Good], random: &mut Random) -> Vec<Entry> {
    let mut lines = Vec::new();
    if day % DELIVERY_DAYS == 0 {
        let arrived = goods.iter().filter(|good| good.is_delivered && !random.once_in(3));
        let arrived: Vec<&Good> = arrived.collect();
        lines.extend(arrived.into_iter().map(|good| {
            let quantity = 1 + random.below(good.opening / 4);
            line(good, StockChange::Increment(quantity), "delivery")
        }));
    }
    if day % 30 == 5 {
        // The product that there is most of, so that there is one to drop.
        let broken = goods.iter().max_by_key(|good| good.opening);
        lines.extend(broken.map(|good| line(good, StockChange::Decrement(1), "damaged")));
    }
    let deed = |lines| Entry {
        at_us: midnight_us + 7 * HOUR_US,
        actor: staff,
        deed: Deed::Adjust(AdjustStock { lines }),
    };
    if lines.is_empty() { Vec::new() } else { vec![deed(lines)] }
}

fn line(good: &Good, change: StockChange, reason: &str) -> StockLine {
    StockLine { product_id: good.id, change, reason: Some(reason.to_owned()), note: None }
}

/// What customers want on a day, between eight in the morning and seven in the evening.
fn demand(customers: &[Actor], midnight_us: i64, goods: &[Good], random: &mut Random) -> Vec<Entry> {
    let mut entries = Vec::new();
    for _ in 0..=random.below(5) {
        let Some(customer) = random.pick(customers, |_| 1).copied() else { break };
        let at_us = midnight_us + 8 * HOUR_US + MINUTE_US * random.below(11 * 60);
        let deed = Deed::Place(order(customer.user_id, goods, random));
        entries.push(Entry { at_us, actor: customer, deed });
    }
    entries
}

fn order(user_id: Option<UserId>, goods: &[Good], random: &mut Random) -> PlaceOrder {
    let mut lines = Vec::new();
    for _ in 0..=random.below(3) {
        let good = random.pick(goods, |good| good.opening);
        lines.extend(good.map(|good| OrderLine { product_id: good.id, quantity: 1 + random.below(3) }));
    }
    PlaceOrder {
        user_id,
        lines,
        allocate_at: AllocateAt::Creation,
        status: Status::Pending,
        customs: PlacingCustoms::default(),
        terms: PlacingTerms::default(),
    }
}

/// What becomes of an order. One in ten is cancelled, one in eight is paid on account, after the goods have come.
fn future_of(order: &Order, staff: Actor, days_ago: i64, random: &mut Random) -> Vec<Entry> {
    let steps: &[Action] = if random.once_in(10) {
        &[Action::Cancel]
    } else if random.once_in(8) {
        &[Action::Confirm, Action::Ship, Action::Deliver, Action::Pay]
    } else {
        &[Action::Confirm, Action::Pay, Action::Ship, Action::Deliver]
    };
    let mut at_us = order.placed_at_us;
    let mut entries = Vec::new();
    for action in steps {
        // Never on the day of the order itself, which is over when this is planned.
        let hours = if days_ago < SLOW_DAYS { 24 + random.below(240) } else { 16 + random.below(32) };
        at_us += hours * HOUR_US + random.below(60) * MINUTE_US;
        let command = ChangeOrder {
            order_id: order.id,
            goal: Goal::Act(*action),
            if_version: None,
            customs: Customs::default(),
        };
        entries.push(Entry { at_us, actor: staff, deed: Deed::Change(command) });
    }
    entries
}
