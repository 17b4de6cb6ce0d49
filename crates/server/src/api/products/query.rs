//! What a list of products is asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::api::page::Include;
use crate::app::views::{Page, ProductQuery, ProductSort, ProductView};
use crate::wire::paging::{Cursor, Key, KeyKind, Sort};
use crate::wire::values::SearchText;

/// Which products.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductFilter {
    /// Text that name or SKU contain, without regard to case and accents.
    #[param(inline)]
    pub(super) q: Option<SearchText>,
    /// Active (`true`) or inactive (`false`) ones only.
    pub(super) active: Option<bool>,
    /// Only those at or below their threshold (`true`), or above it (`false`).
    pub(super) low_stock: Option<bool>,
    /// Archived ones only. Staff only.
    #[param(default = false)]
    pub(super) archived: Option<bool>,
    /// What to sort by, with `-` for largest first; equals go by id.
    #[param(inline)]
    pub(super) sort: Option<ProductOrder>,
    /// `total` adds the number of products on all pages together, exactly.
    #[param(inline)]
    pub(super) include: Option<Include>,
}

/// Which of the products that run low.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LowStockFilter {
    /// Active (`true`) or inactive (`false`) ones only.
    pub(super) active: Option<bool>,
    /// What to sort by, with `-` for largest first; equals go by id.
    #[param(inline)]
    pub(super) sort: Option<ProductOrder>,
    /// `total` adds the number of products on all pages together, exactly.
    #[param(inline)]
    pub(super) include: Option<Include>,
}

/// An order of products: a word of [`WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProductOrder {
    word: &'static str,
    by: ProductSort,
}

/// The words of `sort`, each followed by its reverse.
const WORDS: [ProductOrder; 12] = [
    ProductOrder { word: "id", by: ProductSort::Id },
    ProductOrder { word: "-id", by: ProductSort::Id },
    ProductOrder { word: "name", by: ProductSort::Name },
    ProductOrder { word: "-name", by: ProductSort::Name },
    ProductOrder { word: "sku", by: ProductSort::Sku },
    ProductOrder { word: "-sku", by: ProductSort::Sku },
    ProductOrder { word: "price_cents", by: ProductSort::Price },
    ProductOrder { word: "-price_cents", by: ProductSort::Price },
    ProductOrder { word: "available", by: ProductSort::Available },
    ProductOrder { word: "-available", by: ProductSort::Available },
    ProductOrder { word: "created_at", by: ProductSort::CreatedAt },
    ProductOrder { word: "-created_at", by: ProductSort::CreatedAt },
];

impl ProductOrder {
    /// As they were added.
    pub(super) const BY_ID: Self = WORDS[0];
    /// The emptiest first.
    pub(super) const BY_AVAILABLE: Self = WORDS[8];

    fn descending(self) -> bool {
        self.word.starts_with('-')
    }

    /// Where the page after this product starts.
    pub(super) fn cursor_after(self, view: &ProductView) -> Cursor {
        let product = &view.product;
        let key = match self.by {
            ProductSort::Id => Key::Int(product.id.0),
            ProductSort::Name => Key::Text(product.name.clone()),
            ProductSort::Sku => Key::Text(product.sku.clone()),
            ProductSort::Price => Key::Int(product.price_cents),
            ProductSort::Available => Key::Int(view.level.available()),
            ProductSort::CreatedAt => Key::Int(product.created_at_us),
        };
        Cursor { key, id: product.id.0 }
    }
}

impl Sort for ProductOrder {
    fn word(&self) -> &'static str {
        self.word
    }

    fn kind(&self) -> KeyKind {
        match self.by {
            ProductSort::Name | ProductSort::Sku => KeyKind::Text,
            ProductSort::Id | ProductSort::Price | ProductSort::Available | ProductSort::CreatedAt => {
                KeyKind::Int
            }
        }
    }
}

/// All products that are not archived, in this order.
pub(super) fn product_query(order: ProductOrder, page: Page) -> ProductQuery {
    ProductQuery {
        text: None,
        active: None,
        low_stock: None,
        archived: false,
        sort: order.by,
        descending: order.descending(),
        page,
    }
}

impl<'de> Deserialize<'de> for ProductOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl Visitor<'_> for WordVisitor {
            type Value = ProductOrder;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "must be one of {}", WORDS.map(|order| order.word).join(", "))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ProductOrder, E> {
                let found = WORDS.into_iter().find(|order| order.word == text);
                found.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(WordVisitor)
    }
}

impl utoipa::PartialSchema for ProductOrder {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(WORDS.map(|order| order.word))).into()
    }
}

impl utoipa::ToSchema for ProductOrder {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProductOrder")
    }
}
