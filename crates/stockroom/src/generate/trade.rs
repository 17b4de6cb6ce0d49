//! Orders: who orders what at which hour, and what becomes of it.

use domain::{
    Action, Actor, AdjustStock, AllocateAt, ChangeOrder, Customs, Goal, OrderId, OrderLine, PlaceOrder,
    PlacingCustoms, PlacingTerms, ProductId, Role, Status, StockChange, StockLine, UserId,
};

use super::catalogue::OFFICE;
use super::work::{Deed, Work};
use super::{DAY_US, HOUR_US, History, MINUTE_US, number};

/// Most lines of an order.
const MOST_LINES: usize = 5;

impl History {
    /// When the nth order is placed. They come evenly over the days, and most of them at hours at which people are awake.
    pub(super) fn time_of(&self, nth: i64) -> i64 {
        let span = i128::from(self.end_us - self.start_us);
        let offset = span * i128::from(nth) / i128::from(self.size.orders.max(1));
        let even_us = self.start_us + i64::try_from(offset).unwrap_or_default();
        let (midnight_us, hour_us) = (even_us.div_euclid(DAY_US) * DAY_US, even_us.rem_euclid(DAY_US));
        // The first hour of a day of evenly spread orders becomes the night, up to seven o'clock.
        let awake_us =
            if hour_us < HOUR_US { hour_us * 7 } else { 7 * HOUR_US + (hour_us - HOUR_US) / 23 * 17 };
        midnight_us + awake_us
    }

    /// Plans one order with its whole life, of users and products that are known so far, and the delivery it needs.
    pub(super) fn order(&mut self, known: (usize, usize), work: &mut Vec<Work>) {
        let placed_at_us = self.time_of(self.orders);
        self.orders += 1;
        let order_id = OrderId(self.orders);
        let lines = self.lines(known.1);
        for (index, quantity) in &lines {
            self.deliver_if_needed(*index, *quantity, placed_at_us, work);
        }
        let customer = self.customer(known.0);
        let order_lines = lines
            .iter()
            .map(|&(index, quantity)| OrderLine { product_id: ProductId(number(index)), quantity })
            .collect();
        // One in twelve is taken down by the office, which knows already that it will be paid.
        let by_staff = self.random.once_in(12);
        let status = if by_staff && self.random.once_in(2) { Status::Paid } else { Status::Pending };
        let late = self.random.once_in(12);
        let allocate_at = if late { AllocateAt::Confirmation } else { AllocateAt::Creation };
        let place = PlaceOrder {
            user_id: customer.user_id,
            lines: order_lines,
            allocate_at,
            status,
            customs: PlacingCustoms::default(),
            terms: PlacingTerms::default(),
        };
        let actor = if by_staff { self.staff() } else { customer };
        work.push(self.work(actor, placed_at_us, Deed::Place(place), Some(order_id.0)));
        let is_cancelled = self.live(order_id, placed_at_us, customer, status, work);
        if is_cancelled {
            self.released.extend(lines);
        }
    }

    /// One to five different products. Few are asked for often, and most of them once a line.
    fn lines(&mut self, known: usize) -> Vec<(usize, i64)> {
        // Half of the orders have one line, a quarter two, and so on.
        let mut wanted = 1;
        while wanted < MOST_LINES && self.random.once_in(2) {
            wanted += 1;
        }
        let mut lines: Vec<(usize, i64)> = Vec::new();
        // Products that are gone or in the order already are drawn in vain. In a small shop there may be no others.
        for _ in 0..wanted * 8 {
            if lines.len() == wanted {
                break;
            }
            let index = self.demand.draw(&mut self.random) % known.max(1);
            let is_gone = self.goods.get(index).is_none_or(|good| good.is_gone);
            if is_gone || lines.iter().any(|(other, _)| *other == index) {
                continue;
            }
            let quantity = if self.random.once_in(4) { 2 + self.random.below(4) } else { 1 };
            lines.push((index, quantity));
        }
        if lines.is_empty() {
            let left = self.goods.iter().take(known).position(|good| !good.is_gone);
            lines.push((left.unwrap_or_default(), 1));
        }
        lines
    }

