//! What stands in the address: ids and queries, read strictly.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath, Path};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::app::views::{Page, SortValue, Start};
use crate::http::problem::Problem;
use crate::http::reply::Ready;
use crate::wire::etag::IfNoneMatch;
use crate::wire::paging::{self, PageParams, Position, Sort};
use crate::wire::query::{parse_paged, parse_query};

/// The id in the path of a thing.
#[derive(Debug, Clone, Copy)]
pub struct PathId(pub i64);

impl FromRequestParts<App> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await.ok();
        // `parse` would also take `+7`.
        let digits = path.filter(|Path(text)| text.bytes().all(|byte| byte.is_ascii_digit()));
        let id = digits.and_then(|Path(text)| text.parse().ok()).filter(|id| *id > 0);
        id.map(Self).ok_or_else(|| {
            let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
            let name = route.and_then(last_parameter).unwrap_or("path");
            Problem::invalid(name, "must be an id: a whole number from 1")
        })
    }
}

/// The name of the last parameter in the path of a route.
fn last_parameter(route: &str) -> Option<&str> {
    route.rsplit_once('{')?.1.split('}').next()
}

/// The query of an operation.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self(parse_query(parts.uri.query())?))
    }
}

/// The query of a list: its own parameters, and which page.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    /// The list's own parameters.
    pub query: T,
    params: PageParams,
}

impl<T: DeserializeOwned> FromRequestParts<App> for Paged<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let (query, params) = parse_paged(parts.uri.query())?;
        Ok(Self { query, params })
    }
}

impl<T> Paged<T> {
    /// The page asked for, in a list in the order of `sort`.
    ///
    /// # Errors
    /// 400 when the parameters contradict each other or the cursor belongs to another order.
    pub fn page(&self, sort: &impl Sort) -> Result<Page, Problem> {
        let page = self.params.resolve(sort)?;
        let start = match page.position {
            Position::Offset(offset) => Start::Offset(offset),
            Position::After(cursor) => Start::After {
                value: match cursor.key {
                    paging::Key::Int(value) => SortValue::Int(value),
                    paging::Key::Text(text) => SortValue::Text(text),
                },
                id: cursor.id,
            },
        };
        Ok(Page { limit: page.limit, start })
    }
}

/// What a client says that asks again: what it has already, and whether it may be sent what others were sent.
#[derive(Debug, Clone)]
pub struct Again {
    known: Option<IfNoneMatch>,
    /// Whether the answer is to be made anew.
    pub past_cache: bool,
    /// The query, as it was sent.
    pub query: Box<str>,
}

impl FromRequestParts<App> for Again {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let known = parts.headers.get_all(IF_NONE_MATCH).iter().map(|value| value.as_bytes());
        let wishes = parts.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        Ok(Self {
            known: IfNoneMatch::parse(known),
            past_cache: wishes.flat_map(|wishes| wishes.split(',')).any(is_no_cache),
            query: parts.uri.query().unwrap_or_default().into(),
        })
    }
}

impl Again {
    /// Sends what was found, unless the client has it already.
    #[must_use]
    pub fn answer(&self, ready: Ready) -> Response {
        let is_known = |etag: &str| self.known.as_ref().is_some_and(|known| known.is_fresh(etag));
        if ready.etag().is_some_and(is_known) { ready.not_modified() } else { ready.into_response() }
    }
}

/// Whether a word of `Cache-Control` asks for an answer that is made anew.
fn is_no_cache(word: &str) -> bool {
    word.trim().eq_ignore_ascii_case("no-cache")
}

/// Whether the client already has what carries `etag`.
#[must_use]
pub fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().map(|value| value.as_bytes());
    IfNoneMatch::parse(values).is_some_and(|condition| condition.is_fresh(etag))
}
