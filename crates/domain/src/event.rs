//! What happened: the past tense of a command, kept in commit order for whoever wants to follow.

use std::sync::Arc;

use crate::{ApiKeyId, OrderId, ProductId, Status, UserId};

/// A fact within an event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A product entered the catalogue.
    ProductCreated {
        /// The product.
        product_id: ProductId,
        /// Its SKU.
        sku: String,
    },
    /// Catalogue data of a product changed.
    ProductUpdated {
        /// The product.
        product_id: ProductId,
        /// Its version after the change.
        version: i64,
    },
    /// A product became orderable.
    ProductActivated {
        /// The product.
        product_id: ProductId,
    },
    /// A product stopped taking orders.
    ProductDeactivated {
        /// The product.
        product_id: ProductId,
        /// Whether its own rule did it because nothing was left.
        automatic: bool,
    },
    /// A product left the catalogue; its orders stay.
    ProductArchived {
        /// The product.
        product_id: ProductId,
    },
    /// An archived product came back.
    ProductRestored {
        /// The product.
        product_id: ProductId,
    },
    /// A product that no order refers to was erased.
    ProductErased {
        /// The product.
        product_id: ProductId,
        /// The SKU it had.
        sku: String,
    },
    /// Staff changed a stock level.
    StockAdjusted {
        /// The product.
        product_id: ProductId,
        /// On hand before.
        from: i64,
        /// On hand after.
        to: i64,
    },
    /// Available stock fell to the threshold or below it.
    StockRanLow {
        /// The product.
        product_id: ProductId,
        /// Available now.
        available: i64,
        /// The threshold that was crossed.
        threshold: i64,
    },
    /// An order was placed.
    OrderPlaced {
        /// The order.
        order_id: OrderId,
        /// For whom.
        user_id: Option<UserId>,
        /// Sum in minor units.
        total_amount_cents: i64,
        /// Pieces.
        total_quantity: i64,
    },
    /// An order was confirmed.
    OrderConfirmed {
        /// The order.
        order_id: OrderId,
    },
    /// An order was paid.
    OrderPaid {
        /// The order.
        order_id: OrderId,
    },
    /// The goods of an order left the house.
    OrderShipped {
        /// The order.
        order_id: OrderId,
    },
    /// The goods of an order arrived.
    OrderDelivered {
        /// The order.
        order_id: OrderId,
    },
    /// A pending order that might wait for ever got an end.
    OrderWaitLimited {
        /// The order.
        order_id: OrderId,
    },
    /// An order was called off.
    OrderCancelled {
        /// The order.
        order_id: OrderId,
        /// Its status before.
        from: Status,
        /// Pieces given back to stock.
        released: i64,
        /// Whether its time was up: nobody had paid or confirmed it before it expired.
        expired: bool,
    },
    /// An account was made.
    UserCreated {
        /// The user.
        user_id: UserId,
        /// The role given.
        role: crate::Role,
    },
    /// Data of an account changed.
    UserUpdated {
        /// The user.
        user_id: UserId,
        /// The version after the change.
        version: i64,
    },
    /// A password was changed.
    PasswordChanged {
        /// The user.
        user_id: UserId,
    },
    /// All sessions of a user were ended.
    SessionsRevoked {
        /// The user.
        user_id: UserId,
    },
    /// A key for a machine was made.
    ApiKeyCreated {
        /// The key.
        api_key_id: ApiKeyId,
    },
    /// A key was revoked.
    ApiKeyRevoked {
        /// The key.
        api_key_id: ApiKeyId,
    },
}

