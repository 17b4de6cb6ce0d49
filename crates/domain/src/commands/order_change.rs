//! Moving an order along its life.

use super::order_place::allocate;
use super::require_version;
use crate::{
    Action, AllocateAt, Cause, Change, Command, Context, Decision, Denial, Draft, Event, Goal, Keys,
    MovementKind, Order, OrderId, OrderState, Payment, Position, Rejection, Snapshot, Status, Step,
    action_towards, advance,
};

/// Confirms, pays, ships, delivers or cancels an order, or brings it to a status.
#[derive(Debug, Clone)]
pub struct ChangeOrder {
    /// The order.
    pub order_id: OrderId,
    /// What is asked.
    pub goal: Goal,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
    /// What the caller's contract does otherwise.
    pub customs: Customs,
}

/// What an older contract does otherwise with orders; the default is what `/api/v1` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Customs {
    /// The owner may confirm an order of theirs that takes its stock at confirmation.
    pub owner_confirms: bool,
    /// Somebody else's order is refused as such, instead of as one that does not exist.
    pub admits_foreign: bool,
}

/// An order after a change, or as it was when there was nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChanged {
    /// The order.
    pub order: Order,
    /// Display name of its user.
    pub user_name: Option<String>,
    /// Whether anything changed.
    pub changed: bool,
}

impl Command for ChangeOrder {
    type Outcome = OrderChanged;

    fn word(&self) -> &'static str {
        match self.wished() {
            Some(Action::Confirm) => "order.confirm",
            Some(Action::Pay) => "order.pay",
            Some(Action::Ship) => "order.ship",
            Some(Action::Deliver) => "order.deliver",
            Some(Action::Cancel) => "order.cancel",
            None => "order.change",
        }
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { orders: vec![self.order_id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<OrderChanged>, Rejection> {
        let not_found = || Rejection::OrderNotFound(self.order_id);
        let before = snapshot.order(self.order_id).ok_or_else(not_found)?;
        if !context.actor.is_staff() {
            self.require_owner(before, context)?;
        }
        if before.is_expired(context.now_us) && self.wished() != Some(Action::Cancel) {
            // It is over, whether or not anybody has come round to writing that down. Calling it off does just that.
            let (order_id, goal) = (self.order_id, self.goal);
            return Err(Rejection::InvalidTransition { order_id, from: Status::Cancelled, goal });
        }
        let action = self.planned(before)?;
        let user = before.user_id.and_then(|id| snapshot.user(id));
        let user_name = user.map(|user| user.display_name().to_owned());
        let mut draft = Draft::new(snapshot, context);
        let mut order = before.clone();
        let Some(action) = action else {
            return Ok(draft.decide(OrderChanged { order, user_name, changed: false }));
        };
        // Customers may only cancel before money or goods have moved.
        if !context.actor.is_staff() && before.payment == Payment::Paid {
            return Err(Rejection::Forbidden(Denial::CancelTooLate));
        }
        require_version(self.if_version, before.version)?;
        carry_out(&mut draft, &mut order, action)?;
        order.version += 1;
        order.updated_at_us = Some(context.now_us);
        draft.put(Change::PutOrder(order.clone()));
        Ok(draft.decide(OrderChanged { order, user_name, changed: true }))
    }
}

impl ChangeOrder {
    /// Refuses a customer who asks for more than the owner of the order may do.
    fn require_owner(&self, order: &Order, context: &Context) -> Result<(), Rejection> {
        if order.user_id != context.actor.user_id {
            return Err(if self.customs.admits_foreign {
                Rejection::Forbidden(Denial::ForeignOrder)
            } else {
                // Somebody else's order is as absent as one that was never placed.
                Rejection::OrderNotFound(order.id)
            });
        }
        // The role comes first: what a customer may never do is not a matter of the order's status.
        match self.wished() {
            Some(Action::Cancel) => Ok(()),
            Some(Action::Confirm)
                if self.customs.owner_confirms && order.allocate_at == AllocateAt::Confirmation =>
            {
                Ok(())
            }
            _ => Err(Rejection::Forbidden(Denial::Role)),
        }
    }

    /// The action behind the goal, whether or not there is anything left to do.
    fn wished(&self) -> Option<Action> {
        match self.goal {
            Goal::Act(action) => Some(action),
            Goal::Reach(status) => action_towards(status),
        }
    }

    /// The action to carry out; `None` when the effect already stands.
    fn planned(&self, order: &Order) -> Result<Option<Action>, Rejection> {
        let refused =
            Rejection::InvalidTransition { order_id: order.id, from: order.status(), goal: self.goal };
        if let Goal::Reach(status) = self.goal
            && order.status() == status
        {
            return Ok(None);
        }
        let Some(action) = self.wished() else { return Err(refused) };
        match (Position::of(order).step(action), self.goal) {
            (Step::Stands, Goal::Act(_)) => Ok(None),
            // A status that the order has left behind: going there would be a step back.
            (Step::Refuse, _) | (Step::Stands, Goal::Reach(_)) => Err(refused),
            (Step::Do, Goal::Act(_)) => Ok(Some(action)),
            (Step::Do, Goal::Reach(status)) => {
                let mut trial = order.clone();
                advance(&mut trial, action);
                // Paying a parcel on its way leaves it `shipped`: a verb may do that, a status may not claim it.
                if trial.status() == status { Ok(Some(action)) } else { Err(refused) }
            }
        }
    }
}

/// Carries an allowed action out: its stock, its facts, its event.
pub(super) fn carry_out(draft: &mut Draft<'_>, order: &mut Order, action: Action) -> Result<(), Rejection> {
    let from = order.status();
    let order_id = order.id;
    let accepts = order.state == OrderState::Pending && matches!(action, Action::Confirm | Action::Pay);
    if accepts && order.allocate_at == AllocateAt::Confirmation {
        allocate(draft, order)?;
    }
    if accepts && action == Action::Pay {
        draft.record(Event::OrderConfirmed { order_id });
    }
    let expired = order.is_expired(draft.context.now_us);
    let released = match action {
        Action::Ship => {
            let_go(draft, order, MovementKind::Shipped)?;
            0
        }
        Action::Cancel => let_go(draft, order, MovementKind::Released)?,
        _ => 0,
    };
    advance(order, action);
    draft.record(match action {
        Action::Confirm => Event::OrderConfirmed { order_id },
        Action::Pay => Event::OrderPaid { order_id },
        Action::Ship => Event::OrderShipped { order_id },
        Action::Deliver => Event::OrderDelivered { order_id },
        Action::Cancel => Event::OrderCancelled { order_id, from, released, expired },
    });
    Ok(())
}

/// Ends the hold on exactly what the order still holds: back to the shelf, or out of the house.
fn let_go(draft: &mut Draft<'_>, order: &mut Order, kind: MovementKind) -> Result<i64, Rejection> {
    let cause = Cause { order_id: Some(order.id), ..Cause::default() };
    let mut total = 0;
    for item in order.items.iter_mut().filter(|item| item.allocated > 0) {
        let on_hand_delta = if kind == MovementKind::Shipped { -item.allocated } else { 0 };
        draft.move_stock(item.product_id, kind, (on_hand_delta, -item.allocated), cause)?;
        total += item.allocated;
        item.allocated = 0;
    }
    Ok(total)
}
