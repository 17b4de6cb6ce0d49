//! What an error of PostgreSQL means to the code above.

use crate::driver::network::Role;
use crate::{Cause, StoreError, Violation};
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

/// What the server said, as far as the log may know: not the values, which stand in the details, and in the message about
/// data that cannot be converted.
#[derive(Debug, thiserror::Error)]
#[error("{severity} {sqlstate}: {message}")]
struct Said {
    severity: String,
    sqlstate: String,
    message: String,
}

impl Said {
    fn cause(error: &DbError) -> Cause {
        let sqlstate = error.code().code().to_owned();
        let is_about_data = sqlstate.starts_with("22");
        let message = if is_about_data { "a value is not acceptable" } else { error.message() }.to_owned();
        Self { severity: error.severity().to_owned(), sqlstate, message }.into()
    }
}

/// The meaning of an error while a connection is opened. What another attempt cannot heal is
/// [`StoreError::Unsupported`].
pub(super) fn while_connecting(error: Error) -> StoreError {
    if let Some(said) = error.as_db_error() {
        return match said.code().code() {
            "28P01" | "28000" => StoreError::unsupported(
                "the PostgreSQL server does not let this user in: the name, the password, the database or the way \
                 of connecting (TLS) is not what its pg_hba.conf wants",
            ),
            "3D000" => StoreError::unsupported("the PostgreSQL server has no database of this name"),
            "42501" => StoreError::unsupported("this user may not connect to this PostgreSQL database"),
            _ => StoreError::ConnectionLost(Said::cause(said)),
        };
    }
    match (error.to_string().as_str(), tls_fault(&error)) {
        (_, Some(fault)) => {
            StoreError::unsupported(format!("TLS with the PostgreSQL server failed: {fault}"))
        }
        // A password is missing; the texts of this library hold no secret.
        ("invalid configuration" | "authentication error", _) => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            StoreError::unsupported(format!("one cannot log in to the PostgreSQL server: {why}"))
        }
        _ => StoreError::ConnectionLost(error.into()),
    }
}

/// Whether an error came of the server's way to speak TLS, or not to: another way might do.
pub(super) fn is_about_tls(error: &Error) -> bool {
    // What `pg_hba.conf` says about a connection depends on whether it is encrypted.
    error.code().is_some_and(|code| code.code() == "28000") || tls_fault(error).is_some()
}

/// What is wrong with the TLS of the server, unless it was only cut off.
fn tls_fault(error: &Error) -> Option<String> {
    if error.to_string() != "error performing TLS handshake" {
        return None;
    }
    let source = error.source()?;
    match source.downcast_ref::<std::io::Error>() {
        None => Some(source.to_string()),
        Some(failed) => {
            let fault = failed.get_ref().filter(|cause| cause.is::<rustls::Error>())?;
            Some(fault.to_string())
        }
    }
}

/// The meaning of an error of a statement.
pub(super) fn of_statement(error: Error, role: Role) -> StoreError {
    let Some(said) = error.as_db_error() else { return StoreError::ConnectionLost(error.into()) };
    let cause = Said::cause(said);
    if ends_session(said) {
        return StoreError::ConnectionLost(cause);
    }
    let state = said.code().code();
    match state {
        "40003" | "53300" => StoreError::ConnectionLost(cause),
        "57014" if role == Role::Reader => StoreError::TooSlow(cause),
        "57014" => StoreError::ConnectionLost(cause),
        // This is a standby, or has become one. On a connection for queries, somebody wrote where one only reads.
        "25006" if role == Role::Writer => StoreError::ConnectionLost(cause),
        _ if names_statement(said) => StoreError::Conflict(cause),
        // Two servers made the same table or schema at once: what the other has made is there now.
        "23505" if said.schema() == Some("pg_catalog") => StoreError::Conflict(cause),
        // Deadlock, failed serialization, a lock that was waited for too long, a snapshot that is too old.
        "40001" | "40P01" | "55P03" | "72000" => StoreError::Conflict(cause),
        "53100" => StoreError::Full(cause),
        "53000" | "53200" => StoreError::Io(cause),
        "XX001" | "XX002" => StoreError::Corrupt(cause),
        _ => match &state[..2] {
            "08" | "57" => StoreError::ConnectionLost(cause),
            "23" => StoreError::Constraint {
                violation: violation(state),
                detail: constraint_name(said),
                source: cause,
            },
            "58" => StoreError::Io(cause),
            _ => StoreError::Statement(cause),
        },
    }
}

/// The meaning of an error of COMMIT: anything that does not surely mean that nothing was stored, is a lost connection.
pub(super) fn of_commit(error: Error) -> StoreError {
    of_statement(error, Role::Writer)
}

/// Whether the server has hung up with this. What it had done by then, it did not say.
fn ends_session(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

/// Whether the fault lies with a prepared statement that the server has forgotten, gave to somebody else, or whose answer
/// has other columns since a migration. Prepared anew, it works.
fn names_statement(error: &DbError) -> bool {
    match error.code().code() {
        "26000" | "42P05" => true,
        "0A000" => {
            error.routine() == Some("RevalidateCachedQuery")
                || error.message().starts_with("cached plan must not")
        }
        _ => false,
    }
}

/// [`names_statement`] of any error.
pub(super) fn forgets_statements(error: &Error) -> bool {
    error.as_db_error().is_some_and(names_statement)
}

fn violation(state: &str) -> Violation {
    match state {
        "23505" => Violation::Unique,
        "23503" => Violation::ForeignKey,
        "23514" => Violation::Check,
        "23502" => Violation::NotNull,
        _ => Violation::Other,
    }
}

/// The name of the constraint. A primary key and NOT NULL, whose names nobody has chosen, are called after table and
/// columns, as on SQLite.
fn constraint_name(error: &DbError) -> String {
    match (error.constraint(), error.table()) {
        (Some(name), Some(table)) if name.ends_with("_pkey") => {
            let columns = error.detail().and_then(key_columns);
            columns.map_or_else(|| name.to_owned(), |columns| format!("{table}_{columns}"))
        }
        (Some(name), _) => name.to_owned(),
        (None, Some(table)) => match error.column() {
            Some(column) => format!("{table}_{column}"),
            None => table.to_owned(),
        },
        (None, None) => String::new(),
    }
}

/// `a_b` of `Key (a, b)=(1, 2) already exists.`, in whatever language that is.
fn key_columns(detail: &str) -> Option<String> {
    let (_, rest) = detail.split_once('(')?;
    let (columns, _) = rest.split_once(")=")?;
    Some(columns.replace(", ", "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_key_are_found() {
        assert_eq!(key_columns("Key (a, b)=(1, x)=(y) already exists.").as_deref(), Some("a_b"));
        assert_eq!(key_columns("Schlüssel »(id)=(7)« existiert bereits.").as_deref(), Some("id"));
        assert_eq!(key_columns("nothing of the kind"), None);
    }
}
