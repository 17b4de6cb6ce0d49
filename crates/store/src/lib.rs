//! Where Stockroom keeps its records: the only crate in which SQL is written.
//!
//! [`Store::write`] carries a batch of commands out in one transaction; the reads fill plain views; [`copy`] moves a
//! whole shop to another database; [`driver`] is the narrow waist, the only module that names a database driver or a
//! dialect.

mod api_keys;
mod audit;
mod catalogue;
pub mod copy;
pub mod driver;
mod error;
mod expiry;
mod filling;
mod flush;
mod fold;
mod gather;
mod holds;
mod job;
mod load;
mod marker;
#[cfg(test)]
mod plans;
mod reads;
mod refold;
mod rows;
mod sums;
mod tables;
mod touched;
mod verify;
mod views;
mod write;

pub use api_keys::digest_head;
pub use error::{Cause, StoreError, Violation};
pub use expiry::Waiting;
pub use filling::Filling;
pub use job::{ANSWER_LIFE_US, IdempotencyKey, Job, KeptAnswer, Verdict};
pub use touched::{Changes, Touched, Written};
pub use views::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use driver::Database;
use filling::Ordered;
use gather::Gather;
use marker::Markers;

/// The stored shop.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    markers: Arc<Markers>,
    retries: Arc<Retries>,
    sessions: Arc<Gather<Option<Session>>>,
    key_sessions: Arc<Gather<Option<KeySession>>>,
    /// The number of the next event as the latest batch of this store left it: another one is found where another
    /// server had its turn since.
    next_event: Arc<AtomicI64>,
    /// Whether the latest batch refused something for want of what expired orders might have held.
    was_refused: Arc<AtomicBool>,
    /// Of the store that fills a shop whose tables have no keys meanwhile; see [`filling`].
    ordered: Option<Arc<Ordered>>,
}

/// How often a batch had to be run again, by reason. Counted from the start of the process.
#[derive(Debug, Default)]
struct Retries {
    conflict: AtomicU64,
    lost: AtomicU64,
    resolved: AtomicU64,
}

/// What the writer has met so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Batches run again because another server was in the way (deadlock, failed serialization or certification).
    pub conflicts: u64,
    /// Batches run again because the connection was lost or the database away.
    pub lost_connections: u64,
    /// Commits whose outcome was unknown until their marker was found.
    pub found_committed: u64,
    /// How often the writer was opened anew because the disk under an embedded database had failed.
    pub mended: u64,
}

impl Store {
    /// The store in an open, migrated database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            markers: Arc::default(),
            retries: Arc::default(),
            sessions: Arc::default(),
            key_sessions: Arc::default(),
            next_event: Arc::default(),
            was_refused: Arc::default(),
            ordered: None,
        }
    }

    /// What the writer has met so far.
    #[must_use]
    pub fn writer_counts(&self) -> WriterCounts {
        let retries = &self.retries;
        WriterCounts {
            conflicts: retries.conflict.load(Ordering::Relaxed),
            lost_connections: retries.lost.load(Ordering::Relaxed),
            found_committed: retries.resolved.load(Ordering::Relaxed),
            mended: self.database.times_mended(),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}
