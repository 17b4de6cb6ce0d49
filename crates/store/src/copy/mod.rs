//! Moves a shop from one database into another, empty one, whatever kinds of database they are.
//!
//! All other writing goes through the committer. This is the one exception: rows are carried as they are, since they
//! are the outcome of commands that were decided long ago.
//!
//! The source is read in one snapshot, table by table along the primary key, in portions of bounded size. Each portion
//! is one transaction on the target, which also notes how far the copy has come, so that another attempt goes on from
//! there. Until everything has arrived and adds up, that note says that the target is no shop to be opened yet.

mod error;
mod mark;
mod portion;
mod state;
mod tables;

pub use error::CopyError;
pub use portion::PortionLimit;

use crate::driver::{Database, Reader, TableRows, Transaction};
use crate::filling::NOTED;
use crate::{Discrepancy, Store, StoreError};
use mark::Mark;
use portion::Portion;
use state::State;
use std::time::Duration;
use tables::TABLES;

/// How often a step is tried again after a conflict, or after a connection was lost.
const MAX_ATTEMPTS: u32 = 8;
/// The first pause before that. Each is twice as long as the one before, some twelve seconds in all: as long as a
/// database on a network takes to come back.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Steps of the schema are counted from 1; a row with a smaller number is none.
const APPLIED: &str =
    "SELECT m.version FROM schema_migrations m WHERE m.version > 0 ORDER BY m.version LIMIT 1";
/// As every batch of commands begins: whoever writes to the target waits here, and then finds no counters.
const LOCK_COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name {for update}";
const CURRENCY: &str = "SELECT m.name FROM meta m WHERE m.name = 'currency'";
/// Empties what migrations fill.
const CLEAR: [&str; 4] =
    ["DELETE FROM locations", "DELETE FROM product_counts", "DELETE FROM meta", "DELETE FROM counters"];

/// A shop that is to be moved: of this program's version, and complete.
#[derive(Debug)]
pub struct CopySource {
    store: Store,
}

/// What happens, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The copy begins.
    Begun {
        /// Rows that there are to be carried.
        rows: i64,
        /// So many of them were carried by an earlier attempt.
        carried: i64,
    },
    /// A portion of a table has arrived for good.
    Portion {
        /// The table.
        table: &'static str,
        /// Rows in this portion.
        rows: i64,
    },
    /// A table is complete.
    Table {
        /// The table.
        table: &'static str,
        /// Rows it has.
        rows: i64,
    },
    /// Everything is there and is being compared.
    Comparing,
}

/// A finished copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Each table with its number of rows.
    pub tables: Vec<(&'static str, i64)>,
    /// How many of all rows an earlier attempt had carried.
    pub carried_before: i64,
}

impl CopySource {
    /// The shop in a database. Changes nothing there.
    ///
    /// # Errors
    /// [`CopyError::NoShop`], [`CopyError::Outdated`] or [`CopyError::SourceUnfinished`] when there is none that could
    /// be copied; otherwise why the database cannot be read.
    pub async fn open(database: Database) -> Result<Self, CopyError> {
        if !holds_shop(&database).await.map_err(CopyError::Source)? {
            return Err(CopyError::NoShop);
        }
        match database.missing_migrations().await.map_err(CopyError::Source)? {
            0 => {}
            missing => return Err(CopyError::Outdated { missing }),
        }
        let store = Store::new(database);
        if store.is_unfinished_copy().await.map_err(CopyError::Source)? {
            return Err(CopyError::SourceUnfinished);
        }
        if store.is_half_filled().await.map_err(CopyError::Source)? {
            return Err(CopyError::HalfFilled("source"));
        }
        Ok(Self { store })
    }

    /// What does not add up in the source; empty is good. A shop that does not had better be repaired before it moves.
    ///
    /// # Errors
    /// [`CopyError::Source`]
    pub async fn verify(&self) -> Result<Vec<Discrepancy>, CopyError> {
        let report = self.store.verify().await.map_err(CopyError::Source)?;
        Ok(report.discrepancies)
    }

