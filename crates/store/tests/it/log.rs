//! The write-ahead log of SQLite: bounded, and moved without loss.

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
    // The other thread may be at work still, and is not waited for.
    while log_bytes() > 0 {
        tokio::task::yield_now().await;
        database.checkpoint().await.unwrap();
    }
    drop(database);
    let database = Database::open(&url, options).await.unwrap();
    let row = database.reader().await.unwrap().query(COUNT, &[]).await.unwrap().remove(0);
    assert_eq!(row.int(0).unwrap(), COMMITS);
    let check = database.reader().await.unwrap().query("PRAGMA integrity_check", &[]).await.unwrap();
    assert_eq!(check[0].as_text(0).unwrap(), "ok");
}
