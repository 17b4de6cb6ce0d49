//! The schema comes up once, however many servers start.

use crate::place::Place;
use crate::shop::Shop;
use store::driver::{Database, Options};

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
    assert_eq!(applied, 3, "each migration once");
    let shop = Shop::open(place, Options::default()).await;
    let notes = "SELECT COUNT(*) FROM schema_migrations WHERE version > 0";
    assert_eq!(shop.ints(notes).await, [3]);
    let product = shop.product("A", 5).await;
    shop.place(None, &[(product.id, 5)]).await;
    shop.assert_sound().await;
}

#[tokio::test]
async fn looking_for_what_is_missing_changes_nothing() {
    let place = Place::new().await;
    let database = Database::open(place.url(), Options::default()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(database.missing_migrations().await.unwrap(), 3);
        let mut reader = database.reader().await.unwrap();
        assert!(reader.query_dynamic_long("SELECT version FROM schema_migrations", &[]).await.is_err());
    }
    assert_eq!(database.migrate(1).await.unwrap().len(), 3);
    assert_eq!(database.missing_migrations().await.unwrap(), 0);
    assert!(database.migrate(2).await.unwrap().is_empty());
}
