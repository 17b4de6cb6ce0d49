//! The one table of settings.

use std::path::{Path, PathBuf};

use domain::{AllocateAt, Role};
use server::compat::Facade;

use super::{Config, DatabaseUrl, LogFormat, Secret, parse};

/// Which commands take the flag of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them.
    Everywhere,
    /// `serve`, and `config`, which shows what `serve` would do.
    Serve,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One,
    /// True or false.
    Switch,
    /// Values separated by commas; an array in the TOML file, a repeatable flag.
    List,
}

/// One setting: everything there is to say about it.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the TOML file and in messages. The variable is STOCKROOM_ and the key in capitals.
    pub(crate) key: &'static str,
    /// Its flag without the dashes; `None` for what must not appear in a list of processes.
    pub(crate) flag: Option<&'static str>,
    /// What to write, as help shows it.
    pub(crate) placeholder: &'static str,
    /// Its meaning, in one sentence without a full stop.
    pub(crate) help: &'static str,
    /// Words for a default that is not a constant; empty where [`Setting::show`] knows the default.
    fallback: &'static str,
    /// Which commands take its flag.
    pub(crate) reach: Reach,
    /// What it holds.
    pub(crate) shape: Shape,
    /// Whether its value must never be printed, not even when it is wrong.
    pub(crate) is_secret: bool,
    /// Whether help leaves it out because only tests use it.
    pub(crate) hidden: bool,
    /// Whether the TOML file may hold it.
    pub(crate) in_file: bool,
    /// Reads the text into the configuration; the error says what to write instead.
    pub(crate) take: fn(&mut Config, &str) -> Result<(), String>,
    /// The value in force, safe to print; empty when there is none.
    pub(crate) show: fn(&Config) -> String,
}

type Take = fn(&mut Config, &str) -> Result<(), String>;
type Show = fn(&Config) -> String;

impl Setting {
    const fn new(
        key: &'static str,
        flag: &'static str,
        placeholder: &'static str,
        help: &'static str,
        take: Take,
        show: Show,
    ) -> Self {
        Self {
            key,
            flag: Some(flag),
            placeholder,
            help,
            fallback: "",
            reach: Reach::Serve,
            shape: Shape::One,
            is_secret: false,
            hidden: false,
            in_file: true,
            take,
            show,
        }
    }

    const fn everywhere(mut self) -> Self {
        self.reach = Reach::Everywhere;
        self
    }

    const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    const fn fallback(mut self, words: &'static str) -> Self {
        self.fallback = words;
        self
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("STOCKROOM_{}", self.key.to_ascii_uppercase())
    }

    /// Its default in words.
    pub(crate) fn default_words(&self) -> String {
        if self.fallback.is_empty() { (self.show)(&Config::default()) } else { self.fallback.to_owned() }
    }
}

