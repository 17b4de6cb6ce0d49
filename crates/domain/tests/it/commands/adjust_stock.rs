//! [`AdjustStock`].

use domain::{
    Actor, AdjustStock, Command as _, Context, Denial, MAX_ADJUSTMENT_LINES, MAX_STOCK, ProductId, Rejection,
    Shortage, StockChange, StockLine,
};

use super::{ADMIN, ANONYMOUS, APPLE, CLEO, NUT, OLD, PEAR, PLUM, STAFF, UNKNOWN, do_as, order, shop};
use crate::shop::Shop;

use StockChange::{Decrement, Increment};

/// Counted, whatever was there.
const fn count(on_hand: i64) -> StockChange {
    StockChange::Set { on_hand, expected: None }
}

fn lines(changes: &[(ProductId, StockChange)]) -> AdjustStock {
    let line = |(product_id, change): &(ProductId, StockChange)| StockLine {
        product_id: *product_id,
        change: *change,
        reason: None,
        note: None,
    };
    AdjustStock { lines: changes.iter().map(line).collect() }
}

#[track_caller]
fn check(shop: &Shop, actor: Actor, changes: &[(ProductId, StockChange)], expected: Result<&str, Rejection>) {
    super::check(shop, actor, lines(changes), expected);
}

/// A shop where Cleo's order 2 holds four apples.
fn ordered() -> Shop {
    let mut shop = shop();
    do_as(&mut shop, CLEO, order(&[(APPLE, 4)]));
    shop
}

