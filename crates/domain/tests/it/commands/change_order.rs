//! [`ChangeOrder`]: effects and rights; which action is allowed where is the table in `transitions`.

use domain::{
    Action, Actor, AllocateAt, ChangeOrder, Customs, DeleteProduct, Denial, Goal, OrderId, PlaceOrder,
    ProductId, Rejection, Shortage, Status, UpdateProduct,
};

use super::{ADMIN, ANONYMOUS, APPLE, CLEO, CYD, PEAR, STAFF, act, do_as, edit, order, product, shop};
use crate::shop::Shop;

use Action::{Cancel, Confirm, Deliver, Pay, Ship};

#[track_caller]
fn check(shop: &Shop, actor: Actor, command: ChangeOrder, expected: Result<&str, Rejection>) -> Shop {
    super::check(shop, actor, command, expected)
}

/// A shop with Cleo's order 2 of two apples and a pear.
fn ordered(allocate_at: AllocateAt) -> Shop {
    let mut shop = shop();
    do_as(&mut shop, CLEO, PlaceOrder { allocate_at, ..order(&[(APPLE, 2), (PEAR, 1)]) });
    shop
}

fn reach(order_id: i64, status: Status) -> ChangeOrder {
    ChangeOrder {
        order_id: OrderId(order_id),
        goal: Goal::Reach(status),
        if_version: None,
        customs: Customs::default(),
    }
}

