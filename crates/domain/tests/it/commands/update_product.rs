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
fn counts() {
    let available = |product_id, available| UpdateProduct { available: Some(available), ..edit(product_id) };
    check(
        STAFF,
        available(APPLE, 12),
        Ok("stock 1 counted +2 +0 = 12/0
            stock_adjusted product=1 from=10 to=12"),
    );
    check(STAFF, available(APPLE, 10), Ok(""));
    // What orders hold is on hand beside it.
    let mut shop = shop();
    do_as(&mut shop, CLEO, order(&[(APPLE, 6)]));
    super::check(&shop, STAFF, available(APPLE, 4), Ok(""));
    super::check(
        &shop,
        STAFF,
        available(APPLE, 0),
        Ok("stock 1 counted -4 +0 = 6/6
            stock_ran_low product=1 available=0 threshold=2
            stock_adjusted product=1 from=10 to=6"),
    );
    super::check(
        &shop,
        ADMIN,
        available(APPLE, MAX_STOCK - 6),
        Ok("stock 1 counted +999999999990 +0 = 1000000000000/6
            stock_adjusted product=1 from=10 to=1000000000000"),
    );
    for (product_id, value, max) in [
        (APPLE, -1, MAX_STOCK - 6),
        (APPLE, MAX_STOCK - 5, MAX_STOCK - 6),
        (APPLE, i64::MAX, MAX_STOCK - 6),
        (APPLE, i64::MIN, MAX_STOCK - 6),
        (PEAR, MAX_STOCK + 1, MAX_STOCK),
    ] {
        let refused = Err(Rejection::OutOfRange { field: "stock_quantity", line: None, min: 0, max });
        // Nothing of the rest is done, either.
        let command = UpdateProduct { price_cents: Some(1), ..available(product_id, value) };
        super::check(&shop, STAFF, command, refused);
    }
    check(STAFF, available(OLD, 1), Err(Rejection::ProductArchived(OLD)));
    check(CLEO, available(APPLE, 1), Err(Rejection::Forbidden(Denial::Role)));
    let outdated = UpdateProduct { if_version: Some(2), ..available(APPLE, 12) };
    check(STAFF, outdated, Err(Rejection::VersionMismatch { expected: 2, actual: 1 }));
}

#[test]
fn counts_after_the_rest_is_changed() {
    check(
        STAFF,
        UpdateProduct { price_cents: Some(9), available: Some(6), ..edit(PEAR) },
        Ok("product 2 v2 PEAR pear 9c low 0 active auto
            stock 2 counted +1 +0 = 6/0
            product_updated product=2 version=2
            stock_adjusted product=2 from=5 to=6"),
    );
    // What is counted already is no movement.
    check(
        STAFF,
        UpdateProduct { price_cents: Some(9), available: Some(5), ..edit(PEAR) },
        Ok("product 2 v2 PEAR pear 9c low 0 active auto
            product_updated product=2 version=2"),
    );
    // The rule of the last piece is stronger than the wish to sell.
    check(
        STAFF,
        UpdateProduct { is_active: Some(true), available: Some(0), ..edit(PEAR) },
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            stock 2 counted -5 +0 = 0/0
            stock_ran_low product=2 available=0 threshold=0
            product_deactivated product=2 automatic=true
            stock_adjusted product=2 from=5 to=0"),
    );
    check(
        STAFF,
        UpdateProduct { is_active: Some(true), auto_deactivate: Some(true), available: Some(0), ..edit(NUT) },
        Ok("product 3 v2 NUT nut 30c low 0 active auto
            product 3 v3 NUT nut 30c low 0 inactive auto
            stock 3 counted -7 +0 = 0/0
            product_updated product=3 version=2
            product_activated product=3
            stock_ran_low product=3 available=0 threshold=0
            product_deactivated product=3 automatic=true
            stock_adjusted product=3 from=7 to=0"),
    );
    // Whoever takes the rule back, or sells none any more, meets it no more.
    check(
        STAFF,
        UpdateProduct { auto_deactivate: Some(false), available: Some(0), ..edit(PEAR) },
        Ok("product 2 v2 PEAR pear 250c low 0 active
            stock 2 counted -5 +0 = 0/0
            product_updated product=2 version=2
            stock_ran_low product=2 available=0 threshold=0
            stock_adjusted product=2 from=5 to=0"),
    );
    check(
        STAFF,
        UpdateProduct { is_active: Some(false), available: Some(0), ..edit(PEAR) },
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            stock 2 counted -5 +0 = 0/0
            product_deactivated product=2 automatic=false
            stock_ran_low product=2 available=0 threshold=0
            stock_adjusted product=2 from=5 to=0"),
    );
    // Nothing was there and nothing is: the rule does not look back.
    check(
        STAFF,
        UpdateProduct { auto_deactivate: Some(true), available: Some(0), ..edit(PLUM) },
        Ok("product 5 v2 PLUM plum 50c low 0 active auto
            product_updated product=5 version=2"),
    );
}

/// Low is what is low when all is done, and it is said once.
#[test]
fn a_threshold_and_a_count_may_change_together() {
    let command = |threshold, available| UpdateProduct {
        low_stock_threshold: Some(threshold),
        available: Some(available),
        ..edit(APPLE)
    };
    let edited = |threshold: i64, delta: i64, low: bool| {
        let (to, threshold) = (10 + delta, threshold.to_string());
        let ran_low = format!("stock_ran_low product=1 available={to} threshold={threshold}\n");
        format!(
            "product 1 v2 APPLE apple 100c low {threshold} active
             stock 1 counted {delta:+} +0 = {to}/0
             product_updated product=1 version=2
             {}stock_adjusted product=1 from=10 to={to}",
            if low { &*ran_low } else { "" }
        )
    };
    for (threshold, delta, low) in
        [(10, 5, false), (10, -1, true), (15, 5, true), (15, 6, false), (9, -1, true), (8, -1, false)]
    {
        check(STAFF, command(threshold, 10 + delta), Ok(&edited(threshold, delta, low)));
    }
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
