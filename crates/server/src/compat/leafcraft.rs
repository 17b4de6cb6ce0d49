//! The façade `leafcraft`: products and orders that take their stock when they are confirmed.
//!
//! Quirks:
//! - Orders need a token of whatever role; customers see, confirm and cancel their own. An owner's confirmation counts
//!   for orders that take their stock at confirmation, in a shop whose own orders do not: that is how this contract
//!   sells. Where all orders allocate at confirmation, only staff confirm, as everywhere else.
//! - Nearly every refusal is 400, also of what does not exist. Somebody else's order does not exist.
//! - Doing twice what needs doing once is 400.
//! - A new product needs a name that no other has.
//! - Both lists are whole tables; short ones are kept in memory until something changes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{
    Action, AllocateAt, CreateProduct, Customs, Goal, Order, OrderChanged, OrderLine, PlaceOrder,
    PlacingCustoms, ProductId, ProductWithStock, Rejection, Status,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::described::TitleStatus;
use super::fastapi::{
    Body, Contract, Form, Holder, NoBody, PathInt, Public, StaffHolder, change_order, refusal, run,
};
use super::login::{Credentials, Token, token};
use super::openapi::{Detail, Invalid};
use super::values::{Money, Quantity, Shown, Whole};
use super::{Described, TOO_MANY_ORDERS, TOO_MANY_UNITS, flaws, stream, with_put_and_post};
use crate::app::{App, What, views::Scope};
use crate::http::problem::{Problem, Said};
use crate::http::reply::Reply;
use crate::http::request_id::RequestId;
use crate::request::{Again, CATALOGUE, ORDERS, READ, Source};
use crate::wire::values::ProductName;

/// The words of this contract.
struct Leafcraft;

impl Contract for Leafcraft {
    const UNAUTHENTICATED: &'static str = "Could not validate credentials";

    fn refuse(rejection: &Rejection) -> (StatusCode, Said) {
        let bad = |detail: &str| (StatusCode::BAD_REQUEST, detail.into());
        let first = |ids: &[ProductId]| ids.first().map_or(0, |id| id.0);
        match rejection {
            Rejection::ProductsNotFound(ids) => bad(&format!("Product {} not exist", first(ids))),
            Rejection::ProductArchived(id) => bad(&format!("Product {} not exist", id.0)),
            Rejection::ProductsInactive(ids) => bad(&format!("Product {} is not active", first(ids))),
            Rejection::OrderNotFound(id) => bad(&format!("Order with {} not found", id.0)),
            Rejection::NameTaken(_) => bad("Product already exist"),
            Rejection::NoLines => bad("Order must need to have one item"),
            Rejection::TooManyLines { limit } => bad(&format!("Order can have at most {limit} items")),
            Rejection::InsufficientStock(_) | Rejection::StockAllocated { .. } => {
                bad("Insufficient stock for one or more products")
            }
            Rejection::InvalidTransition { goal: Goal::Act(Action::Confirm), .. } => bad(NOT_PENDING),
            Rejection::InvalidTransition { .. } => bad("Order cannot be cancelled"),
            Rejection::TooManyOpenOrders { .. } => bad(TOO_MANY_ORDERS),
            Rejection::TooManyUnitsHeld { .. } => bad(TOO_MANY_UNITS),
            Rejection::TotalOverflow => bad("Order is too large"),
            Rejection::UserNotFound(_) | Rejection::UserInactive(_) => bad("User is not active"),
            Rejection::Forbidden(_) => (StatusCode::FORBIDDEN, Self::FORBIDDEN.into()),
            Rejection::OutOfRange { field, line, min, max } => {
                (StatusCode::UNPROCESSABLE_ENTITY, flaws::out_of_range(field, *line, *min, *max))
            }
            // None of these can be asked for through this contract.
            Rejection::SkuTaken(_)
            | Rejection::SkuReserved(_)
            | Rejection::UsernameTaken(_)
            | Rejection::EmailTaken(_)
            | Rejection::StockChanged { .. }
            | Rejection::InvalidInitialStatus(_)
            | Rejection::VersionMismatch { .. }
            | Rejection::RegistrationClosed
            | Rejection::LastAdmin
            | Rejection::CredentialsChanged
            | Rejection::ApiKeyNotFound(_)
            | Rejection::CurrencyMismatch { .. } => (StatusCode::CONFLICT, rejection.code().into()),
        }
    }
}

const NOT_PENDING: &str = "Only Orders with status can be confirmed";

