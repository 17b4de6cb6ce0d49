//! What an error of the server or of the driver means to the code above.

use super::super::network::Role;
use crate::{Cause, StoreError, Violation};
use mysql_async::{DriverError, Error, IoError, ServerError};

/// What the server said, as far as the log may know: not the values.
#[derive(Debug, thiserror::Error)]
#[error("ERROR {code} ({state}): {message}")]
struct Said {
    code: u16,
    state: String,
    message: String,
}

impl Said {
    fn cause(error: ServerError) -> Cause {
        let ServerError { code, message, state } = error;
        let message = match code {
            1062 | 1586 => {
                let key = last_quoted(&message).unwrap_or_default();
                format!("Duplicate entry for key '{key}'")
            }
            // Quoted in these are values, or SQL with values in it.
            1064 | 1292 | 1366 | 1411 | 1525 | 1690 | 3140 | 3141 => {
                message.split_once('\'').map_or(message.as_str(), |(before, _)| before).trim_end().to_owned()
            }
            _ => message,
        };
        Self { code, state, message }.into()
    }
}

/// What was under way when an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    /// A statement on a connection of this role.
    Statement(Role),
    Commit,
}

/// What an error means at its stage.
pub(super) fn classify(error: Error, stage: Stage) -> StoreError {
    match error {
        Error::Server(error) if stage == Stage::Commit => of_commit(error),
        Error::Server(error) => of_server(error, stage),
        Error::Io(error) => of_transport(error),
        Error::Driver(error) => of_driver(error),
        other => StoreError::Statement(other.into()),
    }
}

/// A COMMIT that failed: only a transaction that was in somebody's way was certainly rolled back. A node of a cluster
/// says so when the others had something earlier.
fn of_commit(error: ServerError) -> StoreError {
    match error.code {
        DEADLOCK | GROUP_ROLLED_BACK => StoreError::Conflict(Said::cause(error)),
        _ => StoreError::ConnectionLost(Said::cause(error)),
    }
}

const DEADLOCK: u16 = 1213;
/// MySQL's group replication: certification failed.
const GROUP_ROLLED_BACK: u16 = 3101;

/// Whether the server has lost a prepared statement: whoever runs the work again prepares it anew.
pub(super) fn is_stale_statement(error: &Error) -> bool {
    matches!(error, Error::Server(error) if matches!(error.code, 1243 | 1615))
}

fn of_server(error: ServerError, stage: Stage) -> StoreError {
    let ServerError { code, message, .. } = &error;
    let constraint =
        |violation, detail: Option<&str>| (violation, detail.map(str::to_owned).unwrap_or_default());
    let (violation, detail) = match *code {
        1022 | 1062 | 1586 => constraint(Violation::Unique, last_quoted(message).map(without_table)),
        1216 | 1217 | 1451 | 1452 | 1761 | 1762 => {
            constraint(Violation::ForeignKey, between(message, "CONSTRAINT `", "`"))
        }
        // MySQL and MariaDB.
        3819 => constraint(Violation::Check, first_quoted(message)),
        4025 => constraint(Violation::Check, between(message, "CONSTRAINT `", "`").map(without_table)),
        1048 | 1364 => constraint(Violation::NotNull, first_quoted(message)),
        // Out of range, cut off, not of this type or character set, too long.
        1264 | 1265 | 1292 | 1366 | 1406 => constraint(Violation::Other, None),
        _ => return of_condition(error, stage),
    };
    StoreError::Constraint { violation, detail, source: Said::cause(error) }
}

