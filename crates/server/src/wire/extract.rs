//! Reading request bodies: JSON, and forms where the OAuth2 password flow wants one.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::invalid::{BodyError, Invalid, echo};
use super::node::{self, Node, Segment, Wording};
use super::query;

const WORDING: Wording = Wording { root: "body", unknown: "is not a known field" };

/// Larger bodies are told only their first error: searching for all of them reads the body many times.
const LARGEST_THOROUGH: usize = 16 * 1024;

/// What a body claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`, anything ending in `+json`, or no claim at all.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// What the `Content-Type` header says about the body.
///
/// # Errors
/// [`BodyError::UnsupportedMediaType`] for everything but UTF-8 JSON, and forms unless `forms` are permitted.
pub fn format(headers: &HeaderMap, forms: bool) -> Result<Format, BodyError> {
    let accepted =
        if forms { "application/json or application/x-www-form-urlencoded" } else { "application/json" };
    let refusal = BodyError::UnsupportedMediaType { accepted };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(Format::Json) };
    let (Ok(value), None) = (value.to_str(), values.next()) else { return Err(refusal) };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let charset = name.trim().eq_ignore_ascii_case("charset");
        if charset && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err(refusal);
        }
    }
    let json_suffix = essence.strip_prefix("application/").is_some_and(|kind| kind.ends_with("+json"));
    match essence.as_str() {
        "" | "application/json" => Ok(Format::Json),
        "application/x-www-form-urlencoded" if forms => Ok(Format::Form),
        _ if json_suffix => Ok(Format::Json),
        _ => Err(refusal),
    }
}

/// Collects the whole body.
///
/// # Errors
/// [`BodyError::TooLarge`] as soon as more than `limit` bytes have arrived, [`BodyError::Incomplete`] when the
/// connection ends first.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = cause {
            if inner.is::<LengthLimitError>() {
                return BodyError::TooLarge { limit };
            }
            cause = inner.source();
        }
        BodyError::Incomplete
    })
}

/// Reads a JSON body. Unknown and repeated fields are refused wherever they are.
///
/// # Errors
/// [`Invalid`] naming each wrong field, or `body` when it is not JSON at all.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let node: Node<'_> = serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
    node::read(node, WORDING, bytes.len() <= LARGEST_THOROUGH)
}

/// Reads an `application/x-www-form-urlencoded` body; fields that are empty stay, as empty text.
///
/// # Errors
/// [`Invalid`] naming each wrong field, or `body` when it is not UTF-8.
pub fn parse_form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let text = std::str::from_utf8(bytes).map_err(|_| Invalid::one("body", "must be UTF-8"))?;
    let pairs = query::pairs(text)?;
    let entries = pairs.into_iter().map(|(name, value)| (name, Node::Param(value))).collect();
    node::read(Node::Object(entries), WORDING, bytes.len() <= LARGEST_THOROUGH)
}

/// Says why the bytes are not JSON, and in which field if that can be told.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> Invalid {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Invalid::one("body", "is required and must be a JSON object");
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    let of_one_value = match reason {
        "recursion limit exceeded" => return Invalid::one("body", "is nested too deeply"),
        "number out of range" => Some("is out of range"),
        "invalid unicode code point" => Some("must be UTF-8"),
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            Some("must not contain half of a surrogate pair")
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            Some("must not contain unescaped control characters")
        }
        _ => None,
    };
    match of_one_value {
        Some(message) => {
            Invalid::one(super::invalid::field_name(&place_of_error(bytes), WORDING.root), message)
        }
        None => Invalid::one("body", format!("is not valid JSON: {}", echo(&text))),
    }
}

/// The way to the field in which parsing stops. Slow, and only for bodies that are known to be broken.
pub(crate) fn place_of_error(bytes: &[u8]) -> Vec<Segment> {
    use serde_path_to_error::Segment as Step;

    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, Node<'_>>(&mut deserializer) else {
        return Vec::new();
    };
    error
        .path()
        .iter()
        .map_while(|step| match step {
            Step::Seq { index } => Some(Segment::Index(*index)),
            Step::Map { key } => Some(Segment::Key(key.clone())),
            Step::Enum { .. } | Step::Unknown => None,
        })
        .collect()
}

/// Builds the tree of a query: every value is a parameter.
pub(super) fn parameters<'a>(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Node<'a> {
    Node::Object(pairs.into_iter().map(|(name, value)| (name, Node::Param(value))).collect())
}

#[cfg(test)]
mod tests;
