//! What goes in and comes out of `mini-order`.

use axum::http::StatusCode;
use domain::{Order, OrderChanged, ProductWithStock, Status};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::compat::described::{MemberRole, UpperStatus};
use crate::compat::paging::Pagination;
use crate::compat::values::{
    AnyCase, Checked, Lines, Member, Price, Quantity, Secret, Shown, StockCount, Whole,
};
use crate::http::problem::Said;
use crate::http::reply::Reply;
use crate::wire::time::Rfc3339;
use crate::wire::values::{ProductName, Username};

/// What a success is wrapped in.
#[derive(Serialize, ToSchema)]
pub(super) struct Envelope<T> {
    #[schema(example = true)]
    pub(super) status: bool,
    /// What was done.
    pub(super) message: &'static str,
    pub(super) data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pagination: Option<Pagination>,
}

impl<T: Serialize> Envelope<T> {
    pub(super) fn reply(status: StatusCode, message: &'static str, data: T) -> Reply {
        Reply::with_status(status, &Self { status: true, message, data, pagination: None })
    }

    pub(super) fn page(message: &'static str, data: T, pagination: Pagination) -> Reply {
        Reply::ok(&Self { status: true, message, data, pagination: Some(pagination) })
    }
}

/// What some refusals are wrapped in.
#[derive(Serialize)]
struct Failed {
    status: bool,
    message: &'static str,
}

/// A refusal in an envelope.
pub(super) fn failed(message: &'static str) -> Said {
    Said::of(&Failed { status: false, message })
}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "customer1", "password": "1234", "role": "customer"}))]
pub(super) struct NewUser {
    #[schema(value_type = Username)]
    pub(super) username: Checked<Username>,
    /// How many characters it needs is a setting of the shop.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128, example = "1234")]
    pub(super) password: Secret,
    #[schema(value_type = MemberRole)]
    pub(super) role: Member,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "customer1")]
    pub(super) username: String,
    #[schema(value_type = MemberRole)]
    pub(super) role: &'static str,
}

impl User {
    pub(super) fn of(user: &domain::User) -> Self {
        Self { id: user.id.0, username: user.username.clone(), role: user.role.word() }
    }
}

/// A product to be made.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "Laptop", "price": 50000, "stock_quantity": 5}))]
pub(super) struct NewProduct {
    #[schema(value_type = ProductName)]
    pub(super) name: Checked<ProductName>,
    #[schema(value_type = f64, minimum = 0, maximum = 10_000_000_000_i64, example = 50000)]
    pub(super) price: Price,
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64, example = 5)]
    pub(super) stock_quantity: StockCount,
}

/// Changes to a product; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "Laptop", "price": 45000, "stock_quantity": 8, "is_active": true}))]
pub(super) struct ProductChanges {
    #[schema(value_type = Option<ProductName>)]
    pub(super) name: Option<Checked<ProductName>>,
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 10_000_000_000_i64, example = 45000)]
    pub(super) price: Option<Price>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, example = 8)]
    pub(super) stock_quantity: Option<StockCount>,
    #[schema(value_type = Option<bool>, example = true)]
    pub(super) is_active: Option<bool>,
}

/// A product; how much of it is shown depends on the operation.
#[derive(Serialize, ToSchema)]
pub(super) struct Product {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Laptop")]
    pub(super) name: String,
    #[schema(value_type = f64, example = 50000)]
    pub(super) price: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5)]
    pub(super) stock_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Rfc3339>,
}

impl Product {
    pub(super) fn created(ProductWithStock { product, .. }: &ProductWithStock, digits: u32) -> Self {
        Self {
            id: product.id.0,
            name: product.name.clone(),
            price: Shown { minor: product.price_cents, digits },
            stock_quantity: None,
            is_active: None,
            created_at: None,
        }
    }

    pub(super) fn updated(view: &ProductWithStock, digits: u32) -> Self {
        let (stock_quantity, is_active) = (Some(view.level.available()), Some(view.product.is_active));
        Self { stock_quantity, is_active, ..Self::created(view, digits) }
    }

    pub(super) fn listed(view: &ProductWithStock, digits: u32) -> Self {
        Self { created_at: Some(Rfc3339(view.product.created_at_us)), ..Self::updated(view, digits) }
    }
}

/// An order to be placed.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewOrder {
    #[schema(value_type = Vec<NewItem>, min_items = 1, max_items = 200)]
    pub(super) items: Lines<NewItem>,
}

/// One line of an order to be placed.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewItem {
    #[schema(value_type = i64, example = 1)]
    pub(super) product_id: Whole,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000, example = 2)]
    pub(super) quantity: Quantity,
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderBody {
    #[schema(example = 1)]
    id: i64,
    #[schema(required, example = 2)]
    customer_id: Option<i64>,
    #[schema(value_type = UpperStatus, example = "PENDING")]
    pub(super) status: String,
    #[schema(value_type = f64, example = 100_000)]
    total_amount: Shown,
    created_at: Rfc3339,
    pub(super) items: Vec<ItemBody>,
}

/// One product of an order.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemBody {
    #[schema(example = 1)]
    pub(super) product_id: i64,
    #[schema(example = 2)]
    pub(super) quantity: i64,
    #[schema(value_type = f64, example = 50000)]
    price_at_purchase: Shown,
}

impl Changed {
    pub(super) fn of(OrderChanged { order, .. }: &OrderChanged) -> Self {
        Self { order_id: order.id.0, status: spelt(order.status()) }
    }
}

impl OrderBody {
    pub(super) fn of(order: &Order, digits: u32) -> Self {
        let item = |item: &domain::OrderItem| ItemBody {
            product_id: item.product_id.0,
            quantity: item.quantity,
            price_at_purchase: Shown { minor: item.price_cents, digits },
        };
        Self {
            id: order.id.0,
            customer_id: order.user_id.map(|id| id.0),
            status: spelt(order.status()),
            total_amount: Shown { minor: order.total_amount_cents, digits },
            created_at: Rfc3339(order.placed_at_us),
            items: order.items.iter().map(item).collect(),
        }
    }
}

fn spelt(status: Status) -> String {
    status.word().to_uppercase()
}

/// Where an order stands now.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    #[schema(example = 1)]
    order_id: i64,
    #[schema(value_type = UpperStatus, example = "CONFIRMED")]
    pub(super) status: String,
}

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderFilter {
    /// In this status, in upper or lower case.
    #[param(value_type = Option<UpperStatus>, inline, example = "PENDING")]
    pub(super) status: Option<AnyCase>,
}
