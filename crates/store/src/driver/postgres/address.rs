//! Where a PostgreSQL database is, out of its URL.

use crate::StoreError;
use crate::driver::hosts::Hosts;
use crate::driver::tls::{self, Trust};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest name that PostgreSQL keeps whole, in bytes.
const LONGEST_NAME: usize = 63;
/// Parameters that mean what they mean to libpq, and need nothing of us.
const PASSED_ON: &[&str] = &[
    "user",
    "password",
    "dbname",
    "host",
    "port",
    "application_name",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "channel_binding",
];

/// Where the database is and how to get in:
/// `postgres://USER:PASSWORD@HOST:PORT/NAME?PARAMETER=VALUE&…`, as libpq reads it.
///
/// There may be several hosts, separated by commas, each with a port of its own; a directory with a Unix socket is given
/// as `?host=/directory`. Without a user it is the operating system's, without a name it is the user's. Besides those of
/// libpq that [`PASSED_ON`] lists, the parameters are:
/// - `schema`: where Stockroom keeps its tables (`options=-csearch_path=…` is another way to say it). It is created
///   by the first migration. Without it, the role's own search path decides, which most often means `public`;
/// - `sslmode`: `disable`; `prefer`, the default: TLS if the server offers it; `require`: TLS; `verify-ca`: with a
///   certificate from one of the authorities; `verify-full`: which also is for this host;
/// - `sslrootcert`: a file with the authorities (PEM), or `system`, which stands for those that browsers trust. With a
///   file, `prefer` and `require` demand a certificate from one of them, too;
/// - `target_session_attrs`: `read-write` (or `primary`) passes over hosts that take no writes, `any` does not. With
///   several hosts `read-write` is the default.
pub(in crate::driver) struct Address {
    /// One for each host.
    hosts: Hosts<Config>,
    tls: Option<MakeRustlsConnect>,
    /// Whether a host with which TLS cannot be agreed on is asked again without.
    may_fall_back: bool,
    schema: Option<Arc<Schema>>,
}

/// The schema with the tables.
#[derive(Debug)]
pub(super) struct Schema {
    name: String,
    is_there: AtomicBool,
}

impl Schema {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name as SQL has it.
    pub(super) fn identifier(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// Whether somebody has seen it. Until then each transaction looks for it, and makes it if it is missing.
    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Relaxed)
    }

    pub(super) fn seen(&self) {
        self.is_there.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("postgres::Address")
    }
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] says what is wrong without repeating any of it but the name of a parameter.
    pub(in crate::driver) fn parse(url: &str) -> Result<Self, StoreError> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut own = Own::default();
        let mut rest = String::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((name, raw)) = pair.split_once('=') else {
                return Err(refused("a parameter of the database URL has no value"));
            };
            if own.take(name, raw)? {
                continue;
            }
            // The driver takes a list of ports apart by itself, one of hosts it does not.
            for value in raw.split(|comma| comma == ',' && name == "host") {
                rest.push(if rest.is_empty() { '?' } else { '&' });
                rest.push_str(name);
                rest.push('=');
                rest.push_str(value);
            }
        }
        let mut config: Config = format!("{place}{rest}").parse().map_err(|_| {
            refused(
                "the database URL cannot be understood: it must be like \
                 postgres://USER:PASSWORD@HOST:5432/NAME, and special characters of a password be written as %XX",
            )
        })?;
        if config.get_application_name().is_none() {
            config.application_name("stockroom");
        }
        own.keep_alive(&mut config);
        let tls = own.security(&mut config)?;
        let hosts = own.hosts(&config)?;
        Ok(Self {
            hosts: Hosts::new(hosts),
            tls,
            may_fall_back: own.mode() == Mode::Prefer && own.authorities.is_none(),
            schema: own.schema.map(|name| Arc::new(Schema { name, is_there: AtomicBool::new(false) })),
        })
    }

    pub(super) fn hosts(&self) -> &Hosts<Config> {
        &self.hosts
    }

    pub(super) fn tls(&self) -> Option<MakeRustlsConnect> {
        self.tls.clone()
    }

    pub(super) fn may_fall_back(&self) -> bool {
        self.may_fall_back
    }

    pub(super) fn schema(&self) -> Option<Arc<Schema>> {
        self.schema.clone()
    }
}

