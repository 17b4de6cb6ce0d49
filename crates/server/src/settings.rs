//! What the server must be told before it starts. Filled by the binary from flags, environment and files.

use std::net::SocketAddr;
use std::time::Duration;

use domain::{AllocateAt, Role};

use crate::compat::Facade;

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
    /// The façade that is mounted at `/` as well, if one is.
    pub compat_root: Option<Facade>,
    /// Fewest characters of a password that is registered through the façade `mini-order`.
    pub mini_order_min_password: usize,
    /// ISO 4217 code of the shop's one currency.
    pub currency: String,
    /// Origins that browsers may call from; empty refuses all, `*` allows any (without credentials).
    pub cors_origins: Vec<String>,
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
            compat_root: None,
            mini_order_min_password: 4,
            currency: "USD".to_owned(),
            cors_origins: Vec::new(),
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
