//! The narrow waist between Stockroom and its database: begin, query, execute, commit over two types of value.
//!
//! This is the only module that names a database driver or a dialect. Which databases there are is a closed set,
//! so each type here wraps an enum with a variant per database; another one is another variant. Everything that may
//! wait is `async`: on SQLite it completes inline, except for what says otherwise.
//!
//! Architecture Invariant: nothing here knows a table of Stockroom, apart from the migrations.

mod checkpointer;
mod dialect;
mod ground;
mod hosts;
mod lexer;
mod migrate;
mod mysql;
mod network;
mod overheard;
mod postgres;
mod rows;
mod set;
mod sqlite;
mod texts;
mod tls;
mod value;

pub use dialect::{Dialect, Kind};
pub use ground::Weakness;
pub use migrate::AppliedMigration;
#[doc(hidden)]
pub use overheard::Overheard;
pub use rows::{Cell, Rows};
pub use set::{AddRows, Column, DeleteRows, Sets, TableRows, UpdateRows};
pub use value::{Row, Value};

use crate::StoreError;
use network::Sql;
use set::SetStatement;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

/// How to use a database. The default is right for a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many queries may run at the same time, besides the writer. At least 1.
    pub readers: usize,
    /// Databases on a network: how many transactions may be open at the same time. A server has one writer, which
    /// is enough; further ones wait for each other in the database.
    pub writers: usize,
    /// Databases on a network: how long opening one connection may take.
    pub connect_timeout: Duration,
    /// Databases on a network: how long one statement may take. Longer, and its connection is given up.
    pub statement_timeout: Duration,
    /// Databases on a network: how long a transaction waits for a row that another server has locked, before it is
    /// run again.
    pub lock_timeout: Duration,
    /// How long whoever asks waits for a connection that is in use, and for a database on a network that is away.
    pub patience: Duration,
    /// Databases on a network: how long one statement of a migration may take.
    pub migration_timeout: Duration,
    /// How long to wait for another process that is writing.
    pub busy_timeout: Duration,
    /// The writer's page cache on SQLite, in KiB.
    pub writer_cache_kib: u32,
    /// The page cache of each reader on SQLite, in KiB.
    pub reader_cache_kib: u32,
    /// How many prepared statements each connection keeps. On PostgreSQL 0 also means that a connection keeps no other
    /// settings: what a pooler needs that hands out another one for each transaction.
    pub statement_cache: usize,
    /// SQLite: to how many pages (of 4 KiB) the write-ahead log may grow before it is begun anew. Another thread moves
    /// its pages into the file meanwhile. On a disk with little room it is less. 0 never does; then
    /// [`Database::checkpoint`] must be called.
    pub wal_limit_pages: u32,
    /// SQLite: whether rows are written by one statement over all of them, as on the databases on a network, or by
    /// one prepared statement each. There is no round trip to save, so the latter takes less time
    /// (`tests/it/sqlite_only/set_or_single.rs` measures
    /// both).
    pub set_statements: bool,
    /// SQLite: whether the writer sorts in temporary files what does not fit its page cache; otherwise in memory. For
    /// whoever builds indexes of large tables.
    pub sort_in_files: bool,
    /// For benchmarks alone: how much longer each commit takes, holding its thread as a slow disk's sync would.
    /// Only SQLite obeys.
    pub sync_delay: Option<Duration>,
    /// For tests alone, which look at what gets lost without it: whether a commit is synced before it is answered. No
    /// setting leads here, and a server refuses a database that does not. Only SQLite obeys.
    pub sync_commits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            writers: 4,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            migration_timeout: Duration::from_secs(600),
            busy_timeout: Duration::from_secs(5),
            // Together with the readers 32 MiB at most, so that a server stays below 100 MB.
            writer_cache_kib: 16 * 1024,
            reader_cache_kib: 4 * 1024,
            statement_cache: 128,
            // 64 MiB: pages that change again and again are moved once.
            wal_limit_pages: 16_000,
            set_statements: false,
            sort_in_files: false,
            sync_delay: None,
            sync_commits: true,
        }
    }
}

/// An open database. Cloning it gives another handle to the same connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: Pool,
    /// Where the queries of readers are noted, which only tests ask for.
    overheard: Option<Overheard>,
}

#[derive(Debug, Clone)]
enum Pool {
    Sqlite(Arc<sqlite::Pool>),
    Postgres(Arc<network::Pool<postgres::Connection>>),
    MySql(Arc<network::Pool<mysql::Connection>>),
}

