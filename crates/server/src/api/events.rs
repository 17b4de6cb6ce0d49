//! What happened in the shop, in commit order, for whoever wants to follow.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::app::views::EventView;
use crate::http::problem::{Problem, ReadProblems};
use crate::http::reply::Reply;
use crate::request::{Query, READ, Staff};
use crate::wire::time::Rfc3339;
use crate::wire::values::{EventLimit, EventNumber};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_events))
}

/// Events of one answer when the request does not say.
const DEFAULT_LIMIT: i64 = 100;

/// Which events.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventFilter {
    /// Events after the one with this number; from the first on when left out.
    #[param(inline)]
    after: Option<EventNumber>,
    /// Most events of one answer; 100 when left out.
    #[param(inline)]
    limit: Option<EventLimit>,
}

/// A stretch of events.
#[derive(Debug, Serialize, ToSchema)]
struct EventsBody {
    /// The events, in order.
    events: Vec<EventBody>,
    /// What to send as `after` next time: the number of the last event here, or `after` itself if there was none.
    #[schema(example = 7)]
    next_after: i64,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
struct EventBody {
    /// Number of the event; whoever has seen it never finds a smaller one later.
    #[schema(example = 7)]
    id: i64,
    /// What happened.
    #[schema(example = "order_placed")]
    kind: String,
    /// When.
    at: Rfc3339,
    /// The order it is about, if any.
    #[schema(required, example = 1)]
    order_id: Option<i64>,
    /// The product it is about, if any.
    #[schema(required)]
    product_id: Option<i64>,
    /// The user it is about, if any.
    #[schema(required, example = 1)]
    user_id: Option<i64>,
    /// Who did it; null for the system and callers without an account.
    #[schema(required, example = 1)]
    actor_id: Option<i64>,
    /// Full name of who did it, or else their username.
    #[schema(required, example = "John Doe")]
    actor_name: Option<String>,
    /// The request in which it happened, as in its `X-Request-Id`.
    #[schema(example = "0kq3v8x2m5t9a")]
    request_id: String,
    /// What else there is to know.
    #[schema(value_type = Object, example = json!({"total_amount_cents": 502_997, "total_quantity": 3}))]
    data: Value,
}

impl TryFrom<EventView> for EventBody {
    type Error = Problem;

    fn try_from(event: EventView) -> Result<Self, Problem> {
        Ok(Self {
            id: event.id,
            data: serde_json::from_str(&event.payload).map_err(Problem::internal)?,
            kind: event.kind,
            at: Rfc3339(event.at_us),
            order_id: event.order_id.map(|id| id.0),
            product_id: event.product_id.map(|id| id.0),
            user_id: event.user_id.map(|id| id.0),
            actor_id: event.actor_id.map(|id| id.0),
            actor_name: event.actor_name,
            request_id: event.request_id,
        })
    }
}

/// Follow what happens
///
/// Events in commit order. Whoever has seen an event never finds one with a smaller number later, so `next_after` is
/// all that has to be remembered to miss nothing and see nothing twice.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "list_events",
    params(EventFilter),
    responses(
        (status = 200, description = "Events after the given one", body = EventsBody, example = json!({
            "events": [{
                "id": 7, "kind": "order_placed", "at": "2024-01-16T10:30:00Z", "order_id": 1, "product_id": null,
                "user_id": 1, "actor_id": 1, "actor_name": "John Doe", "request_id": "0kq3v8x2m5t9a",
                "data": {"total_amount_cents": 502_997, "total_quantity": 3},
            }],
            "next_after": 7,
        })),
        ReadProblems),
    security(("bearer" = []), ("password" = [])))]
async fn list_events(
    State(app): State<App>,
    _staff: Staff<READ>,
    Query(filter): Query<EventFilter>,
) -> Result<Reply, Problem> {
    let after = filter.after.map_or(0, EventNumber::get);
    let limit = filter.limit.map_or(DEFAULT_LIMIT, EventLimit::get);
    let found = app.reads().events(after, u32::try_from(limit).map_err(Problem::internal)?).await?;
    let next_after = found.last().map_or(after, |event| event.id);
    let events = found.into_iter().map(EventBody::try_from).collect::<Result<_, _>>()?;
    Ok(Reply::ok(&EventsBody { events, next_after }))
}
