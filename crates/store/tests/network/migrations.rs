//! Migrations whose connection is cut, or whose program is killed, in the middle: the next attempt completes them.

use crate::cuts::{everywhere, some};
use crate::lane::server_place;
use crate::place::Place;
use crate::proxy::{Door, Proxy};
use crate::shop::Shop;
use store::driver::{Database, Options};

/// How many cuts are tried; there are far more places than time.
const CUTS: usize = 24;

async fn through(place: &Place) -> (Proxy, Database) {
    let proxy = Proxy::before(place.url()).await;
    let database = Database::open(&proxy.url(), Options::default()).await.unwrap();
    (proxy, database)
}

/// Whether a shop can be run in the database, all of whose migrations have been noted once.
async fn assert_usable(place: Place, what: &str) {
    let shop = Shop::open(place, Options::default()).await;
    let notes =
        shop.ints("SELECT m.version FROM schema_migrations m WHERE m.version > 0 ORDER BY m.version").await;
    assert!(notes.is_sorted_by(|one, next| one < next), "{what}: {notes:?}");
    assert!(!notes.is_empty() && shop.database.missing_migrations().await.unwrap() == 0, "{what}");
    let product = shop.product("A", 5).await;
    shop.place(None, &[(product.id, 2)]).await;
    shop.assert_sound().await;
}

#[tokio::test]
async fn what_a_cut_interrupts_is_completed() {
    let place = server_place().await;
    let (proxy, database) = through(&place).await;
    proxy.order([]);
    let applied = database.migrate(1).await.unwrap().len();
    assert!(applied > 0);
    let all = everywhere(&proxy.recording());
    drop((proxy, database));
    assert_usable(place, "undisturbed").await;

    let mut cuts = 0;
    for (nth, mut cut) in some(&all, CUTS).enumerate() {
        let what = format!("{cut:?}");
        let place = server_place().await;
        let (proxy, database) = through(&place).await;
        if nth % 2 == 0 {
            // A cut alone is healed by whoever it hits.
            proxy.order([cut]);
            database.migrate(1).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(database.missing_migrations().await.unwrap(), 0, "{what}");
        } else {
            // What is killed comes no further, and says nothing more.
            cut.door = Door::Refusing;
            proxy.order([cut]);
            let killed = proxy.next_cut();
            tokio::select! {
                _ = database.migrate(1) => {}
                () = killed => proxy.hang_up(),
            }
        }
        cuts += proxy.outcome().cuts;
        drop((database, proxy));
        assert_usable(place, &what).await;
    }
    println!("{cuts} cuts of migrations");
    assert!(cuts * 10 >= CUTS * 8, "{cuts} cuts");
}

#[tokio::test]
async fn several_servers_migrate_at_once() {
    for _ in 0..3 {
        let place = server_place().await;
        let mut servers = Vec::new();
        for _ in 0..4 {
            servers.push(Database::open(place.url(), Options::default()).await.unwrap());
        }
        let all = tokio::join!(
            servers[0].migrate(1),
            servers[1].migrate(2),
            servers[2].migrate(3),
            servers[3].migrate(4)
        );
        let applied = [all.0, all.1, all.2, all.3].map(|applied| applied.unwrap().len());
        let total: usize = applied.iter().sum();
        let missing = servers[0].missing_migrations().await.unwrap();
        assert_eq!(missing, 0, "{applied:?}");
        drop(servers);
        let shop = Shop::open(place, Options::default()).await;
        let notes = shop.ints("SELECT COUNT(*) FROM schema_migrations m WHERE m.version > 0").await;
        assert_eq!(notes, [i64::try_from(total).unwrap()], "each was applied by one of them: {applied:?}");
    }
}
