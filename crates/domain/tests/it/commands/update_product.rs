//! [`UpdateProduct`].

use domain::{Actor, CreateProduct, Denial, MAX_PRICE_CENTS, MAX_STOCK, ProductId, Rejection, UpdateProduct};

use super::{
    ADMIN, ANONYMOUS, APPLE, CLEO, NUT, OLD, PEAR, PLUM, STAFF, UNKNOWN, do_as, edit, order, product, shop,
};

#[track_caller]
fn check(actor: Actor, command: UpdateProduct, expected: Result<&str, Rejection>) {
    super::check(&shop(), actor, command, expected);
}

fn threshold(product_id: ProductId, threshold: i64) -> UpdateProduct {
    UpdateProduct { low_stock_threshold: Some(threshold), ..edit(product_id) }
}

#[test]
fn edits() {
    check(
        STAFF,
        UpdateProduct {
            product_id: APPLE,
            if_version: Some(1),
            sku: Some("A".to_owned()),
            name: Some("gala".to_owned()),
            description: Some("sweet".to_owned()),
            price_cents: Some(120),
            is_active: Some(false),
            low_stock_threshold: Some(3),
            auto_deactivate: Some(true),
            available: None,
        },
        Ok("product 1 v2 A gala 120c low 3 sweet inactive auto
            product_updated product=1 version=2
            product_deactivated product=1 automatic=false"),
    );
    check(
        ADMIN,
        UpdateProduct { price_cents: Some(0), ..edit(APPLE) },
        Ok("product 1 v2 APPLE apple 0c low 2 active
            product_updated product=1 version=2"),
    );
    // Activity alone has an event of its own.
    check(
        STAFF,
        UpdateProduct { is_active: Some(true), ..edit(NUT) },
        Ok("product 3 v2 NUT nut 30c low 0 active
            product_activated product=3"),
    );
}

#[test]
fn leaves_alone_what_is_already_so() {
    check(STAFF, edit(APPLE), Ok(""));
    let same = UpdateProduct {
        product_id: APPLE,
        if_version: Some(1),
        sku: Some("APPLE".to_owned()),
        name: Some("apple".to_owned()),
        description: Some(String::new()),
        price_cents: Some(100),
        is_active: Some(true),
        low_stock_threshold: Some(2),
        auto_deactivate: Some(false),
        available: None,
    };
    check(STAFF, same, Ok(""));
    // Its own generated SKU is not a choice.
    let mut shop = shop();
    do_as(&mut shop, STAFF, CreateProduct { sku: None, ..product("FIG", 1, 0) });
    let own = UpdateProduct { sku: Some("SKU-6".to_owned()), ..edit(ProductId(6)) };
    super::check(&shop, STAFF, own.clone(), Ok(""));
    do_as(&mut shop, STAFF, UpdateProduct { sku: Some("FIG".to_owned()), ..edit(ProductId(6)) });
    super::check(&shop, STAFF, own, Err(Rejection::SkuReserved("SKU-6".to_owned())));
}

#[test]
fn a_raised_threshold_may_be_crossed() {
    check(
        STAFF,
        threshold(APPLE, 10),
        Ok("product 1 v2 APPLE apple 100c low 10 active
            product_updated product=1 version=2
            stock_ran_low product=1 available=10 threshold=10"),
    );
    check(
        STAFF,
        threshold(APPLE, 9),
        Ok("product 1 v2 APPLE apple 100c low 9 active
            product_updated product=1 version=2"),
    );
    // Low before and after.
    check(
        STAFF,
        threshold(PLUM, 4),
        Ok("product 5 v2 PLUM plum 50c low 4 active
            product_updated product=5 version=2"),
    );
    // What orders hold does not count.
    let mut shop = shop();
    do_as(&mut shop, CLEO, order(&[(APPLE, 6)]));
    super::check(
        &shop,
        STAFF,
        threshold(APPLE, 4),
        Ok("product 1 v2 APPLE apple 100c low 4 active
            product_updated product=1 version=2
            stock_ran_low product=1 available=4 threshold=4"),
    );
}

/// The rule speaks of the moment in which the last piece goes.
#[test]
fn the_rule_of_the_last_piece_does_not_look_back() {
    check(
        STAFF,
        UpdateProduct { auto_deactivate: Some(true), ..edit(PLUM) },
        Ok("product 5 v2 PLUM plum 50c low 0 active auto
            product_updated product=5 version=2"),
    );
}

#[test]
fn refuses() {
    for actor in [CLEO, ANONYMOUS] {
        check(actor, edit(UNKNOWN), Err(Rejection::Forbidden(Denial::Role)));
    }
    check(STAFF, edit(UNKNOWN), Err(Rejection::ProductsNotFound(vec![UNKNOWN])));
    check(STAFF, edit(OLD), Err(Rejection::ProductArchived(OLD)));
    let outdated = UpdateProduct { if_version: Some(2), price_cents: Some(1), ..edit(APPLE) };
    check(STAFF, outdated, Err(Rejection::VersionMismatch { expected: 2, actual: 1 }));
    for taken in ["PEAR", "OLD"] {
        let command = UpdateProduct { sku: Some(taken.to_owned()), ..edit(APPLE) };
        check(STAFF, command, Err(Rejection::SkuTaken(taken.to_owned())));
    }
    let reserved = UpdateProduct { sku: Some("SKU-1".to_owned()), ..edit(APPLE) };
    check(STAFF, reserved, Err(Rejection::SkuReserved("SKU-1".to_owned())));
    let range = |field, max| Err(Rejection::OutOfRange { field, line: None, min: 0, max });
    for value in [-1, MAX_PRICE_CENTS + 1] {
        let command = UpdateProduct { price_cents: Some(value), ..edit(PEAR) };
        check(STAFF, command, range("price_cents", MAX_PRICE_CENTS));
    }
    for value in [-1, MAX_STOCK + 1] {
        check(STAFF, threshold(PEAR, value), range("low_stock_threshold", MAX_STOCK));
    }
}
