//! Where a MySQL or MariaDB server is, and how to speak to it: what the URL says.
//!
//! `mysql://USER:PASSWORD@HOST1:PORT,HOST2:PORT/NAME?ssl-mode=…&ssl-ca=FILE`, or `?socket=PATH` instead of hosts.
//! `row-source=json|literals` says how rows travel, if the server is not to decide that.
//! Whatever is not a letter, a digit or one of `-._~` in a name, a password or a file is written as `%XX`.
//!
//! Architecture Invariant: no message here repeats the URL or a part of it. A password that was not encoded
//! (`pa?ss`, `p/w`) may turn up as a host or as the name of a parameter.

use super::super::dialect::RowSource;
use super::super::hosts::Hosts;
use crate::StoreError;
use mysql_async::{Opts, OptsBuilder, SslOpts};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_PORT: u16 = 3306;
/// After this long in silence the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where the database is: made of the URL once.
pub(in super::super) struct Address {
    /// At least one.
    pub(super) endpoints: Hosts<Endpoint>,
    user: String,
    password: Option<String>,
    database: String,
    pub(super) tls: Tls,
    ca: Option<PathBuf>,
    /// How rows travel, if the server is not to decide that.
    pub(super) row_source: Option<RowSource>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Socket(String),
}

/// Whether the connection is encrypted, and what is asked of the server's certificate. Each asks for more than the one
/// before; with a file of authorities (`ssl-ca`) none accepts a certificate from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tls {
    Disabled,
    /// When the server can.
    Preferred,
    Required,
    /// The certificate comes from an authority that is trusted.
    VerifyCa,
    /// And it was made for the host that the URL names.
    VerifyIdentity,
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoints, database, tls, ca, row_source, .. } = self;
        formatter
            .debug_struct("mysql::Address")
            .field("endpoints", &endpoints.all())
            .field("database", database)
            .field("tls", tls)
            .field("ca", ca)
            .field("row_source", row_source)
            .finish_non_exhaustive()
    }
}

