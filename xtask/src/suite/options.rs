//! What `cargo xtask test` is asked for.

use crate::Failure;

use super::databases::Database;

/// The options of `cargo xtask test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Without formatting and lints, and on SQLite alone unless databases are named.
    pub(super) fast: bool,
    /// The databases that are named, in their order; none means all of them.
    pub(super) databases: Vec<Database>,
}

impl Options {
    pub(super) fn new(args: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--fast" => options.fast = true,
                "--database" => {
                    let name = args.next().ok_or("--database needs the name of one")?;
                    let database = Database::named(name)
                        .ok_or_else(|| format!("'{name}' is not one of sqlite, postgres and mariadb"))?;
                    if !options.databases.contains(&database) {
                        options.databases.push(database);
                    }
                }
                other => return Err(format!("test knows --fast and --database NAME, not '{other}'")),
            }
        }
        Ok(options)
    }

    /// The databases to run the tests on.
    pub(super) fn chosen(&self) -> &[Database] {
        match (self.databases.as_slice(), self.fast) {
            ([], true) => &Database::ALL[..1],
            ([], false) => &Database::ALL,
            (named, _) => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options, Failure> {
        Options::new(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        for (args, failure) in [
            (vec!["--slow"], "test knows --fast and --database NAME, not '--slow'"),
            (vec!["--database"], "--database needs the name of one"),
            (vec!["--database", "oracle"], "'oracle' is not one of sqlite, postgres and mariadb"),
        ] {
            assert_eq!(options(&args), Err(failure.to_owned()));
        }
    }

    #[test]
    fn all_databases_are_meant_unless_some_are_named_or_it_is_to_be_fast() {
        for (args, databases) in [
            (vec![], vec![Database::Sqlite, Database::Postgres, Database::MariaDb]),
            (vec!["--fast"], vec![Database::Sqlite]),
            (vec!["--database", "mariadb", "--fast"], vec![Database::MariaDb]),
            (
                vec!["--database", "postgres", "--database", "sqlite", "--database", "postgres"],
                vec![Database::Postgres, Database::Sqlite],
            ),
        ] {
            assert_eq!(options(&args).expect("known options").chosen(), databases, "{args:?}");
        }
    }
}
