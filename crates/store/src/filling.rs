//! Filling a shop from nothing, by one who has the database alone. A note tells of it, and as long as that is there, the
//! shop is not what was asked for, and nobody else may use it.
//!
//! On SQLite that allows what would be wrong in a shop that is used. What each batch would scatter over the whole database
//! is only appended meanwhile: the indexes of the large tables are away, and the ledger and the sums of orders are heaps
//! without a key. In the end the heaps are sorted, once, and the indexes built. An end that does not come leaves a
//! database without them, but with the note.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{ProductId, Snapshot};

use crate::driver::{AddRows, Dialect, Rows, TableRows, Transaction};
use crate::tables::{ADD_SUMS, INSERT_MOVEMENTS, UPSERT_META};
use crate::{Store, StoreError};

/// Locked, so that no command of another server comes in between.
const COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name {for update}";
/// Finds the note.
pub(crate) const NOTED: &str = "SELECT m.name FROM meta m WHERE m.name = 'filling'";
const FORGET: &str = "DELETE FROM meta WHERE name = 'filling'";

/// The indexes that a command of a shop being filled can do without, as the schema has them. Those that SQLite makes for
/// itself have no text. Of users and products it needs some, and the others cost little.
const INDEXES: &str = "SELECT s.name, s.sql FROM sqlite_schema s WHERE s.type = 'index' AND s.sql IS NOT NULL \
     AND s.tbl_name IN ('orders', 'order_items', 'events', 'stock_levels', 'stock_movements', 'order_sums') \
     ORDER BY s.name";
const TABLE: &str = "SELECT s.sql FROM sqlite_schema s WHERE s.type = 'table' AND s.name = ?";

/// A shop that is being filled from nothing. What comes of it counts from [`Filling::end`] on.
#[derive(Debug)]
pub struct Filling {
    store: Store,
    /// Tables that are heaps for now, with the text that makes them what they were.
    heaps: Vec<(Heap, String)>,
    /// The texts that make the indexes that are away.
    indexes: Vec<String>,
}

/// What the writer must know while a shop is filled without indexes: the products that orders refer to. The shop was
/// empty, and nobody else writes.
#[derive(Debug, Default)]
pub(crate) struct Ordered(Mutex<HashSet<ProductId>>);

impl Ordered {
    /// Whether orders refer to these products.
    pub(crate) fn answer(&self, asked: &[ProductId], snapshot: &mut Snapshot) {
        let ordered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.references.extend(asked.iter().map(|id| (*id, ordered.contains(id))));
    }

    /// Takes in what a batch refers to, also if it is not committed after all: then it is tried again, or the filling
    /// is given up.
    pub(crate) fn note(&self, snapshot: &Snapshot) {
        let referred = snapshot.references.iter().filter(|(_, is_referred)| **is_referred);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(referred.map(|(id, _)| *id));
    }
}

/// A table without a key, into which rows come as a batch has them.
#[derive(Debug, Clone, Copy)]
enum Heap {
    /// All rows belong into the table.
    Rows(&'static TableRows),
    /// Those with the same key make one row.
    Sums(&'static AddRows),
}

impl Heap {
    const ALL: [Self; 2] = [Self::Rows(&INSERT_MOVEMENTS), Self::Sums(&ADD_SUMS)];

    fn rows(self) -> &'static TableRows {
        match self {
            Self::Rows(rows) => rows,
            Self::Sums(sums) => sums.rows,
        }
    }

    /// The query for the rows of the table, in the order of its key, given where they are.
    fn sorted(self, heap: &str) -> String {
        let Self::Sums(sums) = self else {
            let rows = self.rows();
            let columns: Vec<_> = rows.columns.iter().map(|(name, _)| *name).collect();
            return format!("SELECT {} FROM {heap} ORDER BY {}", columns.join(", "), rows.key.join(", "));
        };
        let column = |name: &'static str| match name {
            _ if sums.rows.key.contains(&name) => name.to_owned(),
            _ if sums.least.contains(&name) => format!("MIN({name})"),
            _ if sums.greatest.contains(&name) => format!("MAX({name})"),
            _ => format!("SUM({name})"),
        };
        let columns: Vec<_> = sums.rows.columns.iter().map(|(name, _)| column(name)).collect();
        let (columns, key, count) = (columns.join(", "), sums.rows.key.join(", "), sums.count);
        // Grouped by sorting, so in the order of the key.
        format!("SELECT {columns} FROM {heap} GROUP BY {key} HAVING SUM({count}) <> 0")
    }
}

