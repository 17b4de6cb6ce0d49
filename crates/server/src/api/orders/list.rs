//! Lists of orders.

use axum::extract::State;
use axum::response::Response;
use domain::{ProductId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audience;
use super::body::{OrderBody, example};
use crate::api::headers::IfNoneMatch;
use crate::api::page::{Include, PageBody};
use crate::app::views::{OrderListing, OrderQuery, OrderSort, OrderView, Scope};
use crate::app::{App, Asked, Slot, What};
use crate::http::problem::{BadRequest, FieldError, Problem, Unauthenticated, Unavailable};
use crate::http::reply::Ready;
use crate::request::{Again, Paged, READ, Someone, found};
use crate::wire::paging::{ByNumber, Cursor, Key, PageParams};
use crate::wire::time::Moment;
use crate::wire::values::{Id, Status};

/// Which orders, in which order.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderFilter {
    /// Orders with this status.
    #[param(inline)]
    status: Option<Status>,
    /// Orders of this user. Customers see none but their own.
    #[param(inline)]
    user_id: Option<Id>,
    /// Orders with an item of this product.
    #[param(inline)]
    product_id: Option<Id>,
    /// Orders placed at this time or later; a date stands for its beginning in UTC.
    #[param(inline)]
    created_from: Option<Moment>,
    /// Orders placed at this time or earlier; a date stands for its end in UTC.
    #[param(inline)]
    created_to: Option<Moment>,
    /// The same as `created_from`.
    #[param(inline)]
    start_date: Option<Moment>,
    /// The same as `created_to`.
    #[param(inline)]
    end_date: Option<Moment>,
    /// What to sort by, with a `-` before it for the largest first; ties are broken by id. `-id` when left out.
    #[param(inline)]
    sort: Option<SortWord>,
    /// `total` adds how many orders match.
    #[param(inline)]
    include: Option<Include>,
}

/// What orders are sorted by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
enum SortWord {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "-id")]
    IdDescending,
    #[serde(rename = "created_at")]
    CreatedAt,
    #[serde(rename = "-created_at")]
    CreatedAtDescending,
    #[serde(rename = "total_amount_cents")]
    TotalAmount,
    #[serde(rename = "-total_amount_cents")]
    TotalAmountDescending,
}

impl SortWord {
    /// The word, the column, and whether the largest comes first.
    const fn parts(self) -> (&'static str, OrderSort, bool) {
        match self {
            Self::Id => ("id", OrderSort::Id, false),
            Self::IdDescending => ("-id", OrderSort::Id, true),
            Self::CreatedAt => ("created_at", OrderSort::PlacedAt, false),
            Self::CreatedAtDescending => ("-created_at", OrderSort::PlacedAt, true),
            Self::TotalAmount => ("total_amount_cents", OrderSort::TotalAmount, false),
            Self::TotalAmountDescending => ("-total_amount_cents", OrderSort::TotalAmount, true),
        }
    }
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrdersBody<'a> {
    /// The orders of this page.
    orders: Vec<OrderBody<'a>>,
    #[serde(flatten)]
    page: PageBody,
    /// Sum of the totals of all orders that match, on whatever page, in minor units (cents).
    #[schema(value_type = i128, example = 502_997)]
    total_amount_cents: i128,
    /// Sum of the quantities of all orders that match, on whatever page.
    #[schema(value_type = i128, example = 3)]
    total_quantity: i128,
    /// How many orders match, on whatever page; there with `include=total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    total: Option<i64>,
}

/// A bound of the range of times: given by one of its two names, which are one too many together.
fn bound(
    (name, value): (&'static str, Option<Moment>),
    (synonym, other): (&'static str, Option<Moment>),
    errors: &mut Vec<FieldError>,
) -> Option<(&'static str, Moment)> {
    match (value, other) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::new(synonym, format!("cannot be combined with {name}, its synonym")));
            None
        }
        (Some(value), None) => Some((name, value)),
        (None, Some(other)) => Some((synonym, other)),
        (None, None) => None,
    }
}

