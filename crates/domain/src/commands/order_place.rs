//! Placing an order.

use super::{order_change, require_range};
use crate::{
    Action, AllocateAt, Cause, Change, Command, Context, Decision, Denial, Draft, Event, Fulfilment, Holds,
    ItemId, Keys, MAX_ORDER_LINES, MAX_QUANTITY, MovementKind, Order, OrderId, OrderItem, OrderState,
    Payment, ProductId, Rejection, Shortage, Snapshot, Status, UserId,
};

/// One line as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// Pieces, at least 1.
    pub quantity: i64,
}

/// Places an order, all or nothing.
#[derive(Debug, Clone)]
pub struct PlaceOrder {
    /// For whom; the caller when absent.
    pub user_id: Option<UserId>,
    /// What; lines of one product count as one.
    pub lines: Vec<OrderLine>,
    /// When stock is taken.
    pub allocate_at: AllocateAt,
    /// Where the order starts: pending, or for staff confirmed or paid.
    pub status: Status,
    /// What the caller's contract does otherwise.
    pub customs: PlacingCustoms,
    /// How long the order may wait, and how much a customer may have waiting.
    pub terms: PlacingTerms,
}

/// The shop's terms for orders that are not paid yet; the default sets no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlacingTerms {
    /// For how long the order may stay pending, in microseconds; fixed in the order when it is placed. See
    /// [`crate::LimitWaits`] for those that were placed when there were no such terms.
    pub pending_life_us: Option<i64>,
    /// How many open orders a customer may have, this one included. Whoever works here is not bound by it.
    pub max_open_orders: Option<i64>,
    /// For how many pieces the open orders of a customer may ask together, this one included.
    pub max_units_held: Option<i64>,
}

/// What an older contract does otherwise when an order is placed; the default is what `/api/v1` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlacingCustoms {
    /// Archived products are refused as ones that do not exist.
    pub hides_archived: bool,
    /// A product whose last available piece this order takes is deactivated, whether or not it asks for that.
    pub deactivates_sold_out: bool,
}

/// A placed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPlaced {
    /// The order.
    pub order: Order,
    /// Display name of its user.
    pub user_name: Option<String>,
}

impl PlaceOrder {
    fn owner(&self, context: &Context) -> Option<UserId> {
        self.user_id.or(context.actor.user_id)
    }

    /// Whose open orders count against the limits of this one, if there are any that bind the caller.
    fn limited(&self, context: &Context) -> Option<UserId> {
        let has_limits = self.terms.max_open_orders.is_some() || self.terms.max_units_held.is_some();
        if has_limits && !context.actor.is_staff() { self.owner(context) } else { None }
    }

    /// Refuses an order with which its customer would have more waiting than the shop allows.
    fn require_room(&self, order: &Order, held: Holds, user_id: UserId) -> Result<(), Rejection> {
        let more = order.holds();
        if let Some(limit) = self.terms.max_open_orders.filter(|limit| held.orders > limit - more.orders) {
            return Err(Rejection::TooManyOpenOrders { user_id, limit, open: held.orders });
        }
        if let Some(limit) = self.terms.max_units_held.filter(|limit| held.units > limit - more.units) {
            let requested = more.units;
            return Err(Rejection::TooManyUnitsHeld { user_id, limit, held: held.units, requested });
        }
        Ok(())
    }

    /// Lines of one product become one, in the order of their first appearance.
    fn merged(&self) -> Result<Vec<OrderLine>, Rejection> {
        if self.lines.is_empty() {
            return Err(Rejection::NoLines);
        }
        if self.lines.len() > MAX_ORDER_LINES {
            return Err(Rejection::TooManyLines { limit: MAX_ORDER_LINES });
        }
        let mut merged: Vec<OrderLine> = Vec::with_capacity(self.lines.len());
        for (position, line) in self.lines.iter().enumerate() {
            require_range("quantity", Some(position), line.quantity, (1, MAX_QUANTITY))?;
            match merged.iter_mut().find(|known| known.product_id == line.product_id) {
                // At most MAX_ORDER_LINES * MAX_QUANTITY, far below the range of i64.
                Some(known) => known.quantity += line.quantity,
                None => merged.push(*line),
            }
        }
        Ok(merged)
    }

    fn check_caller(&self, context: &Context) -> Result<(), Rejection> {
        let staff = context.actor.is_staff();
        if !staff && self.owner(context) != context.actor.user_id {
            return Err(Rejection::Forbidden(Denial::OrderForAnother));
        }
        match self.status {
            Status::Pending => Ok(()),
            Status::Confirmed | Status::Paid if staff => Ok(()),
            Status::Confirmed | Status::Paid => Err(Rejection::Forbidden(Denial::InitialStatus)),
            other => Err(Rejection::InvalidInitialStatus(other)),
        }
    }
}

impl Command for PlaceOrder {
    type Outcome = OrderPlaced;

