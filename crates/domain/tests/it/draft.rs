//! [`Draft::move_stock`] keeps the bounds of a level by itself, whatever a command forgot to check; what is read is what was
//! written.

use std::sync::Arc;

use domain::{Actor, Cause, Change, Context, Draft, Keys, MAX_STOCK, MovementKind, Product, Rejection};

use crate::commands::{APPLE, CLEO, PEAR, PLUM, do_as, order, shop};

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

#[test]
fn a_product_is_as_the_command_left_it_and_no_other_is() {
    let shop = shop();
    let snapshot = shop.load(&Keys { products: vec![APPLE, PEAR], ..Keys::default() });
    let context = Context { actor: Actor::SYSTEM, now_us: 0, request_id: Arc::from("r"), source: None };
    let mut draft = Draft::new(&snapshot, &context);
    let name = |draft: &Draft<'_>, id| draft.product(id).map(|product| product.name.clone());
    let renamed =
        |id| Product { name: "new".to_owned(), ..snapshot.product(id).cloned().expect("it is loaded") };
    draft.put(Change::PutProduct(renamed(PEAR)));
    assert_eq!((name(&draft, APPLE), name(&draft, PEAR)), (Some("apple".to_owned()), Some("new".to_owned())));
    draft.put(Change::PutProduct(Product { name: "newer".to_owned(), ..renamed(PEAR) }));
    assert_eq!(name(&draft, PEAR).as_deref(), Some("newer"), "the latest counts");
}

#[test]
fn what_is_sold_out_says_since_when_it_is_off_sale() {
    let shop = shop();
    let snapshot = shop.load(&Keys { products: vec![PLUM, APPLE], ..Keys::default() });
    let now_us = 1 + snapshot.product(PLUM).expect("it is loaded").updated_at_us;
    let context = Context { actor: Actor::SYSTEM, now_us, request_id: Arc::from("r"), source: None };
    let mut draft = Draft::new(&snapshot, &context);
    draft.deactivate_sold_out(PLUM);
    draft.deactivate_sold_out(APPLE);
    let plum = draft.product(PLUM).expect("it is loaded");
    assert_eq!((plum.is_active, plum.updated_at_us, plum.version), (false, now_us, 2));
    assert_eq!(draft.decide(()).effects.changes.len(), 1, "of apples there are some");
}
