//! The façade `mini-order`: products and orders with accounts, in envelopes with pages.
//!
//! Quirks:
//! - It knows administrators and customers. Staff count as customers here.
//! - Somebody else's order is 403, where `/api/v1` says that there is none.
//! - Doing twice what needs doing once is 400, where `/api/v1` answers as the first time.
//! - Its passwords may be shorter than those of `/api/v1`: the setting `mini_order_min_password`.
//! - `/login` takes a form as well as JSON.
//! - Some refusals are objects (`{"status": false, "message": …}`), others are texts, as they were.

mod bodies;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{
    Action, AllocateAt, CreateProduct, CreateUser, Customs, Denial, Founding, Goal, OrderLine, PlaceOrder,
    PlacingCustoms, ProductId, Rejection, Role, Status, UpdateProduct,
};
use utoipa_axum::routes;

use self::bodies::{
    Changed, Envelope, NewOrder, NewProduct, NewUser, OrderBody, OrderFilter, Product, ProductChanges, User,
    failed,
};
use super::fastapi::{
    AccountBody, AdminHolder, Anyone, Body, Contract, Form, Holder, NoBody, PathInt, Public, Query,
    change_order, run,
};
use super::login::{Credentials, Token, token};
use super::openapi::{Detail, Failure, Invalid};
use super::paging::{PageOf, Pagination};
use super::{Described, TOO_MANY_ORDERS, TOO_MANY_UNITS, flaws};
use crate::app::App;
use crate::app::views::{OrderQuery, ProductQuery, Scope};
use crate::http::problem::{Problem, Said};
use crate::http::reply::Reply;
use crate::http::request_id::RequestId;
use crate::request::{
    CATALOGUE, Caller, Founder, ORDERS, READ, STOCK, Source, USERS, admit_newcomer, hash_password,
};

/// The words of this contract.
struct MiniOrder;

impl Contract for MiniOrder {
    const FORBIDDEN: &'static str = "Admin only";

    fn refuse(rejection: &Rejection) -> (StatusCode, Said) {
        use StatusCode as Is;
        let (status, detail) = match rejection {
            Rejection::UsernameTaken(_) => return (Is::BAD_REQUEST, failed("Username already exists")),
            Rejection::ProductsNotFound(_) | Rejection::ProductArchived(_) => {
                (Is::NOT_FOUND, "Product not found")
            }
            Rejection::OrderNotFound(_) => (Is::NOT_FOUND, "Order not found"),
            Rejection::ProductsInactive(_) => (Is::BAD_REQUEST, "Inactive product"),
            Rejection::InsufficientStock(_) | Rejection::StockAllocated { .. } => {
                (Is::BAD_REQUEST, "Insufficient stock")
            }
            Rejection::InvalidTransition { goal: Goal::Act(Action::Confirm), .. } => {
                (Is::BAD_REQUEST, "Cancelled order cannot be confirmed")
            }
            Rejection::InvalidTransition { .. } => (Is::BAD_REQUEST, "Order cannot be cancelled"),
            Rejection::Forbidden(Denial::ForeignOrder | Denial::CancelTooLate) => {
                (Is::FORBIDDEN, "Not allowed")
            }
            Rejection::Forbidden(_) => (Is::FORBIDDEN, Self::FORBIDDEN),
            Rejection::TooManyOpenOrders { .. } => (Is::BAD_REQUEST, TOO_MANY_ORDERS),
            Rejection::TooManyUnitsHeld { .. } => (Is::BAD_REQUEST, TOO_MANY_UNITS),
            Rejection::RegistrationClosed => (Is::FORBIDDEN, "Registration is closed"),
            Rejection::TotalOverflow => (Is::BAD_REQUEST, "Order is too large"),
            Rejection::UserNotFound(_) | Rejection::UserInactive(_) => {
                (Is::BAD_REQUEST, "User is not active")
            }
            Rejection::OutOfRange { field, line, min, max } => {
                return (Is::UNPROCESSABLE_ENTITY, flaws::out_of_range(field, *line, *min, *max));
            }
            // None of these can be asked for through this contract.
            Rejection::NameTaken(_)
            | Rejection::SkuTaken(_)
            | Rejection::SkuReserved(_)
            | Rejection::EmailTaken(_)
            | Rejection::StockChanged { .. }
            | Rejection::InvalidInitialStatus(_)
            | Rejection::VersionMismatch { .. }
            | Rejection::NoLines
            | Rejection::TooManyLines { .. }
            | Rejection::LastAdmin
            | Rejection::CredentialsChanged
            | Rejection::ApiKeyNotFound(_)
            | Rejection::CurrencyMismatch { .. } => (Is::CONFLICT, rejection.code()),
        };
        (status, detail.into())
    }
}

/// The words of this contract about its products.
struct Catalogue;

impl Contract for Catalogue {
    const FORBIDDEN: &'static str = MiniOrder::FORBIDDEN;

    fn refuse(rejection: &Rejection) -> (StatusCode, Said) {
        let (status, detail) = MiniOrder::refuse(rejection);
        (status, if status == StatusCode::NOT_FOUND { failed("Product not found") } else { detail })
    }
}

