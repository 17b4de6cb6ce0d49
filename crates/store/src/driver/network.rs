//! What the databases on a network have in common: connections that are kept, broken, replaced and given up.
//!
//! A driver brings a [`Link`]; everything about time is here. A query that only reads is asked again on another
//! connection when its own is lost, until its caller's patience ends. A transaction is not: whoever runs it knows
//! whether it may run again.

use super::set::SetStatement;
use super::{Options, Row, Rows, Value};
use crate::StoreError;
use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The first pause before asking a database again that is away; it doubles up to [`LONGEST_PAUSE`] (see [`Pauses`]).
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// A database that has come back is noticed after this long at the latest.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// What a statement may take longer than the database itself allows it, before its connection counts as lost.
const GRACE: Duration = Duration::from_secs(1);

/// Pauses between attempts, each twice as long as the one before, for as long as somebody waits.
struct Pauses {
    pause: Duration,
    patience: Instant,
}

impl Pauses {
    fn until(patience: Instant) -> Self {
        Self { pause: FIRST_PAUSE, patience }
    }

    /// How long to wait for the next attempt; `None` when nobody will be waiting for it by then.
    fn next(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (Instant::now() + pause < self.patience).then_some(pause)
    }

    /// Waits for as long as that; answers at once, with false, when there is to be no other attempt.
    async fn wait(&mut self) -> bool {
        let Some(pause) = self.next() else { return false };
        sleep(pause).await;
        true
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Batches of commands. The database must not cut its statements short: only the wait for a lock is limited.
    Writer,
    /// Queries, each limited by [`Options::statement_timeout`] in the database, too.
    Reader,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It writes: READ COMMITTED, so that what follows a lock sees what was committed before it.
    Write,
    /// It reads one state of the database: REPEATABLE READ, read only.
    Snapshot,
}

/// SQL with macros.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sql<'a> {
    /// One of the texts in the code: kept prepared by where it lies in memory.
    Constant(&'static str),
    /// A text put together at run time: kept prepared as long as there is room ([`Options::statement_cache`]).
    Dynamic(&'a str),
}

/// One connection of a driver. An operation that is dropped before its end leaves it in an unknown state; then it is
/// closed by whoever holds it, and never asked again.
pub(super) trait Link: Send + Sync + Sized + 'static {
    /// Where to connect, and how: made of the URL once.
    type Address: std::fmt::Debug + Send + Sync + 'static;

    /// Opens a connection. Of several hosts, to the first that serves what is asked for.
    fn connect(
        address: &Self::Address,
        role: Role,
        options: &Options,
    ) -> impl Future<Output = Result<Self, StoreError>> + Send;

    /// Whether the other side has, as far as is known, not hung up.
    fn is_open(&self) -> bool;

    /// Begins a transaction. A driver may send this together with the first statement, and fail there.
    fn begin(&mut self, access: Access) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits. [`StoreError::ConnectionLost`] means that only the database knows; every other error, that nothing
    /// was stored.
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Rolls back.
    fn roll_back(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Runs a query.
    fn query(
        &mut self,
        sql: Sql<'_>,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// Runs queries in their order, in as few round trips as the database allows.
    fn query_all(
        &mut self,
        queries: &[(&'static str, Vec<Value>)],
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, StoreError>> + Send;

    /// Runs a statement and says how many rows it affected (found, not changed).
    fn execute(
        &mut self,
        sql: Sql<'_>,
        params: &[Value],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Runs statements over rows in their order, in as few round trips as the database allows, and says how many rows
    /// each affected. None of them is empty.
    fn run_sets(
        &mut self,
        sets: &[(SetStatement, &Rows)],
    ) -> impl Future<Output = Result<Vec<u64>, StoreError>> + Send;
}

/// Makes connections for a pool.
struct Maker<L: Link> {
    address: Arc<L::Address>,
    role: Role,
    options: Options,
}

impl<L: Link> managed::Manager for Maker<L> {
    type Type = L;
    type Error = StoreError;

    async fn create(&self) -> Result<L, StoreError> {
        connect::<L>(&self.address, self.role, &self.options).await
    }

    async fn recycle(&self, link: &mut L, _: &Metrics) -> RecycleResult<StoreError> {
        if link.is_open() { Ok(()) } else { Err(RecycleError::message("the other side has hung up")) }
    }
}

async fn connect<L: Link>(address: &L::Address, role: Role, options: &Options) -> Result<L, StoreError> {
    let give_up = Instant::now() + options.connect_timeout;
    timeout_at(give_up, L::connect(address, role, options)).await.unwrap_or_else(|late| Err(lost(late)))
}

/// All connections to one database.
pub(super) struct Pool<L: Link> {
    address: Arc<L::Address>,
    options: Options,
    writers: managed::Pool<Maker<L>>,
    readers: managed::Pool<Maker<L>>,
    /// One fewer than there are readers: however many lists are asked for, who looks a row up finds a connection.
    long_permits: Arc<Semaphore>,
}

impl<L: Link> std::fmt::Debug for Pool<L> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        formatter.write_str("network::Pool")
    }
}

impl<L: Link> Pool<L> {
    /// Makes sure that the database can be reached at all, so that a wrong address is told at once.
    pub(super) async fn open(address: L::Address, options: Options) -> Result<Self, StoreError> {
        let address = Arc::new(address);
        let pool = |role, size: usize| {
            let maker = Maker { address: Arc::clone(&address), role, options: options.clone() };
            managed::Pool::builder(maker)
                .max_size(size)
                .runtime(deadpool::Runtime::Tokio1)
                .build()
                .map_err(|error| StoreError::misuse(error.to_string()))
        };
        // One of them is never taken for long.
        let readers = options.readers.max(2);
        let long_permits = Arc::new(Semaphore::new(readers - 1));
        let (writers, readers) = (pool(Role::Writer, options.writers.max(1))?, pool(Role::Reader, readers)?);
        let opened = Self { address, options, writers, readers, long_permits };
        drop(opened.patiently(&opened.readers, Instant::now() + opened.options.patience).await?);
        Ok(opened)
    }

    pub(super) fn patience(&self) -> Duration {
        self.options.patience
    }

    pub(super) fn reader(self: &Arc<Self>) -> Reader<L> {
        self.reader_with(None)
    }

    pub(super) async fn long_reader(self: &Arc<Self>) -> Result<Reader<L>, StoreError> {
        let permit = Arc::clone(&self.long_permits).acquire_owned();
        let permit = timeout_at(Instant::now() + self.options.patience, permit).await.map_err(lost)?;
        Ok(self.reader_with(Some(permit.map_err(lost)?)))
    }

    fn reader_with(self: &Arc<Self>, long: Option<OwnedSemaphorePermit>) -> Reader<L> {
        let patience = Instant::now() + self.options.patience;
        Reader { pool: Arc::clone(self), link: None, in_snapshot: false, patience, _long: long }
    }

    /// Begins a transaction before the deadline, and holds all of it to that deadline.
    pub(super) async fn begin(&self, deadline: Option<Instant>) -> Result<Transaction<L>, StoreError> {
        let patience = deadline.unwrap_or_else(|| Instant::now() + self.options.patience);
        let mut pauses = Pauses::until(patience);
        loop {
            let mut link = self.patiently(&self.writers, patience).await.map_err(outage)?;
            let error = match self.within(deadline, link.link()?.begin(Access::Write)).await {
                Ok(()) => {
                    return Ok(Transaction {
                        link,
                        statement_timeout: self.options.statement_timeout,
                        deadline,
                    });
                }
                Err(error) => error,
            };
            link.forget();
            let is_lost = matches!(error, StoreError::ConnectionLost(_));
            let Some(pause) = pauses.next().filter(|_| is_lost) else { return Err(error) };
            // One that had been idle for long. The next is a fresh one.
            self.forget_idle(&self.writers);
            sleep(pause).await;
        }
    }

    /// A connection that belongs to no pool and is closed at its end: for what changes a session, or holds it long.
    pub(super) async fn aside(&self) -> Result<Transaction<L>, StoreError> {
        let mut link = Held::aside(connect::<L>(&self.address, Role::Writer, &self.options).await?);
        link.link()?.begin(Access::Write).await?;
        Ok(Transaction { link, statement_timeout: self.options.migration_timeout, deadline: None })
    }

    /// A connection of the pool, waiting for one that is in use, and for a database that is away.
    async fn patiently(
        &self,
        pool: &managed::Pool<Maker<L>>,
        patience: Instant,
    ) -> Result<Held<L>, StoreError> {
        let mut pauses = Pauses::until(patience);
        loop {
            let left = patience.saturating_duration_since(Instant::now());
            let timeouts = Timeouts { wait: Some(left), create: Some(left), recycle: Some(left) };
            let error = match pool.timeout_get(&timeouts).await {
                Ok(object) => return Ok(Held::pooled(object)),
                Err(PoolError::Backend(error)) => error,
                Err(error) => lost(error),
            };
            if !matches!(error, StoreError::ConnectionLost(_)) || !pauses.wait().await {
                return Err(error);
            }
        }
    }

    /// Closes the connections that nobody uses: where one was lost, the others most often are, too.
    fn forget_idle(&self, pool: &managed::Pool<Maker<L>>) {
        pool.retain(|_, _| false);
    }

    async fn within<T>(
        &self,
        deadline: Option<Instant>,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.options.statement_timeout, deadline, work).await
    }

    /// Runs something quick. A database that has not answered it when patience ends hangs.
    async fn promptly<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.within(Some(Instant::now() + self.options.patience), work).await
    }

    /// Runs a query that may take as long as a statement may, if only the database is there meanwhile: when it has been
    /// silent for half of what anybody waits, it has the other half to accept another connection.
    async fn at_length<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let mut work = pin!(self.within(None, work));
        let half = self.options.patience / 2;
        loop {
            if let Ok(done) = timeout(half, &mut work).await {
                return done;
            }
            tokio::select! {
                biased;
                done = &mut work => return done,
                hangs = self.hangs(half) => if let Some(late) = hangs {
                    return Err(lost(late));
                }
            }
        }
    }

    /// Whether the database says nothing at all to who knocks. One that refuses is there.
    async fn hangs(&self, limit: Duration) -> Option<Elapsed> {
        match timeout(limit, L::connect(&self.address, Role::Reader, &self.options)).await {
            Ok(Err(StoreError::ConnectionLost(cause))) => cause.downcast().ok().map(|late| *late),
            Ok(_) => None,
            Err(late) => Some(late),
        }
    }
}

/// Runs one operation for as long as it may take.
async fn within<T>(
    statement_timeout: Duration,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let own = Instant::now() + statement_timeout + GRACE;
    timeout_at(deadline.map_or(own, |deadline| deadline.min(own)), work)
        .await
        .unwrap_or_else(|late| Err(lost(late)))
}

/// A database that was opened once and now refuses to let anybody in (a password or certificate is being changed, say)
/// is as good as away: the commands and queries that wait for it are not at fault.
fn outage(error: StoreError) -> StoreError {
    match error {
        StoreError::Unsupported { .. } => StoreError::ConnectionLost(error.into()),
        error => error,
    }
}

fn lost(cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::ConnectionLost(cause.into())
}

/// A connection in use, and whether it may be used again: not while an operation runs that may be abandoned.
struct Held<L: Link> {
    link: Option<Kept<L>>,
    is_reliable: bool,
}

enum Kept<L: Link> {
    // Boxed, for a connection may be large, and moves from hand to hand.
    Pooled(Box<Object<Maker<L>>>),
    Aside(Box<L>),
}

impl<L: Link> Held<L> {
    /// As it comes from the pool it may go back there.
    fn pooled(object: Object<Maker<L>>) -> Self {
        Self { link: Some(Kept::Pooled(Box::new(object))), is_reliable: true }
    }

    fn aside(link: L) -> Self {
        Self { link: Some(Kept::Aside(Box::new(link))), is_reliable: false }
    }

    /// The connection. From now on it is not reliable, until [`Held::rely`] says so.
    fn link(&mut self) -> Result<&mut L, StoreError> {
        self.is_reliable = false;
        match self.link.as_mut() {
            Some(Kept::Pooled(object)) => Ok(object),
            Some(Kept::Aside(link)) => Ok(link),
            None => Err(StoreError::misuse("the connection was given up")),
        }
    }

    /// Nothing is under way on the connection, and no transaction open: somebody else may have it.
    fn rely(&mut self) {
        self.is_reliable = true;
    }

    /// Closes the connection.
    fn forget(&mut self) {
        if let Some(Kept::Pooled(object)) = self.link.take() {
            drop(Object::take(*object));
        }
    }
}

impl<L: Link> Drop for Held<L> {
    fn drop(&mut self) {
        if !self.is_reliable {
            self.forget();
        }
    }
}

/// How long a query may take.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Not longer than anybody waits for a database that is away.
    Quick,
    /// As long as a statement may.
    Long,
}

/// Reads, on a connection that is taken when it is needed first.
pub(super) struct Reader<L: Link> {
    pool: Arc<Pool<L>>,
    link: Option<Held<L>>,
    in_snapshot: bool,
    /// Until when to wait for a database that is away.
    patience: Instant,
    _long: Option<OwnedSemaphorePermit>,
}

impl<L: Link> std::fmt::Debug for Reader<L> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("network::Reader")
    }
}

