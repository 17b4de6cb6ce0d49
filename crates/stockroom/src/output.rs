//! Standard output, which carries the answers of commands and nothing else.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

/// Prints an answer and a line break. A reader that went away early (`stockroom openapi | head`) is no failure.
pub(crate) fn print(answer: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", answer.trim_end_matches('\n')).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
