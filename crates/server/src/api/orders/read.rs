//! One order, and what happened to it.

use axum::extract::State;
use axum::response::Response;
use domain::{OrderId, Rejection};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{OrderBody, OrderFound, tag};
use super::{OrderPath, audience};
use crate::api::headers::IfNoneMatch;
use crate::app::views::{EventView, OrderView};
use crate::app::{App, Asked, Slot, What};
use crate::http::problem::{BadRequest, NotFound, Problem, Unauthenticated, Unavailable};
use crate::http::reply::{Ready, Reply};
use crate::request::{Again, Caller, PathId, Query, READ, Someone, found};
use crate::wire::query::Nothing;
use crate::wire::time::Rfc3339;

/// The order, if the caller may see it. Somebody else's order is as absent as one that was never placed.
async fn visible(app: &App, caller: &Caller, PathId(id): PathId) -> Result<OrderView, Problem> {
    let view = app.reads().order(OrderId(id)).await?;
    view.filter(|view| caller.actor.is_staff() || view.order.user_id == caller.actor.user_id)
        .ok_or_else(|| Problem::from(&Rejection::OrderNotFound(OrderId(id))))
}

/// Get one order
///
/// Customers see their own orders, staff all of them.
#[utoipa::path(get, path = "/orders/{order_id}", tag = "orders", operation_id = "get_order",
    params(OrderPath, IfNoneMatch),
    responses(OrderFound, (status = 304, description = "The order is as `If-None-Match` knows it",
            headers(("ETag" = String, description = "The version that is still current"))),
        BadRequest, Unauthenticated, NotFound, Unavailable),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn get_order(
    State(app): State<App>,
    Someone(caller): Someone<READ>,
    id: PathId,
    Query(Nothing {}): Query<Nothing>,
    again: Again,
) -> Result<Response, Problem> {
    let asked = Asked::plain(What::Order(id.0), audience(&caller));
    let read = async {
        let view = visible(&app, &caller, id).await?;
        let (order, user_name) = (&view.order, view.user_name.as_deref());
        let body = OrderBody::new(order, user_name, &app.settings().currency);
        let ready = Ready::tagged(&body, tag(order.version, user_name))?;
        let this = Slot::Order(order.id);
        Ok((ready, [this, order.user_id.map_or(this, Slot::Name)]))
    };
    found(&app, Some(asked), &again, read).await
}

/// What happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TimelineBody {
    /// The steps, earliest first.
    events: Vec<StepBody>,
}

/// One step in the life of an order.
#[derive(Debug, Serialize, ToSchema)]
struct StepBody {
    /// Number of the event.
    #[schema(example = 7)]
    id: i64,
    /// What happened: `order_placed`, `order_confirmed`, `order_paid`, `order_shipped`, `order_delivered`,
    /// `order_cancelled`, with the `reason` `expired` when its time was up; and `order_wait_limited` when an order that
    /// was placed without `expires_at` got one.
    #[schema(example = "order_placed")]
    kind: String,
    /// When.
    at: Rfc3339,
    /// Who did it; null for callers without an account. Customers learn this of their own steps only.
    #[schema(required, example = 1)]
    actor_id: Option<i64>,
    /// Full name of who did it, or else their username; null when `actor_id` is.
    #[schema(required, example = "John Doe")]
    actor_name: Option<String>,
    /// The request in which it happened, as in its `X-Request-Id`; null for customers.
    #[schema(required, example = "0kq3v8x2m5t9a")]
    request_id: Option<String>,
    /// What else there is to know.
    #[schema(value_type = Object, example = json!({"total_amount_cents": 502_997, "total_quantity": 3}))]
    data: Value,
}

impl StepBody {
    /// The step as this caller may see it: customers do not learn which of the staff did what.
    fn of(event: EventView, caller: &Caller) -> Result<Self, Problem> {
        let staff = caller.actor.is_staff();
        let known = staff || event.actor_id == caller.actor.user_id;
        Ok(Self {
            id: event.id,
            data: serde_json::from_str(&event.payload).map_err(Problem::internal)?,
            kind: event.kind,
            at: Rfc3339(event.at_us),
            actor_id: event.actor_id.filter(|_| known).map(|id| id.0),
            actor_name: event.actor_name.filter(|_| known),
            request_id: Some(event.request_id).filter(|_| staff),
        })
    }
}

/// Get what happened to an order
///
/// Every step of its life, earliest first. Customers see this of their own orders, without names of staff.
#[utoipa::path(get, path = "/orders/{order_id}/timeline", tag = "orders", operation_id = "get_order_timeline",
    params(OrderPath),
    responses(
        (status = 200, description = "The steps, earliest first", body = TimelineBody, example = json!({"events": [
            {"id": 7, "kind": "order_placed", "at": "2024-01-16T10:30:00Z", "actor_id": 1, "actor_name": "John Doe",
                "request_id": null, "data": {"total_amount_cents": 502_997, "total_quantity": 3}},
            {"id": 9, "kind": "order_paid", "at": "2024-01-16T11:00:00Z", "actor_id": null, "actor_name": null,
                "request_id": null, "data": {}},
        ]})),
        BadRequest, Unauthenticated, NotFound, Unavailable),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn get_timeline(
    State(app): State<App>,
    Someone(caller): Someone<READ>,
    id: PathId,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Reply, Problem> {
    let order_id = visible(&app, &caller, id).await?.order.id;
    let events = app.reads().timeline(order_id).await?.into_iter();
    let events = events.map(|event| StepBody::of(event, &caller)).collect::<Result<_, _>>()?;
    Ok(Reply::ok(&TimelineBody { events }))
}
