//! What `cargo xtask torture` is asked for.

use super::forms::{FORMS, Form, TRIALS, Trial, names};
use crate::Failure;
use crate::suite::Database;

/// The options of `cargo xtask torture`.
#[derive(Debug)]
pub(super) struct Options {
    /// In the order of the table of forms; all unless some are named.
    pub(super) forms: Vec<&'static Form>,
    /// The same of trials.
    pub(super) trials: Vec<&'static Trial>,
    /// All unless some are named.
    pub(super) databases: Vec<Database>,
    /// A few rounds of each, without optimisation: whether it works at all.
    pub(super) is_quick: bool,
}

impl Options {
    pub(super) fn read(args: &[String]) -> Result<Self, Failure> {
        let (mut named, mut databases, mut is_quick) = (Vec::new(), Vec::new(), false);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => is_quick = true,
                "--database" => {
                    let name = args.next().ok_or("--database needs the name of one")?;
                    let database = Database::named(name)
                        .ok_or_else(|| format!("'{name}' is not one of sqlite, postgres and mariadb"))?;
                    databases.push(database);
                }
                name if names().contains(&name) => named.push(name),
                other => {
                    return Err(format!(
                        "torture knows --quick, --database NAME and {}, not '{other}'",
                        names().join(", ")
                    ));
                }
            }
        }
        let is_wanted = |name| named.is_empty() || named.contains(&name);
        let forms = FORMS.iter().filter(|form| is_wanted(form.name)).collect();
        if databases.is_empty() {
            databases.extend(Database::ALL);
        }
        // They know no other.
        let is_on_sqlite = databases.contains(&Database::Sqlite);
        let trials = TRIALS.iter().filter(|trial| is_on_sqlite && is_wanted(trial.name)).collect();
        Ok(Self { forms, trials, databases, is_quick })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Failure> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn all_is_meant_unless_something_is_named() {
        let all = read("").expect("options");
        assert_eq!((all.forms.len(), all.trials.len(), all.databases.len()), (FORMS.len(), TRIALS.len(), 3));
        assert!(!all.is_quick);
        let some = read("races kill --quick --database mariadb").expect("options");
        assert_eq!(some.forms.iter().map(|form| form.name).collect::<Vec<_>>(), ["kill", "races"]);
        assert_eq!((some.databases, some.is_quick), (vec![Database::MariaDb], true));
        let trial = read("fuzz").expect("options");
        assert_eq!((trial.forms.len(), trial.trials.len()), (0, 1));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, word) in
            [("meteors", "'meteors'"), ("--database", "name of one"), ("--database oracle", "'oracle'")]
        {
            let failure = read(line).expect_err(line);
            assert!(failure.contains(word), "{line}: {failure}");
        }
    }
}
