//! [`ExpireOrders`] and [`LimitWaits`], and what an order that has expired can still do.

use domain::{
    Action, Actor, AllocateAt, ChangeOrder, Customs, ExpireOrders, Goal, LimitWaits, OrderId, PlaceOrder,
    PlacingTerms, Rejection, Status,
};

use super::{APPLE, BEFORE_US, CLEO, CYD, NOW_US, PEAR, STAFF, act, check, do_as, order, shop};
use crate::shop::Shop;

/// An order that may wait for so long.
fn waiting(life_us: i64, order: PlaceOrder) -> PlaceOrder {
    PlaceOrder { terms: PlacingTerms { pending_life_us: Some(life_us), ..order.terms }, ..order }
}

/// Order 2, Cleo's, is over; order 3, Cyd's, is not; order 4, Cyd's, may wait for ever.
fn waited() -> Shop {
    let mut shop = shop();
    do_as(&mut shop, CLEO, waiting(NOW_US - BEFORE_US, order(&[(APPLE, 2), (PEAR, 1)])));
    do_as(&mut shop, CYD, waiting(NOW_US - BEFORE_US + 1, order(&[(APPLE, 3)])));
    do_as(&mut shop, CYD, order(&[(PEAR, 1)]));
    shop
}

fn expire(ids: &[i64]) -> ExpireOrders {
    ExpireOrders { order_ids: ids.iter().copied().map(OrderId).collect() }
}

#[test]
fn placing_fixes_how_long_the_order_may_wait() {
    check(
        &shop(),
        CLEO,
        waiting(60, order(&[(APPLE, 1)])),
        Ok("order 2 v1 pending for 3: 1xapple@100 held, until 1060: 1 for 100c
            stock 1 allocated +0 +1 = 10/1 order 2
            order_placed order=2 user=3 total_amount_cents=100 total_quantity=1"),
    );
    // What is accepted at once waits for nothing.
    check(
        &shop(),
        STAFF,
        waiting(60, PlaceOrder { status: Status::Confirmed, ..order(&[(APPLE, 1)]) }),
        Ok("order 2 v1 confirmed for 2: 1xapple@100 held, 1 for 100c
            stock 1 allocated +0 +1 = 10/1 order 2
            order_placed order=2 user=2 total_amount_cents=100 total_quantity=1
            order_confirmed order=2"),
    );
}

#[test]
fn what_is_over_gives_back_what_it_holds_once() {
    let shop = check(
        &waited(),
        Actor::SYSTEM,
        expire(&[4, 2, 3, 2, 1, 99]),
        Ok("order 2 v2 cancelled for 3: 2xapple@100, 1xpear@250, 3 for 450c
            stock 1 released +0 -2 = 10/3 order 2
            stock 2 released +0 -1 = 5/1 order 2
            order_cancelled order=2 from=pending released=3 reason=expired"),
    );
    check(&shop, Actor::SYSTEM, expire(&[1, 2, 3, 4]), Ok(""));
    check(&shop, Actor::SYSTEM, expire(&[]), Ok(""));
}

#[test]
fn what_takes_its_stock_later_expires_as_well() {
    let mut shop = shop();
    let late = PlaceOrder { allocate_at: AllocateAt::Confirmation, ..order(&[(APPLE, 2)]) };
    do_as(&mut shop, CLEO, waiting(0, late));
    check(
        &shop,
        Actor::SYSTEM,
        expire(&[2]),
        Ok("order 2 v2 cancelled late for 3: 2xapple@100, 2 for 200c
            order_cancelled order=2 from=pending released=0 reason=expired"),
    );
}

#[test]
fn whoever_was_accepted_or_paid_in_time_stays() {
    for action in [Action::Confirm, Action::Pay] {
        let mut shop = shop();
        do_as(&mut shop, CLEO, waiting(1, order(&[(APPLE, 2)])));
        do_as(&mut shop, STAFF, act(2, action));
        let after = shop.orders[&OrderId(2)].clone();
        assert_eq!(after.expires_at_us, None);
        check(&shop, Actor::SYSTEM, expire(&[2]), Ok(""));
    }
}

/// Order 1 is delivered, order 2 is over, order 3 has an end, order 4 has none; nobody knows order 99.
#[test]
fn what_may_wait_for_ever_gets_an_end_once() {
    let limit = |life_us| LimitWaits { order_ids: [4, 2, 3, 4, 1, 99].map(OrderId).to_vec(), life_us };
    let shop = check(
        &waited(),
        Actor::SYSTEM,
        limit(60),
        Ok("order 4 v2 pending for 4: 1xpear@250 held, until 1060: 1 for 250c
            order_wait_limited order=4"),
    );
    check(&shop, Actor::SYSTEM, limit(90), Ok(""));
    check(&shop, Actor::SYSTEM, LimitWaits { order_ids: Vec::new(), life_us: 60 }, Ok(""));
    // No time is too long.
    check(
        &waited(),
        Actor::SYSTEM,
        limit(i64::MAX),
        Ok("order 4 v2 pending for 4: 1xpear@250 held, until 9223372036854775807: 1 for 250c
            order_wait_limited order=4"),
    );
    // From then on it is as if the order had been placed with it.
    let mut shop = waited();
    do_as(&mut shop, Actor::SYSTEM, limit(0));
    check(
        &shop,
        Actor::SYSTEM,
        expire(&[4]),
        Ok("order 4 v3 cancelled for 4: 1xpear@250, 1 for 250c
            stock 2 released +0 -1 = 5/1 order 4
            order_cancelled order=4 from=pending released=1 reason=expired"),
    );
}

#[test]
fn what_was_accepted_or_called_off_gets_no_end() {
    for action in [Action::Confirm, Action::Pay, Action::Cancel] {
        let mut shop = shop();
        do_as(&mut shop, CLEO, order(&[(APPLE, 2)]));
        do_as(&mut shop, STAFF, act(2, action));
        check(&shop, Actor::SYSTEM, LimitWaits { order_ids: vec![OrderId(2)], life_us: 60 }, Ok(""));
    }
}

/// Swept or not, the answer is the same.
#[test]
fn what_is_over_can_only_be_called_off() {
    let reach = |status| ChangeOrder {
        order_id: OrderId(2),
        goal: Goal::Reach(status),
        if_version: None,
        customs: Customs::default(),
    };
    let all = Action::ALL.iter().map(|action| act(2, *action)).chain(Status::ALL.iter().copied().map(reach));
    let unswept = waited();
    let gone = "order 2 v2 cancelled for 3: 2xapple@100, 1xpear@250, 3 for 450c
        stock 1 released +0 -2 = 10/3 order 2
        stock 2 released +0 -1 = 5/1 order 2
        order_cancelled order=2 from=pending released=3 reason=expired";
    let swept = check(&unswept, Actor::SYSTEM, expire(&[2]), Ok(gone));
    for command in all {
        if [Goal::Act(Action::Cancel), Goal::Reach(Status::Cancelled)].contains(&command.goal) {
            check(&unswept, CLEO, command.clone(), Ok(gone));
            check(&swept, CLEO, command, Ok(""));
            continue;
        }
        let goal = command.goal;
        let refusal = || Rejection::InvalidTransition { order_id: OrderId(2), from: Status::Cancelled, goal };
        check(&unswept, STAFF, command.clone(), Err(refusal()));
        check(&swept, STAFF, command, Err(refusal()));
    }
}
