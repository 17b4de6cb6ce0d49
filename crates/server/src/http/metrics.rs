//! What operators watch, in the text format of Prometheus.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use store::WriterCounts;

use super::histogram::Histogram;
use super::host;
use super::peer;
use super::problem::Problem;

/// Microseconds; 100 µs to 10 s.
const SECONDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// Commands in one transaction.
const BATCHES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// The statuses that have a counter at hand in every [`RouteMetrics`].
const STATUSES: [u16; 27] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415,
    421, 422, 429, 500, 503, 504,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

/// A histogram of durations, for [`Family`].
#[derive(Debug, Clone, Copy)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS, 1e6)
    }
}

/// Every metric of the process. Cloning costs a reference count, and clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, Durations>,
    refusals: Family<CodeLabels, Counter>,
    batch_size: Histogram,
    commit_seconds: Histogram,
    queue_depth: Gauge,
    conflicts: Counter,
    lost_connections: Counter,
    found_committed: Counter,
    mended: Counter,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_bytes: Gauge,
    resident_memory: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("stockroom"),
            requests: Family::default(),
            durations: Family::new_with_constructor(Durations),
            refusals: Family::default(),
            batch_size: Histogram::new(BATCHES, 1.0),
            commit_seconds: Histogram::new(SECONDS, 1e6),
            queue_depth: Gauge::default(),
            conflicts: Counter::default(),
            lost_connections: Counter::default(),
            found_committed: Counter::default(),
            mended: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cache_bytes: Gauge::default(),
            resident_memory: Gauge::default(),
        };
        let registry = &mut inner.registry;
        registry.register("http_requests", "Requests answered", inner.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from request head to answer",
            inner.durations.clone(),
        );
        registry.register("refusals", "Requests refused, by problem code", inner.refusals.clone());
        registry.register("commit_batch_size", "Commands in one transaction", inner.batch_size.clone());
        registry.register("commit_seconds", "Time of one transaction", inner.commit_seconds.clone());
        registry.register(
            "committer_queue_depth",
            "Commands waiting to be committed",
            inner.queue_depth.clone(),
        );
        registry.register(
            "commit_conflicts",
            "Transactions run again because another server was in the way",
            inner.conflicts.clone(),
        );
        registry.register(
            "commit_lost_connections",
            "Transactions run again because the database was away",
            inner.lost_connections.clone(),
        );
        registry.register(
            "commit_outcomes_found",
            "Lost commits that were found to have happened",
            inner.found_committed.clone(),
        );
        registry.register(
            "storage_reopened",
            "Times an embedded database was opened anew because its disk had failed",
            inner.mended.clone(),
        );
        registry.register("cache_hits", "Answers sent again from memory", inner.cache_hits.clone());
        registry.register(
            "cache_misses",
            "Answers made anew that could have been sent from memory",
            inner.cache_misses.clone(),
        );
        registry.register("cache_bytes", "Memory that kept answers take", inner.cache_bytes.clone());
        registry.register(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM",
            inner.resident_memory.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        Self(Arc::new(inner))
    }

    /// Records one transaction of `batch` commands.
    pub fn observe_commit(&self, batch: usize, took: Duration) {
        self.0.batch_size.observe(u64::try_from(batch).unwrap_or(u64::MAX));
        self.0.commit_seconds.observe_us(took);
    }

    /// Records how many commands wait for the committer.
    pub fn set_queue_depth(&self, waiting: usize) {
        self.0.queue_depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Records how often transactions had to be run again since the start of the process.
    pub fn set_writer_counts(&self, counts: WriterCounts) {
        let all = [
            (&self.0.conflicts, counts.conflicts),
            (&self.0.lost_connections, counts.lost_connections),
            (&self.0.found_committed, counts.found_committed),
            (&self.0.mended, counts.mended),
        ];
        for (counter, count) in all {
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    /// Counts an answer that was sent again.
    pub fn count_cache_hit(&self) {
        self.0.cache_hits.inc();
    }

    /// Counts an answer that was made anew.
    pub fn count_cache_miss(&self) {
        self.0.cache_misses.inc();
    }

    /// Records how many bytes the kept answers take.
    pub fn set_cache_bytes(&self, bytes: u64) {
        self.0.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a refusal. [`super::middleware::finish`] does so for every [`Problem`] below 500 and for overload.
    pub fn count_refusal(&self, code: &'static str) {
        self.0.refusals.get_or_create(&CodeLabels { code }).inc();
    }

    /// The metrics of one method of one route, to be kept and used for every request to it.
    pub(crate) fn route(&self, method: &'static str, route: &str) -> RouteMetrics {
        let labels = RouteLabels { route: route.to_owned() };
        RouteMetrics {
            duration: self.0.durations.get_or_create(&labels).clone(),
            by_status: std::array::from_fn(|_| OnceLock::new()),
            requests: self.0.requests.clone(),
            method,
            route: labels.route,
        }
    }

    /// Every metric in the text format of OpenMetrics.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_memory() {
            self.0.resident_memory.set(bytes);
        }
        let mut text = String::with_capacity(16 * 1024);
        match encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            // Writing into a String does not fail; an empty scrape is noticed by whoever watches.
            Err(_) => String::new(),
        }
    }
}

