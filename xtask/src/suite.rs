//! `cargo xtask test`: prerequisites, formatting, lints, and last the tests, so that the runner's own closing
//! lines are the last thing on the screen.

use std::process::ExitCode;

use crate::Failure;
use crate::process::{Tool, cargo, exit_code, has_subcommand, require};

const C_COMPILER: Tool =
    Tool { program: "cc", purpose: "the bundled SQLite is compiled from C", packages: &["gcc", "libc6-dev"] };

/// A check that comes before the tests.
struct Lint {
    subcommand: &'static str,
    component: &'static str,
    args: &'static [&'static str],
    remedy: &'static str,
}

const LINTS: [Lint; 2] = [
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
];

/// Runs everything that must pass before a change is taken, and answers with the exit code of `cargo test`.
/// A failed lint does not keep the tests from running, but it fails the whole.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let strict = is_ci(std::env::var("CI").ok().as_deref());
    let fast = wants_fast(args)? && !strict;
    require_c_compiler()?;

    let mut complaints = Vec::new();
    for lint in LINTS.iter().filter(|_| !fast) {
        complaints.extend(complaint(lint, strict)?);
    }
    for complaint in &complaints {
        eprintln!("xtask: {complaint}; running the tests all the same");
    }

    // The examples in the documentation first: the last lines of the output are those of the tests.
    let mut tests = 0;
    for part in ["--doc", "--all-targets"] {
        println!("xtask: cargo test --workspace --locked {part}");
        tests = tests.max(exit_code(cargo().args(["test", "--workspace", "--locked", part]))?);
    }
    if tests == 0 && !complaints.is_empty() {
        return Err(format!("the tests passed, but {}", complaints.join(", and ")));
    }
    Ok(ExitCode::from(u8::try_from(tests).unwrap_or(1)))
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

fn wants_fast(args: &[String]) -> Result<bool, Failure> {
    let mut fast = false;
    for arg in args {
        match arg.as_str() {
            "--fast" => fast = true,
            other => return Err(format!("test knows --fast, not '{other}'")),
        }
    }
    Ok(fast)
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
    fn an_unknown_option_is_refused_by_name() {
        assert_eq!(wants_fast(&[]), Ok(false));
        assert_eq!(wants_fast(&["--fast".to_owned()]), Ok(true));
        assert_eq!(wants_fast(&["--slow".to_owned()]), Err("test knows --fast, not '--slow'".to_owned()));
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
