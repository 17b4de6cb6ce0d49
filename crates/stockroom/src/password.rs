//! Passwords that arrive through standard input.

use std::io::{BufRead, IsTerminal as _};

use anyhow::Context as _;
use server::wire::values::NewPassword;

use crate::failure::UsageError;

/// Most bytes that are read: beyond it something else was piped in by mistake.
const MAX_BYTES: u64 = 4096;

/// Takes the first line of standard input as a password.
pub(crate) fn from_stdin() -> anyhow::Result<NewPassword> {
    let input = std::io::stdin().lock();
    if input.is_terminal() {
        // Typing would show the password on the screen.
        let hint = "--password-stdin reads from a pipe, not from the terminal: write for example \
                    `stockroom user … --password-stdin < password.txt`";
        return Err(UsageError::one(hint).into());
    }
    read(input)
}

fn read(input: impl BufRead) -> anyhow::Result<NewPassword> {
    let mut line = Vec::new();
    input
        .take(MAX_BYTES)
        .read_until(b'\n', &mut line)
        .context("cannot read the password from standard input")?;
    let mut line = String::from_utf8(line).map_err(|_| UsageError::one("the password is not valid UTF-8"))?;
    if line.ends_with('\n') {
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
    }
    if line.is_empty() {
        return Err(UsageError::one("standard input holds no password in its first line").into());
    }
    NewPassword::new(&line).map_err(|hint| UsageError::one(format!("the password {hint}")).into())
}

#[cfg(test)]
mod tests {
    use super::read;

    fn taken(input: &[u8]) -> Result<String, String> {
        read(input).map(|password| password.as_str().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_line_is_the_password() {
        assert_eq!(taken(b"open sesame\n"), Ok("open sesame".to_owned()));
        assert_eq!(taken(b"open sesame\r\nmore"), Ok("open sesame".to_owned()));
        assert_eq!(taken(b"  spaces stay  "), Ok("  spaces stay  ".to_owned()));
        assert_eq!(taken("pässwörd".as_bytes()), Ok("pässwörd".to_owned()));
        assert_eq!(taken(&[b'x'; 128]).map(|password| password.len()), Ok(128));
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        assert!(taken(b"").unwrap_err().contains("no password"));
        assert!(taken(b"\nopen sesame\n").unwrap_err().contains("no password"));
        assert!(taken(b"1234567\n").unwrap_err().contains("at least 8 characters"));
        // The limits are those of the API, or nobody could log in with what was set here.
        assert!(taken(&[b'x'; 129]).unwrap_err().contains("at most 128 characters"));
        assert!(taken(&[b'x'; 10_000]).unwrap_err().contains("at most 128 characters"));
        assert!(taken(b"open\0sesame\n").is_err());
        assert!(taken(&[0xff; 10]).unwrap_err().contains("UTF-8"));
    }
}
