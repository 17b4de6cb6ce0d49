//! One file per command: each does its work through the server and the store, and prints the answer.

mod backup;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod generate;
pub(crate) mod migrate;
pub(crate) mod openapi;
mod restore;
pub(crate) mod serve;
mod shop;
pub(crate) mod user;
pub(crate) mod verify;

use crate::cli::Command;
use crate::config::Config;

/// Runs the command with the configuration in force.
pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Serve(_) => serve::run(config).await,
        Command::Migrate => migrate::run(config).await,
        Command::User(command) => user::run(command, config).await,
        Command::Verify => verify::run(config).await,
        Command::Copy(databases) => copy::run(databases, config).await,
        Command::Backup(arguments) => backup::run(&arguments, config).await,
        Command::Restore(arguments) => restore::run(&arguments, config).await,
        Command::Generate(arguments) => generate::run(&arguments, config).await,
        Command::Openapi => openapi::run(),
        Command::Config(_) => config::run(config),
    }
}
