//! The façade `inventory`: products and their stock.
//!
//! Quirks:
//! - There is no login. Without a token the anonymous principal acts, if it has been given a role; reading needs any
//!   role, changing anything needs staff.
//! - Products have no price here; new ones cost nothing until another contract says otherwise.
//! - `stock_quantity` is what can still be sold; setting it leaves alone what orders hold.
//! - A deleted product that orders refer to is archived: it is gone from here, and the orders stay whole.
//! - The list is the whole table, sent as it is read.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{
    AdjustStock, CreateProduct, DeleteProduct, Deleted, MAX_STOCK, ProductId, ProductWithStock, Rejection,
    StockChange, StockLine, UpdateProduct,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::fastapi::{Body, Contract, NoBody, PathInt, Principal, StaffPrincipal, refusal, run};
use super::openapi::{Detail, Invalid};
use super::values::{Checked, StockCount, Whole};
use super::{Described, flaws, stream};
use crate::app::{App, Failure};
use crate::http::problem::{Problem, Said};
use crate::http::reply::Reply;
use crate::request::{CATALOGUE, READ, STOCK};
use crate::wire::values::{Description, ProductName};

/// What is said of a product that is not there.
const UNKNOWN: &str = "Product ID Doesn't Exist!";

/// What is said to whoever takes more than there is.
const TOO_LITTLE: &str = "Insufficient Stock!";

/// The words of this contract.
struct Inventory;

impl Contract for Inventory {
    fn refuse(rejection: &Rejection) -> (StatusCode, Said) {
        use StatusCode as Is;
        let (status, detail) = match rejection {
            Rejection::ProductsNotFound(_) | Rejection::ProductArchived(_) => (Is::NOT_FOUND, UNKNOWN),
            Rejection::InsufficientStock(_) | Rejection::StockAllocated { .. } => {
                (Is::BAD_REQUEST, TOO_LITTLE)
            }
            Rejection::Forbidden(_) => (Is::FORBIDDEN, Self::FORBIDDEN),
            // The only number of these operations that the types do not bound.
            Rejection::OutOfRange { field: "quantity", min, max, .. } => {
                return (Is::UNPROCESSABLE_ENTITY, flaws::out_of_range("change", None, *min, *max));
            }
            Rejection::OutOfRange { field, min, max, .. } => {
                return (Is::UNPROCESSABLE_ENTITY, flaws::out_of_range(field, None, *min, *max));
            }
            // None of these can be asked for through this contract.
            Rejection::OrderNotFound(_)
            | Rejection::UserNotFound(_)
            | Rejection::UserInactive(_)
            | Rejection::NameTaken(_)
            | Rejection::SkuTaken(_)
            | Rejection::SkuReserved(_)
            | Rejection::UsernameTaken(_)
            | Rejection::EmailTaken(_)
            | Rejection::ProductsInactive(_)
            | Rejection::StockChanged { .. }
            | Rejection::InvalidTransition { .. }
            | Rejection::InvalidInitialStatus(_)
            | Rejection::VersionMismatch { .. }
            | Rejection::NoLines
            | Rejection::TooManyLines { .. }
            | Rejection::TotalOverflow
            | Rejection::TooManyOpenOrders { .. }
            | Rejection::TooManyUnitsHeld { .. }
            | Rejection::RegistrationClosed
            | Rejection::LastAdmin
            | Rejection::CredentialsChanged
            | Rejection::ApiKeyNotFound(_)
            | Rejection::CurrencyMismatch { .. } => (Is::CONFLICT, rejection.code()),
        };
        (status, detail.into())
    }
}

pub(super) fn described() -> Described {
    Described {
        title: "Inventory Management System API",
        about: "Products and their stock, as the Inventory Management System had them.",
        routes: vec![
            routes!(list_products, create_product),
            routes!(below_requirement),
            routes!(get_product, update_product, delete_product),
            routes!(increment),
            routes!(decrement),
        ],
        login: None,
    }
}

/// A product to be made.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "Paper, A4", "description": "500 sheets", "stock_quantity": 40,
    "low_stock_threshold": 10}))]
