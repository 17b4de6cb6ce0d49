//! A moment's try of everything, so that the baseline does not rot unseen.

use std::time::Duration;

use store::driver::{Database, Options};

use crate::load::{self, Load};
use crate::{Failure, Task, shop};

/// Names a server, with the right to make databases or schemas there.
const DATABASE: &str = "STOCKROOM_TEST_DATABASE";

pub(crate) async fn run() -> Result<(), Failure> {
    load::check()?;
    arguments()?;
    match std::env::var(DATABASE) {
        Ok(server) if !server.starts_with("sqlite:") => in_a_database_of_its_own(&server).await,
        _ => Ok(()),
    }
}

fn arguments() -> Result<(), Failure> {
    let load = Load { products: 1000, clients: 64, connections: 16, length: Duration::from_secs(5) };
    let wanted = Task::Run { url: "mysql://h/d".to_owned(), load };
    let read = Task::read(&["run", "mysql://h/d", "1000", "64", "16", "5"])?;
    if read != wanted || Task::read(&["--bench"])? != Task::Try || Task::read(&["run", "0"]).is_ok() {
        return Err(format!("the arguments are read as {read:?}"));
    }
    Ok(())
}

/// Fills a shop, places orders in it for a moment, and removes it.
async fn in_a_database_of_its_own(server: &str) -> Result<(), Failure> {
    let name = format!("usual_way_{}", std::process::id());
    let (from, url, make, remove) = if server.starts_with("postgres") {
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        let remove = format!("DROP SCHEMA {name} CASCADE");
        (server.to_owned(), url, format!("CREATE SCHEMA {name}"), remove)
    } else {
        let place = server.split('?').next().unwrap_or(server).trim_end_matches(|c| c != '/');
        // Every connection is to a database, and this one is always there.
        let from = format!("{place}information_schema");
        let remove = format!("DROP DATABASE {name}");
        (from, format!("{place}{name}"), format!("CREATE DATABASE {name}"), remove)
    };
    command(&from, &make).await?;
    let tried = place_orders(&url).await;
    command(&from, &remove).await?;
    tried
}

async fn place_orders(url: &str) -> Result<(), Failure> {
    shop::fill(url, 3).await?;
    let load = Load { products: 3, clients: 8, connections: 4, length: Duration::from_millis(200) };
    crate::run(url, &load).await.map(drop)
}

async fn command(server: &str, sql: &str) -> Result<(), Failure> {
    let cannot = |error: store::StoreError| format!("{sql}: {error}");
    let database = Database::open(server, Options::default()).await.map_err(cannot)?;
    let mut transaction = database.begin().await.map_err(cannot)?;
    transaction.execute_dynamic(sql, &[]).await.map_err(cannot)?;
    transaction.commit().await.map_err(cannot)
}