pub(super) fn described() -> Described {
    Described {
        title: "Mini Order & Inventory Management API",
        about: "Products, and orders that take their stock at confirmation, as the service leafcraft had them.",
        routes: vec![
            routes!(login),
            routes!(products, create_product),
            routes!(list_orders),
            routes!(create_order),
            with_put_and_post(routes!(confirm_order), confirm_order),
            with_put_and_post(routes!(cancel_order), cancel_order),
        ],
        login: Some("/auth/login"),
    }
}

/// A product to be made.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "Hoodie", "stock_quantity": 10, "price": 25.99}))]
struct NewProduct {
    #[schema(value_type = ProductName)]
    name: String,
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64, example = 10)]
    stock_quantity: Whole,
    #[schema(value_type = f64, exclusive_minimum = 0, maximum = 10_000_000_000_i64, example = 25.99)]
    price: Money,
}

/// A product.
#[derive(Serialize, ToSchema)]
struct Product {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Hoodie")]
    name: String,
    /// Pieces that can still be sold.
    #[schema(example = 10)]
    stock_quantity: i64,
    #[schema(value_type = f64, example = 25.99)]
    price: Shown,
}

impl Product {
    fn of(view: &ProductWithStock, digits: u32) -> Self {
        Self {
            id: view.product.id.0,
            name: view.product.name.clone(),
            stock_quantity: view.level.available(),
            price: Shown { minor: view.product.price_cents, digits },
        }
    }
}

/// An order to be placed.
#[derive(Deserialize, ToSchema)]
struct NewOrder {
    #[schema(min_items = 1, max_items = 200)]
    items: Vec<NewItem>,
}

/// One line of an order to be placed.
#[derive(Deserialize, ToSchema)]
struct NewItem {
    #[schema(value_type = i64, example = 5)]
    product_id: Whole,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000, example = 1)]
    quantity: Quantity,
}

/// An order.
#[derive(Serialize, ToSchema)]
struct OrderBody {
    #[schema(example = 4)]
    id: i64,
    items: Vec<ItemBody>,
    #[schema(value_type = f64, example = 1407.98)]
    total_amount: Shown,
    #[schema(value_type = TitleStatus, example = "Pending")]
    status: String,
}

/// One product of an order.
#[derive(Serialize, ToSchema)]
struct ItemBody {
    #[schema(example = 5)]
    product_id: i64,
    #[schema(example = 1)]
    quantity: i64,
}

impl OrderBody {
    fn of(order: &Order, digits: u32) -> Self {
        let item =
            |item: &domain::OrderItem| ItemBody { product_id: item.product_id.0, quantity: item.quantity };
        let word = order.status().word();
        Self {
            id: order.id.0,
            items: order.items.iter().map(item).collect(),
            total_amount: Shown { minor: order.total_amount_cents, digits },
            status: word[..1].to_uppercase() + &word[1..],
        }
    }
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct Message {
    #[schema(example = "Order Confirmed successfully")]
    message: &'static str,
}

/// Log in
///
/// With a form, or with JSON.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login", security(()),
    request_body(content((Credentials = "application/x-www-form-urlencoded"), (Credentials = "application/json"))),
    responses((status = 200, description = "The token", body = Token), Detail<401>, Detail<429>, Invalid))]
async fn login(
    State(app): State<App>,
    source: Source,
    request_id: RequestId,
    Form(credentials): Form<Credentials>,
) -> Result<Reply, Problem> {
    token(&app, source, &request_id, &credentials, "Invalid email or password").await
}

/// List all products
#[utoipa::path(get, path = "/products/", tag = "products", operation_id = "list_products", security(()),
    responses((status = 200, description = "All products", body = Vec<Product>)))]
async fn products(State(app): State<App>, _: Public, again: Again) -> Result<Response, Problem> {
    let digits = app.settings().currency_digits();
    let keeping = (What::AllProducts, &again);
    stream::products(&app, None, Some(keeping), move |view| Product::of(view, digits)).await
}

/// Create a product
#[utoipa::path(post, path = "/products/", tag = "products", operation_id = "create_product", request_body = NewProduct,
    security(("password" = []), ("token" = [])),
    responses((status = 201, description = "The product", body = Product), Detail<400>, Detail<401>, Detail<403>,
        Invalid))]
