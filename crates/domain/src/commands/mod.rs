//! Everything that can be asked of the shop, by subject.

mod api_key;
mod order_change;
mod order_expire;
mod order_place;
mod product;
mod shop;
mod stock;
mod user;

pub use api_key::{CreateApiKey, NoteApiKeyUse, RevokeApiKey};
pub use order_change::{ChangeOrder, Customs, OrderChanged};
pub use order_expire::{ExpireOrders, LimitWaits};
pub use order_place::{OrderLine, OrderPlaced, PlaceOrder, PlacingCustoms, PlacingTerms};
pub use product::{
    CreateProduct, DeleteProduct, Deleted, ProductWithStock, RestoreProduct, ToggleProduct, UpdateProduct,
    generated_sku,
};
pub use shop::{ForgetAnswers, NoteSecret, OpenShop};
pub use stock::{AdjustStock, StockChange, StockLine};
pub use user::{BeginSession, CreateUser, Founding, RevokeSessions, SetPassword, UpdateUser};

use crate::{Context, Denial, Rejection};

/// Refuses everybody but staff and administrators.
fn require_staff(context: &Context) -> Result<(), Rejection> {
    if context.actor.is_staff() { Ok(()) } else { Err(Rejection::Forbidden(Denial::Role)) }
}

/// Refuses machines with a key: what is done here takes a person.
const fn require_person(context: &Context) -> Result<(), Rejection> {
    if context.actor.key.is_none() { Ok(()) } else { Err(Rejection::Forbidden(Denial::Machine)) }
}

/// Refuses a caller who had seen another version.
fn require_version(expected: Option<i64>, actual: i64) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != actual => Err(Rejection::VersionMismatch { expected, actual }),
        _ => Ok(()),
    }
}

/// Refuses a number outside `min..=max`.
fn require_range(
    field: &'static str,
    line: Option<usize>,
    value: i64,
    (min, max): (i64, i64),
) -> Result<(), Rejection> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(Rejection::OutOfRange { field, line, min, max }) }
}
