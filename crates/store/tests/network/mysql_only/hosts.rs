//! Which server is reached, and who is let in.

use super::one;
use crate::place::Place;
use mysql_async::prelude::Queryable as _;
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// `USER@HOST:PORT` and `NAME?…` of a URL.
fn parts(place: &Place) -> (&str, &str) {
    place.url().split_once("://").unwrap().1.split_once('/').unwrap()
}

async fn refusal(url: &str) -> String {
    let began = Instant::now();
    let error = Database::open(url, Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let told = format!("{error} {error:?}");
    assert!(!told.contains("s3cret") && !told.contains("wr0ng"), "{told}");
    error.to_string()
}

#[tokio::test]
async fn who_is_not_let_in_is_told_at_once() {
    let place = Place::mysql().await;
    let (login, name) = parts(&place);
    let (_, host) = login.rsplit_once('@').unwrap();
    let mut beside = place.beside().await;
    let user = format!("u{}", &place.name()[5..]);
    beside.query_drop(format!("CREATE USER '{user}'@'%' IDENTIFIED BY 's3cret@/'")).await.unwrap();
    let told = refusal(&format!("mysql://{user}:wr0ng@{host}/{name}")).await;
    assert!(told.contains("does not accept the user and password"), "{told}");
    let told = refusal(&format!("mysql://{user}@{host}/{name}")).await;
    assert!(told.contains("does not accept the user and password"), "{told}");
    // Wrong on the first server: not a reason to try the next one.
    let told = refusal(&format!("mysql://{user}:wr0ng@{host},{host}/{name}")).await;
    assert!(told.contains("does not accept the user and password"), "{told}");
    let told = refusal(&format!("mysql://{user}:s3cret%40%2F@{host}/{name}")).await;
    assert!(told.contains("may not use the database"), "{told}");
    let told = refusal(&format!("mysql://{login}/no_such_database")).await;
    assert!(told.contains("create it first"), "{told}");

    beside.query_drop(format!("GRANT SELECT ON {}.* TO '{user}'@'%'", place.name())).await.unwrap();
    let url = format!("mysql://{user}:s3cret%40%2F@{host}/{name}");
    let database = Database::open(&url, Options::default()).await.unwrap();
    assert_eq!(one(&database, "SELECT 7", &[]).await, 7);
    // Who may only read learns what is missing, and why it cannot be made.
    assert!(database.missing_migrations().await.unwrap() > 0);
    let error = database.migrate(1).await.unwrap_err();
    assert!(matches!(error, StoreError::Statement(_) | StoreError::Migration { .. }), "{error:?}");
    beside.query_drop(format!("DROP USER '{user}'@'%'")).await.unwrap();
}

#[tokio::test]
async fn of_several_hosts_the_first_that_works_is_used() {
    let place = Place::mysql().await;
    let (login, name) = parts(&place);
    let (user, host) = login.rsplit_once('@').unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = (silent.local_addr().unwrap(), silent);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = closed.local_addr().unwrap();
    drop(closed);
    let options = || Options { connect_timeout: Duration::from_secs(2), ..Options::default() };
    for hosts in [
        format!("{dead},{host}"),
        format!("no-such-host.invalid:1,{host}"),
        format!("{},{dead},{host}", silent.0),
        format!("{host},{dead}"),
    ] {
        let began = Instant::now();
        let database = Database::open(&format!("mysql://{user}@{hosts}/{name}"), options()).await.unwrap();
        assert_eq!(one(&database, "SELECT 7", &[]).await, 7);
        assert!(began.elapsed() < Duration::from_secs(8), "{hosts}: {:?}", began.elapsed());
    }
    let options = Options { patience: Duration::from_millis(500), ..options() };
    let began = Instant::now();
    let error = Database::open(&format!("mysql://{user}@{dead}/{name}"), options).await.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_socket_leads_to_the_server_on_this_machine() {
    let place = Place::mysql().await;
    let (login, _) = parts(&place);
    let (user, _) = login.rsplit_once('@').unwrap();
    let mut beside = place.beside().await;
    let sql = "SELECT IF(@@socket LIKE '/%', @@socket, CONCAT(@@datadir, @@socket))";
    let socket: String = beside.query_first(sql).await.unwrap().unwrap();
    // The path of a server that sees another file system leads nowhere.
    if !std::path::Path::new(&socket).exists() {
        return;
    }
    let socket = socket.replace('%', "%25");
    let url = format!("mysql://{user}@/{}?socket={socket}&ssl-mode=REQUIRED", place.name());
    let database = Database::open(&url, Options::default()).await.unwrap();
    assert_eq!(one(&database, "SELECT 7", &[]).await, 7);
}
