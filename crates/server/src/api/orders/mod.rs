//! Orders from placement to delivery.

mod body;
mod change;
mod list;
mod place;
mod read;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::wire::values::Id;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_orders, place::place_order))
        .routes(routes!(read::get_order, change::change_order))
        .routes(routes!(change::confirm_order))
        .routes(routes!(change::pay_order))
        .routes(routes!(change::ship_order))
        .routes(routes!(change::deliver_order))
        .routes(routes!(change::cancel_order))
        .routes(routes!(read::get_timeline))
}

/// The order in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what PathId reads")]
struct OrderPath {
    /// Number of the order.
    #[param(inline, example = 1)]
    order_id: Id,
}

/// What makes a request repeatable.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Write reads")]
struct RepeatHeader {
    /// A name that the client gives to this request. Repeating the request under the same name within 24 hours
    /// gives the first answer again, marked `Idempotency-Replayed: true`, and changes nothing further.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "6f1c2a52-9c1e-4b0a-8f0e-3d1f6f0c7b11"
    )]
    idempotency_key: String,
}

/// What keeps an order from being changed by somebody who has not seen its latest state.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Write reads")]
struct MatchHeader {
    /// The `ETag` of the order as it was read. If the order has changed since, the answer is 412, unless what is
    /// asked for stands already.
    #[param(rename = "If-Match", required = false, example = "\"1\"")]
    if_match: String,
}
