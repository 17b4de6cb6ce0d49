//! The whole table of transitions, read through [`ChangeOrder`]: every verb and every status at every position.

use domain::{
    Action, AllocateAt, Goal, OrderId, PlaceOrder, Position, Rejection, Status, Step, TRANSITIONS, UserId,
};

use super::{APPLE, CLEO, STAFF, act, do_as, order, shop};
use crate::shop::Shop;

use Action::{Cancel, Confirm, Deliver, Pay, Ship};

/// How an order gets to each position, in the order of [`TRANSITIONS`].
const WAYS: [&[Action]; 8] = [
    &[],
    &[Confirm],
    &[Pay],
    &[Confirm, Ship],
    &[Pay, Ship],
    &[Confirm, Ship, Deliver],
    &[Pay, Ship, Deliver],
    &[Cancel],
];

/// A shop whose order 2, of three apples, stands at the end of the way.
fn at(way: &[Action], allocate_at: AllocateAt) -> Shop {
    let mut shop = shop();
    do_as(&mut shop, CLEO, PlaceOrder { allocate_at, ..order(&[(APPLE, 3)]) });
    way.iter().for_each(|action| do_as(&mut shop, STAFF, act(2, *action)));
    shop
}

/// The position after the goal, `=` when nothing happened, `-` when it was refused.
fn outcome(way: &[Action], goal: Goal) -> String {
    let shop = at(way, AllocateAt::Creation);
    let command = domain::ChangeOrder {
        order_id: OrderId(2),
        goal,
        if_version: None,
        customs: domain::Customs::default(),
    };
    let from = shop.orders[&OrderId(2)].clone();
    let mut after = shop.clone();
    match super::attempt(&mut after, STAFF, &command.into(), super::NOW_US) {
        Err(rejection) => {
            let refusal = Rejection::InvalidTransition { order_id: from.id, from: from.status(), goal };
            assert_eq!(rejection, refusal);
            "-".to_owned()
        }
        Ok(_) if after == shop => "=".to_owned(),
        Ok(_) => format!("{:?}", Position::of(&after.orders[&OrderId(2)])),
    }
}

#[track_caller]
fn check<const N: usize>(goals: [Goal; N], expected: [(&str, [&str; N]); 8]) {
    for (way, (from, row)) in WAYS.into_iter().zip(expected) {
        let position = Position::of(&at(way, AllocateAt::Creation).orders[&OrderId(2)]);
        assert_eq!(format!("{position:?}"), from);
        let actual = goals.map(|goal| outcome(way, goal));
        assert_eq!(actual, row, "{from}, {goals:?}");
    }
}

#[test]
fn every_verb_at_every_position() {
    check(
        [Confirm, Pay, Ship, Deliver, Cancel].map(Goal::Act),
        [
            ("Pending", ["Confirmed", "Paid", "-", "-", "Cancelled"]),
            ("Confirmed", ["=", "Paid", "ShippedUnpaid", "-", "Cancelled"]),
            ("Paid", ["=", "=", "Shipped", "-", "Cancelled"]),
            ("ShippedUnpaid", ["=", "Shipped", "=", "DeliveredUnpaid", "-"]),
            ("Shipped", ["=", "=", "=", "Completed", "-"]),
            ("DeliveredUnpaid", ["=", "Completed", "=", "=", "-"]),
            ("Completed", ["=", "=", "=", "=", "-"]),
            ("Cancelled", ["-", "-", "-", "-", "="]),
        ],
    );
}

#[test]
fn every_status_at_every_position() {
    use Status::{Cancelled, Confirmed, Delivered, Paid, Pending, Shipped};
    check(
        [Pending, Confirmed, Paid, Shipped, Delivered, Cancelled].map(Goal::Reach),
        [
            ("Pending", ["=", "Confirmed", "Paid", "-", "-", "Cancelled"]),
            ("Confirmed", ["-", "=", "Paid", "ShippedUnpaid", "-", "Cancelled"]),
            ("Paid", ["-", "-", "=", "Shipped", "-", "Cancelled"]),
            ("ShippedUnpaid", ["-", "-", "-", "=", "DeliveredUnpaid", "-"]),
            ("Shipped", ["-", "-", "-", "=", "Completed", "-"]),
            ("DeliveredUnpaid", ["-", "-", "-", "-", "=", "-"]),
            ("Completed", ["-", "-", "-", "-", "=", "-"]),
            ("Cancelled", ["-", "-", "-", "-", "-", "="]),
        ],
    );
}

/// Rows and columns are found by position, so they must stand in the order of declaration.
#[test]
fn the_table_is_in_order() {
    for (way, (position, steps)) in WAYS.into_iter().zip(TRANSITIONS) {
        let order = at(way, AllocateAt::Creation).orders[&OrderId(2)].clone();
        assert_eq!(Position::of(&order), position);
        for (action, step) in Action::ALL.iter().zip(steps) {
            assert_eq!(position.step(*action), step);
            let outcome = outcome(way, Goal::Act(*action));
            assert_eq!(step == Step::Refuse, outcome == "-");
            assert_eq!(step == Step::Stands, outcome == "=");
        }
    }
}

/// The three facts behind each position.
#[test]
fn facts_follow_the_order() {
    let expected = [
        "pending unpaid unfulfilled",
        "confirmed unpaid unfulfilled",
        "confirmed paid unfulfilled",
        "confirmed unpaid shipped",
        "confirmed paid shipped",
        "confirmed unpaid delivered",
        "completed paid delivered",
        "cancelled unpaid unfulfilled",
    ];
    for (way, expected) in WAYS.into_iter().zip(expected) {
        let order = &at(way, AllocateAt::Creation).orders[&OrderId(2)];
        let facts = [order.state.word(), order.payment.word(), order.fulfilment.word()];
        assert_eq!(facts.join(" "), expected);
    }
}

/// What the way leaves in stock: on hand and allocated of ten apples, three of them ordered by user 3.
#[test]
fn stock_follows_the_order() {
    let early = [(10, 3), (10, 3), (10, 3), (7, 0), (7, 0), (7, 0), (7, 0), (10, 0)];
    let late = [(10, 0), (10, 3), (10, 3), (7, 0), (7, 0), (7, 0), (7, 0), (10, 0)];
    for (allocate_at, expected) in [(AllocateAt::Creation, early), (AllocateAt::Confirmation, late)] {
        for (way, (on_hand, allocated)) in WAYS.into_iter().zip(expected) {
            let shop = at(way, allocate_at);
            let level = shop.levels[&APPLE];
            assert_eq!((level.on_hand, level.allocated), (on_hand, allocated), "{allocate_at:?} {way:?}");
            let order = &shop.orders[&OrderId(2)];
            assert_eq!(order.items[0].allocated, allocated, "{allocate_at:?} {way:?}");
            assert_eq!(order.user_id, Some(UserId(3)));
        }
    }
}