/// Counters of one method of one route, found once.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    /// The method as a label: `GET`; `OTHER` for methods that HTTP does not define.
    pub(crate) method: &'static str,
    /// The route's pattern: `/api/v1/orders/{order_id}`; `unmatched` without one.
    pub(crate) route: String,
    duration: Histogram,
    by_status: [OnceLock<Counter>; STATUSES.len()],
    requests: Family<RequestLabels, Counter>,
}

impl RouteMetrics {
    /// Counts one answered request.
    pub(crate) fn observe(&self, status: StatusCode, took: Duration) {
        self.duration.observe_us(took);
        let status = status.as_u16();
        match STATUSES.iter().position(|known| *known == status) {
            Some(at) => self.by_status[at].get_or_init(|| self.counter(status)).inc(),
            None => self.counter(status).inc(),
        };
    }

    fn counter(&self, status: u16) -> Counter {
        let labels = RequestLabels { method: self.method, route: self.route.clone(), status };
        self.requests.get_or_create(&labels).clone()
    }
}

/// Bytes of the process in RAM; `None` where `/proc` does not tell.
fn resident_memory() -> Option<i64> {
    // `status` counts in kB, `statm` in pages whose size would need a system call.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The route `GET /metrics`.
///
/// Answers a peer on this very machine that no proxy speaks for. Anybody else is put to `check`, which says whether the
/// caller may (staff) or with what problem to refuse.
pub fn routes<F, C>(metrics: Metrics, check: F) -> Router
where
    F: Fn(Parts) -> C + Clone + Send + Sync + 'static,
    C: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let handler = async move |State(metrics): State<Metrics>, request: Request| {
        let (parts, _) = request.into_parts();
        if !is_local(&parts)
            && let Err(problem) = check(parts).await
        {
            return problem.into_response();
        }
        exposition(&metrics)
    };
    Router::new().route("/metrics", get(handler)).with_state(metrics)
}

fn exposition(metrics: &Metrics) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], metrics.render()).into_response()
}