    /// Carries everything into an empty database, or what is missing there when an earlier attempt was interrupted, and
    /// proves that it has arrived. Nobody should write to the source meanwhile; if somebody does, this fails in the
    /// end.
    ///
    /// `now_us` is the time to note for the migrations of the target, in microseconds since 1970 UTC. The future may be
    /// dropped at any moment, and the process killed.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn copy_to(
        &self,
        target: &Database,
        limit: PortionLimit,
        now_us: i64,
        told: &mut dyn FnMut(Progress),
    ) -> Result<Copied, CopyError> {
        let mut reader = self.snapshot().await.map_err(CopyError::Source)?;
        let state = State::read(&mut reader).await.map_err(CopyError::Source)?;
        let mut mark = match claim(target, &state, now_us).await {
            Err(CopyError::NotEmpty { table }) => return Err(self.refuse(target, &state, table).await),
            claimed => claimed?,
        };
        let carried_before = state.rows.iter().take(mark.table).sum::<i64>() + mark.rows;
        told(Progress::Begun { rows: state.total(), carried: carried_before });
        for (index, table) in TABLES.into_iter().enumerate().skip(mark.table) {
            mark = carry_table(&mut reader, target, index, mark, limit, told).await?;
            let rows = state.rows.get(index).copied().unwrap_or_default();
            told(Progress::Table { table: table.table, rows });
        }
        reader.end_snapshot().await.map_err(CopyError::Source)?;
        drop(reader);
        told(Progress::Comparing);
        self.compare(target, &state).await?;
        finish(target, &mark).await?;
        let tables = TABLES.iter().map(|table| table.table).zip(state.rows).collect();
        Ok(Copied { tables, carried_before })
    }

    async fn snapshot(&self) -> Result<Reader, StoreError> {
        let mut reader = self.store.database().long_reader().await?;
        reader.begin_snapshot().await?;
        Ok(reader)
    }

    /// Why a target with rows in this table is refused. A copy that was killed in its last moment is found complete.
    async fn refuse(&self, target: &Database, state: &State, table: &'static str) -> CopyError {
        let target = Self { store: Store::new(target.clone()) };
        match target.state().await {
            Ok(found) if state.difference(&found).is_none() => CopyError::Complete,
            _ => CopyError::NotEmpty { table },
        }
    }

    /// Holds the target against the source, and the source against what it was.
    async fn compare(&self, target: &Database, state: &State) -> Result<(), CopyError> {
        let target = Self { store: Store::new(target.clone()) };
        let arrived = target.state().await.map_err(CopyError::Target)?;
        if let Some((what, source_value, target_value)) = state.difference(&arrived) {
            return Err(CopyError::Differs { what, source_value, target_value });
        }
        let report = target.store.verify().await.map_err(CopyError::Target)?;
        if !report.discrepancies.is_empty() {
            return Err(CopyError::Unsound { findings: report.discrepancies });
        }
        let now = self.state().await.map_err(CopyError::Source)?;
        match state.difference(&now) {
            Some((what, before, after)) => Err(CopyError::SourceMoved { what, before, after }),
            None => Ok(()),
        }
    }

    async fn state(&self) -> Result<State, StoreError> {
        let mut reader = self.snapshot().await?;
        let state = State::read(&mut reader).await?;
        reader.end_snapshot().await?;
        Ok(state)
    }
}

impl Store {
    /// Whether a copy into this database was begun and not finished. Then it is no shop: rows are missing.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn is_unfinished_copy(&self) -> Result<bool, StoreError> {
        let mut reader = self.database().reader().await?;
        Ok(!reader.query(mark::IS_RECORDED, &[]).await?.is_empty())
    }
}

