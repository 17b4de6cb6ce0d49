//! Where the programs of a database server are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest PostgreSQL that is worth starting.
const OLDEST_POSTGRES: u32 = 14;

/// What kind of database a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL 14 or later.
    Postgres,
    /// MariaDB, or MySQL if that is what the machine has.
    MariaDb,
}

impl Kind {
    /// The database's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// Names of the Debian packages that bring the programs. Those of MariaDB bring Galera and what it copies nodes
    /// with, too.
    #[must_use]
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::MariaDb => &["mariadb-server"],
        }
    }

    /// The environment variable that names the directory of the programs, so that another version can be tried.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "STOCKROOM_TEST_POSTGRES_BIN",
            Self::MariaDb => "STOCKROOM_TEST_MARIADB_BIN",
        }
    }

    /// What is missing where [`find`] finds nothing, as a sentence.
    #[must_use]
    pub fn missing(self) -> String {
        let name = self.name();
        match env::var(self.variable()) {
            Ok(directory) => {
                format!("{}={directory} does not hold the programs of {name}", self.variable())
            }
            Err(_) => format!("{name} is not installed"),
        }
    }
}

/// Who made the server; MySQL is a `Kind::MariaDb` that is set up in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    Postgres,
    MariaDb,
    MySql,
}

/// The programs of one installed version of a database.
#[derive(Debug, Clone)]
pub struct Programs {
    pub(crate) product: Product,
    version: String,
    /// Serves.
    pub(crate) server: PathBuf,
    /// Makes an empty data directory.
    pub(crate) initialise: PathBuf,
    /// Sends statements.
    pub(crate) client: PathBuf,
}

impl Programs {
    /// The version, such as `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Name and version, such as `PostgreSQL 15.18`.
    #[must_use]
    pub fn title(&self) -> String {
        let name = match self.product {
            Product::Postgres => "PostgreSQL",
            Product::MariaDb => "MariaDB",
            Product::MySql => "MySQL",
        };
        format!("{name} {}", self.version)
    }
}

/// Finds the programs of a database: in the directory that the kind's variable names, and nowhere else, if it is set;
/// otherwise the highest version in Debian's places, and on the path.
#[must_use]
pub fn find(kind: Kind) -> Option<Programs> {
    let named = env::var_os(kind.variable()).map(PathBuf::from);
    match kind {
        Kind::Postgres => {
            let places = named.map_or_else(postgres_places, |directory| vec![directory]);
            let found = places.iter().filter_map(|place| postgres_in(place));
            found.max_by_key(|(major, _)| *major).map(|(_, programs)| programs)
        }
        Kind::MariaDb => {
            let places = named.map_or_else(|| search_path(&["/usr/sbin", "/usr/bin"]), |d| beside(&d));
            mariadb_in(&places)
        }
    }
}

/// Debian keeps PostgreSQL's server off the path, one directory per major version.
fn postgres_places() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    places.extend(search_path(&[]));
    places
}

fn postgres_in(place: &Path) -> Option<(u32, Programs)> {
    let server = program(place, "postgres")?;
    let initialise = program(place, "initdb")?;
    let client = program(place, "psql")?;
    let version = version_in(&answer(&server)?)?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    let programs = Programs { product: Product::Postgres, version, server, initialise, client };
    (major >= OLDEST_POSTGRES).then_some((major, programs))
}

/// The directories that hold the parts of an unpacked MariaDB or MySQL, one of which is named.
fn beside(directory: &Path) -> Vec<PathBuf> {
    let others = ["bin", "sbin", "scripts", "libexec"].map(|name| directory.join("..").join(name));
    [directory.to_path_buf()].into_iter().chain(others).collect()
}

fn mariadb_in(places: &[PathBuf]) -> Option<Programs> {
    let first =
        |names: &[&str]| names.iter().find_map(|name| places.iter().find_map(|place| program(place, name)));
    let server = first(&["mariadbd", "mysqld"])?;
    let client = first(&["mariadb", "mysql"])?;
    let said = answer(&server)?;
    let version = version_in(&said)?;
    if said.contains("MariaDB") {
        let initialise = first(&["mariadb-install-db", "mysql_install_db"])?;
        return Some(Programs { product: Product::MariaDb, version, server, initialise, client });
    }
    // MySQL's server makes its own data directory.
    Some(Programs { product: Product::MySql, version, initialise: server.clone(), server, client })
}

/// The directories of the path, and some that an ordinary user's path leaves out.
pub(crate) fn search_path(further: &[&str]) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(further.iter().map(PathBuf::from)).collect()
}

/// The file of a program. Its path is absolute, because a server runs in a directory of its own.
fn program(place: &Path, name: &str) -> Option<PathBuf> {
    let file = std::path::absolute(place.join(name)).ok()?;
    file.is_file().then_some(file)
}

/// What a program answers to `--version`.
fn answer(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first number in a program's answer: digits and dots.
fn version_in(answer: &str) -> Option<String> {
    let word = answer.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    Some(word[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_number_of_an_answer() {
        for (answer, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18"),
            ("postgres (PostgreSQL) 17beta1\n", "17"),
            (
                "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)\n",
                "10.11.19",
            ),
            ("/usr/sbin/mysqld  Ver 8.0.36-2ubuntu3 for Linux on x86_64 ((Ubuntu))\n", "8.0.36"),
        ] {
            assert_eq!(version_in(answer).as_deref(), Some(version), "{answer}");
        }
        assert_eq!(version_in("usage: postgres"), None);
    }

    #[test]
    fn a_directory_without_the_programs_holds_no_database() {
        assert!(postgres_in(Path::new("/")).is_none());
        assert!(mariadb_in(&[PathBuf::from("/")]).is_none());
    }
}
