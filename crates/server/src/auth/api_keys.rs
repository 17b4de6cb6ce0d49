//! Keys of machines: `sr_`, 256 random bits and a checksum, both in hexadecimal digits.
//!
//! The prefix and the checksum let scanners for leaked secrets tell a key from other text without asking anybody, and
//! let us turn away whatever is none without asking the database. Only the digest is kept: of so many random bits no
//! dictionary helps to find a key behind it, so it takes neither salt nor a slow hash.

use std::fmt::Write as _;

use flate2::Crc;
use sha2::{Digest as _, Sha256};

/// What every key begins with, and no other token does.
const PREFIX: &str = "sr_";
const RANDOM_BYTES: usize = 32;
const CHECKSUM_DIGITS: usize = 8;
const LENGTH: usize = PREFIX.len() + 2 * RANDOM_BYTES + CHECKSUM_DIGITS;

/// A new key, and the digest to keep of it.
///
/// # Errors
/// When the operating system has no random numbers.
pub fn generate() -> Result<(String, String), getrandom::Error> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    let mut key = PREFIX.to_owned();
    hex(&mut key, &random);
    let sum = checksum(&key);
    key.push_str(&sum);
    let digest = sha256(&key);
    Ok((key, digest))
}

/// Whether this is to be a key, good or not, rather than a token of a person.
#[must_use]
pub fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The digest of a key; `None` for what can be none.
#[must_use]
pub fn digest(key: &str) -> Option<String> {
    let (body, sum) = key.split_at_checked(LENGTH - CHECKSUM_DIGITS)?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = body.strip_prefix(PREFIX)?;
    (digits.bytes().all(is_hex) && sum == checksum(body)).then(|| sha256(key))
}

fn checksum(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

fn sha256(text: &str) -> String {
    let mut digits = String::with_capacity(64);
    hex(&mut digits, &Sha256::digest(text.as_bytes()));
    digits
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_their_form_and_found_by_their_digest() {
        let (key, kept) = generate().unwrap();
        assert_eq!((key.len(), kept.len()), (LENGTH, 64));
        assert!(is_key(&key) && digest(&key) == Some(kept.clone()) && !kept.contains(&key[3..20]));
        let (other, others) = generate().unwrap();
        assert!(other != key && others != kept);
    }

    #[test]
    fn what_is_no_key_is_turned_away_by_its_form() {
        let (key, _) = generate().unwrap();
        // Any digit altered, missing or doubled, another case, something around it.
        for at in 0..key.len() {
            let (before, after) = key.split_at(at);
            let digit = if after.starts_with('0') { '1' } else { '0' };
            for other in [
                format!("{before}{digit}{}", &after[1..]),
                format!("{before}{}", &after[1..]),
                format!("{before}0{after}"),
            ] {
                assert_eq!(digest(&other), None, "{other}");
            }
        }
        let upper = format!("sr_{}", key[3..].to_uppercase());
        for other in ["", "sr_", "sr_é", &"é".repeat(60), &upper, &format!(" {key}"), &format!("{key} ")] {
            assert_eq!(digest(other), None, "{other}");
        }
    }
}