impl Event {
    /// The name of the event, as stored and published.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProductCreated { .. } => "product_created",
            Self::ProductUpdated { .. } => "product_updated",
            Self::ProductActivated { .. } => "product_activated",
            Self::ProductDeactivated { .. } => "product_deactivated",
            Self::ProductArchived { .. } => "product_archived",
            Self::ProductRestored { .. } => "product_restored",
            Self::ProductErased { .. } => "product_erased",
            Self::StockAdjusted { .. } => "stock_adjusted",
            Self::StockRanLow { .. } => "stock_ran_low",
            Self::OrderPlaced { .. } => "order_placed",
            Self::OrderConfirmed { .. } => "order_confirmed",
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderShipped { .. } => "order_shipped",
            Self::OrderDelivered { .. } => "order_delivered",
            Self::OrderWaitLimited { .. } => "order_wait_limited",
            Self::OrderCancelled { .. } => "order_cancelled",
            Self::UserCreated { .. } => "user_created",
            Self::UserUpdated { .. } => "user_updated",
            Self::PasswordChanged { .. } => "password_changed",
            Self::SessionsRevoked { .. } => "sessions_revoked",
            Self::ApiKeyCreated { .. } => "api_key_created",
            Self::ApiKeyRevoked { .. } => "api_key_revoked",
        }
    }

    /// The order it is about, if any.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::OrderPlaced { order_id, .. }
            | Self::OrderConfirmed { order_id }
            | Self::OrderPaid { order_id }
            | Self::OrderShipped { order_id }
            | Self::OrderDelivered { order_id }
            | Self::OrderWaitLimited { order_id }
            | Self::OrderCancelled { order_id, .. } => Some(*order_id),
            _ => None,
        }
    }

    /// The product it is about, if any.
    #[must_use]
    pub const fn product_id(&self) -> Option<ProductId> {
        match self {
            Self::ProductCreated { product_id, .. }
            | Self::ProductUpdated { product_id, .. }
            | Self::ProductActivated { product_id }
            | Self::ProductDeactivated { product_id, .. }
            | Self::ProductArchived { product_id }
            | Self::ProductRestored { product_id }
            | Self::ProductErased { product_id, .. }
            | Self::StockAdjusted { product_id, .. }
            | Self::StockRanLow { product_id, .. } => Some(*product_id),
            _ => None,
        }
    }

    /// The user it is about, if any.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::UserCreated { user_id, .. }
            | Self::UserUpdated { user_id, .. }
            | Self::PasswordChanged { user_id }
            | Self::SessionsRevoked { user_id } => Some(*user_id),
            Self::OrderPlaced { user_id, .. } => *user_id,
            _ => None,
        }
    }

    /// What else there is to know, beyond kind and ids.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            Self::ProductCreated { sku, .. } | Self::ProductErased { sku, .. } => {
                vec![("sku", Fact::Text(sku.clone()))]
            }
            Self::ProductUpdated { version, .. } | Self::UserUpdated { version, .. } => {
                vec![("version", Fact::Int(*version))]
            }
            Self::ProductDeactivated { automatic, .. } => vec![("automatic", Fact::Flag(*automatic))],
            Self::StockAdjusted { from, to, .. } => {
                vec![("from", Fact::Int(*from)), ("to", Fact::Int(*to))]
            }
            Self::StockRanLow { available, threshold, .. } => {
                vec![("available", Fact::Int(*available)), ("threshold", Fact::Int(*threshold))]
            }
            Self::OrderPlaced { total_amount_cents, total_quantity, .. } => vec![
                ("total_amount_cents", Fact::Int(*total_amount_cents)),
                ("total_quantity", Fact::Int(*total_quantity)),
            ],
            Self::OrderCancelled { from, released, expired, .. } => {
                let mut facts =
                    vec![("from", Fact::Text(from.word().to_owned())), ("released", Fact::Int(*released))];
                if *expired {
                    facts.push(("reason", Fact::Text("expired".to_owned())));
                }
                facts
            }
            Self::ApiKeyCreated { api_key_id } | Self::ApiKeyRevoked { api_key_id } => {
                vec![("api_key_id", Fact::Int(api_key_id.0))]
            }
            Self::UserCreated { role, .. } => vec![("role", Fact::Text(role.word().to_owned()))],
            _ => Vec::new(),
        }
    }
}

/// An event with who caused it and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// What happened.
    pub event: Event,
    /// Who caused it; `None` for the system and the anonymous principal.
    pub actor_id: Option<UserId>,
    /// The request in which it happened.
    pub request_id: Arc<str>,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}