impl OrderFilter {
    /// The first microsecond of the range of times, and the first after it.
    fn range(&self) -> Result<(Option<i64>, Option<i64>), Problem> {
        let mut errors = Vec::new();
        let from = bound(("created_from", self.created_from), ("start_date", self.start_date), &mut errors);
        let to = bound(("created_to", self.created_to), ("end_date", self.end_date), &mut errors);
        if let (Some((from_name, from)), Some((to_name, to))) = (from, to)
            && from.start_us() >= to.end_us()
        {
            errors.push(FieldError::new(from_name, format!("must not be after {to_name}")));
        }
        if errors.is_empty() {
            Ok((from.map(|(_, from)| from.start_us()), to.map(|(_, to)| to.end_us())))
        } else {
            Err(Problem::validation(errors))
        }
    }
}

/// List orders
///
/// Customers see their own orders, staff all of them. The two totals cover every order that matches, not the page
/// alone. Follow `next_cursor` to the next page at a cost that does not grow with depth; an offset costs a look at each
/// order that it skips.
#[utoipa::path(get, path = "/orders", tag = "orders", operation_id = "list_orders",
    params(OrderFilter, PageParams, IfNoneMatch),
    responses(
        (status = 200, description = "A page of orders, and totals over all that match", body = OrdersBody<'static>,
            headers(("ETag" = String, description = "Changes with the page: `W/\"3f2a…\"`")),
            example = json!({
                "orders": [example("paid")], "limit": 20, "offset": 0, "next_cursor": null,
                "total_amount_cents": 502_997, "total_quantity": 3,
            })),
        (status = 304, description = "The page is as `If-None-Match` knows it",
            headers(("ETag" = String, description = "The tag that is still current"))),
        BadRequest, Unauthenticated, Unavailable),
    security(("bearer" = []), ("password" = [])))]
pub(super) async fn list_orders(
    State(app): State<App>,
    Someone(caller): Someone<READ>,
    list: Paged<OrderFilter>,
    again: Again,
) -> Result<Response, Problem> {
    let filter = list.query;
    let (word, sort, descending) = filter.sort.unwrap_or(SortWord::IdDescending).parts();
    let page = list.page(&ByNumber(word))?;
    let (placed_from_us, placed_before_us) = filter.range()?;
    let query = OrderQuery {
        scope: if caller.actor.is_staff() { Scope::All } else { Scope::Of(caller.actor.user_id) },
        status: filter.status.map(Into::into),
        user_id: filter.user_id.map(|id| UserId(id.get())),
        product_id: filter.product_id.map(|id| ProductId(id.get())),
        placed_from_us,
        placed_before_us,
        sort,
        descending,
        page,
    };
    let shows = match query.scope {
        Scope::All => [Slot::Orders, Slot::Names],
        Scope::Of(user) => [Slot::OrdersOf(user), user.map_or(Slot::OrdersOf(user), Slot::Name)],
    };
    let read = async {
        let found = app.reads().orders(&query).await?;
        let mut body = body(&found, &query, ByNumber(word), &app.settings().currency);
        body.total = filter.include.map(|Include::Total| found.orders);
        Ok((Ready::list(&body)?, shows))
    };
    let asked = Asked::page(What::Orders, audience(&caller), &query.page, &again.query);
    found(&app, asked, &again, read).await
}

fn body<'a>(
    found: &'a OrderListing,
    query: &OrderQuery,
    order: ByNumber,
    currency: &'a str,
) -> OrdersBody<'a> {
    OrdersBody {
        orders: found
            .listing
            .rows
            .iter()
            .map(|view| OrderBody::new(&view.order, view.user_name.as_deref(), currency))
            .collect(),
        page: PageBody::new(&query.page, &found.listing, &order, |last| cursor(last, query.sort)),
        total_amount_cents: found.total_amount_cents,
        total_quantity: found.total_quantity,
        total: None,
    }
}

/// Where the page after this order starts.
fn cursor(OrderView { order, .. }: &OrderView, sort: OrderSort) -> Cursor {
    let key = match sort {
        OrderSort::Id => order.id.0,
        OrderSort::PlacedAt => order.placed_at_us,
        OrderSort::TotalAmount => order.total_amount_cents,
    };
    Cursor { key: Key::Int(key), id: order.id.0 }
}
