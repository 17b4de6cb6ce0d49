//! The name of one request, in the answer's header, in problem documents, in logs and beside every change it caused.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::problem::Problem;

/// Header that carries the id in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most characters of an id that a client chooses.
const MAX_LENGTH: usize = 128;

/// Names one request. The client's `X-Request-Id` if that is 1 to 128 visible ASCII characters, else made here.
/// Cloning costs a reference count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id if it is acceptable, else a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(value) if acceptable(value.as_bytes()) => Self(value.clone()),
            _ => Self::new(),
        }
    }

    /// A new id: 13 characters, unique in this process and not likely to be met in another.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every call gives another id, which no default should")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        static SEED: OnceLock<u64> = OnceLock::new();
        // Without a random source the ids are still unique within the process.
        let seed = SEED.get_or_init(|| getrandom::u64().unwrap_or_default());
        let text = spell(mix(seed.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))));
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
        Self(value.unwrap_or(HeaderValue::from_static("-")))
    }

    /// The id as text: visible ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header value, without copying it.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Present behind `middleware::finish`; a bare router in a test gets an id of its own.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(Self::new))
    }
}

fn acceptable(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// SplitMix64: a bijection, so that distinct counters stay distinct while neighbours look unrelated.
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Thirteen base-32 digits without the letters i, l, o and u.
fn spell(mut n: u64) -> [u8; 13] {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = [0; 13];
    for place in text.iter_mut().rev() {
        *place = DIGITS[usize::from(n.to_le_bytes()[0] & 31)];
        n >>= 5;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(value: &'static [u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn takes_the_clients_id_only_if_it_is_short_and_visible() {
        static LONGEST: [u8; 128] = [b'x'; 128];
        static TOO_LONG: [u8; 129] = [b'x'; 129];
        assert_eq!(of(b"trace-1/2").as_str(), "trace-1/2");
        assert_eq!(of(&LONGEST).as_str().len(), 128);
        for refused in [&b""[..], b"a b", b"caf\xe9", b"tab\there", &TOO_LONG] {
            assert_eq!(of(refused).as_str().len(), 13, "{refused:?}");
        }
    }

    #[test]
    fn made_ids_are_distinct_and_visible() {
        let ids: HashSet<String> = (0..10_000).map(|_| RequestId::new().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| acceptable(id.as_bytes()) && id.len() == 13));
    }
}
