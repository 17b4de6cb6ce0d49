//! The `stockroom` command: reads the command line and the configuration, then hands over to the server and the store.

mod cli;
mod commands;
mod config;
mod demo;
mod failure;
mod flags;
mod generate;
mod lock;
mod logging;
mod output;
mod password;
mod random;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::config::Sources;

/// Many small allocations from several threads: measurably better off than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Usage errors leave here with code 2, `--help` and `--version` with 0.
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // The document is the same whatever the configuration, so a broken one must not be in its way.
    if matches!(cli.command, cli::Command::Openapi) {
        return commands::openapi::run();
    }
    let given = cli.given();
    let config = config::load(&Sources::of_this_process(given)?)?;
    logging::start(&config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli.command, &config))
}