struct NewProduct {
    #[schema(value_type = ProductName)]
    name: Checked<ProductName>,
    #[schema(value_type = Option<Description>, default = "")]
    description: Option<Checked<Description>>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, default = 0, example = 40)]
    stock_quantity: Option<StockCount>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, default = 0, example = 10)]
    low_stock_threshold: Option<StockCount>,
}

/// Changes to a product; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "Paper, A4", "description": "500 sheets", "stock_quantity": 35,
    "low_stock_threshold": 10}))]
struct ProductChanges {
    #[schema(value_type = Option<ProductName>)]
    name: Option<Checked<ProductName>>,
    #[schema(value_type = Option<Description>)]
    description: Option<Checked<Description>>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, example = 35)]
    stock_quantity: Option<StockCount>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, example = 10)]
    low_stock_threshold: Option<StockCount>,
}

/// By how much the stock changes.
#[derive(Deserialize, ToSchema)]
struct StockChangeBody {
    /// Pieces.
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_i64, example = 5)]
    change: Whole,
}

/// A product.
#[derive(Serialize, ToSchema)]
struct Product {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Paper, A4")]
    name: String,
    #[schema(example = "500 sheets")]
    description: String,
    /// Pieces that can still be sold.
    #[schema(example = 40)]
    stock_quantity: i64,
    #[schema(example = 10)]
    low_stock_threshold: i64,
}

impl Product {
    fn of(view: &ProductWithStock) -> Self {
        Self {
            id: view.product.id.0,
            name: view.product.name.clone(),
            description: view.product.description.clone(),
            stock_quantity: view.level.available(),
            low_stock_threshold: view.product.low_stock_threshold,
        }
    }
}

fn unknown() -> Problem {
    refusal(StatusCode::NOT_FOUND, "PRODUCT_NOT_FOUND", UNKNOWN)
}

/// List all products
#[utoipa::path(get, path = "/products", tag = "products", operation_id = "list_products",
    responses((status = 200, description = "All products", body = Vec<Product>), Detail<401>))]
async fn list_products(State(app): State<App>, _: Principal<Inventory, READ>) -> Result<Response, Problem> {
    stream::products(&app, None, None, Product::of).await
}

/// List products that run low
///
/// Those with `stock_quantity <= low_stock_threshold`.
#[utoipa::path(get, path = "/products/below_requirement", tag = "products", operation_id = "below_requirement",
    responses((status = 200, description = "Products that run low", body = Vec<Product>), Detail<401>))]
async fn below_requirement(
    State(app): State<App>,
    _: Principal<Inventory, READ>,
) -> Result<Response, Problem> {
    stream::products(&app, Some(true), None, Product::of).await
}

/// Create a product
#[utoipa::path(post, path = "/products", tag = "products", operation_id = "create_product", request_body = NewProduct,
    responses((status = 200, description = "The product", body = Product), Detail<401>, Detail<403>, Invalid))]
async fn create_product(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Inventory, CATALOGUE>,
    body: Body<NewProduct>,
) -> Result<Response, Problem> {
    let (product, key) = body.parts();
    let command = CreateProduct {
        name: product.name.0.into_string(),
        description: product.description.map(|text| text.0.into_string()).unwrap_or_default(),
        low_stock_threshold: product.low_stock_threshold.map_or(0, |count| count.0),
        opening_stock: product.stock_quantity.map_or(0, |count| count.0),
        ..CreateProduct::plain()
    };
    run::<Inventory, _>(&app, &caller, key, command, |made| Ok(Reply::ok(&Product::of(made)))).await
}

/// Get a product
#[utoipa::path(get, path = "/products/{product_id}", tag = "products", operation_id = "get_product",
    params(("product_id" = i64, Path, example = 1)),
    responses((status = 200, description = "The product", body = Product), Detail<401>, Detail<404>, Invalid))]
async fn get_product(
    State(app): State<App>,
    _: Principal<Inventory, READ>,
    PathInt(id): PathInt,
) -> Result<Reply, Problem> {
    let found = app.reads().product(ProductId(id)).await.map_err(Failure::from)?;
    let listed = found.filter(|view| view.product.archived_at_us.is_none());
    listed.map(|view| Reply::ok(&Product::of(&view))).ok_or_else(unknown)
}

