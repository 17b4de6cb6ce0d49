//! The key under which a request may be repeated, and the mark by which the same request is known.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::invalid::Invalid;
use crate::auth::secret::SubKey;

/// The header that carries the key.
pub const HEADER: &str = "Idempotency-Key";

/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A client's name for one request, so that repeating it changes nothing further.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Reads all `Idempotency-Key` headers of a request; `None` when there is none.
    ///
    /// # Errors
    /// [`Invalid`] on `Idempotency-Key` unless there is one of 1 to 255 visible ASCII characters.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, Invalid> {
        let refusal = |message: &str| Err(Invalid::one(HEADER, message));
        let mut headers = headers.into_iter();
        let Some(value) = headers.next() else { return Ok(None) };
        if headers.next().is_some() {
            return refusal("is given more than once");
        }
        if value.is_empty() {
            return refusal("must not be empty");
        }
        if value.len() > LONGEST {
            return refusal("must have at most 255 characters");
        }
        match std::str::from_utf8(value) {
            Ok(text) if value.iter().all(u8::is_ascii_graphic) => Ok(Some(Self(text.to_owned()))),
            _ => refusal("must consist of visible ASCII characters"),
        }
    }

    /// The key as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Marks a request: the same mark means the same request. 64 hexadecimal digits.
///
/// Keyed, because bodies hold passwords, and a plain hash in the database would let anyone who reads it try them.
#[must_use]
pub fn fingerprint(
    key: &SubKey,
    method: &str,
    path_and_query: &str,
    if_match: Option<&[u8]>,
    body: &[u8],
) -> String {
    let mut mac = new_mac(key.as_bytes());
    let condition: &[&[u8]] = match &if_match {
        Some(value) => &[b"+", value],
        None => &[b"-", b""],
    };
    // Each part is preceded by its length, so that no two requests run together into the same bytes.
    for part in [method.as_bytes(), path_and_query.as_bytes(), condition[0], condition[1], body] {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    let mut out = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or_default());
        }
    }
    out
}

fn new_mac(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests;
