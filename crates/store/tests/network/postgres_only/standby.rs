//! Several hosts: dead, paused, or without the right to write.

use super::{one, own_server};
use crate::toys::CREATE_TOYS;
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options};
use testbed::Standby;
use tokio::time::Instant;

const IS_STANDBY: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END";

fn hasty() -> Options {
    Options {
        connect_timeout: Duration::from_secs(2),
        patience: Duration::from_secs(3),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_is_used_that_takes_writes() {
    let primary = own_server(true);
    let standby = Standby::of(&primary).expect("a standby");
    let database = Database::open(&primary.url(""), hasty()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(CREATE_TOYS, &[]).await.unwrap();
    transaction.commit().await.unwrap();

    // The standby alone can be read from; who wants to write waits for it to become a primary.
    let alone = Database::open(&standby.url(""), hasty()).await.unwrap();
    assert_eq!(one(&alone, IS_STANDBY, &[]).await, 1);
    let mut transaction = alone.begin().await.unwrap();
    let lost = transaction.execute("DELETE FROM toys", &[]).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    drop(transaction);

    // A port where nobody listens comes first, then the standby.
    let (primary_port, standby_port) = (primary.port(), standby.server().port());
    let hosts = format!("127.0.0.1:1,127.0.0.1:{standby_port},127.0.0.1:{primary_port}");
    let url = format!("postgres://stockroom@{hosts}/stockroom");
    let all = Database::open(&url, hasty()).await.unwrap();
    assert_eq!(one(&all, IS_STANDBY, &[]).await, 0);
    let mut transaction = all.begin().await.unwrap();
    transaction.execute("DELETE FROM toys", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let any = Database::open(&format!("{url}?target_session_attrs=any"), hasty()).await.unwrap();
    assert_eq!(one(&any, IS_STANDBY, &[]).await, 1);

    // A host that takes connections and never answers does not use up the time of those behind it.
    standby.server().pause().unwrap();
    let began = Instant::now();
    let all = Database::open(&url, hasty()).await.unwrap();
    assert_eq!(one(&all, IS_STANDBY, &[]).await, 0);
    assert!(began.elapsed() < Duration::from_millis(1_800), "{:?}", began.elapsed());
    standby.server().resume().unwrap();

    // The former primary is gone: connections to it are lost, and new ones lead to the other.
    drop(primary);
    standby.promote().unwrap();
    let mut transaction = alone.begin().await.unwrap();
    transaction.execute("DELETE FROM toys", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(one(&all, IS_STANDBY, &[]).await, 0);
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let mut server = own_server(false);
    let database = Database::open(&server.url(""), hasty()).await.unwrap();
    server.stop().unwrap();
    let began = Instant::now();
    let lost = Database::open(&server.url(""), hasty()).await.unwrap_err();
    assert!(matches!(lost, StoreError::ConnectionLost(_)), "{lost:?}");
    assert!(began.elapsed() > Duration::from_secs(2), "somebody may be starting it");
    let waiting = tokio::spawn(async move { one(&database, "SELECT 7", &[]).await });
    tokio::task::yield_now().await;
    server.start_again().unwrap();
    assert_eq!(waiting.await.unwrap(), 7);
}
