//! SQLite, in a file: one connection that writes and a few that read.

mod backup;
mod faults;
mod room;

pub(super) use backup::settle_file;

use super::checkpointer::{Checkpointer, Step, plan};
use super::dialect::RowSource;
use super::rows::nul_refused;
use super::set::SetStatement;
use super::texts::Texts;
use super::{Cell, Dialect, Options, Row, Rows, Value};
use crate::{StoreError, Violation};
use faults::{Doubt, Home};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ffi, params_from_iter};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// What the buffer for rows may keep between two statements; a larger one is given back.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// The page cache of the connection that moves the log, in KiB: it copies pages and hardly looks at any.
const CHECKPOINTER_CACHE_KIB: u32 = 256;

/// The pause before asking again for a lock that another process holds.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How long the writer waits for readers so that an overgrown log can be begun anew.
const READERS_PAUSE: Duration = Duration::from_millis(250);

/// A connection and the right to use it, which is an [`OwnedMutexGuard`] that moves with its task.
type Shared = Arc<tokio::sync::Mutex<Connection>>;

/// All connections to one file.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    home: Home,
    options: Options,
    writer: Shared,
    /// Whether what the writer stands on has failed since it was opened.
    doubt: Doubt,
    /// Readers that nobody uses. Those in use hold a permit each; the others are opened when needed.
    idle: Mutex<Vec<Shared>>,
    permits: Arc<Semaphore>,
    /// One fewer than there are readers: however many lists are asked for, who looks a row up finds a connection.
    long_permits: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn open(path: &str, options: Options) -> Result<Self, StoreError> {
        if path.is_empty() || path.starts_with(":memory:") {
            return Err(StoreError::unsupported(
                "a database in memory would be another one for each connection; \
                 give the path of a file, as in sqlite:data/stockroom.sqlite",
            ));
        }
        // An absolute path is never mistaken for a `file:` URI.
        let path = std::path::absolute(path).map_err(|error| StoreError::Io(error.into()))?;
        create(&path)?;
        let doubt = Doubt::default();
        let writer = Connection::open_writer(&path, &options, &doubt)?;
        Ok(Self {
            home: Home::of(&path)?,
            path,
            writer: shared(writer),
            doubt,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(options.readers.max(1))),
            long_permits: Arc::new(Semaphore::new(options.readers.saturating_sub(1).max(1))),
            options,
        })
    }

    pub(super) async fn reader(self: &Arc<Self>) -> Result<Reader, StoreError> {
        self.reader_with(None).await
    }

    pub(super) async fn long_reader(self: &Arc<Self>) -> Result<Reader, StoreError> {
        let long = self.turn(&self.long_permits).await?;
        self.reader_with(Some(long)).await
    }

    async fn reader_with(self: &Arc<Self>, long: Option<OwnedSemaphorePermit>) -> Result<Reader, StoreError> {
        let permit = self.turn(&self.permits).await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => shared(Connection::open_reader(&self.path, &self.options)?),
        };
        // Nobody else has it, so this does not wait.
        let connection = connection.lock_owned().await;
        Ok(Reader { connection: Some(connection), pool: Arc::clone(self), permits: Some((permit, long)) })
    }

    /// Waits for a reader to be free, but not for ever: who asks is told, and may come again.
    async fn turn(&self, permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        // Most of the time there is no need to wait, nor for a timer.
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Ok(permit);
        }
        let permit = timeout(self.options.patience, Arc::clone(permits).acquire_owned()).await;
        let permit = permit.map_err(|late| StoreError::ConnectionLost(late.into()))?;
        permit.map_err(|closed| StoreError::ConnectionLost(closed.into()))
    }

    pub(super) async fn begin(self: &Arc<Self>) -> Result<Transaction, StoreError> {
        let mut connection = Arc::clone(&self.writer).lock_owned().await;
        self.home.check(&self.path)?;
        // A rollback that failed earlier must not leave its changes to somebody else.
        connection.roll_back()?;
        if self.doubt.is_cast() {
            super::in_place(|| self.mend(&mut connection))?;
        }
        let give_up = Instant::now() + self.options.busy_timeout;
        loop {
            match connection.control("BEGIN IMMEDIATE") {
                Ok(()) => return Ok(Transaction { connection, pool: Arc::clone(self) }),
                // Another process writes. The connection itself does not wait, as that would hold the thread.
                Err(StoreError::Conflict(_)) if Instant::now() < give_up => sleep(LOCK_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let writer = self.writer.lock().await;
        // Nobody wakes it meanwhile. While it works, SQLite would do nothing and say so only in the answer.
        while writer.checkpointer.as_ref().is_some_and(|(checkpointer, _)| !checkpointer.is_idle()) {
            sleep(LOCK_PAUSE).await;
        }
        super::in_place(|| writer.empty_log())
    }
}

fn shared(connection: Connection) -> Shared {
    Arc::new(tokio::sync::Mutex::new(connection))
}

/// Creates the file for its owner alone, if there is none. SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StoreError::Io(error.into())),
        _ => Ok(()),
    }
}

