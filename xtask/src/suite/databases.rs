//! The databases that the tests run on, and what runs on each.

use std::fs;

use testbed::{Kind, Server};

use crate::Failure;
use crate::process::{cargo, exit_code, install};

/// Names the database to the tests; without it they take SQLite.
const VARIABLE: &str = "STOCKROOM_TEST_DATABASE";

/// A database that tests and measurements run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
    MariaDb,
}

/// Arguments of one `cargo test --locked --workspace`. All select the whole workspace, so that what one has compiled
/// serves the next: fewer packages would mean other features of their dependencies, and to compile those again.
type Arguments = &'static [&'static str];

/// Everything, on SQLite. The examples in the documentation first: the last lines of the output are those of the
/// tests.
const ON_SQLITE: &[Arguments] = &[&["--doc"], &["--all-targets"]];

/// What depends on the database, on a throwaway PostgreSQL. The ground first, then what stands on it.
const ON_POSTGRES: &[Arguments] = &[
    &["--test", "servers", "--", "postgres::"],
    SUITE,
    TORTURE,
    BASELINE,
    &["--test", "network", "--", "--skip", "mysql_only"],
];

/// The same on a throwaway MariaDB.
const ON_MARIADB: &[Arguments] = &[
    &["--test", "servers", "--", "mariadb::"],
    SUITE,
    TORTURE,
    BASELINE,
    &["--test", "network", "--", "--skip", "postgres_only"],
];

/// A few rounds of what `cargo xtask torture` does many of.
const TORTURE: Arguments = &["--test", "torture", "--", "--skip", "sqlite_only"];
const SUITE: Arguments = &["--test", "it", "--", "--skip", "sqlite_only"];
/// What measurements compare with, for a moment.
const BASELINE: Arguments = &["--bench", "usual_way"];

impl Database {
    /// In the order in which they are run.
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];

    /// The database of this name on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite),
            "postgres" => Some(Self::Postgres),
            "mariadb" | "mysql" => Some(Self::MariaDb),
            _ => None,
        }
    }

    /// Its name in a sentence.
    pub(crate) fn name(self) -> &'static str {
        self.kind().map_or("SQLite", Kind::name)
    }

    /// The kind of server; `None` for SQLite, which needs none.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(Kind::Postgres),
            Self::MariaDb => Some(Kind::MariaDb),
        }
    }

    fn commands(self) -> &'static [Arguments] {
        match self {
            Self::Sqlite => ON_SQLITE,
            Self::Postgres => ON_POSTGRES,
            Self::MariaDb => ON_MARIADB,
        }
    }

    /// Makes sure that the database's programs are there: installs them where this process may.
    pub(crate) fn require(self) -> Result<(), Failure> {
        let Some(kind) = self.kind() else { return Ok(()) };
        if testbed::find(kind).is_some() {
            return Ok(());
        }
        if std::env::var_os(kind.variable()).is_some() {
            return Err(kind.missing());
        }
        install(&kind.missing(), kind.packages(), || testbed::find(kind).is_some())
    }

    /// Runs the tests on the database, all of them even if some fail; answers with the highest exit code. `remark`
    /// ends the line that says which database it is.
    pub(super) fn test(self, remark: &str) -> Result<i32, Failure> {
        // Dropped, and so stopped, when the tests have run.
        let server = self.kind().map(|kind| Server::start(kind, false)).transpose()?;
        let title = server.as_ref().map_or_else(sqlite_title, Server::title);
        println!("xtask: the tests on {title}{remark}");
        let mut worst = 0;
        for arguments in self.commands() {
            let mut command = cargo();
            command.args(["test", "--locked", "--workspace", "--no-fail-fast"]).args(*arguments);
            let mut setting = String::new();
            // Whatever the caller's environment says: this part is about this database.
            command.env_remove(VARIABLE);
            if let Some(server) = &server {
                let url = server.url("");
                setting = format!("{VARIABLE}={url} ");
                command.env(VARIABLE, url);
            }
            println!("xtask: {setting}cargo test --locked --workspace {}", arguments.join(" "));
            worst = worst.max(exit_code(&mut command)?);
        }
        Ok(worst)
    }
}

/// SQLite comes with its driver, whose version tells its own.
fn sqlite_title() -> String {
    let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
    match locked_version(&lock, "rusqlite") {
        Some(version) => format!("the SQLite of rusqlite {version}"),
        None => "SQLite".to_owned(),
    }
}

/// The version of a package in a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_package_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"ab\"\nversion = \"2.1.0\"\n";
        assert_eq!(locked_version(lock, "ab"), Some("2.1.0"));
        assert_eq!(locked_version(lock, "b"), None);
        let own = fs::read_to_string(crate::root().join("Cargo.lock")).expect("the lock file");
        assert!(locked_version(&own, "rusqlite").is_some());
    }

    #[test]
    fn sqlite_is_always_there() {
        assert_eq!(Database::Sqlite.require(), Ok(()));
    }
}