/// Errors that are about the state of the server rather than about a value.
fn of_condition(error: ServerError, stage: Stage) -> StoreError {
    let code = error.code;
    let is_full = error.message.contains("No space left") || error.message.contains("rror 28 ");
    let cause = Said::cause(error);
    match code {
        1021 | 1114 => StoreError::Full(cause),
        1026 | 1030 if is_full => StoreError::Full(cause),
        // Deadlock, certification, changed record, lock wait, interrupted, definition of a table changed. Stale
        // statements. An engine that gives up, as in a cluster. The last five are TiDB's.
        DEADLOCK | GROUP_ROLLED_BACK | 1020 | 1205 | 1317 | 1412 | 1689 | 1243 | 1615 | 1180 | 1181
        | 8002 | 8005 | 8022 | 8028 | 9007 => StoreError::Conflict(cause),
        1034 | 1035 | 1194 | 1195 | 1712 => StoreError::Corrupt(cause),
        // Too many connections, shutting down, killed, timed out, offline, not (or no longer) part of its cluster.
        1040
        | 1042
        | 1043
        | 1047
        | 1053
        | 1077
        | 1079
        | 1080
        | 1129
        | 1135
        | 1152
        | 1156..=1161
        | 1184
        | 1203
        | 1226
        | 1927
        | 2006
        | 2013
        | 3032
        | 3100
        | 3168
        | 3169
        | 4031
        | 9001..=9005 => StoreError::ConnectionLost(cause),
        1969 | 3024 if stage == Stage::Statement(Role::Reader) => StoreError::TooSlow(cause),
        1969 | 3024 => StoreError::ConnectionLost(cause),
        // A server that only reads is asked by mistake: another one is to be written to.
        1290 | 1836 => StoreError::ConnectionLost(cause),
        1792 if stage != Stage::Statement(Role::Reader) => StoreError::ConnectionLost(cause),
        1044 | 1045 | 1049 | 1130 | 1193 | 1231 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159
        | 3955 | 4151
            if stage == Stage::Connect =>
        {
            StoreError::unsupported(refusal(code))
        }
        1665 => StoreError::unsupported(
            "the database writes its binary log statement by statement, which Stockroom's transactions do not \
             allow: set binlog_format to ROW or MIXED",
        ),
        // Too large a packet (1153, 1301) is among them: a smaller batch may fit.
        _ => StoreError::Statement(cause),
    }
}

/// Why a server does not let anybody in who comes with this URL.
fn refusal(code: u16) -> &'static str {
    match code {
        1049 => "there is no database with the name in the database URL: create it first",
        1044 => "the user in the database URL may not use the database that it names",
        1130 => "the database server does not let this machine in",
        1820 | 1862 => "the password in the database URL has expired",
        3118 | 3955 | 4151 => "the account in the database URL is locked",
        3159 => "the database server demands an encrypted connection: ssl-mode must not be DISABLED",
        1193 | 1231 => "the database server does not know a setting that Stockroom needs",
        1251 | 1275 | 1524 => "the account in the database URL logs in by a method that is not supported",
        _ => "the database server does not accept the user and password in the database URL",
    }
}

fn of_transport(error: IoError) -> StoreError {
    let IoError::Io(error) = error else {
        return StoreError::unsupported(
            "the file named by ssl-ca in the database URL holds no usable certificate",
        );
    };
    match certificate_error(&error) {
        Some(what) => {
            StoreError::unsupported(format!("the certificate of the database server is not accepted: {what}"))
        }
        None => StoreError::ConnectionLost(error.into()),
    }
}

/// What TLS found wrong with a certificate.
pub(super) fn certificate_error(error: &std::io::Error) -> Option<&rustls::CertificateError> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(what) => Some(what),
        _ => None,
    }
}

fn of_driver(error: DriverError) -> StoreError {
    match error {
        DriverError::ConnectionClosed
        | DriverError::PacketOutOfOrder
        | DriverError::UnexpectedPacket { .. }
        | DriverError::PacketTooLarge => StoreError::ConnectionLost(error.into()),
        DriverError::NoClientSslFlagFromServer => {
            StoreError::unsupported("the database server cannot encrypt connections, which ssl-mode demands")
        }
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::MysqlOldPasswordDisabled
        | DriverError::CleartextPluginDisabled => StoreError::unsupported(refusal(1251)),
        other => StoreError::Statement(other.into()),
    }
}

/// Whether a statement of a migration failed because an interrupted attempt had carried it out already: what it would
/// create is there, or what it would remove is not.
pub(in super::super) fn is_done_already(error: &StoreError) -> bool {
    let (StoreError::Statement(cause) | StoreError::Constraint { source: cause, .. }) = error else {
        return false;
    };
    cause
        .downcast_ref::<Said>()
        .is_some_and(|said| matches!(said.code, 1050 | 1060 | 1061 | 1062 | 1091 | 1826))
}

/// The last of the words in `'…'`: a message may begin with a value that has quotes itself.
fn last_quoted(message: &str) -> Option<&str> {
    let (rest, _) = message.rsplit_once('\'')?;
    rest.rsplit_once('\'').map(|(_, word)| word)
}

fn first_quoted(message: &str) -> Option<&str> {
    between(message, "'", "'")
}

fn between<'a>(message: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    rest.split_once(after).map(|(word, _)| word)
}

