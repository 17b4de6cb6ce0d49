//! Compression of JSON answers that are large enough to gain by it.
//!
//! Done in one piece on bodies that are already whole, so that a small answer pays for one comparison and nothing else;
//! a general compression layer would wrap and box every body.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

/// Bodies of at most this many bytes go out as they are: they fit into one packet.
const WORTH_IT: u64 = 1024;

/// What an answer that is sent again and again comes to when it is compressed: done once, when it is first wanted so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packed(Arc<OnceLock<Option<Bytes>>>);

impl Packed {
    /// For a text that may gain by compression.
    pub(crate) fn of(text: &Bytes) -> Option<Self> {
        (text.len() as u64 > WORTH_IT).then(Self::default)
    }

    /// The compressed text, if it takes at most half as much. Otherwise it is compressed each time, and never kept.
    fn gzip(&self, text: &Bytes) -> Option<Bytes> {
        let half = |packed: &Bytes| packed.len() <= text.len() / 2;
        let kept = self.0.get_or_init(|| gzip(text, Compression::fast()).filter(half));
        kept.clone().or_else(|| gzip(text, Compression::fast()))
    }
}

/// Whether the client takes gzip, by its `Accept-Encoding` (RFC 9110, section 12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for choice in value.to_str().unwrap_or_default().split(',') {
            let mut parts = choice.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let refused = parts
                .filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                .any(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0));
            if coding.eq_ignore_ascii_case("gzip") {
                return !refused;
            }
            any |= coding == "*" && !refused;
        }
    }
    any
}

/// Compresses `bytes` in memory; `None` if that fails or does not make them smaller.
pub(crate) fn gzip(bytes: &[u8], level: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    encoder.write_all(bytes).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < bytes.len()).then(|| packed.into())
}

/// Compresses a large JSON answer. Streams, small answers, other content and what is already encoded stay as they are.
pub(crate) async fn compress(response: Response, client_accepts: bool) -> Response {
    let large = response.body().size_hint().exact().is_some_and(|size| size > WORTH_IT);
    if !large || response.headers().contains_key(CONTENT_ENCODING) || !is_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if !parts.headers.contains_key(VARY) {
        parts.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if !client_accepts {
        return Response::from_parts(parts, body);
    }
    // The size is known, so the body is whole and nothing is waited for.
    let Ok(whole) = body.collect().await else {
        return super::problem::Problem::internal("an answer's body failed before it was sent").into();
    };
    let whole = whole.to_bytes();
    let packed = match parts.extensions.remove::<Packed>() {
        Some(kept) => kept.gzip(&whole),
        None => gzip(&whole, Compression::fast()),
    };
    let body = match packed {
        Some(packed) => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.remove(CONTENT_LENGTH);
            packed
        }
        None => whole,
    };
    Response::from_parts(parts, Body::from(body))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.starts_with(b"application/json") || kind.starts_with(b"application/problem+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_compressed_once() {
        let text = Bytes::from("again and again ".repeat(100));
        let kept = Packed::of(&text).unwrap();
        let first = kept.gzip(&text).unwrap();
        assert_eq!(kept.clone().gzip(&text).unwrap().as_ptr(), first.as_ptr());
        assert_eq!(first, gzip(&text, Compression::fast()).unwrap());
        assert_eq!(Packed::of(&Bytes::from("short")), None);
        // Gains, but not enough to be kept.
        let digits: String =
            (1_u64..200).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_string()).collect();
        let digits = Bytes::from(digits);
        let kept = Packed::of(&digits).unwrap();
        let first = kept.gzip(&digits).unwrap();
        assert!(first.len() < digits.len());
        assert_ne!(kept.gzip(&digits).unwrap().as_ptr(), first.as_ptr());
    }

    #[test]
    fn reads_accept_encoding() {
        let cases = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("*", true),
            ("*;q=0", false),
            ("*, gzip;q=0", false),
            ("identity", false),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