/// Every setting there is, in the order in which help and `.env.example` show them.
pub(crate) static SETTINGS: &[Setting] = &[
    Setting {
        in_file: false,
        ..Setting::new(
            "config",
            "config",
            "FILE",
            "TOML file with settings",
            |config, raw| parse::path(raw).map(|path| config.config = Some(path)),
            |config| show_path(config.config.as_deref()),
        )
        .everywhere()
        .fallback("stockroom.toml in the working directory, if there is one")
    },
    Setting {
        is_secret: true,
        ..Setting::new(
            "database_url",
            "database",
            "URL",
            "Database: sqlite:PATH, postgres://USER:PASSWORD@HOST/NAME or mysql://USER:PASSWORD@HOST/NAME",
            |config, raw| DatabaseUrl::read(raw).map(|url| config.database_url = url),
            |config| config.database_url.to_string(),
        )
        .everywhere()
        .fallback("sqlite:stockroom.sqlite in the data directory")
    },
    Setting::new(
        "database_connections",
        "database-connections",
        "COUNT",
        "Most connections for reading from the database; writing takes one more",
        |config, raw| parse::whole(raw, 1..=1000).map(|count| config.database.connections = Some(count)),
        |config| config.database.connections.map_or_else(String::new, |count| count.to_string()),
    )
    .fallback("4 on SQLite, 16 on PostgreSQL and MySQL"),
    Setting::new(
        "database_wait_seconds",
        "database-wait-seconds",
        "SECONDS",
        "How long a request waits for its turn to write, and for a PostgreSQL or MySQL that is away, before it is answered 503",
        |config, raw| {
            config.server.patience = parse::duration(raw, 1..=600, 1)?;
            Ok(())
        },
        |config| config.server.patience.as_secs().to_string(),
    )
    .fallback("10, or two thirds of request_timeout_seconds if that is less"),
    Setting::new(
        "database_connect_timeout_seconds",
        "database-connect-timeout-seconds",
        "SECONDS",
        "How long opening one connection to PostgreSQL or MySQL may take",
        |config, raw| {
            config.database.connect_timeout = parse::duration(raw, 1..=600, 1)?;
            Ok(())
        },
        |config| config.database.connect_timeout.as_secs().to_string(),
    ),
    Setting::new(
        "database_statement_timeout_seconds",
        "database-statement-timeout-seconds",
        "SECONDS",
        "How long one statement may take in PostgreSQL or MySQL",
        |config, raw| {
            config.database.statement_timeout = parse::duration(raw, 1..=3600, 1)?;
            Ok(())
        },
        |config| config.database.statement_timeout.as_secs().to_string(),
    ),
    Setting::new(
        "database_lock_timeout_seconds",
        "database-lock-timeout-seconds",
        "SECONDS",
        "How long a transaction waits for rows that another server has locked in PostgreSQL or MySQL, before it is run again",
        |config, raw| {
            config.database.lock_timeout = parse::duration(raw, 1..=600, 1)?;
            Ok(())
        },
        |config| config.database.lock_timeout.as_secs().to_string(),
    ),
    Setting::new(
        "database_statement_cache",
        "database-statement-cache",
        "COUNT",
        "Most statements of lists that each connection keeps prepared; 0 prepares none and makes no settings, for a pooler in transaction mode",
        |config, raw| parse::whole(raw, 0..=10_000).map(|count| config.database.statement_cache = count),
        |config| config.database.statement_cache.to_string(),
    ),
    Setting::new(
        "allow_unsafe_database",
        "allow-unsafe-database",
        "true|false",
        "Serves also on a database whose settings let it forget answered orders in a power cut; otherwise that is refused",
        |config, raw| parse::switch(raw).map(|allow| config.server.allow_unsafe_database = allow),
        |config| config.server.allow_unsafe_database.to_string(),
    )
    .shape(Shape::Switch),
    Setting::new(
        "data_dir",
        "data-dir",
        "DIR",
        "Directory for what the program makes itself: the default database and the generated secret",
        |config, raw| parse::path(raw).map(|path| config.data_dir = path),
        |config| config.data_dir.display().to_string(),
    )
    .everywhere(),
    Setting::new(
        "log_format",
        "log-format",
        "text|json",
        "How log lines look on standard error",
        |config, raw| {
            let word = parse::word(raw, &[("text", LogFormat::Text), ("json", LogFormat::Json)])?;
            config.log_format = word;
            Ok(())
        },
        |config| match config.log_format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
    )
    .everywhere(),
    Setting::new(
        "log_level",
        "log-level",
        "LEVEL",
        "What is logged: off, error, warn, info, debug or trace, also per part of the program: info,store=debug",
        |config, raw| parse::log_level(raw).map(|level| config.log_level = level),
        |config| config.log_level.clone(),
    )
    .everywhere(),
    Setting::new(
        "listen",
        "listen",
        "ADDR:PORT",
        "Address and port to listen on",
        |config, raw| parse::listen(raw).map(|listen| config.server.listen = listen),
        |config| config.server.listen.to_string(),
    ),
    Setting::new(
        "demo",
        "demo",
        "true|false",
        "Fill an empty database with sample products, users and orders",
        |config, raw| parse::switch(raw).map(|demo| config.demo = demo),
        |config| config.demo.to_string(),
    )
    .shape(Shape::Switch),
    Setting {
        flag: None,
        is_secret: true,
        ..Setting::new(
            "secret",
            "",
            "TEXT",
            "What signs tokens, at least 32 characters; whoever knows it can act as anybody",
            |config, raw| Secret::read(raw).map(|secret| config.secret = Some(secret)),
            |config| config.secret.as_ref().map_or_else(String::new, ToString::to_string),
        )
        .fallback("made on the first run and kept in the data directory")
    },
    Setting::new(
        "secret_file",
        "secret-file",
        "FILE",
        "File that holds the secret, instead of STOCKROOM_SECRET",
        |config, raw| parse::path(raw).map(|path| config.secret_file = Some(path)),
        |config| show_path(config.secret_file.as_deref()),
    )
    .fallback("none"),
    Setting::new(
        "anonymous_role",
        "anonymous-role",
        "none|customer|staff|admin",
        "What callers without a token may do; none answers them 401",
        |config, raw| {
            let roles = Role::ALL.iter().map(|role| (role.word(), Some(*role)));
            let words: Vec<_> = std::iter::once(("none", None)).chain(roles).collect();
            config.server.anonymous_role = parse::word(raw, &words)?;
            Ok(())
        },
        |config| config.server.anonymous_role.map_or("none", Role::word).to_owned(),
    ),
    Setting::new(
        "allow_privileged_anonymous",
        "allow-privileged-anonymous",
        "true|false",
        "Permits anonymous_role staff or admin on an address that other machines can reach",
        |config, raw| parse::switch(raw).map(|allow| config.server.allow_privileged_anonymous = allow),
        |config| config.server.allow_privileged_anonymous.to_string(),
    )
    .shape(Shape::Switch),
    Setting::new(
        "compat_root",
        "compat-root",
        "orderflow|mini-order|leafcraft|inventory|none",
        "Older service whose API is served at / as well; each is always served below /compat/ and its name",
        |config, raw| {
            let facades = Facade::ALL.iter().map(|facade| (facade.word(), Some(*facade)));
            let words: Vec<_> = facades.chain([("none", None)]).collect();
            config.server.compat_root = parse::word(raw, &words)?;
            Ok(())
        },
        |config| config.server.compat_root.map_or("none", Facade::word).to_owned(),
    ),
    Setting::new(
        "mini_order_min_password",
        "mini-order-min-password",
        "CHARACTERS",
        "Fewest characters of a password that is registered through the API of mini-order; elsewhere it is 8",
        |config, raw| {
            config.server.mini_order_min_password = parse::whole(raw, 1..=128)?;
            Ok(())
        },
        |config| config.server.mini_order_min_password.to_string(),
    ),
    Setting::new(
        "allocate_at",
        "allocate-at",
        "creation|confirmation",
        "When orders take their stock, unless a request says otherwise",
        |config, raw| {
            let words: Vec<_> = AllocateAt::ALL.iter().map(|at| (at.word(), *at)).collect();
            config.server.allocate_at = parse::word(raw, &words)?;
            Ok(())
        },
        |config| config.server.allocate_at.word().to_owned(),
    ),
    Setting::new(
        "pending_order_minutes",
        "pending-order-minutes",
        "MINUTES",
        "How long an order may stay pending: if nobody has confirmed or paid it by then, it is cancelled and gives back what it holds; 0 is for ever; orders placed before it was set get all of that time from the next start on",
        |config, raw| {
            config.server.pending_order_life = parse::duration(raw, 0..=5_256_000, 60)?;
            Ok(())
        },
        |config| (config.server.pending_order_life.as_secs() / 60).to_string(),
    ),
    Setting::new(
        "max_open_orders_per_customer",
        "max-open-orders-per-customer",
        "COUNT",
        "Most orders of one customer that are neither paid, shipped nor cancelled; staff may place more for them; 0 sets no limit",
        |config, raw| {
            config.server.max_open_orders = parse::whole(raw, 0..=1_000_000_000)?;
            Ok(())
        },
        |config| config.server.max_open_orders.to_string(),
    ),
    Setting::new(
        "max_units_held_per_customer",
        "max-units-held-per-customer",
        "PIECES",
        "Most pieces that these orders of one customer ask for together; 0 sets no limit",
        |config, raw| {
            config.server.max_units_held = parse::whole(raw, 0..=1_000_000_000_000)?;
            Ok(())
        },
        |config| config.server.max_units_held.to_string(),
    ),
    Setting::new(
        "currency",
        "currency",
        "CODE",
        "ISO 4217 code of the shop's one currency",
        |config, raw| parse::currency(raw).map(|code| config.server.currency = code),
        |config| config.server.currency.clone(),
    ),
    Setting::new(
        "cors_origin",
        "cors-origin",
        "ORIGIN,…",
        "Origins that browsers may call from, such as https://shop.example; * is any of them, none is none",
        |config, raw| parse::cors_origins(raw).map(|origins| config.server.cors_origins = origins),
        |config| list(&config.server.cors_origins),
    )
    .shape(Shape::List),
    Setting::new(
        "allowed_hosts",
        "allowed-hosts",
        "NAME,…",
        "Names by which clients may ask for this server, such as shop.example; * is any of them, none is localhost and \
         addresses, and any name where the server listens on an address that other machines can reach",
        |config, raw| parse::hosts(raw).map(|hosts| config.server.allowed_hosts = hosts),
        |config| list(&config.server.allowed_hosts),
    )
    .shape(Shape::List),
    Setting::new(
        "trusted_proxies",
        "trusted-proxies",
        "ADDRESS,…",
        "Proxies whose X-Forwarded-For or Forwarded header is believed, as addresses or networks such as 10.0.0.0/8",
        |config, raw| parse::networks(raw).map(|networks| config.server.trusted_proxies = networks),
        |config| list(&config.server.trusted_proxies),
    )
    .shape(Shape::List),
    Setting::new(
        "registration",
        "registration",
        "open|closed",
        "Whether strangers may make accounts for themselves; administrators always make them",
        |config, raw| {
            config.server.registration_is_open = parse::word(raw, &[("open", true), ("closed", false)])?;
            Ok(())
        },
        |config| if config.server.registration_is_open { "open" } else { "closed" }.to_owned(),
    ),
    Setting::new(
        "login_attempts_per_account",
        "login-attempts-per-account",
        "COUNT",
        "Wrong passwords for one account before each further one must wait longer, up to a minute; 0 lets none wait",
        |config, raw| {
            config.server.login_attempts_per_account = parse::whole(raw, 0..=100_000)?;
            Ok(())
        },
        |config| config.server.login_attempts_per_account.to_string(),
    ),
    Setting::new(
        "login_attempts_per_source",
        "login-attempts-per-source",
        "COUNT",
        "The same for one address, whatever the account, and for new accounts that it makes",
        |config, raw| {
            config.server.login_attempts_per_source = parse::whole(raw, 0..=100_000)?;
            Ok(())
        },
        |config| config.server.login_attempts_per_source.to_string(),
    ),
    Setting::new(
        "access_token_minutes",
        "access-token-minutes",
        "MINUTES",
        "Life of an access token",
        |config, raw| {
            config.server.access_token_life = parse::duration(raw, 1..=43_200, 60)?;
            Ok(())
        },
        |config| (config.server.access_token_life.as_secs() / 60).to_string(),
    ),
    Setting::new(
        "refresh_token_days",
        "refresh-token-days",
        "DAYS",
        "Life of a refresh token",
        |config, raw| {
            config.server.refresh_token_life = parse::duration(raw, 1..=365, 24 * 60 * 60)?;
            Ok(())
        },
        |config| (config.server.refresh_token_life.as_secs() / (24 * 60 * 60)).to_string(),
    ),
    Setting::new(
        "max_batch",
        "max-batch",
        "COUNT",
        "Most commands in one transaction",
        |config, raw| parse::whole(raw, 1..=4096).map(|count| config.server.max_batch = count),
        |config| config.server.max_batch.to_string(),
    ),
    Setting::new(
        "queue_limit",
        "queue-limit",
        "COUNT",
        "Most commands that wait for a transaction; further ones are answered 503",
        |config, raw| parse::whole(raw, 1..=1_000_000).map(|count| config.server.queue_limit = count),
        |config| config.server.queue_limit.to_string(),
    ),
    Setting::new(
        "cache_bytes",
        "cache-bytes",
        "BYTES",
        "Most memory for answers that are kept to be sent again while nothing changes them; 0 keeps none",
        |config, raw| parse::whole(raw, 0..=64 * 1024 * 1024 * 1024).map(|bytes| config.server.cache_bytes = bytes),
        |config| config.server.cache_bytes.to_string(),
    ),
    Setting::new(
        "cache_refresh_ms",
        "cache-refresh-ms",
        "MILLISECONDS",
        "How long a change by another server on the same database, or by the command line, may not show in answers that are kept",
        |config, raw| {
            config.server.cache_refresh = std::time::Duration::from_millis(parse::whole(raw, 10..=60_000)?);
            Ok(())
        },
        |config| config.server.cache_refresh.as_millis().to_string(),
    ),
    Setting::new(
        "max_body_bytes",
        "max-body-bytes",
        "BYTES",
        "Largest request body",
        |config, raw| {
            config.server.max_body_bytes = parse::whole(raw, 1024..=64 * 1024 * 1024)?;
            Ok(())
        },
        |config| config.server.max_body_bytes.to_string(),
    ),
    Setting::new(
        "max_connections",
        "max-connections",
        "COUNT",
        "Most connections at once; further ones wait to be accepted",
        |config, raw| parse::whole(raw, 1..=1_000_000).map(|count| config.server.max_connections = count),
        |config| config.server.max_connections.to_string(),
    ),
    Setting::new(
        "hash_concurrency",
        "hash-concurrency",
        "COUNT",
        "Most password hashes computed at once, each of which keeps a processor and some 20 MB busy",
        |config, raw| parse::whole(raw, 1..=256).map(|count| config.server.hash_concurrency = count),
        |config| config.server.hash_concurrency.to_string(),
    )
    .fallback("one for each processor"),
    Setting::new(
        "header_timeout_seconds",
        "header-timeout-seconds",
        "SECONDS",
        "How long a client may take to send the head of a request",
        |config, raw| {
            config.server.header_timeout = parse::duration(raw, 1..=600, 1)?;
            Ok(())
        },
        |config| config.server.header_timeout.as_secs().to_string(),
    ),
    Setting::new(
        "request_timeout_seconds",
        "request-timeout-seconds",
        "SECONDS",
        "How long a request may take from its head to its answer, and a client may leave an answer unread",
        |config, raw| {
            config.server.request_timeout = parse::duration(raw, 1..=3600, 1)?;
            Ok(())
        },
        |config| config.server.request_timeout.as_secs().to_string(),
    ),
    Setting::new(
        "shutdown_grace_seconds",
        "shutdown-grace-seconds",
        "SECONDS",
        "How long a shutdown waits for requests that are running; 0 does not wait",
        |config, raw| {
            config.server.shutdown_grace = parse::duration(raw, 0..=3600, 1)?;
            Ok(())
        },
        |config| config.server.shutdown_grace.as_secs().to_string(),
    ),
    Setting {
        hidden: true,
        ..Setting::new(
            "test_sync_delay_us",
            "test-sync-delay-us",
            "MICROSECONDS",
            "For tests and benchmarks alone: makes each sync of the database file take this much longer, as on a slow disk",
            |config, raw| {
                config.test_sync_delay = std::time::Duration::from_micros(parse::whole(raw, 0..=1_000_000)?);
                Ok(())
            },
            |config| config.test_sync_delay.as_micros().to_string(),
        )
    },
];

