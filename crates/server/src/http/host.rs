//! Under which name a request asks for this server.
//!
//! Whoever owns a name may make it point to any address, also to one that only browsers inside a network can reach. A page
//! of theirs then asks a server in there, and to the browser that is the page's own server (DNS rebinding). The page cannot
//! change one thing: the name, which arrives as `Host`. So a server that nobody outside its machine is meant to reach
//! answers under addresses and as `localhost` alone until it is told its names. One that listens elsewhere has been given a
//! name that it does not know, so there any name passes until the list says which; what that list holds counts everywhere.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::{HeaderMap, Request, Version};

use super::peer;
use super::problem::Problem;
use crate::settings::Settings;

/// Stands in the list for any name.
const ANY: &str = "*";

/// Paths that tell nothing to anybody, and that are asked for under whatever name a load balancer makes up.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// The names that are answered to.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// In lower case, without ports.
    listed: Vec<String>,
    /// Whether only this machine is meant to reach the server.
    at_home: bool,
}

impl From<&Settings> for Hosts {
    fn from(settings: &Settings) -> Self {
        let listed = settings.allowed_hosts.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { listed, at_home: settings.listen.ip().to_canonical().is_loopback() }
    }
}

impl Hosts {
    /// Refuses a request under a name that is not this server's.
    ///
    /// # Errors
    /// 421, and 400 when the request does not say what it asks for, or says two things.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        let host = host(request)?;
        let is_neighbour = || peer::address(request.extensions()).is_some_and(|peer| peer.is_loopback());
        let admitted = OPEN.contains(&request.uri().path()) || self.admits(host, is_neighbour);
        if admitted { Ok(()) } else { Err(Problem::misdirected()) }
    }

    fn admits(&self, host: &str, is_neighbour: impl Fn() -> bool) -> bool {
        let name = name(host);
        if self.listed.iter().any(|listed| listed == ANY || name.eq_ignore_ascii_case(listed)) {
            return true;
        }
        let is_plain = is_address_or_localhost(name) || name.is_empty();
        if self.listed.is_empty() { is_plain || !self.at_home } else { is_plain && is_neighbour() }
    }
}

/// What the request calls this server; empty for what HTTP/1.0 leaves unsaid.
fn host<B>(request: &Request<B>) -> Result<&str, Problem> {
    const UNCLEAR: &str = "must name this server once";
    let unclear = || Problem::invalid("Host", UNCLEAR);
    let mut lines = request.headers().get_all(HOST).iter();
    let line = lines.next().map(|line| line.to_str().map_err(|_| unclear())).transpose()?;
    if lines.next().is_some() || line.is_none() && request.version() == Version::HTTP_11 {
        return Err(unclear());
    }
    let line = line.unwrap_or_default();
    match request.uri().authority() {
        // Written for a proxy: what stands there and in the header must not lead to two different places.
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(line) => Err(unclear()),
        _ => Ok(line),
    }
}

/// Whether the request names its server by an address or as `localhost`. Any other name may be made to point here by
/// whoever owns it, pages and all.
#[must_use]
pub fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    is_address_or_localhost(name(host.unwrap_or_default()))
}

/// `[::1]:8000`, `127.0.0.1:8000`, `localhost` without port and brackets.
fn name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
            _ => host,
        },
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_address_or_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_name_is_not_an_address() {
        for (host, is_here) in [
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("10.1.2.3", true),
            ("localhost", true),
            ("LOCALHOST:8000", true),
            ("rebind.evil.example", false),
            ("127.0.0.1.evil.example:8000", false),
            ("localhost.evil.example", false),
            ("[localhost].evil.example", false),
            ("[localhost", false),
            ("2130706433", false),
            ("0x7f.1", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            assert_eq!(names_this_machine(&headers), is_here, "{host}");
        }
    }

    #[test]
    fn names_pass_as_the_settings_have_it() {
        let hosts = |listed: &[&str], at_home| Hosts {
            listed: listed.iter().map(|name| (*name).to_owned()).collect(),
            at_home,
        };
        let shop = ["shop.example"];
        // Names listed, loopback listener, Host, from this machine, passes.
        for (listed, at_home, host, neighbour, passes) in [
            (&[][..], true, "localhost:8000", true, true),
            (&[], true, "127.0.0.1", true, true),
            (&[], true, "rebind.evil.example", true, false),
            (&[], true, "", true, true),
            (&[], false, "shop.example", false, true),
            (&[], false, "192.0.2.1", false, true),
            (&shop[..], true, "shop.example", true, true),
            (&shop, true, "SHOP.example:443", true, true),
            (&shop, true, "evil.example", true, false),
            (&shop, true, "shop.example.evil.example", true, false),
            (&shop, true, "localhost", true, true),
            (&shop, false, "shop.example:8000", false, true),
            (&shop, false, "evil.example", false, false),
            (&shop, false, "192.0.2.1", false, false),
            (&shop, false, "127.0.0.1", false, false),
            (&shop, false, "127.0.0.1", true, true),
            (&shop, false, "", false, false),
            (&["*"], true, "evil.example", true, true),
        ] {
            let found = hosts(listed, at_home).admits(host, || neighbour);
            assert_eq!(found, passes, "{listed:?} {at_home} {host} {neighbour}");
        }
    }
}
