//! Where Stockroom keeps its records: the only crate in which SQL is written.
//!
//! [`Store::write`] carries a batch of commands out in one transaction; the reads fill plain views; [`copy`] moves a
//! whole shop to another database; [`driver`] is the narrow waist, the only module that names a database driver or a
//! dialect.

pub mod copy;
pub mod driver;
mod error;
mod flush;
mod job;
mod load;
#[cfg(test)]
mod plans;
mod reads;
mod rows;
mod tables;
mod verify;
mod views;
mod write;

pub use error::{Cause, StoreError, Violation};
pub use job::{ANSWER_LIFE_US, IdempotencyKey, Job, KeptAnswer, Verdict};
pub use views::*;

use driver::Database;

/// The stored shop.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// The store in an open, migrated database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}
