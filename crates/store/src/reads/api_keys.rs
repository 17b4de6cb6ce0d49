//! The keys of machines.

use std::collections::BTreeSet;

use domain::Role;

use super::filter::{Order, Select};
use super::listing;
use crate::api_keys::digest_head;
use crate::driver::{Database, Dialect, Row, Rows};
use crate::gather::Found;
use crate::rows::{self, api_key_columns, word};
use crate::{ApiKeyView, KeySession, Listing, Page, Store, StoreError};

const KEYS: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys k");
macro_rules! sessions {
    ($where:literal) => {
        concat!(
            "SELECT k.digest_head, u.role, u.is_active, ",
            api_key_columns!(),
            " FROM api_keys k JOIN users u ON u.id = k.maker_id WHERE k.digest_head ",
            $where
        )
    };
}
const SESSION: &str = sessions!("= ?");
const SESSIONS: &str = sessions!("IN (SELECT r.id FROM {rows:id int} r)");

impl Store {
    /// A page of keys by id, the latest first: also those that are revoked or have expired.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn api_keys(&self, page: &Page) -> Result<Listing<ApiKeyView>, StoreError> {
        let mut select = Select::new(KEYS);
        select.page(Order { by: None, textual: false, id: "k.id", descending: true }, page)?;
        let (sql, params) = select.parts();
        let found = self.database().long_reader().await?.query_dynamic_long(sql, params).await?;
        listing(found, page, |mut row| rows::api_key(&mut row))
    }

    /// The key with this digest (SHA-256 in hexadecimal digits), and what its maker may do now.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn key_session(&self, digest: &str) -> Result<Option<KeySession>, StoreError> {
        let head = digest_head(digest);
        let found = if self.database().dialect() == Dialect::Sqlite {
            self.first(SESSION, &[head.into()]).await?.map(session).transpose()?
        } else {
            let database = self.database().clone();
            let patience = database.patience();
            let look_up = move |heads| sessions(database.clone(), heads);
            match self.key_sessions.get(head, patience, look_up).await? {
                None => None,
                Some(Some(session)) => Some(session),
                Some(None) => return Err(StoreError::decode("an API key cannot be read")),
            }
        };
        Ok(found.filter(|session| session.key.digest == digest))
    }
}

fn session(mut row: Row) -> Result<KeySession, StoreError> {
    let (maker_role, maker_is_active) = (word(&row, 1, Role::from_word)?, row.flag(2)?);
    Ok(KeySession { key: rows::api_key_at(&mut row, 3)?, maker_role, maker_is_active })
}

/// The sessions by the heads of their digests. A row that cannot be read is the misfortune of that key alone.
async fn sessions(database: Database, heads: BTreeSet<i64>) -> Found<Option<KeySession>> {
    let heads = Rows::of_ints(heads).to_value()?;
    let found = database.reader().await?.query(SESSIONS, &[heads]).await?;
    found.into_iter().map(|row| Ok((row.int(0)?, session(row).ok()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn keys_are_found_by_their_digest() {
        let planner = Planner::new().await;
        for sql in [SESSION, SESSIONS] {
            let key = "SEARCH k USING INDEX sqlite_autoindex_api_keys_1 (digest_head=?)";
            planner.check(sql, &[key, "SEARCH u USING INTEGER PRIMARY KEY (rowid=?)"]).await;
        }
    }
}
