//! The shop behind every command: an open, migrated database with a committer in front.

use std::fs::DirBuilder;
use std::sync::Arc;

use anyhow::Context as _;
use domain::{Actor, Command, NoteSecret, OpenShop, Rejection};
use server::app::views::{Page, Start, UserQuery};
use server::app::{Answered, App, Committer};
use server::clock;
use server::http::metrics::Metrics;
use store::Store;
use store::driver::{Database, Options};

use crate::config::{Config, DatabaseUrl};

/// Makes the data directory where it is missing. What lies there (orders, the secret) is nobody else's business.
pub(super) fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&config.data_dir)
        .with_context(|| format!("cannot make the data directory {}", config.data_dir.display()))
}

/// Opens the database, and makes the data directory for it where that is missing.
pub(super) async fn open_database(config: &Config) -> anyhow::Result<Database> {
    open_database_with(config, config.database_options()).await
}

async fn open_database_with(config: &Config, options: Options) -> anyhow::Result<Database> {
    make_data_dir(config)?;
    Database::open(config.database_url.expose(), options)
        .await
        .with_context(|| format!("cannot open the database {}", config.database_url))
}

/// Refuses an embedded database that does not exist. Opening would make it.
pub(super) fn require_file(url: &DatabaseUrl) -> anyhow::Result<()> {
    match url.file().filter(|file| !file.is_file()) {
        Some(file) => anyhow::bail!("there is no database at {}", file.display()),
        None => Ok(()),
    }
}

/// Refuses a database of which a part is missing.
pub(super) async fn require_complete(store: &Store, config: &Config) -> anyhow::Result<()> {
    if store.is_unfinished_copy().await? {
        anyhow::bail!(
            "{} is an unfinished copy: finish it by giving the same `stockroom copy` command again, or empty it",
            config.database_url
        );
    }
    if store.is_half_filled().await? {
        anyhow::bail!(
            "{} is an unfinished shop of `stockroom generate`, which was interrupted: empty it and start over",
            config.database_url
        );
    }
    Ok(())
}

/// A shop that can carry commands out.
pub(super) struct Shop {
    /// Takes commands and answers reads.
    pub(super) app: App,
    committer: Committer,
    database: Database,
}

impl Shop {
    /// Opens and migrates the database, and starts the committer. An unfinished copy is refused.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::open_with(config, config.database_options()).await
    }

    /// The same with another use of the database than a server's.
    pub(super) async fn open_with(config: &Config, options: Options) -> anyhow::Result<Self> {
        let database = open_database_with(config, options).await?;
        let applied = database.migrate(clock::now_us()).await.context("cannot migrate the database")?;
        for migration in &applied {
            tracing::info!(version = migration.version, name = migration.name, "applied a migration");
        }
        let store = Store::new(database.clone());
        require_complete(&store, config).await?;
        let secret = config.signing_secret()?;
        let (app, committer) = App::start(store, &secret, config.server.clone(), Metrics::new())
            .context("cannot start the committer")?;
        Ok(Self { app, committer, database })
    }

    /// Moves what an embedded database has in its log into its file.
    pub(super) async fn empty_log(&self) -> anyhow::Result<()> {
        self.database.checkpoint().await.context("cannot checkpoint the database")
    }

    /// The store itself, for what comes in batches of its own making.
    pub(super) fn store(&self) -> Store {
        Store::new(self.database.clone())
    }

    /// Settles the currency of a new shop, and refuses to serve another one's prices in it.
    pub(super) async fn settle_currency(&self) -> anyhow::Result<()> {
        let currency = self.app.settings().currency.clone();
        match execute(&self.app, OpenShop { currency: currency.clone() }).await? {
            Ok(()) => Ok(()),
            Err(Rejection::CurrencyMismatch { shop: kept }) => Err(anyhow::anyhow!(
                "this shop keeps its prices in {kept}; start it with currency = \"{kept}\", not {currency}"
            )),
            Err(rejection) => Err(anyhow::anyhow!("the shop cannot be opened: {rejection:?}")),
        }
    }

    /// Warns when another server of this shop, or this one earlier, signed with another secret.
    pub(super) async fn note_secret(&self, config: &Config) -> anyhow::Result<()> {
        let mark = config.signing_secret()?.mark();
        if execute(&self.app, NoteSecret { mark }).await?.is_ok_and(|was_another| was_another) {
            tracing::warn!(
                "this shop was served with another secret before: tokens issued with that one are worth nothing here, \
                 nor those of other servers that still use it; give all servers of a shop the same STOCKROOM_SECRET"
            );
        }
        Ok(())
    }

    /// Whether nobody has an account yet.
    pub(super) async fn is_new(&self) -> anyhow::Result<bool> {
        let page = Page { limit: 1, start: Start::Offset(0) };
        let anybody = UserQuery { text: None, role: None, active: None, page };
        Ok(self.app.reads().users(&anybody).await?.rows.is_empty())
    }

    /// Ends the committer when everything queued has been answered, and folds the journal into the database file.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        let Self { app, committer, database } = self;
        drop(app);
        tokio::task::spawn_blocking(move || committer.join()).await?;
        database.checkpoint().await.context("cannot checkpoint the database")
    }
}

/// Carries a command of the shop itself out, now: housekeeping, which nobody answers for.
pub(super) async fn execute<C>(app: &App, command: C) -> anyhow::Result<Result<C::Outcome, Rejection>>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    execute_from(app, command, None).await
}

/// Carries a command out that somebody gave on the command line; the audit log tells of it.
pub(super) async fn execute_for_operator<C>(
    app: &App,
    command: C,
) -> anyhow::Result<Result<C::Outcome, Rejection>>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    execute_from(app, command, Some(Arc::from("command line"))).await
}

async fn execute_from<C>(
    app: &App,
    command: C,
    source: Option<Arc<str>>,
) -> anyhow::Result<Result<C::Outcome, Rejection>>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    let (now_us, request_id) = (clock::now_us(), Arc::from("cli"));
    let context = domain::Context { actor: Actor::SYSTEM, now_us, request_id, source };
    match app.execute(command, context, None).await? {
        Answered::Decided(decided) => Ok(decided),
        Answered::Kept { .. } => Err(anyhow::anyhow!("an answer was kept for a command without a key")),
    }
}
