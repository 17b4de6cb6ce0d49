//! Copying the file while it is in use.
//!
//! The copy is of one moment: a snapshot is held from the first page to the last, which readers and the writer do not
//! notice. Without it SQLite would begin anew with each commit by somebody else, and never end under load. Meanwhile
//! the log cannot be begun anew, so it grows by what is written.

use super::{Connection, Pool, classify};
use crate::StoreError;
use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;
use std::time::{Duration, Instant};

/// Pages copied at a time: 1 MiB.
const STEP_PAGES: i32 = 256;

/// The longest pause between two steps.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Pool {
    /// Copies everything committed by now into a file that is empty, and tells of pages, done and all, on the way. The copy is
    /// not synced. Blocks.
    pub(in super::super) fn back_up(
        &self,
        target: &Path,
        mut told: impl FnMut(u64, u64),
    ) -> Result<(), StoreError> {
        self.home.check(&self.path)?;
        let source = Connection::open_reader(&self.path, &self.options)?;
        source.control("BEGIN DEFERRED")?;
        // The snapshot begins with the first look.
        source.ask("SELECT COUNT(*) FROM sqlite_schema", |_| Ok(()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = rusqlite::Connection::open_with_flags(target, flags).map_err(classify)?;
        // Whoever asked syncs the file when it is complete, and throws it away when it is not.
        copy.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(())).map_err(classify)?;
        copy.pragma_update(None, "synchronous", "off").map_err(classify)?;
        let backup = Backup::new(&source.raw, &mut copy).map_err(classify)?;
        loop {
            let began = Instant::now();
            match backup.step(STEP_PAGES).map_err(classify)? {
                StepResult::Done => break,
                StepResult::More => {}
                // Nobody else has the copy open, and nobody is in a reader's way.
                _ => return Err(StoreError::Conflict("the copy is locked".into())),
            }
            let progress = backup.progress();
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
            let all = count(progress.pagecount);
            told(all.saturating_sub(count(progress.remaining)), all);
            // As long as it took: half of what the disk can do is left to those who wait for answers.
            std::thread::sleep(began.elapsed().min(LONGEST_PAUSE));
        }
        drop(backup);
        copy.close().map_err(|(_, error)| classify(error))
    }
}

/// Makes one file of a database that nobody else uses: what its log holds is moved into it, and the log removed.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody uses it.
pub(in super::super) fn settle_file(path: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let raw = rusqlite::Connection::open_with_flags(path, flags).map_err(classify)?;
    raw.busy_timeout(LONGEST_PAUSE).map_err(classify)?;
    // Without this nobody else would be in the way.
    raw.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(())).map_err(classify)?;
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let mode = raw.pragma_update_and_check(None, "journal_mode", "delete", mode).map_err(classify)?;
    raw.close().map_err(|(_, error)| classify(error))?;
    if mode == "delete" { Ok(()) } else { Err(StoreError::Conflict("the file is in use".into())) }
}