async fn create_product(
    State(app): State<App>,
    StaffHolder(caller, _): StaffHolder<Leafcraft, CATALOGUE>,
    body: Body<NewProduct>,
) -> Result<Response, Problem> {
    let (product, key) = body.parts();
    let bad = |detail: &str| Err(refusal(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", detail));
    if product.stock_quantity.0 < 0 {
        return bad("Stock Quantity cannot be negative");
    }
    if !product.price.is_positive() {
        return bad("Price must be greater than zero");
    }
    let name = ProductName::new(&product.name);
    if matches!(&name, Err(message) if message.contains("blank") || message.contains("empty")) {
        return bad("Product name cannot be empty");
    }
    let digits = app.settings().currency_digits();
    let name = name.map_err(|message| {
        flaws::of_field(
            "name",
            ("value_error", &format!("Value error, {message}")),
            flaws::echo(&product.name),
        )
    })?;
    let command = CreateProduct {
        name: name.into_string(),
        price_cents: product.price.minor_units("price", digits)?,
        opening_stock: product.stock_quantity.0,
        unique_name: true,
        ..CreateProduct::plain()
    };
    run::<Leafcraft, _>(&app, &caller, key, command, move |made| {
        Ok(Reply::with_status(StatusCode::CREATED, &Product::of(made, digits)))
    })
    .await
}

/// List all orders
///
/// Staff see all of them, customers their own.
#[utoipa::path(get, path = "/orders/", tag = "orders", operation_id = "list_orders",
    security(("password" = []), ("token" = [])),
    responses((status = 200, description = "All orders", body = Vec<OrderBody>), Detail<401>))]
async fn list_orders(
    State(app): State<App>,
    Holder(caller, _): Holder<Leafcraft, READ>,
    again: Again,
) -> Result<Response, Problem> {
    let digits = app.settings().currency_digits();
    let scope = if caller.actor.is_staff() { Scope::All } else { Scope::Of(caller.actor.user_id) };
    let keeping = Some((What::AllOrders, &again));
    stream::orders(&app, scope, keeping, move |view, out| out.push(&OrderBody::of(&view.order, digits))).await
}

/// Place an order
///
/// The stock stays where it is until the order is confirmed.
#[utoipa::path(post, path = "/orders/create_order", tag = "orders", operation_id = "create_order",
    request_body = NewOrder, security(("password" = []), ("token" = [])),
    responses((status = 201, description = "The order", body = OrderBody), Detail<400>, Detail<401>, Invalid))]
async fn create_order(
    State(app): State<App>,
    Holder(caller, _): Holder<Leafcraft, ORDERS>,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    let (order, key) = body.parts();
    let digits = app.settings().currency_digits();
    let line =
        |item: &NewItem| OrderLine { product_id: ProductId(item.product_id.0), quantity: item.quantity.0 };
    let command = PlaceOrder {
        user_id: None,
        lines: order.items.iter().map(line).collect(),
        allocate_at: AllocateAt::Confirmation,
        status: Status::Pending,
        customs: PlacingCustoms { hides_archived: true, ..PlacingCustoms::default() },
        terms: app.settings().placing_terms(),
    };
    run::<Leafcraft, _>(&app, &caller, key, command, move |placed| {
        Ok(Reply::with_status(StatusCode::CREATED, &OrderBody::of(&placed.order, digits)))
    })
    .await
}

fn customs(app: &App) -> Customs {
    let owner_confirms = app.settings().allocate_at == AllocateAt::Creation;
    Customs { owner_confirms, admits_foreign: false }
}

/// Confirm an order
///
/// Takes its stock: all or nothing. Answers to PUT and POST as well.
#[utoipa::path(patch, path = "/orders/{order_id}/confirm", tag = "orders", operation_id = "confirm_order",
    params(("order_id" = i64, Path, example = 1)), security(("password" = []), ("token" = [])),
    responses((status = 200, description = "It is confirmed", body = Message), Detail<400>, Detail<401>, Detail<403>,
        Invalid))]
async fn confirm_order(
    State(app): State<App>,
    Holder(caller, _): Holder<Leafcraft, ORDERS>,
    PathInt(id): PathInt,
    key: NoBody,
) -> Result<Response, Problem> {
    let change = (id, Action::Confirm, customs(&app));
    let done = |_: &OrderChanged| Reply::ok(&Message { message: "Order Confirmed successfully" });
    change_order::<Leafcraft>(&app, &caller, change, key, NOT_PENDING, done).await
}

/// Cancel an order
///
/// Gives back the stock that the order holds. Answers to PUT and POST as well.
#[utoipa::path(patch, path = "/orders/{order_id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(("order_id" = i64, Path, example = 1)), security(("password" = []), ("token" = [])),
    responses((status = 200, description = "It is cancelled", body = Message), Detail<400>, Detail<401>, Detail<403>,
        Invalid))]
async fn cancel_order(
    State(app): State<App>,
    Holder(caller, _): Holder<Leafcraft, ORDERS>,
    PathInt(id): PathInt,
    key: NoBody,
) -> Result<Response, Problem> {
    let change = (id, Action::Cancel, customs(&app));
    let done = |_: &OrderChanged| Reply::ok(&Message { message: "Order cancelled" });
    change_order::<Leafcraft>(&app, &caller, change, key, "Orders cancelled already!", done).await
}
