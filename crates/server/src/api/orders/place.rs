//! Placing an order.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{MAX_ORDER_LINES, OrderLine, PlaceOrder, PlacingCustoms, ProductId, Rejection, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::body::{OrderBody, OrderCreated};
use crate::api::headers::IdempotencyKey;
use crate::app::App;
use crate::http::problem::{NotFound, Problem, WriteProblems};
use crate::request::{Caller, ORDERS, OperationBody, Someone, Write, run};
use crate::settings::Settings;
use crate::wire::values::{AllocateAt, Id, Quantity, Status};

/// An order to be placed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceOrderBody {
    /// For whom; the caller when left out. Customers place orders for themselves only.
    user_id: Option<Id>,
    #[schema(schema_with = initial_status)]
    status: Option<Status>,
    /// When the order takes its stock; as the shop is configured when left out. Staff may choose.
    allocate_at: Option<AllocateAt>,
    /// What is ordered. Lines of one product count as one.
    #[schema(min_items = 1, max_items = 200)]
    items: Vec<OrderLineBody>,
}

/// The words of [`Status`] that an order can start with.
fn initial_status() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(
            "Where the order starts; `pending` when left out or null. Only staff may choose \
             `confirmed` or `paid`.",
        ))
        .enum_values(Some([json!("pending"), json!("confirmed"), json!("paid"), Value::Null]))
        .build()
}

/// One line of an order to be placed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderLineBody {
    /// The product.
    product_id: Id,
    /// Pieces.
    quantity: Quantity,
}

impl OperationBody for PlaceOrderBody {}

impl PlaceOrderBody {
    /// The command, as far as this caller may give it.
    fn command(&self, caller: &Caller, settings: &Settings) -> Result<PlaceOrder, Problem> {
        // Before the queue: the committer would load each product that is named.
        if self.items.len() > MAX_ORDER_LINES {
            return Err(Problem::from(&Rejection::TooManyLines { limit: MAX_ORDER_LINES }));
        }
        let usual = settings.allocate_at;
        let allocate_at = self.allocate_at.map_or(usual, Into::into);
        if allocate_at != usual && !caller.actor.is_staff() {
            let detail = "Only staff choose when an order takes its stock.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail.into()));
        }
        let line = |line: &OrderLineBody| OrderLine {
            product_id: ProductId(line.product_id.get()),
            quantity: line.quantity.get(),
        };
        Ok(PlaceOrder {
            user_id: self.user_id.map(|id| UserId(id.get())),
            lines: self.items.iter().map(line).collect(),
            allocate_at,
            status: self.status.map_or(domain::Status::Pending, Into::into),
            customs: PlacingCustoms::default(),
            terms: settings.placing_terms(),
        })
    }
}

/// Place an order
///
/// All or nothing: unless there is enough of every product, nothing is taken of any, and the answer is 409
/// `INSUFFICIENT_STOCK` with `products`, which names `product_id`, `requested` and `available` of each that falls
/// short. Names, prices and totals are frozen. Customers place orders for themselves, staff for anybody.
///
/// Where the shop sets a time for it, an order that nobody confirms or pays before `expires_at` is cancelled and gives
/// back what it holds. A customer who has as many open orders as the shop allows (neither paid, shipped nor cancelled) is
/// answered 409 `TOO_MANY_OPEN_ORDERS` with `limit` and `open`; if their open orders would ask for too many pieces, 409
/// `TOO_MANY_UNITS_HELD` with `limit`, `held` and `requested`.
#[utoipa::path(post, path = "/orders", tag = "orders", operation_id = "place_order",
    params(IdempotencyKey),
    request_body(content = PlaceOrderBody, example = json!({
        "user_id": 1, "status": "pending",
        "items": [{"product_id": 1, "quantity": 2}, {"product_id": 2, "quantity": 1}],
    })),
    responses(OrderCreated, WriteProblems, NotFound),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn place_order(
    State(app): State<App>,
    Someone(caller): Someone<ORDERS>,
    write: Write<PlaceOrderBody>,
) -> Result<Response, Problem> {
    let settings = app.settings();
    let command = write.body.command(&caller, settings)?;
    let currency = settings.currency.clone();
    run(&app, &caller, write.conditions, command, move |placed| {
        OrderBody::new(&placed.order, placed.user_name.as_deref(), &currency).placed()
    })
    .await
}
