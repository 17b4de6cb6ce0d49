//! A measurement: many rows by one set statement, or by one prepared statement each.
//!
//! `cargo test --release -p store --test it set_or_single -- --nocapture`

use std::time::{Duration, Instant};
use store::driver::{Cell, Database, Kind, Options, Rows, TableRows, Transaction, UpdateRows, Value};

const CREATE: &str = "CREATE TABLE wide (id {id}, a {int} NOT NULL, b {int} NOT NULL, c {key 16} NOT NULL,
    d {key 16} NOT NULL, e {int}, f {int}, g {text} NOT NULL, h {text}, i {int} NOT NULL) {end}";
const INSERT_ONE: &str =
    "INSERT INTO wide (id, a, b, c, d, e, f, g, h, i) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE_ONE: &str = "UPDATE wide SET a = ?, b = ?, i = ? WHERE id = ?";

const COLUMNS: &[(&str, Kind)] = &[
    ("id", Kind::Int),
    ("a", Kind::Int),
    ("b", Kind::Int),
    ("c", Kind::Text),
    ("d", Kind::Text),
    ("e", Kind::Int),
    ("f", Kind::Int),
    ("g", Kind::Text),
    ("h", Kind::Text),
    ("i", Kind::Int),
];
static WIDE: TableRows = TableRows { table: "wide", columns: COLUMNS, key: &["id"] };
static WIDE_NUMBERS: UpdateRows = UpdateRows {
    table: "wide",
    key: &[("id", Kind::Int)],
    set: &[("a", Kind::Int), ("b", Kind::Int), ("i", Kind::Int)],
};

fn row(id: i64) -> [Value; 10] {
    [
        id.into(),
        7.into(),
        (id * 31).into(),
        "allocation".into(),
        "pending".into(),
        Value::Null,
        42.into(),
        "01J9ZQ7T3M8W5X6Y7Z8A9B0C1D".into(),
        Value::Null,
        1_780_000_000_000_000.into(),
    ]
}

fn update(id: i64) -> [Value; 4] {
    [9.into(), (id * 17).into(), 1_790_000_000_000_000.into(), id.into()]
}

async fn one_by_one(transaction: &mut Transaction, first: i64, count: i64) {
    for id in first..first + count {
        transaction.execute(INSERT_ONE, &row(id)).await.unwrap();
    }
}

async fn as_set(transaction: &mut Transaction, first: i64, count: i64) {
    let mut rows = Rows::new();
    for id in first..first + count {
        let values = row(id);
        rows.push(values.each_ref().map(Cell::from));
    }
    transaction.insert_rows(&WIDE, &rows).await.unwrap();
}

async fn update_one_by_one(transaction: &mut Transaction, first: i64, count: i64) {
    for id in first..first + count {
        transaction.execute(UPDATE_ONE, &update(id)).await.unwrap();
    }
}

async fn update_as_set(transaction: &mut Transaction, first: i64, count: i64) {
    let mut rows = Rows::new();
    for id in first..first + count {
        rows.push([id.into(), 9.into(), (id * 17).into(), 1_790_000_000_000_000.into()]);
    }
    transaction.update_rows(&WIDE_NUMBERS, &rows).await.unwrap();
}

/// Medians over rounds that take turns, so that a busy moment hits all alike.
async fn measure(database: &Database, count: i64, rounds: i64) -> [Duration; 4] {
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..rounds {
        let mut transaction = database.begin().await.unwrap();
        let (first, second) = (1 + round * 2 * count, 1 + (round * 2 + 1) * count);
        let started = Instant::now();
        one_by_one(&mut transaction, first, count).await;
        times[0].push(started.elapsed());
        let started = Instant::now();
        as_set(&mut transaction, second, count).await;
        times[1].push(started.elapsed());
        let started = Instant::now();
        update_one_by_one(&mut transaction, first, count).await;
        times[2].push(started.elapsed());
        let started = Instant::now();
        update_as_set(&mut transaction, second, count).await;
        times[3].push(started.elapsed());
        transaction.commit().await.unwrap();
    }
    times.map(|mut all| {
        all.sort();
        all[all.len() / 2]
    })
}

async fn fresh(dir: &tempfile::TempDir, name: &str, set_statements: bool) -> Database {
    let url = format!("sqlite:{}", dir.path().join(name).display());
    let database = Database::open(&url, Options { set_statements, ..Options::default() }).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(CREATE, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    database
}

/// In a debug build it only shows that both ways run; `cargo test --release -p store set_or_single -- --nocapture`
/// measures.
#[tokio::test]
async fn measured() {
    let rounds = if cfg!(debug_assertions) { 2 } else { 200 };
    let dir = tempfile::tempdir().unwrap();
    println!(
        "median of {rounds} rounds: rows, set_statements | insert by execute, by insert_rows | update likewise"
    );
    for count in [1, 4, 16, 64, 256] {
        for set_statements in [true, false] {
            let database = fresh(&dir, &format!("{count}-{set_statements}"), set_statements).await;
            let [single, set, update_single, update_set] = measure(&database, count, rounds).await;
            println!(
                "{count:4}, {set_statements:5} | {single:?}, {set:?} | {update_single:?}, {update_set:?}"
            );
        }
    }
}
