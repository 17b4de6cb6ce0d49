//! `stockroom verify`

use store::{Discrepancy, Store};

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
    shop::require_file(&config.database_url)?;
    let database = shop::open_database(config).await?;
    // It looks and changes nothing, not even the version of the schema.
    match database.missing_migrations().await? {
        0 => {}
        missing => anyhow::bail!("the database lacks {missing} migrations; run `stockroom migrate` first"),
    }
    let store = Store::new(database);
    shop::require_complete(&store, config).await?;
    let report = store.verify().await?;
    tracing::info!(
        products = report.products,
        orders = report.orders,
        movements = report.movements,
        "compared ledger, levels and orders"
    );
    Ok(report.discrepancies.iter().map(line).collect())
}

/// A finding as it is printed.
pub(super) fn line(found: &Discrepancy) -> String {
    format!("{}: {}", found.check, found.finding)
}
