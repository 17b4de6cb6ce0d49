//! What is asked of a server, and said to it, when a connection has been opened.

use super::super::Options;
use super::super::dialect::RowSource;
use super::super::network::Role;
use super::errors::{Stage, classify};
use crate::StoreError;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Variables that tell what a server is, and those that only some servers know.
const ASKED: &str = "SHOW VARIABLES WHERE Variable_name IN ('version', 'read_only', 'super_read_only', \
     'innodb_read_only', 'max_allowed_packet', 'wait_timeout', 'wsrep_on', 'wsrep_sync_wait', \
     'innodb_lock_wait_timeout', 'lock_wait_timeout', 'idle_transaction_timeout', \
     'idle_write_transaction_timeout', 'max_statement_time', 'max_execution_time', 'lc_messages', \
     'sql_safe_updates', 'tidb_txn_mode', 'hostname', 'port')";

/// What the rules of SQL are. None of our SQL has a backslash or a double quote in it.
const SQL_MODE: &str = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// What stands in TiDB's version, before its own number.
const TIDB: &str = "-TiDB-";

/// What a server without an answer is taken to allow in a packet: MySQL's least sensible setting.
const SMALLEST_PACKET: usize = 1 << 20;

/// What a server has said about itself.
#[derive(Debug)]
pub(super) struct Server {
    variables: HashMap<String, String>,
}

impl Server {
    pub(super) async fn ask(conn: &mut Conn) -> Result<Self, StoreError> {
        let rows: Vec<mysql_async::Row> = conn.query(ASKED).await.map_err(refused)?;
        let variables = rows.into_iter().filter_map(|row| {
            let mut values = row.unwrap_raw().into_iter().map(|value| match value {
                Some(mysql_async::Value::Bytes(text)) => String::from_utf8(text).ok(),
                _ => None,
            });
            Some((values.next()??.to_ascii_lowercase(), values.next()??))
        });
        let server = Self { variables: variables.collect() };
        server.check_version()?;
        Ok(server)
    }

    fn is_mariadb(&self) -> bool {
        self.text("version").contains("MariaDB")
    }

    /// Speaks MySQL's language under a version number of its own.
    fn is_tidb(&self) -> bool {
        self.text("version").contains(TIDB)
    }

    /// How rows travel to it.
    pub(super) fn row_source(&self) -> RowSource {
        // TiDB lists JSON_TABLE among what it does not have.
        if self.is_tidb() { RowSource::Literals } else { RowSource::Json }
    }

    /// Whether it would refuse to write, as a replica does, or let those write whom it trusts with everything.
    pub(super) fn is_read_only(&self) -> bool {
        ["read_only", "super_read_only", "innodb_read_only"].iter().any(|name| self.is_on(name))
    }

    /// Which of several servers it is that one address may lead to.
    pub(super) fn identity(&self) -> String {
        format!("{}:{}", self.text("hostname"), self.text("port"))
    }

    pub(super) fn max_packet(&self) -> usize {
        self.text("max_allowed_packet").parse().unwrap_or(SMALLEST_PACKET)
    }

    fn is_on(&self, name: &str) -> bool {
        // MariaDB has further words for read_only, all of which allow less than the one before.
        !matches!(self.text(name), "" | "OFF" | "0")
    }

    fn text(&self, name: &str) -> &str {
        self.variables.get(name).map(String::as_str).unwrap_or_default()
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let version = self.text("version");
        let (version, least) = match version.split_once(TIDB) {
            // It knows the collation from then on. A build without a number is taken at its word.
            Some((_, own)) => match own.strip_prefix('v') {
                Some(number) => (number, (7, 4, 0)),
                None => return Ok(()),
            },
            None if self.is_mariadb() => (version, (10, 6, 0)),
            None => (version, (8, 0, 17)),
        };
        let number = version.split(|character: char| character != '.' && !character.is_ascii_digit()).next();
        let mut parts = number.unwrap_or_default().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let mut part = || parts.next().unwrap_or(0);
        if (part(), part(), part()) >= least {
            return Ok(());
        }
        Err(StoreError::unsupported(
            "the database server is too old: Stockroom needs MariaDB from 10.6, MySQL from 8.0.17 or TiDB \
             from 7.4 on",
        ))
    }

