//! The canonical API, `/api/v1`: the product itself. It speaks to the shop through [`crate::app`] alone.

mod api_keys;
mod audit;
mod auth;
mod events;
mod headers;
mod orders;
mod page;
mod products;
mod stock;
mod users;

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Where the API is mounted.
pub(crate) const PREFIX: &str = "/api/v1";

/// The routes below [`PREFIX`], with the document that describes them.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(products::routes())
        .merge(stock::routes())
        .merge(orders::routes())
        .merge(users::routes())
        .merge(api_keys::routes())
        .merge(events::routes())
        .merge(audit::routes())
}

/// Names each tag of the document once, in the order of the pages.
pub(crate) fn describe(document: &mut OpenApi) {
    use utoipa::openapi::tag::TagBuilder;
    let tags = [
        ("auth", "Accounts, tokens and passwords of the caller."),
        ("products", "The catalogue."),
        ("stock", "Stock levels, their ledger, and what runs low."),
        ("orders", "Orders from placement to delivery."),
        ("users", "Accounts, for administrators."),
        ("api-keys", "Keys of machines, for administrators."),
        ("events", "What happened, in commit order."),
        ("audit", "What staff, administrators and machines changed."),
        ("operations", "Health, for whoever runs the server."),
    ];
    let tags = tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    document.tags = Some(tags.into_iter().collect());
}
