//! Orders from placement to delivery.

mod body;
mod change;
mod list;
mod place;
mod read;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Audience};
use crate::request::Caller;
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

/// What people see of the orders: staff all of them, others their own.
fn audience(caller: &Caller) -> Audience {
    if caller.actor.is_staff() {
        Audience::Staff
    } else {
        Audience::Owner(caller.actor.user_id.map(|id| id.0))
    }
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
