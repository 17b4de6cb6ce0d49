//! What a person runs is what CI runs: tests, lints and measurements, each by one name.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the terminal that started it"
)]

use std::path::PathBuf;
use std::process::ExitCode;

mod bench;
mod crates;
mod deny;
mod postman;
mod process;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod rooms;
mod suite;
mod torture;

/// Why a task stopped, as a sentence for the person who started it.
type Failure = String;

const HELP: &str = "\
cargo xtask test [OPTIONS]     formatting, lints, then the tests on SQLite, PostgreSQL and MariaDB
    --fast                     the tests alone, and on SQLite alone unless --database names another
    --database NAME            the tests on sqlite, postgres or mariadb; may be repeated
cargo xtask galera [NAME]      tests on three nodes of a MariaDB Galera cluster; some minutes, so no part of `test`
cargo xtask deny               licences and sources of dependencies, and those that nothing uses; part of `test` on CI
cargo xtask torture [NAME...]  long forms of tests, each up to ten minutes: model, kill, sigterm, keys, races, histories,
                               slow-clients, power, inject, canaries, fuzz, schemathesis, mutants; all unless some are
                               named, on every database where that matters
    --quick                    a few rounds of each, without optimisation
    --database NAME            on sqlite, postgres or mariadb alone; may be repeated
cargo xtask bench [OPTIONS]    measures the release server with wrk and prints a table
    --database NAME            on sqlite (default), postgres or mysql, these beside orders the usual way
    --seconds N                length of each measurement (default 5)
    --quick                    two seconds each
    --connections 64,256       connections to measure with
    --threads N                threads of wrk (default 1)
    --markdown FILE            also writes the table and the machine's size to FILE
    --binary FILE              measures this binary instead of building one
    --keep                     keeps the data directory under target/bench
cargo xtask bench reads [OPTIONS]  measures lists, filters, searches and single rows in generated shops
    --orders 10000,100000,1000000  sizes of the shops (these unless given)
    --milliseconds N           length of each measurement (default 500)
    --markdown, --binary, --keep   as above
cargo xtask postman            writes the Postman collections in postman/ from the committed OpenAPI documents
cargo xtask help               this text";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task that the first argument names, from the root of the workspace.
fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let Some((task, rest)) = args.split_first() else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    std::env::set_current_dir(root()).map_err(|error| format!("cannot enter the workspace: {error}"))?;
    match task.as_str() {
        "test" => suite::run(rest),
        "bench" => bench::run(rest),
        "galera" => suite::galera(rest),
        "deny" => deny::run(),
        "postman" => postman::run(rest),
        "torture" => torture::run(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no task is called '{other}'\n{HELP}")),
    }
}

/// The root of the workspace: the parent of this crate.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
