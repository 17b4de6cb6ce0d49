//! From where a request comes: what the connection says, and what proxies say that were named in the settings.
//!
//! Anybody can send a header. So one is read only if the connection comes from a trusted proxy, and from its right end,
//! where that proxy has written; what stands left of the first hop that is not trusted may be made up. A header that
//! does not say clearly who asked is not guessed at: the last hop that is known counts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use crate::app::App;
use crate::http::peer;
use crate::http::problem::Problem;
use crate::settings::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Who asks, as far as it can be known.
    pub address: IpAddr,
    /// Whether they have connected themselves, and no proxy speaks for them.
    pub direct: bool,
}

impl Source {
    /// Where this request comes from.
    #[must_use]
    pub fn of(parts: &Parts, trusted: &[IpNet]) -> Self {
        // Without a connection there is nobody to trust; no client can cause that.
        let peer = peer::address(&parts.extensions).unwrap_or(IpAddr::from([0, 0, 0, 0]));
        if !is_trusted(peer, trusted) {
            return Self { address: peer, direct: !peer::speaks_for_another(&parts.headers) };
        }
        Self { address: behind(peer, &parts.headers, trusted), direct: false }
    }

    /// The address in words, for what is written down.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        self.address.to_string().into()
    }
}

impl FromRequestParts<App> for Source {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self::of(parts, &app.settings().trusted_proxies))
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Who asks the trusted `proxy`.
fn behind(proxy: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let by_standard = headers.contains_key(FORWARDED).then(|| walk(proxy, forwarded(headers), trusted));
    let by_custom =
        headers.contains_key(X_FORWARDED_FOR).then(|| walk(proxy, forwarded_for(headers), trusted));
    match (by_standard, by_custom) {
        (Some(address), None) | (None, Some(address)) => address,
        // A proxy that writes one of them passes the other on as the client has sent it. Which is which nobody knows.
        (Some(one), Some(other)) if one == other => one,
        (Some(_), Some(_)) | (None, None) => proxy,
    }
}

/// Walks from the right, as long as each hop was written by one that is trusted.
fn walk(proxy: IpAddr, hops: Vec<Option<IpAddr>>, trusted: &[IpNet]) -> IpAddr {
    let mut known = proxy;
    for hop in hops.into_iter().rev() {
        let Some(address) = hop else { return known };
        known = address;
        if !is_trusted(address, trusted) {
            return known;
        }
    }
    known
}

/// The hops of `X-Forwarded-For` from left to right; `None` for what is no address.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',').map(node)).collect()
}

/// The hops of `Forwarded` (RFC 7239) from left to right; `None` for those that do not say who asked.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).iter();
    // No address has a comma, a semicolon or an escape in it, so quotes need not be understood: an element that
    // plays with them yields none.
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',').map(element)).collect()
}

fn element(text: &str) -> Option<IpAddr> {
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?.1.trim();
    let bare = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    node(bare)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
