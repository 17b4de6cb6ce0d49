//! A database of its own for each test: a temporary SQLite file, or a schema (PostgreSQL) or database (MySQL) on the
//! server whose URL is in the environment variable `STOCKROOM_TEST_DATABASE`.
//!
//! The tests of other crates include this file, too, so it goes through the store alone.

use std::hash::{BuildHasher as _, RandomState};
use store::driver::{Database, Options};
use tempfile::TempDir;

/// On PostgreSQL, ends whoever holds a lock in a schema.
const CUT_LOCKS: &str = "SELECT COUNT(pg_terminate_backend(l.pid)) FROM pg_locks l \
     JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
     WHERE n.nspname = 'NAME' AND l.pid <> pg_backend_pid()";

/// Where a test keeps its rows. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Place {
    url: String,
    home: Home,
}

#[derive(Debug)]
pub(crate) enum Home {
    File(TempDir),
    /// URL of the database that the schema is in, and its name.
    Schema(String, String),
    /// URL of the server, without a database, and the name of the database.
    Database(String, String),
}

/// The URL of the server to test with, if it is not to be SQLite.
fn server() -> Option<String> {
    std::env::var("STOCKROOM_TEST_DATABASE").ok().filter(|url| !url.is_empty())
}

impl Place {
    /// An empty database of the kind that is being tested.
    pub(crate) async fn new() -> Self {
        let Some(server) = server() else { return Self::sqlite() };
        match server.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Self::schema(server),
            Some(("mysql" | "mariadb", _)) => Self::database(&server).await,
            _ => panic!("STOCKROOM_TEST_DATABASE is neither postgres:// nor mysql://"),
        }
    }

    /// An empty database on a server, if that is what is being tested; for tests without a runtime.
    pub(crate) fn elsewhere() -> Option<Self> {
        server()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Some(runtime.block_on(Self::new()))
    }

    /// A file, whatever is being tested.
    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite:{}", dir.path().join("test.sqlite").display()), home: Home::File(dir) }
    }

    /// A schema; PostgreSQL must be what is being tested.
    pub(crate) fn postgres() -> Self {
        match server().filter(|url| url.starts_with("postgres")) {
            Some(url) => Self::schema(url),
            None => panic!("STOCKROOM_TEST_DATABASE names no PostgreSQL: add --skip postgres_only"),
        }
    }

    /// A database; MySQL or MariaDB must be what is being tested.
    pub(crate) async fn mysql() -> Self {
        match server().filter(|url| url.starts_with("mysql") || url.starts_with("mariadb")) {
            Some(url) => Self::database(&url).await,
            None => panic!("STOCKROOM_TEST_DATABASE names no MySQL: add --skip mysql_only"),
        }
    }

    /// The schema is made by whoever migrates or writes first.
    fn schema(server: String) -> Self {
        let name = fresh_name();
        let separator = if server.contains('?') { '&' } else { '?' };
        Self { url: format!("{server}{separator}schema={name}"), home: Home::Schema(server, name) }
    }

    async fn database(server: &str) -> Self {
        let name = fresh_name();
        let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
        let bare = bare_mysql(address);
        // Every server has a database of this name.
        let any = format!("{bare}mysql");
        // A character set that must not matter.
        run(&any, &[&format!("CREATE DATABASE {name} CHARACTER SET latin1")]).await;
        let separator = if parameters.is_empty() { "" } else { "?" };
        let url = format!("{bare}{name}{separator}{parameters}");
        Self { url, home: Home::Database(any, name) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of the schema or database.
    pub(crate) fn name(&self) -> &str {
        match &self.home {
            Home::File(_) => panic!("a file has no name to be found by"),
            Home::Schema(_, name) | Home::Database(_, name) => name,
        }
    }

    /// The same place, reached by a URL with one more parameter.
    pub(crate) fn with_parameter(mut self, parameter: &str) -> Self {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.push_str(parameter);
        self
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (url, statements) = match &self.home {
            Home::File(_) => return,
            Home::Schema(server, name) => {
                // A transaction that the test has left is about to end with its connection, and need not be waited for.
                let cut = CUT_LOCKS.replace("NAME", name);
                (server.clone(), [cut, format!("DROP SCHEMA IF EXISTS {name} CASCADE")])
            }
            Home::Database(server, name) => {
                (server.clone(), ["SET lock_wait_timeout = 1".to_owned(), format!("DROP DATABASE {name}")])
            }
        };
        // The runtime of the test may be one that is shutting down, so this brings its own. What cannot be removed is
        // left behind: the test has an outcome of its own.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let statements = statements.each_ref().map(String::as_str);
            runtime.block_on(run(&url, &statements));
        })
        .join();
    }
}

/// Runs statements in one transaction of the store's own driver.
pub(crate) async fn run(url: &str, statements: &[&str]) {
    let database = Database::open(url, Options::default()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    for sql in statements {
        transaction.execute_dynamic(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// `mysql://USER@HOST:PORT/` of an address with or without a database.
fn bare_mysql(address: &str) -> String {
    let (_, rest) = address.split_once("://").unwrap();
    let hosts = rest.split('/').next().unwrap_or(rest);
    format!("mysql://{hosts}/")
}

/// No two tests have the same, in this process or another: the keys of a `RandomState` are the system's random numbers.
fn fresh_name() -> String {
    format!("test_{:016x}", RandomState::new().hash_one("a database"))
}