impl Address {
    /// Understands a URL.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] with a sentence about what is wrong, which does not repeat the URL.
    pub(in super::super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (_, rest) =
            url.split_once("://").ok_or_else(|| refused("must begin with mysql:// or mariadb://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (login, None),
        };
        let (user, database) = (decoded(user)?, decoded(database)?);
        if user.is_empty() || database.is_empty() {
            return Err(refused(
                "must name a user and a database, as in mysql://USER:PASSWORD@HOST:PORT/NAME",
            ));
        }
        let Parameters { tls, ca, socket, row_source } = Parameters::parse(query)?;
        let endpoints = match socket {
            Some(path) if hosts.is_empty() || hosts == "localhost" => vec![Endpoint::Socket(path)],
            Some(_) => return Err(refused("names a socket as well as hosts: one of them is too many")),
            None => hosts.split(',').map(endpoint).collect::<Result<_, _>>()?,
        };
        if tls != Tls::Disabled {
            // The driver takes the provider of the process. Whoever installed one before has chosen ring, too.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self { endpoints: Hosts::new(endpoints), user, password, database, tls, ca, row_source })
    }

    /// What the driver needs to know to connect to a server. `name` is what the certificate is to be made for, if not
    /// for the host.
    pub(super) fn options(&self, endpoint: &Endpoint, is_encrypted: bool, name: Option<String>) -> Opts {
        let builder = OptsBuilder::default()
            .user(Some(&self.user))
            .pass(self.password.as_ref())
            .db_name(Some(&self.database))
            // An update that changes nothing has found its row all the same.
            .client_found_rows(true)
            // Statements are kept in `statements.rs`.
            .stmt_cache_size(0)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(KEEPALIVE))
            .prefer_socket(false);
        match endpoint {
            // What goes through a socket stays on this machine.
            Endpoint::Socket(path) => builder.socket(Some(path)),
            Endpoint::Tcp { host, port } => builder
                .ip_or_hostname(host)
                .tcp_port(*port)
                .ssl_opts(is_encrypted.then(|| self.ssl_options(name))),
        }
        .into()
    }

    /// Whether a certificate is looked at in any way.
    pub(super) fn verifies_certificate(&self) -> bool {
        self.tls >= Tls::VerifyCa || self.ca.is_some()
    }

    fn ssl_options(&self, name: Option<String>) -> SslOpts {
        let verifies = self.verifies_certificate();
        let options = SslOpts::default()
            .with_danger_accept_invalid_certs(!verifies)
            .with_danger_skip_domain_validation(self.tls != Tls::VerifyIdentity)
            .with_danger_tls_hostname_override(name);
        match &self.ca {
            Some(file) => {
                options.with_disable_built_in_roots(true).with_root_certs(vec![file.clone().into()])
            }
            None => options,
        }
    }
}

/// What follows the question mark.
struct Parameters {
    tls: Tls,
    ca: Option<PathBuf>,
    socket: Option<String>,
    row_source: Option<RowSource>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, StoreError> {
        let (mut tls, mut ca, mut socket, mut row_source) = (None, None, None, None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("ssl-mode", mode)) => tls = Some(mode_of(mode)?),
                Some(("ssl-ca", file)) => ca = Some(readable(decoded(file)?)?),
                Some(("socket", path)) => socket = Some(decoded(path)?),
                Some(("row-source", "json")) => row_source = Some(RowSource::Json),
                Some(("row-source", "literals")) => row_source = Some(RowSource::Literals),
                Some(("row-source", _)) => {
                    return Err(refused("has an unknown row-source; known are json and literals"));
                }
                _ => {
                    return Err(refused(
                        "has an unknown parameter; known are ssl-mode, ssl-ca, socket and row-source",
                    ));
                }
            }
        }
        // Who names an authority wants the certificate to be from it.
        let tls = tls.unwrap_or(if ca.is_some() { Tls::VerifyCa } else { Tls::Preferred });
        Ok(Self { tls, ca, socket, row_source })
    }
}

fn mode_of(word: &str) -> Result<Tls, StoreError> {
    Ok(match word.to_ascii_uppercase().as_str() {
        "DISABLED" => Tls::Disabled,
        "PREFERRED" => Tls::Preferred,
        "REQUIRED" => Tls::Required,
        "VERIFY_CA" => Tls::VerifyCa,
        "VERIFY_IDENTITY" => Tls::VerifyIdentity,
        _ => {
            return Err(refused(
                "has an unknown ssl-mode; known are DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY",
            ));
        }
    })
}

/// A file that is looked at now, so that a mistake is told at the start.
fn readable(file: String) -> Result<PathBuf, StoreError> {
    match std::fs::File::open(&file) {
        Ok(_) => Ok(file.into()),
        Err(_) => Err(refused("names a file with ssl-ca that cannot be read")),
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn endpoint(text: &str) -> Result<Endpoint, StoreError> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = decoded(host)?;
    if host.is_empty() {
        return Err(refused("must name a host, as in mysql://USER:PASSWORD@HOST:PORT/NAME"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            refused("has a port that is none; what is not a letter or digit in a password is written as %XX")
        })?,
    };
    Ok(Endpoint::Tcp { host, port })
}

/// `%XX` read as the byte that it stands for.
fn decoded(text: &str) -> Result<String, StoreError> {
    let wrong = || refused("has a % that is not followed by two hexadecimal digits of UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |digit: Option<u8>| {
            let value = digit.and_then(|digit| char::from(digit).to_digit(16));
            value.and_then(|value| u8::try_from(value).ok())
        };
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return Err(wrong()),
            },
            byte => byte,
        });
    }
    // A NUL would end the name in the driver.
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(wrong)
}