impl<L: Link> Reader<L> {
    /// Runs a quick query; outside a snapshot again and again, should the connection be lost.
    pub(super) async fn query(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.query_patiently(sql, params, Pace::Quick).await
    }

    /// Runs a query that may take long, in the same way.
    pub(super) async fn query_long(
        &mut self,
        sql: Sql<'_>,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        self.query_patiently(sql, params, Pace::Long).await
    }

    async fn query_patiently(
        &mut self,
        sql: Sql<'_>,
        params: &[Value],
        pace: Pace,
    ) -> Result<Vec<Row>, StoreError> {
        let mut pauses = Pauses::until(self.patience);
        loop {
            let error = match self.query_once(sql, params, pace).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let is_lost = matches!(error, StoreError::ConnectionLost(_));
            if is_lost {
                self.link = None;
                self.pool.forget_idle(&self.pool.readers);
            }
            let may_repeat = !self.in_snapshot && (is_lost || error.is_retryable());
            if !may_repeat || !pauses.wait().await {
                return Err(error);
            }
        }
    }

    async fn query_once(
        &mut self,
        sql: Sql<'_>,
        params: &[Value],
        pace: Pace,
    ) -> Result<Vec<Row>, StoreError> {
        let pool = Arc::clone(&self.pool);
        let in_snapshot = self.in_snapshot;
        let held = self.held().await?;
        let query = held.link()?.query(sql, params);
        let answer = match pace {
            Pace::Quick => pool.promptly(query).await,
            Pace::Long => pool.at_length(query).await,
        };
        if answer.is_ok() && !in_snapshot {
            held.rely();
        }
        answer
    }

