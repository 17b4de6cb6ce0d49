//! What the server must be told before it starts. Filled by the binary from flags, environment and files.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::{AllocateAt, PlacingTerms, Role};
pub use ipnet::IpNet;

use crate::compat::Facade;

/// Reads an address (`10.0.0.7`) or a network (`10.0.0.0/8`, `fd00::/8`).
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.ok().or_else(|| text.parse().ok()).map(|network| network.trunc())
}

/// Settings of one server process. [`Settings::default`] is what a bare `stockroom serve` runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Serves also on a database that may forget what it has answered.
    pub allow_unsafe_database: bool,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The role of a caller without a token; `None` answers 401.
    pub anonymous_role: Option<Role>,
    /// Permits `anonymous_role` staff or admin on an address that is not loopback.
    pub allow_privileged_anonymous: bool,
    /// When orders take their stock unless the request says otherwise.
    pub allocate_at: AllocateAt,
    /// How long an order may stay pending before it expires; zero: for ever.
    pub pending_order_life: Duration,
    /// Most open orders that a customer may have; 0 sets no limit.
    pub max_open_orders: i64,
    /// Most pieces that the open orders of a customer may ask for; 0 sets no limit.
    pub max_units_held: i64,
    /// The façade that is mounted at `/` as well, if one is.
    pub compat_root: Option<Facade>,
    /// Fewest characters of a password that is registered through the façade `mini-order`.
    pub mini_order_min_password: usize,
    /// ISO 4217 code of the shop's one currency.
    pub currency: String,
    /// Origins that browsers may call from; empty refuses all, `*` allows any (without credentials).
    pub cors_origins: Vec<String>,
    /// Names under which this server is asked for; any other is refused. Empty: see [`crate::http::host`].
    pub allowed_hosts: Vec<String>,
    /// Proxies whose word is believed about who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether strangers may make accounts for themselves.
    pub registration_is_open: bool,
    /// Wrong passwords for one name before more of them must wait; 0 lets nobody wait.
    pub login_attempts_per_account: u32,
    /// Wrong passwords, and new accounts, from one address before more of them must wait; 0 lets nobody wait.
    pub login_attempts_per_source: u32,
    /// Life of an access token.
    pub access_token_life: Duration,
    /// Life of a refresh token.
    pub refresh_token_life: Duration,
    /// Most commands in one transaction.
    pub max_batch: usize,
    /// Most commands waiting for the committer; beyond it the answer is 503 with Retry-After.
    pub queue_limit: usize,
    /// How long a request waits for its turn, and for a database that is away; then the answer is 503.
    pub patience: Duration,
    /// Most bytes of answers kept to be sent again; 0 keeps none.
    pub cache_bytes: usize,
    /// How long a change by another server or the command line may go unnoticed by kept answers.
    pub cache_refresh: Duration,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Most connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// Most password hashes computed at once.
    pub hash_concurrency: usize,
    /// How long a client may take to send its request head.
    pub header_timeout: Duration,
    /// How long a request may take from head to answer, and how long a client may leave an answer unread.
    pub request_timeout: Duration,
    /// How long a graceful shutdown waits for running requests.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// The terms under which orders are placed.
    #[must_use]
    pub fn placing_terms(&self) -> PlacingTerms {
        let life_us = i64::try_from(self.pending_order_life.as_micros()).unwrap_or(i64::MAX);
        let unless_zero = |value: i64| Some(value).filter(|value| *value > 0);
        PlacingTerms {
            pending_life_us: unless_zero(life_us),
            max_open_orders: unless_zero(self.max_open_orders),
            max_units_held: unless_zero(self.max_units_held),
        }
    }

    /// How many decimal digits an amount of the shop's currency has: 2 for USD, none for JPY.
    #[must_use]
    pub fn currency_digits(&self) -> u32 {
        let currency = iso_currency::Currency::from_code(&self.currency);
        // The binary accepts none but real currencies.
        currency.and_then(iso_currency::Currency::exponent).map_or(2, u32::from)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_unsafe_database: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            anonymous_role: None,
            allow_privileged_anonymous: false,
            allocate_at: AllocateAt::Creation,
            pending_order_life: Duration::ZERO,
            max_open_orders: 1_000,
            max_units_held: 1_000_000,
            compat_root: None,
            mini_order_min_password: 4,
            currency: "USD".to_owned(),
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            registration_is_open: true,
            login_attempts_per_account: 5,
            login_attempts_per_source: 20,
            access_token_life: Duration::from_secs(60 * 60),
            refresh_token_life: Duration::from_secs(14 * 24 * 60 * 60),
            max_batch: 256,
            queue_limit: 4096,
            patience: Duration::from_secs(10),
            cache_bytes: 32 * 1024 * 1024,
            cache_refresh: Duration::from_millis(250),
            max_body_bytes: 256 * 1024,
            max_connections: 4096,
            hash_concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            header_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(20),
        }
    }
}
