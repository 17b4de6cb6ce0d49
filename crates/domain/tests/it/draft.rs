//! [`Draft::move_stock`] keeps the bounds of a level by itself, whatever a command forgot to check.

use std::sync::Arc;

use domain::{Actor, Cause, Context, Draft, Keys, MAX_STOCK, MovementKind, Rejection};

use crate::commands::{APPLE, CLEO, do_as, order, shop};

/// Moves ten apples of which four are held, and says what is left.
#[track_caller]
fn check(deltas: (i64, i64), expected: Option<(i64, i64)>) {
    let mut shop = shop();
    do_as(&mut shop, CLEO, order(&[(APPLE, 4)]));
    let snapshot = shop.load(&Keys { products: vec![APPLE], ..Keys::default() });
    let context = Context { actor: Actor::SYSTEM, now_us: 0, request_id: Arc::from("r"), source: None };
    let mut draft = Draft::new(&snapshot, &context);
    let moved = draft.move_stock(APPLE, MovementKind::Counted, deltas, Cause::default());
    let refused = Rejection::OutOfRange { field: "stock", line: None, min: 0, max: MAX_STOCK };
    let level = moved.map(|level| (level.on_hand, level.allocated));
    assert_eq!(level, expected.ok_or(refused), "{deltas:?}");
    let level = draft.level(APPLE);
    assert_eq!((level.on_hand, level.allocated), expected.unwrap_or((10, 4)), "reads see their own writes");
    assert_eq!(draft.decide(()).effects.movements.len(), usize::from(expected.is_some()));
}

#[test]
fn levels_stay_within_bounds() {
    check((0, 0), Some((10, 4)));
    check((-6, 0), Some((4, 4)));
    check((-7, 0), None);
    check((0, 6), Some((10, 10)));
    check((0, 7), None);
    check((0, -4), Some((10, 0)));
    check((0, -5), None);
    check((-10, -4), Some((0, 0)));
    check((-11, -4), None);
    check((MAX_STOCK - 10, 0), Some((MAX_STOCK, 4)));
    check((MAX_STOCK - 9, 0), None);
    check((MAX_STOCK, MAX_STOCK), None);
    check((i64::MAX, 0), None);
    check((0, i64::MAX), None);
    check((i64::MIN, i64::MIN), None);
}
