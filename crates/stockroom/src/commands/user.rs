//! `stockroom user`

use domain::{CreateUser, Rejection, Role, SetPassword};
use server::wire::values::{Email, FullName, NewPassword, Username};

use super::shop::{Shop, execute_for_operator};
use crate::cli::{UserAdd, UserCommand};
use crate::config::Config;
use crate::failure::UsageError;
use crate::output;
use crate::password;

/// Runs one of the commands on users.
pub(crate) async fn run(command: UserCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        UserCommand::Add(user) => {
            let password = password::from_stdin()?;
            let id = add(config, &NewUser::from(&user), &password).await?;
            output::print(&format!("created user {} ({}) with id {id}", user.username, user.role.word()))
        }
        UserCommand::Passwd(user) => {
            let password = password::from_stdin()?;
            set_password(config, &user.username, &password).await?;
            output::print(&format!("set the password of {}; their sessions have ended", user.username))
        }
    }
}

/// The facts of the user to create, as given and not yet judged by the rules of the shop.
struct NewUser<'a> {
    username: &'a str,
    email: &'a str,
    role: Role,
    full_name: &'a str,
}

impl<'a> From<&'a UserAdd> for NewUser<'a> {
    fn from(user: &'a UserAdd) -> Self {
        Self {
            username: &user.username,
            email: &user.email,
            role: user.role,
            full_name: user.full_name.as_deref().unwrap_or(&user.username),
        }
    }
}

/// Creates the user and returns the new id.
async fn add(config: &Config, user: &NewUser<'_>, password: &NewPassword) -> anyhow::Result<i64> {
    let invalid = |hint: String, flag: &str| UsageError::one(format!("--{flag} {hint}"));
    let username = Username::new(user.username).map_err(|hint| invalid(hint, "username"))?;
    let email = Email::new(user.email).map_err(|hint| invalid(hint, "email"))?;
    let full_name = FullName::new(user.full_name).map_err(|hint| invalid(hint, "full-name"))?;
    let shop = Shop::open(config).await?;
    let command = CreateUser {
        username: username.into_string(),
        email: Some(email.into_string()),
        full_name: Some(full_name.into_string()),
        role: Some(user.role),
        founding: domain::Founding::Nothing,
        by_invitation: false,
        password_hash: shop.app.passwords().hash(password.as_str()).await?,
    };
    let created = execute_for_operator(&shop.app, command).await?;
    shop.close().await?;
    match created {
        Ok(user) => Ok(user.id.0),
        Err(Rejection::UsernameTaken(name)) => Err(anyhow::anyhow!("the username {name} is taken")),
        Err(Rejection::EmailTaken(email)) => Err(anyhow::anyhow!("{email} belongs to another user")),
        Err(rejection) => Err(anyhow::anyhow!("refused: {rejection:?}")),
    }
}

/// Replaces the password and makes all tokens of the user invalid. An unknown user name is an error.
async fn set_password(config: &Config, username: &str, password: &NewPassword) -> anyhow::Result<()> {
    let shop = Shop::open(config).await?;
    let found = shop.app.reads().user_by_login(username).await?;
    let done = match found {
        None => Err(anyhow::anyhow!("there is no user {username}")),
        Some(user) => {
            let password_hash = shop.app.passwords().hash(password.as_str()).await?;
            let command = SetPassword { user_id: user.id, seen_generation: None, password_hash };
            let set = execute_for_operator(&shop.app, command).await?;
            set.map(drop).map_err(|rejection| anyhow::anyhow!("refused: {rejection:?}"))
        }
    };
    shop.close().await?;
    done
}
