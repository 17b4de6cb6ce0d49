//! A disk that fails: what a failed write or sync means, and how the writer gets back on firm ground.
//!
//! A commit appends pages to the log, the last one with the mark that completes it, and syncs. When that fails, SQLite
//! takes the commit back for everybody who has the file open; but the pages may lie in the log, in the cache of the system
//! or on the disk, and whoever opens the file after a crash would find them and take them for a commit. What is
//! more, after a failed sync the system may hold those pages for written although they are not: to sync once more
//! proves nothing, and what is appended behind them is lost with them in a power cut.
//!
//! So nothing is synced a second time. The connection is given up, another one is opened, and the first thing it does is
//! a commit of its own. It takes the place of the one that failed: each page of the log carries a sum over all before it, so
//! what is left behind the new one counts no more, and all that counts has been written and synced anew. Once that
//! has worked, the failed commit is known not to have happened, now or later. As long as it does not work, its
//! outcome is unknown: only who repeats it with its key learns it. Then the file is looked through, for a disk that did not take a
//! write may have lost others.
//!
//! Nobody may close the last connection in between: the next one to be opened would look for commits in the log. The
//! old one is therefore closed after the new one is open.

use super::{Connection, Pool, classify};
use crate::StoreError;
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long another process that writes is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the disk under the writer has failed since it was opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cast: AtomicBool,
    mended: AtomicU64,
}

impl Doubt {
    /// Casts doubt when the error tells of a disk that fails. One that is full has said so, and has taken nothing.
    pub(super) fn judge(&self, error: &StoreError) {
        if matches!(error, StoreError::Io(_) | StoreError::Corrupt(_)) {
            self.cast();
        }
    }

    fn cast(&self) {
        self.0.cast.store(true, Ordering::Release);
    }

    pub(super) fn is_cast(&self) -> bool {
        self.0.cast.load(Ordering::Acquire)
    }

    /// How often the writer was opened anew because of it.
    pub(super) fn times_mended(&self) -> u64 {
        self.0.mended.load(Ordering::Relaxed)
    }
}

impl Pool {
    /// What a failed COMMIT has come to.
    ///
    /// It is [`StoreError::OutcomeUnknown`] as long as the next start might find it in the log.
    pub(super) fn judge_commit(&self, connection: &mut Connection, error: StoreError) -> StoreError {
        match error {
            // Nothing is complete in the log: a lock or a rule was in the way, or the last page found no room.
            StoreError::Conflict(_) | StoreError::Constraint { .. } | StoreError::Full(_) => error,
            error => {
                self.doubt.cast();
                match self.mend(connection) {
                    Ok(()) => error,
                    Err(_) => StoreError::OutcomeUnknown(error.into()),
                }
            }
        }
    }

    /// Opens the writer anew, makes sure that what failed does not come back, and looks whether the file is whole.
    pub(super) fn mend(&self, connection: &mut Connection) -> Result<(), StoreError> {
        // The new connection may find fault while this goes on.
        self.doubt.0.cast.store(false, Ordering::Release);
        let mended = self.home.check(&self.path).and_then(|()| {
            *connection = Connection::open_writer(&self.path, &self.options, &self.doubt)?;
            connection.overwrite()?;
            connection.look_through()
        });
        if mended.is_err() {
            self.doubt.cast();
            return mended;
        }
        // What they have read into memory is from before.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.doubt.0.mended.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How often the writer was opened anew because the disk had failed.
    pub(in super::super) fn times_mended(&self) -> u64 {
        self.doubt.times_mended()
    }

    /// Whether the writer stands on firm ground, and if not, whether that can be helped now.
    pub(in super::super) async fn check_ground(self: &Arc<Self>) -> Result<(), StoreError> {
        self.home.check(&self.path)?;
        if self.doubt.is_cast() {
            // Beginning mends.
            self.begin().await?.rollback()?;
        }
        Ok(())
    }
}

impl Connection {
    /// Commits something, so that a failed commit at the end of the log is overwritten. The version of the file is a number
    /// that SQLite keeps for its users, and nobody uses here.
    fn overwrite(&self) -> Result<(), StoreError> {
        let version: i32 = self.ask("PRAGMA user_version", |row| row.get(0))?;
        let version = version.checked_add(1).unwrap_or(1);
        let raw = &self.raw;
        raw.busy_timeout(LOCK_PATIENCE).map_err(classify)?;
        let begun = self.control("BEGIN IMMEDIATE");
        // As `open_writer` has it.
        raw.busy_timeout(Duration::ZERO).map_err(classify)?;
        begun?;
        let done = raw.pragma_update(None, "user_version", version).map_err(classify);
        let done = self.noting(done).and_then(|()| self.control("COMMIT"));
        if done.is_err() {
            self.roll_back()?;
        }
        done
    }

    /// Whether all pages of the file are what they should be. Reads all of them.
    pub(super) fn look_through(&self) -> Result<(), StoreError> {
        let finding: String = self.ask("PRAGMA quick_check(1)", |row| row.get(0))?;
        if finding == "ok" { Ok(()) } else { self.noting(Err(StoreError::Corrupt(finding.into()))) }
    }
}

/// Which file it is that was opened. What a server writes into a file that was since moved or replaced is lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Home(Option<(u64, u64)>);

impl Home {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let found = std::fs::metadata(path).map_err(|error| StoreError::Io(error.into()))?;
        Ok(Self(identity(&found)))
    }

    /// Whether it is still there.
    pub(super) fn check(&self, path: &Path) -> Result<(), StoreError> {
        if Self::of(path)? == *self {
            return Ok(());
        }
        Err(StoreError::Io("the file of the database was moved or replaced while it was in use".into()))
    }
}

#[cfg(unix)]
fn identity(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Makes the names in the directory of a file durable.
pub(in super::super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let synced = if cfg!(unix) { File::open(directory).and_then(|it| it.sync_all()) } else { Ok(()) };
    synced.map_err(|error| StoreError::Io(error.into()))
}
