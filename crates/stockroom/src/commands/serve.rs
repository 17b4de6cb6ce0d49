//! `stockroom serve`

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use domain::ForgetAnswers;
use server::app::App;
use server::clock;
use server::http::listener::{self, Limits};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::shop::{Shop, execute};
use crate::config::Config;
use crate::{demo, lock, output};

/// How often answers that nobody may ask for any more are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// Serves the API until SIGTERM or Ctrl-C, then answers what was accepted and returns.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    // Asked for first: a signal that comes while the server starts must not kill it half-way.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make the data directory {}", config.data_dir.display()))?;
    let lock = lock::take(config.database_url.expose())?;
    let shop = Shop::open(config).await?;
    let demo_password = if config.demo { Some(demo::fill(&shop.app, &config.data_dir).await?) } else { None };
    let router = server::router::build(&shop.app)?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.server.listen))?;
    output::print(&greeting(&listener, demo_password.as_deref(), &config.data_dir)?)?;
    tracing::info!(address = %listener.local_addr()?, database = %config.database_url, "serving");
    let housekeeper = tokio::spawn(keep_house(shop.app.clone()));
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
    housekeeper.abort();
    // Its clone of the application must be gone before the committer can end.
    let _ = housekeeper.await;
    shop.close().await?;
    drop(lock);
    tracing::info!("stopped");
    Ok(())
}

/// What a person sees who has just started the server.
fn greeting(listener: &TcpListener, demo_password: Option<&str>, data_dir: &Path) -> anyhow::Result<String> {
    let address = listener.local_addr()?;
    let mut text = format!(
        "Stockroom {} is serving on http://{address}\n\
         \x20 API          http://{address}/api/v1\n\
         \x20 Swagger UI   http://{address}/docs\n\
         \x20 ReDoc        http://{address}/redoc\n",
        env!("CARGO_PKG_VERSION")
    );
    match demo_password {
        Some(password) => {
            text.push_str(&format!(
                "  Log in as    admin, staff or alice, each with the password {password}\n\
                 \x20              (kept in {}; \"Authorize\" in Swagger UI takes it)\n",
                data_dir.join(demo::PASSWORD_FILE).display()
            ));
        }
        None => text.push_str(
            "  Log in       POST /api/v1/auth/login; the first account that registers becomes administrator\n",
        ),
    }
    Ok(text)
}

/// Forgets old answers from time to time.
async fn keep_house(app: App) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        let now_us = clock::now_us();
        let command = ForgetAnswers { before_us: now_us.saturating_sub(store::ANSWER_LIFE_US) };
        if let Err(error) = execute(&app, command, now_us).await {
            tracing::warn!(%error, "old answers could not be forgotten; the next attempt is in an hour");
        }
    }
}
