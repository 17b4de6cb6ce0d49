//! What only SQLite has: files, other processes that hold them, abandoned threads, its own plans.

use crate::place::Place;
use crate::toys::{CREATE_TOYS, Fixture};
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options, Value};

async fn sqlite(options: Options) -> Fixture {
    Fixture::at(Place::sqlite(), options).await
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for() {
    let options = Options { busy_timeout: Duration::from_millis(40), ..Options::default() };
    let fixture = sqlite(options.clone()).await;
    let other = Database::open(fixture.place.url(), options).await.unwrap();
    let held = other.begin().await.unwrap();
    let error = fixture.database.begin().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let waiting = {
        let database = fixture.database.clone();
        tokio::spawn(async move { database.begin().await.is_ok() })
    };
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(held);
    assert!(waiting.await.unwrap());
}

/// Whoever asks for long lists and hangs up must not get more of the machine than those who wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_query_counts_as_long_as_it_runs() {
    const LONG: &str = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3000000) \
         SELECT COUNT(*) FROM t";
    let fixture = sqlite(Options { readers: 1, ..Options::default() }).await;
    let mut reader = fixture.database.reader().await.unwrap();
    let moment = Duration::from_millis(20);
    assert!(tokio::time::timeout(moment, reader.query_long(LONG, &[])).await.is_err(), "it runs for longer");
    drop(reader);
    assert!(tokio::time::timeout(moment, fixture.database.reader()).await.is_err(), "it still runs");
    let mut next = fixture.database.reader().await.unwrap();
    assert_eq!(next.query("SELECT 7", &[]).await.unwrap()[0].int(0).unwrap(), 7);
}

#[tokio::test]
async fn a_reader_is_not_waited_for_for_ever() {
    let options = Options { readers: 2, patience: Duration::from_millis(20), ..Options::default() };
    let fixture = sqlite(options).await;
    let database = &fixture.database;
    let (first, long) = (database.reader().await.unwrap(), database.long_reader().await.unwrap());
    for error in [database.reader().await.unwrap_err(), database.long_reader().await.unwrap_err()] {
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    }
    drop(first);
    // One that is kept for what is short is free again, but the place for long ones is not.
    assert!(database.reader().await.is_ok() && database.long_reader().await.is_err());
    drop(long);
    assert!(database.long_reader().await.is_ok());
}

#[tokio::test]
async fn urls_are_checked() {
    for url in ["sqlite::memory:", "secret", "sqlite:", "redis:secret"] {
        let error = Database::open(url, Options::default()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let missing = format!("sqlite:{}/no/such/dir.sqlite", dir.path().display());
    assert!(matches!(Database::open(&missing, Options::default()).await, Err(StoreError::Io(_))));
    std::fs::write(dir.path().join("text"), "this is not a database, though it is long enough".repeat(99))
        .unwrap();
    let text = format!("sqlite://{}/text", dir.path().display());
    assert!(matches!(Database::open(&text, Options::default()).await, Err(StoreError::Corrupt(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = sqlite(Options::default()).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(fixture.place.dir()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[tokio::test]
async fn a_commit_is_durable_and_as_slow_as_the_disk_is_said_to_be() {
    let place = Place::sqlite();
    let options = Options { sync_delay: Some(Duration::from_millis(30)), ..Options::default() };
    let database = Database::open(place.url(), options).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    for (pragma, expected) in [
        ("PRAGMA journal_mode", Value::from("wal")),
        ("PRAGMA synchronous", 2.into()),
        ("PRAGMA foreign_keys", 1.into()),
        ("PRAGMA temp_store", 2.into()),
        ("PRAGMA cache_size", (-16 * 1024).into()),
        ("PRAGMA wal_autocheckpoint", 0.into()),
    ] {
        let mut found = transaction.query(pragma, &[]).await.unwrap().remove(0);
        let found = found.int(0).map(Value::from).or_else(|_| found.text(0).map(Value::from)).unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
    transaction.execute(CREATE_TOYS, &[]).await.unwrap();
    let started = std::time::Instant::now();
    transaction.commit().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(30));
    database.checkpoint().await.unwrap();
}

/// What `EXPLAIN QUERY PLAN` says, one line per step.
async fn plan(database: &Database, sql: &str) -> String {
    let mut transaction = database.begin().await.unwrap();
    let steps =
        transaction.query_dynamic(&format!("EXPLAIN QUERY PLAN {sql}"), &["[]".into()]).await.unwrap();
    let lines: Vec<_> = steps.into_iter().map(|mut row| row.text(3).unwrap()).collect();
    lines.join("\n")
}

#[tokio::test]
async fn set_statements_look_rows_up_by_key() {
    let fixture = sqlite(Options::default()).await;
    fixture.database.migrate(1).await.unwrap();
    let update = "UPDATE stock_levels SET on_hand = r.on_hand FROM \
        {rows:product_id int, location_id int, on_hand int} r \
        WHERE stock_levels.product_id = r.product_id AND stock_levels.location_id = r.location_id";
    let delete = "DELETE FROM stock_levels WHERE (product_id, location_id) IN \
        (SELECT r.product_id, r.location_id FROM {rows:product_id int, location_id int} r)";
    let by_id = "UPDATE orders SET state = r.state FROM {rows:id int, state text} r WHERE orders.id = r.id";
    for (sql, lookup) in [
        (update, "SEARCH stock_levels USING PRIMARY KEY (product_id=? AND location_id=?)"),
        (delete, "SEARCH stock_levels USING PRIMARY KEY (product_id=? AND location_id=?)"),
        (by_id, "SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)"),
    ] {
        let plan = plan(&fixture.database, sql).await;
        assert!(plan.contains(lookup), "{plan}");
        let rows = plan.find("SCAN jsonb_each VIRTUAL TABLE").unwrap_or_else(|| panic!("{plan}"));
        // An update walks the rows and looks each up; a delete walks the keys of its subquery.
        assert!(plan.find(lookup) > Some(rows) || sql == delete, "{plan}");
        assert!(!plan.contains("SCAN stock_levels") && !plan.contains("AUTOMATIC"), "{plan}");
    }
}
