//! Keys of machines, for administrators.
//!
//! Making one does not go through [`run`](crate::request::run): its answer holds the key, which is kept nowhere.

use axum::extract::State;
use axum::response::Response;
use domain::{ApiKey, ApiKeyId, CreateApiKey, RevokeApiKey, Role};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::PageBody;
use super::{PREFIX, headers};
use crate::app::views::ApiKeyView;
use crate::app::{Answered, App, Failure};
use crate::auth::api_keys;
use crate::http::problem::{
    ApiKeyNotFound, BadRequest, BodyRefused, Forbidden, Problem, ReadProblems, Unauthenticated, Unavailable,
    WriteProblems,
};
use crate::http::reply::Reply;
use crate::request::{Admin, NoBody, OperationBody, PERSON, Paged, PathId, Write, run};
use crate::wire::paging::{ByNumber, Cursor, PageParams};
use crate::wire::query::Nothing;
use crate::wire::time::Rfc3339;
use crate::wire::values::{Id, KeyLife, KeyName, Scope};

/// The order of the list, for its cursors.
const BY_LATEST: ByNumber = ByNumber("-id");

/// How long a key is good when the request does not say, in days.
const DEFAULT_LIFE_DAYS: i64 = 90;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_api_keys, create_api_key)).routes(routes!(revoke_api_key))
}

/// What a machine may do at most: it is never a customer.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MachineRole {
    Staff,
    Admin,
}

impl From<MachineRole> for Role {
    fn from(role: MachineRole) -> Self {
        match role {
            MachineRole::Staff => Self::Staff,
            MachineRole::Admin => Self::Admin,
        }
    }
}

impl From<Role> for MachineRole {
    /// The rules make no key for customers.
    fn from(role: Role) -> Self {
        if role == Role::Admin { Self::Admin } else { Self::Staff }
    }
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKey {
    name: KeyName,
    role: MachineRole,
    /// What it is good for within its role. Whatever is looked at takes `read`, but for accounts and the audit log, which
    /// take `users`.
    #[serde(deserialize_with = "few_scopes")]
    #[schema(min_items = 1, max_items = 5)]
    scopes: Vec<Scope>,
    /// How long it is good; 90 days when left out.
    expires_in_days: Option<KeyLife>,
}

impl OperationBody for NewApiKey {}

fn few_scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scope>, D::Error> {
    let scopes = Vec::deserialize(deserializer)?;
    let most = domain::Scope::ALL.len();
    if scopes.len() > most {
        return Err(D::Error::custom(format_args!("must have at most {most} scopes")));
    }
    Ok(scopes)
}

/// A key, without the key itself.
#[derive(Serialize, ToSchema)]
struct ApiKeyBody {
    #[schema(example = 3)]
    id: i64,
    /// What it is for.
    #[schema(example = "warehouse scanner")]
    name: String,
    role: MachineRole,
    scopes: Vec<Scope>,
    /// Who made it. It is revoked when they are no active administrator any more.
    #[schema(example = 1)]
    maker_id: i64,
    created_at: Rfc3339,
    /// From then on it is worth nothing.
    expires_at: Rfc3339,
    /// Since when it has been worth nothing; null while it is good.
    #[schema(required)]
    revoked_at: Option<Rfc3339>,
    /// When it was used last, to the minute or so; null when it never was.
    #[schema(required)]
    last_used_at: Option<Rfc3339>,
}

impl From<&ApiKeyView> for ApiKeyBody {
    fn from(key: &ApiKeyView) -> Self {
        Self {
            id: key.id.0,
            name: key.name.clone(),
            role: key.role.into(),
            scopes: key.scopes.iter().map(|scope| Scope(*scope)).collect(),
            maker_id: key.maker_id.0,
            created_at: Rfc3339(key.created_at_us),
            expires_at: Rfc3339(key.expires_at_us),
            revoked_at: key.revoked_at_us.map(Rfc3339),
            last_used_at: key.last_used_at_us.map(Rfc3339),
        }
    }
}

/// A key just made, with the key itself, which is shown this once.
#[derive(Serialize, ToSchema)]
struct MadeApiKey {
    /// Goes into the header `Authorization: Bearer …` of every request of the machine. It is kept nowhere: whoever loses it
    /// needs another one.
    #[schema(example = "sr_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f5d1d4bd4")]
    key: String,
    #[serde(flatten)]
    rest: ApiKeyBody,
}

/// A page of keys, the latest first.
#[derive(Serialize, ToSchema)]
struct ApiKeysBody {
    api_keys: Vec<ApiKeyBody>,
    #[serde(flatten)]
    page: PageBody,
}

/// For the document.
fn example() -> ApiKeyBody {
    let made_us = 1_705_401_000_000_000;
    ApiKeyBody {
        id: 3,
        name: "warehouse scanner".to_owned(),
        role: MachineRole::Staff,
        scopes: vec![Scope(domain::Scope::Read), Scope(domain::Scope::Stock)],
        maker_id: 1,
        created_at: Rfc3339(made_us),
        expires_at: Rfc3339(made_us + DEFAULT_LIFE_DAYS * 86_400_000_000),
        revoked_at: None,
        last_used_at: None,
    }
}

/// Lists the keys of machines
///
/// Also those that are revoked or have expired. The keys themselves are kept nowhere.
#[utoipa::path(get, path = "/api-keys", tag = "api-keys", operation_id = "list_api_keys",
    security(("bearer" = []), ("password" = [])),
    params(PageParams),
    responses(
        (status = 200, description = "A page of keys", body = ApiKeysBody, example = json!({
            "api_keys": [example()], "limit": 20, "offset": 0, "next_cursor": null,
        })),
        ReadProblems,
    ))]
