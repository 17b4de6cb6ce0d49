//! What a server has left behind: its files, and the rows of a database on a network.

use std::path::{Path, PathBuf};

use store::driver::{Database, Options, Value};

use crate::program::Place;

/// Everything that is left behind in a place, by name.
pub(super) fn everything(place: &Place) -> Vec<(String, Vec<u8>)> {
    let name = |file: &PathBuf| file.strip_prefix(place.path()).unwrap().display().to_string();
    let mut all: Vec<_> =
        files(place.path()).iter().map(|file| (name(file), std::fs::read(file).unwrap())).collect();
    if !place.is_embedded() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        all.extend(runtime.block_on(tables(&place.database_url())));
    }
    all
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

/// Every row of every table that the database says it has, whoever has made it.
async fn tables(url: &str) -> Vec<(String, Vec<u8>)> {
    let (text, here) =
        if url.starts_with("postgres") { ("text", "current_schema()") } else { ("CHAR", "DATABASE()") };
    let names = format!(
        "SELECT CAST(t.table_name AS {text}) FROM information_schema.tables t WHERE t.table_schema = {here}"
    );
    let database = Database::open(url, Options::default()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let mut all = Vec::new();
    for mut row in transaction.query_dynamic(&names, &[]).await.unwrap() {
        let name = row.text(0).unwrap();
        let rows = transaction.query_dynamic(&format!("SELECT t.* FROM {name} t"), &[]).await.unwrap();
        let mut dump = String::new();
        for value in rows.iter().flat_map(|row| row.values()) {
            if let Value::Text(text) = value {
                dump.push_str(text);
                dump.push('\n');
            }
        }
        all.push((format!("table {name}"), dump.into_bytes()));
    }
    transaction.rollback().await.unwrap();
    all
}