/// Change a product
///
/// Any of its fields, the stock included, at once.
#[utoipa::path(patch, path = "/products/{product_id}", tag = "products", operation_id = "update_product",
    params(("product_id" = i64, Path, example = 1)), request_body = ProductChanges,
    responses((status = 200, description = "The product", body = Product), Detail<401>, Detail<403>, Detail<404>,
        Invalid))]
async fn update_product(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Inventory, { CATALOGUE | STOCK }>,
    PathInt(id): PathInt,
    body: Body<ProductChanges>,
) -> Result<Response, Problem> {
    let (changes, key) = body.parts();
    let command = UpdateProduct {
        name: changes.name.map(|name| name.0.into_string()),
        description: changes.description.map(|text| text.0.into_string()),
        low_stock_threshold: changes.low_stock_threshold.map(|count| count.0),
        available: changes.stock_quantity.map(|count| count.0),
        ..UpdateProduct::nothing(ProductId(id))
    };
    run::<Inventory, _>(&app, &caller, key, command, |product| Ok(Reply::ok(&Product::of(product)))).await
}

/// Delete a product
///
/// One that orders refer to is archived instead, and gone from here all the same.
#[utoipa::path(delete, path = "/products/{product_id}", tag = "products", operation_id = "delete_product",
    params(("product_id" = i64, Path, example = 1)),
    responses((status = 204, description = "It is gone"), Detail<401>, Detail<403>, Detail<404>, Invalid))]
async fn delete_product(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Inventory, CATALOGUE>,
    PathInt(id): PathInt,
    key: NoBody,
) -> Result<Response, Problem> {
    let command = DeleteProduct { product_id: ProductId(id), if_version: None };
    run::<Inventory, _>(&app, &caller, key, command, |deleted| match deleted {
        Deleted::Erased | Deleted::Archived(_) => Ok(Reply::no_content()),
        Deleted::AlreadyArchived(_) => Err(unknown()),
    })
    .await
}

/// Add stock
#[utoipa::path(patch, path = "/products/increment/{product_id}", tag = "stock", operation_id = "increment",
    params(("product_id" = i64, Path, example = 1)), request_body = StockChangeBody,
    responses((status = 200, description = "The product", body = Product), Detail<400>, Detail<401>, Detail<403>,
        Detail<404>, Invalid))]
async fn increment(
    State(app): State<App>,
    caller: StaffPrincipal<Inventory, STOCK>,
    id: PathInt,
    body: Body<StockChangeBody>,
) -> Result<Response, Problem> {
    adjust(&app, caller, id, body, StockChange::Increment).await
}

/// Remove stock
#[utoipa::path(patch, path = "/products/decrement/{product_id}", tag = "stock", operation_id = "decrement",
    params(("product_id" = i64, Path, example = 1)), request_body = StockChangeBody,
    responses((status = 200, description = "The product", body = Product), Detail<400>, Detail<401>, Detail<403>,
        Detail<404>, Invalid))]
async fn decrement(
    State(app): State<App>,
    caller: StaffPrincipal<Inventory, STOCK>,
    id: PathInt,
    body: Body<StockChangeBody>,
) -> Result<Response, Problem> {
    adjust(&app, caller, id, body, StockChange::Decrement).await
}

async fn adjust(
    app: &App,
    StaffPrincipal(caller, _): StaffPrincipal<Inventory, STOCK>,
    PathInt(id): PathInt,
    body: Body<StockChangeBody>,
    change: fn(i64) -> StockChange,
) -> Result<Response, Problem> {
    let (StockChangeBody { change: pieces }, key) = body.parts();
    if pieces.0 <= 0 {
        return Err(refusal(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "Enter Valid (Positive) Values!"));
    }
    if pieces.0 > MAX_STOCK && matches!(change(1), StockChange::Decrement(_)) {
        return Err(refusal(StatusCode::BAD_REQUEST, "INSUFFICIENT_STOCK", TOO_LITTLE));
    }
    let line = StockLine { product_id: ProductId(id), change: change(pieces.0), reason: None, note: None };
    run::<Inventory, _>(app, &caller, key, AdjustStock { lines: vec![line] }, |products| {
        products.first().map(|product| Reply::ok(&Product::of(product))).ok_or_else(unknown)
    })
    .await
}