fn refused(what: &str) -> StoreError {
    StoreError::unsupported(format!("the database URL {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn a_url_names_hosts_in_their_order() {
        let address = Address::parse("mysql://u%40x:p%2Fw%3a%C3%A9@db1,[::1]:3307,db3:1/shop%2D1").unwrap();
        assert_eq!((address.user.as_str(), address.password.as_deref()), ("u@x", Some("p/w:é")));
        assert_eq!(address.database, "shop-1");
        assert_eq!(address.endpoints.all(), [tcp("db1", 3306), tcp("::1", 3307), tcp("db3", 1)]);
        assert_eq!((address.tls, address.verifies_certificate()), (Tls::Preferred, false));
        let address = Address::parse("mariadb://root@h/d?socket=/run/x%20y").err();
        assert!(address.is_some(), "a host and a socket");
        for hosts in ["", "localhost"] {
            let address = Address::parse(&format!("mariadb://root@{hosts}/d?socket=/run/x%20y")).unwrap();
            assert_eq!(address.endpoints.all(), [Endpoint::Socket("/run/x y".to_owned())]);
            assert_eq!(address.password, None);
        }
    }

    #[test]
    fn rows_travel_as_the_url_or_the_server_says() {
        for (query, row_source) in [
            ("", None),
            ("?row-source=json", Some(RowSource::Json)),
            ("?ssl-mode=DISABLED&row-source=literals", Some(RowSource::Literals)),
        ] {
            assert_eq!(Address::parse(&format!("mysql://u@h/d{query}")).unwrap().row_source, row_source);
        }
    }

    #[test]
    fn encryption_is_what_the_url_asks_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().display();
        for (query, tls, verifies) in [
            ("ssl-mode=disabled".to_owned(), Tls::Disabled, false),
            ("ssl-mode=REQUIRED".to_owned(), Tls::Required, false),
            ("ssl-mode=VERIFY_IDENTITY".to_owned(), Tls::VerifyIdentity, true),
            (format!("ssl-ca={file}"), Tls::VerifyCa, true),
            (format!("ssl-ca={file}&ssl-mode=PREFERRED"), Tls::Preferred, true),
        ] {
            let address = Address::parse(&format!("mysql://u@h/d?{query}")).unwrap();
            assert_eq!((address.tls, address.verifies_certificate()), (tls, verifies), "{query}");
            let options = address.options(&address.endpoints.all()[0], true, None);
            assert_eq!(options.ssl_opts().unwrap().accept_invalid_certs(), !verifies, "{query}");
            assert_eq!(options.ssl_opts().unwrap().disable_built_in_roots(), query.contains("ssl-ca"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_url() {
        for url in [
            "mysql:secret",
            "mysql://",
            "mysql://secret",
            "mysql://u:secret@h",
            "mysql://u:secret@h/",
            "mysql://:secret@h/d",
            "mysql://u:secret@/d",
            "mysql://u:secret@h,/d",
            "mysql://u:secret@h:x/d",
            "mysql://u:secret@h:0/d",
            "mysql://u:secret@h:70000/d",
            "mysql://u:secret@[::1]x/d",
            "mysql://u:secret%@h/d",
            "mysql://u:secret%zz@h/d",
            "mysql://u:secret%00@h/d",
            "mysql://u:secret%FF@h/d",
            "mysql://u:se?cret=@h/secret",
            "mysql://u:p/secret@h/d",
            "mysql://u:p@h/d?secret=1",
            "mysql://u:p@h/d?ssl-mode=secret",
            "mysql://u:p@h/d?ssl-ca=/no/such/secret",
            "mysql://u:p@h/d?sslmode=require",
            "mysql://u:p@h/d?row-source=secret",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Unsupported { .. }), "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("cret"), "{url}: {error:?}");
        }
        let address = Address::parse("mysql://u:secret@h/d").unwrap();
        assert!(!format!("{address:?}").contains("secret"), "{address:?}");
    }
}