async fn list_api_keys(
    State(app): State<App>,
    _: Admin<PERSON>,
    paged: Paged<Nothing>,
) -> Result<Reply, Problem> {
    let page = paged.page(&BY_LATEST)?;
    let found = app.reads().api_keys(&page).await.map_err(Failure::from)?;
    let body = PageBody::new(&page, &found, &BY_LATEST, |key| Cursor::by_id(key.id.0));
    let api_keys = found.rows.iter().map(ApiKeyBody::from).collect();
    Ok(Reply::ok(&ApiKeysBody { api_keys, page: body }))
}

/// Makes a key for a machine
///
/// The key itself is in the answer and nowhere else. A machine acts for the shop: what it orders is nobody's unless
/// `user_id` says whose. It can make and edit accounts of customers alone, and manage no keys, passwords or sessions.
#[utoipa::path(post, path = "/api-keys", tag = "api-keys", operation_id = "create_api_key",
    security(("bearer" = []), ("password" = [])),
    params(headers::ForgottenIdempotencyKey),
    request_body(content = NewApiKey, example = json!({
        "name": "warehouse scanner", "role": "staff", "scopes": ["read", "stock"], "expires_in_days": 90,
    })),
    responses(
        (status = 201, description = "The key; not to be kept by caches", body = MadeApiKey,
            headers(("Cache-Control" = String, description = "`no-store`"),
                ("Location" = String, description = "Where it is revoked")),
            example = json!(MadeApiKey {
                key: "sr_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f5d1d4bd4".to_owned(),
                rest: example(),
            })),
        BadRequest, Unauthenticated, Forbidden, BodyRefused, Unavailable,
    ))]
async fn create_api_key(
    State(app): State<App>,
    Admin(caller): Admin<PERSON>,
    write: Write<NewApiKey>,
) -> Result<Reply, Problem> {
    let body = write.body;
    let (key, digest) = api_keys::generate().map_err(Problem::internal)?;
    let command = CreateApiKey {
        name: body.name.into_string(),
        digest,
        role: body.role.into(),
        scopes: body.scopes.into_iter().map(Into::into).collect(),
        life_days: body.expires_in_days.map_or(DEFAULT_LIFE_DAYS, KeyLife::get),
    };
    match app.execute(command, caller.context(), None).await? {
        Answered::Decided(Ok(made)) => Ok(answer(key, &made)),
        Answered::Decided(Err(rejection)) => Err(Problem::refusal(&rejection, None)),
        // Only keyed commands have kept answers.
        Answered::Kept { .. } => Err(Failure::Dropped.into()),
    }
}

fn answer(key: String, made: &ApiKey) -> Reply {
    let location = format!("{PREFIX}/api-keys/{}", made.id.0);
    Reply::created(location, &MadeApiKey { key, rest: ApiKeyBody::from(made) })
}

/// Revokes a key
///
/// It is worth nothing from now on, on every server of the shop. One that is so already stays as it is.
#[utoipa::path(delete, path = "/api-keys/{api_key_id}", tag = "api-keys", operation_id = "revoke_api_key",
    security(("bearer" = []), ("password" = [])),
    params(("api_key_id" = inline(Id), Path, description = "The key"), headers::IdempotencyKey),
    responses(
        (status = 204, description = "The key is worth nothing any more"),
        WriteProblems, ApiKeyNotFound,
    ))]
async fn revoke_api_key(
    State(app): State<App>,
    Admin(caller): Admin<PERSON>,
    PathId(id): PathId,
    write: Write<NoBody>,
) -> Result<Response, Problem> {
    run(&app, &caller, write.conditions, RevokeApiKey { id: ApiKeyId(id) }, |()| Reply::no_content()).await
}
