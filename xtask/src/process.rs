//! Programs of the machine: is one there, can it be installed, what did it answer.

use std::process::{Command, Stdio};

use crate::Failure;

/// A program that a task needs, and the Debian packages that bring it.
pub(crate) struct Tool {
    /// The program's name on the path.
    pub(crate) program: &'static str,
    /// What it is needed for.
    pub(crate) purpose: &'static str,
    /// Debian packages that hold it.
    pub(crate) packages: &'static [&'static str],
}

/// Whether the program can be started at all; what it answers does not matter.
pub(crate) fn starts(program: &str) -> bool {
    quiet(Command::new(program).arg("--version")).is_some()
}

/// Whether `cargo NAME` is installed.
pub(crate) fn has_subcommand(name: &str) -> bool {
    quiet(cargo().args([name, "--help"])).unwrap_or(false)
}

/// The cargo that started this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The exit code of a program whose output goes to the terminal.
pub(crate) fn exit_code(command: &mut Command) -> Result<i32, Failure> {
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    // A program that a signal ended has no code of its own.
    Ok(status.code().unwrap_or(1))
}

/// What a program printed, trimmed; `None` when it is missing or failed.
pub(crate) fn answer(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes sure that a tool is there: installs it where this process may, otherwise names the command that does.
pub(crate) fn require(tool: &Tool) -> Result<(), Failure> {
    if starts(tool.program) {
        return Ok(());
    }
    let missing = format!("'{}' is missing ({})", tool.program, tool.purpose);
    install(&missing, tool.packages, || starts(tool.program))
}

/// Installs the Debian packages that bring what is missing where this process may, otherwise names the command that
/// does. `there` tells whether they brought it.
pub(crate) fn install(missing: &str, packages: &[&str], there: impl Fn() -> bool) -> Result<(), Failure> {
    let names = packages.join(" ");
    if answer("id", &["-u"]).as_deref() != Some("0") || !starts("apt-get") {
        return Err(format!("{missing}; install it with: sudo apt-get install {names}"));
    }
    println!("xtask: {missing}; installing {names}");
    // A stale or absent package list is the usual state of a fresh container.
    exit_code(&mut apt_get(&["update", "-qq"]))?;
    let mut install = apt_get(&["install", "-y", "-qq", "--no-install-recommends"]);
    if exit_code(install.args(packages))? != 0 || !there() {
        return Err(format!("{missing}, and `apt-get install {names}` did not bring it"));
    }
    Ok(())
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// Whether the program succeeded, unseen; `None` when it could not be started.
fn quiet(command: &mut Command) -> Option<bool> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()
        .map(|s| s.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_exists_starts_and_another_does_not() {
        assert!(starts("sh"));
        assert!(!starts("no-such-program-anywhere"));
        assert!(has_subcommand("build"));
        assert!(!has_subcommand("no-such-subcommand"));
    }

    #[test]
    fn an_answer_is_what_was_printed_by_a_program_that_succeeded() {
        assert_eq!(answer("echo", &["one", "two"]).as_deref(), Some("one two"));
        assert_eq!(answer("false", &[]), None);
    }
}
