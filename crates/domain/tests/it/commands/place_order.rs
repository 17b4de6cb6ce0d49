//! [`PlaceOrder`].

use domain::{
    Action, Actor, AllocateAt, Denial, MAX_ORDER_LINES, MAX_PRICE_CENTS, MAX_QUANTITY, PlaceOrder,
    PlacingCustoms, PlacingTerms, ProductId, Rejection, Shortage, Status, UserId,
};

use super::{
    ADMIN, ANONYMOUS, APPLE, CLEO, CYD, IDLE, NUT, OLD, PEAR, PLUM, STAFF, UNKNOWN, act, do_as, order,
    product, shop,
};

#[track_caller]
fn check(actor: Actor, command: PlaceOrder, expected: Result<&str, Rejection>) {
    super::check(&shop(), actor, command, expected);
}

fn late(command: PlaceOrder) -> PlaceOrder {
    PlaceOrder { allocate_at: AllocateAt::Confirmation, ..command }
}

fn starting(status: Status, command: PlaceOrder) -> PlaceOrder {
    PlaceOrder { status, ..command }
}

fn for_user(id: i64, command: PlaceOrder) -> PlaceOrder {
    PlaceOrder { user_id: Some(UserId(id)), ..command }
}

#[test]
fn places() {
    check(
        CLEO,
        order(&[(PEAR, 1), (APPLE, 2)]),
        Ok("order 2 v1 pending for 3: 1xpear@250 held, 2xapple@100 held, 3 for 450c
            stock 2 allocated +0 +1 = 5/1 order 2
            stock 1 allocated +0 +2 = 10/2 order 2
            order_placed order=2 user=3 total_amount_cents=450 total_quantity=3"),
    );
    // Without an account.
    check(
        ANONYMOUS,
        order(&[(APPLE, 1)]),
        Ok("order 2 v1 pending for nobody: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/1 order 2
            order_placed order=2 total_amount_cents=100 total_quantity=1"),
    );
    // Late allocation takes nothing yet, however much is asked for.
    check(
        CLEO,
        late(order(&[(APPLE, 11)])),
        Ok("order 2 v1 pending late for 3: 11xapple@100, 11 for 1100c
            order_placed order=2 user=3 total_amount_cents=1100 total_quantity=11"),
    );
}

#[test]
fn merges_lines_of_one_product() {
    check(
        CLEO,
        order(&[(APPLE, 2), (PEAR, 1), (APPLE, 3)]),
        Ok("order 2 v1 pending for 3: 5xapple@100 held, 1xpear@250 held, 6 for 750c
            stock 1 allocated +0 +5 = 10/5 order 2
            stock 2 allocated +0 +1 = 5/1 order 2
            order_placed order=2 user=3 total_amount_cents=750 total_quantity=6"),
    );
    // Each line alone would fit.
    let short = Shortage { product_id: APPLE, requested: 12, available: 10 };
    check(CLEO, order(&[(APPLE, 6), (APPLE, 6)]), Err(Rejection::InsufficientStock(vec![short])));
}

#[test]
fn names_every_shortage_and_takes_nothing() {
    let lines = [(APPLE, 11), (PEAR, 5), (PLUM, 1)];
    let shortages = vec![
        Shortage { product_id: APPLE, requested: 11, available: 10 },
        Shortage { product_id: PLUM, requested: 1, available: 0 },
    ];
    check(CLEO, order(&lines), Err(Rejection::InsufficientStock(shortages.clone())));
    let confirmed = starting(Status::Confirmed, late(order(&lines)));
    check(STAFF, confirmed, Err(Rejection::InsufficientStock(shortages)));
    // What others hold is not available.
    let mut shop = shop();
    do_as(&mut shop, CYD, order(&[(APPLE, 7)]));
    let short = Shortage { product_id: APPLE, requested: 4, available: 3 };
    super::check(&shop, CLEO, order(&[(APPLE, 4)]), Err(Rejection::InsufficientStock(vec![short])));
}

#[test]
fn notices_low_stock_and_the_last_piece() {
    // From 10 to 2 crosses the threshold, from 10 to 3 does not.
    check(
        CLEO,
        order(&[(APPLE, 8)]),
        Ok("order 2 v1 pending for 3: 8xapple@100 held, 8 for 800c
            stock 1 allocated +0 +8 = 10/8 order 2
            stock_ran_low product=1 available=2 threshold=2
            order_placed order=2 user=3 total_amount_cents=800 total_quantity=8"),
    );
    check(
        CLEO,
        order(&[(APPLE, 7)]),
        Ok("order 2 v1 pending for 3: 7xapple@100 held, 7 for 700c
            stock 1 allocated +0 +7 = 10/7 order 2
            order_placed order=2 user=3 total_amount_cents=700 total_quantity=7"),
    );
    // Once crossed, it is not told again; without its rule the product stays active at zero.
    let mut low = shop();
    do_as(&mut low, CYD, order(&[(APPLE, 9)]));
    super::check(
        &low,
        CLEO,
        order(&[(APPLE, 1)]),
        Ok("order 3 v1 pending for 3: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/10 order 3
            order_placed order=3 user=3 total_amount_cents=100 total_quantity=1"),
    );
    check(
        CLEO,
        order(&[(PEAR, 5)]),
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            order 2 v1 pending for 3: 5xpear@250 held, 5 for 1250c
            stock 2 allocated +0 +5 = 5/5 order 2
            stock_ran_low product=2 available=0 threshold=0
            product_deactivated product=2 automatic=true
            order_placed order=2 user=3 total_amount_cents=1250 total_quantity=5"),
    );
}

#[test]
fn deactivates_what_it_sells_out_where_that_is_the_custom() {
    let customs = PlacingCustoms { deactivates_sold_out: true, ..PlacingCustoms::default() };
    let selling_out = |lines: &[(ProductId, i64)]| PlaceOrder { customs, ..order(lines) };
    let mut shop = shop();
    do_as(&mut shop, CYD, order(&[(APPLE, 9)]));
    super::check(
        &shop,
        CLEO,
        selling_out(&[(APPLE, 1)]),
        Ok("product 1 v2 APPLE apple 100c low 2 inactive
            order 3 v1 pending for 3: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/10 order 3
            product_deactivated product=1 automatic=true
            order_placed order=3 user=3 total_amount_cents=100 total_quantity=1"),
    );
    // What asks for it itself is not deactivated twice, and what is left over not at all.
    check(
        CLEO,
        selling_out(&[(PEAR, 5), (APPLE, 1)]),
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            order 2 v1 pending for 3: 5xpear@250 held, 1xapple@100 held, 6 for 1350c
            stock 2 allocated +0 +5 = 5/5 order 2
            stock 1 allocated +0 +1 = 10/1 order 2
            stock_ran_low product=2 available=0 threshold=0
            product_deactivated product=2 automatic=true
            order_placed order=2 user=3 total_amount_cents=1350 total_quantity=6"),
    );
}

#[test]
fn starts_where_staff_say() {
    check(
        STAFF,
        starting(Status::Confirmed, for_user(3, order(&[(APPLE, 1)]))),
        Ok("order 2 v1 confirmed for 3: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/1 order 2
            order_placed order=2 user=3 total_amount_cents=100 total_quantity=1
            order_confirmed order=2"),
    );
    check(
        ADMIN,
        starting(Status::Paid, late(order(&[(APPLE, 1)]))),
        Ok("order 2 v1 paid late for 1: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/1 order 2
            order_placed order=2 user=1 total_amount_cents=100 total_quantity=1
            order_confirmed order=2
            order_paid order=2"),
    );
    for status in [Status::Shipped, Status::Delivered, Status::Cancelled] {
        check(STAFF, starting(status, order(&[(APPLE, 1)])), Err(Rejection::InvalidInitialStatus(status)));
    }
    for status in [Status::Shipped, Status::Delivered, Status::Cancelled] {
        check(CLEO, starting(status, order(&[(APPLE, 1)])), Err(Rejection::InvalidInitialStatus(status)));
    }
    for status in [Status::Confirmed, Status::Paid] {
        let denied = Err(Rejection::Forbidden(Denial::InitialStatus));
        check(CLEO, starting(status, order(&[(APPLE, 1)])), denied);
    }
}

#[test]
fn is_for_whom_it_may_be() {
    let one = || order(&[(APPLE, 1)]);
    let another = || Err(Rejection::Forbidden(Denial::OrderForAnother));
    check(CLEO, for_user(4, one()), another());
    check(ANONYMOUS, for_user(4, one()), another());
    check(STAFF, for_user(99, one()), Err(Rejection::UserNotFound(UserId(99))));
    check(STAFF, for_user(5, one()), Err(Rejection::UserInactive(UserId(5))));
    check(IDLE, one(), Err(Rejection::UserInactive(UserId(5))));
    let placed = "order 2 v1 pending for 3: 1xapple@100 held, 1 for 100c
        stock 1 allocated +0 +1 = 10/1 order 2
        order_placed order=2 user=3 total_amount_cents=100 total_quantity=1";
    check(CLEO, for_user(3, one()), Ok(placed));
    check(Actor::SYSTEM, for_user(3, one()), Ok(placed));
}

#[test]
fn refuses_products_that_take_no_orders() {
    let other = ProductId(98);
    check(
        CLEO,
        order(&[(UNKNOWN, 1), (NUT, 1), (other, 1)]),
        Err(Rejection::ProductsNotFound(vec![UNKNOWN, other])),
    );
    check(CLEO, order(&[(NUT, 1), (APPLE, 1), (OLD, 1)]), Err(Rejection::ProductsInactive(vec![NUT, OLD])));
    let hiding = PlacingCustoms { hides_archived: true, ..PlacingCustoms::default() };
    let hidden = PlaceOrder { customs: hiding, ..order(&[(NUT, 1), (OLD, 1)]) };
    check(CLEO, hidden, Err(Rejection::ProductsNotFound(vec![OLD])));
    // Before any stock is looked at, and whenever stock would be taken.
    check(CLEO, late(order(&[(NUT, 99)])), Err(Rejection::ProductsInactive(vec![NUT])));
}

#[test]
fn keeps_limits() {
    let out_of_range =
        |line| Err(Rejection::OutOfRange { field: "quantity", line: Some(line), min: 1, max: MAX_QUANTITY });
    check(CLEO, order(&[]), Err(Rejection::NoLines));
    check(CLEO, order(&[(APPLE, 0)]), out_of_range(0));
    check(CLEO, order(&[(APPLE, 1), (PEAR, -1)]), out_of_range(1));
    check(CLEO, order(&[(APPLE, i64::MAX)]), out_of_range(0));
    check(CLEO, order(&[(APPLE, MAX_QUANTITY + 1)]), out_of_range(0));
    let short = Shortage { product_id: APPLE, requested: MAX_QUANTITY, available: 10 };
    check(CLEO, order(&[(APPLE, MAX_QUANTITY)]), Err(Rejection::InsufficientStock(vec![short])));
    // The limit counts lines before they are merged.
    let many = vec![(APPLE, 1); MAX_ORDER_LINES + 1];
    check(CLEO, order(&many), Err(Rejection::TooManyLines { limit: MAX_ORDER_LINES }));
    let most = vec![(APPLE, 1); MAX_ORDER_LINES];
    let short = Shortage { product_id: APPLE, requested: 200, available: 10 };
    check(CLEO, order(&most), Err(Rejection::InsufficientStock(vec![short])));
}

#[test]
fn refuses_totals_that_nobody_can_count() {
    let mut shop = shop();
    do_as(&mut shop, ADMIN, product("GEM", MAX_PRICE_CENTS, 10));
    do_as(&mut shop, ADMIN, product("ORE", 36_854_775_807, 0));
    do_as(&mut shop, ADMIN, product("OIL", 36_854_775_808, 0));
    let [gem, ore, oil] = [6, 7, 8].map(ProductId);
    super::check(&shop, CLEO, late(order(&[(gem, MAX_QUANTITY)])), Err(Rejection::TotalOverflow));
    super::check(&shop, CLEO, late(order(&[(gem, 9_223_372), (oil, 1)])), Err(Rejection::TotalOverflow));
    // The largest total there is.
    super::check(
        &shop,
        CLEO,
        late(order(&[(gem, 9_223_372), (ore, 1)])),
        Ok("order 2 v1 pending late for 3: 9223372xgem@1000000000000, 1xore@36854775807, 9223373 for 9223372036854775807c
            order_placed order=2 user=3 total_amount_cents=9223372036854775807 total_quantity=9223373"),
    );
}

#[test]
fn freezes_name_and_price() {
    let mut shop = shop();
    do_as(&mut shop, CLEO, order(&[(APPLE, 2)]));
    do_as(
        &mut shop,
        STAFF,
        domain::UpdateProduct {
            name: Some("gold apple".to_owned()),
            price_cents: Some(900),
            ..super::edit(APPLE)
        },
    );
    super::check(
        &shop,
        STAFF,
        act(2, Action::Confirm),
        Ok("order 2 v2 confirmed for 3: 2xapple@100 held, 2 for 200c
            order_confirmed order=2"),
    );
}

/// A customer's order where the shop allows so many open orders and so many pieces in them.
fn limited(orders: Option<i64>, units: Option<i64>, command: PlaceOrder) -> PlaceOrder {
    let terms = PlacingTerms { max_open_orders: orders, max_units_held: units, ..command.terms };
    PlaceOrder { terms, ..command }
}

#[test]
fn customers_have_a_limited_number_of_open_orders() {
    let mut shop = shop();
    let one = || order(&[(APPLE, 1)]);
    let refused = Rejection::TooManyOpenOrders { user_id: UserId(3), limit: 2, open: 2 };
    do_as(&mut shop, CLEO, limited(Some(2), None, one()));
    do_as(&mut shop, CLEO, limited(Some(2), None, one()));
    super::check(&shop, CLEO, limited(Some(2), None, one()), Err(refused.clone()));
    // Confirming does not end the wait for the money; paying, shipping and calling off do.
    do_as(&mut shop, STAFF, act(2, Action::Confirm));
    super::check(&shop, CLEO, limited(Some(2), None, one()), Err(refused));
    for action in [Action::Pay, Action::Ship, Action::Cancel] {
        let mut shop = shop.clone();
        do_as(&mut shop, STAFF, act(2, action));
        do_as(&mut shop, CLEO, limited(Some(2), None, one()));
    }
    // Other customers have their own.
    do_as(&mut shop, CYD, limited(Some(2), None, one()));
}

#[test]
fn customers_hold_a_limited_number_of_pieces() {
    let mut shop = shop();
    let refused =
        |held, requested| Rejection::TooManyUnitsHeld { user_id: UserId(3), limit: 6, held, requested };
    super::check(&shop, CLEO, limited(None, Some(6), order(&[(APPLE, 4), (PEAR, 3)])), Err(refused(0, 7)));
    do_as(&mut shop, CLEO, limited(None, Some(6), order(&[(APPLE, 4)])));
    // Also those that take their stock later, or there would be too many once they do.
    do_as(&mut shop, CLEO, limited(None, Some(6), late(order(&[(APPLE, 1)]))));
    super::check(&shop, CLEO, limited(None, Some(6), order(&[(PEAR, 2)])), Err(refused(5, 2)));
    do_as(&mut shop, CLEO, limited(None, Some(6), order(&[(PEAR, 1)])));
    // Too little stock is told first.
    let short = Shortage { product_id: PLUM, requested: 1, available: 0 };
    super::check(
        &shop,
        CLEO,
        limited(None, Some(6), order(&[(PLUM, 1)])),
        Err(Rejection::InsufficientStock(vec![short])),
    );
}

#[test]
fn whoever_works_here_is_not_limited() {
    let mut shop = shop();
    let for_cleo = || for_user(3, limited(Some(1), Some(1), order(&[(APPLE, 2)])));
    do_as(&mut shop, STAFF, for_cleo());
    do_as(&mut shop, ADMIN, for_cleo());
    // But what they place for a customer counts.
    let refused = Rejection::TooManyOpenOrders { user_id: UserId(3), limit: 2, open: 2 };
    super::check(&shop, CLEO, limited(Some(2), None, order(&[(APPLE, 1)])), Err(refused));
    // Nobody in particular has no orders to count.
    do_as(&mut shop, ANONYMOUS, limited(Some(1), Some(1), order(&[(APPLE, 2)])));
}