/// `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What the driver of PostgreSQL does not know, or knows differently.
#[derive(Default)]
struct Own {
    schema: Option<String>,
    mode: Option<Mode>,
    authorities: Option<PathBuf>,
    /// `sslrootcert=system`: nothing weaker than `verify-full` goes with it, as in libpq.
    trusts_public_authorities: bool,
    target: Option<TargetSessionAttrs>,
    names: Vec<String>,
}

impl Own {
    /// Whoever names authorities means them: without a mode, what is encrypted to anybody is not enough.
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(match (self.trusts_public_authorities, &self.authorities) {
            (true, _) => Mode::VerifyFull,
            (false, Some(_)) => Mode::VerifyCa,
            (false, None) => Mode::Prefer,
        })
    }

    /// Takes a parameter, or says that it is one to be passed on.
    fn take(&mut self, name: &str, raw: &str) -> Result<bool, StoreError> {
        let value = decode(raw)?;
        match name {
            "schema" => self.take_schema(&value)?,
            "options" => self.take_schema(&search_path(&value)?)?,
            "sslmode" => self.mode = Some(mode(&value)?),
            "sslrootcert" if value == "system" => self.trusts_public_authorities = true,
            "sslrootcert" => self.authorities = Some(value.into()),
            "target_session_attrs" => {
                self.target = Some(match &*value {
                    "any" => TargetSessionAttrs::Any,
                    "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                    _ => {
                        return Err(refused(
                            "target_session_attrs must be any or read-write: Stockroom writes",
                        ));
                    }
                });
            }
            _ if PASSED_ON.contains(&name) => {
                self.names.push(name.to_owned());
                return Ok(false);
            }
            _ => {
                return Err(StoreError::unsupported(format!(
                    "the database URL has the parameter {name:?}, which Stockroom does not know"
                )));
            }
        }
        Ok(true)
    }

    fn take_schema(&mut self, name: &str) -> Result<(), StoreError> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(refused("the name of a schema has 1 to 63 bytes"));
        }
        if self.schema.as_ref().is_some_and(|other| other != name) {
            return Err(refused("the database URL names two schemas"));
        }
        self.schema = Some(name.to_owned());
        Ok(())
    }

    /// A peer that is gone without a word is noticed within half a minute, unless the URL says otherwise.
    fn keep_alive(&self, config: &mut Config) {
        let is_named = |name: &str| self.names.iter().any(|known| known == name);
        if !is_named("keepalives_idle") {
            config.keepalives_idle(Duration::from_secs(10));
        }
        if !is_named("keepalives_interval") {
            config.keepalives_interval(Duration::from_secs(5));
        }
        if !is_named("keepalives_retries") {
            config.keepalives_retries(3);
        }
        if !is_named("tcp_user_timeout") {
            config.tcp_user_timeout(Duration::from_secs(25));
        }
    }

    fn security(&self, config: &mut Config) -> Result<Option<MakeRustlsConnect>, StoreError> {
        if self.trusts_public_authorities && self.mode() != Mode::VerifyFull {
            return Err(refused(
                "sslrootcert=system goes with sslmode=verify-full alone: any name has some certificate",
            ));
        }
        let trust = match (self.mode(), &self.authorities) {
            (Mode::Disable, _) => {
                config.ssl_mode(SslMode::Disable);
                return Ok(None);
            }
            (Mode::Prefer | Mode::Require, None) => Trust::Anyone,
            // As libpq has it: whoever names authorities means them.
            (Mode::Prefer | Mode::Require, Some(_)) | (Mode::VerifyCa, _) => Trust::Authority,
            (Mode::VerifyFull, _) => Trust::AuthorityAndName,
        };
        config.ssl_mode(if self.mode() == Mode::Prefer { SslMode::Prefer } else { SslMode::Require });
        let client = tls::client_config(trust, self.authorities.as_deref())?;
        Ok(Some(MakeRustlsConnect::new(client)))
    }

    /// A configuration for each host.
    fn hosts(&self, config: &Config) -> Result<Vec<Config>, StoreError> {
        let (hosts, ports) = (config.get_hosts(), config.get_ports());
        if hosts.is_empty() {
            return Err(refused(
                "the database URL names no host; a directory with a Unix socket is given as ?host=/directory",
            ));
        }
        if hosts.iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
            return Err(refused("an @ in the user or password of the database URL must be written as %40"));
        }
        if ports.len() > 1 && ports.len() != hosts.len() {
            return Err(refused("the database URL has another number of ports than of hosts"));
        }
        let several = if hosts.len() > 1 { TargetSessionAttrs::ReadWrite } else { TargetSessionAttrs::Any };
        let target = self.target.unwrap_or(several);
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        Ok(hosts.iter().enumerate().map(|(index, host)| only(config, host, port(index), target)).collect())
    }
}