/// Whether any migration has been applied.
async fn holds_shop(database: &Database) -> Result<bool, StoreError> {
    match database.reader().await?.query(APPLIED, &[]).await {
        Ok(applied) => Ok(!applied.is_empty()),
        // There is no such table.
        Err(StoreError::Statement(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the target ours, or finds that it is already, and answers with how far we have come.
async fn claim(target: &Database, state: &State, now_us: i64) -> Result<Mark, CopyError> {
    let new = Mark::new(state.fingerprint());
    let mut attempts = Attempts::default();
    loop {
        match claim_once(target, &new, now_us).await {
            Err(error) if attempts.allow(&error).await => {}
            settled => return settled,
        }
    }
}

async fn claim_once(target: &Database, new: &Mark, now_us: i64) -> Result<Mark, CopyError> {
    if holds_shop(target).await.map_err(CopyError::Target)? {
        // Before its schema is touched: a shop in use must not be migrated in passing.
        let mut transaction = target.begin().await.map_err(CopyError::Target)?;
        _ = look(&mut transaction, new).await?;
        transaction.rollback().await.map_err(CopyError::Target)?;
    }
    // What folds texts of older versions is not for rows on their way: they are folded in the source.
    target.migrate_schema(now_us).await.map_err(CopyError::Target)?;
    let mut transaction = target.begin().await.map_err(CopyError::Target)?;
    transaction.query(LOCK_COUNTERS, &[]).await.map_err(CopyError::Target)?;
    if let Some(mark) = look(&mut transaction, new).await? {
        transaction.rollback().await.map_err(CopyError::Target)?;
        return Ok(mark);
    }
    for sql in CLEAR {
        transaction.execute(sql, &[]).await.map_err(CopyError::Target)?;
    }
    new.store(&mut transaction).await.map_err(CopyError::Target)?;
    transaction.commit().await.map_err(CopyError::Target)?;
    Ok(new.clone())
}

/// How far a copy of this source has come in the target; `None` if the target is empty. Everything else is refused.
async fn look(transaction: &mut Transaction, new: &Mark) -> Result<Option<Mark>, CopyError> {
    let mark = match mark::recorded(transaction).await {
        // Of another version of this program, say.
        Err(StoreError::Decode { .. }) => return Err(CopyError::OtherCopy),
        recorded => recorded.map_err(CopyError::Target)?,
    };
    if let Some(mark) = mark {
        return if mark.source == new.source { Ok(Some(mark)) } else { Err(CopyError::OtherCopy) };
    }
    if !transaction.query(NOTED, &[]).await.map_err(CopyError::Target)?.is_empty() {
        return Err(CopyError::HalfFilled("target"));
    }
    let telling = |table: &&&TableRows| !tables::is_prefilled(table) && !tables::is_derived(table);
    for table in TABLES.iter().filter(telling) {
        let sql = format!("SELECT {} FROM {} t LIMIT 1", tables::listed(table.key), table.table);
        if !transaction.query_dynamic(&sql, &[]).await.map_err(CopyError::Target)?.is_empty() {
            return Err(CopyError::NotEmpty { table: table.table });
        }
    }
    // A server has been started on it.
    if !transaction.query(CURRENCY, &[]).await.map_err(CopyError::Target)?.is_empty() {
        return Err(CopyError::NotEmpty { table: "meta" });
    }
    Ok(None)
}

/// Carries what the target lacks of a table, and answers with the mark as it is then.
async fn carry_table(
    reader: &mut Reader,
    target: &Database,
    index: usize,
    mut mark: Mark,
    limit: PortionLimit,
    told: &mut dyn FnMut(Progress),
) -> Result<Mark, CopyError> {
    let table = TABLES[index];
    let (mut key, mut carried) = (Vec::new(), 0);
    if mark.table == index {
        (key, carried) = (mark.key.clone(), mark.rows);
    }
    loop {
        let portion = portion::read(reader, table, &key, limit).await;
        let portion = portion.map_err(|source| CopyError::Read { table: table.table, source })?;
        let Some(portion) = portion else { return Ok(mark) };
        let rows = count(&portion);
        carried += rows;
        key.clone_from(&portion.last);
        let after = Mark { table: index, key: key.clone(), rows: carried, ..mark.clone() };
        carry(target, &portion, &mark, &after).await?;
        mark = after;
        told(Progress::Portion { table: table.table, rows });
    }
}

/// Writes a portion of a table and moves the mark on, both or neither, and once.
async fn carry(target: &Database, portion: &Portion, before: &Mark, after: &Mark) -> Result<(), CopyError> {
    let mut attempts = Attempts::default();
    loop {
        match carry_once(target, portion, before, after).await {
            Err(error) if attempts.allow(&error).await => {}
            settled => return settled,
        }
    }
}

async fn carry_once(
    target: &Database,
    portion: &Portion,
    before: &Mark,
    after: &Mark,
) -> Result<(), CopyError> {
    let mut transaction = target.begin().await.map_err(CopyError::Target)?;
    if !mark::is_due(&mut transaction, before, Some(after)).await? {
        return Ok(());
    }
    let table = TABLES[after.table];
    let written = transaction.insert_rows(table, &portion.rows).await;
    written.map_err(|source| CopyError::Write { table: table.table, source })?;
    after.store(&mut transaction).await.map_err(CopyError::Target)?;
    transaction.commit().await.map_err(CopyError::Target)
}

/// Takes the mark away.
async fn finish(target: &Database, mark: &Mark) -> Result<(), CopyError> {
    let mut attempts = Attempts::default();
    loop {
        match finish_once(target, mark).await {
            Err(error) if attempts.allow(&error).await => {}
            settled => return settled,
        }
    }
}

async fn finish_once(target: &Database, mark: &Mark) -> Result<(), CopyError> {
    let mut transaction = target.begin().await.map_err(CopyError::Target)?;
    if mark::is_due(&mut transaction, mark, None).await? {
        mark::forget(&mut transaction).await.map_err(CopyError::Target)?;
        transaction.commit().await.map_err(CopyError::Target)?;
    }
    Ok(())
}

/// The attempts at one step.
#[derive(Debug, Default)]
struct Attempts {
    failed: u32,
}

impl Attempts {
    /// Waits and says yes when the step may be tried again.
    async fn allow(&mut self, error: &CopyError) -> bool {
        self.failed += 1;
        if !error.is_passing() || self.failed >= MAX_ATTEMPTS {
            return false;
        }
        tokio::time::sleep(FIRST_PAUSE * 2_u32.saturating_pow(self.failed - 1)).await;
        true
    }
}

fn count(portion: &Portion) -> i64 {
    i64::try_from(portion.rows.len()).unwrap_or(i64::MAX)
}