/// One connection with what belongs to it.
pub(super) struct Connection {
    /// Of the writer: who moves the log, and how many pages it may hold. Dropped first: only the last connection to be
    /// closed moves all that is left and removes the log.
    checkpointer: Option<(Checkpointer, u32)>,
    /// Of the writer: how many pages the log held when it last waited for readers.
    waited_at: std::cell::Cell<u32>,
    raw: rusqlite::Connection,
    /// Of the writer and who moves its log: where they tell of a disk that failed.
    doubt: Option<Doubt>,
    texts: Texts,
    /// See [`Options::set_statements`].
    set_statements: bool,
    /// Where rows become JSON, kept for the next time.
    json: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("sqlite::Connection")
    }
}

impl Connection {
    fn open_writer(path: &Path, options: &Options, doubt: &Doubt) -> Result<Self, StoreError> {
        let connection = Self::open(path, options, options.writer_cache_kib)?;
        let raw = &connection.raw;
        // Readers never wait for the writer, nor the writer for them; a commit is on disk before it is answered.
        raw.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .map_err(classify)?;
        connection.sync_fully(options)?;
        // SQLite does not look whether this worked. Without it a power cut may take the log away, file and all.
        faults::sync_directory(path)?;
        raw.pragma_update(None, "foreign_keys", true).map_err(classify)?;
        if options.sort_in_files {
            raw.pragma_update(None, "temp_store", "file").map_err(classify)?;
        }
        // See [`super::checkpointer`].
        raw.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(())).map_err(classify)?;
        // `Pool::begin` does the waiting.
        raw.busy_timeout(Duration::ZERO).map_err(classify)?;
        let mut mover = Self::open(path, options, CHECKPOINTER_CACHE_KIB)?;
        // The file is synced before the log may be begun anew.
        mover.sync_fully(options)?;
        mover.doubt = Some(doubt.clone());
        // What fails here is written again by the next one, and at the latest by the writer; until then it is in the log.
        let checkpointer = Checkpointer::start(move || _ = mover.move_log());
        let checkpointer = checkpointer.map_err(|error| StoreError::Io(error.into()))?;
        Ok(Self {
            checkpointer: Some((checkpointer, options.wal_limit_pages)),
            doubt: Some(doubt.clone()),
            ..connection
        })
    }

    /// Has every commit synced before it is answered.
    fn sync_fully(&self, options: &Options) -> Result<(), StoreError> {
        let synchronous = if options.sync_commits { "full" } else { "normal" };
        self.raw.pragma_update(None, "synchronous", synchronous).map_err(classify)
    }

    fn open_reader(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let connection = Self::open(path, options, options.reader_cache_kib)?;
        connection.raw.pragma_update(None, "query_only", true).map_err(classify)?;
        Ok(connection)
    }

    fn open(path: &Path, options: &Options, cache_kib: u32) -> Result<Self, StoreError> {
        // A connection is only ever used by one thread at a time, which Rust checks, so SQLite need not.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags).map_err(classify)?;
        raw.busy_timeout(options.busy_timeout).map_err(classify)?;
        raw.pragma_update(None, "temp_store", "memory").map_err(classify)?;
        raw.pragma_update(None, "cache_size", -i64::from(cache_kib)).map_err(classify)?;
        // One plan a statement, whatever its parameters: without this a build with SQLITE_ENABLE_STAT4 prepares
        // statements anew each time a parameter is bound.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(classify)?;
        raw.set_prepared_statement_cache_capacity(options.statement_cache);
        let texts = Texts::new(Dialect::Sqlite, RowSource::Json);
        Ok(Self {
            raw,
            doubt: None,
            texts,
            set_statements: options.set_statements,
            json: String::new(),
            checkpointer: None,
            waited_at: std::cell::Cell::new(0),
        })
    }

    pub(super) fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let found = query(&self.raw, self.texts.constant(sql)?, params);
        self.noting(found)
    }

    pub(super) fn query_dynamic(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.noting(query(&self.raw, &Dialect::Sqlite.expand(sql)?, params))
    }

    pub(super) fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let affected = execute(&self.raw, self.texts.constant(sql)?, params);
        self.noting(affected)
    }

    pub(super) fn execute_dynamic(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        self.noting(execute(&self.raw, &Dialect::Sqlite.expand(sql)?, params))
    }

    /// Passes an answer on, and remembers when it tells of a disk that fails.
    fn noting<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(error), Some(doubt)) = (&answer, &self.doubt) {
            doubt.judge(error);
        }
        answer
    }

    /// Runs a statement over rows, which are not empty and as wide as it wants them.
    pub(super) fn run_set(&mut self, statement: SetStatement, rows: &Rows) -> Result<u64, StoreError> {
        if !self.set_statements {
            return self.run_single(statement, rows);
        }
        self.json.clear();
        rows.write_json(&mut self.json, "null")?;
        let text = self.texts.set(statement)?;
        let affected = self.raw.prepare_cached(text).and_then(|mut found| found.execute([&self.json]));
        if self.json.capacity() > KEPT_BUFFER_BYTES {
            self.json = String::new();
        }
        self.noting(affected.map(as_count).map_err(classify))
    }

    /// [`Connection::run_set`] with a statement for each row.
    fn run_single(&mut self, statement: SetStatement, rows: &Rows) -> Result<u64, StoreError> {
        rows.check()?;
        let affected = self.raw.prepare_cached(self.texts.single(statement)).and_then(|mut prepared| {
            let mut affected = 0;
            for row in rows.iter() {
                affected += as_count(prepared.execute(params_from_iter(row.map(Param)))?);
            }
            Ok(affected)
        });
        self.noting(affected.map_err(classify))
    }

    /// BEGIN and its like: no parameters, no answer.
    fn control(&self, sql: &str) -> Result<(), StoreError> {
        let done = self.raw.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        self.noting(done.map(drop).map_err(classify))
    }

    /// Moves what the log holds into the file, as far as no reader needs it where it is.
    fn move_log(&self) -> Result<(), StoreError> {
        self.ask("PRAGMA wal_checkpoint(PASSIVE)", |_| Ok(()))
    }

    /// Moves all that the log holds and cuts it to nothing, unless somebody is reading it.
    fn empty_log(&self) -> Result<(), StoreError> {
        self.ask("PRAGMA wal_checkpoint(TRUNCATE)", |_| Ok(()))
    }

    /// How many pages the log holds, and how many of them were moved.
    fn log_pages(&self) -> Result<(u32, u32), StoreError> {
        self.ask("PRAGMA wal_checkpoint(NOOP)", |row| Ok((row.get(1)?, row.get(2)?)))
    }

    /// Asks what has one row for an answer.
    fn ask<T>(
        &self,
        sql: &str,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let answer = self.raw.prepare_cached(sql).and_then(|mut statement| statement.query_row([], read));
        self.noting(answer.map_err(classify))
    }

    /// Moves the whole log, waiting for the readers that need it where it is, but not for long.
    fn begin_log_anew(&self) -> Result<(), StoreError> {
        self.raw.busy_timeout(READERS_PAUSE).map_err(classify)?;
        let moved = self.ask("PRAGMA wal_checkpoint(RESTART)", |_| Ok(()));
        // As `open_writer` has it.
        self.raw.busy_timeout(Duration::ZERO).map_err(classify)?;
        moved
    }

    /// Keeps the log from growing without end. A commit that has happened cannot fail because of it.
    fn tend_log(&self) {
        let Some((checkpointer, most)) = &self.checkpointer else { return };
        let Ok((pages, moved)) = self.log_pages() else { return };
        let limit = room::log_limit(Path::new(self.raw.path().unwrap_or_default()), pages, *most);
        match plan(pages, moved, limit, checkpointer.is_idle(), self.waited_at.get()) {
            Step::Wait => {}
            Step::Aside => checkpointer.wake(),
            // Where there is little room, the file needs what the log had.
            Step::Here if limit < *most => _ = self.empty_log(),
            Step::Here => _ = self.move_log(),
            Step::Anew => {
                self.waited_at.set(pages);
                _ = self.begin_log_anew();
            }
        }
    }

    /// Ends the transaction that is open, if there is one.
    fn roll_back(&self) -> Result<(), StoreError> {
        if self.raw.is_autocommit() { Ok(()) } else { self.control("ROLLBACK") }
    }
}

