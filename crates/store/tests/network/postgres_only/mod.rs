//! Tests of what is particular to PostgreSQL; a run on another database skips them by name.

mod cuts;
mod plans;
mod security;
mod standby;
mod statements;
mod waits;

use crate::place::Place;
use crate::toys::Fixture;
use store::driver::{Database, Options, Transaction, Value};
use testbed::{Kind, Server};

/// A database with a table of toys, and the name under which its connections can be told from those of other tests.
struct Toys {
    fixture: Fixture,
    name: String,
}

impl Toys {
    async fn with(options: Options) -> Self {
        let place = Place::postgres();
        let name = place.name().to_owned();
        let place = place.with_parameter(&format!("application_name={name}"));
        Self { fixture: Fixture::at(place, options).await, name }
    }

    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    fn database(&self) -> &Database {
        &self.fixture.database
    }

    /// Another handle to the same tables, whose connections have another name.
    async fn beside(&self) -> Database {
        let (url, _) = self.fixture.place.url().rsplit_once("&application_name").unwrap();
        Database::open(url, Options::default()).await.unwrap()
    }

    /// How many connections the test has on the server, in this state if one is named.
    async fn connections(&self, beside: &Database, state: &str) -> i64 {
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = ? AND state LIKE ?";
        one(beside, sql, &[(&*self.name).into(), state.into()]).await
    }

    /// Cuts all connections of the test; how many there were.
    async fn cut(&self, beside: &Database) -> i64 {
        let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ?";
        one(beside, sql, &[(&*self.name).into()]).await
    }
}

/// The one number that a query answers.
async fn one(database: &Database, sql: &'static str, params: &[Value]) -> i64 {
    database.reader().await.unwrap().query(sql, params).await.unwrap()[0].int(0).unwrap()
}

/// Which of the server's processes serves a transaction.
async fn process(transaction: &mut Transaction) -> i64 {
    transaction.query("SELECT pg_backend_pid()", &[]).await.unwrap()[0].int(0).unwrap()
}

/// A server of the test's own, to be set up as it likes, if PostgreSQL is being tested at all.
fn own_server(durable: bool) -> Server {
    Server::start(Kind::Postgres, durable).expect("a PostgreSQL server")
}
