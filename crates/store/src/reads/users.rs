//! Accounts.

use std::collections::BTreeSet;

use domain::{Role, UserId};

use super::filter::{Order, Select};
use super::listing;
use crate::driver::{Database, Dialect, Row, Rows};
use crate::fold::fold;
use crate::gather::Found;
use crate::rows::{self, user_columns, word};
use crate::{Listing, Session, Store, StoreError, UserQuery, UserView};

macro_rules! users {
    ($where:literal) => {
        concat!("SELECT ", user_columns!(), " FROM users u", $where)
    };
}

const USERS: &str = users!("");
const USER: &str = users!(" WHERE u.id = ?");
const USER_BY_USERNAME: &str = users!(" WHERE u.username_key = ?");
const USER_BY_EMAIL: &str = users!(" WHERE u.email = ?");
const SESSION: &str = "SELECT u.role, u.is_active, u.token_generation FROM users u WHERE u.id = ?";
const SESSIONS: &str = "SELECT u.id, u.role, u.is_active, u.token_generation FROM users u \
     WHERE u.id IN (SELECT r.id FROM {rows:id int} r)";

impl Store {
    /// One user.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn user(&self, id: UserId) -> Result<Option<UserView>, StoreError> {
        let found = self.first(USER, &[id.0.into()]).await?;
        found.map(|mut row| rows::user(&mut row)).transpose()
    }

    /// The user with this login name or e-mail address, without regard to case. Should one user's login name be the
    /// address of another, it is the login name that counts: everybody has one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn user_by_login(&self, login: &str) -> Result<Option<UserView>, StoreError> {
        // No stored text has this character, and the databases refuse to compare with it.
        if login.contains('\0') {
            return Ok(None);
        }
        // Both are asked, whatever comes of the first: how long this takes tells nobody whether a name is known.
        let by_name = self.first(USER_BY_USERNAME, &[domain::username_key(login).into()]).await?;
        let by_email = self.first(USER_BY_EMAIL, &[login.to_lowercase().into()]).await?;
        by_name.or(by_email).map(|mut row| rows::user(&mut row)).transpose()
    }

    /// A page of users by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn users(&self, query: &UserQuery) -> Result<Listing<UserView>, StoreError> {
        let mut select = Select::new(USERS);
        select.filter_some("u.role = ?", query.role.map(|role| role.word().into()));
        select.filter_some("u.is_active = ?", query.active.map(Into::into));
        if let Some(text) = &query.text {
            select.filter_text(&["u.search_text"], &fold(text));
        }
        select.page(Order { by: None, textual: false, id: "u.id", descending: false }, &query.page)?;
        let (sql, params) = select.parts();
        let found = self.database().long_reader().await?.query_dynamic_long(sql, params).await?;
        listing(found, &query.page, |mut row| rows::user(&mut row))
    }

    /// What must be known of a user for each request with a token.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn session(&self, id: UserId) -> Result<Option<Session>, StoreError> {
        if self.database().dialect() == Dialect::Sqlite {
            // A few microseconds inline.
            return self.first(SESSION, &[id.0.into()]).await?.map(|row| session(&row, 0)).transpose();
        }
        let database = self.database().clone();
        let patience = database.patience();
        let look_up = move |ids| sessions(database.clone(), ids);
        match self.sessions.get(id.0, patience, look_up).await? {
            None => Ok(None),
            Some(Some(session)) => Ok(Some(session)),
            Some(None) => Err(StoreError::decode(format!("user {} cannot be read", id.0))),
        }
    }
}

/// Reads a session whose columns begin at `at`.
fn session(row: &Row, at: usize) -> Result<Session, StoreError> {
    let role = word(row, at, Role::from_word)?;
    Ok(Session { role, is_active: row.flag(at + 1)?, token_generation: row.int(at + 2)? })
}

/// The sessions by user. A row that cannot be read is the misfortune of that user alone.
async fn sessions(database: Database, ids: BTreeSet<i64>) -> Found<Option<Session>> {
    let ids = Rows::of_ints(ids).to_value()?;
    let found = database.reader().await?.query(SESSIONS, &[ids]).await?;
    found.iter().map(|row| Ok((row.int(0)?, session(row, 1).ok()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn one_user_is_found_by_key() {
        let planner = Planner::new().await;
        for (sql, step) in [
            (USER, "SEARCH u USING INTEGER PRIMARY KEY"),
            (SESSION, "SEARCH u USING INTEGER PRIMARY KEY"),
            (SESSIONS, "SEARCH u USING INTEGER PRIMARY KEY"),
            (USER_BY_USERNAME, "SEARCH u USING INDEX sqlite_autoindex_users_1 (username_key=?)"),
            (USER_BY_EMAIL, "SEARCH u USING INDEX sqlite_autoindex_users_2 (email=?)"),
        ] {
            planner.check(sql, &[step]).await;
        }
    }
}
