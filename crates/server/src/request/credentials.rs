//! Passwords against tokens, the same for every contract.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::{Actor, BeginSession, Context, Founding, Role, UserId};

use super::caller::Caller;
use super::source::Source;
use crate::app::views::UserView;
use crate::app::{Answered, App, Failure};
use crate::auth::passwords::PasswordError;
use crate::auth::throttle::TooEarly;
use crate::auth::tokens::TokenKind;
use crate::clock;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;

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

/// Who tries a password: the name it is tried on, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    /// The name, as it was given.
    pub name: &'a str,
    /// From where.
    pub source: Source,
}

/// Whether this is the password behind `hash`; takes as long, and says no, when there is none. Not compared when too many
/// wrong ones were tried: it comes to the same for every name, whether or not anybody has it.
///
/// # Errors
/// 429 when it is too early for another attempt; see also [`hash_password`].
pub async fn is_password(
    app: &App,
    attempted: Attempted<'_>,
    password: &str,
    hash: Option<&str>,
) -> Result<bool, Problem> {
    let Attempted { name, source } = attempted;
    let throttle = app.throttle();
    let attempt = throttle.begin(name, source.address, clock::monotonic()).map_err(too_early)?;
    // Whoever goes away meanwhile has had their attempt.
    match app.passwords().verify(password, hash).await {
        Ok(true) => throttle.right(attempt),
        Ok(false) => return Ok(false),
        Err(error) => {
            throttle.undone(attempt);
            return Err(not_computed(error));
        }
    }
    Ok(true)
}

fn too_early(early: TooEarly) -> Problem {
    Problem::too_many_requests(early.seconds)
}

/// The active user with this name (or e-mail address) and password. That one of staff has logged in is in the audit log when
/// this returns; of customers nothing is written.
///
/// # Errors
/// 401 for a name that nobody has, a wrong password and a deactivated account alike, after the same time; 503 when staff's
/// login cannot be written down; see also [`is_password`].
pub async fn log_in(
    app: &App,
    attempted: Attempted<'_>,
    password: &str,
    request_id: &RequestId,
) -> Result<UserView, Problem> {
    let found = app.reads().user_by_login(attempted.name).await.map_err(Failure::from)?;
    // Whoever is deactivated is nobody: not even that their password was right is told, by waiting or not.
    let user = found.filter(|user| user.is_active);
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let right = is_password(app, attempted, password, hash).await?;
    let user = user.ok_or_else(Problem::invalid_credentials)?;
    if user.role == Role::Customer {
        return if right { Ok(user) } else { Err(Problem::invalid_credentials()) };
    }
    let address = attempted.source.text();
    if !right {
        warn_of_guess(user.id, address, request_id.clone());
        return Err(Problem::invalid_credentials());
    }
    begin_session(app, &user, address, request_id).await?;
    Ok(user)
}

/// Says that the password for an account of staff was wrong. Nobody has done anything, so it is nothing for the audit log; the
/// throttle bounds how often it is said. The answer does not wait for the line: it would tell by the clock whose names they are.
fn warn_of_guess(user_id: UserId, address: Arc<str>, request_id: RequestId) {
    tokio::spawn(async move {
        tracing::warn!(user_id = user_id.0, %address, %request_id, "a wrong password for an account of staff");
    });
}

/// Writes down that somebody who works here has logged in: no token without the line.
async fn begin_session(
    app: &App,
    user: &UserView,
    address: Arc<str>,
    request_id: &RequestId,
) -> Result<(), Problem> {
    let context = Context {
        actor: Actor { user_id: Some(user.id), role: user.role, key: None },
        now_us: clock::now_us(),
        request_id: Arc::from(request_id.as_str()),
        source: Some(address),
    };
    let command = BeginSession { user_id: user.id, seen_generation: user.token_generation };
    let written = app.execute(command, context, None).await.map_err(|failure| {
        match Problem::from(failure.clone()) {
            // There may be a line of a login to which no token was given. To log in again is no harm.
            problem if problem.status() == StatusCode::GATEWAY_TIMEOUT => Problem::unavailable(failure),
            problem => problem,
        }
    })?;
    match written {
        Answered::Decided(Ok(())) => Ok(()),
        // Meanwhile the account was deactivated, or the password, the role or the sessions were changed.
        Answered::Decided(Err(_)) => Err(Problem::invalid_credentials()),
        // Only keyed commands have kept answers.
        Answered::Kept { .. } => Err(Failure::Dropped.into()),
    }
}

/// Lets somebody make an account who is no administrator, unless registration is closed or they have made too many. What
/// they make as the one who sets the shop up is for the command to judge.
///
/// # Errors
/// 403 when registration is closed, 429 when too many came from the same place.
pub async fn admit_newcomer(
    app: &App,
    caller: &Caller,
    founding: Founding,
    source: Source,
) -> Result<(), Problem> {
    if caller.actor.is_admin() {
        return Ok(());
    }
    // The command says so as well; whoever is turned away here costs no hash.
    if !app.settings().registration_is_open && (founding == Founding::Nothing || app.has_admin().await?) {
        return Err(Problem::registration_closed());
    }
    app.throttle().new_account(source.address, clock::monotonic()).map_err(too_early)
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
