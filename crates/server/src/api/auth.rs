//! Accounts, tokens and passwords of the caller.
//!
//! Login and refresh do not go through [`run`]: their answers hold tokens, which are never kept, and they have no
//! effect that a repetition could double.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{RevokeSessions, SetPassword, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::headers;
use super::users::{NewUser, UserBody, answer_user, create_user};
use crate::app::{App, Failure};
use crate::auth::tokens::TokenKind;
use crate::http::problem::{
    BadRequest, BodyRefused, Forbidden, KeyReused, Problem, ProblemBody, TooManyRequests, Unauthenticated,
    Unavailable, UserTaken,
};
use crate::http::reply::Reply;
use crate::http::request_id::RequestId;
use crate::request::{
    Anyone, Attempted, Founder, NoBody, OperationBody, PERSON, Someone, Source, USERS, Write, admit_newcomer,
    hash_password, is_password, issue_token, log_in, run, session,
};
use crate::wire::values::{
    Email, FullName, Login, NewPassword, Password, RefreshToken, Role, SetupCode, Username,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout_everywhere))
        .routes(routes!(me))
        .routes(routes!(change_password))
}

/// An account for oneself. What may be left out may also be `null`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    username: Username,
    password: NewPassword,
    email: Option<Email>,
    full_name: Option<FullName>,
    /// Unless given: `admin` for whoever sets the shop up, `customer` for all others.
    role: Option<Role>,
    /// To become the first administrator from elsewhere; the header `Stockroom-Setup-Code` does as well.
    setup_code: Option<SetupCode>,
}

impl OperationBody for NewAccount {}

impl From<NewAccount> for NewUser {
    fn from(account: NewAccount) -> Self {
        let NewAccount { username, password, email, full_name, role, setup_code: _ } = account;
        Self { username, password, email, full_name, role }
    }
}

/// Name and password. As JSON, or as the form of an OAuth2 password grant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    /// The username or the e-mail address, in upper or lower case.
    username: Login,
    password: Password,
    /// For OAuth2 clients.
    #[expect(dead_code, reason = "only checked")]
    grant_type: Option<GrantType>,
    /// For OAuth2 clients; without meaning here.
    #[expect(dead_code, reason = "tolerated")]
    #[schema(pattern = r"^[^\u0000]*$")]
    scope: Option<String>,
    /// For OAuth2 clients; without meaning here.
    #[expect(dead_code, reason = "tolerated")]
    #[schema(pattern = r"^[^\u0000]*$")]
    client_id: Option<String>,
    /// For OAuth2 clients; without meaning here.
    #[schema(write_only, pattern = r"^[^\u0000]*$")]
    #[expect(dead_code, reason = "tolerated")]
    client_secret: Option<String>,
}

/// Name and password as the form of an OAuth2 password grant, which knows no null.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes LoginBody as a form")]
struct LoginForm {
    /// The username or the e-mail address, in upper or lower case.
    username: Login,
    password: Password,
    /// There is no other.
    #[schema(nullable = false)]
    grant_type: Option<GrantType>,
    /// Without meaning here.
    #[schema(nullable = false, pattern = r"^[^\u0000]*$")]
    scope: Option<String>,
    /// Without meaning here.
    #[schema(nullable = false, pattern = r"^[^\u0000]*$")]
    client_id: Option<String>,
    /// Without meaning here.
    #[schema(nullable = false, write_only, pattern = r"^[^\u0000]*$")]
    client_secret: Option<String>,
}

/// The one grant there is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GrantType {
    /// By name and password.
    Password,
}

impl OperationBody for LoginBody {
    const FORMS: bool = true;
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    refresh_token: RefreshToken,
}

impl OperationBody for RefreshBody {}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePasswordBody {
    current_password: Password,
    new_password: NewPassword,
}

impl OperationBody for ChangePasswordBody {}

/// Tokens of one user.
#[derive(Serialize, ToSchema)]
struct TokenPair {
    /// Goes into the header `Authorization: Bearer …` of every request.
    access_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// Life of the access token, in seconds.
    expires_in: u64,
    /// Good for nothing but getting new tokens.
    refresh_token: String,
    /// Life of the refresh token, in seconds.
    refresh_expires_in: u64,
}

impl TokenPair {
    /// For the document.
    fn example() -> Self {
        let token = |claims| format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl");
        Self {
            access_token: token("eyJ0eXAiOiJhY2Nlc3MifQ"),
            token_type: "bearer",
            expires_in: 3600,
            refresh_token: token("eyJ0eXAiOiJyZWZyZXNoIn0"),
            refresh_expires_in: 1_209_600,
        }
    }

    /// Tokens that are good from now on, until the user's generation passes.
    fn issue(app: &App, user_id: UserId, generation: i64) -> Result<Self, Problem> {
        let (access, refresh) = (app.settings().access_token_life, app.settings().refresh_token_life);
        Ok(Self {
            access_token: issue_token(app, TokenKind::Access, user_id, generation)?,
            token_type: "bearer",
            expires_in: access.as_secs(),
            refresh_token: issue_token(app, TokenKind::Refresh, user_id, generation)?,
            refresh_expires_in: refresh.as_secs(),
        })
    }
}

