//! Compression of JSON answers that are large enough to gain by it.
//!
//! Done in one piece on bodies that are already whole, so that a small answer pays for one comparison and nothing else;
//! a general compression layer would wrap and box every body.

use std::io::Write;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

/// Bodies of at most this many bytes go out as they are: they fit into one packet.
const WORTH_IT: u64 = 1024;

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
    let body = match gzip(&whole, Compression::fast()) {
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
