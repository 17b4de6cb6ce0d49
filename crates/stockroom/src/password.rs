//! Passwords that arrive through standard input.

use std::fmt;
use std::io::{BufRead, IsTerminal as _};

use anyhow::Context as _;

use crate::failure::UsageError;

/// Fewest characters of a password.
const MIN_CHARS: usize = 8;
/// Most bytes of a password: beyond it something else was piped in by mistake.
const MAX_BYTES: usize = 1024;

/// A password in clear. Shows itself to nobody by accident.
pub(crate) struct Password(String);

impl Password {
    /// The password itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password(***)")
    }
}

/// Takes the first line of standard input as a password.
pub(crate) fn from_stdin() -> anyhow::Result<Password> {
    let input = std::io::stdin().lock();
    if input.is_terminal() {
        // Typing would show the password on the screen.
        let hint = "--password-stdin reads from a pipe, not from the terminal: write for example \
                    `stockroom user … --password-stdin < password.txt`";
        return Err(UsageError::one(hint).into());
    }
    read(input)
}

fn read(input: impl BufRead) -> anyhow::Result<Password> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_BYTES)?.saturating_add(2); // the line break, and one to notice the excess
    input.take(limit).read_until(b'\n', &mut line).context("cannot read the password from standard input")?;
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
    if line.chars().count() < MIN_CHARS {
        return Err(UsageError::one(format!("the password must have at least {MIN_CHARS} characters")).into());
    }
    if line.len() > MAX_BYTES {
        return Err(UsageError::one(format!("the password must have at most {MAX_BYTES} bytes")).into());
    }
    Ok(Password(line))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn taken(input: &[u8]) -> Result<String, String> {
        read(input).map(|password| password.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_line_is_the_password() {
        assert_eq!(taken(b"open sesame\n"), Ok("open sesame".to_owned()));
        assert_eq!(taken(b"open sesame\r\nmore"), Ok("open sesame".to_owned()));
        assert_eq!(taken(b"  spaces stay  "), Ok("  spaces stay  ".to_owned()));
        assert_eq!(taken("pässwörd".as_bytes()), Ok("pässwörd".to_owned()));
        assert_eq!(taken(&[b'x'; 1024]).map(|password| password.len()), Ok(1024));
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        assert!(taken(b"").unwrap_err().contains("no password"));
        assert!(taken(b"\nopen sesame\n").unwrap_err().contains("no password"));
        assert!(taken(b"1234567\n").unwrap_err().contains("at least 8 characters"));
        assert!(taken(&[b'x'; 1025]).unwrap_err().contains("at most 1024 bytes"));
        assert!(taken(&[0xff; 10]).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert_eq!(format!("{:?}", read(&b"open sesame"[..]).unwrap()), "Password(***)");
    }
}
