//! The schema comes up once, however many servers start.

use crate::place::Place;
use crate::random_shop::random_shop;
use crate::shop::{Batch, Shop, act, new_order};
use domain::{Action, OrderId, ProductId};
use store::driver::{Database, Options};

/// How many there are.
const MIGRATIONS: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_all_come_up() {
    let place = Place::new().await;
    let servers: Vec<_> = (0..6)
        .map(|now_us| {
            let url = place.url().to_owned();
            tokio::spawn(async move {
                let database = Database::open(&url, Options::default()).await.unwrap();
                database.migrate(now_us).await.unwrap()
            })
        })
        .collect();
    let mut applied = 0;
    for server in servers {
        applied += server.await.unwrap().len();
    }
    assert_eq!(applied, MIGRATIONS, "each migration once");
    let shop = Shop::open(place, Options::default()).await;
    let notes = "SELECT COUNT(*) FROM schema_migrations WHERE version > 0";
    assert_eq!(shop.ints(notes).await, [i64::try_from(MIGRATIONS).unwrap()]);
    let product = shop.product("A", 5).await;
    shop.place(None, &[(product.id, 5)]).await;
    shop.assert_sound().await;
}

#[tokio::test]
async fn looking_for_what_is_missing_changes_nothing() {
    let place = Place::new().await;
    let database = Database::open(place.url(), Options::default()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(database.missing_migrations().await.unwrap(), MIGRATIONS);
        let mut reader = database.reader().await.unwrap();
        assert!(reader.query_dynamic_long("SELECT version FROM schema_migrations", &[]).await.is_err());
    }
    assert_eq!(database.migrate(1).await.unwrap().len(), MIGRATIONS);
    assert_eq!(database.missing_migrations().await.unwrap(), 0);
    assert!(database.migrate(2).await.unwrap().is_empty());
}

/// The sums as they are, without the bounds, which are as narrow as can be right after a migration alone.
const SUMS: &str = "SELECT s.product_id, s.day, s.orders, s.amount_high, s.amount_low, s.quantity_high, s.quantity_low, \
     s.status FROM order_sums s WHERE s.orders <> 0 ORDER BY s.product_id, s.day, s.status";

#[tokio::test]
async fn orders_from_before_are_summed_up_as_if_the_sums_had_always_been_kept() {
    let (shop, _) = random_shop().await;
    // On the last moment before 1970, long before, on the first of a day, and on its last.
    let mut batch = Batch::default();
    let day = 86_400_000_000;
    for now_us in [-1, -day, -day - 1, 3 * day, 4 * day - 1] {
        let mut context = shop.context();
        context.now_us = now_us;
        batch.add(context, new_order(None, &[(ProductId(1), 1), (ProductId(2), 1)]));
    }
    shop.decide(batch).await;
    shop.run(act(OrderId(1), Action::Cancel)).await.ok();
    shop.assert_sound().await;
    let kept = shop.query(SUMS).await;
    assert!(kept.len() > 100, "{}", kept.len());
    shop.sabotage("DELETE FROM order_sums").await;
    assert_eq!(shop.verify().await.discrepancies.len(), 50);
    let script = include_str!("../../migrations/0004_orders_at_scale.sql");
    let filling = script.split(';').map(str::trim).filter(|sql| sql.contains("INSERT INTO order_sums"));
    let mut transaction = shop.database.begin().await.unwrap();
    for sql in filling {
        transaction.execute_dynamic(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert!(shop.query(SUMS).await == kept);
    shop.assert_sound().await;
}
