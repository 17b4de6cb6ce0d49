//! Why a copy did not come about.

use crate::{Discrepancy, StoreError};

/// A copy that was refused or failed. What the target holds by then stays there, marked as unfinished.
///
/// The sentences name no place: the caller knows which databases it named, and how to show them.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Source(#[source] StoreError),

    /// The target cannot be read or written.
    #[error("the target cannot be used")]
    Target(#[source] StoreError),

    /// Rows of a table cannot be read.
    #[error("the source's table {table} cannot be read")]
    Read {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },

    /// Rows of a table cannot be written.
    #[error("the rows of the table {table} cannot be written to the target")]
    Write {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },

    /// There is no shop in the source.
    #[error("the source holds no shop")]
    NoShop,

    /// The source is of an older version.
    #[error("the source lacks {missing} migrations; run `stockroom migrate` on it first")]
    Outdated {
        /// How many migrations it lacks.
        missing: usize,
    },

    /// The source is what another copy has left unfinished.
    #[error("the source is an unfinished copy itself; finish that one first")]
    SourceUnfinished,

    /// The source or the target is what an interrupted `generate` has left: tables without their keys, and rows missing.
    #[error(
        "the {0} is an unfinished shop of `stockroom generate`, which was interrupted: empty it and start over"
    )]
    HalfFilled(&'static str),

    /// There is something in the target already.
    #[error("the target is not empty: there is something in its table {table}; nothing was changed")]
    NotEmpty {
        /// One of the tables with rows.
        table: &'static str,
    },

    /// The target is a complete copy of this source in this state.
    #[error("the target holds this very shop already, and is complete")]
    Complete,

    /// There is an unfinished copy in the target that cannot be gone on with.
    #[error(
        "the target holds an unfinished copy of another shop, or of this one before it moved on; \
         empty it and begin again"
    )]
    OtherCopy,

    /// Somebody else has touched the record of the progress.
    #[error("somebody else is writing to the target: another copy, perhaps")]
    Overtaken,

    /// Somebody wrote to the source meanwhile.
    #[error(
        "somebody wrote to the source while it was being copied ({what}: {before} before, {after} now); \
         stop all of its servers, empty the target and begin again"
    )]
    SourceMoved {
        /// What shows it.
        what: String,
        /// Its value when the copy began.
        before: String,
        /// Its value in the end.
        after: String,
    },

    /// Something has not arrived as it was.
    #[error(
        "source and target differ ({what}: {source_value} in the source, {target_value} in the target); \
         empty the target and begin again"
    )]
    Differs {
        /// What differs.
        what: String,
        /// Its value in the source.
        source_value: String,
        /// Its value in the target.
        target_value: String,
    },

    /// The target does not add up, though everything has arrived.
    #[error("the target does not add up, differences found: {}", findings.len())]
    Unsound {
        /// What does not add up; never empty.
        findings: Vec<Discrepancy>,
    },
}

impl CopyError {
    /// Whether the same step may simply be tried again, now or on another connection.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Target(error) | Self::Write { source: error, .. } => {
                matches!(error, StoreError::Conflict(_) | StoreError::ConnectionLost(_))
            }
            _ => false,
        }
    }
}
