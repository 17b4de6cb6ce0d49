//! What staff, administrators and machines changed.

use axum::extract::State;
use domain::{ApiKeyId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::PageBody;
use crate::app::views::{AuditQuery, AuditView};
use crate::app::{App, Failure};
use crate::http::problem::{Problem, ReadProblems};
use crate::http::reply::Reply;
use crate::request::{Admin, Paged, USERS};
use crate::wire::paging::{ByNumber, Cursor, Key, PageParams};
use crate::wire::time::{Moment, Rfc3339};
use crate::wire::values::{AuditAction, Id, Role};

/// The order of the list, for its cursors.
const BY_LATEST: ByNumber = ByNumber("-at");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// What a line may be about.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    Product,
    Order,
    User,
    ApiKey,
}

impl Target {
    const fn word(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Order => "order",
            Self::User => "user",
            Self::ApiKey => "api_key",
        }
    }
}

/// Which lines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditFilter {
    /// Done by this user.
    #[param(inline)]
    actor_id: Option<Id>,
    /// Done by the machine with this key.
    #[param(inline)]
    api_key_id: Option<Id>,
    /// In which this was done.
    #[param(inline)]
    action: Option<AuditAction>,
    /// About a thing of this kind; goes together with `target_id`.
    #[param(inline)]
    target_kind: Option<Target>,
    /// About the thing of `target_kind` with this number.
    #[param(inline)]
    target_id: Option<Id>,
    /// At this time or later; a date stands for its beginning in UTC.
    #[param(inline)]
    from: Option<Moment>,
    /// At this time or earlier; a date stands for its end in UTC.
    #[param(inline)]
    to: Option<Moment>,
}

/// A page of the log, the latest line first.
#[derive(Serialize, ToSchema)]
struct AuditBody {
    entries: Vec<AuditEntry>,
    #[serde(flatten)]
    page: PageBody,
}

/// A thing that was changed, by whom, and how.
#[derive(Serialize, ToSchema)]
struct AuditEntry {
    #[schema(example = 7)]
    id: i64,
    at: Rfc3339,
    /// What was done. A command that changed several things has a line for each.
    #[schema(example = "product.update")]
    action: String,
    /// The kind of thing that was changed: `product`, `order`, `user` or `api_key`.
    #[schema(example = "product")]
    target_kind: String,
    #[schema(example = 1)]
    target_id: i64,
    /// Who did it; null for machines, the command line, and callers without an account.
    #[schema(required, example = 1)]
    actor_id: Option<i64>,
    /// Full name of who did it, or else their username.
    #[schema(required, example = "John Doe")]
    actor_name: Option<String>,
    /// The key of the machine that did it.
    #[schema(required)]
    api_key_id: Option<i64>,
    /// What that key is for.
    #[schema(required)]
    api_key_name: Option<String>,
    /// The role in which it was done.
    role: Role,
    /// What changed, as it was and as it is called where it is shown itself; empty for what is new. Passwords are shown
    /// as `***`.
    #[schema(value_type = Object, example = json!({"price_cents": 249_999}))]
    before: Value,
    /// The same, as it became; empty for what is gone. Where somebody logged in or out, nothing changed that is shown, and
    /// both are empty.
    #[schema(value_type = Object, example = json!({"price_cents": 239_999}))]
    after: Value,
    /// The request in which it happened, as in its `X-Request-Id`.
    #[schema(example = "0kq3v8x2m5t9a")]
    request_id: String,
    /// The address that the request came from, or `command line`.
    #[schema(required, example = "192.0.2.7")]
    source: Option<String>,
}

impl TryFrom<&AuditView> for AuditEntry {
    type Error = Problem;

    fn try_from(line: &AuditView) -> Result<Self, Problem> {
        Ok(Self {
            id: line.id,
            at: Rfc3339(line.at_us),
            action: line.action.clone(),
            target_kind: line.kind.clone(),
            target_id: line.thing_id,
            actor_id: line.actor_id.map(|id| id.0),
            actor_name: line.actor_name.clone(),
            api_key_id: line.key_id.map(|id| id.0),
            api_key_name: line.key_name.clone(),
            role: line.role.into(),
            before: told(&line.was)?,
            after: told(&line.became)?,
            request_id: line.request_id.clone(),
            source: line.source.clone(),
        })
    }
}

/// What the log has, as the API tells it: `expires_at_us` as `expires_at`.
fn told(facts: &str) -> Result<Value, Problem> {
    let facts: Map<String, Value> = serde_json::from_str(facts).map_err(Problem::internal)?;
    let told = facts.into_iter().map(|(name, value)| match name.strip_suffix("_at_us") {
        Some(time) => (format!("{time}_at"), value.as_i64().map(|at_us| Rfc3339(at_us).to_string()).into()),
        None => (name, value),
    });
    Ok(Value::Object(told.collect()))
}

impl AuditFilter {
    fn target(&self) -> Result<Option<(String, i64)>, Problem> {
        match (self.target_kind, self.target_id) {
            (None, None) => Ok(None),
            (Some(kind), Some(id)) => Ok(Some((kind.word().to_owned(), id.get()))),
            (Some(_), None) => Err(Problem::invalid("target_kind", "must go together with target_id")),
            (None, Some(_)) => Err(Problem::invalid("target_id", "must go together with target_kind")),
        }
    }
}

/// Shows the audit log
///
/// What staff, administrators and machines changed, the latest first: every change by any of them is here, written with the
/// change itself, and so is every login (`user.begin_session`) of staff and administrators, written before their tokens are
/// given out. What customers do is not, nor what was refused.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "list_audit",
    security(("bearer" = []), ("password" = [])),
    params(AuditFilter, PageParams),
    responses(
        (status = 200, description = "A page of the log", body = AuditBody, example = json!({
            "entries": [{
                "id": 7, "at": "2024-01-16T10:30:00Z", "action": "product.update", "target_kind": "product",
                "target_id": 1, "actor_id": 1, "actor_name": "John Doe", "api_key_id": null, "api_key_name": null,
                "role": "admin", "before": {"price_cents": 249_999}, "after": {"price_cents": 239_999},
                "request_id": "0kq3v8x2m5t9a", "source": "192.0.2.7",
            }],
            "limit": 20, "offset": 0, "next_cursor": null,
        })),
        ReadProblems,
    ))]
async fn list_audit(
    State(app): State<App>,
    _: Admin<USERS>,
    paged: Paged<AuditFilter>,
) -> Result<Reply, Problem> {
    let page = paged.page(&BY_LATEST)?;
    let filter = &paged.query;
    let query = AuditQuery {
        actor_id: filter.actor_id.map(|id| UserId(id.get())),
        key_id: filter.api_key_id.map(|id| ApiKeyId(id.get())),
        thing: filter.target()?,
        from_us: filter.from.map(|moment| moment.start_us()),
        before_us: filter.to.map(|moment| moment.end_us()),
        action: paged.query.action.as_ref().map(|action| action.as_str().to_owned()),
        page,
    };
    let found = app.reads().audit(&query).await.map_err(Failure::from)?;
    let place = |line: &AuditView| Cursor { key: Key::Int(line.at_us), id: line.id };
    let page = PageBody::new(&query.page, &found, &BY_LATEST, place);
    let entries = found.rows.iter().map(AuditEntry::try_from).collect::<Result<_, _>>()?;
    Ok(Reply::ok(&AuditBody { entries, page }))
}
