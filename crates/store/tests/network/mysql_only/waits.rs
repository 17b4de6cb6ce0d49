//! Limits: on waiting for a lock, on working, on being idle.

use super::{Toys, one};
use crate::toys::{rows, toy};
use std::time::Duration;
use store::StoreError;
use store::driver::{Options, Row};
use tokio::time::Instant;

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
    let value = |mut rows: Vec<Row>| rows.first_mut().map(|row| row.text(1).unwrap());
    for (name, of_writer, of_reader) in [
        ("innodb_lock_wait_timeout", "5", "50"),
        ("lock_wait_timeout", "5", "30"),
        ("autocommit", "OFF", "ON"),
        ("foreign_key_checks", "ON", "ON"),
        ("character_set_client", "utf8mb4", "utf8mb4"),
        ("character_set_connection", "utf8mb4", "utf8mb4"),
        ("character_set_results", "utf8mb4", "utf8mb4"),
        // Each of these is unknown to one of the two.
        ("transaction_isolation", "READ-COMMITTED", "READ-COMMITTED"),
        ("transaction_read_only", "OFF", "ON"),
        ("tx_isolation", "READ-COMMITTED", "READ-COMMITTED"),
        ("tx_read_only", "OFF", "ON"),
        ("idle_transaction_timeout", "35", "0"),
        ("max_statement_time", "0.000000", "30.000000"),
        ("max_execution_time", "0", "30000"),
    ] {
        let sql = format!("SHOW SESSION VARIABLES LIKE '{name}'");
        let found = value(transaction.query_dynamic(&sql, &[]).await.unwrap());
        assert!(found.is_none() || found.as_deref() == Some(of_writer), "{name} of a writer: {found:?}");
        let found = value(reader.query_dynamic_long(&sql, &[]).await.unwrap());
        assert!(found.is_none() || found.as_deref() == Some(of_reader), "{name} of a reader: {found:?}");
    }
    // One of them limits how long a transaction may be idle.
    let limits = "SHOW SESSION VARIABLES WHERE Variable_name IN ('wait_timeout', 'idle_transaction_timeout')";
    let limits = transaction.query_dynamic(limits, &[]).await.unwrap();
    assert!(limits.into_iter().any(|mut row| row.text(1).unwrap() == "35"));
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
    const LONG: &str = "SELECT SUM(a.n * b.n * c.n * d.n * e.n) FROM toys a, toys b, toys c, toys d, toys e, toys f, toys g, toys h";
    let options = Options {
        statement_timeout: Duration::from_millis(200),
        patience: Duration::from_millis(300),
        ..Options::default()
    };
    let mut toys = Toys::with(options).await;
    for a in 0..30 {
        toys.fixture.insert(&rows([toy(a, 1, "a", 1)])).await.unwrap();
    }
    let began = Instant::now();
    let error = toys.database().reader().await.unwrap().query_long(LONG, &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    toys.until_idle().await;
    assert_eq!(one(toys.database(), "SELECT COUNT(*) FROM toys", &[]).await, 30);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let toys = Toys::new().await;
    let mut reader = toys.database().reader().await.unwrap();
    for sql in ["DELETE FROM toys", "DROP TABLE toys", "CREATE TABLE more (a INT)"] {
        let error = reader.query_dynamic_long(sql, &[]).await.unwrap_err();
        assert!(matches!(error, StoreError::Statement(_)), "{sql}: {error:?}");
    }
    assert_eq!(one(toys.database(), "SELECT COUNT(*) FROM toys", &[]).await, 0);
}
