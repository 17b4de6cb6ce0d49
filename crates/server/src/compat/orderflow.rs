//! The façade `orderflow`: stocks and one-line orders.
//!
//! Quirks:
//! - There is no login. Without a token the anonymous principal acts, if it has been given a role; reading and ordering
//!   need any role, changing stocks needs staff.
//! - A stock is a product that is deactivated in the very transaction in which it runs out, and that is not activated by
//!   restocking. Its `stock_quantity` is what can still be sold.
//! - An order of several lines, made through another contract, is listed once per line under one `order_id`; asked for
//!   by its id it shows its first line.
//! - Both lists are whole tables, sent as they are read.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{
    AllocateAt, CreateProduct, Order, OrderId, OrderItem, OrderLine, PlaceOrder, PlacingCustoms, ProductId,
    ProductWithStock, Rejection, Status, ToggleProduct, UpdateProduct,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::described::LowerStatus;
use super::fastapi::{Body, Contract, NoBody, PathInt, Principal, StaffPrincipal, refusal, run};
use super::openapi::{Detail, Invalid};
use super::values::{Checked, Price, Quantity, Shown, StockCount, Whole};
use super::{Described, TOO_MANY_ORDERS, TOO_MANY_UNITS, flaws, stream};
use crate::app::views::Scope;
use crate::app::{App, Failure};
use crate::http::problem::{Problem, Said};
use crate::http::reply::Reply;
use crate::request::Caller;
use crate::request::{CATALOGUE, ORDERS, READ, STOCK};
use crate::wire::time::Rfc3339;
use crate::wire::values::ProductName;

/// The words of this contract.
struct Orderflow;

impl Contract for Orderflow {
    fn refuse(rejection: &Rejection) -> (StatusCode, Said) {
        use StatusCode as Is;
        let (status, detail) = match rejection {
            Rejection::ProductsNotFound(_) | Rejection::ProductArchived(_) => {
                (Is::NOT_FOUND, "Stock not found")
            }
            Rejection::OrderNotFound(_) => (Is::NOT_FOUND, "Order not found"),
            Rejection::ProductsInactive(_) => (Is::BAD_REQUEST, "Stock is inactive"),
            Rejection::InsufficientStock(_) | Rejection::StockAllocated { .. } => {
                (Is::BAD_REQUEST, "Insufficient stock")
            }
            Rejection::Forbidden(_) => (Is::FORBIDDEN, Self::FORBIDDEN),
            Rejection::TooManyOpenOrders { .. } => (Is::BAD_REQUEST, TOO_MANY_ORDERS),
            Rejection::TooManyUnitsHeld { .. } => (Is::BAD_REQUEST, TOO_MANY_UNITS),
            Rejection::TotalOverflow => (Is::BAD_REQUEST, "Order is too large"),
            Rejection::OutOfRange { field, min, max, .. } => {
                return (Is::UNPROCESSABLE_ENTITY, flaws::out_of_range(field, None, *min, *max));
            }
            Rejection::UserNotFound(_) | Rejection::UserInactive(_) => {
                (Is::BAD_REQUEST, "User is not active")
            }
            // None of these can be asked for through this contract.
            Rejection::NameTaken(_)
            | Rejection::SkuTaken(_)
            | Rejection::SkuReserved(_)
            | Rejection::UsernameTaken(_)
            | Rejection::EmailTaken(_)
            | Rejection::StockChanged { .. }
            | Rejection::InvalidTransition { .. }
            | Rejection::InvalidInitialStatus(_)
            | Rejection::VersionMismatch { .. }
            | Rejection::NoLines
            | Rejection::TooManyLines { .. }
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
        title: "OrderFlow API",
        about: "Stocks and one-line orders, as the service OrderFlow had them.",
        routes: vec![
            routes!(list_stocks, create_stock),
            routes!(get_stock, update_stock),
            routes!(toggle_active),
            routes!(list_orders, create_order),
            routes!(get_order),
        ],
        login: None,
    }
}

/// A stock to be made.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"stock_name": "Laptop", "stock_price": 499.9, "stock_quantity": 10, "is_active": true}))]
struct NewStock {
    #[schema(value_type = ProductName)]
    stock_name: Checked<ProductName>,
    #[schema(value_type = f64, minimum = 0, maximum = 10_000_000_000_i64, example = 499.9)]
    stock_price: Price,
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64, example = 10)]
    stock_quantity: StockCount,
    #[schema(value_type = Option<bool>, default = true)]
    is_active: Option<bool>,
}