/// Makes an account for oneself
///
/// The first account of a shop is its administrator unless it asks for another role, if it is made within an hour of the
/// shop's first start and on the machine that serves it; or later and from anywhere with the code that the server printed
/// then. All others are customers; only an administrator's token makes staff and administrators, here or at
/// `POST /users`. Where registration is closed, nobody else makes accounts (`REGISTRATION_CLOSED`). Fields that may be
/// left out may also be `null`. No token is answered: log in.
#[utoipa::path(post, path = "/auth/register", tag = "auth", operation_id = "register",
    security((), ("bearer" = []), ("password" = [])),
    params(headers::IdempotencyKey, headers::SetupCode),
    request_body(content = NewAccount, example = json!({
        "username": "john.doe", "password": "correct horse battery staple",
        "email": "john.doe@example.com", "full_name": "John Doe",
    })),
    responses(
        (status = 201, description = "The account", body = UserBody,
            headers(("ETag" = String, description = "Version of the account"),
                ("Location" = String, description = "Where the account is")),
            example = json!(UserBody::example())),
        BadRequest, Unauthenticated, Forbidden, BodyRefused, KeyReused, TooManyRequests, Unavailable,
        UserTaken,
    ))]
async fn register(
    State(app): State<App>,
    Anyone(caller): Anyone<USERS>,
    source: Source,
    founder: Founder,
    Write { body, conditions }: Write<NewAccount>,
) -> Result<Response, Problem> {
    let founding = founder.with(&app, body.setup_code.as_ref().map(SetupCode::as_str))?;
    admit_newcomer(&app, &caller, founding, source).await?;
    create_user(&app, &caller, founding, Write { body: body.into(), conditions }).await
}

/// Exchanges name and password for tokens
///
/// Takes JSON, or the form of an OAuth2 password grant. A name that nobody has, a wrong password and a deactivated
/// account get the same answer after the same time. After a few wrong passwords for a name, or from an address, each
/// further one must wait longer, up to a minute. That somebody of staff logs in is in the audit log.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login", security(()),
    params(headers::UnusedIdempotencyKey),
    request_body(content(
        (LoginBody = "application/json", example = json!({
            "username": "john.doe", "password": "correct horse battery staple",
        })),
        (LoginForm = "application/x-www-form-urlencoded", example = json!({
            "grant_type": "password", "username": "john.doe", "password": "correct horse battery staple",
        })),
    )),
    responses(
        (status = 200, description = "Tokens; not to be kept by caches", body = TokenPair,
            headers(("Cache-Control" = String, description = "`no-store`")),
            example = json!(TokenPair::example())),
        BadRequest, BodyRefused, TooManyRequests, Unavailable,
        (status = 401, description = "The name or the password is wrong, or the account is deactivated \
            (`INVALID_CREDENTIALS`)",
            body = ProblemBody, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`")), example = json!({
                "type": "about:blank", "title": "Unauthorized", "status": 401, "code": "INVALID_CREDENTIALS",
                "detail": "The username or the password is wrong.", "request_id": "0kq3v8x2m5t9a",
            })),
    ))]
async fn login(
    State(app): State<App>,
    source: Source,
    request_id: RequestId,
    write: Write<LoginBody>,
) -> Result<Reply, Problem> {
    let LoginBody { username, password, .. } = write.body;
    let attempted = Attempted { name: username.as_str(), source };
    let user = log_in(&app, attempted, password.as_str(), &request_id).await?;
    Ok(Reply::ok(&TokenPair::issue(&app, user.id, user.token_generation)?))
}

/// Exchanges a refresh token for new tokens
///
/// The old refresh token stays good until it expires or all tokens of the user are withdrawn.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", operation_id = "refresh", security(()),
    params(headers::UnusedIdempotencyKey),
    request_body(content = RefreshBody, example = json!({
        "refresh_token": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJyZWZyZXNoIn0.c2lnbmF0dXJl",
    })),
    responses(
        (status = 200, description = "Tokens; not to be kept by caches", body = TokenPair,
            headers(("Cache-Control" = String, description = "`no-store`")),
            example = json!(TokenPair::example())),
        BadRequest, BodyRefused, Unavailable,
        (status = 401, description = "The refresh token is none of ours, has expired or was withdrawn, or the \
            account is deactivated (`INVALID_TOKEN`)",
            body = ProblemBody, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`")), example = json!({
                "type": "about:blank", "title": "Unauthorized", "status": 401, "code": "INVALID_TOKEN",
                "detail": "The token is invalid or has expired.", "request_id": "0kq3v8x2m5t9a",
            })),
    ))]
