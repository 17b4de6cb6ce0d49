//! Reading the query of a URL, strictly: what is not understood is refused by name, never ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::extract::parameters;
use super::invalid::{FieldError, Invalid, echo};
use super::node::{self, Wording};
use super::paging::PageParams;

const WORDING: Wording = Wording { root: "query", unknown: "is not a known parameter" };

/// The parameters of a list, which every list shares.
const PAGE_PARAMS: [&str; 4] = ["limit", "offset", "page", "cursor"];

/// A name and its value.
pub(crate) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The query of an operation that has no parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Reads the query of a URL, without its question mark.
///
/// # Errors
/// [`Invalid`] naming every parameter that is unknown, repeated, empty, missing, wrongly escaped or refused by
/// its type.
pub fn parse_query<T: DeserializeOwned>(raw: Option<&str>) -> Result<T, Invalid> {
    let pairs = filled_pairs(raw)?;
    node::read(parameters(pairs), WORDING, true)
}

/// Reads the query of a list: its own parameters as `T`, and `limit`, `offset`, `page` and `cursor`.
///
/// # Errors
/// As [`parse_query`], for both parts at once.
pub fn parse_paged<T: DeserializeOwned>(raw: Option<&str>) -> Result<(T, PageParams), Invalid> {
    let (paging, own): (Vec<_>, Vec<_>) =
        filled_pairs(raw)?.into_iter().partition(|(name, _)| PAGE_PARAMS.contains(&name.as_ref()));
    let own = node::read::<T>(parameters(own), WORDING, true);
    let paging = node::read::<PageParams>(parameters(paging), WORDING, true);
    match (own, paging) {
        (Ok(own), Ok(paging)) => Ok((own, paging)),
        (Err(invalid), Ok(_)) | (Ok(_), Err(invalid)) => Err(invalid),
        (Err(mut first), Err(second)) => {
            first.errors.extend(second.errors);
            Err(first)
        }
    }
}

fn filled_pairs(raw: Option<&str>) -> Result<Vec<Pair<'_>>, Invalid> {
    let pairs = pairs(raw.unwrap_or_default())?;
    let empty = pairs.iter().filter(|(_, value)| value.is_empty());
    let errors = empty.map(|(name, _)| FieldError {
        field: echo(name),
        message: "must not be empty; leave the parameter out instead".to_owned(),
    });
    Invalid::unless_empty(errors.take(20).collect())?;
    Ok(pairs)
}

/// Splits `a=1&b=2` and undoes the escapes; empty pieces (`a=1&&b=2`) are skipped.
pub(crate) fn pairs(raw: &str) -> Result<Vec<Pair<'_>>, Invalid> {
    let mut pairs = Vec::new();
    let mut errors = Vec::new();
    for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        match (unescape(name), unescape(value)) {
            (Ok(name), Ok(value)) if !name.contains('\0') => pairs.push((name, value)),
            (decoded, value) => errors.push(FieldError {
                field: echo(&decoded.unwrap_or(Cow::Borrowed(name))),
                message: value.err().unwrap_or("is no name of a parameter").to_owned(),
            }),
        }
        if errors.len() >= 20 {
            break;
        }
    }
    Invalid::unless_empty(errors)?;
    Ok(pairs)
}

/// Undoes percent-encoding, and `+` for a space.
fn unescape(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let (Some(high), Some(low)) = (bytes.next().and_then(hex), bytes.next().and_then(hex)) else {
                    return Err("holds a broken percent escape");
                };
                out.push(high << 4 | low);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| "must be UTF-8")
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
