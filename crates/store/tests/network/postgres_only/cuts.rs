//! Connections that are cut by the server.

use super::{Toys, one, process};
use crate::place::Place;
use crate::shop::Shop;
use crate::toys::{TOYS, rows, toy};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options};
use tokio::time::{Instant, sleep};

const COUNT: &str = "SELECT COUNT(*) FROM toys";

/// Waits until the server has closed the connections, and this side has heard of it.
async fn until_gone(toys: &Toys, beside: &Database) {
    let began = Instant::now();
    while toys.connections(beside, "%").await > 0 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_is_replaced_unnoticed() {
    let toys = Toys::new().await;
    let beside = toys.beside().await;
    for _ in 0..3 {
        toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
        assert_eq!(one(toys.database(), COUNT, &[]).await, 1);
        assert!(toys.cut(&beside).await >= 2);
        until_gone(&toys, &beside).await;
        assert_eq!(one(toys.database(), COUNT, &[]).await, 1);
        let mut transaction = toys.database().begin().await.unwrap();
        transaction.execute("DELETE FROM toys", &[]).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_query_is_asked_again_when_its_connection_is_cut() {
    let toys = Toys::new().await;
    let beside = toys.beside().await;
    let mut reader = toys.database().reader().await.unwrap();
    let query = reader.query("SELECT COUNT(pg_sleep(0.3))", &[]);
    let cut = async {
        sleep(Duration::from_millis(100)).await;
        toys.cut(&beside).await
    };
    let (found, cut) = tokio::join!(query, cut);
    assert_eq!((found.unwrap()[0].int(0).unwrap(), cut > 0), (1, true));
}

#[tokio::test]
async fn a_transaction_or_snapshot_that_was_cut_is_lost() {
    let toys = Toys::new().await;
    let beside = toys.beside().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    let mut reader = toys.database().reader().await.unwrap();
    reader.begin_snapshot().await.unwrap();
    reader.query(COUNT, &[]).await.unwrap();
    toys.cut(&beside).await;
    let lost = transaction.insert_rows(&TOYS, &rows([toy(2, 2, "b", 2)])).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    let lost = transaction.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_) | StoreError::Misuse { .. }), "{lost:?}");
    let lost = reader.query(COUNT, &[]).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    drop(reader);
    assert_eq!(one(toys.database(), COUNT, &[]).await, 0);

    let mut transaction = toys.database().begin().await.unwrap();
    process(&mut transaction).await;
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    toys.cut(&beside).await;
    let lost = transaction.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "its outcome is unknown: {lost:?}");
    assert_eq!(one(toys.database(), COUNT, &[]).await, 0);
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed_at_once() {
    let toys = Toys::with(Options { writers: 3, ..Options::default() }).await;
    let beside = toys.beside().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.query("SELECT 1", &[]).await.unwrap();
    assert_eq!(toys.connections(&beside, "idle in transaction").await, 1);
    drop(transaction);
    let began = Instant::now();
    while toys.connections(&beside, "idle in transaction").await > 0 {
        assert!(began.elapsed() < Duration::from_secs(1));
        sleep(Duration::from_millis(2)).await;
    }
    let Toys { fixture, name } = toys;
    let crate::toys::Fixture { database, place } = fixture;
    drop(database);
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = ?";
    while one(&beside, sql, &[(&*name).into()]).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(2));
        sleep(Duration::from_millis(2)).await;
    }
    drop(place);
}

/// Whatever is cut, and whenever: each order is placed once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_placed_once_however_often_connections_are_cut() {
    let place = Place::postgres();
    let name = place.name().to_owned();
    let place = place.with_parameter(&format!("application_name={name}"));
    let shop = Arc::new(Shop::open(place, Options::default()).await);
    let product = shop.product("A", 1_000_000).await.id;
    let (url, _) = shop.place.url().rsplit_once("&application_name").unwrap();
    let beside = Database::open(url, Options::default()).await.unwrap();
    let cutter = tokio::spawn(async move {
        let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ?";
        let (began, mut cut, mut turn) = (Instant::now(), 0, 0);
        while cut < 60 {
            assert!(began.elapsed() < Duration::from_secs(30), "{cut} connections were cut");
            turn += 1;
            sleep(Duration::from_micros(1_000 + turn * 1_370 % 20_000)).await;
            cut += one(&beside, sql, &[(&*name).into()]).await;
        }
    });
    let mut placed = 0;
    while !cutter.is_finished() {
        placed += 1;
        assert_eq!(shop.place(None, &[(product, 1)]).await.id.0, placed);
    }
    cutter.await.unwrap();
    assert_eq!(shop.level(product).await, (1_000_000, placed));
    assert!(shop.store.writer_counts().lost_connections > 10, "{:?}", shop.store.writer_counts());
    shop.assert_sound().await;
}
