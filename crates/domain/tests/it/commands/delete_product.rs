//! [`DeleteProduct`].

use std::sync::Arc;

use domain::{
    Action, Actor, AllocateAt, Command, Context, DeleteProduct, Deleted, Denial, PlaceOrder, ProductId,
    ProductWithStock, Rejection,
};

use super::{
    ADMIN, ANONYMOUS, APPLE, CLEO, NUT, OLD, PEAR, PLUM, STAFF, UNKNOWN, act, do_as, order, product, shop,
};
use crate::shop::Shop;

fn delete(product_id: ProductId) -> DeleteProduct {
    DeleteProduct { product_id, if_version: None }
}

#[track_caller]
fn check(shop: &Shop, actor: Actor, product_id: ProductId, expected: Result<&str, Rejection>) -> Shop {
    super::check(shop, actor, delete(product_id), expected)
}

#[test]
fn erases_what_no_order_refers_to() {
    // The ledger is closed at zero, without alarms about a product that is about to be gone.
    let after = check(
        &shop(),
        STAFF,
        PEAR,
        Ok("erase product 2
            stock 2 erased -5 +0 = 0/0
            product_erased product=2 sku=PEAR"),
    );
    assert_eq!(after.sums[&PEAR], (0, 0));
    check(
        &shop(),
        ADMIN,
        PLUM,
        Ok("erase product 5
            product_erased product=5 sku=PLUM"),
    );
    check(
        &shop(),
        ADMIN,
        NUT,
        Ok("erase product 3
            stock 3 erased -7 +0 = 0/0
            product_erased product=3 sku=NUT"),
    );
    // Gone means gone: the SKU is free, the number is not.
    super::check(
        &check(&after, STAFF, PEAR, Err(Rejection::ProductsNotFound(vec![PEAR]))),
        STAFF,
        product("PEAR", 1, 0),
        Ok("product 6 v1 PEAR pear 1c low 0 active
            stock 6 empty
            product_created product=6 sku=PEAR"),
    );
}

#[test]
fn archives_what_orders_refer_to() {
    let archived = "product 1 v2 APPLE apple 100c low 2 active archived
        product_archived product=1";
    let mut ordered = shop();
    do_as(&mut ordered, CLEO, order(&[(APPLE, 4)]));
    let mut after = check(&ordered, STAFF, APPLE, Ok(archived));
    // The order stays whole and goes its way.
    do_as(&mut after, STAFF, act(2, Action::Pay));
    do_as(&mut after, STAFF, act(2, Action::Ship));
    assert_eq!((after.levels[&APPLE].on_hand, after.levels[&APPLE].allocated), (6, 0));
    // Also when the order holds nothing yet, or nothing any more.
    let mut late = shop();
    do_as(&mut late, CLEO, PlaceOrder { allocate_at: AllocateAt::Confirmation, ..order(&[(APPLE, 4)]) });
    check(&late, STAFF, APPLE, Ok(archived));
    do_as(&mut ordered, CLEO, act(2, Action::Cancel));
    check(&ordered, STAFF, APPLE, Ok(archived));
}

#[test]
fn archives_once() {
    let mut shop = shop();
    let before = shop.products[&OLD].clone();
    // Long after: the answer must not claim a change that did not happen.
    for (_, product) in shop.products.iter_mut().filter(|(id, _)| **id == OLD) {
        product.updated_at_us = 1;
        product.archived_at_us = Some(1);
    }
    let after = check(&shop, STAFF, OLD, Ok(""));
    assert_eq!(after.products[&OLD].version, before.version);
    assert_eq!(after.products[&OLD].archived_at_us, Some(1));
    // Callers are told which of the two it was.
    let outcome = |shop: &Shop, product_id| {
        let context = Context { actor: STAFF, now_us: 5, request_id: Arc::from("r"), source: None };
        let command = delete(product_id);
        command.decide(&shop.load(&command.keys(&context)), &context).unwrap().outcome
    };
    let product = shop.products[&OLD].clone();
    let shown = ProductWithStock { product, level: shop.levels[&OLD] };
    assert_eq!(outcome(&shop, OLD), Deleted::AlreadyArchived(shown));
    do_as(&mut shop, CLEO, order(&[(APPLE, 1)]));
    assert!(matches!(outcome(&shop, APPLE), Deleted::Archived(shown) if shown.product.version == 2));
}

#[test]
fn refuses() {
    let shop = shop();
    check(&shop, CLEO, APPLE, Err(Rejection::Forbidden(Denial::Role)));
    check(&shop, ANONYMOUS, UNKNOWN, Err(Rejection::Forbidden(Denial::Role)));
    check(&shop, STAFF, UNKNOWN, Err(Rejection::ProductsNotFound(vec![UNKNOWN])));
    for product_id in [APPLE, OLD] {
        let command = DeleteProduct { product_id, if_version: Some(9) };
        let actual = shop.products[&product_id].version;
        super::check(&shop, STAFF, command, Err(Rejection::VersionMismatch { expected: 9, actual }));
    }
}
