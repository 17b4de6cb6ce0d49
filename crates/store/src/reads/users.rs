//! Accounts.

use domain::{Role, UserId};

use super::filter::{Order, Select};
use super::listing;
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
        let mut found = self.first(USER_BY_USERNAME, &[domain::username_key(login).into()]).await?;
        if found.is_none() {
            found = self.first(USER_BY_EMAIL, &[login.to_lowercase().into()]).await?;
        }
        found.map(|mut row| rows::user(&mut row)).transpose()
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
            select.filter_text(&["u.search_text"], &text.to_lowercase());
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
        let Some(row) = self.first(SESSION, &[id.0.into()]).await? else { return Ok(None) };
        let role = word(&row, 0, Role::from_word)?;
        Ok(Some(Session { role, is_active: row.flag(1)?, token_generation: row.int(2)? }))
    }
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
            (USER_BY_USERNAME, "SEARCH u USING INDEX sqlite_autoindex_users_1 (username_key=?)"),
            (USER_BY_EMAIL, "SEARCH u USING INDEX sqlite_autoindex_users_2 (email=?)"),
        ] {
            planner.check(sql, &[step]).await;
        }
    }
}
