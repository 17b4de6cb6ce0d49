//! The one place where a rejection of the rules becomes a problem document.

use std::borrow::Cow;

use axum::http::StatusCode;
use domain::{Denial, Goal, OrderId, ProductId, Rejection, Status};
use serde_json::json;
use store::StoreError;

use super::problem::Problem;
use crate::app::Failure;

impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        Self::refusal(rejection, Some("items"))
    }
}

/// What is wrong with a SKU that nobody may choose.
const SKU_RESERVED: &str =
    "must not have the form SKU-<number>, which is made from ids; leave it out to get one";

impl Problem {
    /// The answer to a rejection. `lines` is what the request calls its list of lines; `None` when the fields of its
    /// one line stand at the top of the body.
    pub fn refusal(rejection: &Rejection, lines: Option<&str>) -> Self {
        let code = rejection.code();
        match rejection {
            Rejection::Forbidden(denial) => {
                Self::new(StatusCode::FORBIDDEN, code, Cow::Borrowed(denial_text(*denial)))
            }
            Rejection::ProductsNotFound(ids) => {
                Self::not_found(code, products(ids)).with("product_ids", raw(ids))
            }
            Rejection::OrderNotFound(id) => Self::not_found(code, format_args!("Order {}", id.0)),
            Rejection::UserNotFound(id) => Self::not_found(code, format_args!("User {}", id.0)),
            Rejection::ApiKeyNotFound(id) => Self::not_found(code, format_args!("API key {}", id.0)),
            Rejection::SkuTaken(sku) => {
                Self::conflict(code, format!("The SKU {sku} belongs to another product."))
            }
            Rejection::SkuReserved(_) => Self::invalid("sku", SKU_RESERVED),
            Rejection::NameTaken(name) => Self::conflict(code, format!("Another product is called {name}.")),
            Rejection::UsernameTaken(name) => Self::conflict(code, format!("The username {name} is taken.")),
            Rejection::EmailTaken(email) => {
                Self::conflict(code, format!("The e-mail address {email} belongs to another user."))
            }
            Rejection::ProductsInactive(ids) => {
                Self::conflict(code, format!("{} takes no orders at the moment.", products(ids)))
                    .with("product_ids", raw(ids))
            }
            Rejection::ProductArchived(id) => {
                Self::conflict(code, format!("Product {} is archived; restore it first.", id.0))
            }
            Rejection::InsufficientStock(shortages) => insufficient_stock(code, shortages),
            Rejection::StockChanged { product_id, expected, actual } => {
                stock_changed(code, *product_id, *expected, *actual)
            }
            Rejection::StockAllocated { product_id, requested, allocated } => {
                stock_allocated(code, *product_id, *requested, *allocated)
            }
            Rejection::InvalidTransition { order_id, from, goal } => {
                invalid_transition(code, *order_id, *from, goal)
            }
            Rejection::InvalidInitialStatus(status) => Self::invalid(
                "status",
                format!("an order cannot start as {}; choose pending, confirmed or paid", status.word()),
            ),
            Rejection::VersionMismatch { .. } => Self::precondition_failed(),
            Rejection::NoLines => Self::invalid(lines.unwrap_or("body"), "must have at least one line"),
            Rejection::TooManyLines { limit } => {
                Self::invalid(lines.unwrap_or("body"), format!("must have at most {limit} lines"))
            }
            Rejection::OutOfRange { field, line, min, max } => {
                let place = line.zip(lines).map(|(line, lines)| format!("{lines}[{line}].{field}"));
                Self::invalid(place.unwrap_or_else(|| (*field).to_owned()), range_text(*min, *max))
            }
            Rejection::TotalOverflow => {
                Self::invalid(lines.unwrap_or("body"), "add up to more than can be represented")
            }
            Rejection::TooManyOpenOrders { limit, open, .. } => too_many_orders(code, *limit, *open),
            Rejection::TooManyUnitsHeld { limit, held, requested, .. } => {
                too_many_units(code, *limit, *held, *requested)
            }
            Rejection::UserInactive(id) => Self::conflict(code, format!("User {} is deactivated.", id.0)),
            Rejection::RegistrationClosed => Self::registration_closed(),
            Rejection::LastAdmin => {
                Self::conflict(code, "The shop would be left without an active administrator.")
            }
            Rejection::CredentialsChanged => {
                Self::conflict(code, "The password was changed meanwhile; log in again.")
            }
            Rejection::CurrencyMismatch { shop } => {
                Self::conflict(code, format!("The shop keeps its prices in {shop}."))
            }
        }
    }
}

/// What a number must be. What still fits may be nothing at all.
fn range_text(min: i64, max: i64) -> String {
    if max < min {
        "is too large: nothing more fits".to_owned()
    } else {
        format!("must be between {min} and {max}")
    }
}

