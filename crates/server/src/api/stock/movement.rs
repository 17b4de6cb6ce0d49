//! The ledger on the wire.

use domain::{MovementKind as Kind, OrderId, ProductId, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::page::PageBody;
use crate::app::views::{Listing, MovementView, Page, Start};
use crate::wire::paging::{ByNumber, Cursor};
use crate::wire::time::Rfc3339;
use crate::wire::values::MovementKind;

/// The one order of the ledger: latest first.
pub(super) const BY_LATEST: ByNumber = ByNumber("-id");

/// A line of the ledger: who changed the stock of a product, when, why, and from what to what.
#[derive(Serialize, ToSchema)]
struct MovementBody<'a> {
    /// Number of the line.
    id: i64,
    /// Number of the product.
    product_id: i64,
    kind: MovementKind,
    /// Pieces on hand before.
    on_hand_before: i64,
    /// Difference in pieces on hand.
    on_hand_delta: i64,
    /// Pieces on hand afterwards.
    on_hand_after: i64,
    /// Pieces that orders held before.
    allocated_before: i64,
    /// Difference in pieces that orders hold.
    allocated_delta: i64,
    /// Pieces that orders held afterwards.
    allocated_after: i64,
    /// Number of the order behind it, if there is one.
    #[schema(required)]
    order_id: Option<i64>,
    /// Number of the user who did it; null for the system and for callers without an account.
    #[schema(required)]
    actor_id: Option<i64>,
    /// Their name.
    #[schema(required)]
    actor_name: Option<&'a str>,
    /// The reason that was given.
    #[schema(required)]
    reason: Option<&'a str>,
    /// The note that was given.
    #[schema(required)]
    note: Option<&'a str>,
    /// The request in which it happened.
    request_id: &'a str,
    /// When.
    at: Rfc3339,
}

impl<'a> From<&'a MovementView> for MovementBody<'a> {
    fn from(view: &'a MovementView) -> Self {
        Self {
            id: view.id,
            product_id: view.product_id.0,
            kind: view.kind.into(),
            on_hand_before: view.on_hand_after - view.on_hand_delta,
            on_hand_delta: view.on_hand_delta,
            on_hand_after: view.on_hand_after,
            allocated_before: view.allocated_after - view.allocated_delta,
            allocated_delta: view.allocated_delta,
            allocated_after: view.allocated_after,
            order_id: view.order_id.map(|id| id.0),
            actor_id: view.actor_id.map(|id| id.0),
            actor_name: view.actor_name.as_deref(),
            reason: view.reason.as_deref(),
            note: view.note.as_deref(),
            request_id: &view.request_id,
            at: Rfc3339(view.at_us),
        }
    }
}

/// A page of a product's ledger.
#[derive(Serialize, ToSchema)]
pub(super) struct MovementListBody<'a> {
    /// The lines, latest first.
    movements: Vec<MovementBody<'a>>,
    #[serde(flatten)]
    page: PageBody,
}

impl<'a> MovementListBody<'a> {
    /// A page of the ledger.
    pub(super) fn new(listing: &'a Listing<MovementView>, page: &Page) -> Self {
        Self {
            movements: listing.rows.iter().map(MovementBody::from).collect(),
            page: PageBody::new(page, listing, &BY_LATEST, |view| Cursor::by_id(view.id)),
        }
    }
}

/// A page for the document.
pub(super) fn example_movements() -> Value {
    let shipped = MovementView {
        id: 42,
        product_id: ProductId(1),
        kind: Kind::Shipped,
        on_hand_delta: -2,
        allocated_delta: -2,
        on_hand_after: 98,
        allocated_after: 0,
        order_id: Some(OrderId(7)),
        actor_id: Some(UserId(2)),
        actor_name: Some("Sam Staff".to_owned()),
        reason: None,
        note: None,
        request_id: "0kq3v8x2m5t9a".to_owned(),
        at_us: 1_705_401_000_000_000,
    };
    let listing = Listing { rows: vec![shipped], more: false };
    json!(MovementListBody::new(&listing, &Page { limit: 20, start: Start::Offset(0) }))
}