/// A reader that is in use.
#[derive(Debug)]
pub(super) struct Reader {
    // Dropped in this order: whoever gets the permit finds a connection that is free. Both are absent while they work
    // on another thread, and stay so if that work was abandoned: when it ends, the connection is closed.
    connection: Option<OwnedMutexGuard<Connection>>,
    pool: Arc<Pool>,
    permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

impl Reader {
    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection.as_deref_mut().ok_or_else(abandoned)
    }

    /// Lets the connection work on a thread of the blocking pool. No more of those are used than there are readers;
    /// `block_in_place` would start one for each waiting request instead.
    pub(super) async fn aside<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.take().ok_or_else(abandoned)?;
        // Goes along, for the work goes on when its caller has left.
        let permits = self.permits.take();
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut connection);
            (connection, permits, result)
        });
        let (connection, permits, result) =
            done.await.map_err(|error| StoreError::ConnectionLost(error.into()))?;
        self.connection = Some(connection);
        self.permits = permits;
        result
    }

    pub(super) fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        let connection = self.connection()?;
        if !connection.raw.is_autocommit() {
            return Err(StoreError::misuse("a snapshot is open already"));
        }
        connection.control("BEGIN DEFERRED")
    }

    pub(super) fn end_snapshot(&mut self) -> Result<(), StoreError> {
        self.connection()?.roll_back()
    }
}

