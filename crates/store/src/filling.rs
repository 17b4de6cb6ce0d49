//! The note that a database is being filled from nothing. As long as it is there, the shop is not what was asked for.

use crate::driver::Rows;
use crate::tables::UPSERT_META;
use crate::{Store, StoreError};

/// Locked, so that no command of another server comes in between.
const COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name {for update}";
const NOTED: &str = "SELECT m.name FROM meta m WHERE m.name = 'filling'";
const FORGET: &str = "DELETE FROM meta WHERE name = 'filling'";

impl Store {
    /// Notes that this shop is going to be filled, unless it was ever used; whether it was noted.
    ///
    /// What was ever made is told by the counters, which never go back: products, users and orders that are gone, too.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begin_filling(&self) -> Result<bool, StoreError> {
        let mut transaction = self.database().begin().await?;
        let mut is_new = true;
        for row in transaction.query(COUNTERS, &[]).await? {
            is_new &= row.int(1)? == 1;
        }
        if !is_new || !transaction.query(NOTED, &[]).await?.is_empty() {
            transaction.rollback().await?;
            return Ok(false);
        }
        let mut rows = Rows::new();
        rows.push(["filling".into(), "1".into()]);
        transaction.upsert_rows(&UPSERT_META, &rows).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Notes that the shop is complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_filling(&self) -> Result<(), StoreError> {
        let mut transaction = self.database().begin().await?;
        transaction.execute(FORGET, &[]).await?;
        transaction.commit().await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn the_note_is_found_by_key() {
        Planner::new().await.check(NOTED, &["SEARCH m USING PRIMARY KEY (name=?)"]).await;
    }
}
