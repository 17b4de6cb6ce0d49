//! The catalogue.

mod body;
mod query;

use axum::extract::State;
use axum::response::Response;
use domain::{
    CreateProduct, DeleteProduct, Deleted, ProductId, RestoreProduct, ToggleProduct, UpdateProduct,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::body::{ProductBody, ProductFound, etag, example, shown};
use self::body::{ProductChange, ProductListBody, ProductNew, example_archived, example_list};
use self::query::{LowStockFilter, ProductFilter, ProductOrder, product_query};
use super::headers::{IdempotencyKey, IfMatch, IfNoneMatch};
use super::page::Include;
use crate::app::views::ProductQuery;
use crate::app::{App, Asked, Audience, Slot, What};
use crate::http::problem::{
    BadRequest, NotFound, PreconditionFailed, Problem, ReadProblems, Unauthenticated, Unavailable,
    WriteProblems,
};
use crate::http::reply::{Ready, Reply};
use crate::request::{
    Again, CATALOGUE, Caller, Edit, NoBody, Paged, PathId, READ, Someone, Staff, Write, found, run,
};
use crate::wire::paging::PageParams;
use crate::wire::values::Id;

/// The code of a product that is not there.
pub(super) const NOT_FOUND: &str = "PRODUCT_NOT_FOUND";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(low_stock))
        .routes(routes!(read, update, delete))
        .routes(routes!(toggle_active))
        .routes(routes!(restore))
}

/// Lists the catalogue
///
/// Archived products are left out; staff may ask for them, and get them alone. A page costs the same in a large
/// catalogue as in a small one, except behind a large `offset`.
#[utoipa::path(get, path = "/products", tag = "products", operation_id = "list_products",
    security(("bearer" = []), ("password" = [])),
    params(ProductFilter, PageParams, IfNoneMatch),
    responses(
        (status = 200, description = "A page of products", body = ProductListBody,
            headers(("ETag" = String, description = "Changes with the page: `W/\"3f2a…\"`")),
            example = json!(example_list())),
        (status = 304, description = "The page is as `If-None-Match` knows it",
            headers(("ETag" = String, description = "The tag that is still current"))),
        ReadProblems))]
async fn list(
    State(app): State<App>,
    Someone(caller): Someone<READ>,
    paged: Paged<ProductFilter>,
    again: Again,
) -> Result<Response, Problem> {
    let filter = &paged.query;
    let archived = filter.archived.unwrap_or(false);
    if archived && !caller.actor.is_staff() {
        return Err(Problem::forbidden());
    }
    let order = filter.sort.unwrap_or(ProductOrder::BY_ID);
    let query = ProductQuery {
        text: filter.q.as_ref().map(|text| text.as_str().to_owned()),
        active: filter.active,
        low_stock: filter.low_stock,
        archived,
        ..product_query(order, paged.page(&order)?)
    };
    let place = (What::Products, audience(&caller));
    answer_list(&app, place, again, (&query, order, filter.include)).await
}

/// What people see of the catalogue: staff what is archived, too.
fn audience(caller: &Caller) -> Audience {
    if caller.actor.is_staff() { Audience::Staff } else { Audience::Public }
}

/// Lists what runs low
///
/// Products with `available <= low_stock_threshold`, active or not, the emptiest first unless sorted otherwise.
/// Archived ones are left out.
#[utoipa::path(get, path = "/products/low-stock", tag = "stock", operation_id = "list_low_stock",
    security(("bearer" = []), ("password" = [])),
    params(LowStockFilter, PageParams, IfNoneMatch),
    responses(
        (status = 200, description = "A page of products", body = ProductListBody,
            headers(("ETag" = String, description = "Changes with the page: `W/\"3f2a…\"`")),
            example = json!(example_list())),
        (status = 304, description = "The page is as `If-None-Match` knows it",
            headers(("ETag" = String, description = "The tag that is still current"))),
        ReadProblems))]
