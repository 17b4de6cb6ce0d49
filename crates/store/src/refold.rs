//! A step after the migrations that SQL cannot do: texts that older versions stored are folded, and the grams of
//! products written (see [`fold`](crate::fold)).
//!
//! In portions, each a transaction that also moves the mark on: a row of `meta`. So a step that was killed goes on
//! where it was, and of several servers that start at once each does a part. All of them hold the lock that each batch
//! of commands takes first, so nobody edits a product meanwhile.

use std::time::Duration;

use crate::StoreError;
use crate::driver::{AppliedMigration, Database, Row, Rows, Transaction, Value};
use crate::fold::product_grams;
use crate::rows::{search_text, user_search_text};
use crate::tables::{UPDATE_PRODUCT_SEARCH, UPDATE_USER_SEARCH, UPSERT_GRAMS, UPSERT_META};

/// Raised when a text is folded in another way than before; then everything is folded anew.
const VERSION: &str = "1";
const MARK: &str = "search_fold";
/// A copy brings the mark of its source, so as long as it is under way there is none to be made.
const MARKS: &str = "SELECT m.name, m.value FROM meta m WHERE m.name IN ('search_fold', 'copy_progress')";
const LOCK_COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name {for update}";
const USERS: &str =
    "SELECT u.id, u.username, u.email, u.full_name FROM users u WHERE u.id > ? ORDER BY u.id LIMIT ?";
const PRODUCTS: &str = "SELECT p.id, p.sku, p.name FROM products p WHERE p.id > ? ORDER BY p.id LIMIT ?";

/// Rows of one transaction. A product has up to some hundred grams.
const PORTION: i64 = 500;
/// How often in a row a portion may fail for a reason that passes, and the pause after that.
const MISFORTUNES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

impl Database {
    /// Brings the schema to the version this program was built with, and says which migrations that took; then makes up
    /// for what they could not do. `now_us` is the time to note for them, in microseconds since 1970 UTC. Does nothing
    /// when there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when the schema is newer than this program, or an applied migration has been edited
    /// since. Whatever the error, another attempt goes on where this one stopped.
    pub async fn migrate(&self, now_us: i64) -> Result<Vec<AppliedMigration>, StoreError> {
        let applied = self.migrate_schema(now_us).await?;
        let mut failed = 0;
        while is_due(self).await? {
            match portion(self).await {
                Ok(()) => failed = 0,
                Err(StoreError::Conflict(_) | StoreError::ConnectionLost(_)) if failed < MISFORTUNES => {
                    failed += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    /// How many steps [`Database::migrate`] would take. Changes nothing.
    ///
    /// # Errors
    /// As [`Database::migrate`].
    pub async fn missing_migrations(&self) -> Result<usize, StoreError> {
        match self.missing_in_schema().await? {
            0 => Ok(usize::from(is_due(self).await?)),
            missing => Ok(missing),
        }
    }
}

/// Whether anything is left to be folded. Locks nothing.
async fn is_due(database: &Database) -> Result<bool, StoreError> {
    Ok(read_mark(&database.reader().await?.query(MARKS, &[]).await?)?.is_some())
}

/// What is to be folded next: of `table`, the rows behind this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    table: &'static str,
    after: i64,
}

impl Mark {
    const START: Self = Self { table: "users", after: 0 };

    fn to_text(self) -> String {
        format!("{VERSION} {} {}", self.table, self.after)
    }

    /// `None` for what this version has not written.
    fn from_text(text: &str) -> Option<Self> {
        let (table, after) = text.strip_prefix(VERSION)?.strip_prefix(' ')?.split_once(' ')?;
        let table = ["users", "products"].into_iter().find(|name| *name == table)?;
        Some(Self { table, after: after.parse().ok()? })
    }
}

/// Where to go on; `None` when everything is done.
fn read_mark(rows: &[Row]) -> Result<Option<Mark>, StoreError> {
    let mut mark = Some(Mark::START);
    for row in rows {
        match (row.as_text(0)?, row.as_text(1)?) {
            (MARK, VERSION) => mark = None,
            (MARK, text) => mark = Some(Mark::from_text(text).unwrap_or(Mark::START)),
            _ => return Ok(None),
        }
    }
    Ok(mark)
}

/// Folds some rows, and notes how far it came.
async fn portion(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    transaction.query(LOCK_COUNTERS, &[]).await?;
    let Some(mark) = read_mark(&transaction.query(MARKS, &[]).await?)? else {
        return transaction.rollback().await;
    };
    let range: [Value; 2] = [mark.after.into(), PORTION.into()];
    let last = match mark.table {
        "users" => fold_users(&mut transaction, &range).await?,
        _ => fold_products(&mut transaction, &range).await?,
    };
    let next = match (last, mark.table) {
        (Some(after), table) => Mark { table, after }.to_text(),
        (None, "users") => Mark { table: "products", after: 0 }.to_text(),
        (None, _) => VERSION.to_owned(),
    };
    let mut marks = Rows::new();
    marks.push([MARK.into(), (&next).into()]);
    transaction.upsert_rows(&UPSERT_META, &marks).await?;
    transaction.commit().await
}

/// The id of the last one; `None` when there were none.
async fn fold_users(transaction: &mut Transaction, range: &[Value]) -> Result<Option<i64>, StoreError> {
    let (mut texts, mut last) = (Rows::new(), None);
    for row in transaction.query(USERS, range).await? {
        let id = row.int(0)?;
        let opt_text = |at: usize| -> Result<Option<String>, StoreError> { row.clone().opt_text(at) };
        let (email, full_name) = (opt_text(2)?, opt_text(3)?);
        let search = user_search_text(row.as_text(1)?, email.as_deref(), full_name.as_deref());
        texts.push([id.into(), (&search).into()]);
        last = Some(id);
    }
    transaction.update_rows(&UPDATE_USER_SEARCH, &texts).await?;
    Ok(last)
}

/// As [`fold_users`]. Grams that are there already stay.
async fn fold_products(transaction: &mut Transaction, range: &[Value]) -> Result<Option<i64>, StoreError> {
    let (mut texts, mut grams, mut last) = (Rows::new(), Rows::new(), None);
    for row in transaction.query(PRODUCTS, range).await? {
        let (id, sku, name) = (row.int(0)?, row.as_text(1)?, row.as_text(2)?);
        let search = search_text(sku, name);
        texts.push([id.into(), (&search).into()]);
        for gram in product_grams(sku, name) {
            grams.push([(&gram).into(), id.into()]);
        }
        last = Some(id);
    }
    transaction.update_rows(&UPDATE_PRODUCT_SEARCH, &texts).await?;
    transaction.upsert_rows(&UPSERT_GRAMS, &grams).await?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        for mark in [Mark::START, Mark { table: "products", after: 12_345 }] {
            assert_eq!(Mark::from_text(&mark.to_text()), Some(mark));
        }
        for text in ["", "1", "2 users 5", "1 orders 5", "1 users", "1 users x"] {
            assert_eq!(Mark::from_text(text), None, "{text}");
        }
    }
}
