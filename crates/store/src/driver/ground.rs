//! What a database stands on: whether what it has answered is on a disk.
//!
//! The settings that decide it can be turned off, for speed; then an answered order is gone after a power cut. They are
//! asked for, not set: they belong to whoever runs the database.

use super::{Database, Dialect, Pool, Row};
use crate::StoreError;
use std::collections::HashMap;
use std::fmt;

/// Why a database may forget what it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// What is so, by the name of the setting.
    pub found: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Weakness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.found, self.remedy)
    }
}

/// Servers that speak the language of PostgreSQL and have none of these are taken at their word.
const POSTGRES: &str = "SELECT s.name, s.setting FROM pg_settings s WHERE s.name IN \
     ('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names')";

/// The sessions of this program have no settings of their own among these.
const MYSQL: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', \
     'innodb_doublewrite', 'innodb_flush_method', 'debug_no_sync', 'log_bin', 'sync_binlog')";

impl Database {
    /// Why the database may forget what it has answered; empty when it keeps that through a power cut.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn weaknesses(&self) -> Result<Vec<Weakness>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                return match &self.pool {
                    Pool::Sqlite(pool) => pool.weaknesses(),
                    Pool::Postgres(_) | Pool::MySql(_) => Ok(Vec::new()),
                };
            }
            Dialect::Postgres => POSTGRES,
            Dialect::MySql => MYSQL,
        };
        let rows = self.reader().await?.query(sql, &[]).await?;
        let settings = Settings::read(rows)?;
        Ok(if self.dialect() == Dialect::Postgres { settings.of_postgres() } else { settings.of_mysql() })
    }
}

/// What a server says about itself, in lower case.
#[derive(Debug, Default)]
struct Settings(HashMap<String, String>);

impl Settings {
    fn read(rows: Vec<Row>) -> Result<Self, StoreError> {
        let pair =
            |row: Row| Ok((row.as_text(0)?.to_ascii_lowercase(), row.as_text(1)?.to_ascii_lowercase()));
        rows.into_iter().map(pair).collect::<Result<_, StoreError>>().map(Self)
    }

    /// A setting with one of these values is a weakness.
    fn weak(&self, name: &str, values: &[&str], remedy: &'static str) -> Option<Weakness> {
        let value = self.0.get(name).filter(|value| values.contains(&value.as_str()))?;
        Some(Weakness { found: format!("{name} is {value}"), remedy })
    }

    fn is(&self, name: &str, values: &[&str]) -> bool {
        self.0.get(name).is_some_and(|value| values.contains(&value.as_str()))
    }

    fn of_postgres(&self) -> Vec<Weakness> {
        let has_standby = self.0.get("synchronous_standby_names").is_some_and(|names| !names.is_empty());
        // Without a standby to wait for, all but `off` are the same.
        let weak: &[&str] = if has_standby { &["off", "local", "remote_write"] } else { &["off"] };
        let found = [
            self.weak("fsync", &["off"], "set fsync = on in postgresql.conf and reload it"),
            self.weak(
                "full_page_writes",
                &["off"],
                "set full_page_writes = on in postgresql.conf and reload it",
            ),
            self.weak(
                "synchronous_commit",
                weak,
                "set synchronous_commit = on in postgresql.conf (or ALTER ROLE … SET, ALTER DATABASE … SET, where it was \
                 lowered)",
            ),
        ];
        found.into_iter().flatten().collect()
    }

    fn of_mysql(&self) -> Vec<Weakness> {
        let found = [
            self.weak(
                "innodb_flush_log_at_trx_commit",
                &["0", "2"],
                "SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in the server's configuration",
            ),
            self.weak(
                "innodb_doublewrite",
                &["off", "0", "detect_only"],
                "set innodb_doublewrite = ON in the server's configuration and restart it",
            ),
            self.weak(
                "innodb_flush_method",
                &["nosync", "littlesync"],
                "remove innodb_flush_method from the server's configuration and restart it",
            ),
            self.weak("debug_no_sync", &["on", "1"], "SET GLOBAL debug_no_sync = OFF"),
        ];
        let mut found: Vec<Weakness> = found.into_iter().flatten().collect();
        // A server that finds a transaction missing in its binary log takes it back when it recovers.
        if self.is("log_bin", &["on", "1"]) && !self.is("sync_binlog", &["1"]) {
            let value = self.0.get("sync_binlog").map_or("unknown", String::as_str);
            found.push(Weakness {
                found: format!("log_bin is on and sync_binlog is {value}"),
                remedy: "SET GLOBAL sync_binlog = 1, and in the server's configuration",
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn found(weaknesses: &[Weakness]) -> Vec<&str> {
        weaknesses.iter().map(|weakness| weakness.found.as_str()).collect()
    }

    #[test]
    fn what_postgres_may_have_and_what_it_may_not() {
        let sound = [
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("synchronous_standby_names", ""),
        ];
        for (name, value, standby, weak) in [
            ("fsync", "on", "", false),
            ("fsync", "off", "", true),
            ("full_page_writes", "off", "", true),
            ("synchronous_commit", "off", "", true),
            ("synchronous_commit", "local", "", false),
            ("synchronous_commit", "local", "*", true),
            ("synchronous_commit", "remote_write", "*", true),
            ("synchronous_commit", "remote_apply", "*", false),
        ] {
            let mut settings = settings(&sound);
            settings.0.insert("synchronous_standby_names".to_owned(), standby.to_owned());
            settings.0.insert(name.to_owned(), value.to_owned());
            let wanted = format!("{name} is {value}");
            let wanted = if weak { vec![wanted.as_str()] } else { Vec::new() };
            assert_eq!(found(&settings.of_postgres()), wanted);
        }
        assert_eq!(settings(&[]).of_postgres(), Vec::new());
    }

    #[test]
    fn what_mysql_may_have_and_what_it_may_not() {
        let sound = [
            ("innodb_flush_log_at_trx_commit", "1"),
            ("innodb_doublewrite", "on"),
            ("innodb_flush_method", "o_direct"),
            ("log_bin", "off"),
            ("sync_binlog", "0"),
        ];
        for (name, value, wanted) in [
            ("log_bin", "off", None),
            ("log_bin", "on", Some("log_bin is on and sync_binlog is 0")),
            ("innodb_flush_log_at_trx_commit", "0", Some("innodb_flush_log_at_trx_commit is 0")),
            ("innodb_flush_log_at_trx_commit", "2", Some("innodb_flush_log_at_trx_commit is 2")),
            // Of MariaDB: as 1, and sync once more.
            ("innodb_flush_log_at_trx_commit", "3", None),
            ("innodb_doublewrite", "off", Some("innodb_doublewrite is off")),
            ("innodb_flush_method", "nosync", Some("innodb_flush_method is nosync")),
            ("debug_no_sync", "on", Some("debug_no_sync is on")),
        ] {
            let mut settings = settings(&sound);
            settings.0.insert(name.to_owned(), value.to_owned());
            assert_eq!(found(&settings.of_mysql()), wanted.into_iter().collect::<Vec<_>>());
        }
    }
}
