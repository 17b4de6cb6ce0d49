//! The record of a copy's progress, in the target. As long as it is there, the target is no shop yet.

use super::CopyError;
use super::tables::TABLES;
use crate::StoreError;
use crate::driver::{Rows, Transaction, Value};
use crate::tables::UPSERT_META;
use serde_json::json;

/// Locks the record, so that of two copies one waits for the other.
pub(super) const RECORDED: &str = "SELECT m.value FROM meta m WHERE m.name = 'copy_progress' {for update}";
/// The same for whoever only looks.
pub(super) const IS_RECORDED: &str = "SELECT m.name FROM meta m WHERE m.name = 'copy_progress'";
const FORGET: &str = "DELETE FROM meta WHERE name = 'copy_progress'";

/// How far a copy has come. Written in the transaction of the rows that it tells of, so it is never wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The fingerprint of the source's state.
    pub(super) source: String,
    /// Which of [`TABLES`] the next rows are of; those before it are complete.
    pub(super) table: usize,
    /// The key of the last row of that table that was carried; empty before the first one.
    pub(super) key: Vec<Value>,
    /// Rows of that table that were carried.
    pub(super) rows: i64,
}

impl Mark {
    /// The record of a copy that begins.
    pub(super) fn new(source: String) -> Self {
        Self { source, table: 0, key: Vec::new(), rows: 0 }
    }

    /// The text that is stored.
    pub(super) fn to_text(&self) -> String {
        let key: Vec<_> = self.key.iter().map(to_json).collect();
        let table = TABLES.get(self.table).map(|table| table.table);
        json!({ "source": self.source, "table": table, "key": key, "rows": self.rows }).to_string()
    }

    /// Reads what [`Mark::to_text`] wrote.
    pub(super) fn from_text(text: &str) -> Result<Self, StoreError> {
        Self::parse(text).ok_or_else(|| StoreError::decode("the progress of the copy"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mark: serde_json::Value = serde_json::from_str(text).ok()?;
        let name = mark["table"].as_str()?;
        let key = mark["key"].as_array()?;
        Some(Self {
            source: mark["source"].as_str()?.to_owned(),
            table: TABLES.iter().position(|table| table.table == name)?,
            key: key.iter().map(from_json).collect::<Option<_>>()?,
            rows: mark["rows"].as_i64()?,
        })
    }

    /// Replaces the stored record, or stores the first one.
    pub(super) async fn store(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let mut rows = Rows::new();
        rows.push(["copy_progress".into(), (&self.to_text()).into()]);
        transaction.upsert_rows(&UPSERT_META, &rows).await
    }
}

/// The stored record, locked.
pub(super) async fn recorded(transaction: &mut Transaction) -> Result<Option<Mark>, StoreError> {
    let found = transaction.query(RECORDED, &[]).await?;
    found.first().map(|row| Mark::from_text(row.as_text(0)?)).transpose()
}

/// Whether a step of the copy is still to be done. Its transaction may have been committed although nobody was told.
pub(super) async fn is_due(
    transaction: &mut Transaction,
    before: &Mark,
    after: Option<&Mark>,
) -> Result<bool, CopyError> {
    let found = recorded(transaction).await.map_err(CopyError::Target)?;
    if found.as_ref() == Some(before) {
        Ok(true)
    } else if found.as_ref() == after {
        Ok(false)
    } else {
        Err(CopyError::Overtaken)
    }
}

/// Takes the record away: the target is a shop.
pub(super) async fn forget(transaction: &mut Transaction) -> Result<(), StoreError> {
    transaction.execute(FORGET, &[]).await.map(drop)
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

/// Keys are never NULL.
fn from_json(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Number(number) => number.as_i64().map(Value::Int),
        serde_json::Value::String(text) => Some(Value::Text(text.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let keys = [
            vec![],
            vec![i64::MIN.into()],
            vec![i64::MAX.into(), "\"\\ \u{1}\u{2028} \u{10ffff} it's".into()],
        ];
        for (table, key) in keys.into_iter().enumerate() {
            let mark = Mark { source: "counter order: 12; \"x\"".to_owned(), table, key, rows: i64::MAX };
            assert_eq!(Mark::from_text(&mark.to_text()).unwrap(), mark);
        }
        let mark = Mark::new(String::new());
        let nowhere = mark.to_text().replace("locations", "places");
        for text in ["", "{}", "7", &nowhere] {
            assert!(Mark::from_text(text).is_err(), "{text}");
        }
    }
}
