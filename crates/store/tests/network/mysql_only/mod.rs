//! Tests of what is particular to MySQL and MariaDB; a run on another database skips them by name.

mod cuts;
mod hosts;
mod literals;
mod migrations;
mod security;
mod statements;
mod values;
mod waits;

use crate::place::Place;
use crate::toys::Fixture;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use std::time::Duration;
use store::driver::{Database, Options, Value};
use testbed::{Kind, Server};
use tokio::time::{Instant, sleep};

const COUNT: &str = "SELECT COUNT(*) FROM toys";

/// A database with a table of toys.
struct Toys {
    fixture: Fixture,
    /// A connection without the store, to look at the others from.
    beside: Conn,
}

impl Toys {
    async fn with(options: Options) -> Self {
        let place = Place::mysql().await;
        let beside = place.beside().await;
        Self { fixture: Fixture::at(place, options).await, beside }
    }

    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    fn database(&self) -> &Database {
        &self.fixture.database
    }

    /// Cuts all connections of the test; how many there were.
    async fn cut(&mut self) -> usize {
        cut(&mut self.beside, self.fixture.place.name()).await
    }

    /// Waits until the server carries out nothing for this test but what is asked here.
    async fn until_idle(&mut self) {
        let busy = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND command <> 'Sleep'",
            self.fixture.place.name()
        );
        let began = Instant::now();
        while self.beside.query_first::<i64, _>(&busy).await.unwrap() != Some(0) {
            assert!(began.elapsed() < Duration::from_secs(5), "it is still at work");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Cuts all connections to a database; how many there were.
async fn cut(beside: &mut Conn, name: &str) -> usize {
    let all = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
    let ids: Vec<u64> = beside.query(all).await.unwrap();
    for id in &ids {
        // One may have ended meanwhile.
        let _ = beside.query_drop(format!("KILL {id}")).await;
    }
    ids.len()
}

/// The one number that a query answers.
async fn one(database: &Database, sql: &'static str, params: &[Value]) -> i64 {
    database.reader().await.unwrap().query(sql, params).await.unwrap()[0].int(0).unwrap()
}

/// A server of the test's own, with options as it likes, if MySQL or MariaDB is being tested at all.
async fn own_server(options: &[&str]) -> Server {
    Server::start_with(Kind::MariaDb, false, options).expect("a MariaDB server")
}
