//! `stockroom user`

use domain::Role;

use crate::cli::{UserAdd, UserCommand};
use crate::config::Config;
use crate::output;
use crate::password::{self, Password};

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
async fn add(_config: &Config, _user: &NewUser<'_>, _password: &Password) -> anyhow::Result<i64> {
    Err(anyhow::anyhow!("not wired"))
}

/// Replaces the password and makes all tokens of the user invalid. An unknown user name is an error.
async fn set_password(_config: &Config, _username: &str, _password: &Password) -> anyhow::Result<()> {
    Err(anyhow::anyhow!("not wired"))
}
