//! [`CreateProduct`].

use domain::{Actor, CreateProduct, Denial, MAX_PRICE_CENTS, MAX_STOCK, ProductId, Rejection, generated_sku};

use super::{ADMIN, ANONYMOUS, CLEO, OLD, PEAR, STAFF, do_as, edit, product, shop};

#[track_caller]
fn check(actor: Actor, command: CreateProduct, expected: Result<&str, Rejection>) {
    super::check(&shop(), actor, command, expected);
}

#[test]
fn creates() {
    check(
        STAFF,
        CreateProduct { low_stock_threshold: 9, description: "juicy".to_owned(), ..product("FIG", 40, 8) },
        Ok("product 6 v1 FIG fig 40c low 9 juicy active
            stock 6 opening +8 +0 = 8/0
            product_created product=6 sku=FIG"),
    );
    // Nothing to begin with: no movement, and nothing to deactivate or to be alarmed about either.
    check(
        ADMIN,
        CreateProduct { auto_deactivate: true, low_stock_threshold: 3, ..product("FIG", 0, 0) },
        Ok("product 6 v1 FIG fig 0c low 3 active auto
            stock 6 empty
            product_created product=6 sku=FIG"),
    );
    check(
        Actor::SYSTEM,
        CreateProduct { sku: None, is_active: false, ..product("FIG", 40, 0) },
        Ok("product 6 v1 SKU-6 fig 40c low 0 inactive
            stock 6 empty
            product_created product=6 sku=SKU-6"),
    );
}

#[test]
fn keeps_skus_apart() {
    check(STAFF, product("APPLE", 1, 0), Err(Rejection::SkuTaken("APPLE".to_owned())));
    // An archived product keeps its SKU, since it may come back.
    check(STAFF, product("OLD", 1, 0), Err(Rejection::SkuTaken("OLD".to_owned())));
    for sku in ["SKU-6", "SKU-1", "SKU-007", "SKU-99999999999999999999"] {
        check(STAFF, product(sku, 1, 0), Err(Rejection::SkuReserved(sku.to_owned())));
    }
    for sku in ["SKU-", "SKU-6a", "SKU--6", "SKU-+6", "sku-6", " SKU-6", "SKU-٣", "apple"] {
        do_as(&mut shop(), STAFF, product(sku, 1, 0));
    }
    assert_eq!(generated_sku(ProductId(6)), "SKU-6");
    // A changed SKU is free again; a taken one of the reserved form is taken.
    let mut shop = shop();
    do_as(&mut shop, STAFF, CreateProduct { sku: None, ..product("FIG", 1, 0) });
    do_as(&mut shop, STAFF, domain::UpdateProduct { sku: Some("P".to_owned()), ..edit(PEAR) });
    do_as(&mut shop, STAFF, product("PEAR", 1, 0));
    super::check(&shop, STAFF, product("SKU-6", 1, 0), Err(Rejection::SkuTaken("SKU-6".to_owned())));
}

#[test]
fn keeps_names_apart_where_that_is_asked() {
    let fig = |name: &str| CreateProduct { name: name.to_owned(), ..product("FIG", 1, 0) };
    let only = |name: &str| CreateProduct { unique_name: true, ..fig(name) };
    let taken = |name: &str| Err(Rejection::NameTaken(name.to_owned()));
    // Inactive and sold out ones are in the catalogue.
    for name in ["apple", "nut", "plum"] {
        check(STAFF, only(name), taken(name));
        do_as(&mut shop(), STAFF, fig(name));
    }
    // Code point by code point; an archived product is no longer called anything.
    for name in ["Apple", "apple ", " apple", "apple\u{301}", "old", "fig", ""] {
        do_as(&mut shop(), STAFF, only(name));
    }
    // Names move with their products.
    let mut shop = shop();
    let rename = |name: &str| domain::UpdateProduct { name: Some(name.to_owned()), ..edit(PEAR) };
    do_as(&mut shop, STAFF, rename("birne"));
    super::check(&shop, STAFF, only("birne"), taken("birne"));
    do_as(&mut shop, STAFF, domain::RestoreProduct { product_id: OLD, if_version: None });
    super::check(&shop, STAFF, only("old"), taken("old"));
    do_as(&mut shop, STAFF, only("pear"));
    super::check(&shop, STAFF, CreateProduct { sku: None, ..only("pear") }, taken("pear"));
    // Only of those who ask.
    do_as(&mut shop, STAFF, rename("pear"));
    do_as(&mut shop, STAFF, domain::DeleteProduct { product_id: ProductId(6), if_version: None });
    super::check(&shop, STAFF, only("pear"), taken("pear"));
    check(CLEO, only("apple"), Err(Rejection::Forbidden(Denial::Role)));
}

#[test]
fn refuses() {
    for actor in [CLEO, ANONYMOUS] {
        check(actor, product("FIG", 40, 8), Err(Rejection::Forbidden(Denial::Role)));
    }
    let range = |field, max| Err(Rejection::OutOfRange { field, line: None, min: 0, max });
    for price in [-1, MAX_PRICE_CENTS + 1, i64::MIN] {
        check(STAFF, product("FIG", price, 0), range("price_cents", MAX_PRICE_CENTS));
    }
    for stock in [-1, MAX_STOCK + 1, i64::MAX] {
        check(STAFF, product("FIG", 0, stock), range("stock_quantity", MAX_STOCK));
        let command = CreateProduct { low_stock_threshold: stock, ..product("FIG", 0, 0) };
        check(STAFF, command, range("low_stock_threshold", MAX_STOCK));
    }
    let most = CreateProduct { low_stock_threshold: MAX_STOCK, ..product("FIG", MAX_PRICE_CENTS, MAX_STOCK) };
    do_as(&mut shop(), STAFF, most);
}
