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

use super::super::Weakness;
use super::{Connection, Pool, classify};
use crate::StoreError;
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// `PRAGMA synchronous = FULL`, as a number. EXTRA is more.
const FULL: i64 = 2;

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
            StoreError::Conflict(_) | StoreError::Constraint { .. } => error,
            StoreError::Full(_) => {
                // On a small disk it may be the log itself that takes the room, though its pages were moved long ago.
                if connection.roll_back().is_ok() {
                    _ = connection.begin_log_anew();
                }
                error
            }
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

    /// Why the file may forget what it has answered. What the writer is doing goes on: asked while it is busy, it has nothing to
    /// say, for its settings are its own.
    pub(in super::super) fn weaknesses(&self) -> Result<Vec<Weakness>, StoreError> {
        let Ok(writer) = self.writer.try_lock() else { return Ok(Vec::new()) };
        let synchronous: i64 = writer.ask("PRAGMA synchronous", |row| row.get(0))?;
        let journal: String = writer.ask("PRAGMA journal_mode", |row| row.get(0))?;
        let mut found = Vec::new();
        if synchronous < FULL {
            found.push(Weakness {
                found: format!("synchronous is {synchronous}"),
                remedy: "this is a fault of the program or its build of SQLite; it must be 2 (FULL)",
            });
        }
        if journal != "wal" {
            found.push(Weakness {
                found: format!("journal_mode is {journal}"),
                remedy: "put the database on a local file system, where processes can share memory",
            });
        }
        Ok(found)
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

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::*;

    async fn pool(directory: &Path) -> Arc<Pool> {
        let path = directory.join("shop.sqlite");
        Arc::new(Pool::open(path.to_str().unwrap(), Options::default()).unwrap())
    }

    #[tokio::test]
    async fn a_writer_that_does_not_sync_is_a_weakness() {
        let place = tempfile::tempdir().unwrap();
        let pool = pool(place.path()).await;
        assert_eq!(pool.weaknesses().unwrap(), Vec::new());
        pool.writer.lock().await.raw.pragma_update(None, "synchronous", "normal").unwrap();
        assert_eq!(pool.weaknesses().unwrap()[0].found, "synchronous is 1");
        pool.writer.lock().await.raw.pragma_update(None, "synchronous", "extra").unwrap();
        assert_eq!(pool.weaknesses().unwrap(), Vec::new());
    }

    #[tokio::test]
    async fn a_file_without_a_log_is_a_weakness() {
        let place = tempfile::tempdir().unwrap();
        let pool = pool(place.path()).await;
        let mut writer = pool.writer.lock().await;
        // Its companion has the file open, too, so it must go first.
        writer.checkpointer = None;
        writer.raw.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).unwrap();
        drop(writer);
        assert_eq!(pool.weaknesses().unwrap()[0].found, "journal_mode is delete");
    }

    #[tokio::test]
    async fn a_file_that_was_replaced_is_not_written_to() {
        let place = tempfile::tempdir().unwrap();
        let pool = pool(place.path()).await;
        let (path, aside) = (place.path().join("shop.sqlite"), place.path().join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        assert!(matches!(pool.begin().await, Err(StoreError::Io(_))));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(pool.begin().await, Err(StoreError::Io(_))));
        assert!(matches!(pool.check_ground().await, Err(StoreError::Io(_))));
        std::fs::rename(&aside, &path).unwrap();
        pool.begin().await.unwrap().rollback().unwrap();
        pool.check_ground().await.unwrap();
    }

    #[tokio::test]
    async fn doubt_is_removed_by_a_commit_and_a_look_at_the_file() {
        let place = tempfile::tempdir().unwrap();
        let pool = pool(place.path()).await;
        pool.doubt.judge(&StoreError::Full("full".into()));
        assert!(!pool.doubt.is_cast());
        pool.doubt.judge(&StoreError::Io("failed".into()));
        pool.check_ground().await.unwrap();
        assert_eq!((pool.doubt.is_cast(), pool.times_mended()), (false, 1));
        let version: i64 = pool.writer.lock().await.ask("PRAGMA user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 1);
    }
}
