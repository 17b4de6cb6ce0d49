//! Changes of stock on the wire.

use std::borrow::Cow;

use domain::{AdjustStock, MAX_ADJUSTMENT_LINES, ProductId, StockChange, StockLine};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::products::{ProductBody, example};
use crate::app::views::ProductView;
use crate::request::OperationBody;
use crate::wire::values::{Id, Note, Quantity, Reason, StockCount, given};

/// Goods that come in or go out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockMove {
    quantity: Quantity,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    reason: Option<Reason>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    note: Option<Note>,
}

impl OperationBody for StockMove {
    const LINES: Option<&'static str> = None;
}

impl StockMove {
    /// What this says about a product.
    pub(super) fn line(self, product_id: ProductId, change: fn(i64) -> StockChange) -> StockLine {
        line(product_id, change(self.quantity.get()), self.reason, self.note)
    }
}

/// Goods that were counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockCounted {
    on_hand: StockCount,
    /// Refuse unless this many pieces were on hand.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    expected: Option<StockCount>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    reason: Option<Reason>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    note: Option<Note>,
}

impl OperationBody for StockCounted {
    const LINES: Option<&'static str> = None;
}

impl StockCounted {
    /// What this says about a product.
    pub(super) fn line(self, product_id: ProductId) -> StockLine {
        line(product_id, counted(self.on_hand, self.expected), self.reason, self.note)
    }
}

fn counted(on_hand: StockCount, expected: Option<StockCount>) -> StockChange {
    StockChange::Set { on_hand: on_hand.get(), expected: expected.map(StockCount::get) }
}

fn line(product_id: ProductId, change: StockChange, reason: Option<Reason>, note: Option<Note>) -> StockLine {
    StockLine {
        product_id,
        change,
        reason: reason.map(Reason::into_string),
        note: note.map(Note::into_string),
    }
}

/// Changes of many levels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Adjustment {
    /// The changes, in the order in which they are made.
    #[serde(deserialize_with = "some_lines")]
    #[schema(min_items = 1, max_items = 500)]
    lines: Vec<AdjustmentLine>,
}

impl OperationBody for Adjustment {
    const LINES: Option<&'static str> = Some("lines");
}

impl From<Adjustment> for AdjustStock {
    fn from(body: Adjustment) -> Self {
        Self { lines: body.lines.into_iter().map(|line| line.0).collect() }
    }
}

fn some_lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AdjustmentLine>, D::Error> {
    let lines = Vec::deserialize(deserializer)?;
    match lines.len() {
        0 => Err(D::Error::custom("must have at least one line")),
        1..=MAX_ADJUSTMENT_LINES => Ok(lines),
        _ => Err(D::Error::custom(format_args!("must have at most {MAX_ADJUSTMENT_LINES} lines"))),
    }
}

/// A change of one product's level; `change` says which.
#[derive(ToSchema)]
#[serde(tag = "change", rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what AdjustmentLine reads")]
enum AdjustmentLineBody {
    /// Goods came in.
    Increment {
        product_id: Id,
        quantity: Quantity,
        #[schema(nullable = false)]
        reason: Option<Reason>,
        #[schema(nullable = false)]
        note: Option<Note>,
    },
    /// Goods go out, at most what is available.
    Decrement {
        product_id: Id,
        quantity: Quantity,
        #[schema(nullable = false)]
        reason: Option<Reason>,
        #[schema(nullable = false)]
        note: Option<Note>,
    },
    /// Somebody counted.
    Set {
        product_id: Id,
        on_hand: StockCount,
        /// Refuse unless this many pieces were on hand.
        #[schema(nullable = false)]
        expected: Option<StockCount>,
        #[schema(nullable = false)]
        reason: Option<Reason>,
        #[schema(nullable = false)]
        note: Option<Note>,
    },
}

/// A line as it is read: all fields first, then those that its `change` wants. A tagged enum of serde would buffer
/// them, and errors would lose the names of their fields.
#[derive(Debug)]
struct AdjustmentLine(StockLine);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyLine {
    /// Looked for last: while it is missing, nothing else can be found out about the line.
    #[serde(default, deserialize_with = "given")]
    change: Option<ChangeWord>,
    product_id: Id,
    #[serde(default, deserialize_with = "given")]
    quantity: Option<Quantity>,
    #[serde(default, deserialize_with = "given")]
    on_hand: Option<StockCount>,
    #[serde(default, deserialize_with = "given")]
    expected: Option<StockCount>,
    #[serde(default, deserialize_with = "given")]
    reason: Option<Reason>,
    #[serde(default, deserialize_with = "given")]
    note: Option<Note>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ChangeWord {
    Increment,
    Decrement,
    Set,
}

impl AnyLine {
    fn change<E: serde::de::Error>(&self) -> Result<StockChange, E> {
        let word = self.change.ok_or_else(|| E::missing_field("change"))?;
        match word {
            ChangeWord::Increment | ChangeWord::Decrement => {
                let quantity = self.quantity.ok_or_else(|| E::missing_field("quantity"))?.get();
                if self.on_hand.is_some() {
                    return Err(E::unknown_field("on_hand", &[]));
                }
                if self.expected.is_some() {
                    return Err(E::unknown_field("expected", &[]));
                }
                Ok(match word {
                    ChangeWord::Increment => StockChange::Increment(quantity),
                    _ => StockChange::Decrement(quantity),
                })
            }
            ChangeWord::Set => {
                let on_hand = self.on_hand.ok_or_else(|| E::missing_field("on_hand"))?;
                if self.quantity.is_some() {
                    return Err(E::unknown_field("quantity", &[]));
                }
                Ok(counted(on_hand, self.expected))
            }
        }
    }
}

impl<'de> Deserialize<'de> for AdjustmentLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let any = AnyLine::deserialize(deserializer)?;
        let change = any.change()?;
        Ok(Self(line(ProductId(any.product_id.get()), change, any.reason, any.note)))
    }
}

impl PartialSchema for AdjustmentLine {
    fn schema() -> RefOr<Schema> {
        let mut schema = AdjustmentLineBody::schema();
        // The derive does not say this of the variants of an enum.
        if let RefOr::T(Schema::OneOf(kinds)) = &mut schema {
            for kind in &mut kinds.items {
                if let RefOr::T(Schema::Object(object)) = kind {
                    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
                }
            }
        }
        schema
    }
}

impl ToSchema for AdjustmentLine {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("AdjustmentLine")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        AdjustmentLineBody::schemas(schemas);
    }
}

/// The products of an adjustment.
#[derive(Serialize, ToSchema)]
pub(super) struct AdjustedBody<'a> {
    /// Each product once, in the order of its first line.
    products: Vec<ProductBody<'a>>,
}

impl<'a> AdjustedBody<'a> {
    /// The products as they are now, in the shop's currency.
    pub(super) fn new(views: &'a [ProductView], currency: &'a str) -> Self {
        Self { products: views.iter().map(|view| ProductBody::new(view, currency)).collect() }
    }
}

/// An answer for the document.
pub(super) fn example_adjusted() -> Value {
    json!({"products": [example()]})
}
