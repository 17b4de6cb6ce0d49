//! What happens around every request: its name, deadline, metrics, log line, headers, and the end of panics.
//!
//! One layer does all of it, because each further layer costs two allocations and a virtual call per request.

use std::any::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use tower::layer::layer_fn;
use tower::{Service, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Level;

use super::compress::{accepts_gzip, compress};
use super::fault_log::{FaultLog, Room};
use super::framing::Unclear;
use super::host::Hosts;
use super::metrics::{Metrics, RouteMetrics};
use super::problem::{Problem, Rendered};
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::clock;
use crate::settings::Settings;

/// How a contract words what is not a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// Problem documents.
    Problems,
    /// `{"detail": …}`, as the older contracts have it.
    Details,
}

/// Puts the shell around finished routers, one whose refusals are problem documents and one of façades, which know
/// nothing but a `detail`: after this they are ready for [`super::listener::serve`].
///
/// Unknown paths get problem documents unless a façade answers them, wrong methods what their route speaks.
pub fn finish(router: Router, facades: Router, settings: &Settings, metrics: Metrics) -> Router {
    let shell = Arc::new(Shell {
        metrics,
        request_timeout: settings.request_timeout,
        max_body_bytes: settings.max_body_bytes,
        hosts: Hosts::from(settings),
        outages: FaultLog::default(),
    });
    let enclosed = |router: Router, voice: Voice| {
        let shell = Arc::clone(&shell);
        router
            .method_not_allowed_fallback(async || Problem::method_not_allowed().say("Method Not Allowed"))
            .layer(layer_fn(move |route| enclose(route, Arc::new(Endpoint::new(Arc::clone(&shell), voice)))))
    };
    let router = enclosed(router.fallback(async || Problem::route_not_found()), Voice::Problems)
        .merge(enclosed(facades, Voice::Details));
    let router = match cors(&settings.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    // Without this axum would build every handler, and the layer around it, anew for each request.
    router.with_state(())
}

/// What all endpoints share.
#[derive(Debug)]
struct Shell {
    metrics: Metrics,
    request_timeout: Duration,
    max_body_bytes: usize,
    hosts: Hosts,
    /// What a database that is away or a disk that is full has every request log.
    outages: FaultLog,
}

/// One handler with its metrics, which are found at its first request.
#[derive(Debug)]
struct Endpoint {
    shell: Arc<Shell>,
    voice: Voice,
    by_method: [OnceLock<Arc<RouteMetrics>>; METHODS.len()],
}

/// Methods with a label of their own; the last stands for all others, so that clients cannot invent labels.
const METHODS: [&str; 8] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "OTHER"];

impl Endpoint {
    fn new(shell: Arc<Shell>, voice: Voice) -> Self {
        Self { shell, voice, by_method: std::array::from_fn(|_| OnceLock::new()) }
    }

    fn metrics(&self, request: &Request) -> Arc<RouteMetrics> {
        let method = request.method().as_str();
        let at = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
        let find = || Arc::new(self.shell.metrics.route(METHODS[at], route));
        let kept = self.by_method[at].get_or_init(find);
        // A handler may stand at several paths; all but the first look their metrics up.
        if kept.route == route { Arc::clone(kept) } else { find() }
    }
}

/// What is remembered of a request while it is being answered.
struct Facts {
    started: Instant,
    id: RequestId,
    metrics: Arc<RouteMetrics>,
    gzip: bool,
    voice: Voice,
    /// For the access log; `None` while nobody reads that.
    uri: Option<Uri>,
}

fn enclose(
    mut route: Route,
    endpoint: Arc<Endpoint>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
    service_fn(move |mut request: Request| {
        let id = RequestId::of(request.headers());
        request.extensions_mut().insert(id.clone());
        let facts = Facts {
            started: clock::monotonic(),
            id,
            metrics: endpoint.metrics(&request),
            gzip: accepts_gzip(request.headers()),
            voice: endpoint.voice,
            uri: tracing::enabled!(Level::DEBUG).then(|| request.uri().clone()),
        };
        // Only makes the future; the handler runs when that is polled.
        let answer = endpoint.shell.admit(&request).map(|()| route.call(request));
        let endpoint = Arc::clone(&endpoint);
        async move {
            let response = match answer {
                Ok(answer) => settle(answer, facts.started + endpoint.shell.request_timeout).await,
                Err(problem) => turn_away(problem),
            };
            Ok(dress(response, &facts, &endpoint.shell).await)
        }
    })
}