/// Values as they are written, or `none`.
fn list<T: ToString>(values: &[T]) -> String {
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(",") }
}

fn show_path(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path: &Path| PathBuf::from(path).display().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{Config, Facade, SETTINGS};

    /// What `.env.example` must hold: generated here, so that the file cannot miss a setting or tell an old default.
    fn env_example() -> String {
        let mut text = "# Settings of Stockroom. Copy this file to `.env` beside where you start the program, and remove the\n\
                        # leading `#` of what you want to change. The values shown are the defaults.\n\
                        # Flags and real environment variables win over this file; it wins over stockroom.toml.\n\
                        # `stockroom config` prints what is in force and where it came from. An empty value counts as not set.\n"
            .to_owned();
        for setting in SETTINGS {
            text += &format!("\n# {}.\n", setting.help);
            let constant = (setting.show)(&Config::default());
            if setting.fallback.is_empty() {
                text += &format!("# Write {}.\n# {}={constant}\n", setting.placeholder, setting.variable());
            } else {
                text += &format!(
                    "# Write {}. Default: {}.\n# {}=\n",
                    setting.placeholder,
                    setting.fallback,
                    setting.variable()
                );
            }
        }
        text
    }

    #[test]
    fn env_example_lists_exactly_the_settings() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
        if std::env::var_os("UPDATE_ENV_EXAMPLE").is_some() {
            std::fs::write(&path, env_example()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap();
        let listed: BTreeSet<String> = found
            .lines()
            .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
            .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
            .map(|(name, _)| name.to_owned())
            .collect();
        let wanted: BTreeSet<String> = SETTINGS.iter().map(super::Setting::variable).collect();
        assert_eq!(listed, wanted);
        assert!(
            found == env_example(),
            ".env.example is stale: run UPDATE_ENV_EXAMPLE=1 cargo test -p stockroom env_example"
        );
    }

    #[test]
    fn every_default_is_a_valid_value() {
        for setting in SETTINGS.iter().filter(|setting| setting.fallback.is_empty()) {
            let shown = (setting.show)(&Config::default());
            let mut config = Config::default();
            assert_eq!((setting.take)(&mut config, &shown), Ok(()), "{}", setting.key);
            assert_eq!((setting.show)(&config), shown, "{}", setting.key);
        }
    }

    #[test]
    fn help_names_every_facade() {
        let setting = SETTINGS.iter().find(|setting| setting.key == "compat_root").unwrap();
        let mut named: Vec<&str> = setting.placeholder.split('|').collect();
        assert_eq!(named.pop(), Some("none"));
        assert_eq!(named, Facade::ALL.iter().map(|facade| facade.word()).collect::<Vec<_>>());
    }

    #[test]
    fn keys_are_unique() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
    }
}