async fn low_stock(
    State(app): State<App>,
    _: Staff<READ>,
    paged: Paged<LowStockFilter>,
    again: Again,
) -> Result<Response, Problem> {
    let order = paged.query.sort.unwrap_or(ProductOrder::BY_AVAILABLE);
    let query = ProductQuery {
        active: paged.query.active,
        low_stock: Some(true),
        ..product_query(order, paged.page(&order)?)
    };
    let place = (What::LowStock, Audience::Staff);
    answer_list(&app, place, again, (&query, order, paged.query.include)).await
}

async fn answer_list(
    app: &App,
    (what, audience): (What, Audience),
    again: Again,
    (query, order, include): (&ProductQuery, ProductOrder, Option<Include>),
) -> Result<Response, Problem> {
    let read = async {
        let (listing, total) = match include {
            None => (app.reads().products(query).await?, None),
            Some(Include::Total) => {
                let found = app.reads().counted_products(query).await?;
                (found.listing, Some(found.total))
            }
        };
        let currency = &app.settings().currency;
        let body = ProductListBody::new(&listing, total, &query.page, order, currency);
        Ok((Ready::list(&body)?, [Slot::Products]))
    };
    let asked = Asked::page(what, audience, &query.page, &again.query);
    found(app, asked, &again, read).await
}

/// Shows a product
///
/// An archived product is shown to staff only.
#[utoipa::path(get, path = "/products/{product_id}", tag = "products", operation_id = "get_product",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IfNoneMatch),
    responses(
        ProductFound,
        (status = 304, description = "The product is as `If-None-Match` knows it",
            headers(("ETag" = String, description = "The version that is still current"))),
        BadRequest, Unauthenticated, NotFound, Unavailable))]
async fn read(
    State(app): State<App>,
    Someone(caller): Someone<READ>,
    PathId(id): PathId,
    again: Again,
) -> Result<Response, Problem> {
    let read = async {
        let found = app.reads().product(ProductId(id)).await?;
        let visible = found.filter(|view| caller.actor.is_staff() || view.product.archived_at_us.is_none());
        let view = visible.ok_or_else(|| not_found(id))?;
        let body = ProductBody::new(&view, &app.settings().currency);
        Ok((Ready::tagged(&body, etag(&view))?, [Slot::Product(view.product.id)]))
    };
    let asked = Asked::plain(What::Product(id), audience(&caller));
    found(&app, Some(asked), &again, read).await
}

/// The answer when no product has this number, or none that the caller may see.
pub(super) fn not_found(id: i64) -> Problem {
    Problem::not_found(NOT_FOUND, format_args!("Product {id}")).with("product_ids", vec![id])
}

/// Adds a product
///
/// Without a SKU it gets one made from its number. Stock it begins with goes into the ledger.
#[utoipa::path(post, path = "/products", tag = "products", operation_id = "create_product",
    security(("bearer" = []), ("password" = [])),
    params(IdempotencyKey),
    request_body(content = ProductNew, description = "The product", example = json!({
        "name": "MacBook Pro 16\"", "price_cents": 249_999, "sku": "MBP-16", "stock_quantity": 100,
        "low_stock_threshold": 5})),
    responses(
        (status = 201, description = "The product as it was added", body = ProductBody,
            headers(
                ("ETag" = String, description = "Versions of the product and of its stock: `\"7.3\"`"),
                ("Location" = String, description = "Where the product is")),
            example = json!(example())),
        WriteProblems))]
async fn create(
    State(app): State<App>,
    Staff(caller): Staff<CATALOGUE>,
    Write { body, conditions }: Write<ProductNew>,
) -> Result<Response, Problem> {
    let currency = app.settings().currency.clone();
    run(&app, &caller, conditions, CreateProduct::from(body), move |view| {
        let location = format!("{}/products/{}", super::PREFIX, view.product.id.0);
        Reply::created(location, &ProductBody::new(view, &currency)).etag(etag(view))
    })
    .await
}

