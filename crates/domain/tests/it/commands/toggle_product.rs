//! [`ToggleProduct`].

use domain::{Actor, Denial, ProductId, Rejection, ToggleProduct};

use super::{ADMIN, ANONYMOUS, APPLE, CLEO, NUT, OLD, STAFF, UNKNOWN, shop};

#[track_caller]
fn check(actor: Actor, product_id: ProductId, if_version: Option<i64>, expected: Result<&str, Rejection>) {
    super::check(&shop(), actor, ToggleProduct { product_id, if_version }, expected);
}

#[test]
fn toggles() {
    check(
        STAFF,
        APPLE,
        None,
        Ok("product 1 v2 APPLE apple 100c low 2 inactive
            product_deactivated product=1 automatic=false"),
    );
    check(
        ADMIN,
        NUT,
        Some(1),
        Ok("product 3 v2 NUT nut 30c low 0 active
            product_activated product=3"),
    );
}

#[test]
fn refuses() {
    check(CLEO, APPLE, None, Err(Rejection::Forbidden(Denial::Role)));
    check(ANONYMOUS, UNKNOWN, None, Err(Rejection::Forbidden(Denial::Role)));
    check(STAFF, UNKNOWN, None, Err(Rejection::ProductsNotFound(vec![UNKNOWN])));
    check(STAFF, OLD, None, Err(Rejection::ProductArchived(OLD)));
    check(STAFF, APPLE, Some(9), Err(Rejection::VersionMismatch { expected: 9, actual: 1 }));
}