impl Database {
    /// Opens the database at a URL:
    /// - `sqlite:PATH` or `sqlite://PATH`; the file is created if there is none, readable by its owner alone;
    /// - `postgres://USER:PASSWORD@HOST:PORT/NAME`, see `postgres/address.rs` for its parameters;
    /// - `mysql://USER:PASSWORD@HOST:PORT/NAME` or `mariadb://…`, see `mysql/address.rs` for its parameters.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] for a URL that cannot be understood; otherwise why the file cannot be opened, or
    /// the database not be reached within [`Options::patience`].
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let pool = match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                Pool::Sqlite(Arc::new(in_place(|| sqlite::Pool::open(path, options))?))
            }
            "postgres" | "postgresql" => {
                let address = postgres::Address::parse(url)?;
                Pool::Postgres(Arc::new(network::Pool::open(address, options).await?))
            }
            "mysql" | "mariadb" => {
                let address = mysql::Address::parse(url)?;
                Pool::MySql(Arc::new(network::Pool::open(address, options).await?))
            }
            // The URL itself is not repeated: it may hold a password.
            _ => {
                return Err(StoreError::unsupported(
                    "the database URL must begin with sqlite:, postgres:// or mysql://, \
                     as in sqlite:data/stockroom.sqlite",
                ));
            }
        };
        Ok(Self { pool, overheard: None })
    }

    /// For tests: another handle to the same connections, and a list of what its readers ask from now on.
    #[doc(hidden)]
    #[must_use]
    pub fn overhear(&self) -> (Self, Overheard) {
        let overheard = Overheard::default();
        (Self { pool: self.pool.clone(), overheard: Some(overheard.clone()) }, overheard)
    }

    /// The language of this database.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.pool {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::MySql(_) => Dialect::MySql,
        }
    }

    /// [`Options::patience`]. An embedded database is never away.
    pub(crate) fn patience(&self) -> Duration {
        match &self.pool {
            Pool::Sqlite(_) => Duration::MAX,
            Pool::Postgres(pool) => pool.patience(),
            Pool::MySql(pool) => pool.patience(),
        }
    }

    /// A connection to read from, for as long as the answer is kept. Waits when all are in use.
    ///
    /// # Errors
    /// When a connection has to be opened and cannot be.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        let connection = match &self.pool {
            Pool::Sqlite(pool) => ReaderConnection::Sqlite(pool.reader().await?),
            Pool::Postgres(pool) => ReaderConnection::Postgres(pool.reader()),
            Pool::MySql(pool) => ReaderConnection::MySql(pool.reader()),
        };
        Ok(Reader { connection, overheard: self.overheard.clone() })
    }

    /// A connection for queries that may take long. There is one fewer of these, so that they never keep those waiting
    /// who use [`Database::reader`] for a quick one.
    ///
    /// # Errors
    /// When a connection has to be opened and cannot be.
    pub async fn long_reader(&self) -> Result<Reader, StoreError> {
        let connection = match &self.pool {
            Pool::Sqlite(pool) => ReaderConnection::Sqlite(pool.long_reader().await?),
            Pool::Postgres(pool) => ReaderConnection::Postgres(pool.long_reader().await?),
            Pool::MySql(pool) => ReaderConnection::MySql(pool.long_reader().await?),
        };
        Ok(Reader { connection, overheard: self.overheard.clone() })
    }

    /// Begins a transaction that may write. On SQLite it is the only one: whoever asks next waits for its end, and
    /// for other processes at most [`Options::busy_timeout`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another process kept writing for too long.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_within(None).await
    }

    /// Like [`Database::begin`]; on a database on a network, every step of the transaction fails with
    /// [`StoreError::ConnectionLost`] when it is not done by the deadline.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn begin_before(&self, deadline: Instant) -> Result<Transaction, StoreError> {
        self.begin_within(Some(deadline)).await
    }

    async fn begin_within(&self, deadline: Option<Instant>) -> Result<Transaction, StoreError> {
        let connection = match &self.pool {
            Pool::Sqlite(pool) => TransactionConnection::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => TransactionConnection::Postgres(pool.begin(deadline).await?),
            Pool::MySql(pool) => TransactionConnection::MySql(pool.begin(deadline).await?),
        };
        Ok(Transaction { connection })
    }

    /// A transaction for migrations, on a connection of its own that may take its time.
    async fn begin_migration(&self) -> Result<Transaction, StoreError> {
        let connection = match &self.pool {
            Pool::Sqlite(pool) => TransactionConnection::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => TransactionConnection::Postgres(pool.aside().await?),
            Pool::MySql(pool) => TransactionConnection::MySql(pool.aside().await?),
        };
        Ok(Transaction { connection })
    }

    /// The steps of [`Database::migrate`] that are SQL alone.
    pub(crate) async fn migrate_schema(&self, now_us: i64) -> Result<Vec<AppliedMigration>, StoreError> {
        migrate::migrate(self, migrate::MIGRATIONS, now_us).await
    }

    /// How many migrations [`Database::migrate_schema`] would apply. Changes nothing.
    pub(crate) async fn missing_in_schema(&self) -> Result<usize, StoreError> {
        migrate::missing(self, migrate::MIGRATIONS).await
    }

    /// How often the writer had to be opened anew because the disk had failed. Databases on a network look after their
    /// disks themselves.
    pub(crate) fn times_mended(&self) -> u64 {
        match &self.pool {
            Pool::Sqlite(pool) => pool.times_mended(),
            Pool::Postgres(_) | Pool::MySql(_) => 0,
        }
    }

    /// Whether writing would find firm ground: the file where it was opened, and a disk that takes what it is given, which is
    /// tried when it failed before.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn check_ground(&self) -> Result<(), StoreError> {
        match &self.pool {
            Pool::Sqlite(pool) => pool.check_ground().await,
            Pool::Postgres(_) | Pool::MySql(_) => Ok(()),
        }
    }

    /// SQLite: copies everything committed by now into a file that exists and is empty, while others read and write, and
    /// tells of pages, done and all, on the way. The copy is not synced. Takes a thread for as long as it lasts.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] on databases that have tools of their own for it; otherwise what failed.
    pub async fn back_up(
        &self,
        target: &std::path::Path,
        told: impl FnMut(u64, u64) + Send,
    ) -> Result<(), StoreError> {
        match &self.pool {
            Pool::Sqlite(pool) => in_place(|| pool.back_up(target, told)),
            Pool::Postgres(_) | Pool::MySql(_) => {
                Err(StoreError::unsupported("only a database in a file is backed up by this program"))
            }
        }
    }

    /// SQLite: whether the file is whole: every page, every index, every row. Reads all of it. Databases on a network have
    /// tools of their own.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first findings.
    pub async fn check_file(&self) -> Result<(), StoreError> {
        if self.dialect() != Dialect::Sqlite {
            return Ok(());
        }
        let found = self.long_reader().await?.query_long("PRAGMA integrity_check(5)", &[]).await?;
        let lines: Vec<String> =
            found.iter().map(|row| row.as_text(0).map(str::to_owned)).collect::<Result<_, _>>()?;
        if lines == ["ok"] { Ok(()) } else { Err(StoreError::Corrupt(lines.join("; ").into())) }
    }

    /// SQLite: moves what the write-ahead log holds into the file, as far as no reader is in the way. Databases on a
    /// network do this by themselves.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match &self.pool {
            Pool::Sqlite(pool) => pool.checkpoint().await,
            Pool::Postgres(_) | Pool::MySql(_) => Ok(()),
        }
    }
}