    async fn held(&mut self) -> Result<&mut Held<L>, StoreError> {
        if self.link.is_none() {
            if self.in_snapshot {
                return Err(StoreError::misuse("the snapshot was lost"));
            }
            let held = self.pool.patiently(&self.pool.readers, self.patience).await;
            self.link = Some(held.map_err(outage)?);
        }
        self.link.as_mut().ok_or_else(|| StoreError::misuse("there is no connection"))
    }

    pub(super) async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        if self.in_snapshot {
            return Err(StoreError::misuse("a snapshot is open already"));
        }
        let pool = Arc::clone(&self.pool);
        let mut pauses = Pauses::until(self.patience);
        loop {
            let held = self.held().await?;
            let error = match pool.promptly(held.link()?.begin(Access::Snapshot)).await {
                Ok(()) => {
                    self.in_snapshot = true;
                    return Ok(());
                }
                Err(error) => error,
            };
            let is_lost = matches!(error, StoreError::ConnectionLost(_));
            let Some(pause) = pauses.next().filter(|_| is_lost) else { return Err(error) };
            self.link = None;
            pool.forget_idle(&pool.readers);
            sleep(pause).await;
        }
    }

    /// Whether somebody still waits for what failed like this, and another connection may help; after a short pause.
    pub(super) async fn may_begin_anew(&self, error: &StoreError) -> bool {
        let may_help = matches!(error, StoreError::ConnectionLost(_)) || error.is_retryable();
        may_help && Pauses::until(self.patience).wait().await
    }

    pub(super) async fn end_snapshot(&mut self) -> Result<(), StoreError> {
        let was_open = std::mem::take(&mut self.in_snapshot);
        let Some(held) = self.link.as_mut().filter(|_| was_open) else { return Ok(()) };
        self.pool.promptly(held.link()?.roll_back()).await?;
        held.rely();
        Ok(())
    }
}

