//! Who is at the other end of the connection, and whether they speak for somebody else.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{FORWARDED, VIA};
use axum::http::{Extensions, HeaderMap};

/// The address at the other end of the connection. `None` without a connection, in tests.
#[must_use]
pub fn address(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    // An IPv4 client of an IPv6 socket is an IPv4 client.
    Some(peer.ip().to_canonical())
}

/// Whether a proxy says that it passes on what somebody else asks. That none says so proves nothing, but a proxy that
/// keeps silent was made to.
#[must_use]
pub fn speaks_for_another(headers: &HeaderMap) -> bool {
    let is_mark = |name: &str| {
        name.starts_with("x-forwarded")
            || matches!(name, "x-real-ip" | "x-client-ip" | "x-original-forwarded-for" | "true-client-ip")
    };
    headers.contains_key(FORWARDED)
        || headers.contains_key(VIA)
        || headers.keys().any(|name| is_mark(name.as_str()))
}
