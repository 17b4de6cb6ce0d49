//! Servers as they must not be: one answers a commit before that is synced (`synchronous = NORMAL`). The program has no
//! settings for that, and so they are put together here, of the same parts, in a process of their own.

use std::path::Path;
use std::process::Command;

use server::app::App;
use server::auth::secret::Secret;
use server::http::listener::{self, Limits};
use server::http::metrics::Metrics;
use server::settings::Settings;
use store::Store;
use store::driver::{Database, Options};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::program::Place;

/// Tells [`serves`] that it is not run as a test, and the [`Manner`] of the server.
const MANNER: &str = "STOCKROOM_TEST_MANNER";

/// What [`serves`] is called on the command line of this test program.
const ITSELF: &str = "sqlite_only::wrong::serves";

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should be.
    Right,
    /// Commits are synced when the log is moved into the file, and not before they are answered.
    SyncsNowAndThen,
    /// The log is never moved into the file.
    NeverMovesTheLog,
}

const MANNERS: [Manner; 3] = [Manner::Right, Manner::SyncsNowAndThen, Manner::NeverMovesTheLog];

/// Serves the shop of a place whose STOCKROOM_DATA_DIR is set.
pub(crate) fn command(place: &Place, manner: Manner) -> Command {
    let like = place.command(&[]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ITSELF, "--exact", "--nocapture"]).current_dir(place.path()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env(MANNER, format!("{manner:?}"));
    command
}

/// No test, but the server that [`command`] starts.
#[test]
fn serves() {
    let Ok(told) = std::env::var(MANNER) else { return };
    let manner = MANNERS.into_iter().find(|manner| format!("{manner:?}") == told).unwrap();
    let data = std::env::var("STOCKROOM_DATA_DIR").unwrap();
    Runtime::new().unwrap().block_on(serve(Path::new(&data), manner));
}

/// As `stockroom serve` does, but for what has nothing to do with orders.
async fn serve(data: &Path, manner: Manner) {
    let url = format!("sqlite:{}", data.join("stockroom.sqlite").display());
    let sync_commits = manner != Manner::SyncsNowAndThen;
    let right = Options::default().wal_limit_pages;
    let wal_limit_pages = if manner == Manner::NeverMovesTheLog { 0 } else { right };
    let options = Options { sync_commits, wal_limit_pages, ..Options::default() };
    let database = Database::open(&url, options).await.unwrap();
    database.checkpoint().await.unwrap();
    let settings = Settings::default();
    let limits = Limits::from(&settings);
    let secret = Secret::load_or_create(data).unwrap();
    let (app, _committer) = App::start(Store::new(database), &secret, settings, Metrics::new()).unwrap();
    // The real one would end here.
    assert_eq!(app.reads().weaknesses().await.unwrap().is_empty(), sync_commits);
    let router = server::router::build(&app).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("serving on http://{}", listener.local_addr().unwrap());
    // It is killed.
    _ = listener::serve(listener, router, limits, std::future::pending()).await;
}
