//! The application between the wire and the shop: commands go in through one queue, reads go straight to the
//! store, and nobody else touches either.

mod cache;
mod committer;
mod follower;
mod in_flight;
mod key_use;
mod run;
mod slots;
mod sweeper;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::Role;
use store::{Page, Start, Store, StoreError, UserQuery};
use tokio::time::timeout;

pub use cache::{Asked, Audience, Cache, Ticket, What};
pub use committer::Committer;
pub use run::{Answered, Failure, Keyed};
pub use slots::Slot;

use crate::auth::passwords::Passwords;
use crate::auth::secret::{Secret, SubKey};
use crate::auth::setup::SetupCode;
use crate::auth::throttle::{Allowance, Throttle};
use crate::auth::tokens::Tokens;
use crate::http::metrics::Metrics;
use crate::settings::Settings;
use follower::Follower;

/// What reads answer with, under the roof of the application: handlers never name the store.
pub mod views {
    pub use store::{
        ApiKeyView, AuditQuery, AuditView, Counted, EventView, Listing, MovementView, OrderListing,
        OrderQuery, OrderSort, OrderView, Page, ProductQuery, ProductSort, ProductView, Scope, Session,
        SortValue, Start, UserQuery, UserView,
    };
}

/// Whoever asks whether the server is ready does not wait for a database that is away.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How many password hashes may wait for their turn, for each that is being computed.
const HASH_QUEUE: usize = 32;

/// The running application. Cloning costs a reference count.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Store,
    queue: committer::Queue,
    in_flight: in_flight::InFlight,
    key_uses: key_use::KeyUses,
    tokens: Tokens,
    passwords: Passwords,
    throttle: Throttle,
    setup_code: OnceLock<SetupCode>,
    fingerprint_key: SubKey,
    settings: Settings,
    metrics: Metrics,
    cache: Arc<Cache>,
    /// Ends with the application.
    _follower: Follower,
}

impl App {
    /// Starts the committer and the follower and puts the application around it. The [`Committer`] ends when the last clone of the
    /// application is gone and everything accepted has been answered. Must be called within a runtime.
    ///
    /// # Errors
    /// When the committer's thread cannot be started.
    pub fn start(
        store: Store,
        secret: &Secret,
        settings: Settings,
        metrics: Metrics,
    ) -> std::io::Result<(Self, Committer)> {
        let cache = Arc::new(Cache::new(&settings, metrics.clone()));
        let (follower, ended) = follower::start(&store, &cache);
        let (queue, committer) =
            committer::start(store.clone(), &settings, metrics.clone(), Arc::clone(&cache), ended)?;
        let app = Self(Arc::new(Inner {
            store,
            queue,
            in_flight: in_flight::InFlight::default(),
            key_uses: key_use::KeyUses::default(),
            tokens: Tokens::new(&secret.token_key()),
            passwords: Passwords::new(settings.hash_concurrency, settings.hash_concurrency * HASH_QUEUE),
            throttle: Throttle::new(Allowance::from(&settings)),
            setup_code: OnceLock::new(),
            fingerprint_key: secret.fingerprint_key(),
            settings,
            metrics,
            cache,
            _follower: follower,
        }));
        Ok((app, committer))
    }

    /// The store, for reading only: its writer is the committer.
    #[must_use]
    pub fn reads(&self) -> &Store {
        &self.0.store
    }

    /// Issues and checks tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Hashes and checks passwords off the async threads.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Counts attempts to guess passwords.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Lets whoever knows this code become the shop's first administrator. Said once, before requests come.
    pub fn hand_out(&self, code: SetupCode) {
        // The first one stands; there is no second.
        _ = self.0.setup_code.set(code);
    }

    /// The code for becoming the shop's first administrator, if there is one.
    #[must_use]
    pub fn setup_code(&self) -> Option<&SetupCode> {
        self.0.setup_code.get()
    }

    /// Whether the shop has somebody in charge.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_admin(&self) -> Result<bool, Failure> {
        let page = Page { limit: 1, start: Start::Offset(0) };
        let admins = UserQuery { text: None, role: Some(Role::Admin), active: Some(true), page };
        Ok(!self.0.store.users(&admins).await?.rows.is_empty())
    }

    /// Removes the code for becoming the first administrator once there is one.
    ///
    /// # Errors
    /// As [`Self::has_admin`].
    pub async fn retire_setup_code(&self) -> Result<(), Failure> {
        match self.setup_code() {
            Some(code) if self.has_admin().await? => code.retire(),
            _ => {}
        }
        Ok(())
    }

    /// The key that marks requests.
    #[must_use]
    pub fn fingerprint_key(&self) -> &SubKey {
        &self.0.fingerprint_key
    }

    /// What the server was told at start.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Answers that were given a moment ago.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Whether the application can do its work: the database answers and keeps what it is given, and the committer runs.
    ///
    /// # Errors
    /// [`Failure`] that says what does not.
    pub async fn check_ready(&self) -> Result<(), Failure> {
        if self.0.queue.is_closed() {
            return Err(Failure::Stopped);
        }
        match timeout(READY_WITHIN, self.0.store.ping()).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Failure::Late),
        }
        if self.0.settings.allow_unsafe_database {
            return Ok(());
        }
        // Settings may have been changed since the start.
        let weaknesses =
            timeout(READY_WITHIN, self.0.store.weaknesses()).await.map_err(|_| Failure::Late)??;
        if weaknesses.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = weaknesses.iter().map(ToString::to_string).collect();
        Err(Failure::Unsafe(lines.join("; ").into()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Storage(Arc::new(error))
    }
}
