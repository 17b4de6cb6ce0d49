//! Limits: on waiting for a lock, on working, on being idle; and work that nobody waits for any more.

use super::{Toys, one};
use crate::toys::{rows, toy};
use std::time::Duration;
use store::StoreError;
use store::driver::Options;
use tokio::time::{Instant, sleep, timeout};

const LOCK: &str = "SELECT n FROM toys WHERE a = ? {for update}";

async fn two_toys(options: Options) -> Toys {
    let toys = Toys::with(options).await;
    toys.fixture.insert(&rows([toy(1, 1, "a", 1), toy(2, 2, "b", 2)])).await.unwrap();
    toys
}

#[tokio::test]
async fn the_session_is_set_up_for_what_it_is_for() {
    let toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    let mut reader = toys.database().reader().await.unwrap();
    for (sql, of_writer, of_reader) in [
        ("SHOW lock_timeout", "5s", "0"),
        ("SHOW statement_timeout", "0", "30s"),
        ("SHOW idle_in_transaction_session_timeout", "35s", "0"),
        ("SHOW default_transaction_read_only", "off", "on"),
        ("SHOW transaction_isolation", "read committed", "read committed"),
        ("SHOW client_connection_check_interval", "2s", "2s"),
        ("SHOW standard_conforming_strings", "on", "on"),
        ("SHOW tcp_keepalives_idle", "10", "10"),
        ("SHOW search_path", &toys.name, &toys.name),
    ] {
        let found = transaction.query_dynamic(sql, &[]).await.unwrap()[0].as_text(0).unwrap().to_owned();
        assert_eq!(found, of_writer, "{sql} of a writer");
        let found = reader.query_dynamic_long(sql, &[]).await.unwrap()[0].as_text(0).unwrap().to_owned();
        assert_eq!(found, of_reader, "{sql} of a reader");
    }
}

#[tokio::test]
async fn who_waits_too_long_for_a_lock_may_try_again() {
    let options = Options { lock_timeout: Duration::from_millis(100), ..Options::default() };
    let toys = two_toys(options).await;
    let mut holder = toys.database().begin().await.unwrap();
    holder.query(LOCK, &[1.into()]).await.unwrap();
    let mut waiting = toys.database().begin().await.unwrap();
    let error = waiting.query(LOCK, &[1.into()]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    waiting.rollback().await.unwrap();
    holder.rollback().await.unwrap();
    let mut next = toys.database().begin().await.unwrap();
    assert_eq!(next.query(LOCK, &[1.into()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_that_wait_for_each_other_one_may_try_again() {
    let toys = two_toys(Options::default()).await;
    let (mut one, mut other) =
        (toys.database().begin().await.unwrap(), toys.database().begin().await.unwrap());
    one.query(LOCK, &[1.into()]).await.unwrap();
    other.query(LOCK, &[2.into()]).await.unwrap();
    // Whoever is told ends its transaction, so that the other can go on.
    let first = async {
        let answer = one.query(LOCK, &[2.into()]).await;
        one.rollback().await.unwrap();
        answer
    };
    let second = async {
        let answer = other.query(LOCK, &[1.into()]).await;
        other.rollback().await.unwrap();
        answer
    };
    let (first, second) = tokio::join!(first, second);
    let failed: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
    assert!(matches!(failed[..], [StoreError::Conflict(_)]), "{failed:?}");
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_an_outage() {
    let options = Options {
        readers: 1,
        statement_timeout: Duration::from_millis(200),
        patience: Duration::from_millis(300),
        ..Options::default()
    };
    let toys = Toys::with(options).await;
    let began = Instant::now();
    let slow = "SELECT COUNT(pg_sleep(30))";
    let error = toys.database().reader().await.unwrap().query(slow, &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(one(toys.database(), "SELECT 7", &[]).await, 7);
}

/// A request that is given up must not keep its connection, nor the server busy.
#[tokio::test]
async fn an_abandoned_query_gives_its_connection_back() {
    let toys = Toys::with(Options { readers: 1, ..Options::default() }).await;
    let beside = toys.beside().await;
    let mut reader = toys.database().reader().await.unwrap();
    let slow = reader.query("SELECT COUNT(pg_sleep(30))", &[]);
    assert!(timeout(Duration::from_millis(50), slow).await.is_err());
    drop(reader);
    assert_eq!(one(toys.database(), "SELECT 7", &[]).await, 7);
    let began = Instant::now();
    while toys.connections(&beside, "active").await > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "the server goes on working for nobody");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_abandoned_transaction_releases_its_locks() {
    let toys = two_toys(Options { writers: 2, ..Options::default() }).await;
    for turn in 0..20 {
        let mut transaction = toys.database().begin().await.unwrap();
        // At another moment each time: before BEGIN, while statements are prepared, while they run, and afterwards.
        let work = async {
            transaction.query(LOCK, &[1.into()]).await.unwrap();
            transaction.execute("UPDATE toys SET n = 99 WHERE a = 1", &[]).await.unwrap();
            std::future::pending::<()>().await;
        };
        assert!(timeout(Duration::from_micros(turn * 150), work).await.is_err());
        drop(transaction);
        let mut next = toys.database().begin().await.unwrap();
        let found =
            timeout(Duration::from_secs(3), next.query(LOCK, &[1.into()])).await.expect("the lock is free");
        assert_eq!(found.unwrap()[0].int(0).unwrap(), 1);
        next.rollback().await.unwrap();
    }
}