    fn word(&self) -> &'static str {
        "order.place"
    }

    fn keys(&self, context: &Context) -> Keys {
        Keys {
            users: self.owner(context).into_iter().collect(),
            products: self.lines.iter().map(|line| line.product_id).collect(),
            holds: self.limited(context).into_iter().collect(),
            ..Keys::default()
        }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<OrderPlaced>, Rejection> {
        let lines = self.merged()?;
        self.check_caller(context)?;
        let user = match self.owner(context) {
            Some(id) => {
                let user = snapshot.user(id).ok_or(Rejection::UserNotFound(id))?;
                if !user.is_active {
                    return Err(Rejection::UserInactive(id));
                }
                Some(user)
            }
            None => None,
        };
        check_products(snapshot, &lines, self.customs)?;
        let mut draft = Draft::new(snapshot, context);
        let mut order = new_order(snapshot, context, &lines, self.allocate_at)?;
        order.user_id = user.map(|user| user.id);
        order.expires_at_us = self.terms.pending_life_us.map(|life| context.now_us.saturating_add(life));
        if order.allocate_at == AllocateAt::Creation {
            allocate(&mut draft, &mut order)?;
            if self.customs.deactivates_sold_out {
                order.items.iter().for_each(|item| draft.deactivate_sold_out(item.product_id));
            }
        }
        // Last, so that what the older contracts say of too little stock stays true whatever the limits are.
        if let Some(id) = self.limited(context) {
            self.require_room(&order, snapshot.holds(id), id)?;
        }
        draft.record(Event::OrderPlaced {
            order_id: order.id,
            user_id: order.user_id,
            total_amount_cents: order.total_amount_cents,
            total_quantity: order.total_quantity,
        });
        match self.status {
            Status::Confirmed => order_change::carry_out(&mut draft, &mut order, Action::Confirm)?,
            Status::Paid => order_change::carry_out(&mut draft, &mut order, Action::Pay)?,
            _ => {}
        }
        draft.put(Change::PutOrder(order.clone()));
        let user_name = user.map(|user| user.display_name().to_owned());
        Ok(draft.decide(OrderPlaced { order, user_name }))
    }
}

/// Refuses unknown, archived and inactive products, naming all of them.
fn check_products(
    snapshot: &Snapshot,
    lines: &[OrderLine],
    customs: PlacingCustoms,
) -> Result<(), Rejection> {
    let mut unknown = Vec::new();
    let mut inactive = Vec::new();
    for line in lines {
        match snapshot.product(line.product_id) {
            None => unknown.push(line.product_id),
            Some(product) if customs.hides_archived && product.archived_at_us.is_some() => {
                unknown.push(line.product_id);
            }
            Some(product) if !product.is_active || product.archived_at_us.is_some() => {
                inactive.push(line.product_id);
            }
            Some(_) => {}
        }
    }
    if !unknown.is_empty() {
        return Err(Rejection::ProductsNotFound(unknown));
    }
    if inactive.is_empty() { Ok(()) } else { Err(Rejection::ProductsInactive(inactive)) }
}

/// The order with names, prices and totals frozen, nothing allocated yet.
fn new_order(
    snapshot: &Snapshot,
    context: &Context,
    lines: &[OrderLine],
    allocate_at: AllocateAt,
) -> Result<Order, Rejection> {
    let mut items = Vec::with_capacity(lines.len());
    let mut total_amount_cents: i64 = 0;
    let mut total_quantity: i64 = 0;
    for (id, line) in (snapshot.next.item..).zip(lines) {
        let unknown = || Rejection::ProductsNotFound(vec![line.product_id]);
        let product = snapshot.product(line.product_id).ok_or_else(unknown)?;
        total_amount_cents = product
            .price_cents
            .checked_mul(line.quantity)
            .and_then(|amount| total_amount_cents.checked_add(amount))
            .ok_or(Rejection::TotalOverflow)?;
        total_quantity = total_quantity.checked_add(line.quantity).ok_or(Rejection::TotalOverflow)?;
        items.push(OrderItem {
            id: ItemId(id),
            product_id: line.product_id,
            product_name: product.name.clone(),
            price_cents: product.price_cents,
            quantity: line.quantity,
            allocated: 0,
        });
    }
    Ok(Order {
        id: OrderId(snapshot.next.order),
        user_id: None,
        state: OrderState::Pending,
        payment: Payment::Unpaid,
        fulfilment: Fulfilment::Unfulfilled,
        allocate_at,
        total_amount_cents,
        total_quantity,
        version: 1,
        placed_at_us: context.now_us,
        updated_at_us: None,
        expires_at_us: None,
        items,
    })
}

/// Takes a hold on everything the order asks for, or names every product of which there is too little.
pub(super) fn allocate(draft: &mut Draft<'_>, order: &mut Order) -> Result<(), Rejection> {
    let mut shortages = Vec::new();
    for item in &order.items {
        let available = draft.level(item.product_id).available();
        if item.quantity > available {
            shortages.push(Shortage { product_id: item.product_id, requested: item.quantity, available });
        }
    }
    if !shortages.is_empty() {
        return Err(Rejection::InsufficientStock(shortages));
    }
    let cause = Cause { order_id: Some(order.id), ..Cause::default() };
    for item in &mut order.items {
        draft.move_stock(item.product_id, MovementKind::Allocated, (0, item.quantity), cause)?;
        item.allocated = item.quantity;
    }
    Ok(())
}
