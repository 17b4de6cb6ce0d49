//! A server as it must not be: it answers a commit before that is synced (`synchronous = NORMAL`). The program has no
//! setting for that, and so the server is put together here, of the same parts, in a process of its own.

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

/// Tells [`serves`] that it is not run as a test: how the server syncs.
const SYNC: &str = "STOCKROOM_TEST_SYNC";

/// What [`serves`] is called on the command line of this test program.
const ITSELF: &str = "sqlite_only::forgetful::serves";

/// When commits are synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Before they are answered, as they should be.
    Full,
    /// When the log is moved into the file.
    Normal,
}

/// Serves the shop of a place whose STOCKROOM_DATA_DIR is set.
pub(crate) fn command(place: &Place, sync: Sync) -> Command {
    let like = place.command(&[]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ITSELF, "--exact", "--nocapture"]).current_dir(place.path()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env(SYNC, if sync == Sync::Full { "full" } else { "normal" });
    command
}

/// No test, but the server that [`command`] starts.
#[test]
fn serves() {
    let Ok(sync) = std::env::var(SYNC) else { return };
    let data = std::env::var("STOCKROOM_DATA_DIR").unwrap();
    Runtime::new().unwrap().block_on(serve(Path::new(&data), sync == "full"));
}

/// As `stockroom serve` does, but for what has nothing to do with orders.
async fn serve(data: &Path, sync_commits: bool) {
    let url = format!("sqlite:{}", data.join("stockroom.sqlite").display());
    let database = Database::open(&url, Options { sync_commits, ..Options::default() }).await.unwrap();
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
