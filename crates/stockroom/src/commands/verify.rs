//! `stockroom verify`

use store::Store;

use super::shop;
use crate::config::Config;
use crate::output;

/// Prints what does not add up, one finding a line, and fails when there is any.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let findings = examine(config).await?;
    if findings.is_empty() {
        return output::print("everything adds up");
    }
    output::print(&findings.join("\n"))?;
    Err(anyhow::anyhow!("differences found: {}", findings.len()))
}

/// Compares the ledger with the stock levels and the allocations with the open orders; one line for each difference.
async fn examine(config: &Config) -> anyhow::Result<Vec<String>> {
    // A database made just now would add up, and nobody would notice the wrong path.
    if let Some(file) = config.database_url.file().filter(|file| !file.exists()) {
        anyhow::bail!("there is no database at {}", file.display());
    }
    let database = shop::open_database(config).await?;
    // It looks and changes nothing, not even the version of the schema.
    match database.missing_migrations().await? {
        0 => {}
        missing => anyhow::bail!("the database lacks {missing} migrations; run `stockroom migrate` first"),
    }
    let report = Store::new(database).verify().await?;
    tracing::info!(
        products = report.products,
        orders = report.orders,
        movements = report.movements,
        "compared ledger, levels and orders"
    );
    let line = |found: store::Discrepancy| format!("{}: {}", found.check, found.finding);
    Ok(report.discrepancies.into_iter().map(line).collect())
}
