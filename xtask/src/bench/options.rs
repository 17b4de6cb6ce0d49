//! The options of `cargo xtask bench`.

use std::path::PathBuf;

use crate::Failure;
use crate::suite::Database;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) database: Database,
    /// Length of each run of wrk.
    pub(super) seconds: u64,
    pub(super) connections: Vec<u32>,
    /// Threads of wrk.
    pub(super) threads: u32,
    pub(super) markdown: Option<PathBuf>,
    pub(super) binary: Option<PathBuf>,
    pub(super) keep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: Database::Sqlite,
            seconds: 5,
            connections: vec![64, 256],
            threads: 1,
            markdown: None,
            binary: None,
            keep: false,
        }
    }
}

impl Options {
    pub(super) fn read(args: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--quick" => options.seconds = 2,
                "--database" => {
                    let name = value()?;
                    options.database = Database::named(name)
                        .ok_or_else(|| format!("--database takes sqlite, postgres or mysql, not '{name}'"))?;
                }
                "--keep" => options.keep = true,
                "--seconds" => options.seconds = number(name, value()?)?,
                "--threads" => options.threads = number(name, value()?)?,
                "--connections" => {
                    let list = value()?.split(',').map(|text| number(name, text.trim()));
                    options.connections = list.collect::<Result<_, _>>()?;
                }
                "--markdown" => options.markdown = Some(PathBuf::from(value()?)),
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                other => return Err(format!("bench knows no '{other}'; see cargo xtask help")),
            }
        }
        // wrk refuses fewer connections than threads.
        if options.connections.iter().any(|connections| *connections < options.threads) {
            return Err("--connections must be at least --threads".to_owned());
        }
        Ok(options)
    }
}

/// Reads a number from 1.
fn number<N: std::str::FromStr + Default + PartialEq>(name: &str, text: &str) -> Result<N, Failure> {
    text.parse()
        .ok()
        .filter(|number| *number != N::default())
        .ok_or_else(|| format!("{name} takes numbers from 1, not '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Failure> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        assert_eq!(read(""), Ok(Options::default()));
        let wanted = Options {
            database: Database::Sqlite,
            seconds: 3,
            connections: vec![8, 16],
            threads: 2,
            markdown: Some("table.md".into()),
            binary: Some("a/stockroom".into()),
            keep: true,
        };
        let line = "--quick --seconds 3 --connections 8,16 --threads 2 --keep --markdown table.md --binary a/stockroom";
        assert_eq!(read(line), Ok(wanted));
        assert_eq!(read("--quick").map(|options| options.seconds), Ok(2));
        assert_eq!(read("--database mysql").map(|options| options.database), Ok(Database::MariaDb));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, word) in [
            ("--seconds 0", "--seconds"),
            ("--seconds", "needs a value"),
            ("--database oracle", "'oracle'"),
            ("--connections 64,many", "'many'"),
            ("--connections 1 --threads 2", "--threads"),
            ("--speed", "'--speed'"),
        ] {
            let failure = read(line).expect_err(line);
            assert!(failure.contains(word), "{line}: {failure}");
        }
    }
}