pub(super) fn described() -> Described {
    Described {
        title: "Mini Order System",
        about: "Products and orders, as the Mini Order System had them.",
        routes: vec![
            routes!(register),
            routes!(login),
            routes!(list_products, create_product),
            routes!(update_product),
            routes!(list_orders, place_order),
            routes!(confirm_order),
            routes!(cancel_order),
        ],
        login: Some("/login"),
    }
}

/// The caller as this contract knows them: whoever is no administrator is a customer.
fn known(mut caller: Caller) -> Caller {
    if !caller.actor.is_admin() {
        caller.actor.role = Role::Customer;
    }
    caller
}

/// Make an account
///
/// The first account of an empty system may be an administrator, if it is made on the machine that serves it or with the
/// code that it printed; later ones only if an administrator makes them.
#[utoipa::path(post, path = "/register", tag = "auth", operation_id = "register", request_body = NewUser,
    security((), ("password" = []), ("token" = [])),
    responses((status = 201, description = "The account", body = Envelope<User>), Failure<400>, Detail<401>, Detail<403>, Detail<429>,
        Invalid))]
async fn register(
    State(app): State<App>,
    Anyone(caller, _): Anyone<MiniOrder, USERS>,
    source: Source,
    founder: Founder,
    AccountBody(body): AccountBody<NewUser>,
) -> Result<Response, Problem> {
    let (user, key) = body.parts();
    let password = user.password.of_length(app.settings().mini_order_min_password)?;
    let founding = founder.with(&app, None)?;
    admit_newcomer(&app, &caller, founding, source).await?;
    let command = CreateUser {
        username: user.username.0.into_string(),
        email: None,
        full_name: None,
        role: Some(user.role.0),
        founding,
        by_invitation: !app.settings().registration_is_open,
        password_hash: hash_password(&app, &password).await?,
    };
    let made = run::<MiniOrder, _>(&app, &caller, key, command, |user| {
        Ok(Envelope::reply(StatusCode::CREATED, "User created successfully", User::of(user)))
    })
    .await?;
    if founding != Founding::Nothing {
        app.retire_setup_code().await?;
    }
    Ok(made)
}

/// Log in
///
/// With a form, or with JSON.
#[utoipa::path(post, path = "/login", tag = "auth", operation_id = "login", security(()),
    request_body(content((Credentials = "application/x-www-form-urlencoded"), (Credentials = "application/json"))),
    responses((status = 200, description = "The token", body = Token), Detail<401>, Detail<429>, Invalid))]
async fn login(
    State(app): State<App>,
    source: Source,
    request_id: RequestId,
    Form(credentials): Form<Credentials>,
) -> Result<Reply, Problem> {
    token(&app, source, &request_id, &credentials, "Invalid credentials").await
}

/// List products
#[utoipa::path(get, path = "/products", tag = "products", operation_id = "list_products", security(()),
    params(PageOf),
    responses((status = 200, description = "A page of products", body = Envelope<Vec<Product>>), Invalid))]
async fn list_products(
    State(app): State<App>,
    _: Public,
    Query(page): Query<PageOf>,
) -> Result<Reply, Problem> {
    let query = ProductQuery::catalogue(page.rows());
    let found = app.reads().counted_products(&query).await?;
    let digits = app.settings().currency_digits();
    let data: Vec<_> = found.listing.rows.iter().map(|view| Product::listed(view, digits)).collect();
    Ok(Envelope::page("Products fetched successfully", data, Pagination::of(page, found.total)))
}

/// Create a product
#[utoipa::path(post, path = "/products", tag = "products", operation_id = "create_product", request_body = NewProduct,
    security(("password" = []), ("token" = [])),
    responses((status = 201, description = "The product", body = Envelope<Product>), Detail<401>, Detail<403>, Invalid))]
async fn create_product(
    State(app): State<App>,
    AdminHolder(caller, _): AdminHolder<MiniOrder, CATALOGUE>,
    body: Body<NewProduct>,
) -> Result<Response, Problem> {
    let (product, key) = body.parts();
    let digits = app.settings().currency_digits();
    let command = CreateProduct {
        name: product.name.0.into_string(),
        price_cents: product.price.0.minor_units("price", digits)?,
        opening_stock: product.stock_quantity.0,
        ..CreateProduct::plain()
    };
    run::<Catalogue, _>(&app, &caller, key, command, move |made| {
        let data = Product::created(made, digits);
        Ok(Envelope::reply(StatusCode::CREATED, "Product created successfully", data))
    })
    .await
}

/// Change a product
#[utoipa::path(patch, path = "/products/{product_id}", tag = "products", operation_id = "update_product",
    params(("product_id" = i64, Path, example = 1)), request_body = ProductChanges,
    security(("password" = []), ("token" = [])),
    responses((status = 200, description = "The product", body = Envelope<Product>), Detail<401>, Detail<403>,
        Failure<404>, Invalid))]
