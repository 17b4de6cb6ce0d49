//! Definitions cannot be undone here, so a migration that was interrupted goes on where it stopped.

use crate::place::Place;
use mysql_async::prelude::Queryable as _;
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Dialect, Options};
use tokio::time::sleep;

use super::cut;

const SCRIPTS: [&str; 9] = [
    include_str!("../../../migrations/0001_initial.sql"),
    include_str!("../../../migrations/0002_batch_sequence.sql"),
    include_str!("../../../migrations/0003_products_by_name.sql"),
    include_str!("../../../migrations/0004_orders_at_scale.sql"),
    include_str!("../../../migrations/0005_product_search.sql"),
    include_str!("../../../migrations/0006_sums_of_the_shop.sql"),
    include_str!("../../../migrations/0007_api_keys.sql"),
    include_str!("../../../migrations/0008_audit.sql"),
    include_str!("../../../migrations/0009_holds_and_expiry.sql"),
];

/// The statements of all migrations.
fn statements() -> Vec<String> {
    let code = |line: &str| line.split("--").next().unwrap_or_default().to_owned();
    let scripts = SCRIPTS.iter().flat_map(|script| {
        let text = script.lines().map(code).collect::<Vec<_>>().join("\n");
        text.split(';').map(|statement| statement.trim().to_owned()).collect::<Vec<_>>()
    });
    // Those for other databases are left out by the driver.
    let others = ["{not mysql}", "{sqlite}"];
    let is_ours = |statement: &String| !others.iter().any(|word| statement.starts_with(word));
    scripts.filter(|statement| !statement.is_empty() && is_ours(statement)).collect()
}

async fn open(place: &Place) -> Database {
    Database::open(place.url(), Options::default()).await.unwrap()
}

/// All definitions and the rows that the migrations insert.
async fn schema(place: &Place) -> Vec<String> {
    let mut beside = place.beside().await;
    beside.query_drop(format!("USE {}", place.name())).await.unwrap();
    let mut all = Vec::new();
    for table in beside.query::<String, _>("SHOW TABLES").await.unwrap() {
        let made: Option<(String, String)> =
            beside.query_first(format!("SHOW CREATE TABLE {table}")).await.unwrap();
        all.push(made.unwrap().1);
    }
    for sql in [
        "SELECT CONCAT(name, ' ', next) FROM counters ORDER BY name",
        "SELECT CONCAT(id, ' ', name) FROM locations",
        "SELECT CONCAT(version, ' ', name, ' ', checksum) FROM schema_migrations ORDER BY version",
    ] {
        all.extend(beside.query::<String, _>(sql).await.unwrap());
    }
    all
}

#[tokio::test]
async fn a_migration_that_was_killed_after_any_statement_goes_on() {
    let place = Place::mysql().await;
    open(&place).await.migrate(1).await.unwrap();
    let expected = schema(&place).await;
    let statements = statements();
    assert!(statements.len() > 15, "{statements:?}");
    for done in 0..=statements.len() {
        let place = Place::mysql().await;
        let database = open(&place).await;
        // What the first attempt had come to: the lock, and so many statements.
        let mut transaction = database.begin().await.unwrap();
        let notes = "CREATE TABLE schema_migrations (version {id}, name {key 64} NOT NULL, \
             checksum {key 16} NOT NULL, applied_at_us {int} NOT NULL) {end}";
        transaction.execute(notes, &[]).await.unwrap();
        transaction.execute("INSERT INTO schema_migrations VALUES (0, 'lock', '', 0)", &[]).await.unwrap();
        for statement in &statements[..done] {
            let sql = Dialect::MySql.expand(statement).unwrap();
            transaction.execute_dynamic(&sql, &[]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        assert_eq!(database.missing_migrations().await.unwrap(), SCRIPTS.len());
        assert_eq!(database.migrate(1).await.unwrap().len(), SCRIPTS.len(), "after {done}");
        assert_eq!(schema(&place).await, expected, "after {done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_while_connections_are_cut_come_up_in_the_end() {
    let reference = Place::mysql().await;
    open(&reference).await.migrate(1).await.unwrap();
    let expected = schema(&reference).await;
    let place = Place::mysql().await;
    let mut beside = place.beside().await;
    let name = place.name().to_owned();
    let cutter = tokio::spawn(async move {
        for pause in 0..12 {
            sleep(Duration::from_millis(5 + pause * 11)).await;
            cut(&mut beside, &name).await;
        }
    });
    let servers: Vec<_> = (0..3)
        .map(|_| {
            let url = place.url().to_owned();
            tokio::spawn(async move {
                // Whoever fails is started again.
                for _ in 0..50 {
                    let Ok(database) = Database::open(&url, Options::default()).await else { continue };
                    match database.migrate(1).await {
                        Ok(_) => return,
                        Err(StoreError::ConnectionLost(_) | StoreError::Conflict(_)) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                panic!("it never came up");
            })
        })
        .collect();
    for server in servers {
        server.await.unwrap();
    }
    cutter.await.unwrap();
    assert_eq!(schema(&place).await, expected);
}

#[tokio::test]
async fn a_table_of_somebody_else_is_not_taken_for_ours() {
    let place = Place::mysql().await;
    let database = open(&place).await;
    let mut beside = place.beside().await;
    let name = place.name();
    beside.query_drop(format!("CREATE TABLE {name}.users (name TEXT)")).await.unwrap();
    for _ in 0..2 {
        let error = database.migrate(1).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration { .. }), "{error:?}");
        assert!(error.to_string().contains("\"users\""), "{error}");
    }
    beside.query_drop(format!("DROP TABLE {name}.users")).await.unwrap();
    beside.query_drop(format!("CREATE TABLE {name}.another (name TEXT)")).await.unwrap();
    assert_eq!(database.migrate(1).await.unwrap().len(), SCRIPTS.len());
}
