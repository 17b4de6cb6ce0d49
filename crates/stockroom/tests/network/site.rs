//! A shop with several servers: one database, one secret, and a directory for each server.

use testbed::Kind;

use crate::place::Place as Database;
use crate::program::Place;

/// What all servers sign with.
const SECRET: &str = "the same secret for every server here";

/// How long requests wait for the database, where that matters.
pub(crate) const WAIT_SECONDS: u64 = 2;

/// A database for servers.
pub(crate) struct Site {
    url: String,
    /// It is removed with this, unless it goes with its server.
    _database: Option<Database>,
}

impl Site {
    /// An empty database on the server that is to be tested with.
    pub(crate) fn new() -> Self {
        // Says what is missing.
        kind();
        let database = Database::elsewhere().expect("a database");
        Self { url: database.url().to_owned(), _database: Some(database) }
    }

    /// The empty database of a server of the test's own.
    pub(crate) fn on(server: &testbed::Server) -> Self {
        Self { url: server.url("stockroom"), _database: None }
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A place for one more server.
    pub(crate) fn place(&self) -> Place {
        let place =
            Place::new().variable("STOCKROOM_DATABASE_URL", &self.url).variable("STOCKROOM_SECRET", SECRET);
        // The server that all tests share is quick, and forgetful; one of a test's own is not.
        match self._database {
            Some(_) => place.variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true"),
            None => place,
        }
    }

    /// A place for one more server, which does not wait long for a database that is away.
    pub(crate) fn impatient_place(&self) -> Place {
        self.place()
            .variable("STOCKROOM_DATABASE_WAIT_SECONDS", &WAIT_SECONDS.to_string())
            .variable("STOCKROOM_DATABASE_LOCK_TIMEOUT_SECONDS", "1")
    }
}

/// The kind of database that is being tested.
pub(crate) fn kind() -> Kind {
    let url = std::env::var("STOCKROOM_TEST_DATABASE").unwrap_or_default();
    match url.split(':').next() {
        Some("postgres" | "postgresql") => Kind::Postgres,
        Some("mysql" | "mariadb") => Kind::MariaDb,
        _ => panic!(
            "these tests need a server: set STOCKROOM_TEST_DATABASE to the URL of a PostgreSQL or MariaDB where \
             databases may be made (postgres://USER@127.0.0.1:5432/NAME, mysql://root@127.0.0.1:3306/), or run \
             `cargo xtask test`, which starts one"
        ),
    }
}

/// A database server of the test's own, which keeps what it has answered.
pub(crate) fn own_database() -> testbed::Server {
    testbed::Server::start(kind(), true).expect("a database server")
}
