//! `stockroom verify`

use crate::config::Config;
use crate::output;

/// Prints what does not add up, one finding a line, and fails when there is any.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let findings = examine(config).await?;
    if findings.is_empty() {
        return output::print("everything adds up");
    }
    output::print(&findings.join("\n"))?;
    Err(anyhow::anyhow!("{} of the checks found a difference", findings.len()))
}

/// Compares the ledger with the stock levels and the allocations with the open orders; one line for each difference.
async fn examine(_config: &Config) -> anyhow::Result<Vec<String>> {
    Err(anyhow::anyhow!("not wired"))
}
