//! A database of its own for each test: a temporary SQLite file, or a schema (PostgreSQL) or database (MySQL) on the
//! server whose URL is in the environment variable `STOCKROOM_TEST_DATABASE`.

use mysql_async::prelude::Queryable;
use std::hash::{BuildHasher as _, RandomState};
use store::driver::{Database, Options};
use tempfile::TempDir;

/// On PostgreSQL, CHECK and foreign keys cannot be switched off, so the tables lose them for good.
const DROP_CONSTRAINTS: &str = "DO 'DECLARE found record; BEGIN \
     FOR found IN SELECT conrelid::regclass AS place, conname FROM pg_constraint \
     WHERE contype IN (''c'', ''f'') AND connamespace = current_schema()::regnamespace \
     LOOP EXECUTE format(''ALTER TABLE %s DROP CONSTRAINT %I'', found.place, found.conname); END LOOP; END'";

/// On PostgreSQL, ends whoever holds a lock in a schema.
const CUT_LOCKS: &str = "SELECT COUNT(pg_terminate_backend(l.pid)) FROM pg_locks l \
     JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
     WHERE n.nspname = 'NAME' AND l.pid <> pg_backend_pid()";

/// Where a test keeps its rows. Dropping it removes them.
pub(crate) struct Place {
    url: String,
    home: Home,
}

enum Home {
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
        let (scheme, _) = server.split_once(':').expect("a URL begins with a scheme");
        match scheme {
            "postgres" | "postgresql" => Self::schema(server),
            "mysql" | "mariadb" => Self::database(&server).await,
            _ => panic!("STOCKROOM_TEST_DATABASE is neither postgres:// nor mysql://"),
        }
    }

    /// A file, whatever is being tested.
    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite:{}", dir.path().join("test.sqlite").display()), home: Home::File(dir) }
    }

    /// A schema, when PostgreSQL is being tested.
    pub(crate) fn postgres() -> Option<Self> {
        server().filter(|url| url.starts_with("postgres")).map(Self::schema)
    }

    /// A database, when MySQL or MariaDB is being tested.
    pub(crate) async fn mysql() -> Option<Self> {
        let server = server().filter(|url| url.starts_with("mysql") || url.starts_with("mariadb"))?;
        Some(Self::database(&server).await)
    }

    /// A connection to the server of a MySQL database without the store, and without a database.
    pub(crate) async fn beside(&self) -> mysql_async::Conn {
        let Home::Database(server, _) = &self.home else { panic!("this is not MySQL") };
        mysql_async::Conn::new(mysql_async::Opts::from_url(server).unwrap()).await.unwrap()
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
        // A character set that must not matter.
        mysql(&bare, &[&format!("CREATE DATABASE {name} CHARACTER SET latin1")]).await;
        let separator = if parameters.is_empty() { "" } else { "?" };
        let url = format!("{bare}{name}{separator}{parameters}").replacen("mariadb:", "mysql:", 1);
        Self { url, home: Home::Database(bare, name) }
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
        self.url.push('&');
        self.url.push_str(parameter);
        self
    }

    /// The directory with the file.
    pub(crate) fn dir(&self) -> &std::path::Path {
        match &self.home {
            Home::File(dir) => dir.path(),
            Home::Schema(..) | Home::Database(..) => panic!("the database is not a file"),
        }
    }

    /// A copy of everything, complete and compact, where that is cheap: of a file.
    pub(crate) fn copied(&self) -> Option<Self> {
        let Home::File(dir) = &self.home else { return None };
        let copy = Self::sqlite();
        let raw = rusqlite::Connection::open(dir.path().join("test.sqlite")).unwrap();
        raw.execute("VACUUM INTO ?", [copy.dir().join("test.sqlite").to_str().unwrap()]).unwrap();
        Some(copy)
    }

    /// A column of long texts as an index wants it.
    pub(crate) fn indexed(&self, column: &str) -> String {
        let length = if matches!(self.home, Home::Database(..)) { "(100)" } else { "" };
        format!("{column}{length}")
    }

    /// Changes the database behind everybody's back, constraints or not.
    pub(crate) async fn sabotage(&self, sql: &str) {
        match &self.home {
            Home::File(dir) => {
                let raw = rusqlite::Connection::open(dir.path().join("test.sqlite")).unwrap();
                raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
                    .unwrap();
                raw.execute_batch(sql).unwrap();
            }
            Home::Schema(..) => run(&self.url, &[DROP_CONSTRAINTS, sql]).await,
            Home::Database(server, name) => {
                let chosen = format!("{server}{name}");
                unguard_mysql(&chosen).await;
                // MariaDB's name; MySQL has none for the whole session.
                let checks = "SET foreign_key_checks = 0 /*M!100600 , check_constraint_checks = 0 */";
                mysql(&chosen, &[checks, sql]).await;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (url, statements, is_mysql) = match &self.home {
            Home::File(_) => return,
            Home::Schema(server, name) => {
                // A transaction that the test has left is about to end with its connection, and need not be waited for.
                let cut = CUT_LOCKS.replace("NAME", name);
                (server.clone(), vec![cut, format!("DROP SCHEMA IF EXISTS {name} CASCADE")], false)
            }
            Home::Database(server, name) => {
                let drop = format!("DROP DATABASE {name}");
                (server.clone(), vec!["SET lock_wait_timeout = 1".to_owned(), drop], true)
            }
        };
        // The runtime of the test may be one that is shutting down, so this brings its own. What cannot be removed is
        // left behind: the test has an outcome of its own.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let statements: Vec<_> = statements.iter().map(String::as_str).collect();
            runtime.block_on(async {
                if is_mysql { mysql(&url, &statements).await } else { run(&url, &statements).await }
            });
        })
        .join();
    }
}

/// Runs statements in one transaction of the store's own driver.
async fn run(url: &str, statements: &[&str]) {
    let database = Database::open(url, Options::default()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    for sql in statements {
        transaction.execute_dynamic(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// Runs statements on a connection to MySQL without the store: it must work without a database, too.
async fn mysql(url: &str, statements: &[&str]) {
    let options = mysql_async::Opts::from_url(url).unwrap();
    let mut connection = mysql_async::Conn::new(options).await.unwrap();
    for sql in statements {
        connection.query_drop(*sql).await.unwrap();
    }
    connection.disconnect().await.unwrap();
}

/// Has MySQL pass over every CHECK of a database from now on. MariaDB can do so for a session, and is left alone.
async fn unguard_mysql(url: &str) {
    let options = mysql_async::Opts::from_url(url).unwrap();
    let mut connection = mysql_async::Conn::new(options).await.unwrap();
    let enforced = "SELECT CONCAT('ALTER TABLE ', TABLE_NAME, ' ALTER CHECK ', CONSTRAINT_NAME, ' NOT ENFORCED') \
         FROM information_schema.TABLE_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'CHECK' AND @@version NOT LIKE '%MariaDB%'";
    for sql in connection.query::<String, _>(enforced).await.unwrap() {
        connection.query_drop(sql).await.unwrap();
    }
    connection.disconnect().await.unwrap();
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