impl Shell {
    /// Refuses what no handler need look at.
    fn admit(&self, request: &Request) -> Result<(), Problem> {
        if request.extensions().get::<Unclear>().is_some() {
            return Err(Problem::invalid(
                "Transfer-Encoding",
                "must not contradict Content-Length; give one of them, once",
            ));
        }
        self.hosts.check(request)?;
        let limit = self.max_body_bytes;
        match declared_length(request.headers()) {
            Some(length) if length > limit => Err(Problem::payload_too_large(limit)),
            _ => Ok(()),
        }
    }
}

/// Answers a request that no handler has looked at. After one that is not clear about what it is, nothing that may be
/// a part of it is listened to.
fn turn_away(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::BAD_REQUEST {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Waits for the handler until `deadline`. A late one is dropped, which stops no command: what has been handed to the
/// committer is settled there. A panic ends the request and nothing else.
async fn settle(answer: impl Future<Output = Result<Response, Infallible>>, deadline: Instant) -> Response {
    let mut answer = pin!(answer);
    let caught = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Ok(response))) => Poll::Ready(response),
        Err(panic) => Poll::Ready(Problem::internal(format_args!("panic: {}", words(&*panic))).into()),
    });
    match tokio::time::timeout_at(deadline.into(), caught).await {
        Ok(response) => response,
        Err(_) => Problem::timeout().into_response(),
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Completes, counts and logs an answer.
async fn dress(mut response: Response, facts: &Facts, shell: &Shell) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Rendered>() {
        *response.body_mut() = Body::from(match facts.voice {
            Voice::Problems => problem.with_request_id(facts.id.as_str()),
            Voice::Details => problem.detail().into_bytes(),
        });
        if problem.overloaded || !response.status().is_server_error() {
            shell.metrics.count_refusal(problem.code);
        } else {
            log_fault(&response, facts, Some(&problem), &shell.outages);
        }
    } else if response.status().is_server_error() {
        log_fault(&response, facts, None, &shell.outages);
    }
    if facts.voice == Voice::Details && !response.status().is_success() {
        let headers = response.headers_mut();
        if let Some(kind) = headers.get_mut(CONTENT_TYPE) {
            *kind = HeaderValue::from_static("application/json");
        }
    }
    let mut response = compress(response, facts.gzip).await;
    set_headers(response.headers_mut(), facts.id.header());
    let took = clock::since(facts.started);
    facts.metrics.observe(response.status(), took);
    if let Some(uri) = &facts.uri {
        tracing::debug!(
            request_id = facts.id.as_str(),
            method = facts.metrics.method,
            path = told(uri.path(), &facts.metrics.route).as_str(),
            route = facts.metrics.route,
            status = response.status().as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    }
    response
}

/// As much of a path as may be logged. People and programs put into a path what belongs into a header: of what is no
/// word of the route, numbers alone are told.
fn told(path: &str, route: &str) -> String {
    let mut asked = path.split('/');
    let parts = route.split('/').map(|part| {
        let asked = asked.next().unwrap_or_default();
        match part.starts_with('{') {
            true if asked.len() <= 20 && asked.bytes().all(|byte| byte.is_ascii_digit()) => asked,
            true => "…",
            false => part,
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The one log line of a fault. Overload is none: it is counted, for logging it would add to it. Faults that all requests have
/// in common are bounded; one of ours is always told.
fn log_fault(response: &Response, facts: &Facts, problem: Option<&Rendered>, outages: &FaultLog) {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        match outages.room(clock::monotonic()) {
            Room::None => return,
            Room::For(0) => {}
            Room::For(left_out) => {
                tracing::error!(left_out, "requests failed for lack of storage or database");
            }
        }
    }
    tracing::error!(
        request_id = facts.id.as_str(),
        method = facts.metrics.method,
        route = facts.metrics.route,
        status = response.status().as_u16(),
        code = problem.map(|problem| problem.code),
        cause = problem.and_then(|problem| problem.cause.as_deref()),
        "request failed"
    );
}

/// Sets what every answer carries, and what it carries unless its handler knew better.
fn set_headers(headers: &mut HeaderMap, id: HeaderValue) {
    const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
    const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
    const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
    // An answer of the API is data: should a browser take it for a page, that page may do nothing and be framed nowhere.
    const DATA_ONLY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.reserve(5);
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.entry(REFERRER_POLICY).or_insert(NO_REFERRER);
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(DATA_ONLY);
}

/// Lets browsers on other origins in; `None` if no origin is listed.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
    const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        // What is no header value can be no browser's origin either.
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    // Tokens travel in a header that scripts set; cookies play no part, so credentials stay off.
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CACHE_CONTROL,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            IF_MATCH,
            IF_NONE_MATCH,
            X_REQUEST_ID,
        ])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, IDEMPOTENCY_REPLAYED, X_REQUEST_ID])
        .max_age(Duration::from_secs(600));
    Some(cors)
}

#[cfg(test)]
#[path = "middleware_tests.rs"]
mod tests;
