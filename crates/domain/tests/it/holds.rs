//! What customers hold, and what is lacking when they are refused more.

use domain::{Goal, Holds, Lack, OrderId, ProductId, Rejection, Shortage, Status, UserId};

const fn held(orders: i64, units: i64) -> Holds {
    Holds { orders, units }
}

#[test]
fn an_order_that_changes_moves_what_is_held_by_the_difference() {
    let open = Holds::of(Status::Confirmed, 4);
    let paid = Holds::of(Status::Paid, 4);
    // What was held, what the order counted as and counts as, and what is held then.
    let rows = [
        (held(0, 0), Holds::default(), open, held(1, 4)),
        (held(3, 9), Holds::default(), open, held(4, 13)),
        (held(3, 9), open, paid, held(2, 5)),
        (held(1, 4), open, open, held(1, 4)),
        (held(1, 4), open, Holds::of(Status::Confirmed, 2), held(1, 2)),
        (held(2, 9), paid, Holds::of(Status::Cancelled, 4), held(2, 9)),
    ];
    for (before, from, to, after) in rows {
        assert_eq!(before.moved(from, to), after, "{before:?}, {from:?} to {to:?}");
    }
}

#[test]
fn only_what_expired_orders_can_give_back_is_lacking() {
    let (cleo, apple, pear) = (UserId(3), ProductId(1), ProductId(2));
    let short = |product_id| Shortage { product_id, requested: 2, available: 1 };
    let products = |products: &[ProductId]| Some(Lack { products: products.to_vec(), user_id: None });
    let of_user = Some(Lack { products: Vec::new(), user_id: Some(cleo) });
    let rows = [
        (Rejection::InsufficientStock(vec![short(apple), short(pear)]), products(&[apple, pear])),
        (Rejection::StockAllocated { product_id: pear, requested: 1, allocated: 2 }, products(&[pear])),
        (Rejection::TooManyOpenOrders { user_id: cleo, limit: 1, open: 1 }, of_user.clone()),
        (Rejection::TooManyUnitsHeld { user_id: cleo, limit: 1, held: 1, requested: 1 }, of_user),
        (Rejection::UserInactive(cleo), None),
        (
            Rejection::InvalidTransition {
                order_id: OrderId(1),
                from: Status::Cancelled,
                goal: Goal::Reach(Status::Paid),
            },
            None,
        ),
    ];
    for (rejection, lack) in rows {
        assert_eq!(rejection.lack(), lack, "{rejection:?}");
    }
}