/// MySQL says `users.users_email`, MariaDB `users_email`.
fn without_table(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Error {
        Error::Server(ServerError { code, message: message.to_owned(), state: "HY000".to_owned() })
    }

    const WRITER: Stage = Stage::Statement(Role::Writer);
    const READER: Stage = Stage::Statement(Role::Reader);

    #[test]
    fn constraints_are_told_apart_by_name() {
        use Violation::{Check, ForeignKey, NotNull, Other, Unique};
        let key = "Cannot add or update a child row: a foreign key constraint fails (`s`.`stock_levels`, CONSTRAINT \
                   `stock_levels_product` FOREIGN KEY (`product_id`) REFERENCES `products` (`id`))";
        for (code, message, violation, name) in [
            (1062, "Duplicate entry 'x' for key 'users_email'", Unique, "users_email"),
            (1062, "Duplicate entry 'it's for key 'a'' for key 'users.users_email'", Unique, "users_email"),
            (1062, "Duplicate entry '1-1' for key 'toys.PRIMARY'", Unique, "PRIMARY"),
            (1452, key, ForeignKey, "stock_levels_product"),
            (1216, "Cannot add or update a child row: a foreign key constraint fails", ForeignKey, ""),
            (3819, "Check constraint 'toys_n' is violated.", Check, "toys_n"),
            (4025, "CONSTRAINT `toys_n` failed for `d`.`toys`", Check, "toys_n"),
            (4025, "CONSTRAINT `toys.n` failed for `d`.`toys`", Check, "n"),
            (1048, "Column 'n' cannot be null", NotNull, "n"),
            (1364, "Field 'b' doesn't have a default value", NotNull, "b"),
            (1406, "Data too long for column 'sku' at row 1", Other, ""),
        ] {
            let StoreError::Constraint { violation: found, detail, .. } =
                classify(server(code, message), WRITER)
            else {
                panic!("{message}")
            };
            assert_eq!((found, detail.as_str()), (violation, name), "{message}");
        }
    }

    #[test]
    fn the_log_does_not_learn_the_values() {
        for (code, message) in [
            (1062, "Duplicate entry 'secret' for key 'users_email'"),
            (1366, "Incorrect string value: 'secret' for column `d`.`t`.`c` at row 1"),
            (1064, "You have an error in your SQL syntax near 'secret' at line 1"),
            (1690, "BIGINT value is out of range in 'secret'"),
        ] {
            let error = classify(server(code, message), WRITER);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            assert!(format!("{error:?}").contains(&code.to_string()), "{error:?}");
        }
    }

    #[test]
    fn conditions_are_sorted_by_what_helps() {
        for code in [1213, 1205, 1020, 1317, 1615, 1243, 1180] {
            assert!(matches!(classify(server(code, ""), WRITER), StoreError::Conflict(_)), "{code}");
        }
        for code in [1040, 1047, 1053, 1158, 1161, 1290, 1792, 1836, 1927, 2006, 2013, 4031] {
            assert!(matches!(classify(server(code, ""), WRITER), StoreError::ConnectionLost(_)), "{code}");
        }
        for code in [1044, 1045, 1049, 1698] {
            let error = classify(server(code, "Access denied for user 'secret'@'h'"), Stage::Connect);
            assert!(matches!(error, StoreError::Unsupported { .. }), "{code}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert!(matches!(classify(server(1114, ""), WRITER), StoreError::Full(_)));
        let full = server(1030, "Got error 28 \"No space left on device\" from storage engine InnoDB");
        assert!(matches!(classify(full, WRITER), StoreError::Full(_)));
        assert!(matches!(classify(server(1153, ""), WRITER), StoreError::Statement(_)));
        assert!(matches!(classify(server(1792, ""), READER), StoreError::Statement(_)));
        assert!(matches!(classify(server(1064, ""), READER), StoreError::Statement(_)));
        assert!(classify(server(1665, ""), WRITER).to_string().contains("binlog_format"));
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(matches!(classify(broken.into(), WRITER), StoreError::ConnectionLost(_)));
    }

    #[test]
    fn a_commit_failed_for_certain_or_nobody_knows() {
        for (code, is_certain) in [(1213, true), (3101, true), (1180, false), (1205, false), (1047, false)] {
            let error = classify(server(code, ""), Stage::Commit);
            assert_eq!(matches!(error, StoreError::Conflict(_)), is_certain, "{code}");
            assert_eq!(matches!(error, StoreError::ConnectionLost(_)), !is_certain, "{code}");
        }
    }

    #[test]
    fn what_an_interrupted_migration_has_done_is_recognised() {
        for code in [1050, 1060, 1061, 1062, 1091, 1826] {
            assert!(is_done_already(&classify(server(code, ""), WRITER)), "{code}");
        }
        for code in [1064, 1142, 1146, 1213] {
            assert!(!is_done_already(&classify(server(code, ""), WRITER)), "{code}");
        }
    }
}