/// Makes one file of an embedded database that nobody else uses: what its log holds is moved into it, and the log removed.
/// The next one to open it makes another. Blocks.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody uses it; otherwise what is wrong with it.
pub fn settle_file(path: &std::path::Path) -> Result<(), StoreError> {
    sqlite::settle_file(path)
}

/// A connection that reads. Dropping it gives it back.
#[derive(Debug)]
pub struct Reader {
    connection: ReaderConnection,
    overheard: Option<Overheard>,
}

#[derive(Debug)]
enum ReaderConnection {
    Sqlite(sqlite::Reader),
    Postgres(network::Reader<postgres::Connection>),
    MySql(network::Reader<mysql::Connection>),
}

impl Reader {
    /// Runs a query that is quick: on SQLite it runs inline, so it must use an index and return few rows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.note(sql, params);
        match &mut self.connection {
            ReaderConnection::Sqlite(reader) => reader.connection()?.query(sql, params),
            ReaderConnection::Postgres(reader) => reader.query(Sql::Constant(sql), params).await,
            ReaderConnection::MySql(reader) => reader.query(Sql::Constant(sql), params).await,
        }
    }

    /// Runs a query that may take long, without keeping an async worker from its other work.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query_long(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.note(sql, params);
        match &mut self.connection {
            ReaderConnection::Sqlite(reader) => {
                let params = params.to_vec();
                reader.aside(move |connection| connection.query(sql, &params)).await
            }
            ReaderConnection::Postgres(reader) => reader.query_long(Sql::Constant(sql), params).await,
            ReaderConnection::MySql(reader) => reader.query_long(Sql::Constant(sql), params).await,
        }
    }

    /// Like [`Reader::query_long`], for SQL put together at run time: lists with filters. All that comes from outside
    /// must be in `params`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query_dynamic_long(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.note(sql, params);
        match &mut self.connection {
            ReaderConnection::Sqlite(reader) => {
                let (sql, params) = (sql.to_owned(), params.to_vec());
                reader.aside(move |connection| connection.query_dynamic(&sql, &params)).await
            }
            ReaderConnection::Postgres(reader) => reader.query_long(Sql::Dynamic(sql), params).await,
            ReaderConnection::MySql(reader) => reader.query_long(Sql::Dynamic(sql), params).await,
        }
    }

    /// From the next query on, all see one and the same state, until [`Reader::end_snapshot`] or the end of this
    /// reader. Keep it short: what is overwritten meanwhile cannot be cleared away.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] when a snapshot is open already.
    pub async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            ReaderConnection::Sqlite(reader) => reader.begin_snapshot(),
            ReaderConnection::Postgres(reader) => reader.begin_snapshot().await,
            ReaderConnection::MySql(reader) => reader.begin_snapshot().await,
        }
    }

    /// Whether what was to be read in a snapshot and failed like this may be read in another one: when the connection
    /// was lost and somebody still waits. Returns after a short pause.
    pub async fn may_begin_anew(&mut self, error: &StoreError) -> bool {
        match &mut self.connection {
            ReaderConnection::Sqlite(_) => false,
            ReaderConnection::Postgres(reader) => reader.may_begin_anew(error).await,
            ReaderConnection::MySql(reader) => reader.may_begin_anew(error).await,
        }
    }

    /// From now on every query sees what is committed at its time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_snapshot(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            ReaderConnection::Sqlite(reader) => reader.end_snapshot(),
            ReaderConnection::Postgres(reader) => reader.end_snapshot().await,
            ReaderConnection::MySql(reader) => reader.end_snapshot().await,
        }
    }

    fn note(&self, sql: &str, params: &[Value]) {
        if let Some(overheard) = &self.overheard {
            overheard.note(sql, params);
        }
    }
}

