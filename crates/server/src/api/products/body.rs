//! Products on the wire.

use domain::{CreateProduct, Product, ProductId, StockLevel, UpdateProduct};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoResponses, ToSchema};

use super::query::ProductOrder;
use crate::api::page::PageBody;
use crate::app::App;
use crate::app::views::{Listing, Page, ProductView, Start};
use crate::http::reply::Reply;
use crate::request::OperationBody;
use crate::wire::etag::of_versions;
use crate::wire::time::Rfc3339;
use crate::wire::values::{Description, PriceCents, ProductName, Sku, StockCount, Threshold, given};

/// A product with its stock.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ProductBody<'a> {
    /// Number of the product.
    id: i64,
    /// The shop's own code for it.
    sku: &'a str,
    /// What customers call it.
    name: &'a str,
    /// What else there is to say; may be empty.
    description: &'a str,
    /// Price of one piece in minor units of `currency`.
    price_cents: i64,
    /// The shop's currency, ISO 4217.
    currency: &'a str,
    /// Whether it takes orders.
    is_active: bool,
    /// When it left the catalogue; null while it is in it.
    #[schema(required)]
    archived_at: Option<Rfc3339>,
    /// It is low in stock when no more than this is available.
    low_stock_threshold: i64,
    /// Whether `available <= low_stock_threshold`.
    is_low_stock: bool,
    /// Whether it turns inactive when the last available piece goes.
    auto_deactivate: bool,
    /// Pieces in the house.
    on_hand: i64,
    /// Pieces of them that open orders hold.
    allocated: i64,
    /// Pieces that can be sold: `on_hand - allocated`.
    available: i64,
    /// Version of the catalogue data; stock is not part of it.
    version: i64,
    /// When it was added.
    created_at: Rfc3339,
    /// When its catalogue data changed last.
    updated_at: Rfc3339,
}

impl<'a> ProductBody<'a> {
    /// The product as callers see it, in the shop's currency.
    pub(in crate::api) fn new(view: &'a ProductView, currency: &'a str) -> Self {
        let ProductView { product, level } = view;
        Self {
            id: product.id.0,
            sku: &product.sku,
            name: &product.name,
            description: &product.description,
            price_cents: product.price_cents,
            currency,
            is_active: product.is_active,
            archived_at: product.archived_at_us.map(Rfc3339),
            low_stock_threshold: product.low_stock_threshold,
            is_low_stock: level.available() <= product.low_stock_threshold,
            auto_deactivate: product.auto_deactivate,
            on_hand: level.on_hand,
            allocated: level.allocated,
            available: level.available(),
            version: product.version,
            created_at: Rfc3339(product.created_at_us),
            updated_at: Rfc3339(product.updated_at_us),
        }
    }
}

/// How the document describes an answer that is one product.
#[derive(IntoResponses)]
#[response(status = 200, description = "The product as it is now",
    headers(("ETag" = String, description = "Versions of the product and of its stock: `\"7.3\"`")),
    example = json!(example()))]
#[expect(dead_code, reason = "only described")]
pub(in crate::api) struct ProductFound(ProductBody<'static>);

/// The tag of a product: it changes with the catalogue data and with the stock.
pub(in crate::api) fn etag(view: &ProductView) -> String {
    of_versions(view.product.version, view.level.version)
}

/// How a command answers whose outcome is the product.
pub(in crate::api) fn shown(app: &App) -> impl Fn(&ProductView) -> Reply + Send + 'static {
    let currency = app.settings().currency.clone();
    move |view| Reply::ok(&ProductBody::new(view, &currency)).etag(etag(view))
}

/// A page of products.
#[derive(Serialize, ToSchema)]
pub(super) struct ProductListBody<'a> {
    /// The products.
    products: Vec<ProductBody<'a>>,
    /// How many products there are on all pages together; only with `include=total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1)]
    total: Option<i64>,
    #[serde(flatten)]
    page: PageBody,
}

