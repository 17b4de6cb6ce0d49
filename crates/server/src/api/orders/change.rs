//! Moving an order along its life: by naming the status, or by a verb.

use axum::extract::State;
use axum::response::Response;
use domain::{Action, ChangeOrder, Customs, Goal, OrderId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::OrderPath;
use super::body::{OrderBody, OrderFound};
use crate::api::headers::{IdempotencyKey, IfMatchOfOrder};
use crate::app::App;
use crate::http::problem::{NotFound, PreconditionFailed, Problem, WriteProblems};
use crate::request::{Caller, Edit, NoBody, ORDERS, OperationBody, PathId, Someone, Staff, run};
use crate::wire::values::Status;

/// Where an order shall go.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeOrderBody {
    /// The status that the order shall have.
    status: Status,
}

impl OperationBody for ChangeOrderBody {}

async fn change<T>(
    app: &App,
    caller: &Caller,
    PathId(id): PathId,
    Edit { if_version, conditions, .. }: Edit<T>,
    goal: Goal,
) -> Result<Response, Problem> {
    let command = ChangeOrder { order_id: OrderId(id), goal, if_version, customs: Customs::default() };
    let currency = app.settings().currency.clone();
    run(app, caller, conditions, command, move |changed| {
        OrderBody::new(&changed.order, changed.user_name.as_deref(), &currency).found()
    })
    .await
}

/// Change the status of an order
///
/// Carries out the one step that leads to `status`. A status that cannot be reached in one step is refused with
/// 409 `INVALID_TRANSITION`, which names `status_now` and `requested`; the status that the order has already
/// changes nothing. A cancelled order gives back exactly the stock that it still holds. Staff may do all that;
/// customers may set their own orders to `cancelled` as long as they are neither paid nor shipped.
#[utoipa::path(patch, path = "/orders/{order_id}", tag = "orders", operation_id = "change_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    request_body(content = ChangeOrderBody, example = json!({"status": "paid"})),
    responses(
        (status = 200, description = "The order as it is now", body = OrderBody<'static>,
            headers(("ETag" = String, description = "Version of the order, and a checksum of `user_name` if there is one: \
        `\"7.2166136261\"`")),
            example = json!(super::body::example("paid"))),
        WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn change_order(
    State(app): State<App>,
    Someone(caller): Someone<ORDERS>,
    id: PathId,
    edit: Edit<ChangeOrderBody>,
) -> Result<Response, Problem> {
    let goal = Goal::Reach(edit.body.status.into());
    change(&app, &caller, id, edit, goal).await
}

/// Confirm an order
///
/// Accepts a pending order. Takes its stock if the order allocates at confirmation: all or nothing. An order that is
/// confirmed already, or further, stays as it is.
#[utoipa::path(post, path = "/orders/{order_id}/confirm", tag = "orders", operation_id = "confirm_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    responses(OrderFound, WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn confirm_order(
    State(app): State<App>,
    Staff(caller): Staff<ORDERS>,
    id: PathId,
    edit: Edit<NoBody>,
) -> Result<Response, Problem> {
    change(&app, &caller, id, edit, Goal::Act(Action::Confirm)).await
}

/// Record the payment of an order
///
/// A pending order is confirmed first. An order that is on its way or delivered can still be paid. One that is paid
/// already stays as it is.
#[utoipa::path(post, path = "/orders/{order_id}/pay", tag = "orders", operation_id = "pay_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    responses(OrderFound, WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn pay_order(
    State(app): State<App>,
    Staff(caller): Staff<ORDERS>,
    id: PathId,
    edit: Edit<NoBody>,
) -> Result<Response, Problem> {
    change(&app, &caller, id, edit, Goal::Act(Action::Pay)).await
}

/// Ship an order
///
/// The goods of a confirmed order, paid or not, leave the house and the stock.
#[utoipa::path(post, path = "/orders/{order_id}/ship", tag = "orders", operation_id = "ship_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    responses(OrderFound, WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn ship_order(
    State(app): State<App>,
    Staff(caller): Staff<ORDERS>,
    id: PathId,
    edit: Edit<NoBody>,
) -> Result<Response, Problem> {
    change(&app, &caller, id, edit, Goal::Act(Action::Ship)).await
}

/// Record the delivery of an order
///
/// The goods of a shipped order have arrived. If it is paid, too, it is complete.
#[utoipa::path(post, path = "/orders/{order_id}/deliver", tag = "orders", operation_id = "deliver_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    responses(OrderFound, WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn deliver_order(
    State(app): State<App>,
    Staff(caller): Staff<ORDERS>,
    id: PathId,
    edit: Edit<NoBody>,
) -> Result<Response, Problem> {
    change(&app, &caller, id, edit, Goal::Act(Action::Deliver)).await
}

/// Cancel an order
///
/// Gives back exactly the stock that the order still holds. Customers may cancel their own orders as long as they are
/// neither paid nor shipped, staff any order that has not been shipped. An order that is cancelled already stays as it
/// is.
#[utoipa::path(post, path = "/orders/{order_id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(OrderPath, IdempotencyKey, IfMatchOfOrder),
    responses(OrderFound, WriteProblems, NotFound, PreconditionFailed),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn cancel_order(
    State(app): State<App>,
    Someone(caller): Someone<ORDERS>,
    id: PathId,
    edit: Edit<NoBody>,
) -> Result<Response, Problem> {
    change(&app, &caller, id, edit, Goal::Act(Action::Cancel)).await
}
