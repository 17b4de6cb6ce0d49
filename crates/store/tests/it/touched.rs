//! What a batch says it touched, and what the event log tells of it: nothing that looks different afterwards is missing.

use std::collections::BTreeSet;

use domain::{
    Action, AdjustStock, DeleteProduct, OrderId, ProductId, ProductWithStock, RestoreProduct, RevokeSessions,
    StockChange, StockLine, UpdateProduct, UpdateUser, User, UserId,
};
use store::{OrderView, Store, Touched};
use tokio::time::Instant;

use crate::random_shop::Random;
use crate::shop::{Batch, Shop, act, new_order, new_product, new_user};

const PRODUCTS: i64 = 12;
const ORDERS: i64 = 120;
const USERS: i64 = 5;
const BATCHES: usize = 40;

/// All that can be looked at, by id.
#[derive(Clone)]
struct Views {
    products: Vec<Option<ProductWithStock>>,
    orders: Vec<Option<OrderView>>,
    users: Vec<Option<User>>,
}

impl Views {
    async fn of(store: &Store) -> Self {
        let mut views = Self { products: Vec::new(), orders: Vec::new(), users: Vec::new() };
        for id in 1..=PRODUCTS + 10 {
            views.products.push(store.product(ProductId(id)).await.unwrap());
        }
        for id in 1..=ORDERS {
            views.orders.push(store.order(OrderId(id)).await.unwrap());
        }
        for id in 1..=USERS {
            views.users.push(store.user(UserId(id)).await.unwrap());
        }
        views
    }

    /// The version of the stock says that somebody counted, also when the count was right: no event tells of that, and
    /// nothing is shown of it but a tag for readers.
    fn without_counts(mut self) -> Self {
        for product in self.products.iter_mut().flatten() {
            product.level.version = 0;
        }
        self
    }
}

/// The ids, from 1, at which two lists differ.
fn different<T: PartialEq>(before: &[T], after: &[T]) -> BTreeSet<i64> {
    (1..).zip(before.iter().zip(after)).filter(|(_, (a, b))| a != b).map(|(id, _)| id).collect()
}

/// Demands that all differences are named. An order also looks different when its user is called something else.
#[track_caller]
fn assert_told(before: &Views, after: &Views, touched: &Touched) {
    let products: BTreeSet<i64> = touched.products.iter().map(|id| id.0).collect();
    let orders: BTreeSet<i64> = touched.orders.iter().map(|(id, _)| id.0).collect();
    let users: BTreeSet<i64> = touched.users.iter().map(|id| id.0).collect();
    assert!(different(&before.products, &after.products).is_subset(&products), "{touched:?}");
    assert!(different(&before.users, &after.users).is_subset(&users), "{touched:?}");
    for id in different(&before.orders, &after.orders) {
        let order = after.orders[usize::try_from(id).unwrap() - 1].as_ref().unwrap();
        let owner = order.order.user_id;
        let is_told = touched.orders.contains(&(OrderId(id), owner))
            || owner.is_some_and(|user| users.contains(&user.0));
        assert!(is_told, "order {id}: {touched:?}");
    }
    for (id, owner) in &touched.orders {
        let order = after.orders[usize::try_from(id.0).unwrap() - 1].as_ref().unwrap();
        assert_eq!(order.order.user_id, *owner);
    }
    assert!(!touched.everything && orders.len() == touched.orders.len());
}

fn random_command(batch: &mut Batch, shop: &Shop, random: &mut Random) {
    let product_id = ProductId(1 + random.below(PRODUCTS));
    let user_id = UserId(1 + random.below(USERS));
    let order_id = OrderId(1 + random.below(20));
    let context = shop.context();
    match random.below(14) {
        10.. => {
            let owner = (random.below(4) > 0).then_some(user_id);
            drop(batch.add(context, new_order(owner, &[(product_id, 1 + random.below(3))])));
        }
        0..=4 => drop(batch.add(context, act(order_id, random.pick(Action::ALL)))),
        5 => {
            let change = if random.below(2) == 0 {
                StockChange::Set { on_hand: 20, expected: None }
            } else {
                StockChange::Increment(1)
            };
            let line = StockLine { product_id, change, reason: None, note: None };
            drop(batch.add(context, AdjustStock { lines: vec![line] }));
        }
        6 => {
            let price_cents = Some(random.below(500));
            drop(batch.add(context, UpdateProduct { price_cents, ..UpdateProduct::nothing(product_id) }));
        }
        7 if random.below(2) == 0 => drop(batch.add(context, DeleteProduct { product_id, if_version: None })),
        7 | 8 => drop(batch.add(context, RestoreProduct { product_id, if_version: None })),
        9 if random.below(3) == 0 => drop(batch.add(context, RevokeSessions { user_id })),
        _ => {
            let full_name = Some(Some(format!("Name {}", random.below(1000))));
            let nothing =
                UpdateUser { user_id, if_version: None, email: None, full_name, role: None, is_active: None };
            drop(batch.add(context, nothing));
        }
    }
}

#[tokio::test]
async fn whatever_looks_different_afterwards_was_told() {
    let shop = Shop::new().await;
    let mut random = Random::new(0x70c_4ed);
    for number in 0..USERS {
        shop.user(&format!("user{number}")).await;
    }
    for number in 0..PRODUCTS {
        shop.product(&format!("SKU {number}"), 20).await;
    }
    let another = Store::new(shop.database.clone());
    let mut last = another.changes(None).await.unwrap().last;
    let mut before = Views::of(&shop.store).await;
    for _ in 0..BATCHES {
        let mut batch = Batch::default();
        for _ in 0..=random.below(8) {
            random_command(&mut batch, &shop, &mut random);
        }
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        let written = shop.store.write(&mut batch.jobs, |_| (), deadline).await;
        let after = Views::of(&shop.store).await;
        assert_told(&before, &after, &written.touched);
        let changes = another.changes(Some(last)).await.unwrap();
        assert_told(&before.without_counts(), &after.clone().without_counts(), &changes.touched);
        // The log ends with the events of this batch.
        let mut ends = written.events.iter().map(|events| (events.start - 1, events.end - 1));
        assert_eq!(ends.next_back().unwrap_or((last, last)), (last, changes.last));
        (before, last) = (after, changes.last);
    }
    assert!(before.orders.iter().flatten().count() > 10);
    let quiet = another.changes(Some(last)).await.unwrap();
    assert_eq!((quiet.touched, quiet.last), (Touched::default(), last));
}

#[tokio::test]
async fn more_than_is_worth_reading_is_everything() {
    let shop = Shop::new().await;
    let mut batch = Batch::default();
    for number in 0..1000 {
        batch.add(shop.context(), new_product(&format!("SKU {number}"), 0));
    }
    shop.decide(batch).await;
    let all = shop.store.changes(Some(0)).await.unwrap();
    assert_eq!((all.touched.products.len(), all.touched.everything, all.last), (1000, false, 1000));
    shop.run(new_user("ann")).await.unwrap();
    let everything = shop.store.changes(Some(0)).await.unwrap();
    assert_eq!((everything.touched, everything.last), (Touched::everything(), 1001));
    // A log that ends earlier than it did, as after the loss of the last commits.
    let shorter = shop.store.changes(Some(1002)).await.unwrap();
    assert_eq!((shorter.touched, shorter.last), (Touched::everything(), 1001));
    let end = shop.store.changes(None).await.unwrap();
    assert_eq!((end.touched, end.last), (Touched::everything(), 1001));
}
