//! `stockroom serve`

use std::time::Duration;

use anyhow::Context as _;
use domain::{ForgetAnswers, Role};
use server::app::App;
use server::auth::setup::{self, SetupCode};
use server::clock;
use server::compat::Facade;
use server::http::listener::{self, Limits};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::shop::{self, Shop, execute};
use crate::config::Config;
use crate::demo::AddSampleStocks;
use crate::lock::Use;
use crate::{demo, lock, output};

/// How often answers that nobody may ask for any more are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Serves the API until SIGTERM or Ctrl-C, then answers what was accepted and returns.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    // Asked for first: a signal that comes while the server starts must not kill it half-way.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    shop::make_data_dir(config)?;
    let lock = config.database_url.file().map(|file| lock::take(file, Use::Serving)).transpose()?;
    // Before anything is written: a port that is taken should leave no trace.
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let shop = Shop::open(config).await?;
    check_ground(&shop, config).await?;
    shop.settle_currency().await?;
    shop.note_secret(config).await?;
    let welcome = prepare(&shop, config).await?;
    add_sample_stocks(&shop, config).await?;
    settle_setup_code(&shop, config).await?;
    let router = server::router::build(&shop.app)?;
    output::print(&greeting(&listener, &welcome, &shop.app, config)?)?;
    let root = config.server.compat_root.map_or("none", Facade::word);
    let address = listener.local_addr()?;
    tracing::info!(%address, database = %config.database_url, compat_root = root, "serving");
    warn_about_strangers(config);
    let housekeepers = [
        tokio::spawn(keep_house(shop.app.clone())),
        tokio::spawn(shop.app.clone().keep_swept()),
        tokio::spawn(shop.app.clone().keep_waits_limited()),
    ];
    let asked_to_stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: accepting nothing more, answering what was accepted");
    };
    let drained = listener::serve(listener, router, Limits::from(&config.server), asked_to_stop).await;
    if drained.cut > 0 {
        tracing::warn!(connections = drained.cut, "cut requests that outlasted the grace period");
    }
    for housekeeper in housekeepers {
        housekeeper.abort();
        // Its clone of the application must be gone before the committer can end.
        let _ = housekeeper.await;
    }
    shop.close().await?;
    drop(lock);
    tracing::info!("stopped");
    Ok(())
}

/// Makes the code with which a shop that nobody is in charge of gets its first administrator, from wherever; removes the
/// one of a shop that has got one.
async fn settle_setup_code(shop: &Shop, config: &Config) -> anyhow::Result<()> {
    let directory = &config.data_dir;
    if shop.app.has_admin().await? {
        let done = setup::forget(directory);
        return done.with_context(|| format!("cannot remove the used code in {}", directory.display()));
    }
    let code = SetupCode::load_or_create(directory).with_context(|| {
        format!("cannot keep a code for the first administrator in {}", directory.display())
    })?;
    shop.app.hand_out(code);
    Ok(())
}

/// Refuses a database that may forget what it has answered, or warns if that is allowed. What a process before this one has
/// left in the log of an embedded one is moved into its file first, and thereby written and synced anew: after a failed sync the
/// log can be in the system's memory alone, and look the same.
async fn check_ground(shop: &Shop, config: &Config) -> anyhow::Result<()> {
    shop.empty_log().await?;
    let weaknesses = shop.app.reads().weaknesses().await?;
    if !weaknesses.is_empty() && !config.server.allow_unsafe_database {
        let lines: Vec<String> = weaknesses.iter().map(ToString::to_string).collect();
        anyhow::bail!(
            "the database may forget what it has answered. {}. To serve all the same, set allow_unsafe_database = true",
            lines.join(". ")
        );
    }
    for weakness in weaknesses {
        tracing::warn!(%weakness, "the database may forget what it has answered");
    }
    Ok(())
}

/// How one gets in.
enum Welcome {
    /// With a sample account and this password.
    Sample(String),
    /// By making the first account.
    New,
    /// With an account that exists.
    Known,
}

/// Adds the sample data that was asked for, if nobody has used the shop yet.
async fn prepare(shop: &Shop, config: &Config) -> anyhow::Result<Welcome> {
    match (shop.is_new().await?, config.demo) {
        (true, true) => {
            let password = demo::fill(&shop.app, &config.data_dir, clock::now_us()).await?;
            if password.is_none() {
                tracing::info!("another server is adding the sample data");
            }
            Ok(password.map_or(Welcome::Known, Welcome::Sample))
        }
        (true, false) => Ok(Welcome::New),
        (false, true) => {
            tracing::info!("the shop has users already; no sample data was added");
            Ok(demo::kept_password(&config.data_dir)?.map_or(Welcome::Known, Welcome::Sample))
        }
        (false, false) => Ok(Welcome::Known),
    }
}