#[test]
fn receives_removes_and_counts() {
    let shop = ordered();
    check(
        &shop,
        STAFF,
        &[(APPLE, Increment(5))],
        Ok("stock 1 received +5 +0 = 15/4
            stock_adjusted product=1 from=10 to=15"),
    );
    check(
        &shop,
        ADMIN,
        &[(APPLE, Decrement(3))],
        Ok("stock 1 removed -3 +0 = 7/4
            stock_adjusted product=1 from=10 to=7"),
    );
    check(
        &shop,
        STAFF,
        &[(APPLE, count(9))],
        Ok("stock 1 counted -1 +0 = 9/4
            stock_adjusted product=1 from=10 to=9"),
    );
    // A count that confirms the level is worth a line in the ledger, but changes nothing.
    check(&shop, STAFF, &[(APPLE, count(10))], Ok("stock 1 counted +0 +0 = 10/4"));
    // Inactive products have stock like any other.
    check(
        &shop,
        STAFF,
        &[(NUT, Increment(1))],
        Ok("stock 3 received +1 +0 = 8/0
            stock_adjusted product=3 from=7 to=8"),
    );
}

#[test]
fn keeps_reason_and_note() {
    let line = StockLine {
        product_id: APPLE,
        change: Decrement(1),
        reason: Some("damaged".to_owned()),
        note: Some("fell".to_owned()),
    };
    super::check(
        &shop(),
        STAFF,
        AdjustStock { lines: vec![line] },
        Ok("stock 1 removed -1 +0 = 9/0 \"damaged\" \"fell\"
            stock_adjusted product=1 from=10 to=9"),
    );
}

#[test]
fn takes_lines_in_their_order() {
    let shop = ordered();
    check(
        &shop,
        STAFF,
        &[(APPLE, Increment(5)), (PEAR, Increment(1)), (APPLE, Decrement(11))],
        Ok("stock 1 received +5 +0 = 15/4
            stock 2 received +1 +0 = 6/0
            stock 1 removed -11 +0 = 4/4
            stock_adjusted product=1 from=10 to=15
            stock_adjusted product=2 from=5 to=6
            stock_ran_low product=1 available=0 threshold=2
            stock_adjusted product=1 from=15 to=4"),
    );
}

#[test]
fn never_takes_what_orders_hold() {
    let shop = ordered();
    let short = |product_id, requested, available| Shortage { product_id, requested, available };
    check(
        &shop,
        STAFF,
        &[(APPLE, Decrement(7)), (NUT, Decrement(1)), (PLUM, Decrement(1)), (PEAR, Increment(1))],
        Err(Rejection::InsufficientStock(vec![short(APPLE, 7, 6), short(PLUM, 1, 0)])),
    );
    let allocated = Rejection::StockAllocated { product_id: APPLE, requested: 3, allocated: 4 };
    check(&shop, STAFF, &[(APPLE, count(3))], Err(allocated));
    check(
        &shop,
        STAFF,
        &[(APPLE, count(4))],
        Ok("stock 1 counted -6 +0 = 4/4
            stock_ran_low product=1 available=0 threshold=2
            stock_adjusted product=1 from=10 to=4"),
    );
}

#[test]
fn compares_and_sets() {
    let shop = ordered();
    let set = |on_hand, expected| StockChange::Set { on_hand, expected: Some(expected) };
    // What is compared is on hand, not what is available.
    let changed = Rejection::StockChanged { product_id: APPLE, expected: 6, actual: 10 };
    check(&shop, STAFF, &[(APPLE, set(20, 6))], Err(changed));
    check(
        &shop,
        STAFF,
        &[(APPLE, set(20, 10))],
        Ok("stock 1 counted +10 +0 = 20/4
            stock_adjusted product=1 from=10 to=20"),
    );
    // Lines see the lines before them.
    let changed = Rejection::StockChanged { product_id: APPLE, expected: 10, actual: 11 };
    check(&shop, STAFF, &[(APPLE, Increment(1)), (APPLE, set(20, 10))], Err(changed));
}

#[test]
fn notices_the_last_piece_and_leaves_the_rest_to_people() {
    let mut shop = shop();
    check(
        &shop,
        STAFF,
        &[(PEAR, count(0))],
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            stock 2 counted -5 +0 = 0/0
            stock_ran_low product=2 available=0 threshold=0
            product_deactivated product=2 automatic=true
            stock_adjusted product=2 from=5 to=0"),
    );
    do_as(&mut shop, STAFF, lines(&[(PEAR, Decrement(5))]));
    check(
        &shop,
        STAFF,
        &[(PEAR, Increment(5))],
        Ok("stock 2 received +5 +0 = 5/0
            stock_adjusted product=2 from=0 to=5"),
    );
    // Inactive already: there is nothing to deactivate.
    do_as(&mut shop, STAFF, lines(&[(PEAR, Increment(5))]));
    check(
        &shop,
        STAFF,
        &[(PEAR, Decrement(5))],
        Ok("stock 2 removed -5 +0 = 0/0
            stock_ran_low product=2 available=0 threshold=0
            stock_adjusted product=2 from=5 to=0"),
    );
}

#[test]
fn refuses_the_whole_call() {
    let shop = shop();
    let role = || Err(Rejection::Forbidden(Denial::Role));
    check(&shop, CLEO, &[(APPLE, Increment(1))], role());
    check(&shop, ANONYMOUS, &[], role());
    check(&shop, STAFF, &[], Err(Rejection::NoLines));
    let (one, limit) = ((APPLE, Increment(1)), MAX_ADJUSTMENT_LINES);
    check(&shop, STAFF, &vec![one; limit + 1], Err(Rejection::TooManyLines { limit }));
    do_as(&mut shop.clone(), STAFF, lines(&vec![one; limit]));
    let other = ProductId(98);
    let unknown = [(UNKNOWN, Increment(1)), (OLD, Increment(1)), (other, count(1)), (UNKNOWN, count(1))];
    check(&shop, STAFF, &unknown, Err(Rejection::ProductsNotFound(vec![UNKNOWN, other])));
    check(&shop, STAFF, &[one, (OLD, Increment(1))], Err(Rejection::ProductArchived(OLD)));
}

#[test]
fn keeps_limits() {
    let shop = ordered();
    let line = Some(1);
    let range = |field, min, max| Err(Rejection::OutOfRange { field, line, min, max });
    // Ten apples are there already, held or not.
    let room = MAX_STOCK - 10;
    let cases = [
        (Increment(0), range("quantity", 1, room)),
        (Increment(-1), range("quantity", 1, room)),
        (Increment(MAX_STOCK + 1), range("quantity", 1, room)),
        (Decrement(0), range("quantity", 1, MAX_STOCK)),
        (Decrement(i64::MIN), range("quantity", 1, MAX_STOCK)),
        (count(-1), range("on_hand", 0, MAX_STOCK)),
        (count(MAX_STOCK + 1), range("on_hand", 0, MAX_STOCK)),
        (Increment(MAX_STOCK), range("quantity", 1, room)),
    ];
    for (change, expected) in cases {
        check(&shop, STAFF, &[(PLUM, Increment(1)), (APPLE, change)], expected);
    }
    check(
        &shop,
        STAFF,
        &[(APPLE, count(MAX_STOCK))],
        Ok("stock 1 counted +999999999990 +0 = 1000000000000/4
            stock_adjusted product=1 from=10 to=1000000000000"),
    );
}

#[test]
fn each_product_is_shown_once_as_it_is_then() {
    let shop = ordered();
    let changes = [(PEAR, Increment(1)), (APPLE, Decrement(1)), (PEAR, Increment(2)), (APPLE, count(7))];
    let context = Context { actor: STAFF, now_us: super::NOW_US, request_id: "r".into(), source: None };
    let command = lines(&changes);
    let shown = command.decide(&shop.load(&command.keys(&context)), &context).unwrap().outcome;
    let shown: Vec<_> =
        shown.iter().map(|it| (it.product.id, it.level.on_hand, it.level.allocated)).collect();
    assert_eq!(shown, [(PEAR, 8, 0), (APPLE, 7, 4)]);
}