impl<'a> ProductListBody<'a> {
    /// A page of a list in this order.
    pub(super) fn new(
        listing: &'a Listing<ProductView>,
        total: Option<i64>,
        page: &Page,
        order: ProductOrder,
        currency: &'a str,
    ) -> Self {
        Self {
            products: listing.rows.iter().map(|view| ProductBody::new(view, currency)).collect(),
            total,
            page: PageBody::new(page, listing, &order, |view| order.cursor_after(view)),
        }
    }
}

/// A product to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductNew {
    name: ProductName,
    price_cents: PriceCents,
    /// Made from the number of the product when left out. Those of the form `SKU-<number>` cannot be chosen.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    sku: Option<Sku>,
    /// Empty when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    description: Option<Description>,
    /// Pieces on hand to begin with; none when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    stock_quantity: Option<StockCount>,
    /// 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    low_stock_threshold: Option<Threshold>,
    /// Whether it takes orders at once; `true` when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, default = true)]
    is_active: Option<bool>,
    /// Whether it turns inactive when the last available piece goes; `false` when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, default = false)]
    auto_deactivate: Option<bool>,
}

impl OperationBody for ProductNew {}

impl From<ProductNew> for CreateProduct {
    fn from(body: ProductNew) -> Self {
        Self {
            sku: body.sku.map(Sku::into_string),
            name: body.name.into_string(),
            description: body.description.map(Description::into_string).unwrap_or_default(),
            price_cents: body.price_cents.get(),
            is_active: body.is_active.unwrap_or(true),
            low_stock_threshold: body.low_stock_threshold.map_or(0, Threshold::get),
            auto_deactivate: body.auto_deactivate.unwrap_or(false),
            opening_stock: body.stock_quantity.map_or(0, StockCount::get),
            unique_name: false,
        }
    }
}

/// What is to change about a product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductChange {
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    name: Option<ProductName>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    price_cents: Option<PriceCents>,
    /// Those of the form `SKU-<number>` cannot be chosen.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    sku: Option<Sku>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    description: Option<Description>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    low_stock_threshold: Option<Threshold>,
    /// Whether it takes orders.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// Whether it turns inactive when the last available piece goes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    auto_deactivate: Option<bool>,
}

impl OperationBody for ProductChange {}

impl ProductChange {
    /// The command that makes the change.
    pub(super) fn command(self, product_id: ProductId, if_version: Option<i64>) -> UpdateProduct {
        UpdateProduct {
            product_id,
            if_version,
            sku: self.sku.map(Sku::into_string),
            name: self.name.map(ProductName::into_string),
            description: self.description.map(Description::into_string),
            price_cents: self.price_cents.map(PriceCents::get),
            is_active: self.is_active,
            low_stock_threshold: self.low_stock_threshold.map(Threshold::get),
            auto_deactivate: self.auto_deactivate,
            available: None,
        }
    }
}

/// 2024-01-16T10:30:00Z.
const EXAMPLE_US: i64 = 1_705_401_000_000_000;

fn example_view() -> ProductView {
    let id = ProductId(1);
    ProductView {
        product: Product {
            id,
            sku: "MBP-16".to_owned(),
            name: "MacBook Pro 16\"".to_owned(),
            description: "Aluminium, 16 inch display.".to_owned(),
            price_cents: 249_999,
            is_active: true,
            archived_at_us: None,
            low_stock_threshold: 5,
            auto_deactivate: false,
            version: 1,
            created_at_us: EXAMPLE_US,
            updated_at_us: EXAMPLE_US,
        },
        level: StockLevel { product_id: id, on_hand: 100, allocated: 2, version: 2 },
    }
}

/// A product for the document.
pub(in crate::api) fn example() -> Value {
    json!(ProductBody::new(&example_view(), "USD"))
}

/// An archived product for the document.
pub(super) fn example_archived() -> Value {
    let mut view = example_view();
    view.product.archived_at_us = Some(EXAMPLE_US);
    json!(ProductBody::new(&view, "USD"))
}

/// A page for the document.
pub(super) fn example_list() -> Value {
    let listing = Listing { rows: vec![example_view()], more: false };
    let page = Page { limit: 20, start: Start::Offset(0) };
    json!(ProductListBody::new(&listing, None, &page, ProductOrder::BY_ID, "USD"))
}
