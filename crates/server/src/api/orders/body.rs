//! An order as the API shows it.

use domain::{Order, OrderItem};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoResponses, ToSchema};

use crate::http::reply::Reply;
use crate::wire::etag;
use crate::wire::time::Rfc3339;
use crate::wire::values::{AllocateAt, Fulfilment, OrderState, Payment, Status};

/// An order with its items. Names, prices and totals are as they were when it was placed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderBody<'a> {
    /// Number of the order.
    #[schema(example = 1)]
    order_id: i64,
    /// Whose it is; null for an order placed without a login.
    #[schema(required, example = 1)]
    user_id: Option<i64>,
    /// Full name of that user, or else their username.
    #[schema(required, example = "John Doe")]
    user_name: Option<&'a str>,
    /// The order in one word, made of `state`, `payment` and `fulfilment`.
    status: Status,
    /// The life of the order, apart from money and parcels.
    state: OrderState,
    /// Whether the money has come.
    payment: Payment,
    /// Where the goods are.
    fulfilment: Fulfilment,
    /// When the order takes its stock.
    allocate_at: AllocateAt,
    /// When it was placed.
    created_at: Rfc3339,
    /// When it was last changed; null if never.
    #[schema(required)]
    updated_at: Option<Rfc3339>,
    /// When it is cancelled unless it is confirmed or paid before; absent when it may stay as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
    /// Grows by one with every change; the number that `ETag` begins with.
    #[schema(example = 1)]
    version: i64,
    /// ISO 4217 code of the shop's currency.
    #[schema(example = "USD")]
    currency: &'a str,
    /// What was ordered, one item a product.
    items: Vec<ItemBody<'a>>,
    /// Sum of price times quantity, in minor units (cents).
    #[schema(example = 502_997)]
    total_amount_cents: i64,
    /// Sum of the quantities.
    #[schema(example = 3)]
    total_quantity: i64,
}

/// One product of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemBody<'a> {
    /// Number of the item, unique over all orders.
    #[schema(example = 1)]
    id: i64,
    /// The product.
    #[schema(example = 1)]
    product_id: i64,
    /// Pieces ordered.
    #[schema(example = 2)]
    quantity: i64,
    /// Price of one piece when the order was placed, in minor units (cents).
    #[schema(example = 249_999)]
    price_cents_at_purchase: i64,
    /// Name of the product when the order was placed.
    #[schema(example = "MacBook Pro 16\"")]
    product_name: &'a str,
    /// Pieces that the item holds in stock right now: all of them, or none.
    #[schema(example = 2)]
    allocated: i64,
}

impl<'a> From<&'a OrderItem> for ItemBody<'a> {
    fn from(item: &'a OrderItem) -> Self {
        Self {
            id: item.id.0,
            product_id: item.product_id.0,
            quantity: item.quantity,
            price_cents_at_purchase: item.price_cents,
            product_name: &item.product_name,
            allocated: item.allocated,
        }
    }
}

impl<'a> OrderBody<'a> {
    /// The order of the user with that display name, in the shop's currency.
    pub(super) fn new(order: &'a Order, user_name: Option<&'a str>, currency: &'a str) -> Self {
        Self {
            order_id: order.id.0,
            user_id: order.user_id.map(|id| id.0),
            user_name,
            status: order.status().into(),
            state: order.state.into(),
            payment: order.payment.into(),
            fulfilment: order.fulfilment.into(),
            allocate_at: order.allocate_at.into(),
            created_at: Rfc3339(order.placed_at_us),
            updated_at: order.updated_at_us.map(Rfc3339),
            expires_at: order.expires_at_us.map(Rfc3339),
            version: order.version,
            currency,
            items: order.items.iter().map(ItemBody::from).collect(),
            total_amount_cents: order.total_amount_cents,
            total_quantity: order.total_quantity,
        }
    }

    /// 200 with the order and its tag.
    pub(super) fn found(&self) -> Reply {
        Reply::ok(self).etag(tag(self.version, self.user_name))
    }

    /// 201 with the order, its tag and its place.
    pub(super) fn placed(&self) -> Reply {
        let location = format!("{}/orders/{}", crate::api::PREFIX, self.order_id);
        Reply::created(location, self).etag(tag(self.version, self.user_name))
    }
}

/// The tag of an order: it changes with the order, and with the name of its user.
pub(super) fn tag(version: i64, user_name: Option<&str>) -> String {
    etag::of_version_and_name(version, user_name)
}

/// How the document describes an answer that is one order.
#[derive(IntoResponses)]
#[response(status = 200, description = "The order as it is now",
    headers(("ETag" = String, description = "Version of the order, and a checksum of `user_name` if there is one: \
        `\"7.2166136261\"`")),
    example = json!(example("pending")))]
#[expect(dead_code, reason = "only described")]
pub(super) struct OrderFound(OrderBody<'static>);

/// How the document describes the answer to a placement.
#[derive(IntoResponses)]
#[response(status = 201, description = "The order is placed, and its stock taken if it allocates at creation",
    headers(
        ("ETag" = String, description = "Version of the order, and a checksum of `user_name` if there is one: \
        `\"7.2166136261\"`"),
        ("Location" = String, description = "Path of the order"),
    ),
    example = json!(example("pending")))]
#[expect(dead_code, reason = "only described")]
pub(super) struct OrderCreated(OrderBody<'static>);

/// An order for the pages of the documentation.
pub(super) fn example(status: &str) -> Value {
    let item = |id: i64, quantity: i64, price: i64, name: &str| {
        json!({
            "id": id, "product_id": id, "quantity": quantity, "price_cents_at_purchase": price,
            "product_name": name, "allocated": quantity,
        })
    };
    let paid = status == "paid";
    json!({
        "order_id": 1, "user_id": 1, "user_name": "John Doe", "status": status,
        "state": if paid { "confirmed" } else { "pending" }, "payment": if paid { "paid" } else { "unpaid" },
        "fulfilment": "unfulfilled", "allocate_at": "creation", "created_at": "2024-01-16T10:30:00Z",
        "updated_at": if paid { json!("2024-01-16T11:00:00Z") } else { Value::Null },
        "version": if paid { 2 } else { 1 }, "currency": "USD",
        "items": [item(1, 2, 249_999, "MacBook Pro 16\""), item(2, 1, 2_999, "USB-C Cable")],
        "total_amount_cents": 502_997, "total_quantity": 3,
    })
}