/// The configuration with one host: where to go on after a host that hangs is not left to the driver.
fn only(config: &Config, host: &Host, port: u16, target: TargetSessionAttrs) -> Config {
    let mut one = Config::new();
    one.port(port)
        .ssl_mode(config.get_ssl_mode())
        .target_session_attrs(target)
        .channel_binding(config.get_channel_binding())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    match host {
        Host::Tcp(name) => one.host(name),
        // Nobody can listen in on it, and PostgreSQL offers no TLS there.
        #[cfg(unix)]
        Host::Unix(directory) => one.host_path(directory).ssl_mode(SslMode::Disable),
    };
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one
}

fn mode(value: &str) -> Result<Mode, StoreError> {
    match value {
        "disable" => Ok(Mode::Disable),
        // Libpq's `allow` prefers to go without.
        "prefer" | "allow" => Ok(Mode::Prefer),
        "require" => Ok(Mode::Require),
        "verify-ca" => Ok(Mode::VerifyCa),
        "verify-full" => Ok(Mode::VerifyFull),
        _ => Err(refused("sslmode must be disable, prefer, require, verify-ca or verify-full")),
    }
}

/// The one schema in `-csearch_path=NAME`.
fn search_path(options: &str) -> Result<String, StoreError> {
    let name = options.trim().strip_prefix("-c").map(str::trim_start).or(options.trim().strip_prefix("--"));
    let name = name.and_then(|rest| rest.strip_prefix("search_path=")).unwrap_or_default();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    if name.is_empty()
        || name.contains(|character: char| character.is_whitespace() || ",\"\\".contains(character))
    {
        return Err(refused("options may say -csearch_path=NAME, with one schema, and nothing else"));
    }
    Ok(name.to_owned())
}

