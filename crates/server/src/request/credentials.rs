//! Passwords against tokens, the same for every contract.

use domain::UserId;

use crate::app::views::UserView;
use crate::app::{App, Failure};
use crate::auth::passwords::PasswordError;
use crate::auth::tokens::TokenKind;
use crate::clock;
use crate::http::problem::Problem;

/// Seconds after which a password may be tried again when too many are being checked: each takes some ten
/// milliseconds, and no more wait than are done by then.
const BUSY_RETRY_SECONDS: u32 = 1;

/// What is answered when a password was neither hashed nor compared.
fn not_computed(error: PasswordError) -> Problem {
    match error {
        PasswordError::Busy => Problem::too_many_requests(BUSY_RETRY_SECONDS),
        PasswordError::Failed(_) => Problem::internal(error),
    }
}

/// Hashes a new password. Done before a command is queued, so that nobody waits behind it.
///
/// # Errors
/// 429 when too many passwords are being hashed or compared.
pub async fn hash_password(app: &App, password: &str) -> Result<String, Problem> {
    app.passwords().hash(password).await.map_err(not_computed)
}

/// Whether this is the password behind `hash`; takes as long, and says no, when there is none.
///
/// # Errors
/// As [`hash_password`].
pub async fn is_password(app: &App, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
    app.passwords().verify(password, hash).await.map_err(not_computed)
}

/// The active user with this name (or e-mail address) and password.
///
/// # Errors
/// 401 for a name that nobody has, a wrong password and a deactivated account alike, after the same time; see also
/// [`hash_password`].
pub async fn log_in(app: &App, name: &str, password: &str) -> Result<UserView, Problem> {
    let user = app.reads().user_by_login(name).await.map_err(Failure::from)?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let right = is_password(app, password, hash).await?;
    user.filter(|user| right && user.is_active).ok_or_else(Problem::invalid_credentials)
}

/// A token that is good from now on, until its life is over or the user's generation passes.
///
/// # Errors
/// When it cannot be signed, which is a bug.
pub fn issue_token(app: &App, kind: TokenKind, user_id: UserId, generation: i64) -> Result<String, Problem> {
    let life = match kind {
        TokenKind::Access => app.settings().access_token_life,
        TokenKind::Refresh => app.settings().refresh_token_life,
    };
    app.tokens().issue(kind, user_id.0, generation, clock::now_us(), life).map_err(Problem::internal)
}