async fn update_product(
    State(app): State<App>,
    AdminHolder(caller, _): AdminHolder<MiniOrder, { CATALOGUE | STOCK }>,
    PathInt(id): PathInt,
    body: Body<ProductChanges>,
) -> Result<Response, Problem> {
    let (changes, key) = body.parts();
    let digits = app.settings().currency_digits();
    let price = changes.price.map(|price| price.0.minor_units("price", digits));
    let command = UpdateProduct {
        name: changes.name.map(|name| name.0.into_string()),
        price_cents: price.transpose()?,
        is_active: changes.is_active,
        available: changes.stock_quantity.map(|quantity| quantity.0),
        ..UpdateProduct::nothing(ProductId(id))
    };
    run::<Catalogue, _>(&app, &caller, key, command, move |product| {
        let data = Product::updated(product, digits);
        Ok(Envelope::reply(StatusCode::OK, "Product updated successfully", data))
    })
    .await
}

/// List orders
///
/// Customers see their own, administrators all.
#[utoipa::path(get, path = "/orders", tag = "orders", operation_id = "list_orders", params(OrderFilter, PageOf),
    security(("password" = []), ("token" = [])),
    responses((status = 200, description = "A page of orders", body = Envelope<Vec<OrderBody>>), Detail<401>, Invalid))]
async fn list_orders(
    State(app): State<App>,
    Holder(caller, _): Holder<MiniOrder, READ>,
    Query(filter): Query<OrderFilter>,
    Query(page): Query<PageOf>,
) -> Result<Reply, Problem> {
    let scope = if caller.actor.is_admin() { Scope::All } else { Scope::Of(caller.actor.user_id) };
    let status = filter.status.map(|status| status.0);
    let query = OrderQuery { status, ..OrderQuery::all(scope, page.rows()) };
    let found = app.reads().counted_orders(&query).await?;
    let digits = app.settings().currency_digits();
    let data: Vec<_> = found.listing.rows.iter().map(|view| OrderBody::of(&view.order, digits)).collect();
    Ok(Envelope::page("Orders fetched successfully", data, Pagination::of(page, found.total)))
}

/// Place an order
///
/// All or nothing: unless there is enough of every product, nothing is taken of any.
#[utoipa::path(post, path = "/orders", tag = "orders", operation_id = "place_order", request_body = NewOrder,
    security(("password" = []), ("token" = [])),
    responses((status = 201, description = "The order", body = Envelope<OrderBody>), Detail<401>, Detail<404>, Invalid))]
async fn place_order(
    State(app): State<App>,
    Holder(caller, _): Holder<MiniOrder, ORDERS>,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    let (order, key) = body.parts();
    let digits = app.settings().currency_digits();
    let line = |item: &bodies::NewItem| OrderLine {
        product_id: ProductId(item.product_id.0),
        quantity: item.quantity.0,
    };
    let command = PlaceOrder {
        user_id: None,
        lines: order.items.0.iter().map(line).collect(),
        allocate_at: AllocateAt::Creation,
        status: Status::Pending,
        customs: PlacingCustoms { hides_archived: true, ..PlacingCustoms::default() },
        terms: app.settings().placing_terms(),
    };
    run::<MiniOrder, _>(&app, &caller, key, command, move |placed| {
        let data = OrderBody::of(&placed.order, digits);
        Ok(Envelope::reply(StatusCode::CREATED, "Order placed successfully", data))
    })
    .await
}

/// Somebody else's order is refused as such here.
const CUSTOMS: Customs = Customs { owner_confirms: false, admits_foreign: true };

/// Confirm an order
#[utoipa::path(patch, path = "/orders/{order_id}/confirm", tag = "orders", operation_id = "confirm_order",
    params(("order_id" = i64, Path, example = 1)), security(("password" = []), ("token" = [])),
    responses((status = 200, description = "Where it stands", body = Envelope<Changed>), Detail<401>, Detail<403>, Detail<404>, Invalid))]
async fn confirm_order(
    State(app): State<App>,
    AdminHolder(caller, _): AdminHolder<MiniOrder, ORDERS>,
    PathInt(id): PathInt,
    key: NoBody,
) -> Result<Response, Problem> {
    let change = (id, Action::Confirm, CUSTOMS);
    change_order::<MiniOrder>(&app, &caller, change, key, "Order already confirmed", |outcome| {
        Envelope::reply(StatusCode::OK, "Order confirmed successfully", Changed::of(outcome))
    })
    .await
}

/// Cancel an order
///
/// For its owner and for administrators. Gives back the stock that the order still holds.
#[utoipa::path(patch, path = "/orders/{order_id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(("order_id" = i64, Path, example = 1)), security(("password" = []), ("token" = [])),
    responses((status = 200, description = "Where it stands", body = Envelope<Changed>), Detail<401>, Detail<403>, Detail<404>, Invalid))]
async fn cancel_order(
    State(app): State<App>,
    Holder(caller, _): Holder<MiniOrder, ORDERS>,
    PathInt(id): PathInt,
    key: NoBody,
) -> Result<Response, Problem> {
    let change = (id, Action::Cancel, CUSTOMS);
    change_order::<MiniOrder>(&app, &known(caller), change, key, "Order already cancelled", |outcome| {
        Envelope::reply(StatusCode::OK, "Order cancelled successfully", Changed::of(outcome))
    })
    .await
}