    /// How long a connection may be silent before the server closes it, once [`Server::prepare`] is done.
    pub(super) fn idle_limit(&self, role: Role, options: &Options) -> Duration {
        let own = self.text("wait_timeout").parse().map_or(Duration::MAX, Duration::from_secs);
        match role {
            Role::Writer if !self.knows_idle_transactions() => abandoned_after(options),
            Role::Writer | Role::Reader => own,
        }
    }

    fn knows_idle_transactions(&self) -> bool {
        self.variables.contains_key("idle_transaction_timeout")
    }

    /// Makes the session what the texts of Stockroom expect.
    pub(super) async fn prepare(
        &self,
        conn: &mut Conn,
        role: Role,
        options: &Options,
    ) -> Result<(), StoreError> {
        conn.query_drop(self.rules(role)).await.map_err(refused)?;
        let limits = self.limits(role, options);
        match conn.query_drop(limits).await {
            // Without its limits a session works as well; who hangs is given up by this side.
            Ok(()) | Err(Error::Server(_)) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    /// What must be so.
    fn rules(&self, role: Role) -> String {
        // The characters compare by code point, and a space at the end is a character like any other.
        let collation = if self.is_mariadb() { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" };
        // A writer is always in a transaction, which begins with its first statement: one question fewer to the server.
        let (access, autocommit) = match role {
            // TiDB documents one characteristic at a time, and that it does not heed this one.
            Role::Writer if self.is_tidb() => ("", 0),
            Role::Reader if self.is_tidb() => ("", 1),
            Role::Writer => (", READ WRITE", 0),
            Role::Reader => (", READ ONLY", 1),
        };
        // Where conflicts are only found when they are committed, locks would lock nothing. Not said to a server that
        // does so anyway: some allow nobody to set this.
        let is_optimistic = self.variables.get("tidb_txn_mode").is_some_and(|mode| mode != "pessimistic");
        let locking = if is_optimistic { ", tidb_txn_mode = 'pessimistic'" } else { "" };
        // A node of a cluster first takes in what the others have committed, and reads then.
        let patience = if self.is_on("wsrep_on") { ", wsrep_sync_wait = 1" } else { "" };
        format!(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED{access}; \
             SET autocommit = {autocommit}, sql_mode = '{SQL_MODE}', foreign_key_checks = 1, \
             character_set_client = utf8mb4, character_set_results = utf8mb4, collation_connection = {collation}{locking}{patience}"
        )
    }

    /// What protects this server and the other from each other, as far as it knows it.
    fn limits(&self, role: Role, options: &Options) -> String {
        let mut sql = String::from("SET ");
        let mut set = |name: &str, value: &str| {
            if self.variables.contains_key(name) {
                let separator = if sql.len() > 4 { ", " } else { "" };
                let _ = write!(sql, "{separator}{name} = {value}");
            }
        };
        let statement = options.statement_timeout;
        match role {
            Role::Writer => {
                let lock = whole_seconds(options.lock_timeout).to_string();
                set("innodb_lock_wait_timeout", &lock);
                set("lock_wait_timeout", &lock);
                // Whoever hangs in a transaction must not keep the others waiting for ever. MySQL only knows a limit
                // for silence of any kind.
                let idle = whole_seconds(abandoned_after(options)).to_string();
                set("idle_transaction_timeout", &idle);
                set("idle_write_transaction_timeout", &idle);
                if !self.knows_idle_transactions() {
                    set("wait_timeout", &idle);
                }
                set("max_statement_time", "0");
                set("max_execution_time", "0");
            }
            Role::Reader => {
                set("lock_wait_timeout", &whole_seconds(statement).to_string());
                set("max_statement_time", &format!("{:.3}", statement.as_secs_f64().max(0.001)));
                set("max_execution_time", &statement.as_millis().max(1).to_string());
            }
        }
        set("sql_safe_updates", "0");
        // The names of constraints are read out of messages.
        set("lc_messages", "'en_US'");
        sql
    }
}

/// How long a transaction may do nothing. Whoever reads from elsewhere in between may take as long as a statement takes.
fn abandoned_after(options: &Options) -> Duration {
    options.statement_timeout + Duration::from_secs(5)
}

fn whole_seconds(duration: Duration) -> u64 {
    (duration + Duration::from_millis(999)).as_secs().max(1)
}

fn refused(error: Error) -> StoreError {
    classify(error, Stage::Connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(variables: &[(&str, &str)]) -> Server {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Server { variables: owned.collect() }
    }

    #[test]
    fn a_server_is_told_what_it_knows() {
        let (lock_timeout, statement_timeout) = (Duration::from_millis(1500), Duration::from_secs(8));
        let options = Options { lock_timeout, statement_timeout, ..Options::default() };
        let mariadb = server(&[
            ("version", "10.11.19-MariaDB-0+deb12u1"),
            ("wait_timeout", "28800"),
            ("innodb_lock_wait_timeout", "50"),
            ("idle_transaction_timeout", "0"),
            ("max_statement_time", "0"),
            ("wsrep_on", "ON"),
            ("wsrep_sync_wait", "0"),
        ]);
        assert_eq!(
            mariadb.limits(Role::Writer, &options),
            "SET innodb_lock_wait_timeout = 2, idle_transaction_timeout = 13, max_statement_time = 0"
        );
        assert_eq!(mariadb.limits(Role::Reader, &options), "SET max_statement_time = 8.000");
        assert!(mariadb.rules(Role::Writer).ends_with(", wsrep_sync_wait = 1"));
        assert_eq!(mariadb.idle_limit(Role::Writer, &options), Duration::from_secs(28800));
        assert!(mariadb.rules(Role::Reader).contains("READ ONLY; SET autocommit = 1"));
        let mysql = server(&[("version", "8.0.19"), ("wait_timeout", "28800"), ("max_execution_time", "0")]);
        assert_eq!(mysql.limits(Role::Writer, &options), "SET wait_timeout = 13, max_execution_time = 0");
        assert_eq!(mysql.limits(Role::Reader, &options), "SET max_execution_time = 8000");
        assert_eq!(mysql.idle_limit(Role::Writer, &options), Duration::from_secs(13));
        assert!(mysql.rules(Role::Writer).ends_with("utf8mb4_0900_bin"));
        let tidb = |mode| server(&[("version", "8.0.11-TiDB-v8.5.0"), ("tidb_txn_mode", mode)]);
        assert!(tidb("").rules(Role::Writer).ends_with("utf8mb4_0900_bin, tidb_txn_mode = 'pessimistic'"));
        let tidb = tidb("pessimistic");
        for (role, autocommit) in [(Role::Writer, 0), (Role::Reader, 1)] {
            let begin = format!("LEVEL READ COMMITTED; SET autocommit = {autocommit},");
            assert!(tidb.rules(role).contains(&begin), "{}", tidb.rules(role));
            assert!(tidb.rules(role).ends_with("utf8mb4_0900_bin"));
        }
        let sources = [mariadb, mysql, tidb].map(|server| server.row_source());
        assert_eq!(sources, [RowSource::Json, RowSource::Json, RowSource::Literals]);
    }

    #[test]
    fn old_servers_are_told_so() {
        for (version, is_new) in [
            ("10.6.1-MariaDB", true),
            ("11.4.2-MariaDB-log", true),
            ("10.5.29-MariaDB", false),
            ("8.0.17", true),
            ("8.0.46-0ubuntu0.22.04.5", true),
            ("9.7.4-2", true),
            ("8.0.16", false),
            ("5.7.44-log", false),
            ("8.0.11-TiDB-v7.5.0", true),
            ("8.0.11-TiDB-v8.5.0-alpha-21-gabc", true),
            ("8.0.11-TiDB-None", true),
            ("5.7.25-TiDB-v7.1.5", false),
            ("", false),
        ] {
            assert_eq!(server(&[("version", version)]).check_version().is_ok(), is_new, "{version}");
        }
    }

    #[test]
    fn a_server_that_only_reads_is_recognised() {
        for (name, value, only_reads) in [
            ("read_only", "OFF", false),
            ("read_only", "ON", true),
            ("read_only", "NO_LOCK_NO_ADMIN", true),
            ("innodb_read_only", "ON", true),
            ("super_read_only", "0", false),
        ] {
            assert_eq!(server(&[(name, value)]).is_read_only(), only_reads, "{name} {value}");
        }
    }
}
