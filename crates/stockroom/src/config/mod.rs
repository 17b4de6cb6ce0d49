//! The configuration: one table of settings, read from five layers, judged as a whole.
//!
//! Precedence: flags > environment > `.env` > TOML file > defaults. A setting is described once, in [`table`]; its
//! flag, its variable, its name in the file, its help and its line in `.env.example` all come from there.

mod closest;
mod dot_env;
mod layers;
mod parse;
mod rules;
mod secret;
mod synonyms;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use layers::{Given, Origin, Sources};
pub(crate) use secret::{DatabaseUrl, Secret};
use server::auth::secret::SecretError;
use server::settings::Settings;
use store::driver::Options;
pub(crate) use table::{Reach, SETTINGS, Setting, Shape};

use crate::failure::UsageError;

/// Connections for reading from a database on a network, where each waits for the network most of the time.
const NETWORK_READERS: usize = 16;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// How to use the database.
#[derive(Debug)]
pub(crate) struct DatabaseUse {
    /// Connections for reading; `None` means as many as suit the kind of database.
    pub(crate) connections: Option<usize>,
    /// How long opening one connection may take.
    pub(crate) connect_timeout: Duration,
    /// How long one statement may take.
    pub(crate) statement_timeout: Duration,
    /// How long a transaction waits for locked rows.
    pub(crate) lock_timeout: Duration,
    /// Statements that each connection keeps prepared.
    pub(crate) statement_cache: usize,
}

impl Default for DatabaseUse {
    fn default() -> Self {
        let Options { connect_timeout, statement_timeout, lock_timeout, statement_cache, .. } =
            Options::default();
        Self { connections: None, connect_timeout, statement_timeout, lock_timeout, statement_cache }
    }
}

/// Everything the program was told, valid as a whole.
#[derive(Debug)]
pub(crate) struct Config {
    /// The TOML file to read instead of `./stockroom.toml`.
    pub(crate) config: Option<PathBuf>,
    /// The database; set in every loaded configuration, a file in `data_dir` by default.
    pub(crate) database_url: DatabaseUrl,
    /// How to use it.
    pub(crate) database: DatabaseUse,
    /// Where the program keeps what it makes itself: the default database, the generated secret.
    pub(crate) data_dir: PathBuf,
    /// What signs tokens, given by the operator; `None` means the one kept in `data_dir`.
    pub(crate) secret: Option<Secret>,
    /// The file that `secret` was read from, if it was.
    pub(crate) secret_file: Option<PathBuf>,
    /// Fill an empty database with sample data before serving.
    pub(crate) demo: bool,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// Which log lines are written, as `tracing_subscriber::filter::Targets` reads it.
    pub(crate) log_level: String,
    /// For tests: how much longer each sync of the database file takes, as on a slow disk. Zero in real life.
    pub(crate) test_sync_delay: Duration,
    /// What the server must be told.
    pub(crate) server: Settings,
    /// What is allowed but should be changed, one line each; never a secret.
    pub(crate) warnings: Vec<String>,
    /// Where each setting that is not at its default came from, by its key.
    origins: BTreeMap<&'static str, Origin>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            config: None,
            database_url: DatabaseUrl::default(),
            database: DatabaseUse::default(),
            data_dir: PathBuf::from("./data"),
            secret: None,
            secret_file: None,
            demo: false,
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            test_sync_delay: Duration::ZERO,
            server: Settings::default(),
            warnings: Vec::new(),
            origins: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Where the value of the setting with this key came from.
    fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Whether any layer said something about the setting with this key.
    fn is_given(&self, key: &str) -> bool {
        self.origins.contains_key(key)
    }

    /// What signs tokens: the secret given, or else the one kept in `data_dir`, which is made when it is missing.
    pub(crate) fn signing_secret(&self) -> Result<server::auth::secret::Secret, SecretError> {
        match &self.secret {
            Some(given) => server::auth::secret::Secret::from_text(given.expose()),
            None => server::auth::secret::Secret::load_or_create(&self.data_dir),
        }
    }

    /// The options for opening the database.
    pub(crate) fn database_options(&self) -> Options {
        let DatabaseUse { connections, connect_timeout, statement_timeout, lock_timeout, statement_cache } =
            self.database;
        let usual = if self.database_url.is_sqlite() { Options::default().readers } else { NETWORK_READERS };
        Options {
            readers: connections.unwrap_or(usual),
            connect_timeout,
            statement_timeout,
            lock_timeout,
            statement_cache,
            patience: self.server.patience,
            sync_delay: (!self.test_sync_delay.is_zero()).then_some(self.test_sync_delay),
            ..Options::default()
        }
    }

    /// Every setting with its value, safe to show, and its origin. Test-only settings appear when they are set.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (&'static Setting, String, Origin)> {
        SETTINGS.iter().filter(|setting| !setting.hidden || self.is_given(setting.key)).map(|setting| {
            let shown = (setting.show)(self);
            (setting, if shown.is_empty() { "-".to_owned() } else { shown }, self.origin(setting.key))
        })
    }
}

/// Reads all layers and judges the result. The error names every mistake, not only the first.
pub(crate) fn load(sources: &Sources) -> Result<Config, UsageError> {
    let mut complaints = Vec::new();
    let mut config = Config::default();
    let mut refused = Vec::new();
    for given in layers::read(sources, &mut complaints, &mut config.warnings) {
        match (given.setting.take)(&mut config, &given.raw) {
            Ok(()) => {}
            Err(hint) => {
                complaints.push(given.complaint(&hint));
                refused.push(given.setting.key);
            }
        }
        config.origins.insert(given.setting.key, given.origin);
    }
    if !config.is_given("database_url") {
        config.database_url = DatabaseUrl::in_directory(&config.data_dir);
    }
    if !config.is_given("database_wait_seconds") {
        // Whoever gives requests little time is still told that the database is away, and not that time is up.
        config.server.patience = config.server.patience.min(config.server.request_timeout * 2 / 3);
    }
    secret::read_file(&mut config, &mut complaints);
    rules::check(&config, &refused, &mut complaints);
    if complaints.is_empty() { Ok(config) } else { Err(UsageError { lines: complaints }) }
}
