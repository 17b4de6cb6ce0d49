//! Whole tables as one JSON array, in constant memory: a page is read, written out, and forgotten before the next.
//!
//! The pages are found by id, so rows that are there from beginning to end come exactly once, whatever happens
//! meanwhile. Short lists may be kept and sent again.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;

use crate::app::views::{OrderQuery, OrderView, Page, ProductQuery, ProductView, Scope, SortValue, Start};
use crate::app::{App, Asked, Audience, Failure, Slot, What};
use crate::http::problem::Problem;
use crate::http::reply::Ready;
use crate::request::Again;

/// Products that are read at once. A description has up to 5,000 characters.
const PRODUCTS: u32 = 100;

/// Orders that are read at once. Each has up to 200 items.
const ORDERS: u32 = 50;

/// Lists of more bytes are sent as they are read, and not kept.
const LONGEST_KEPT: usize = 256 * 1024;

/// Elements of an array, written as JSON.
#[derive(Debug, Default)]
pub(super) struct Elements {
    text: Vec<u8>,
    /// Whether nothing stands before these elements.
    first: bool,
}

impl Elements {
    /// Appends an element.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which is a bug.
    pub(super) fn push(&mut self, element: &impl Serialize) -> serde_json::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.text.push(b',');
        }
        serde_json::to_writer(&mut self.text, element)
    }
}

/// A list of which each page begins after an id.
trait Pages: Send + Sync + 'static {
    /// Writes the rows of the page after that id; the id after which the next begins, unless this was the last.
    fn write(
        &self,
        after: i64,
        out: &mut Elements,
    ) -> impl Future<Output = Result<Option<i64>, Failure>> + Send;
}

struct Products<F> {
    app: App,
    low_stock: Option<bool>,
    show: F,
}

impl<F, R> Pages for Products<F>
where
    F: Fn(&ProductView) -> R + Send + Sync + 'static,
    R: Serialize,
{
    async fn write(&self, after: i64, out: &mut Elements) -> Result<Option<i64>, Failure> {
        let query = ProductQuery {
            low_stock: self.low_stock,
            ..ProductQuery::catalogue(page_after(after, PRODUCTS))
        };
        let found = self.app.reads().products(&query).await?;
        for view in &found.rows {
            out.push(&(self.show)(view)).map_err(|_| Failure::Dropped)?;
        }
        Ok(found.rows.last().filter(|_| found.more).map(|last| last.product.id.0))
    }
}

struct Orders<F> {
    app: App,
    scope: Scope,
    show: F,
}

impl<F> Pages for Orders<F>
where
    F: Fn(&OrderView, &mut Elements) -> serde_json::Result<()> + Send + Sync + 'static,
{
    async fn write(&self, after: i64, out: &mut Elements) -> Result<Option<i64>, Failure> {
        let query = OrderQuery::all(self.scope, page_after(after, ORDERS));
        let found = self.app.reads().order_rows(&query).await?;
        for view in &found.rows {
            (self.show)(view, out).map_err(|_| Failure::Dropped)?;
        }
        Ok(found.rows.last().filter(|_| found.more).map(|last| last.order.id.0))
    }
}

fn page_after(id: i64, limit: u32) -> Page {
    Page { limit, start: Start::After { value: SortValue::Int(id), id } }
}

/// What a list is kept as, for a client that may want it made anew. It must show no names of users.
pub(super) type Keeping<'a> = (What, &'a Again);

/// How a list is kept: what was asked, whether the client wants it made anew, and on what it depends.
struct Kept {
    asked: Asked,
    past: bool,
    shows: Slot,
}

impl Kept {
    fn new((what, again): Keeping<'_>, audience: Audience, shows: Slot) -> Self {
        Self { asked: Asked::plain(what, audience), past: again.past_cache, shows }
    }
}

/// All products of the catalogue by id, or those that are low in stock.
///
/// # Errors
/// When the first page cannot be read.
pub(super) async fn products<R: Serialize>(
    app: &App,
    low_stock: Option<bool>,
    keeping: Option<Keeping<'_>>,
    show: impl Fn(&ProductView) -> R + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let kept = keeping.map(|keeping| Kept::new(keeping, Audience::Public, Slot::Products));
    answer(app, kept, Products { app: app.clone(), low_stock, show }).await
}

/// All orders that the scope permits, by id; each may be shown as several elements.
///
/// # Errors
/// When the first page cannot be read.
pub(super) async fn orders(
    app: &App,
    scope: Scope,
    keeping: Option<Keeping<'_>>,
    show: impl Fn(&OrderView, &mut Elements) -> serde_json::Result<()> + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let (audience, shows) = match scope {
        Scope::All => (Audience::Staff, Slot::Orders),
        Scope::Of(owner) => (Audience::Owner(owner.map(|id| id.0)), Slot::OrdersOf(owner)),
    };
    let kept = keeping.map(|keeping| Kept::new(keeping, audience, shows));
    answer(app, kept, Orders { app: app.clone(), scope, show }).await
}

async fn answer(app: &App, kept: Option<Kept>, pages: impl Pages) -> Result<Response, Problem> {
    let (asked, past, shows) =
        kept.map_or((None, false, None), |kept| (Some(kept.asked), kept.past, Some(kept.shows)));
    let ticket = match app.cache().look_up(asked, past) {
        Ok(ready) => return Ok(ready.into_response()),
        Err(ticket) => ticket.zip(shows),
    };
    let mut start = Elements { text: vec![b'['], first: true };
    let mut next = pages.write(0, &mut start).await?;
    // What may be kept is gathered first.
    while let Some(after) = next.filter(|_| ticket.is_some() && start.text.len() <= LONGEST_KEPT) {
        next = pages.write(after, &mut start).await?;
    }
    let Some(after) = next else {
        start.text.push(b']');
        let ready = Ready::text(start.text.into());
        if let Some((ticket, shows)) = ticket.filter(|_| ready.len() <= LONGEST_KEPT) {
            app.cache().keep(ticket, ready.clone(), [shows]);
        }
        return Ok(ready.into_response());
    };
    Ok(json(Body::from_stream(rest(start.text, after, Arc::new(pages)))))
}

/// What follows the first pages. A failure breaks the answer off, so that nobody takes the half for the whole.
fn rest(
    start: Vec<u8>,
    after: i64,
    pages: Arc<impl Pages>,
) -> impl stream::Stream<Item = Result<Vec<u8>, Failure>> {
    stream::try_unfold((start, Some(after)), move |(text, next)| {
        let pages = Arc::clone(&pages);
        async move {
            if !text.is_empty() {
                return Ok(Some((text, (Vec::new(), next))));
            }
            let Some(after) = next else { return Ok(None) };
            let mut out = Elements::default();
            let next = pages.write(after, &mut out).await.inspect_err(|failure| {
                tracing::error!(%failure, "a list was broken off");
            })?;
            if next.is_none() {
                out.text.push(b']');
            }
            Ok(Some((out.text, (Vec::new(), next))))
        }
    })
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
