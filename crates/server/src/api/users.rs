//! Accounts, for administrators; and each user's own.
#![expect(unused_qualifications, reason = "utoipa's macro writes them")]

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{CreateUser, Founding, UpdateUser, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::PageBody;
use super::{PREFIX, headers};
use crate::app::views::{UserQuery, UserView};
use crate::app::{App, Failure};
use crate::http::problem::{
    BadRequest, BodyRefused, Forbidden, KeyReused, PreconditionFailed, Problem, ProblemBody, ReadProblems,
    TooManyRequests, Unauthenticated, Unavailable, UserNotFound, UserTaken,
};
use crate::http::reply::Reply;
use crate::request::{
    Admin, Caller, Edit, OperationBody, Paged, PathId, Someone, USERS, Write, hash_password, if_none_match,
    run,
};
use crate::wire::etag;
use crate::wire::paging::{ByNumber, Cursor, PageParams};
use crate::wire::time::Rfc3339;
use crate::wire::values::{Email, FullName, Id, NewPassword, Patch, Role, SearchText, Username, given};

/// The order of the list, for its cursors.
const BY_ID: ByNumber = ByNumber("id");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_users, create)).routes(routes!(get_user, update_user))
}

/// An account to be made. What may be left out may also be `null`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    pub(super) username: Username,
    pub(super) password: NewPassword,
    pub(super) email: Option<Email>,
    pub(super) full_name: Option<FullName>,
    /// `customer` unless given.
    pub(super) role: Option<Role>,
}

impl OperationBody for NewUser {}

/// Changes to an account; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChanges {
    /// `null` removes it.
    #[serde(default)]
    email: Patch<Email>,
    /// `null` removes it.
    #[serde(default)]
    full_name: Patch<FullName>,
    /// For administrators. Ends all sessions of the user.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    role: Option<Role>,
    /// For administrators. A deactivated user cannot log in, and all tokens given out are dead.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    is_active: Option<bool>,
}

impl OperationBody for UserChanges {}

/// An account.
#[derive(Serialize, ToSchema)]
pub(super) struct UserBody {
    #[schema(example = 7)]
    id: i64,
    /// As it was given; unique without regard to case.
    #[schema(example = "john.doe")]
    username: String,
    #[schema(example = "john.doe@example.com", required = true)]
    email: Option<String>,
    #[schema(example = "John Doe", required = true)]
    full_name: Option<String>,
    role: Role,
    /// Inactive users cannot log in.
    is_active: bool,
    /// Grows with every change; the `ETag` of the account.
    #[schema(example = 1)]
    version: i64,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

impl From<&UserView> for UserBody {
    fn from(user: &UserView) -> Self {
        Self {
            id: user.id.0,
            username: user.username.clone(),
            email: user.email.clone(),
            full_name: user.full_name.clone(),
            role: user.role.into(),
            is_active: user.is_active,
            version: user.version,
            created_at: Rfc3339(user.created_at_us),
            updated_at: Rfc3339(user.updated_at_us),
        }
    }
}

impl UserBody {
    /// For the document.
    pub(super) fn example() -> Self {
        let made_at = Rfc3339(1_705_401_000_000_000);
        Self {
            id: 7,
            username: "john.doe".to_owned(),
            email: Some("john.doe@example.com".to_owned()),
            full_name: Some("John Doe".to_owned()),
            role: domain::Role::Customer.into(),
            is_active: true,
            version: 1,
            created_at: made_at,
            updated_at: made_at,
        }
    }
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UserFilter {
    /// Found in username, full name or e-mail address, in upper or lower case.
    #[param(inline)]
    q: Option<SearchText>,
    /// With this role.
    #[param(inline)]
    role: Option<Role>,
    /// Active or deactivated ones only.
    active: Option<bool>,
}

/// A page of users, by id.
#[derive(Serialize, ToSchema)]
struct UsersBody {
    users: Vec<UserBody>,
    #[serde(flatten)]
    page: PageBody,
}

/// Carries out what registration and administration have in common.
pub(super) async fn create_user(
    app: &App,
    caller: &Caller,
    founding: Founding,
    write: Write<NewUser>,
) -> Result<Response, Problem> {
    let Write { body, conditions } = write;
    let command = CreateUser {
        password_hash: hash_password(app, body.password.as_str()).await?,
        username: body.username.into_string(),
        email: body.email.map(Email::into_string),
        full_name: body.full_name.map(FullName::into_string),
        role: body.role.map(Into::into),
        founding,
        by_invitation: !app.settings().registration_is_open,
    };
    let made = run(app, caller, conditions, command, |user| {
        let location = format!("{PREFIX}/users/{}", user.id.0);
        Reply::created(location, &UserBody::from(user)).etag(etag::of_version(user.version))
    })
    .await?;
    if founding != Founding::Nothing {
        app.retire_setup_code().await?;
    }
    Ok(made)
}

/// The account, unless the client has it already.
pub(super) fn answer_user(user: &UserView, headers: &HeaderMap) -> Reply {
    let tag = etag::of_version(user.version);
    if if_none_match(headers, &tag) {
        return Reply::not_modified(tag);
    }
    Reply::ok(&UserBody::from(user)).etag(tag)
}

fn user_not_found(id: i64) -> Problem {
    Problem::not_found("USER_NOT_FOUND", format_args!("User {id}"))
}

/// Lists accounts by id
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "list_users",
    security(("bearer" = []), ("password" = [])),
    params(UserFilter, PageParams),
    responses(
        (status = 200, description = "A page of accounts", body = UsersBody, example = json!({
            "users": [UserBody::example()], "limit": 20, "offset": 0, "next_cursor": null,
        })),
        ReadProblems,
    ))]