/// Changes to a stock; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"stock_name": "Laptop", "stock_price": 450, "stock_quantity": 25, "is_active": true}))]
struct StockChanges {
    #[schema(value_type = Option<ProductName>)]
    stock_name: Option<Checked<ProductName>>,
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 10_000_000_000_i64, example = 450)]
    stock_price: Option<Price>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, example = 25)]
    stock_quantity: Option<StockCount>,
    #[schema(value_type = Option<bool>, example = true)]
    is_active: Option<bool>,
}

/// A stock.
#[derive(Serialize, ToSchema)]
struct Stock {
    #[schema(example = 1)]
    stock_id: i64,
    #[schema(example = "Laptop")]
    stock_name: String,
    #[schema(value_type = f64, example = 499.9)]
    stock_price: Shown,
    /// Pieces that can still be sold.
    #[schema(example = 10)]
    stock_quantity: i64,
    is_active: bool,
}

impl Stock {
    fn of(view: &ProductWithStock, digits: u32) -> Self {
        Self {
            stock_id: view.product.id.0,
            stock_name: view.product.name.clone(),
            stock_price: Shown { minor: view.product.price_cents, digits },
            stock_quantity: view.level.available(),
            is_active: view.product.is_active,
        }
    }
}

/// An order to be placed.
#[derive(Deserialize, ToSchema)]
struct NewOrder {
    #[schema(value_type = i64, example = 1)]
    stock_id: Whole,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000, example = 5)]
    quantity: Quantity,
}

/// An order, or one of its lines.
#[derive(Serialize, ToSchema)]
struct OrderLineBody {
    #[schema(example = 1)]
    order_id: i64,
    #[schema(example = 1)]
    stock_id: i64,
    #[schema(example = 5)]
    quantity: i64,
    #[schema(value_type = LowerStatus, example = "pending")]
    status: &'static str,
    created_at: Rfc3339,
}

impl OrderLineBody {
    fn of(order: &Order, item: &OrderItem) -> Self {
        Self {
            order_id: order.id.0,
            stock_id: item.product_id.0,
            quantity: item.quantity,
            status: order.status().word(),
            created_at: Rfc3339(order.placed_at_us),
        }
    }

    /// What an order shows that is asked for alone.
    fn first(order: &Order) -> Option<Self> {
        order.items.first().map(|item| Self::of(order, item))
    }
}

fn scope(caller: &Caller) -> Scope {
    if caller.actor.is_staff() { Scope::All } else { Scope::Of(caller.actor.user_id) }
}

/// List all stocks
#[utoipa::path(get, path = "/stocks", tag = "stocks", operation_id = "list_stocks",
    responses((status = 200, description = "All stocks", body = Vec<Stock>), Detail<401>))]
async fn list_stocks(State(app): State<App>, _: Principal<Orderflow, READ>) -> Result<Response, Problem> {
    let digits = app.settings().currency_digits();
    stream::products(&app, None, None, move |view| Stock::of(view, digits)).await
}

/// Create a stock
#[utoipa::path(post, path = "/stocks", tag = "stocks", operation_id = "create_stock", request_body = NewStock,
    responses((status = 201, description = "The stock", body = Stock), Detail<401>, Detail<403>, Invalid))]
async fn create_stock(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Orderflow, CATALOGUE>,
    body: Body<NewStock>,
) -> Result<Response, Problem> {
    let (stock, key) = body.parts();
    let digits = app.settings().currency_digits();
    let command = CreateProduct {
        name: stock.stock_name.0.into_string(),
        price_cents: stock.stock_price.0.minor_units("stock_price", digits)?,
        is_active: stock.is_active.unwrap_or(true),
        auto_deactivate: true,
        opening_stock: stock.stock_quantity.0,
        ..CreateProduct::plain()
    };
    run::<Orderflow, _>(&app, &caller, key, command, move |made| {
        Ok(Reply::with_status(StatusCode::CREATED, &Stock::of(made, digits)))
    })
    .await
}

/// Get a stock
#[utoipa::path(get, path = "/stocks/{stock_id}", tag = "stocks", operation_id = "get_stock",
    params(("stock_id" = i64, Path, example = 1)),
    responses((status = 200, description = "The stock", body = Stock), Detail<401>, Detail<404>, Invalid))]
async fn get_stock(
    State(app): State<App>,
    _: Principal<Orderflow, READ>,
    PathInt(id): PathInt,
) -> Result<Reply, Problem> {
    let found = app.reads().product(ProductId(id)).await.map_err(Failure::from)?;
    let listed = found.filter(|view| view.product.archived_at_us.is_none());
    let view =
        listed.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "PRODUCT_NOT_FOUND", "Stock not found"))?;
    Ok(Reply::ok(&Stock::of(&view, app.settings().currency_digits())))
}