impl Store {
    /// Notes that this shop is going to be filled, unless it was ever used; then there is nothing to be filled.
    ///
    /// What was ever made is told by the counters, which never go back: products, users and orders that are gone, too.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begin_filling(&self) -> Result<Option<Filling>, StoreError> {
        let mut transaction = self.database().begin().await?;
        let mut is_new = true;
        for row in transaction.query(COUNTERS, &[]).await? {
            is_new &= row.int(1)? == 1;
        }
        if !is_new || !transaction.query(NOTED, &[]).await?.is_empty() {
            transaction.rollback().await?;
            return Ok(None);
        }
        let mut rows = Rows::new();
        rows.push(["filling".into(), "1".into()]);
        transaction.upsert_rows(&UPSERT_META, &rows).await?;
        let mut filling = Filling { store: self.clone(), heaps: Vec::new(), indexes: Vec::new() };
        if self.database().dialect() == Dialect::Sqlite {
            filling.take_down(&mut transaction).await?;
            filling.store.ordered = Some(Arc::default());
        }
        transaction.commit().await?;
        Ok(Some(filling))
    }

    /// Whether filling this shop was begun and not finished.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn is_half_filled(&self) -> Result<bool, StoreError> {
        let mut reader = self.database().reader().await?;
        Ok(!reader.query(NOTED, &[]).await?.is_empty())
    }
}

impl Filling {
    /// The store that writes into this shop, and the only one that may.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes down what each batch would have to keep up.
    async fn take_down(&mut self, transaction: &mut Transaction) -> Result<(), StoreError> {
        for mut index in transaction.query(INDEXES, &[]).await? {
            self.indexes.push(index.text(1)?);
            transaction.execute_dynamic(&format!("DROP INDEX {}", index.text(0)?), &[]).await?;
        }
        for heap in Heap::ALL {
            let table = heap.rows().table;
            let found = transaction.query(TABLE, &[table.into()]).await?.pop();
            let missing = || StoreError::decode(format!("the table {table} is missing"));
            self.heaps.push((heap, found.ok_or_else(missing)?.text(0)?));
            for sql in [
                format!("CREATE TABLE {table}_heap AS SELECT * FROM {table} LIMIT 0"),
                format!("DROP TABLE {table}"),
                format!("ALTER TABLE {table}_heap RENAME TO {table}"),
            ] {
                transaction.execute_dynamic(&sql, &[]).await?;
            }
        }
        Ok(())
    }

    /// Puts the database in order, when all has been written: heaps become tables again, and the indexes are built, each
    /// in a transaction of its own. May take as long as writing a good part of the shop.
    ///
    /// # Errors
    /// See [`StoreError`]. The shop is not what was asked for then.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        for (heap, definition) in std::mem::take(&mut self.heaps) {
            let mut transaction = self.store.database().begin().await?;
            let rows = heap.rows();
            let (table, unsorted) = (rows.table, format!("{}_heap", rows.table));
            let mut columns = String::new();
            for (name, _) in rows.columns {
                let separator = if columns.is_empty() { "" } else { ", " };
                // Writing into a String cannot fail.
                let _ = write!(columns, "{separator}{name}");
            }
            for sql in [
                format!("ALTER TABLE {table} RENAME TO {unsorted}"),
                definition,
                format!("INSERT INTO {table} ({columns}) {}", heap.sorted(&unsorted)),
                // What comes later takes its pages.
                format!("DROP TABLE {unsorted}"),
            ] {
                transaction.execute_dynamic(&sql, &[]).await?;
            }
            transaction.commit().await?;
        }
        for index in std::mem::take(&mut self.indexes) {
            let mut transaction = self.store.database().begin().await?;
            transaction.execute_dynamic(&index, &[]).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Notes that the shop is complete, having settled what is not settled yet.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end(mut self) -> Result<(), StoreError> {
        self.settle().await?;
        let mut transaction = self.store.database().begin().await?;
        transaction.execute(FORGET, &[]).await?;
        transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Database, Options};
    use crate::plans::Planner;

    #[tokio::test]
    async fn the_note_is_found_by_key() {
        Planner::new().await.check(NOTED, &["SEARCH m USING PRIMARY KEY (name=?)"]).await;
    }

    /// Everything the schema is made of.
    async fn schema(database: &Database) -> Vec<(String, String)> {
        let sql = "SELECT s.name, COALESCE(s.sql, '') FROM sqlite_schema s ORDER BY s.name";
        let rows = database.reader().await.unwrap().query(sql, &[]).await.unwrap();
        rows.into_iter().map(|mut row| (row.text(0).unwrap(), row.text(1).unwrap())).collect()
    }

    #[tokio::test]
    async fn the_schema_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/filled.sqlite", dir.path().display());
        let database = Database::open(&url, Options::default()).await.unwrap();
        database.migrate(1).await.unwrap();
        let before = schema(&database).await;
        let store = Store::new(database.clone());
        let filling = store.begin_filling().await.unwrap().unwrap();
        assert!(schema(&database).await.len() < before.len() - 6);
        assert!(store.is_half_filled().await.unwrap() && store.begin_filling().await.unwrap().is_none());
        filling.end().await.unwrap();
        assert_eq!(schema(&database).await, before);
        assert!(!store.is_half_filled().await.unwrap());
    }
}