async fn list_users(
    State(app): State<App>,
    _: Admin<USERS>,
    paged: Paged<UserFilter>,
) -> Result<Reply, Problem> {
    let page = paged.page(&BY_ID)?;
    let filter = paged.query;
    let query = UserQuery {
        text: filter.q.map(SearchText::into_string),
        role: filter.role.map(Into::into),
        active: filter.active,
        page,
    };
    let found = app.reads().users(&query).await.map_err(Failure::from)?;
    let page = PageBody::new(&query.page, &found, &BY_ID, |user| Cursor::by_id(user.id.0));
    let users = found.rows.iter().map(UserBody::from).collect();
    Ok(Reply::ok(&UsersBody { users, page }))
}

/// Makes an account for anybody, in any role
///
/// Fields that may be left out may also be `null`.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "create_user",
    security(("bearer" = []), ("password" = [])),
    params(headers::IdempotencyKey),
    request_body(content = NewUser, example = json!({
        "username": "jane.roe", "password": "correct horse battery staple", "email": "jane.roe@example.com",
        "full_name": "Jane Roe", "role": "staff",
    })),
    responses(
        (status = 201, description = "The account", body = UserBody,
            headers(("ETag" = String, description = "Version of the account"),
                ("Location" = String, description = "Where the account is")),
            example = json!(UserBody::example())),
        BadRequest, Unauthenticated, Forbidden, BodyRefused, KeyReused, TooManyRequests, Unavailable,
        UserTaken,
    ))]
async fn create(
    State(app): State<App>,
    Admin(caller): Admin<USERS>,
    write: Write<NewUser>,
) -> Result<Response, Problem> {
    create_user(&app, &caller, Founding::Nothing, write).await
}

/// Shows an account
///
/// Administrators see any, all others only their own.
#[utoipa::path(get, path = "/users/{user_id}", tag = "users", operation_id = "get_user",
    security(("bearer" = []), ("password" = [])),
    params(("user_id" = inline(Id), Path, description = "The account"), headers::IfNoneMatch),
    responses(
        (status = 200, description = "The account", body = UserBody,
            headers(("ETag" = String, description = "Version of the account")),
            example = json!(UserBody::example())),
        (status = 304, description = "The account is still as `If-None-Match` has it",
            headers(("ETag" = String, description = "The version that is still current"))),
        BadRequest, Unauthenticated, Unavailable,
        UserNotFound,
    ))]
async fn get_user(
    State(app): State<App>,
    Someone(caller): Someone<USERS>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Reply, Problem> {
    let permitted = caller.actor.is_admin() || caller.actor.user_id == Some(UserId(id));
    if !permitted {
        return Err(user_not_found(id));
    }
    let user = app.reads().user(UserId(id)).await.map_err(Failure::from)?;
    Ok(answer_user(&user.ok_or_else(|| user_not_found(id))?, &headers))
}

/// Changes an account
///
/// Users change their own e-mail address and full name; administrators also role and activity, of anybody. The last
/// active administrator can neither be deactivated nor lose the role.
#[utoipa::path(patch, path = "/users/{user_id}", tag = "users", operation_id = "update_user",
    security(("bearer" = []), ("password" = [])),
    params(("user_id" = inline(Id), Path, description = "The account"), headers::IdempotencyKey,
        headers::IfMatch),
    request_body(content = UserChanges, example = json!({
        "email": "john.doe@example.org", "full_name": null,
    })),
    responses(
        (status = 200, description = "The account as it is now", body = UserBody,
            headers(("ETag" = String, description = "Version of the account")),
            example = json!(UserBody::example())),
        BadRequest, Unauthenticated, Forbidden, PreconditionFailed, BodyRefused, KeyReused, Unavailable,
        UserNotFound,
        (status = 409, description = "The address belongs to another (`EMAIL_TAKEN`), or the shop would be left \
            without an active administrator (`LAST_ADMIN`)",
            body = ProblemBody, content_type = "application/problem+json", example = json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "code": "LAST_ADMIN",
                "detail": "The shop would be left without an active administrator.",
                "request_id": "0kq3v8x2m5t9a",
            })),
    ))]
async fn update_user(
    State(app): State<App>,
    Someone(caller): Someone<USERS>,
    PathId(id): PathId,
    Edit { body, if_version, conditions }: Edit<UserChanges>,
) -> Result<Response, Problem> {
    let command = UpdateUser {
        user_id: UserId(id),
        if_version,
        email: body.email.into_option().map(|email| email.map(Email::into_string)),
        full_name: body.full_name.into_option().map(|name| name.map(FullName::into_string)),
        role: body.role.map(Into::into),
        is_active: body.is_active,
    };
    run(&app, &caller, conditions, command, |user| {
        Reply::ok(&UserBody::from(user)).etag(etag::of_version(user.version))
    })
    .await
}
