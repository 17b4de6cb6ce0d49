//! `stockroom migrate`

use server::clock;

use super::shop;
use crate::config::Config;
use crate::output;

/// Applies what is missing and names it, one migration a line.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let applied = migrate(config).await?;
    if applied.is_empty() {
        return output::print("the database is up to date");
    }
    output::print(&applied.iter().map(|name| format!("applied {name}\n")).collect::<String>())
}

/// Applies the migrations that the database lacks, in order, and returns their names.
async fn migrate(config: &Config) -> anyhow::Result<Vec<String>> {
    let database = shop::open_database(config).await?;
    let applied = database.migrate(clock::now_us()).await?;
    Ok(applied.iter().map(|migration| format!("{:04} {}", migration.version, migration.name)).collect())
}
