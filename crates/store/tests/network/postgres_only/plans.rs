//! How PostgreSQL goes about the statements of a batch.

use crate::place::Place;
use crate::shop::{Batch, Shop, act, new_order, new_product, new_user};
use domain::{
    Action, Actor, CreateProduct, DeleteProduct, ForgetAnswers, OrderId, PlaceOrder, PlacingTerms, ProductId,
    Role, StockChange, StockLine, UpdateProduct, UserId,
};
use std::time::Duration;
use store::IdempotencyKey;
use store::driver::{Database, Options};
use tokio::time::{Instant, sleep};

/// Rows of the shop's tables that were found by reading a whole table, by reading an index, and that were added.
const READ: &str = "SELECT SUM(t.seq_tup_read), SUM(t.idx_tup_fetch), \
     SUM(CASE WHEN t.relname = 'orders' THEN t.n_tup_ins ELSE 0 END) \
     FROM pg_stat_user_tables t WHERE t.schemaname = ? AND t.relname <> 'schema_migrations'";

async fn read(database: &Database, schema: &str) -> (i64, i64, i64) {
    let row = database.reader().await.unwrap().query(READ, &[schema.into()]).await.unwrap().remove(0);
    (row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap())
}

/// A batch with commands of most kinds, and an order for each product.
async fn write(shop: &Shop, turn: i64) {
    let mut batch = Batch::default();
    batch.add(shop.context(), new_user(&format!("user{turn}")));
    for index in 0..20 {
        let product = new_product(&format!("P{turn}-{index}"), 100);
        batch.add(shop.context(), CreateProduct { unique_name: index < 10, ..product });
    }
    let first = (turn - 1) * 20 + 1;
    for id in first..first + 20 {
        let key = format!("{turn}-{id}");
        let fingerprint = String::new();
        let key = IdempotencyKey { principal: 7, key, fingerprint, earliest_us: turn, latest_us: turn };
        let lines = [(ProductId(id), 1), (ProductId(1 + id / 2), 1)];
        batch.add_keyed(shop.context(), Some(key), new_order(Some(UserId(turn)), &lines));
    }
    // Some wait for so short a time that whoever is refused afterwards looks for them.
    let terms = PlacingTerms { pending_life_us: Some(1), max_open_orders: Some(99), max_units_held: None };
    let customer = Actor { user_id: Some(UserId(turn)), role: Role::Customer, key: None };
    for id in first..first + 5 {
        let order = PlaceOrder { terms, ..new_order(None, &[(ProductId(id), 1)]) };
        batch.add(shop.context_of(customer), order);
    }
    let refused = batch.add(shop.context(), new_order(None, &[(ProductId(first), 1_000)]));
    batch.add(shop.context(), act(OrderId(turn), Action::Pay));
    let rename = UpdateProduct { sku: Some(format!("Q{turn}")), ..UpdateProduct::nothing(ProductId(first)) };
    batch.add(shop.context(), rename);
    let change = StockChange::Increment(5);
    let line = StockLine { product_id: ProductId(first), change, reason: None, note: None };
    batch.add(shop.context(), domain::AdjustStock { lines: vec![line] });
    shop.decide(batch).await;
    assert!(refused.get().is_err() && shop.run(new_order(None, &[(ProductId(first), 1_000)])).await.is_err());
    shop.run(DeleteProduct { product_id: ProductId(first + 19), if_version: None }).await.unwrap();
    shop.run(ForgetAnswers { before_us: turn - 5 }).await.unwrap();
}

/// Plans are made when the tables are empty and kept while they grow; the server has no statistics of them yet.
#[tokio::test]
async fn rows_are_found_by_key_in_a_shop_that_was_empty() {
    let place = Place::postgres();
    let schema = place.name().to_owned();
    let shop = Shop::open(place, Options { writers: 1, ..Options::default() }).await;
    let beside = Database::open(shop.place.url(), Options::default()).await.unwrap();
    // What making the tables has read.
    let (began, mut before) = (Instant::now(), (0, 0, 0));
    while began.elapsed() < Duration::from_secs(2) {
        sleep(Duration::from_millis(100)).await;
        before = read(&beside, &schema).await;
    }
    for turn in 1..=30 {
        write(&shop, turn).await;
    }
    let Shop { store, database, place, .. } = shop;
    // The counts of a connection are complete when it has ended.
    drop((store, database));
    let mut after = read(&beside, &schema).await;
    while after.2 < 500 {
        assert!(began.elapsed() < Duration::from_secs(20), "{after:?}");
        sleep(Duration::from_millis(50)).await;
        after = read(&beside, &schema).await;
    }
    let (whole, by_key) = (after.0 - before.0, after.1 - before.1);
    assert!(
        whole == 0 && by_key > 1_000,
        "{whole} rows were read with whole tables, {by_key} were looked up"
    );
    drop(place);
}
