use axum::extract::ConnectInfo;

use super::*;
use crate::settings::network;

const PROXIES: &[&str] = &["10.0.0.1", "10.1.0.0/16", "fd00::/8"];

fn proxies() -> Vec<IpNet> {
    PROXIES.iter().filter_map(|text| network(text)).collect()
}

fn parts(peer: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = axum::http::Request::builder().uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).unwrap();
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request.into_parts().0
}

type Find = fn(&Parts, &[IpNet]) -> Source;
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const XFF: &str = "x-forwarded-for";
const FWD: &str = "forwarded";

/// Peer, headers, who asks.
const CASES: &[Case] = &[
    // Nobody believes a stranger.
    ("192.0.2.9", &[], "192.0.2.9"),
    ("192.0.2.9", &[(XFF, "1.1.1.1")], "192.0.2.9"),
    ("192.0.2.9", &[(FWD, "for=1.1.1.1")], "192.0.2.9"),
    ("127.0.0.1", &[(XFF, "1.1.1.1")], "127.0.0.1"),
    ("::ffff:192.0.2.9", &[], "192.0.2.9"),
    // A proxy that says nothing asks for itself.
    ("10.0.0.1", &[], "10.0.0.1"),
    ("10.0.0.1", &[("x-real-ip", "1.1.1.1")], "10.0.0.1"),
    // One hop.
    ("10.0.0.1", &[(XFF, "203.0.113.5")], "203.0.113.5"),
    ("::ffff:10.0.0.1", &[(XFF, "203.0.113.5")], "203.0.113.5"),
    ("10.1.7.7", &[(XFF, "2001:db8::5")], "2001:db8::5"),
    ("fd00::1", &[(XFF, "[2001:db8::5]:443")], "2001:db8::5"),
    ("10.0.0.1", &[(XFF, "203.0.113.5:1234")], "203.0.113.5"),
    ("10.0.0.1", &[(XFF, "::ffff:203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(FWD, "for=203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(FWD, "proto=https;For=\"[2001:db8::5]:80\";by=x")], "2001:db8::5"),
    // What the client wrote stands left of what the proxy wrote.
    ("10.0.0.1", &[(XFF, "1.1.1.1, 203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(FWD, "for=1.1.1.1, for=203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(FWD, "for=1.1.1.1"), (FWD, "for=203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(XFF, "10.1.0.9, 203.0.113.5")], "203.0.113.5"),
    ("10.0.0.1", &[(FWD, "for=\"1.1.1.1, for=2.2.2.2\", for=203.0.113.5")], "203.0.113.5"),
    // Several proxies that are trusted.
    ("10.0.0.1", &[(XFF, "1.1.1.1, 203.0.113.5, 10.1.0.9")], "203.0.113.5"),
    ("10.0.0.1", &[(XFF, "10.1.0.8, 10.1.0.9")], "10.1.0.8"),
    // What is no address ends the walk at the last hop that is known.
    ("10.0.0.1", &[(XFF, "unknown")], "10.0.0.1"),
    ("10.0.0.1", &[(XFF, "1.1.1.1, ")], "10.0.0.1"),
    ("10.0.0.1", &[(XFF, "1.1.1.1, _hidden, 10.1.0.9")], "10.1.0.9"),
    ("10.0.0.1", &[(FWD, "for=_hidden")], "10.0.0.1"),
    ("10.0.0.1", &[(FWD, "for=1.1.1.1, proto=https")], "10.0.0.1"),
    ("10.0.0.1", &[(FWD, "for=\"1.1.1.1")], "10.0.0.1"),
    // Two headers of which one is the client's.
    ("10.0.0.1", &[(FWD, "for=1.1.1.1"), (XFF, "203.0.113.5")], "10.0.0.1"),
    ("10.0.0.1", &[(FWD, "for=203.0.113.5"), (XFF, "203.0.113.5")], "203.0.113.5"),
];

/// The first case in which `find` errs.
fn first_wrong(find: Find) -> Option<&'static Case> {
    let wanted = |address: &str| address.parse::<IpAddr>().unwrap();
    CASES
        .iter()
        .find(|(peer, headers, address)| find(&parts(peer, headers), &proxies()).address != wanted(address))
}

#[test]
fn only_what_trusted_proxies_wrote_is_believed() {
    assert_eq!(first_wrong(Source::of), None);
}

#[test]
fn control_those_who_believe_too_much_are_caught() {
    let source = |address| Source { address, direct: false };
    let peer = |parts: &Parts| peer::address(&parts.extensions).unwrap();
    let leftmost: Find = |parts, _| {
        let first = forwarded_for(&parts.headers).into_iter().next().flatten();
        Source { address: first.unwrap_or(peer::address(&parts.extensions).unwrap()), direct: false }
    };
    let whoever_connects: Find = |parts, trusted| {
        let peer = peer::address(&parts.extensions).unwrap();
        Source { address: behind(peer, &parts.headers, trusted), direct: false }
    };
    let without_a_walk: Find = |parts, _| {
        let last = forwarded_for(&parts.headers).pop().flatten();
        Source { address: last.unwrap_or(peer::address(&parts.extensions).unwrap()), direct: false }
    };
    for wrong in [leftmost, whoever_connects, without_a_walk] {
        assert!(first_wrong(wrong).is_some());
    }
    let parts = parts("192.0.2.9", &[]);
    assert_eq!(source(peer(&parts)).text().as_ref(), "192.0.2.9");
}

#[test]
fn whoever_is_spoken_for_is_not_here() {
    for (peer, headers, direct) in [
        ("127.0.0.1", &[][..], true),
        ("127.0.0.1", &[("x-request-id", "7")], true),
        ("127.0.0.1", &[(FWD, "for=1.1.1.1")], false),
        ("127.0.0.1", &[(XFF, "")], false),
        ("127.0.0.1", &[("x-forwarded-proto", "https")], false),
        ("127.0.0.1", &[("x-forwarded-host", "shop.example")], false),
        ("127.0.0.1", &[("x-real-ip", "1.1.1.1")], false),
        ("127.0.0.1", &[("via", "1.1 proxy")], false),
        // Whoever is named as a proxy speaks for others even when silent.
        ("10.0.0.1", &[], false),
    ] {
        assert_eq!(Source::of(&parts(peer, headers), &proxies()).direct, direct, "{peer} {headers:?}");
    }
}
