//! How a writer finds out what became of a batch when its connection was lost during COMMIT.
//!
//! Each batch leaves its number in a row that belongs to its writer alone. Whoever looks for it takes the lock on the
//! counters first, as every batch does: once that is granted, the lost transaction has ended, one way or the other, and
//! cannot be committed any more. A table of markers has one row for each process that ever wrote; they are never removed.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::StoreError;
use crate::driver::{Row, Rows, Sets, Transaction};
use crate::tables::UPSERT_BATCHES;

/// Finds the number of the batch that a writer committed last.
pub(crate) const COMMITTED: &str = "SELECT b.sequence FROM batches b WHERE b.id = ?";

/// Which batch of which writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The writer: a random number, never negative.
    pub(crate) id: i64,
    /// Its batches are counted from 1.
    pub(crate) sequence: i64,
}

impl Marker {
    /// Whether the answer to [`COMMITTED`] says that this batch was committed.
    pub(crate) fn is_in(self, found: &[Row]) -> Result<bool, StoreError> {
        Ok(match found.first() {
            Some(row) => row.int(0)? == self.sequence,
            None => false,
        })
    }

    /// Has the batch leave its marker behind.
    pub(crate) fn leave(self, sets: &mut Sets, at_us: i64) {
        let mut rows = Rows::new();
        rows.push([self.id.into(), self.sequence.into(), at_us.into()]);
        sets.upsert(&UPSERT_BATCHES, rows);
    }

    /// Leaves the marker of a batch that was found committed once more, so that there is something to commit. `nth` is
    /// another one each time: MySQL does not store what was there already.
    pub(crate) async fn confirm(self, transaction: &mut Transaction, nth: i64) -> Result<(), StoreError> {
        let mut sets = Sets::new();
        self.leave(&mut sets, nth);
        transaction.write(&sets).await
    }
}

/// The markers that are free. A writer has one for as long as it works on a batch, so that two that work at the same
/// time never overwrite each other's number.
#[derive(Debug, Default)]
pub(crate) struct Markers(Mutex<Vec<Marker>>);

impl Markers {
    /// A marker with a number that was never used.
    pub(crate) fn take(&self) -> Marker {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Marker { id, sequence } = free.unwrap_or_else(|| Marker { id: random_id(), sequence: 0 });
        Marker { id, sequence: sequence + 1 }
    }

    /// Gives a marker back, whose batch is settled.
    pub(crate) fn give_back(&self, marker: Marker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(marker);
    }
}

/// The keys of a `RandomState` come from the system's random numbers.
fn random_id() -> i64 {
    i64::try_from(RandomState::new().hash_one("marker") >> 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_batches_have_one_number() {
        let markers = Markers::default();
        let (first, beside) = (markers.take(), markers.take());
        assert_ne!(first.id, beside.id);
        markers.give_back(first);
        let next = markers.take();
        assert_eq!((next.id, next.sequence), (first.id, first.sequence + 1));
        assert!(first.id >= 0 && beside.id >= 0);
    }
}
