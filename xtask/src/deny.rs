//! `cargo xtask deny`: licences, sources and versions of everything that is compiled in, and dependencies that nothing uses.

use std::process::{Command, ExitCode};

use crate::Failure;
use crate::crates::Program;
use crate::process::exit_code;

/// What is asked of a program.
struct Check {
    program: Program,
    args: &'static [&'static str],
    remedy: &'static str,
}

const CHECKS: [Check; 2] = [
    Check {
        program: Program {
            name: "cargo-deny",
            version: "0.20.2",
            ask: &["--version"],
            answer: "cargo-deny 0.20.2",
            task: "cargo xtask deny",
        },
        // Advisories lie in a repository that not every machine reaches; see deny.toml.
        args: &["--offline", "--locked", "check", "licenses", "bans", "sources"],
        remedy: "see deny.toml",
    },
    Check {
        program: Program {
            name: "cargo-machete",
            version: "0.9.2",
            ask: &["--version"],
            answer: "0.9.2",
            task: "cargo xtask deny",
        },
        args: &["--with-metadata"],
        remedy: "remove what nothing uses from the Cargo.toml",
    },
];

/// Runs all checks and prints what they say.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    match complaints(true) {
        found if found.is_empty() => Ok(ExitCode::SUCCESS),
        found => Err(found.join(", and ")),
    }
}

/// What is wrong with the dependencies. What would have to be compiled first is left out, with a word about it, unless
/// `may_install`.
pub(crate) fn complaints(may_install: bool) -> Vec<Failure> {
    let mut complaints = Vec::new();
    for Check { program, args, remedy } in &CHECKS {
        let path = match program.find(may_install) {
            Ok(path) => path,
            Err(missing) if may_install => {
                complaints.push(missing);
                continue;
            }
            Err(missing) => {
                eprintln!("xtask: left out: {missing}");
                continue;
            }
        };
        match exit_code(Command::new(path).args(*args)) {
            Ok(0) => {}
            Ok(_) => complaints.push(format!("{} found something: {remedy}", program.name)),
            Err(failure) => complaints.push(failure),
        }
    }
    complaints
}
