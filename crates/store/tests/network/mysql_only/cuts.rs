//! Connections that are cut by the server, or given up by this side.

use super::{COUNT, Toys, cut, one};
use crate::place::Place;
use crate::shop::{Batch, Shop, new_order};
use crate::toys::{TOYS, rows, toy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::driver::Options;
use store::{StoreError, Verdict};
use tokio::time::{Instant, sleep, timeout};

const SLEEP: &str = "SELECT SLEEP(0.3)";
const LONG_SLEEP: &str = "SELECT SLEEP(20)";
const LOCK: &str = "SELECT n FROM toys WHERE a = ? {for update}";

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_is_replaced_unnoticed() {
    let mut toys = Toys::new().await;
    for _ in 0..3 {
        toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
        assert_eq!(one(toys.database(), COUNT, &[]).await, 1);
        assert!(toys.cut().await >= 2);
        // Longer than a connection is trusted without asking.
        sleep(Duration::from_millis(1100)).await;
        assert_eq!(one(toys.database(), COUNT, &[]).await, 1);
        let mut transaction = toys.database().begin().await.unwrap();
        transaction.execute("DELETE FROM toys", &[]).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_query_is_asked_again_when_its_connection_is_cut() {
    let mut toys = Toys::new().await;
    let database = toys.database().clone();
    let query = async move { database.reader().await.unwrap().query(SLEEP, &[]).await };
    let cut = async {
        sleep(Duration::from_millis(100)).await;
        toys.cut().await
    };
    let (found, cut) = tokio::join!(query, cut);
    assert_eq!((found.unwrap()[0].int(0).unwrap(), cut > 0), (0, true));
}

#[tokio::test]
async fn a_transaction_or_snapshot_that_was_cut_is_lost() {
    let mut toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    let mut committing = toys.database().begin().await.unwrap();
    committing.insert_rows(&TOYS, &rows([toy(3, 3, "c", 3)])).await.unwrap();
    let mut reader = toys.database().reader().await.unwrap();
    reader.begin_snapshot().await.unwrap();
    reader.query(COUNT, &[]).await.unwrap();
    toys.cut().await;
    let lost = transaction.insert_rows(&TOYS, &rows([toy(2, 2, "b", 2)])).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    let lost = transaction.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    let lost = committing.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    let lost = reader.query(COUNT, &[]).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    drop(reader);
    assert_eq!(one(toys.database(), COUNT, &[]).await, 0);
}

#[tokio::test]
async fn a_statement_that_is_cut_may_be_run_again() {
    let mut toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    let cut = async {
        sleep(Duration::from_millis(100)).await;
        toys.cut().await
    };
    let (answer, _) = tokio::join!(transaction.query(LONG_SLEEP, &[]), cut);
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_) | StoreError::Conflict(_)), "{error:?}");
    let _ = transaction.rollback().await;
    toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_is_stopped_and_leaves_the_pool_sound() {
    let mut toys = Toys::with(Options { readers: 2, writers: 2, ..Options::default() }).await;
    for moment in 0..20 {
        let moment = Duration::from_micros(moment * 150);
        let reader = async { toys.database().reader().await.unwrap().query(LONG_SLEEP, &[]).await };
        assert!(timeout(moment, reader).await.is_err());
        let writer = async {
            let mut transaction = toys.database().begin().await.unwrap();
            transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
            transaction.query(LONG_SLEEP, &[]).await
        };
        assert!(timeout(moment * 2, writer).await.is_err());
    }
    toys.until_idle().await;
    assert_eq!(one(toys.database(), COUNT, &[]).await, 0);
    toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
    assert_eq!(one(toys.database(), COUNT, &[]).await, 1);
}

#[tokio::test]
async fn who_gives_up_waiting_for_a_lock_does_not_get_it_later() {
    let mut toys = Toys::new().await;
    toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
    let mut holder = toys.database().begin().await.unwrap();
    holder.query(LOCK, &[1.into()]).await.unwrap();
    let deadline = Instant::now() + Duration::from_millis(200);
    let mut waiting = toys.database().begin_before(deadline).await.unwrap();
    let error = waiting.query(LOCK, &[1.into()]).await.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    drop(waiting);
    // The lock is still held, so it has not gone on waiting.
    toys.until_idle().await;
    holder.rollback().await.unwrap();
}

/// Everything that was answered as done is there once, nothing else is, however often connections are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_connections_are_cut_all_the_time() {
    let place = Place::mysql().await;
    let mut beside = place.beside().await;
    let shop = Arc::new(Shop::open(place, Options::default()).await);
    let product = shop.product("A", 100_000).await.id;
    let is_over = Arc::new(AtomicBool::new(false));
    let cutter = {
        let (shop, is_over) = (Arc::clone(&shop), Arc::clone(&is_over));
        tokio::spawn(async move {
            let (mut cuts, mut pause) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                cuts += cut(&mut beside, shop.place.name()).await;
                // Ever different, so that each step of a batch has its turn; and now and then long enough for all.
                pause = (pause + 47) % 200;
                sleep(Duration::from_millis(3 + pause)).await;
            }
            cuts
        })
    };
    let mut placed = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let mut batch = Batch::default();
        let tickets: Vec<_> =
            (0..3).map(|_| batch.add(shop.context(), new_order(None, &[(product, 1)]))).collect();
        let verdicts = shop.write(&mut batch).await;
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Decided)), "{verdicts:?}");
        for ticket in tickets {
            placed += 1;
            assert_eq!(ticket.get().unwrap().order.id.0, placed, "no order is lost or doubled");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let cuts = cutter.await.unwrap();
    let counts = shop.store.writer_counts();
    assert!(cuts > 20 && counts.lost_connections > 0, "{cuts} cuts, {counts:?}");
    assert_eq!(shop.ints("SELECT COUNT(*) FROM orders").await, [placed]);
    assert_eq!(shop.level(product).await, (100_000, placed));
    shop.assert_sound().await;
}

#[test]
fn a_database_may_outlive_its_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let toys = first.block_on(Toys::new());
    let (reader, transaction) = first.block_on(async {
        let mut reader = toys.database().reader().await.unwrap();
        reader.begin_snapshot().await.unwrap();
        let mut transaction = toys.database().begin().await.unwrap();
        transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
        (reader, transaction)
    });
    drop(first);
    drop((reader, transaction));
    drop(toys);
}