#[test]
fn pays_ships_delivers() {
    let shop = check(
        &ordered(AllocateAt::Creation),
        STAFF,
        act(2, Pay),
        Ok("order 2 v2 paid for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
            order_confirmed order=2
            order_paid order=2"),
    );
    let shop = check(
        &shop,
        STAFF,
        act(2, Ship),
        Ok("order 2 v3 shipped paid for 3: 2xapple@100, 1xpear@250, 3 for 450c
            stock 1 shipped -2 -2 = 8/0 order 2
            stock 2 shipped -1 -1 = 4/0 order 2
            order_shipped order=2"),
    );
    check(
        &shop,
        STAFF,
        act(2, Deliver),
        Ok("order 2 v4 delivered paid for 3: 2xapple@100, 1xpear@250, 3 for 450c
            order_delivered order=2"),
    );
}

#[test]
fn money_may_come_last() {
    let mut shop = ordered(AllocateAt::Creation);
    do_as(&mut shop, STAFF, act(2, Confirm));
    let shop = check(
        &shop,
        STAFF,
        reach(2, Status::Shipped),
        Ok("order 2 v3 shipped for 3: 2xapple@100, 1xpear@250, 3 for 450c
            stock 1 shipped -2 -2 = 8/0 order 2
            stock 2 shipped -1 -1 = 4/0 order 2
            order_shipped order=2"),
    );
    let shop = check(
        &shop,
        STAFF,
        act(2, Deliver),
        Ok("order 2 v4 delivered for 3: 2xapple@100, 1xpear@250, 3 for 450c
            order_delivered order=2"),
    );
    check(
        &shop,
        ADMIN,
        act(2, Pay),
        Ok("order 2 v5 delivered paid for 3: 2xapple@100, 1xpear@250, 3 for 450c
            order_paid order=2"),
    );
}

#[test]
fn late_orders_take_stock_when_they_are_accepted() {
    let shop = ordered(AllocateAt::Confirmation);
    check(
        &shop,
        STAFF,
        act(2, Confirm),
        Ok("order 2 v2 confirmed late for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
            stock 1 allocated +0 +2 = 10/2 order 2
            stock 2 allocated +0 +1 = 5/1 order 2
            order_confirmed order=2"),
    );
    for pay in [act(2, Pay), reach(2, Status::Paid)] {
        check(
            &shop,
            STAFF,
            pay,
            Ok("order 2 v2 paid late for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
                stock 1 allocated +0 +2 = 10/2 order 2
                stock 2 allocated +0 +1 = 5/1 order 2
                order_confirmed order=2
                order_paid order=2"),
        );
    }
    // A pending one holds nothing, so it gives nothing back.
    check(
        &shop,
        CLEO,
        act(2, Cancel),
        Ok("order 2 v2 cancelled late for 3: 2xapple@100, 1xpear@250, 3 for 450c
            order_cancelled order=2 from=pending released=0"),
    );
}

#[test]
fn late_orders_may_come_too_late() {
    let mut shop = ordered(AllocateAt::Confirmation);
    do_as(&mut shop, CYD, order(&[(APPLE, 9), (PEAR, 5)]));
    let shortages = || {
        vec![
            Shortage { product_id: APPLE, requested: 2, available: 1 },
            Shortage { product_id: PEAR, requested: 1, available: 0 },
        ]
    };
    for action in [Confirm, Pay] {
        check(&shop, STAFF, act(2, action), Err(Rejection::InsufficientStock(shortages())));
    }
}

/// The order was accepted while the product was on sale; what became of the product since does not matter.
#[test]
fn late_orders_outlive_the_sale() {
    let mut shop = ordered(AllocateAt::Confirmation);
    do_as(&mut shop, STAFF, DeleteProduct { product_id: APPLE, if_version: None });
    do_as(&mut shop, STAFF, UpdateProduct { is_active: Some(false), ..edit(PEAR) });
    check(
        &shop,
        STAFF,
        act(2, Confirm),
        Ok("order 2 v2 confirmed late for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
            stock 1 allocated +0 +2 = 10/2 order 2
            stock 2 allocated +0 +1 = 5/1 order 2
            order_confirmed order=2"),
    );
}

#[test]
fn accepting_notices_low_stock_and_the_last_piece() {
    let mut shop = shop();
    do_as(&mut shop, CLEO, PlaceOrder { allocate_at: AllocateAt::Confirmation, ..order(&[(PEAR, 5)]) });
    let shop = check(
        &shop,
        STAFF,
        act(2, Confirm),
        Ok("product 2 v2 PEAR pear 250c low 0 inactive auto
            order 2 v2 confirmed late for 3: 5xpear@250 held, 5 for 1250c
            stock 2 allocated +0 +5 = 5/5 order 2
            stock_ran_low product=2 available=0 threshold=0
            product_deactivated product=2 automatic=true
            order_confirmed order=2"),
    );
    // Nothing becomes less available by leaving the house.
    check(
        &shop,
        STAFF,
        act(2, Ship),
        Ok("order 2 v3 shipped late for 3: 5xpear@250, 5 for 1250c
            stock 2 shipped -5 -5 = 0/0 order 2
            order_shipped order=2"),
    );
    // What comes back does not put the product on sale again: that is for people to say.
    check(
        &shop,
        STAFF,
        act(2, Cancel),
        Ok("order 2 v3 cancelled late for 3: 5xpear@250, 5 for 1250c
            stock 2 released +0 -5 = 5/0 order 2
            order_cancelled order=2 from=confirmed released=5"),
    );
    // Nor is it taken off again where people have said so: there was none before, either.
    let mut on_sale = shop;
    do_as(&mut on_sale, STAFF, UpdateProduct { is_active: Some(true), ..edit(PEAR) });
    check(
        &on_sale,
        STAFF,
        act(2, Ship),
        Ok("order 2 v3 shipped late for 3: 5xpear@250, 5 for 1250c
            stock 2 shipped -5 -5 = 0/0 order 2
            order_shipped order=2"),
    );
}

#[test]
fn cancelling_gives_back_what_is_held() {
    let cancelled = |from: &str, status: &str, version: i64| {
        format!(
            "order 2 v{version} {status} for 3: 2xapple@100, 1xpear@250, 3 for 450c
             stock 1 released +0 -2 = 10/0 order 2
             stock 2 released +0 -1 = 5/0 order 2
             order_cancelled order=2 from={from} released=3"
        )
    };
    let mut shop = ordered(AllocateAt::Creation);
    check(&shop, CLEO, act(2, Cancel), Ok(&cancelled("pending", "cancelled", 2)));
    do_as(&mut shop, STAFF, act(2, Confirm));
    check(&shop, CLEO, reach(2, Status::Cancelled), Ok(&cancelled("confirmed", "cancelled", 3)));
    do_as(&mut shop, STAFF, act(2, Pay));
    let shop = check(&shop, STAFF, act(2, Cancel), Ok(&cancelled("paid", "cancelled paid", 4)));
    // Once.
    check(&shop, STAFF, act(2, Cancel), Ok(""));
    check(&shop, CLEO, reach(2, Status::Cancelled), Ok(""));
}

#[test]
fn customers_may_only_cancel_their_own() {
    let mut shop = ordered(AllocateAt::Creation);
    let role = || Err(Rejection::Forbidden(Denial::Role));
    let not_found = |id| Err(Rejection::OrderNotFound(OrderId(id)));
    for way in [None, Some(Confirm), Some(Pay), Some(Ship), Some(Deliver)] {
        way.into_iter().for_each(|action| do_as(&mut shop, STAFF, act(2, action)));
        // In every status, also where the effect already stands or the table would refuse it to anybody.
        for action in [Confirm, Pay, Ship, Deliver] {
            check(&shop, CLEO, act(2, action), role());
        }
        for status in Status::ALL.iter().filter(|status| **status != Status::Cancelled) {
            check(&shop, CLEO, reach(2, *status), role());
        }
        // What belongs to somebody else is not there, whatever is asked of it.
        for action in Action::ALL {
            check(&shop, CYD, act(2, *action), not_found(2));
            check(&shop, ANONYMOUS, act(2, *action), not_found(2));
        }
    }
    check(&shop, CLEO, act(9, Cancel), not_found(9));
    check(&shop, STAFF, act(9, Cancel), not_found(9));
}

/// What older contracts allow, and nothing beside it.
#[test]
fn owners_may_confirm_by_custom() {
    let custom = Customs { owner_confirms: true, ..Customs::default() };
    let by_custom = |command: ChangeOrder| ChangeOrder { customs: custom, ..command };
    let role = || Err(Rejection::Forbidden(Denial::Role));
    let early = ordered(AllocateAt::Creation);
    let late = ordered(AllocateAt::Confirmation);
    let confirmed = "order 2 v2 confirmed late for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
        stock 1 allocated +0 +2 = 10/2 order 2
        stock 2 allocated +0 +1 = 5/1 order 2
        order_confirmed order=2";
    for confirm in [act(2, Confirm), reach(2, Status::Confirmed)] {
        check(&late, CLEO, confirm.clone(), role());
        check(&early, CLEO, by_custom(confirm.clone()), role());
        let after = check(&late, CLEO, by_custom(confirm.clone()), Ok(confirmed));
        // Once, like everybody.
        check(&after, CLEO, by_custom(confirm.clone()), Ok(""));
        let others = Err(Rejection::OrderNotFound(OrderId(2)));
        check(&late, CYD, by_custom(confirm.clone()), others.clone());
        check(&late, ANONYMOUS, by_custom(confirm.clone()), others);
        check(&late, STAFF, by_custom(confirm), Ok(confirmed));
    }
    for action in [Pay, Ship, Deliver] {
        check(&late, CLEO, by_custom(act(2, action)), role());
    }
    for status in [Status::Pending, Status::Paid, Status::Shipped, Status::Delivered] {
        check(&late, CLEO, by_custom(reach(2, status)), role());
    }
    let outdated = ChangeOrder { if_version: Some(7), ..by_custom(act(2, Confirm)) };
    check(&late, CLEO, outdated, Err(Rejection::VersionMismatch { expected: 7, actual: 1 }));
    let mut short = late.clone();
    do_as(&mut short, CYD, order(&[(APPLE, 9)]));
    let shortage = Shortage { product_id: APPLE, requested: 2, available: 1 };
    check(&short, CLEO, by_custom(act(2, Confirm)), Err(Rejection::InsufficientStock(vec![shortage])));
    // What has gone on meanwhile stands, and what was called off stays so.
    let mut paid = late.clone();
    do_as(&mut paid, STAFF, act(2, Pay));
    check(&paid, CLEO, by_custom(act(2, Confirm)), Ok(""));
    check(&paid, CLEO, by_custom(act(2, Cancel)), Err(Rejection::Forbidden(Denial::CancelTooLate)));
    let mut cancelled = late;
    do_as(&mut cancelled, CLEO, act(2, Cancel));
    let goal = Goal::Act(Confirm);
    let refused = Rejection::InvalidTransition { order_id: OrderId(2), from: Status::Cancelled, goal };
    check(&cancelled, CLEO, by_custom(act(2, Confirm)), Err(refused));
    // An order of nobody belongs to whoever has no account.
    let mut nobody = shop();
    let late = PlaceOrder { allocate_at: AllocateAt::Confirmation, ..order(&[(APPLE, 1)]) };
    do_as(&mut nobody, ANONYMOUS, late);
    do_as(&mut nobody, ANONYMOUS, by_custom(act(2, Confirm)));
}

#[test]
fn orders_of_others_may_be_admitted_by_custom() {
    let shop = ordered(AllocateAt::Creation);
    let custom = Customs { admits_foreign: true, ..Customs::default() };
    let by_custom = |command: ChangeOrder| ChangeOrder { customs: custom, ..command };
    for action in Action::ALL {
        for actor in [CYD, ANONYMOUS] {
            let foreign = Err(Rejection::Forbidden(Denial::ForeignOrder));
            check(&shop, actor, by_custom(act(2, *action)), foreign);
        }
        let absent = Err(Rejection::OrderNotFound(OrderId(9)));
        check(&shop, CYD, by_custom(act(9, *action)), absent.clone());
        check(&shop, STAFF, by_custom(act(9, *action)), absent);
    }
    // Theirs is theirs, as ever.
    check(&shop, CLEO, by_custom(act(2, Confirm)), Err(Rejection::Forbidden(Denial::Role)));
    let mut shop = shop;
    do_as(&mut shop, CLEO, by_custom(act(2, Cancel)));
    do_as(&mut shop, STAFF, by_custom(act(2, Cancel)));
}

#[test]
fn customers_cancel_before_money_or_goods_have_moved() {
    let too_late = || Err(Rejection::Forbidden(Denial::CancelTooLate));
    let goal = Goal::Act(Cancel);
    let gone = |from| Err(Rejection::InvalidTransition { order_id: OrderId(2), from, goal });
    let mut shop = ordered(AllocateAt::Creation);
    do_as(&mut shop, STAFF, act(2, Confirm));
    let mut on_account = shop.clone();
    do_as(&mut on_account, STAFF, act(2, Ship));
    check(&on_account, CLEO, act(2, Cancel), gone(Status::Shipped));
    do_as(&mut shop, STAFF, act(2, Pay));
    check(&shop, CLEO, act(2, Cancel), too_late());
    check(&shop, CLEO, reach(2, Status::Cancelled), too_late());
    do_as(&mut shop, STAFF, act(2, Ship));
    check(&shop, CLEO, act(2, Cancel), gone(Status::Shipped));
}

#[test]
fn orders_of_nobody_belong_to_callers_without_an_account() {
    let mut shop = shop();
    do_as(&mut shop, ANONYMOUS, order(&[(APPLE, 1)]));
    check(&shop, CLEO, act(2, Cancel), Err(Rejection::OrderNotFound(OrderId(2))));
    check(
        &shop,
        ANONYMOUS,
        act(2, Cancel),
        Ok("order 2 v2 cancelled for nobody: 1xapple@100, 1 for 100c
            stock 1 released +0 -1 = 10/0 order 2
            order_cancelled order=2 from=pending released=1"),
    );
}

#[test]
fn an_outdated_view_is_refused_unless_there_is_nothing_to_do() {
    let shop = ordered(AllocateAt::Creation);
    let seen = |version, command| ChangeOrder { if_version: Some(version), ..command };
    let mismatch = Err(Rejection::VersionMismatch { expected: 2, actual: 1 });
    check(&shop, STAFF, seen(2, act(2, Confirm)), mismatch);
    let confirmed = "order 2 v2 confirmed for 3: 2xapple@100 held, 1xpear@250 held, 3 for 450c
        order_confirmed order=2";
    let shop = check(&shop, STAFF, seen(1, act(2, Confirm)), Ok(confirmed));
    check(&shop, STAFF, seen(1, act(2, Confirm)), Ok(""));
    check(&shop, STAFF, seen(1, reach(2, Status::Confirmed)), Ok(""));
}

#[test]
fn items_of_several_orders_do_not_mix() {
    let mut shop = ordered(AllocateAt::Creation);
    do_as(&mut shop, STAFF, product("FIG", 10, 4));
    do_as(&mut shop, CYD, order(&[(ProductId(6), 4), (APPLE, 5)]));
    check(
        &shop,
        STAFF,
        act(3, Cancel),
        Ok("order 3 v2 cancelled for 4: 4xfig@10, 5xapple@100, 9 for 540c
            stock 6 released +0 -4 = 4/0 order 3
            stock 1 released +0 -5 = 10/2 order 3
            order_cancelled order=3 from=pending released=9"),
    );
}