async fn refresh(State(app): State<App>, write: Write<RefreshBody>) -> Result<Reply, Problem> {
    let token = write.body.refresh_token;
    let (user_id, session) = session(&app, TokenKind::Refresh, token.as_str()).await?;
    Ok(Reply::ok(&TokenPair::issue(&app, user_id, session.token_generation)?))
}

/// Withdraws every token of the caller
///
/// Including the one that this is asked with.
#[utoipa::path(post, path = "/auth/logout-everywhere", tag = "auth", operation_id = "logout_everywhere",
    security(("bearer" = []), ("password" = [])),
    params(headers::IdempotencyKey),
    responses(
        (status = 204, description = "All tokens given out so far are dead"),
        BadRequest, Unauthenticated, BodyRefused, KeyReused, Unavailable,
        (status = 409, description = "A request with this key is still running (`IDEMPOTENCY_IN_PROGRESS`)",
            body = ProblemBody, content_type = "application/problem+json", example = json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "code": "IDEMPOTENCY_IN_PROGRESS",
                "detail": "A request with this Idempotency-Key is still being carried out; repeat it shortly.",
                "request_id": "0kq3v8x2m5t9a",
            })),
    ))]
async fn logout_everywhere(
    State(app): State<App>,
    Someone(caller): Someone<PERSON>,
    write: Write<NoBody>,
) -> Result<Response, Problem> {
    let command = RevokeSessions { user_id: caller.user_id()? };
    run(&app, &caller, write.conditions, command, |()| Reply::no_content()).await
}

/// Tells whose token this is
#[utoipa::path(get, path = "/auth/me", tag = "auth", operation_id = "me",
    security(("bearer" = []), ("password" = [])),
    params(headers::IfNoneMatch),
    responses(
        (status = 200, description = "The caller's account", body = UserBody,
            headers(("ETag" = String, description = "Version of the account")),
            example = json!(UserBody::example())),
        (status = 304, description = "The account is still as `If-None-Match` has it",
            headers(("ETag" = String, description = "The version that is still current"))),
        Unauthenticated, Unavailable,
    ))]
async fn me(
    State(app): State<App>,
    Someone(caller): Someone<PERSON>,
    headers: HeaderMap,
) -> Result<Reply, Problem> {
    let id = caller.user_id()?;
    let user = app.reads().user(id).await.map_err(Failure::from)?.ok_or_else(Problem::invalid_token)?;
    Ok(answer_user(&user, &headers))
}

/// Changes the caller's password
///
/// Every token of theirs is withdrawn: log in again with the new password. Token and current password are checked
/// first; therefore a repetition after success is answered 401, with an `Idempotency-Key` too.
#[utoipa::path(post, path = "/auth/change-password", tag = "auth", operation_id = "change_password",
    security(("bearer" = []), ("password" = [])),
    params(headers::IdempotencyKey),
    request_body(content = ChangePasswordBody, example = json!({
        "current_password": "correct horse battery staple", "new_password": "incorrect zebra battery staple",
    })),
    responses(
        (status = 204, description = "The new password is in force, and all tokens given out so far are dead"),
        BadRequest, BodyRefused, KeyReused, TooManyRequests, Unavailable,
        (status = 401, description = "No valid token was sent (`UNAUTHENTICATED`, `INVALID_TOKEN`), or the current \
            password is wrong (`INVALID_CREDENTIALS`)",
            body = ProblemBody, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`")), example = json!({
                "type": "about:blank", "title": "Unauthorized", "status": 401, "code": "INVALID_CREDENTIALS",
                "detail": "The username or the password is wrong.", "request_id": "0kq3v8x2m5t9a",
            })),
        (status = 409, description = "Password or sessions were changed while this request ran \
            (`CREDENTIALS_CHANGED`), or one with the same key is still running (`IDEMPOTENCY_IN_PROGRESS`)",
            body = ProblemBody, content_type = "application/problem+json", example = json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "code": "CREDENTIALS_CHANGED",
                "detail": "The password was changed meanwhile; log in again.", "request_id": "0kq3v8x2m5t9a",
            })),
    ))]
async fn change_password(
    State(app): State<App>,
    Someone(caller): Someone<PERSON>,
    source: Source,
    write: Write<ChangePasswordBody>,
) -> Result<Response, Problem> {
    let user_id = caller.user_id()?;
    let user = app.reads().user(user_id).await.map_err(Failure::from)?.ok_or_else(Problem::invalid_token)?;
    let attempted = Attempted { name: &user.username, source };
    let (given, hash) = (write.body.current_password.as_str(), Some(user.password_hash.as_str()));
    if !is_password(&app, attempted, given, hash).await? {
        return Err(Problem::invalid_credentials());
    }
    let password_hash = hash_password(&app, write.body.new_password.as_str()).await?;
    let command = SetPassword { user_id, seen_generation: Some(user.token_generation), password_hash };
    run(&app, &caller, write.conditions, command, |_| Reply::no_content()).await
}