/// Whether the peer is this machine itself, and neither a proxy on it that speaks for somebody else nor a page that a
/// browser on it shows, which knows this server by a name of its own.
fn is_local(parts: &Parts) -> bool {
    peer::address(&parts.extensions).is_some_and(|peer| peer.is_loopback())
        && !peer::speaks_for_another(&parts.headers)
        && host::names_this_machine(&parts.headers)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn renders_what_was_counted() {
        let metrics = Metrics::new();
        let route = metrics.route("GET", "/orders/{order_id}");
        route.observe(StatusCode::OK, Duration::from_micros(700));
        route.observe(StatusCode::OK, Duration::from_secs(60));
        route.observe(StatusCode::IM_A_TEAPOT, Duration::from_micros(1));
        metrics.count_refusal("SKU_TAKEN");
        metrics.observe_commit(3, Duration::from_millis(2));
        metrics.set_queue_depth(5);
        let counts = WriterCounts { conflicts: 4, lost_connections: 3, found_committed: 2, mended: 1 };
        metrics.set_writer_counts(counts);
        let text = metrics.render();
        for line in [
            r#"stockroom_http_requests_total{method="GET",route="/orders/{order_id}",status="200"} 2"#,
            r#"stockroom_http_requests_total{method="GET",route="/orders/{order_id}",status="418"} 1"#,
            r#"stockroom_http_request_duration_seconds_bucket{le="0.0005",route="/orders/{order_id}"} 1"#,
            r#"stockroom_http_request_duration_seconds_bucket{le="0.001",route="/orders/{order_id}"} 2"#,
            r#"stockroom_http_request_duration_seconds_bucket{le="+Inf",route="/orders/{order_id}"} 3"#,
            r#"stockroom_http_request_duration_seconds_count{route="/orders/{order_id}"} 3"#,
            r#"stockroom_refusals_total{code="SKU_TAKEN"} 1"#,
            r#"stockroom_commit_batch_size_bucket{le="4.0"} 1"#,
            "stockroom_commit_seconds_sum 0.002",
            "stockroom_committer_queue_depth 5",
            "stockroom_commit_conflicts_total 4",
            "stockroom_commit_lost_connections_total 3",
            "stockroom_commit_outcomes_found_total 2",
            "stockroom_storage_reopened_total 1",
            r#"stockroom_build_info{version="0.1.0"} 1"#,
        ] {
            assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn times_are_told_in_round_seconds() {
        let metrics = Metrics::new();
        metrics.observe_commit(1, Duration::from_micros(3_537));
        let text = metrics.render();
        let bounds: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix(r#"stockroom_commit_seconds_bucket{le=""#)?.split('"').next()
            })
            .collect();
        let round = [
            "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
            "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf",
        ];
        assert_eq!(bounds, round);
        assert!(text.contains("\nstockroom_commit_seconds_sum 0.003537\n"), "{text}");
    }

    #[test]
    fn knows_its_own_memory() {
        let text = Metrics::new().render();
        let line = text.lines().find(|line| line.starts_with("stockroom_process_resident_memory_bytes "));
        let bytes: u64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(bytes > 1_000_000, "{bytes}");
    }

    #[tokio::test]
    async fn answers_this_machine_and_whoever_passes_the_check() {
        let refusing = routes(Metrics::new(), async |_| Err(Problem::unauthenticated()));
        let passing = routes(Metrics::new(), async |_| Ok(()));
        let cases = [
            ("127.0.0.1:9", None, 200),
            ("[::1]:9", None, 200),
            ("[::ffff:127.0.0.1]:9", None, 200),
            ("10.0.0.8:9", None, 401),
            ("127.0.0.1:9", Some("forwarded"), 401),
            ("127.0.0.1:9", Some("x-forwarded-for"), 401),
            ("127.0.0.1:9", Some("x-real-ip"), 401),
            ("127.0.0.1:9", Some("via"), 401),
        ];
        for (peer, header, expected) in cases {
            let request = || {
                let mut request = Request::get("/metrics").header("host", "localhost:8000");
                if let Some(header) = header {
                    request = request.header(header, "198.51.100.7");
                }
                let mut request = request.body(Body::empty()).unwrap();
                request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
                request
            };
            assert_eq!(
                refusing.clone().oneshot(request()).await.unwrap().status(),
                expected,
                "{peer} {header:?}"
            );
            assert_eq!(passing.clone().oneshot(request()).await.unwrap().status(), 200);
        }
        let unknown = Request::get("/metrics").body(Body::empty()).unwrap();
        assert_eq!(refusing.oneshot(unknown).await.unwrap().status(), 401);
    }
}