fn denial_text(denial: Denial) -> &'static str {
    match denial {
        Denial::Role => "Your role does not permit this.",
        Denial::OrderForAnother => "Customers place orders for themselves only.",
        Denial::InitialStatus => "Only staff place orders that start as confirmed or paid.",
        Denial::CancelTooLate => "A paid order can only be cancelled by the shop.",
        Denial::ForeignOrder => "The order is somebody else's.",
        Denial::GrantRole => "Only an administrator hands out roles.",
        Denial::Machine => "Only a person may do this, not a machine with an API key.",
        Denial::SetActive => "Only an administrator activates or deactivates accounts.",
    }
}

fn stock_changed(code: &'static str, id: ProductId, expected: i64, actual: i64) -> Problem {
    let detail = format!("Product {} has {actual} on hand, not the expected {expected}.", id.0);
    Problem::conflict(code, detail).with("product_id", id.0).with("expected", expected).with("actual", actual)
}

fn stock_allocated(code: &'static str, id: ProductId, requested: i64, allocated: i64) -> Problem {
    let detail = format!("Open orders hold {allocated} of product {}; {requested} would be too few.", id.0);
    Problem::conflict(code, detail)
        .with("product_id", id.0)
        .with("requested", requested)
        .with("allocated", allocated)
}

fn too_many_orders(code: &'static str, limit: i64, open: i64) -> Problem {
    let detail = format!("There are {open} open orders already; pay or cancel one of them first.");
    Problem::conflict(code, detail).with("limit", limit).with("open", open)
}

fn too_many_units(code: &'static str, limit: i64, held: i64, requested: i64) -> Problem {
    let detail = format!("Open orders may ask for {limit} pieces together, and do for {held} already.");
    Problem::conflict(code, detail).with("limit", limit).with("held", held).with("requested", requested)
}

fn invalid_transition(code: &'static str, id: OrderId, from: Status, goal: &Goal) -> Problem {
    let (what, word, verb) = match goal {
        Goal::Act(action) => ("action", action.word(), ""),
        Goal::Reach(status) => ("requested", status.word(), "become "),
    };
    let detail = format!("Order {} is {}; it cannot {verb}{word}.", id.0, from.word());
    Problem::conflict(code, detail).with("status_now", from.word()).with(what, word)
}

fn insufficient_stock(code: &'static str, shortages: &[domain::Shortage]) -> Problem {
    let texts: Vec<String> = shortages
        .iter()
        .map(|short| {
            let (id, requested, available) = (short.product_id.0, short.requested, short.available);
            format!("product {id} (requested {requested}, available {available})")
        })
        .collect();
    let members: Vec<_> = shortages
        .iter()
        .map(|short| {
            json!({
                "product_id": short.product_id.0,
                "requested": short.requested,
                "available": short.available,
            })
        })
        .collect();
    Problem::conflict(code, format!("Insufficient stock for {}.", texts.join(", "))).with("products", members)
}

/// `Product 7` or `Products 7, 9`.
fn products(ids: &[ProductId]) -> String {
    let numbers: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
    format!("Product{} {}", if ids.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

fn raw(ids: &[ProductId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Overloaded => Self::overloaded(1),
            Failure::KeyInProgress => Self::conflict(
                "IDEMPOTENCY_IN_PROGRESS",
                "A request with this Idempotency-Key is still being carried out; repeat it shortly.",
            )
            .retry_after(1),
            Failure::KeyReused => Self::idempotency_key_reused(),
            // The rules foresee all constraints but a race with another server: repeating decides it anew.
            Failure::Storage(error) if error.duplicate().is_some() => {
                Self::conflict("CONFLICT", "Somebody else was faster; repeat the request.").retry_after(1)
            }
            Failure::Storage(error) if matches!(**error, StoreError::OutcomeUnknown(_)) => {
                Self::outcome_unknown(&failure)
            }
            Failure::Storage(error) if error.is_of_storage() => Self::storage_failed(&failure),
            Failure::Storage(error) if error.is_outage() => Self::unavailable(&failure),
            Failure::Unsafe(_) => Self::unsafe_database(&failure),
            Failure::Stopped | Failure::Late => Self::unavailable(&failure),
            Failure::Storage(_) | Failure::Dropped => Self::internal(&failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/api/v1` never asks for these, so no request of its tests meets them.
    #[test]
    fn what_other_contracts_ask_for_has_an_answer_too() {
        for (rejection, status, code, detail) in [
            (
                Rejection::NameTaken("Tea".to_owned()),
                StatusCode::CONFLICT,
                "NAME_TAKEN",
                "Another product is called Tea.",
            ),
            (
                Rejection::Forbidden(Denial::ForeignOrder),
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "The order is somebody else's.",
            ),
        ] {
            let problem = Problem::from(&rejection);
            assert_eq!((problem.status(), problem.code(), problem.detail()), (status, code, detail));
        }
    }
}
