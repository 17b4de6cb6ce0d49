//! Commands that join a batch when it has got its turn.

use crate::shop::{Batch, Shop, act, new_order, new_product};
use domain::{Action, OrderId, ProductId, Rejection, Shortage, Status};
use std::time::Duration;
use store::driver::{Cell, Kind, Rows, TableRows};
use store::{IdempotencyKey, Store, Verdict};
use tokio::time::Instant;

/// Another server on the same database.
fn another(shop: &Shop) -> Store {
    Store::new(shop.database.clone())
}

/// Writes a batch that others may join; the verdicts of all, and how often it was asked who else there is.
async fn write(store: &Store, batch: &mut Batch, late: &mut Batch) -> (Vec<Verdict>, usize) {
    let mut asked = 0;
    let join = |jobs: &mut Vec<_>| {
        asked += 1;
        jobs.append(&mut late.jobs);
    };
    let verdicts =
        store.write(&mut batch.jobs, join, Instant::now() + Duration::from_secs(20)).await.verdicts;
    assert_eq!(verdicts.len(), batch.jobs.len());
    (verdicts, asked)
}

fn order(product: i64, quantity: i64) -> domain::PlaceOrder {
    new_order(None, &[(ProductId(product), quantity)])
}

#[tokio::test]
async fn who_comes_late_joins_where_another_server_came_first() {
    let shop = Shop::new().await;
    for sku in ["A", "B", "C"] {
        shop.product(sku, 10).await;
    }
    shop.place(None, &[(ProductId(3), 2)]).await;
    let (mut batch, mut late) = (Batch::default(), Batch::default());
    let first = batch.add(shop.context(), order(1, 6));
    // What the batch has loaded already, what it has not, an order with all that belongs to it, and what is refused.
    let same = late.add(shop.context(), order(1, 4));
    let other = late.add(shop.context(), order(2, 1));
    let paid = late.add(shop.context(), act(OrderId(1), Action::Pay));
    let shipped = late.add(shop.context(), act(OrderId(1), Action::Ship));
    let made = late.add(shop.context(), new_product("D", 1));
    let refused = late.add(shop.context(), order(1, 1));
    let (verdicts, asked) = write(&another(&shop), &mut batch, &mut late).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Decided)), "{verdicts:?}");
    assert_eq!((verdicts.len(), asked), (7, 1));
    let ids = [first, same, other].map(|ticket| ticket.get().unwrap().order.id);
    assert_eq!(ids, [OrderId(2), OrderId(3), OrderId(4)]);
    assert_eq!(paid.get().unwrap().order.status(), Status::Paid);
    assert_eq!(shipped.get().unwrap().order.status(), Status::Shipped);
    assert_eq!(made.get().unwrap().product.id, ProductId(4));
    let short = Shortage { product_id: ProductId(1), requested: 1, available: 0 };
    assert_eq!(refused.get().unwrap_err(), Rejection::InsufficientStock(vec![short]));
    assert_eq!(shop.level(ProductId(1)).await, (10, 10));
    assert_eq!(shop.level(ProductId(3)).await, (8, 0));
    shop.assert_sound().await;
}

#[tokio::test]
async fn nobody_is_asked_for_where_nobody_else_writes() {
    let shop = Shop::new().await;
    shop.product("A", 10).await;
    let (mut batch, mut late) = (Batch::default(), Batch::default());
    batch.add(shop.context(), order(1, 1));
    late.add(shop.context(), order(1, 1));
    assert_eq!(write(&shop.store, &mut batch, &mut late).await.1, 0);
    // Until somebody else has written.
    let mut others = Batch::default();
    others.add(shop.context(), order(1, 1));
    write(&another(&shop), &mut others, &mut Batch::default()).await;
    assert_eq!(write(&shop.store, &mut batch, &mut late).await.1, 1);
    assert_eq!(shop.level(ProductId(1)).await, (10, 4));
    shop.assert_sound().await;
}

#[tokio::test]
async fn a_repetition_that_comes_late_is_answered_and_not_carried_out() {
    let shop = Shop::new().await;
    shop.product("A", 10).await;
    let key = |now_us| {
        let (key, fingerprint) = ("k".to_owned(), "same".to_owned());
        Some(IdempotencyKey { principal: 1, key, fingerprint, earliest_us: now_us, latest_us: now_us })
    };
    let mut first = Batch::default();
    first.add_keyed(shop.context(), key(0), order(1, 1));
    shop.decide(first).await;
    let (mut batch, mut late) = (Batch::default(), Batch::default());
    batch.add(shop.context(), order(1, 1));
    let repeated = late.add_keyed(shop.context(), key(1), order(1, 1));
    let (verdicts, _) = write(&another(&shop), &mut batch, &mut late).await;
    assert!(matches!(verdicts[..], [Verdict::Decided, Verdict::Replayed(_)]), "{verdicts:?}");
    assert!(repeated.is_untouched());
    assert_eq!(shop.level(ProductId(1)).await, (10, 2));
}

#[tokio::test]
async fn whoever_spoils_the_batch_late_is_refused_alone() {
    static ORDER: TableRows = TableRows {
        table: "orders",
        columns: &[
            ("id", Kind::Int),
            ("state", Kind::Text),
            ("payment", Kind::Text),
            ("fulfilment", Kind::Text),
            ("allocate_at", Kind::Text),
            ("total_amount_cents", Kind::Int),
            ("total_quantity", Kind::Int),
            ("version", Kind::Int),
            ("placed_at_us", Kind::Int),
        ],
        key: &["id"],
    };
    let shop = Shop::new().await;
    shop.product("A", 10).await;
    // Somebody has used a number that is not theirs, so the second new order of the batch cannot be stored.
    let mut rows = Rows::new();
    let word = Cell::Text("-");
    rows.push([2.into(), word, word, word, word, 0.into(), 0.into(), 1.into(), 1.into()]);
    let mut transaction = shop.database.begin().await.unwrap();
    transaction.insert_rows(&ORDER, &rows).await.unwrap();
    transaction.commit().await.unwrap();
    let (mut batch, mut late) = (Batch::default(), Batch::default());
    let first = batch.add(shop.context(), order(1, 1));
    late.add(shop.context(), order(1, 1));
    let (verdicts, asked) = write(&another(&shop), &mut batch, &mut late).await;
    assert!(matches!(verdicts[..], [Verdict::Decided, Verdict::Failed(_)]), "{verdicts:?}");
    assert_eq!(asked, 1, "the parts of a batch are what they are");
    assert_eq!(first.get().unwrap().order.id, OrderId(1));
    assert_eq!(shop.level(ProductId(1)).await, (10, 1));
}
