//! The things of the shop as the rules see them.

use crate::{
    AllocateAt, ApiKeyId, Fulfilment, ItemId, OrderId, OrderState, Payment, ProductId, Role, Scope, Status,
    UserId,
};

/// A person or program with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Login name as it was given; unique without regard to case.
    pub username: String,
    /// E-mail address in lower case; unique.
    pub email: Option<String>,
    /// Name for display.
    pub full_name: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// Password hash in PHC form; never leaves the server.
    pub password_hash: String,
    /// Tokens carry the generation they were made in; raising it ends them all.
    pub token_generation: i64,
    /// Inactive users cannot log in, and their tokens are dead.
    pub is_active: bool,
    /// Grows by one with every change.
    pub version: i64,
    /// Creation, microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// Last change, microseconds since 1970 UTC.
    pub updated_at_us: i64,
}

impl User {
    /// The name shown beside an order: the full name, or else the login name.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.full_name.as_deref().unwrap_or(&self.username)
    }
}

/// The form of a login name under which it must be unique.
#[must_use]
pub fn username_key(username: &str) -> String {
    username.to_lowercase()
}

/// The key of a machine that works for the shop. The key itself is shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Identifier.
    pub id: ApiKeyId,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal digits.
    pub digest: String,
    /// What the machine may do at most: staff or administrator.
    pub role: Role,
    /// What it is good for within that role; no word twice.
    pub scopes: Vec<Scope>,
    /// The administrator who made it. It is worth nothing when they are one no more.
    pub maker_id: UserId,
    /// Creation, microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// From then on it is worth nothing, microseconds since 1970 UTC.
    pub expires_at_us: i64,
    /// When it was revoked.
    pub revoked_at_us: Option<i64>,
    /// When it was used, to the minute or so.
    pub last_used_at_us: Option<i64>,
}

/// A product of the catalogue; its stock is a [`StockLevel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Identifier.
    pub id: ProductId,
    /// Stock keeping unit, unique.
    pub sku: String,
    /// Name for display.
    pub name: String,
    /// Longer text, possibly empty.
    pub description: String,
    /// Price of one piece in minor units of the shop's currency.
    pub price_cents: i64,
    /// Inactive products take no orders.
    pub is_active: bool,
    /// When the product left the catalogue; archived products take no orders and no changes.
    pub archived_at_us: Option<i64>,
    /// The product is low on stock when `available <= low_stock_threshold`.
    pub low_stock_threshold: i64,
    /// Deactivate the product in the same transaction in which its last available piece goes.
    pub auto_deactivate: bool,
    /// Grows by one with every change of the catalogue data (not of the stock).
    pub version: i64,
    /// Creation, microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// Last change of the catalogue data, microseconds since 1970 UTC.
    pub updated_at_us: i64,
}

/// How much of a product is in the house and how much of that is spoken for.
///
/// Invariant: `0 <= allocated <= on_hand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockLevel {
    /// The product.
    pub product_id: ProductId,
    /// Pieces in the house.
    pub on_hand: i64,
    /// Pieces held by open orders.
    pub allocated: i64,
    /// Grows by one with every movement.
    pub version: i64,
}

impl StockLevel {
    /// Pieces that can still be sold: `on_hand - allocated`.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.on_hand - self.allocated
    }
}

/// An order with its items. Names, prices and totals are frozen when it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Identifier.
    pub id: OrderId,
    /// For whom; `None` for orders of the anonymous principal.
    pub user_id: Option<UserId>,
    /// Life of the order.
    pub state: OrderState,
    /// Whether the money has come.
    pub payment: Payment,
    /// Where the goods are.
    pub fulfilment: Fulfilment,
    /// When stock is taken, fixed at placement.
    pub allocate_at: AllocateAt,
    /// Sum of price times quantity, minor units.
    pub total_amount_cents: i64,
    /// Sum of quantities.
    pub total_quantity: i64,
    /// Grows by one with every change.
    pub version: i64,
    /// Placement, microseconds since 1970 UTC.
    pub placed_at_us: i64,
    /// Last change after placement.
    pub updated_at_us: Option<i64>,
    /// When the order expires unless it is confirmed or paid before: fixed when it is placed, or later if the shop set no
    /// time then. `None` when it may wait for ever, and once it is no longer pending.
    pub expires_at_us: Option<i64>,
    /// One item a product, in the order of the request.
    pub items: Vec<OrderItem>,
}

impl Order {
    /// The one word for the three facts.
    #[must_use]
    pub const fn status(&self) -> Status {
        Status::of(self.state, self.payment, self.fulfilment)
    }

    /// Whether the time of the order is up at `now_us`, and nobody confirmed, paid or cancelled it before.
    #[must_use]
    pub fn is_expired(&self, now_us: i64) -> bool {
        self.state == OrderState::Pending && self.expires_at_us.is_some_and(|at_us| at_us <= now_us)
    }

    /// What the order counts for among the open ones of its user: nothing once it is paid, shipped or cancelled.
    #[must_use]
    pub const fn holds(&self) -> Holds {
        Holds::of(self.status(), self.total_quantity)
    }
}

/// What the shop keeps back for a customer without having seen any money: the customer's open orders.
///
/// An order is open as long as it is pending or confirmed and neither paid nor shipped. What it asks for counts as a
/// whole, also before it takes its stock: otherwise confirming could exceed what placing could not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holds {
    /// Open orders.
    pub orders: i64,
    /// Pieces in them.
    pub units: i64,
}

impl Holds {
    /// What an order of so many pieces counts for in this status.
    #[must_use]
    pub const fn of(status: Status, units: i64) -> Self {
        match status {
            Status::Pending | Status::Confirmed => Self { orders: 1, units },
            Status::Paid | Status::Shipped | Status::Delivered | Status::Cancelled => {
                Self { orders: 0, units: 0 }
            }
        }
    }

    /// What is held after an order that counted as `before` counts as `after`.
    #[must_use]
    pub const fn moved(self, before: Self, after: Self) -> Self {
        Self {
            orders: self.orders + after.orders - before.orders,
            units: self.units.saturating_add(after.units - before.units),
        }
    }
}

impl Status {
    /// Derives the word from the facts: a cancellation outranks the parcel, the parcel outranks the money.
    #[must_use]
    pub const fn of(state: OrderState, payment: Payment, fulfilment: Fulfilment) -> Self {
        match (state, fulfilment, payment) {
            (OrderState::Cancelled, _, _) => Self::Cancelled,
            (_, Fulfilment::Delivered, _) => Self::Delivered,
            (_, Fulfilment::Shipped, _) => Self::Shipped,
            (_, Fulfilment::Unfulfilled, Payment::Paid) => Self::Paid,
            (OrderState::Pending, Fulfilment::Unfulfilled, Payment::Unpaid) => Self::Pending,
            (_, Fulfilment::Unfulfilled, Payment::Unpaid) => Self::Confirmed,
        }
    }
}

/// One product of an order, with name and price as they were when it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    /// Identifier, unique over all orders.
    pub id: ItemId,
    /// The product.
    pub product_id: ProductId,
    /// Its name at placement.
    pub product_name: String,
    /// Its price at placement, minor units.
    pub price_cents: i64,
    /// Pieces ordered, at least 1.
    pub quantity: i64,
    /// Pieces this item holds in stock right now: all, or none.
    pub allocated: i64,
}
