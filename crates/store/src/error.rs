//! What can go wrong between Stockroom and its database.

use std::error::Error;
use std::sync::Arc;

/// The error underneath, for the log alone: it may name SQL, columns or files.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// The kind of constraint that refused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Another row already has this value (UNIQUE or PRIMARY KEY).
    Unique,
    /// A row that is referred to does not exist, or is still referred to.
    ForeignKey,
    /// A CHECK says no: a rule of the domain was about to be broken.
    Check,
    /// A value is missing (NOT NULL).
    NotNull,
    /// A value has the wrong type, or some other constraint of the database.
    Other,
}

/// A failed access to the database.
///
/// What `Display` says never contains a parameter, a row or SQL; the chain of sources does say more and
/// belongs into the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was in the way (busy, deadlock, failed serialization). Nothing happened; the same work
    /// may be run again after a short pause.
    #[error("another transaction was in the way")]
    Conflict(#[source] Cause),

    /// A constraint refused the change, and the transaction must be rolled back.
    #[error("the change violates the constraint {detail:?}")]
    Constraint {
        /// What kind of constraint it was.
        violation: Violation,
        /// Its name. For a UNIQUE constraint that is `table_column` on every database
        /// (`users_username_key`, `products_sku`); empty when the database does not tell.
        detail: String,
        /// What the database said.
        #[source]
        source: Cause,
    },

    /// The connection broke. If this happened during a commit, its outcome is unknown.
    #[error("the connection to the database was lost")]
    ConnectionLost(#[source] Cause),

    /// The connection broke during a commit, or the disk failed, and whether that happened could not be found out in time.
    /// A repetition with the same idempotency key settles it.
    #[error("whether the change was stored could not be found out in time")]
    OutcomeUnknown(#[source] Cause),

    /// A query took longer than it may; nothing happened.
    #[error("a query took too long")]
    TooSlow(#[source] Cause),

    /// The disk, or what the database may use of it, is full.
    #[error("the database has no space left")]
    Full(#[source] Cause),

    /// The file is damaged or is not a database.
    #[error("the database is damaged or is not a database")]
    Corrupt(#[source] Cause),

    /// The file cannot be opened, read or written.
    #[error("the database cannot be read or written")]
    Io(#[source] Cause),

    /// This build, or the database, cannot do what was asked.
    #[error("{what}")]
    Unsupported {
        /// A whole sentence about what is not possible, and what would be.
        what: String,
    },

    /// A stored value is not what the code expects it to be.
    #[error("a stored value cannot be understood: {what}")]
    Decode {
        /// Which column, and what was expected; never the value.
        what: String,
    },

    /// The schema cannot be brought to the version this program needs.
    #[error("the schema cannot be migrated: {what}")]
    Migration {
        /// What is wrong, and what to do.
        what: String,
        /// What the database said, if it was the one to refuse.
        #[source]
        source: Option<Cause>,
    },

    /// The code asked for something that makes no sense: a fault of ours.
    #[error("the database was asked for something that makes no sense: {what}")]
    Misuse {
        /// What is wrong with the request.
        what: String,
    },

    /// What went wrong for several who had asked together.
    #[error(transparent)]
    Shared(Arc<StoreError>),

    /// The database refused a statement for a reason that none of the others describes: a fault of ours.
    #[error("the database refused a statement")]
    Statement(#[source] Cause),
}

impl StoreError {
    /// Whether the same work may simply be run again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// The name of the UNIQUE constraint that was violated, if that is what happened.
    #[must_use]
    pub fn duplicate(&self) -> Option<&str> {
        match self {
            Self::Constraint { violation: Violation::Unique, detail, .. } => Some(detail),
            _ => None,
        }
    }

    /// Whether trying again later may help, without anybody changing the program or the data.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Conflict(_)
            | Self::ConnectionLost(_)
            | Self::OutcomeUnknown(_)
            | Self::TooSlow(_)
            | Self::Full(_)
            | Self::Io(_) => true,
            Self::Shared(error) => error.is_outage(),
            _ => false,
        }
    }

    /// Whether the disk did not do what it was asked to: it failed, is full or has lost something.
    #[must_use]
    pub fn is_of_storage(&self) -> bool {
        match self {
            Self::Io(_) | Self::Full(_) | Self::Corrupt(_) => true,
            Self::Shared(error) => error.is_of_storage(),
            _ => false,
        }
    }

    pub(crate) fn decode(what: impl Into<String>) -> Self {
        Self::Decode { what: what.into() }
    }

    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self::Misuse { what: what.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}
