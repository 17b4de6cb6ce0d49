//! Where the messages of a connection begin and end, and where its database is.

use std::net::SocketAddr;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// The language of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Postgres,
    MySql,
}

/// A URL taken apart as far as a proxy needs it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What stands before and behind the host.
    before: String,
    behind: String,
}

impl Target {
    /// The first host of a URL such as `postgres://USER@HOST:PORT/NAME?…`.
    pub(crate) fn of(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("a URL begins with a scheme");
        let protocol = if scheme.starts_with("postgres") { Protocol::Postgres } else { Protocol::MySql };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (login, hosts) = rest[..end].rsplit_once('@').unwrap_or(("", &rest[..end]));
        let first = hosts.split(',').next().unwrap_or(hosts);
        // An IPv6 address has colons of its own, between brackets.
        let name_end = first.rfind(']').unwrap_or(0);
        let (host, port) =
            first.split_at(first[name_end..].find(':').map_or(first.len(), |at| name_end + at));
        let usual = if protocol == Protocol::Postgres { 5432 } else { 3306 };
        Self {
            protocol,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.trim_start_matches(':').parse().unwrap_or(usual),
            before: format!("{scheme}://{login}@"),
            behind: rest[end..].to_owned(),
        }
    }

    /// The same database, by way of another address and without encryption, so that messages can be told apart.
    pub(crate) fn by_way_of(&self, address: SocketAddr) -> String {
        let (name, plain) = match self.protocol {
            Protocol::Postgres => ("sslmode=", "disable"),
            Protocol::MySql => ("ssl-mode=", "DISABLED"),
        };
        let (path, query) = self.behind.split_once('?').unwrap_or((&self.behind, ""));
        let others = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with(name));
        let pairs: Vec<_> = others.map(str::to_owned).chain([format!("{name}{plain}")]).collect();
        format!("{}{address}{path}?{}", self.before, pairs.join("&"))
    }
}

/// The messages of one direction of one connection, from its beginning.
#[derive(Debug)]
pub(crate) struct Messages {
    protocol: Protocol,
    /// What has come of the head of the current message.
    head: Vec<u8>,
    head_length: usize,
    /// How much of its body is still to come; `None` as long as the head is not complete.
    left: Option<usize>,
}

impl Messages {
    pub(crate) fn new(protocol: Protocol, direction: Direction) -> Self {
        // What a client of PostgreSQL says first has no type.
        let is_typed = protocol == Protocol::Postgres && direction == Direction::ToClient;
        Self { protocol, head: Vec::new(), head_length: if is_typed { 5 } else { 4 }, left: None }
    }

    /// How many of these bytes belong to the current message, and whether it ends with them.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        if self.left.is_none() {
            taken = (self.head_length - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            if self.head.len() < self.head_length {
                return (taken, false);
            }
            self.left = Some(self.body_length());
        }
        let left = self.left.unwrap_or(0);
        let body = left.min(bytes.len() - taken);
        if body < left {
            self.left = Some(left - body);
            return (taken + body, false);
        }
        self.head.clear();
        self.left = None;
        if self.protocol == Protocol::Postgres {
            self.head_length = 5;
        }
        (taken + body, true)
    }

    fn body_length(&self) -> usize {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        match self.protocol {
            // The length counts itself, but not the type.
            Protocol::Postgres => number(&self.head[self.head_length - 4..]) - 4,
            Protocol::MySql => number(&[self.head[2], self.head[1], self.head[0]]),
        }
    }
}

/// A proxy that lost count would cut anywhere.
mod tests {
    use super::*;

    fn lengths(mut messages: Messages, bytes: &[u8], portion: usize) -> Vec<usize> {
        let (mut lengths, mut length) = (Vec::new(), 0);
        for mut chunk in bytes.chunks(portion) {
            while !chunk.is_empty() {
                let (taken, has_ended) = messages.piece(chunk);
                chunk = &chunk[taken..];
                length += taken;
                if has_ended {
                    lengths.push(std::mem::take(&mut length));
                }
            }
        }
        assert_eq!(length, 0, "the last message has no end");
        lengths
    }

    #[test]
    fn messages_are_told_apart_in_whatever_portions_they_come() {
        let startup = [&[0, 0, 0, 9][..], b"hello"].concat();
        let postgres = [&startup[..], b"Q\0\0\0\x06ab", b"S\0\0\0\x04"].concat();
        let mysql = [&[1, 0, 0, 0][..], b"x", &[0, 0, 0, 1], &[2, 0, 0, 2], b"ab"].concat();
        for portion in 1..=postgres.len() {
            let messages = || Messages::new(Protocol::Postgres, Direction::ToServer);
            assert_eq!(lengths(messages(), &postgres, portion), [9, 7, 5]);
            let messages = Messages::new(Protocol::MySql, Direction::ToClient);
            assert_eq!(lengths(messages, &mysql, portion), [5, 4, 6]);
        }
    }

    #[test]
    fn a_url_leads_through_the_proxy() {
        let proxy = "127.0.0.1:9".parse().unwrap();
        for (url, host, port, through) in [
            (
                "postgres://a:p@h:1,i:2/d?schema=s&sslmode=prefer",
                "h",
                1,
                "postgres://a:p@127.0.0.1:9/d?schema=s&sslmode=disable",
            ),
            ("mysql://root@[::1]/d", "::1", 3306, "mysql://root@127.0.0.1:9/d?ssl-mode=DISABLED"),
        ] {
            let target = Target::of(url);
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.by_way_of(proxy), through);
        }
    }
}