/// A transaction that may write. Dropping it without [`Transaction::commit`] undoes all of it.
#[derive(Debug)]
pub struct Transaction {
    connection: TransactionConnection,
}

#[derive(Debug)]
enum TransactionConnection {
    Sqlite(sqlite::Transaction),
    Postgres(network::Transaction<postgres::Connection>),
    MySql(network::Transaction<mysql::Connection>),
}

impl Transaction {
    /// Runs a query, which sees what this transaction has written.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => transaction.connection().query(sql, params),
            TransactionConnection::Postgres(transaction) => {
                transaction.query(Sql::Constant(sql), params).await
            }
            TransactionConnection::MySql(transaction) => transaction.query(Sql::Constant(sql), params).await,
        }
    }

    /// Runs queries in their order, on PostgreSQL in one round trip.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query_all(
        &mut self,
        queries: &[(&'static str, Vec<Value>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => {
                let connection = transaction.connection();
                queries.iter().map(|(sql, params)| connection.query(sql, params)).collect()
            }
            TransactionConnection::Postgres(transaction) => transaction.query_all(queries).await,
            TransactionConnection::MySql(transaction) => transaction.query_all(queries).await,
        }
    }

    /// Like [`Transaction::query`], for SQL put together at run time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query_dynamic(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => transaction.connection().query_dynamic(sql, params),
            TransactionConnection::Postgres(transaction) => {
                transaction.query(Sql::Dynamic(sql), params).await
            }
            TransactionConnection::MySql(transaction) => transaction.query(Sql::Dynamic(sql), params).await,
        }
    }

    /// Runs a statement and says how many rows it affected.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => transaction.connection().execute(sql, params),
            TransactionConnection::Postgres(transaction) => {
                transaction.execute(Sql::Constant(sql), params).await
            }
            TransactionConnection::MySql(transaction) => {
                transaction.execute(Sql::Constant(sql), params).await
            }
        }
    }

    /// Like [`Transaction::execute`], for SQL put together at run time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn execute_dynamic(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => {
                transaction.connection().execute_dynamic(sql, params)
            }
            TransactionConnection::Postgres(transaction) => {
                transaction.execute(Sql::Dynamic(sql), params).await
            }
            TransactionConnection::MySql(transaction) => transaction.execute(Sql::Dynamic(sql), params).await,
        }
    }

    /// Runs statements over rows, in their order.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when a row may not be stored, [`StoreError::Decode`] when one that was to be updated
    /// is not there.
    pub async fn write(&mut self, sets: &Sets) -> Result<(), StoreError> {
        let affected = self.run(&sets.borrowed()).await?;
        sets.check_affected(&affected)
    }

    /// Inserts the rows, in their order, by one statement. No rows, no statement.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when one of them may not be stored.
    pub async fn insert_rows(&mut self, table: &'static TableRows, rows: &Rows) -> Result<u64, StoreError> {
        self.run_one(SetStatement::Insert(table), rows).await
    }

    /// Inserts the rows; one whose key exists already replaces the other columns there. A key may come once.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when one of them may not be stored.
    pub async fn upsert_rows(&mut self, table: &'static TableRows, rows: &Rows) -> Result<(), StoreError> {
        // The count is not passed on: MySQL counts a replaced row twice.
        self.run_one(SetStatement::Upsert(table), rows).await.map(drop)
    }

    /// Updates the rows with these keys by one statement and says how many there were. A key may come once.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when one of them may not be stored.
    pub async fn update_rows(&mut self, table: &'static UpdateRows, rows: &Rows) -> Result<u64, StoreError> {
        self.run_one(SetStatement::Update(table), rows).await
    }

    /// Deletes the rows with these keys by one statement and says how many there were.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when one of them is still referred to.
    pub async fn delete_rows(&mut self, table: &'static DeleteRows, rows: &Rows) -> Result<u64, StoreError> {
        self.run_one(SetStatement::Delete(table), rows).await
    }

    async fn run_one(&mut self, statement: SetStatement, rows: &Rows) -> Result<u64, StoreError> {
        let affected = if rows.is_empty() { Vec::new() } else { self.run(&[(statement, rows)]).await? };
        Ok(affected.into_iter().sum())
    }

    async fn run(&mut self, sets: &[(SetStatement, &Rows)]) -> Result<Vec<u64>, StoreError> {
        if sets.iter().any(|(statement, rows)| rows.width() != statement.width()) {
            return Err(StoreError::misuse("rows are not as wide as the table they are for"));
        }
        match &mut self.connection {
            TransactionConnection::Sqlite(transaction) => {
                let connection = transaction.connection();
                sets.iter().map(|(statement, rows)| connection.run_set(*statement, rows)).collect()
            }
            TransactionConnection::Postgres(transaction) => transaction.run_sets(sets).await,
            TransactionConnection::MySql(transaction) => transaction.run_sets(sets).await,
        }
    }

    /// Makes everything durable: when this returns, it is on disk. On SQLite the sync runs off the async workers.
    ///
    /// # Errors
    /// Nothing was stored, with two exceptions: after [`StoreError::ConnectionLost`] only the database knows, and
    /// [`StoreError::OutcomeUnknown`] says so itself: the disk has failed, and a later start may find the change there.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.connection {
            TransactionConnection::Sqlite(transaction) => in_place(|| transaction.commit()),
            TransactionConnection::Postgres(transaction) => transaction.commit().await,
            TransactionConnection::MySql(transaction) => transaction.commit().await,
        }
    }

    /// Undoes everything, as dropping the transaction does, but says if that failed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.connection {
            TransactionConnection::Sqlite(transaction) => transaction.rollback(),
            TransactionConnection::Postgres(transaction) => transaction.roll_back().await,
            TransactionConnection::MySql(transaction) => transaction.roll_back().await,
        }
    }
}

/// Runs something that holds its thread for long. On a worker of a multi-threaded runtime, the worker's other tasks
/// move to another thread first; elsewhere nobody else is waiting for the thread.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(work)
        }
        _ => work(),
    }
}
