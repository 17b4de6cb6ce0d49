//! When what was changed last: a fixed array of marks, so that keeping track costs the same for any number of things.
//!
//! Time is a count of marks. Whoever reads takes the count before the read begins, and what was read is good as long as
//! nothing that it shows was marked later. A mark is set after the change is committed and before anybody is told of it.
//! So a read that began after the mark saw the change, and one that began before it is out of date, rightly or not, from
//! the moment on at which somebody could know better.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{OrderId, ProductId, UserId};
use store::Touched;

/// Marks for each kind of thing. Things whose numbers differ by a multiple of this share one, at the price of an answer
/// that is made anew for nothing.
const SPREAD: usize = 8192;

/// Kinds of things that are marked one by one.
const KINDS: usize = 4;

/// Something that an answer shows, and that may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// This product, or its stock.
    Product(ProductId),
    /// This order.
    Order(OrderId),
    /// This user's name.
    Name(UserId),
    /// Which orders this user has, and all of these; `None` has those placed without a login.
    OrdersOf(Option<UserId>),
    /// Which products there are, and all of these.
    Products,
    /// Which orders there are, and all of these.
    Orders,
    /// The name of any user.
    Names,
}

/// Where the mark of a [`Slot`] is.
pub(super) type Place = u16;

impl Slot {
    /// Where its mark is.
    pub(super) fn place(self) -> Place {
        let one = |kind: usize, id: i64| {
            let number = usize::try_from(id.unsigned_abs() % SPREAD as u64).unwrap_or(0);
            kind * SPREAD + number
        };
        let place = match self {
            Self::Product(id) => one(0, id.0),
            Self::Order(id) => one(1, id.0),
            Self::Name(id) => one(2, id.0),
            Self::OrdersOf(id) => one(3, id.map_or(0, |id| id.0)),
            Self::Products => KINDS * SPREAD,
            Self::Orders => KINDS * SPREAD + 1,
            Self::Names => KINDS * SPREAD + 2,
        };
        // There are fewer marks than a place has numbers: asserted below.
        Place::try_from(place).unwrap_or(0)
    }
}

/// How many marks there are.
const PLACES: usize = KINDS * SPREAD + 3;
const _: () = assert!(PLACES <= Place::MAX as usize);

/// All marks.
#[derive(Debug)]
pub(super) struct Slots {
    /// How often something was marked.
    count: AtomicU64,
    /// The mark of everything there is.
    everything: AtomicU64,
    marks: Box<[AtomicU64]>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            everything: AtomicU64::new(0),
            marks: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// What is asked before a read begins, to judge later whether what was read is still good.
    pub(super) fn now(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether nothing that stands at these places was marked since it was `began`.
    pub(super) fn is_good(&self, began: u64, places: &[Place]) -> bool {
        let is_older = |mark: &AtomicU64| mark.load(Ordering::SeqCst) <= began;
        is_older(&self.everything)
            && places.iter().all(|place| self.marks.get(usize::from(*place)).is_some_and(is_older))
    }

    /// Marks what was changed; `but` leaves some of it out, for tests that must notice.
    pub(super) fn mark(&self, touched: &Touched, but: impl Fn(Slot) -> bool) {
        let now = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if touched.everything {
            self.everything.fetch_max(now, Ordering::SeqCst);
            return;
        }
        let mark = |slot: Slot| {
            if let Some(mark) = self.marks.get(usize::from(slot.place())).filter(|_| !but(slot)) {
                // Another thread may be marking the same with a later count.
                mark.fetch_max(now, Ordering::SeqCst);
            }
        };
        touched.products.iter().for_each(|id| mark(Slot::Product(*id)));
        for (id, user) in &touched.orders {
            mark(Slot::Order(*id));
            mark(Slot::OrdersOf(*user));
        }
        touched.users.iter().for_each(|id| mark(Slot::Name(*id)));
        let any = [
            (touched.products.is_empty(), Slot::Products),
            (touched.orders.is_empty(), Slot::Orders),
            (touched.users.is_empty(), Slot::Names),
        ];
        any.into_iter().filter(|(none, _)| !none).for_each(|(_, slot)| mark(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good_after(slot: Slot, touched: &Touched) -> bool {
        let slots = Slots::new();
        let began = slots.now();
        slots.mark(touched, |_| false);
        slots.is_good(began, &[slot.place()])
    }

    #[test]
    fn a_change_marks_what_it_touches_and_nothing_else() {
        let product = Touched { products: vec![ProductId(7)], ..Touched::default() };
        let order = Touched { orders: vec![(OrderId(7), Some(UserId(3)))], ..Touched::default() };
        let nobodys = Touched { orders: vec![(OrderId(7), None)], ..Touched::default() };
        let user = Touched { users: vec![UserId(7)], ..Touched::default() };
        let everything = Touched::everything();
        let cases = [
            (Slot::Product(ProductId(7)), [false, true, true, true, false]),
            (Slot::Product(ProductId(8)), [true, true, true, true, false]),
            (Slot::Order(OrderId(7)), [true, false, false, true, false]),
            (Slot::Order(OrderId(8)), [true, true, true, true, false]),
            (Slot::Name(UserId(7)), [true, true, true, false, false]),
            (Slot::Name(UserId(3)), [true, true, true, true, false]),
            (Slot::OrdersOf(Some(UserId(3))), [true, false, true, true, false]),
            (Slot::OrdersOf(Some(UserId(7))), [true, true, true, true, false]),
            (Slot::OrdersOf(None), [true, true, false, true, false]),
            (Slot::Products, [false, true, true, true, false]),
            (Slot::Orders, [true, false, false, true, false]),
            (Slot::Names, [true, true, true, false, false]),
        ];
        for (slot, expected) in cases {
            let found =
                [&product, &order, &nobodys, &user, &everything].map(|touched| is_good_after(slot, touched));
            assert_eq!(found, expected, "{slot:?}");
        }
    }

    #[test]
    fn whatever_began_before_a_mark_is_out_of_date_and_what_begins_after_it_is_not() {
        let slots = Slots::new();
        let touched = Touched { products: vec![ProductId(1)], ..Touched::default() };
        let place = [Slot::Product(ProductId(1)).place()];
        let before = slots.now();
        assert!(slots.is_good(before, &place));
        slots.mark(&touched, |_| false);
        assert!(!slots.is_good(before, &place));
        let after = slots.now();
        assert!(slots.is_good(after, &place));
        // A mark of something else makes the count go on, and nothing old good.
        slots.mark(&Touched { users: vec![UserId(1)], ..Touched::default() }, |_| false);
        assert!(slots.is_good(after, &place));
        assert!(!slots.is_good(before, &place));
    }

    #[test]
    fn one_of_several_things_is_enough() {
        let slots = Slots::new();
        let places = [Slot::Order(OrderId(1)).place(), Slot::Name(UserId(5)).place()];
        let began = slots.now();
        slots.mark(&Touched { users: vec![UserId(5)], ..Touched::default() }, |_| false);
        assert!(!slots.is_good(began, &places));
    }

    #[test]
    fn marks_of_several_threads_never_go_back() {
        let slots = Slots::new();
        let touched = Touched { products: vec![ProductId(1)], ..Touched::default() };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let began = slots.now();
                        slots.mark(&touched, |_| false);
                        assert!(!slots.is_good(began, &[Slot::Product(ProductId(1)).place()]));
                    }
                });
            }
        });
    }
}
