//! Which action is allowed at which position of an order: one table, drawn in docs/ARCHITECTURE.md.

use crate::{Action, Fulfilment, Order, OrderState, Payment, Status};

/// What an action comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is carried out.
    Do,
    /// Its effect already stands: nothing to do, and nothing wrong.
    Stands,
    /// It is refused.
    Refuse,
}

/// Where an order stands: its status, told apart by payment once the goods have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// Placed.
    Pending,
    /// Accepted, unpaid, in the house.
    Confirmed,
    /// Accepted, paid, in the house.
    Paid,
    /// On its way on account.
    ShippedUnpaid,
    /// On its way, paid.
    Shipped,
    /// Arrived on account.
    DeliveredUnpaid,
    /// Arrived and paid.
    Completed,
    /// Called off.
    Cancelled,
}

/// The table: a row a position; columns confirm, pay, ship, deliver, cancel.
pub const TRANSITIONS: [(Position, [Step; 5]); 8] = {
    use Step::{Do, Refuse, Stands};
    [
        (Position::Pending, [Do, Do, Refuse, Refuse, Do]),
        (Position::Confirmed, [Stands, Do, Do, Refuse, Do]),
        (Position::Paid, [Stands, Stands, Do, Refuse, Do]),
        (Position::ShippedUnpaid, [Stands, Do, Stands, Do, Refuse]),
        (Position::Shipped, [Stands, Stands, Stands, Do, Refuse]),
        (Position::DeliveredUnpaid, [Stands, Do, Stands, Stands, Refuse]),
        (Position::Completed, [Stands, Stands, Stands, Stands, Refuse]),
        (Position::Cancelled, [Refuse, Refuse, Refuse, Refuse, Stands]),
    ]
};

impl Position {
    /// Derives the position from the facts of an order.
    #[must_use]
    pub const fn of(order: &Order) -> Self {
        match (order.status(), order.payment) {
            (Status::Pending, _) => Self::Pending,
            (Status::Confirmed, _) => Self::Confirmed,
            (Status::Paid, _) => Self::Paid,
            (Status::Shipped, Payment::Unpaid) => Self::ShippedUnpaid,
            (Status::Shipped, Payment::Paid) => Self::Shipped,
            (Status::Delivered, Payment::Unpaid) => Self::DeliveredUnpaid,
            (Status::Delivered, Payment::Paid) => Self::Completed,
            (Status::Cancelled, _) => Self::Cancelled,
        }
    }

    /// Looks the action up in [`TRANSITIONS`].
    #[must_use]
    pub const fn step(self, action: Action) -> Step {
        TRANSITIONS[self as usize].1[action as usize]
    }
}

/// The action that leads to a status; none leads back to pending.
#[must_use]
pub const fn action_towards(status: Status) -> Option<Action> {
    match status {
        Status::Pending => None,
        Status::Confirmed => Some(Action::Confirm),
        Status::Paid => Some(Action::Pay),
        Status::Shipped => Some(Action::Ship),
        Status::Delivered => Some(Action::Deliver),
        Status::Cancelled => Some(Action::Cancel),
    }
}

/// Sets the facts of an order to what an allowed action makes of them. Stock is not its business.
pub fn advance(order: &mut Order, action: Action) {
    match action {
        Action::Confirm => order.state = OrderState::Confirmed,
        Action::Pay => {
            if order.state == OrderState::Pending {
                order.state = OrderState::Confirmed;
            }
            order.payment = Payment::Paid;
        }
        Action::Ship => order.fulfilment = Fulfilment::Shipped,
        Action::Deliver => order.fulfilment = Fulfilment::Delivered,
        Action::Cancel => order.state = OrderState::Cancelled,
    }
    if order.state != OrderState::Pending {
        order.expires_at_us = None;
    }
    if order.payment == Payment::Paid && order.fulfilment == Fulfilment::Delivered {
        order.state = OrderState::Completed;
    }
}