/// Undoes percent-encoding.
fn decode(raw: &str) -> Result<String, StoreError> {
    let malformed = || refused("a parameter of the database URL is not properly percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            rest.next()
                .and_then(|digit| char::from(digit).to_digit(16))
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(malformed()) };
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn refused(what: &str) -> StoreError {
    StoreError::unsupported(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refusal(url: &str) -> String {
        let error = Address::parse(url).unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{url}: {error:?}");
        error.to_string()
    }

    #[test]
    fn a_url_says_where_and_who() {
        let address = parse("postgres://an%40n:p%25w@db:6543/sh%20op?application_name=x&keepalives_idle=77");
        let [host] = address.hosts.all() else { panic!("one host") };
        assert_eq!(host.get_hosts(), [Host::Tcp("db".to_owned())]);
        assert_eq!((host.get_ports(), host.get_user()), (&[6543][..], Some("an@n")));
        assert_eq!((host.get_password(), host.get_dbname()), (Some(&b"p%w"[..]), Some("sh op")));
        assert_eq!(host.get_application_name(), Some("x"));
        assert_eq!(host.get_keepalives_idle(), Duration::from_secs(77));
        assert_eq!(host.get_keepalives_interval(), Some(Duration::from_secs(5)));
        assert_eq!(host.get_ssl_mode(), SslMode::Prefer);
        assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::Any);
        assert!(address.schema().is_none() && address.may_fall_back());
        let address = parse("postgresql://db");
        assert_eq!(address.hosts.all()[0].get_ports(), [5432]);
        assert_eq!((address.hosts.all()[0].get_user(), address.hosts.all()[0].get_dbname()), (None, None));
        assert_eq!(address.hosts.all()[0].get_application_name(), Some("stockroom"));
    }

    #[test]
    fn several_hosts_are_tried_in_their_order_and_must_take_writes() {
        let address = parse("postgres://u@a:1,b,[::1]:3/d");
        let hosts = address.hosts.all().iter();
        let told: Vec<_> = hosts.map(|host| (host.get_hosts()[0].clone(), host.get_ports()[0])).collect();
        let tcp = |name: &str| Host::Tcp(name.to_owned());
        assert_eq!(told, [(tcp("a"), 1), (tcp("b"), 5432), (tcp("::1"), 3)]);
        assert_eq!(address.hosts.all()[0].get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        let listed = parse("postgres:///d?host=a,b&port=1,2");
        assert_eq!(listed.hosts.all()[1].get_hosts(), [tcp("b")]);
        assert_eq!(listed.hosts.all()[1].get_ports(), [2]);
        let any = parse("postgres://u@a,b/d?target_session_attrs=any");
        assert_eq!(any.hosts.all()[1].get_target_session_attrs(), TargetSessionAttrs::Any);
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_needs_no_tls() {
        let address = parse("postgres:///d?host=/var/run/postgresql&port=5433&user=u&sslmode=require");
        let host = &address.hosts.all()[0];
        assert_eq!(host.get_hosts(), [Host::Unix("/var/run/postgresql".into())]);
        assert_eq!((host.get_ports(), host.get_ssl_mode()), (&[5433][..], SslMode::Disable));
        assert_eq!((host.get_user(), host.get_dbname()), (Some("u"), Some("d")));
    }

    #[test]
    fn a_schema_may_be_named_in_two_ways() {
        for (url, schema) in [
            ("postgres://h/d?schema=shop", "shop"),
            ("postgres://h/d?schema=Sh%22op%20%C3%A9", "Sh\"op é"),
            ("postgres://h/d?options=-csearch_path%3Dshop", "shop"),
            ("postgres://h/d?options=-c%20search_path%3Dshop", "shop"),
            ("postgres://h/d?options=--search_path=%22Shop%22", "Shop"),
            ("postgres://h/d?schema=shop&options=-csearch_path=shop", "shop"),
        ] {
            let found = parse(url).schema().unwrap();
            assert_eq!((found.name(), found.is_there()), (schema, false), "{url}");
        }
        assert_eq!(parse("postgres://h/d?schema=a%22b").schema().unwrap().identifier(), r#""a""b""#);
        let long = "é".repeat(32);
        for schema in ["", "%00", &*long] {
            let message = refusal(&format!("postgres://h/d?schema={schema}"));
            assert_eq!(message, "the name of a schema has 1 to 63 bytes");
        }
        assert!(refusal("postgres://h/d?schema=a&options=-csearch_path=b").contains("two schemas"));
        for options in ["-cjit=off", "-csearch_path=a,b", "-csearch_path=a%20-cjit=off", "-csearch_path="] {
            assert!(
                refusal(&format!("postgres://h/d?options={options}")).contains("nothing else"),
                "{options}"
            );
        }
    }

    #[test]
    fn modes_of_tls() {
        for (mode, ssl_mode) in [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            let address = parse(&format!("postgres://h/d?sslmode={mode}"));
            assert_eq!(address.hosts.all()[0].get_ssl_mode(), ssl_mode);
            assert_eq!(address.tls().is_some(), mode != "disable");
            assert_eq!(address.may_fall_back(), mode == "prefer");
            let with_public = format!("postgres://h/d?sslmode={mode}&sslrootcert=system");
            assert_eq!(Address::parse(&with_public).is_ok(), mode == "verify-full", "{mode}");
        }
        let public = parse("postgres://h/d?sslrootcert=system");
        assert_eq!((public.hosts.all()[0].get_ssl_mode(), public.may_fall_back()), (SslMode::Require, false));
        assert!(refusal("postgres://h/d?sslmode=sure").contains("verify-full"));
        let missing = refusal("postgres://h/d?sslmode=verify-ca&sslrootcert=/no/such/file");
        assert!(missing.contains("/no/such/file"), "{missing}");
    }

    #[test]
    fn a_refusal_names_the_parameter_and_no_secret() {
        for (url, word) in [
            ("postgres://u:secret@h/d?sslkey=secret", "\"sslkey\""),
            ("postgres://u:secret@h/d?secret", "no value"),
            ("postgres://u:secret@h:port/d", "cannot be understood"),
            ("postgres://u:secret@h/d?port=1,2", "number of ports"),
            ("postgres://u:secret@/d", "names no host"),
            ("postgres://u:sec@ret@h/d", "%40"),
            ("postgres://u:secret@h/d?schema=%secret", "percent-encoded"),
            ("postgres://u:secret@h/d?schema=%ff", "percent-encoded"),
            ("postgres://u:secret@h/d?target_session_attrs=standby", "Stockroom writes"),
        ] {
            let message = refusal(url);
            assert!(
                message.contains(word) && !message.contains("secret") && !message.contains("ret@"),
                "{url}: {message}"
            );
        }
        assert_eq!(format!("{:?}", parse("postgres://u:secret@h/d")), "postgres::Address");
    }
}