fn abandoned() -> StoreError {
    StoreError::misuse("an earlier query of this reader was abandoned")
}

impl Drop for Reader {
    fn drop(&mut self) {
        // A connection whose snapshot cannot be ended is closed instead; the next reader opens another.
        if let Some(connection) = self.connection.take().filter(|connection| connection.roll_back().is_ok()) {
            let shared = Arc::clone(OwnedMutexGuard::mutex(&connection));
            drop(connection);
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(shared);
        }
    }
}

/// The open transaction of the writer.
#[derive(Debug)]
pub(super) struct Transaction {
    connection: OwnedMutexGuard<Connection>,
    pool: Arc<Pool>,
}

impl Transaction {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.connection.control("COMMIT") {
            return Err(self.pool.judge_commit(&mut self.connection, error));
        }
        if let Some(delay) = self.pool.options.sync_delay {
            std::thread::sleep(delay);
        }
        self.connection.tend_log();
        Ok(())
    }

    pub(super) fn rollback(self) -> Result<(), StoreError> {
        self.connection.roll_back()
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // After a commit there is nothing left to undo. Should this fail, the next `begin` tries again.
        let _ = self.connection.roll_back();
    }
}

fn query(raw: &rusqlite::Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
    let mut statement = raw.prepare_cached(sql).map_err(classify)?;
    let width = statement.column_count();
    check_params(params)?;
    let mut found = statement
        .query(params_from_iter(params.iter().map(|value| Param(value.into()))))
        .map_err(classify)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(classify)? {
        let mut values = Vec::with_capacity(width);
        for column in 0..width {
            values.push(read(row.get_ref(column).map_err(classify)?, column)?);
        }
        rows.push(Row::new(values));
    }
    Ok(rows)
}

fn execute(raw: &rusqlite::Connection, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
    check_params(params)?;
    let mut statement = raw.prepare_cached(sql).map_err(classify)?;
    statement
        .execute(params_from_iter(params.iter().map(|value| Param(value.into()))))
        .map(as_count)
        .map_err(classify)
}

fn as_count(affected: usize) -> u64 {
    u64::try_from(affected).unwrap_or(u64::MAX)
}

/// SQLite would store U+0000 and then cut the text there in its JSON functions; the other databases refuse it.
fn check_params(params: &[Value]) -> Result<(), StoreError> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if params.iter().any(has_nul) { Err(nul_refused()) } else { Ok(()) }
}

fn read(value: ValueRef<'_>, column: usize) -> Result<Value, StoreError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map(Value::Text)
            .map_err(|_| StoreError::decode(format!("column {column} holds a text that is not UTF-8"))),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(StoreError::decode(format!("column {column} is neither an integer nor a text")))
        }
    }
}

struct Param<'a>(Cell<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Cell::Null => ValueRef::Null,
            Cell::Int(value) => ValueRef::Integer(value),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// What an error of SQLite means to the code above.
fn classify(error: rusqlite::Error) -> StoreError {
    let Some(failure) = error.sqlite_error() else {
        return StoreError::Statement(error.into());
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Conflict(error.into()),
        ErrorCode::ConstraintViolation => {
            let violation = violation(failure.extended_code);
            let detail = constraint_name(&error);
            StoreError::Constraint { violation, detail, source: error.into() }
        }
        ErrorCode::DiskFull => StoreError::Full(error.into()),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(error.into()),
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::FileLockingProtocolFailed => StoreError::Io(error.into()),
        _ => StoreError::Statement(error.into()),
    }
}

fn violation(extended_code: std::ffi::c_int) -> Violation {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Violation::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Violation::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => Violation::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Violation::NotNull,
        _ => Violation::Other,
    }
}

/// The name in a message such as `UNIQUE constraint failed: users.username_key`, as `table_column`;
/// of several columns `table_column_column`.
fn constraint_name(error: &rusqlite::Error) -> String {
    let message = error.to_string();
    let Some((_, what)) = message.split_once(" constraint failed: ") else {
        return String::new();
    };
    let mut name = String::new();
    for (index, column) in what.split(", ").enumerate() {
        match column.split_once('.') {
            Some((table, column)) if index == 0 => name = format!("{table}_{column}"),
            Some((_, column)) => {
                name.push('_');
                name.push_str(column);
            }
            None => column.clone_into(&mut name),
        }
    }
    name
}
