//! How the program says that something went wrong: readable lines on standard error and an exit code.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// What was asked for cannot be done as it was asked: a mistake in the command line or the configuration.
/// Ends the program with code 2, where a failure of the work itself ends it with 1.
#[derive(Debug)]
pub(crate) struct UsageError {
    /// One line for each mistake; never empty, never a secret.
    pub(crate) lines: Vec<String>,
}

impl UsageError {
    /// A single mistake.
    pub(crate) fn one(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()] }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines.join("; "))
    }
}

impl std::error::Error for UsageError {}

/// Prints the error, one line for each mistake, and returns the exit code it deserves.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let (lines, code) = match error.downcast_ref::<UsageError>() {
        Some(usage) => (usage.lines.clone(), ExitCode::from(2)),
        None => (vec![format!("{error:#}")], ExitCode::FAILURE),
    };
    let mut out = std::io::stderr().lock();
    for line in lines {
        // Some drivers put line breaks into their messages; a line is a message here. There is nowhere to report
        // that standard error is closed.
        let _ = writeln!(out, "error: {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    code
}
