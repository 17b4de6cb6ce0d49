//! `cargo xtask test`: prerequisites, formatting, lints, and last the tests on one database after the other, so that
//! the runner's own closing lines are the last thing on the screen.

mod databases;
mod options;

use std::process::ExitCode;

use crate::Failure;
use crate::deny;
use crate::process::{Tool, cargo, exit_code, has_subcommand, require};
pub(crate) use databases::Database;
use options::Options;

const C_COMPILER: Tool =
    Tool { program: "cc", purpose: "the bundled SQLite is compiled from C", packages: &["gcc", "libc6-dev"] };

/// What tests of a bad disk need: they make system calls fail, and cut the power of file systems of their own.
const BAD_DISK: [Tool; 3] = [
    Tool { program: "strace", purpose: "tests make system calls fail", packages: &["strace"] },
    Tool { program: "mkfs.ext4", purpose: "tests cut the power of a disk", packages: &["e2fsprogs"] },
    Tool { program: "mkfs.xfs", purpose: "tests cut the power of a disk", packages: &["xfsprogs"] },
];

/// What tests of requests that two readers understand differently need: another reader.
const PROXY: Tool =
    Tool { program: "haproxy", purpose: "tests send requests through a proxy", packages: &["haproxy"] };
/// What tests of a clock that jumps need: the library beside the program.
const CLOCK: Tool =
    Tool { program: "faketime", purpose: "tests set the clock of a server", packages: &["faketime"] };

/// A check that comes before the tests.
struct Lint {
    subcommand: &'static str,
    component: &'static str,
    args: &'static [&'static str],
    remedy: &'static str,
}

const LINTS: [Lint; 3] = [
    Lint {
        subcommand: "fmt",
        component: "rustfmt",
        args: &["fmt", "--all", "--check"],
        remedy: "run `cargo fmt --all`",
    },
    Lint {
        subcommand: "clippy",
        component: "clippy",
        args: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        remedy: "see the warnings above",
    },
    // Test targets that a plain `cargo test` leaves out are no part of `--all-targets`.
    Lint {
        subcommand: "clippy",
        component: "clippy",
        args: &["clippy", "--workspace", "--test", "*", "--locked", "--", "-D", "warnings"],
        remedy: "see the warnings above",
    },
];

/// Runs everything that must pass before a change is taken, and answers with the exit code of `cargo test`.
/// A failed lint or database does not keep the tests from running on the others, but it fails the whole.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let strict = is_ci(std::env::var("CI").ok().as_deref());
    let mut options = Options::new(args)?;
    options.fast &= !strict;
    require_c_compiler()?;

    let mut complaints = Vec::new();
    for lint in LINTS.iter().filter(|_| !options.fast) {
        complaints.extend(complaint(lint, strict)?);
    }
    if !options.fast {
        complaints.extend(deny::complaints(strict));
    }
    let mut databases = Vec::new();
    for database in options.chosen() {
        match database.require() {
            Ok(()) => databases.push(*database),
            Err(missing) if strict || options.databases.contains(database) => {
                complaints.push(left_out(*database, &missing));
            }
            Err(missing) => eprintln!("xtask: {}", left_out(*database, &missing)),
        }
    }
    let bad_disk = BAD_DISK.iter().filter(|_| databases.contains(&Database::Sqlite));
    for tool in bad_disk.chain([&PROXY, &CLOCK]) {
        match require(tool) {
            Err(missing) if strict => complaints.push(missing),
            // The tests say so themselves, and leave themselves out.
            Err(missing) => eprintln!("xtask: {missing}"),
            Ok(()) => {}
        }
    }
    for complaint in &complaints {
        eprintln!("xtask: {complaint}; running what can be run all the same");
    }

    let tests = test(&databases, &mut complaints);
    if tests == 0 && !complaints.is_empty() {
        return Err(format!("no test failed, but {}", complaints.join(", and ")));
    }
    Ok(ExitCode::from(u8::try_from(tests).unwrap_or(1)))
}

fn left_out(database: Database, reason: &str) -> String {
    format!("the tests on {} were left out: {reason}", database.name())
}

/// Runs the tests on each database; answers with the highest exit code. What kept them from running is a complaint.
fn test(databases: &[Database], complaints: &mut Vec<String>) -> i32 {
    let (mut worst, mut failed) = (0, Vec::new());
    for database in databases {
        // The last lines are those of the last database, which may have passed.
        let remark =
            if failed.is_empty() { String::new() } else { format!(" (failed on {})", failed.join(" and ")) };
        match database.test(&remark) {
            Ok(0) => {}
            Ok(code) => {
                worst = worst.max(code);
                failed.push(database.name());
            }
            Err(failure) => {
                let complaint = left_out(*database, &failure);
                eprintln!("xtask: {complaint}");
                complaints.push(complaint);
            }
        }
    }
    worst
}

/// Runs the tests that need a Galera cluster, and what it costs that several nodes write. They take minutes, and so are
/// no part of [`run`].
pub(crate) fn galera(args: &[String]) -> Result<ExitCode, Failure> {
    require_c_compiler()?;
    Database::MariaDb.require()?;
    let mut tests = cargo();
    tests.args(["test", "--locked", "--workspace", "--test", "galera", "--"]);
    // One after the other: each has three servers of its own.
    tests.args(["--nocapture", "--test-threads=1"]).args(args);
    Ok(ExitCode::from(u8::try_from(exit_code(&mut tests)?).unwrap_or(1)))
}

/// Runs one lint; `Some` tells what it found. A lint that is not installed is named and skipped, except in CI.
fn complaint(lint: &Lint, strict: bool) -> Result<Option<String>, Failure> {
    if !has_subcommand(lint.subcommand) {
        let missing = format!("{0} is not installed; `rustup component add {0}` installs it", lint.component);
        if strict {
            return Err(missing);
        }
        eprintln!("xtask: skipped cargo {}: {missing}", lint.subcommand);
        return Ok(None);
    }
    println!("xtask: cargo {}", lint.args.join(" "));
    let code = exit_code(cargo().args(lint.args))?;
    Ok((code != 0).then(|| format!("`cargo {}` failed ({})", lint.subcommand, lint.remedy)))
}

/// The C compiler that the `cc` crate will look for: `CC` if that is set, otherwise `cc`.
fn require_c_compiler() -> Result<(), Failure> {
    if std::env::var_os("CC").is_some() {
        return Ok(());
    }
    require(&C_COMPILER)
}

/// Whether the value of the variable `CI` means that nothing may be skipped.
fn is_ci(value: Option<&str>) -> bool {
    matches!(value, Some("true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_is_meant_by_true_and_1_alone() {
        assert!(is_ci(Some("true")));
        assert!(is_ci(Some("1")));
        assert!(!is_ci(Some("false")));
        assert!(!is_ci(Some("")));
        assert!(!is_ci(None));
    }

    #[test]
    fn a_missing_lint_fails_in_ci_and_is_skipped_elsewhere() {
        let absent =
            Lint { subcommand: "no-such-lint", component: "no-such-lint", args: &[], remedy: "none" };
        assert_eq!(complaint(&absent, false), Ok(None));
        let failure = complaint(&absent, true).expect_err("CI skips nothing");
        assert!(failure.contains("rustup component add no-such-lint"), "{failure}");
    }
}