/// Change a stock
///
/// Name, price, quantity and activity, any of them, at once.
#[utoipa::path(patch, path = "/stocks/{stock_id}", tag = "stocks", operation_id = "update_stock",
    params(("stock_id" = i64, Path, example = 1)), request_body = StockChanges,
    responses((status = 200, description = "The stock", body = Stock), Detail<401>, Detail<403>, Detail<404>, Invalid))]
async fn update_stock(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Orderflow, { CATALOGUE | STOCK }>,
    PathInt(id): PathInt,
    body: Body<StockChanges>,
) -> Result<Response, Problem> {
    let (changes, key) = body.parts();
    let digits = app.settings().currency_digits();
    let price = changes.stock_price.map(|price| price.0.minor_units("stock_price", digits));
    let available = changes.stock_quantity.map(|quantity| quantity.0);
    let command = UpdateProduct {
        name: changes.stock_name.map(|name| name.0.into_string()),
        price_cents: price.transpose()?,
        // A stock that reaches nothing is inactive, whichever contract it comes from.
        is_active: if available == Some(0) { Some(false) } else { changes.is_active },
        available,
        ..UpdateProduct::nothing(ProductId(id))
    };
    run::<Orderflow, _>(&app, &caller, key, command, move |stock| Ok(Reply::ok(&Stock::of(stock, digits))))
        .await
}

/// Activate or deactivate a stock
#[utoipa::path(patch, path = "/stocks/{stock_id}/toggle-active", tag = "stocks", operation_id = "toggle_active",
    params(("stock_id" = i64, Path, example = 1)),
    responses((status = 200, description = "The stock", body = Stock), Detail<401>, Detail<403>, Detail<404>, Invalid))]
async fn toggle_active(
    State(app): State<App>,
    StaffPrincipal(caller, _): StaffPrincipal<Orderflow, CATALOGUE>,
    PathInt(id): PathInt,
    body: NoBody,
) -> Result<Response, Problem> {
    let digits = app.settings().currency_digits();
    let command = ToggleProduct { product_id: ProductId(id), if_version: None };
    run::<Orderflow, _>(&app, &caller, body, command, move |stock| Ok(Reply::ok(&Stock::of(stock, digits))))
        .await
}

/// List all orders
///
/// Staff see all of them, customers their own.
#[utoipa::path(get, path = "/orders", tag = "orders", operation_id = "list_orders",
    responses((status = 200, description = "All orders, line by line", body = Vec<OrderLineBody>), Detail<401>))]
async fn list_orders(
    State(app): State<App>,
    Principal(caller, _): Principal<Orderflow, READ>,
) -> Result<Response, Problem> {
    stream::orders(&app, scope(&caller), None, |view, out| {
        view.order.items.iter().try_for_each(|item| out.push(&OrderLineBody::of(&view.order, item)))
    })
    .await
}

/// Place an order
///
/// Takes the stock at once. A stock that runs out is deactivated.
#[utoipa::path(post, path = "/orders", tag = "orders", operation_id = "create_order", request_body = NewOrder,
    responses((status = 201, description = "The order", body = OrderLineBody), Detail<400>, Detail<401>, Detail<404>,
        Invalid))]
async fn create_order(
    State(app): State<App>,
    Principal(caller, _): Principal<Orderflow, ORDERS>,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    let (order, key) = body.parts();
    let line = OrderLine { product_id: ProductId(order.stock_id.0), quantity: order.quantity.0 };
    let command = PlaceOrder {
        user_id: None,
        lines: vec![line],
        allocate_at: AllocateAt::Creation,
        status: Status::Pending,
        customs: PlacingCustoms { hides_archived: true, deactivates_sold_out: true },
        terms: app.settings().placing_terms(),
    };
    run::<Orderflow, _>(&app, &caller, key, command, |placed| {
        Ok(Reply::with_status(StatusCode::CREATED, &OrderLineBody::first(&placed.order)))
    })
    .await
}

/// Get an order
#[utoipa::path(get, path = "/orders/{order_id}", tag = "orders", operation_id = "get_order",
    params(("order_id" = i64, Path, example = 1)),
    responses((status = 200, description = "The order", body = OrderLineBody), Detail<401>, Detail<404>, Invalid))]
async fn get_order(
    State(app): State<App>,
    Principal(caller, _): Principal<Orderflow, READ>,
    PathInt(id): PathInt,
) -> Result<Reply, Problem> {
    let found = app.reads().order(OrderId(id)).await.map_err(Failure::from)?;
    let own = found.filter(|view| caller.actor.is_staff() || view.order.user_id == caller.actor.user_id);
    let body = own.as_ref().and_then(|view| OrderLineBody::first(&view.order));
    body.map(|body| Reply::ok(&body))
        .ok_or_else(|| refusal(StatusCode::NOT_FOUND, "ORDER_NOT_FOUND", "Order not found"))
}