/// Changes a product
///
/// What the body leaves out stays as it is. Orders that were placed keep their name and price. Stock is changed by
/// the operations on stock, and does not stand in the way of `If-Match`, which looks at the part of the `ETag` before
/// the dot.
#[utoipa::path(patch, path = "/products/{product_id}", tag = "products", operation_id = "update_product",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IfMatch, IdempotencyKey),
    request_body(content = ProductChange, description = "What is to change",
        example = json!({"name": "Updated Product Name", "price_cents": 2499})),
    responses(
        ProductFound, WriteProblems, NotFound, PreconditionFailed))]
async fn update(
    State(app): State<App>,
    Staff(caller): Staff<CATALOGUE>,
    PathId(id): PathId,
    Edit { body, if_version, conditions }: Edit<ProductChange>,
) -> Result<Response, Problem> {
    let command: UpdateProduct = body.command(ProductId(id), if_version);
    run(&app, &caller, conditions, command, shown(&app)).await
}

/// Takes a product out of the catalogue
///
/// A product that no order refers to is erased, and stock it still has is written off in the ledger. One that orders
/// refer to is archived: it keeps its SKU, takes no orders and no changes, and can be restored.
#[utoipa::path(delete, path = "/products/{product_id}", tag = "products", operation_id = "delete_product",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IfMatch, IdempotencyKey),
    responses(
        (status = 200, description = "The product is archived, because orders refer to it", body = ProductBody,
            headers(("ETag" = String, description = "Versions of the product and of its stock: `\"7.3\"`")),
            example = json!(example_archived())),
        (status = 204, description = "The product is erased"),
        WriteProblems, NotFound, PreconditionFailed))]
async fn delete(
    State(app): State<App>,
    Staff(caller): Staff<CATALOGUE>,
    PathId(id): PathId,
    Edit { body: NoBody {}, if_version, conditions }: Edit<NoBody>,
) -> Result<Response, Problem> {
    let command = DeleteProduct { product_id: ProductId(id), if_version };
    let shown = shown(&app);
    run(&app, &caller, conditions, command, move |deleted| match deleted {
        Deleted::Archived(view) | Deleted::AlreadyArchived(view) => shown(view),
        Deleted::Erased => Reply::no_content(),
    })
    .await
}

/// Turns a product active or inactive
///
/// Inactive products take no orders. Each call turns to the other side; to make sure of one side, `PATCH` with
/// `is_active`.
#[utoipa::path(post, path = "/products/{product_id}/toggle-active", tag = "products",
    operation_id = "toggle_product_active",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IfMatch, IdempotencyKey),
    responses(
        ProductFound, WriteProblems, NotFound, PreconditionFailed))]
async fn toggle_active(
    State(app): State<App>,
    Staff(caller): Staff<CATALOGUE>,
    PathId(id): PathId,
    Edit { body: NoBody {}, if_version, conditions }: Edit<NoBody>,
) -> Result<Response, Problem> {
    let command = ToggleProduct { product_id: ProductId(id), if_version };
    run(&app, &caller, conditions, command, shown(&app)).await
}

/// Brings an archived product back
///
/// A product that is not archived is shown as it is.
#[utoipa::path(post, path = "/products/{product_id}/restore", tag = "products", operation_id = "restore_product",
    security(("bearer" = []), ("password" = [])),
    params(("product_id" = Id, Path, description = "Number of the product"), IfMatch, IdempotencyKey),
    responses(
        ProductFound, WriteProblems, NotFound, PreconditionFailed))]
async fn restore(
    State(app): State<App>,
    Staff(caller): Staff<CATALOGUE>,
    PathId(id): PathId,
    Edit { body: NoBody {}, if_version, conditions }: Edit<NoBody>,
) -> Result<Response, Problem> {
    let command = RestoreProduct { product_id: ProductId(id), if_version };
    run(&app, &caller, conditions, command, shown(&app)).await
}
