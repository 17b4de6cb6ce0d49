//! `stockroom config`

use crate::config::Config;
use crate::output;

/// Prints the settings in force as a table: setting, value, origin.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let mut rows = vec![["SETTING".to_owned(), "VALUE".to_owned(), "ORIGIN".to_owned()]];
    rows.extend(
        config.in_force().map(|(setting, value, origin)| [setting.key.to_owned(), value, origin.to_string()]),
    );
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let lines = rows.iter().map(|[key, value, origin]| format!("{key:first$}  {value:second$}  {origin}"));
    output::print(&lines.collect::<Vec<_>>().join("\n"))
}
