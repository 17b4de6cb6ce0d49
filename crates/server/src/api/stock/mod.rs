//! Stock levels and their ledger.

mod body;
mod movement;

use axum::extract::State;
use axum::response::Response;
use domain::{AdjustStock, ProductId, StockChange, StockLine};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{AdjustedBody, Adjustment, StockCounted, StockMove, example_adjusted};
use self::movement::{BY_LATEST, MovementListBody, example_movements};
use super::headers::IdempotencyKey;
use super::products::{ProductFound, not_found, shown};
use crate::app::App;
use crate::app::views::{Page, ProductView, Start};
use crate::http::problem::{NotFound, Problem, ReadProblems, WriteProblems};
use crate::http::reply::Reply;
use crate::request::{Caller, Conditions, Paged, PathId, READ, STOCK, Staff, Write, run};
use crate::wire::paging::PageParams;
use crate::wire::query::Nothing;
use crate::wire::values::Id;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(increment))
        .routes(routes!(decrement))
        .routes(routes!(set))
        .routes(routes!(movements))
        .routes(routes!(adjust))
}

/// Takes goods in
#[utoipa::path(post, path = "/products/{product_id}/stock/increment", tag = "stock",
    operation_id = "increment_stock",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IdempotencyKey),
    request_body(content = StockMove, description = "How many pieces came in, and why",
        example = json!({"quantity": 20, "reason": "delivery"})),
    responses(
        ProductFound, WriteProblems, NotFound))]
async fn increment(
    State(app): State<App>,
    Staff(caller): Staff<STOCK>,
    PathId(id): PathId,
    Write { body, conditions }: Write<StockMove>,
) -> Result<Response, Problem> {
    adjust_one(&app, &caller, conditions, body.line(ProductId(id), StockChange::Increment)).await
}

/// Takes goods out
///
/// No more than what is available: pieces that open orders hold stay. 409 `INSUFFICIENT_STOCK` otherwise.
#[utoipa::path(post, path = "/products/{product_id}/stock/decrement", tag = "stock",
    operation_id = "decrement_stock",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IdempotencyKey),
    request_body(content = StockMove, description = "How many pieces go out, and why",
        example = json!({"quantity": 2, "reason": "damaged", "note": "Two pieces were damaged."})),
    responses(
        ProductFound, WriteProblems, NotFound))]
async fn decrement(
    State(app): State<App>,
    Staff(caller): Staff<STOCK>,
    PathId(id): PathId,
    Write { body, conditions }: Write<StockMove>,
) -> Result<Response, Problem> {
    adjust_one(&app, &caller, conditions, body.line(ProductId(id), StockChange::Decrement)).await
}

/// Sets what was counted
///
/// With `expected` the level is set only if that many pieces were on hand, else 409 `STOCK_CHANGED`. It is never set
/// below what open orders hold: 409 `STOCK_ALLOCATED`.
#[utoipa::path(post, path = "/products/{product_id}/stock/set", tag = "stock", operation_id = "set_stock",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IdempotencyKey),
    request_body(content = StockCounted, description = "How many pieces are on hand, and why",
        example = json!({"on_hand": 97, "expected": 100, "reason": "stocktake"})),
    responses(
        ProductFound, WriteProblems, NotFound))]
async fn set(
    State(app): State<App>,
    Staff(caller): Staff<STOCK>,
    PathId(id): PathId,
    Write { body, conditions }: Write<StockCounted>,
) -> Result<Response, Problem> {
    adjust_one(&app, &caller, conditions, body.line(ProductId(id))).await
}

async fn adjust_one(
    app: &App,
    caller: &Caller,
    conditions: Conditions,
    line: StockLine,
) -> Result<Response, Problem> {
    let shown = shown(app);
    run(app, caller, conditions, AdjustStock { lines: vec![line] }, move |views: &Vec<ProductView>| {
        match views.first() {
            Some(view) => shown(view),
            // One line is about one product, so this is a bug; say so rather than lie.
            None => Reply::of_problem(&Problem::internal("an adjustment came back without its product"), ""),
        }
    })
    .await
}

/// Adjusts many products at once
///
/// All lines or none, in the order given; a product may stand in several. The refusal of a decrement names every
/// product of which there is too little.
#[utoipa::path(post, path = "/stock/adjustments", tag = "stock", operation_id = "adjust_stock",
    security(("bearer" = []), ("password" = [])),
    params(IdempotencyKey),
    request_body(content = Adjustment, description = "The changes", example = json!({"lines": [
        {"change": "increment", "product_id": 1, "quantity": 20, "reason": "delivery"},
        {"change": "set", "product_id": 2, "on_hand": 97, "expected": 100, "reason": "stocktake"}]})),
    responses(
        (status = 200, description = "Each product as it is now, in the order of its first line",
            body = AdjustedBody, example = json!(example_adjusted())),
        WriteProblems, NotFound))]
async fn adjust(
    State(app): State<App>,
    Staff(caller): Staff<STOCK>,
    Write { body, conditions }: Write<Adjustment>,
) -> Result<Response, Problem> {
    let currency = app.settings().currency.clone();
    run(&app, &caller, conditions, AdjustStock::from(body), move |views: &Vec<ProductView>| {
        Reply::ok(&AdjustedBody::new(views, &currency))
    })
    .await
}

/// Shows the ledger of a product
///
/// Every change of its stock, latest first. The ledger stays when the product is erased.
#[utoipa::path(get, path = "/products/{product_id}/stock/movements", tag = "stock",
    operation_id = "list_stock_movements",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), PageParams),
    responses(
        (status = 200, description = "A page of the ledger", body = MovementListBody,
            example = json!(example_movements())),
        ReadProblems, NotFound))]
async fn movements(
    State(app): State<App>,
    _: Staff<READ>,
    PathId(id): PathId,
    paged: Paged<Nothing>,
) -> Result<Reply, Problem> {
    let page = paged.page(&BY_LATEST)?;
    let product_id = ProductId(id);
    let listing = app.reads().movements(product_id, &page).await?;
    if listing.rows.is_empty() && !is_known(&app, product_id).await? {
        return Err(not_found(id));
    }
    Ok(Reply::ok(&MovementListBody::new(&listing, &page)))
}

/// Whether there is such a product, or was: the ledger outlives it.
async fn is_known(app: &App, id: ProductId) -> Result<bool, Problem> {
    if app.reads().product(id).await?.is_some() {
        return Ok(true);
    }
    let latest = Page { limit: 1, start: Start::Offset(0) };
    Ok(!app.reads().movements(id, &latest).await?.rows.is_empty())
}
