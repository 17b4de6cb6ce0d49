//! The write-ahead log of SQLite: bounded, and moved without loss.

use std::time::Duration;

use store::driver::{Database, Options, Value};

const CREATE: &str = "CREATE TABLE lines (id {id}, text {text} NOT NULL) {end}";
const INSERT: &str = "INSERT INTO lines (id, text) VALUES (?, ?)";
const COUNT: &str = "SELECT COUNT(*), MAX(id) FROM lines";
const COMMITS: i64 = 3_000;
/// Small, so that a test reaches it many times.
const LIMIT_PAGES: u32 = 64;

#[tokio::test]
async fn the_log_stays_bounded_while_somebody_writes_and_somebody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let url = format!("sqlite:{}", path.display());
    let options = Options { wal_limit_pages: LIMIT_PAGES, ..Options::default() };
    let database = Database::open(&url, options.clone()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(CREATE, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let text = "x".repeat(500);
    for id in 1..=COMMITS {
        let mut transaction = database.begin().await.unwrap();
        transaction.execute(INSERT, &[id.into(), Value::from(text.as_str())]).await.unwrap();
        transaction.commit().await.unwrap();
        if id % 500 == 0 {
            let row = database.reader().await.unwrap().query(COUNT, &[]).await.unwrap().remove(0);
            assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (id, id));
        }
    }
    // Some thousand pages went through it; it never held more than the writer's patience allows.
    let log_bytes = || std::fs::metadata(dir.path().join("log.sqlite-wal")).unwrap().len();
    let log = log_bytes();
    let most = u64::from(LIMIT_PAGES) * (4096 + 24) * 5;
    assert!(log <= most, "{log} bytes, at most {most}");
    database.checkpoint().await.unwrap();
    assert_eq!(log_bytes(), 0);
    drop(database);
    let database = Database::open(&url, options).await.unwrap();
    let row = database.reader().await.unwrap().query(COUNT, &[]).await.unwrap().remove(0);
    assert_eq!(row.int(0).unwrap(), COMMITS);
    let check = database.reader().await.unwrap().query("PRAGMA integrity_check", &[]).await.unwrap();
    assert_eq!(check[0].as_text(0).unwrap(), "ok");
}

#[tokio::test]
async fn a_database_that_was_closed_is_one_file() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sqlite");
        let url = format!("sqlite:{}", path.display());
        // The last commit wakes the other thread, which has a lot to do.
        let options = Options { wal_limit_pages: 2_000, ..Options::default() };
        let database = Database::open(&url, options).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        transaction.execute(CREATE, &[]).await.unwrap();
        let text = "x".repeat(3_000);
        for id in 1..=1_500_i64 {
            transaction.execute(INSERT, &[id.into(), Value::from(text.as_str())]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        database.checkpoint().await.unwrap();
        let copy = dir.path().join("copy.sqlite");
        std::fs::copy(&path, &copy).unwrap();
        drop(database);
        let entries = std::fs::read_dir(dir.path()).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["copy.sqlite", "log.sqlite"]);
        let copy = Database::open(&format!("sqlite:{}", copy.display()), Options::default()).await.unwrap();
        let row = copy.reader().await.unwrap().query(COUNT, &[]).await.unwrap().remove(0);
        assert_eq!(row.int(0).unwrap(), 1_500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_take_turns_do_not_keep_the_log_growing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let options = Options { wal_limit_pages: LIMIT_PAGES, ..Options::default() };
    let database = Database::open(&format!("sqlite:{}", path.display()), options).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(CREATE, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    // There is always one that is in the middle of it.
    let mut readers = tokio::task::JoinSet::new();
    for turn in 0..3 {
        let database = database.clone();
        readers.spawn(async move {
            tokio::time::sleep(Duration::from_millis(turn * 7)).await;
            loop {
                let mut reader = database.reader().await.unwrap();
                reader.begin_snapshot().await.unwrap();
                reader.query(COUNT, &[]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    let text = "x".repeat(500);
    for id in 1..=COMMITS {
        let mut transaction = database.begin().await.unwrap();
        transaction.execute(INSERT, &[id.into(), Value::from(text.as_str())]).await.unwrap();
        transaction.commit().await.unwrap();
    }
    readers.shutdown().await;
    let log = std::fs::metadata(dir.path().join("log.sqlite-wal")).unwrap().len();
    // Without waiting for readers it would hold a page and more for each commit.
    let most = u64::from(LIMIT_PAGES) * (4096 + 24) * 12;
    assert!(log <= most, "{log} bytes, at most {most}");
}
