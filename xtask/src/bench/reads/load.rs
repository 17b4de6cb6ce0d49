//! Some connections that each ask again as soon as they are answered, and how long they waited.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::wire::Connection;
use crate::Failure;

/// How many ask at the same time.
const CONNECTIONS: u64 = 4;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paths {
    /// The same again and again.
    One(String),
    /// A row after this prefix, another one each time, up to the last one.
    Rows(String, u64),
}

impl Paths {
    /// The nth that is asked for.
    fn nth(&self, nth: u64) -> String {
        match self {
            Self::One(path) => path.clone(),
            // By the golden ratio: far apart from each other, and none twice for a long time.
            Self::Rows(prefix, last) => {
                format!("{prefix}{}", (nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24) % (*last).max(1) + 1)
            }
        }
    }
}

/// How long answers took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    pub(super) answers: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Asks for so long, and at least once on each connection. An answer that is no success is a failure.
pub(super) fn measure(
    address: SocketAddr,
    token: &str,
    paths: &Paths,
    length: Duration,
) -> Result<Times, Failure> {
    let start = &Barrier::new(usize::try_from(CONNECTIONS).unwrap_or(1));
    let answered: Result<Vec<Vec<Duration>>, Failure> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..CONNECTIONS)
            .map(|asker| scope.spawn(move || ask(Asker::new(address, token, paths, asker), length, start)))
            .collect();
        let ended = askers.into_iter().map(|asker| asker.join());
        ended.map(|ended| ended.unwrap_or_else(|_| Err("an asker ended early".to_owned()))).collect()
    });
    let mut times: Vec<Duration> = answered?.into_iter().flatten().collect();
    times.sort_unstable();
    Ok(summary(&times))
}

/// One of the connections.
struct Asker<'a> {
    connection: std::io::Result<Connection>,
    paths: &'a Paths,
    /// Which of the paths is next. Each asker begins elsewhere.
    nth: u64,
}

impl<'a> Asker<'a> {
    fn new(address: SocketAddr, token: &str, paths: &'a Paths, asker: u64) -> Self {
        Self { connection: Connection::open(address, token), paths, nth: asker << 32 }
    }

    /// Asks once, and tells how long the answer took.
    fn get(&mut self) -> Result<Duration, Failure> {
        let path = self.paths.nth(self.nth);
        self.nth += 1;
        let connection = self.connection.as_mut().map_err(|error| format!("no connection: {error}"))?;
        let began = Instant::now();
        let (status, body) = connection.get(&path).map_err(|error| format!("GET {path}: {error}"))?;
        if status == 200 {
            Ok(began.elapsed())
        } else {
            Err(format!("GET {path} answered {status}: {:.300}", String::from_utf8_lossy(body)))
        }
    }
}

/// The first request, which finds a new connection and perhaps nothing prepared, does not count.
fn ask(mut asker: Asker<'_>, length: Duration, start: &Barrier) -> Result<Vec<Duration>, Failure> {
    let first = asker.get();
    // Also after a failure: the others must not wait for ever.
    start.wait();
    first?;
    let mut times = Vec::new();
    let began = Instant::now();
    while times.is_empty() || began.elapsed() < length {
        times.push(asker.get()?);
    }
    Ok(times)
}

/// Of times in ascending order, never none.
fn summary(times: &[Duration]) -> Times {
    let at = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    Times { answers: times.len(), p50_ms: at(50), p99_ms: at(99) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::stub::Stub;

    #[test]
    fn rows_are_spread_and_within_bounds() {
        let rows = Paths::Rows("/x/".to_owned(), 1_000);
        let mut seen: Vec<u64> = (0..500)
            .map(|nth| rows.nth(nth).strip_prefix("/x/").and_then(|id| id.parse().ok()).expect("a number"))
            .collect();
        assert!(seen.iter().all(|id| (1..=1_000).contains(id)));
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 300, "{}", seen.len());
        assert_eq!(Paths::One("/y".to_owned()).nth(7), "/y");
    }

    #[test]
    fn times_are_summed_up() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(summary(&times), Times { answers: 200, p50_ms: 101.0, p99_ms: 199.0 });
        let one = summary(&times[..1]);
        assert_eq!((one.p50_ms, one.p99_ms), (1.0, 1.0));
    }

    #[test]
    fn what_is_not_a_success_is_a_failure() {
        let stub = Stub::start();
        let length = Duration::from_millis(20);
        let ask = |path: &str| measure(stub.address, "a-token", &Paths::One(path.to_owned()), length);
        assert!(ask("/healthz").expect("answers").answers >= 4);
        let failure = ask("/api/v1/refused").expect_err("a refusal");
        assert!(failure.contains("/api/v1/refused answered"), "{failure}");
    }
}