/// Adds the stocks that the façade `orderflow` is expected to begin with, if it is at `/` and the shop was never used.
/// Comes after the sample data of `--demo`, which is enough to begin with.
async fn add_sample_stocks(shop: &Shop, config: &Config) -> anyhow::Result<()> {
    if config.server.compat_root != Some(Facade::Orderflow) {
        return Ok(());
    }
    match execute(&shop.app, AddSampleStocks).await? {
        Ok(0) => Ok(()),
        Ok(stocks) => {
            tracing::info!(stocks, "added sample stocks");
            Ok(())
        }
        Err(rejection) => Err(anyhow::anyhow!("the sample stocks were refused: {rejection:?}")),
    }
}

/// Says what callers without a token may do, where that is much, or so little that the façade at `/` is of no use.
fn warn_about_strangers(config: &Config) {
    match (config.server.anonymous_role, config.server.compat_root) {
        (Some(role @ (Role::Staff | Role::Admin)), _) => {
            tracing::warn!(role = role.word(), "callers without a token may do whatever that role may");
        }
        (None, Some(facade @ (Facade::Orderflow | Facade::Inventory))) => {
            tracing::warn!(
                compat_root = facade.word(),
                "clients of that service know no login, and callers without a token are answered 401: set anonymous_role"
            );
        }
        (Some(Role::Customer), _) | (None, None | Some(Facade::MiniOrder | Facade::Leafcraft)) => {}
    }
}

/// What a person sees who has just started the server.
fn greeting(listener: &TcpListener, welcome: &Welcome, app: &App, config: &Config) -> anyhow::Result<String> {
    let address = listener.local_addr()?;
    let log_in = match welcome {
        Welcome::Sample(password) => format!(
            "admin, staff or alice, each with the password {password}\n\
             \x20              (kept in {}; \"Authorize\" in Swagger UI takes it)",
            config.data_dir.join(demo::PASSWORD_FILE).display()
        ),
        Welcome::New => "the first account that registers on this machine (POST /api/v1/auth/register)\n\
             \x20              becomes administrator, for an hour from the shop's first start"
            .to_owned(),
        Welcome::Known => "POST /api/v1/auth/login".to_owned(),
    };
    let root = config.server.compat_root.map_or_else(String::new, |facade| {
        let name = facade.word();
        format!("  At /         {name}, as at http://{address}/compat/{name}\n")
    });
    let no_login = config.server.anonymous_role.map_or_else(String::new, |role| {
        format!("  No login     callers without a token have the role {}\n", role.word())
    });
    let set_up = app.setup_code().map_or_else(String::new, |code| {
        format!(
            "  Set up       from elsewhere or later, register with the header Stockroom-Setup-Code: {}\n\
             \x20              (once; kept in {})\n",
            code.reveal(),
            code.path().display()
        )
    });
    Ok(format!(
        "Stockroom {} is serving on http://{address}\n\
         \x20 API          http://{address}/api/v1\n\
         {root}\
         \x20 Swagger UI   http://{address}/docs\n\
         \x20 ReDoc        http://{address}/redoc\n\
         \x20 Log in       {log_in}\n\
         {set_up}\
         {no_login}",
        env!("CARGO_PKG_VERSION")
    ))
}

/// Forgets old answers from time to time.
async fn keep_house(app: App) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        if let Err(error) = forget_answers(&app).await {
            tracing::warn!(%error, "old answers could not be forgotten; the next attempt is in a minute");
        }
        // Another server, or the command line, may have made an administrator.
        if let Err(error) = app.retire_setup_code().await {
            tracing::warn!(%error, "whether the setup code is still needed is not known; the next attempt is in a minute");
        }
    }
}

/// Forgets portion after portion, between which others have their turn.
async fn forget_answers(app: &App) -> anyhow::Result<()> {
    let before_us = clock::between().earliest_us.saturating_sub(store::ANSWER_LIFE_US);
    while app.reads().oldest_answer_us().await?.is_some_and(|oldest_us| oldest_us < before_us) {
        let _ = execute(app, ForgetAnswers { before_us }).await?;
    }
    Ok(())
}