    /// Takes the pieces from what can be sold, and has more come in first where there are too few.
    fn deliver_if_needed(&mut self, index: usize, quantity: i64, at_us: i64, work: &mut Vec<Work>) {
        if let Some(count) = self.counts.by_product.get_mut(index) {
            *count += 1;
        }
        let Some(good) = self.goods.get_mut(index) else { return };
        good.is_sold = true;
        let arrived = if good.available < quantity { good.delivery.max(quantity) } else { 0 };
        good.available += arrived - quantity;
        if arrived > 0 {
            let line = StockLine {
                product_id: ProductId(number(index)),
                change: StockChange::Increment(arrived),
                reason: Some("delivery".to_owned()),
                note: None,
            };
            let deed = Deed::Stock(AdjustStock { lines: vec![line] });
            work.push(self.work(self.staff(), at_us, deed, None));
        }
    }

    /// A customer; one order in fifty comes from somebody without an account.
    fn customer(&mut self, known: usize) -> Actor {
        let customers = known.saturating_sub(OFFICE.len());
        if customers == 0 || self.random.once_in(50) {
            return Actor { user_id: None, role: Role::Customer, key: None };
        }
        let index = OFFICE.len() + self.customers.draw(&mut self.random) % customers;
        if let Some(count) = self.counts.by_user.get_mut(index) {
            *count += 1;
        }
        Actor { user_id: Some(UserId(number(index))), role: Role::Customer, key: None }
    }

    /// What becomes of an order, as far as it has happened by the end of the history; whether it was cancelled.
    fn live(
        &mut self,
        order_id: OrderId,
        placed_at_us: i64,
        customer: Actor,
        status: Status,
        work: &mut Vec<Work>,
    ) -> bool {
        let steps = self.steps(status);
        let mut at_us = placed_at_us;
        let mut is_cancelled = false;
        for action in steps {
            let hours = match action {
                Action::Confirm | Action::Cancel => 1 + self.random.below(36),
                Action::Pay => 1 + self.random.below(48),
                Action::Ship => 4 + self.random.below(60),
                Action::Deliver => 20 + self.random.below(76),
            };
            at_us += hours * HOUR_US + self.random.below(60) * MINUTE_US;
            if at_us >= self.end_us {
                break;
            }
            is_cancelled = *action == Action::Cancel;
            // Customers without an account have nobody but the office to ask.
            let actor = if is_cancelled && customer.user_id.is_some() { customer } else { self.staff() };
            let goal = Goal::Act(*action);
            let change = ChangeOrder { order_id, goal, if_version: None, customs: Customs::default() };
            work.push(self.work(actor, at_us, Deed::Change(change), None));
        }
        is_cancelled
    }

    /// One in sixteen is cancelled, one in twenty paid on account after the goods have come; one in five hundred is left
    /// lying somewhere on its way.
    fn steps(&mut self, status: Status) -> &'static [Action] {
        const USUAL: &[Action] = &[Action::Confirm, Action::Pay, Action::Ship, Action::Deliver];
        const PAID: &[Action] = &[Action::Ship, Action::Deliver];
        if status == Status::Paid {
            return PAID;
        }
        if self.random.once_in(16) {
            let late = self.random.once_in(3);
            return if late { &[Action::Confirm, Action::Cancel] } else { &[Action::Cancel] };
        }
        if self.random.once_in(20) {
            return &[Action::Confirm, Action::Ship, Action::Deliver, Action::Pay];
        }
        if self.random.once_in(500) {
            let reached = self.random.below_index(USUAL.len());
            return USUAL.get(..reached).unwrap_or_default();
        }
        USUAL
    }
}
