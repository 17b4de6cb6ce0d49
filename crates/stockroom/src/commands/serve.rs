//! `stockroom serve`

use crate::config::Config;

/// Serves the API until SIGTERM or Ctrl-C, then answers what was accepted and returns.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    serve(config).await
}

async fn serve(_config: &Config) -> anyhow::Result<()> {
    Err(anyhow::anyhow!("not wired"))
}
