//! [`RestoreProduct`].

use domain::{Actor, Denial, ProductId, Rejection, RestoreProduct};

use super::{ADMIN, ANONYMOUS, APPLE, CLEO, OLD, STAFF, UNKNOWN, order, shop};
use crate::shop::Shop;

#[track_caller]
fn check(
    actor: Actor,
    product_id: ProductId,
    if_version: Option<i64>,
    expected: Result<&str, Rejection>,
) -> Shop {
    super::check(&shop(), actor, RestoreProduct { product_id, if_version }, expected)
}

#[test]
fn restores() {
    let restored = "product 4 v3 OLD old 70c low 0 active
        product_restored product=4";
    check(ADMIN, OLD, None, Ok(restored));
    super::check(
        &check(STAFF, OLD, Some(2), Ok(restored)),
        CLEO,
        order(&[(OLD, 2)]),
        Ok("order 2 v1 pending for 3: 2xold@70 held, 2 for 140c
            stock 4 allocated +0 +2 = 2/2 order 2
            stock_ran_low product=4 available=0 threshold=0
            order_placed order=2 user=3 total_amount_cents=140 total_quantity=2"),
    );
    // Not archived: nothing to do.
    check(STAFF, APPLE, None, Ok(""));
    check(STAFF, APPLE, Some(1), Ok(""));
}

#[test]
fn refuses() {
    check(CLEO, OLD, None, Err(Rejection::Forbidden(Denial::Role)));
    check(ANONYMOUS, UNKNOWN, Some(9), Err(Rejection::Forbidden(Denial::Role)));
    check(STAFF, UNKNOWN, Some(9), Err(Rejection::ProductsNotFound(vec![UNKNOWN])));
    check(STAFF, OLD, Some(3), Err(Rejection::VersionMismatch { expected: 3, actual: 2 }));
    check(STAFF, APPLE, Some(2), Err(Rejection::VersionMismatch { expected: 2, actual: 1 }));
}