/// A transaction that is dropped closes its connection, by which the database rolls it back.
pub(super) struct Transaction<L: Link> {
    link: Held<L>,
    statement_timeout: Duration,
    deadline: Option<Instant>,
}

impl<L: Link> std::fmt::Debug for Transaction<L> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("network::Transaction")
    }
}

impl<L: Link> Transaction<L> {
    pub(super) async fn query(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        within(self.statement_timeout, self.deadline, self.link.link()?.query(sql, params)).await
    }

    pub(super) async fn query_all(
        &mut self,
        queries: &[(&'static str, Vec<Value>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        within(self.statement_timeout, self.deadline, self.link.link()?.query_all(queries)).await
    }

    pub(super) async fn execute(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<u64, StoreError> {
        within(self.statement_timeout, self.deadline, self.link.link()?.execute(sql, params)).await
    }

    pub(super) async fn run_sets(&mut self, sets: &[(SetStatement, &Rows)]) -> Result<Vec<u64>, StoreError> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        within(self.statement_timeout, self.deadline, self.link.link()?.run_sets(sets)).await
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = within(self.statement_timeout, self.deadline, self.link.link()?.commit()).await;
        // Refused or done: either way the transaction has ended.
        if !matches!(committed, Err(StoreError::ConnectionLost(_))) {
            self.link.rely();
        }
        committed
    }

    pub(super) async fn roll_back(mut self) -> Result<(), StoreError> {
        within(self.statement_timeout, self.deadline, self.link.link()?.roll_back()).await?;
        self.link.rely();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_grow_for_as_long_as_somebody_waits() {
        let now = Instant::now();
        let mut pauses = Pauses::until(now + Duration::from_secs(60));
        let told: Vec<_> = (0..7).filter_map(|_| pauses.next()).map(|pause| pause.as_millis()).collect();
        assert_eq!(told, [10, 20, 40, 80, 160, 200, 200]);
        assert!(!Pauses::until(now + FIRST_PAUSE).wait().await);
        let mut pauses = Pauses::until(now + Duration::from_secs(60));
        assert!(pauses.wait().await && now.elapsed() >= FIRST_PAUSE);
    }
}
