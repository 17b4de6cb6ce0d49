//! Some connections that each ask again as soon as they are answered, and how long they waited.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::wire::{Connection, State};
use crate::Failure;

/// In how many parts a measurement is made.
const PARTS: u32 = 3;

/// How often each of many paths is asked for.
const TRIES: usize = 5;

/// How many ask at the same time.
const CONNECTIONS: u64 = 4;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paths {
    /// The same again and again.
    One(String),
    /// A row after this prefix, another one each time, up to the last one.
    Rows(String, u64),
    /// Each of them a few times: what counts is the slowest.
    Slowest(Vec<String>),
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
            Self::Slowest(all) => all.first().cloned().unwrap_or_default(),
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

/// What a measurement asks, and as whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) address: SocketAddr,
    pub(super) token: &'a str,
    pub(super) paths: &'a Paths,
    pub(super) state: State,
}

/// Asks for so long, and at least once on each connection. An answer that is no success is a failure.
///
/// In parts, of which the quickest counts: on a machine that others use as well, a part of a second is theirs.
pub(super) fn measure(question: Question<'_>, length: Duration) -> Result<Times, Failure> {
    if let Paths::Slowest(all) = question.paths {
        return slowest(question, all);
    }
    let mut best = measure_part(question, length / PARTS)?;
    for _ in 1..PARTS {
        let part = measure_part(question, length / PARTS)?;
        if part.p50_ms < best.p50_ms {
            best = part;
        }
    }
    Ok(best)
}

fn measure_part(question: Question<'_>, length: Duration) -> Result<Times, Failure> {
    let start = &Barrier::new(usize::try_from(CONNECTIONS).unwrap_or(1));
    let answered: Result<Vec<Vec<Duration>>, Failure> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..CONNECTIONS)
            .map(|asker| scope.spawn(move || ask(Asker::new(question, asker), length, start)))
            .collect();
        let ended = askers.into_iter().map(|asker| asker.join());
        ended.map(|ended| ended.unwrap_or_else(|_| Err("an asker ended early".to_owned()))).collect()
    });
    let mut times: Vec<Duration> = answered?.into_iter().flatten().collect();
    times.sort_unstable();
    Ok(summary(&times))
}

/// The times of that path which takes longest, half of the time. One after the other, so that none waits for another.
fn slowest(question: Question<'_>, all: &[String]) -> Result<Times, Failure> {
    let mut slowest: Option<(Times, &str)> = None;
    for path in all {
        let paths = Paths::One(path.clone());
        let mut asker = Asker::new(Question { paths: &paths, ..question }, 0);
        let mut times = (0..TRIES).map(|_| asker.get()).collect::<Result<Vec<_>, _>>()?;
        times.sort_unstable();
        let times = summary(&times);
        if slowest.is_none_or(|(known, _)| known.p50_ms < times.p50_ms) {
            slowest = Some((times, path));
        }
    }
    let (times, path) = slowest.ok_or("no path to ask for")?;
    println!("xtask: slowest of {}: {path}", all.len());
    Ok(times)
}

/// One of the connections.
struct Asker<'a> {
    connection: std::io::Result<Connection>,
    paths: &'a Paths,
    state: State,
    /// Which of the paths is next. Each asker begins elsewhere.
    nth: u64,
}

impl<'a> Asker<'a> {
    fn new(question: Question<'a>, asker: u64) -> Self {
        let Question { address, token, paths, state } = question;
        Self { connection: Connection::open(address, token), paths, state, nth: asker << 32 }
    }

    /// Asks once, and tells how long the answer took.
    fn get(&mut self) -> Result<Duration, Failure> {
        let path = self.paths.nth(self.nth);
        self.nth += 1;
        let connection = self.connection.as_mut().map_err(|error| format!("no connection: {error}"))?;
        let began = Instant::now();
        let (status, body) =
            connection.get(&path, self.state).map_err(|error| format!("GET {path}: {error}"))?;
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
        let ask = |paths: &Paths| {
            let address = stub.address;
            measure(Question { address, token: "a-token", paths, state: State::Cold }, length)
        };
        let one = |path: &str| Paths::One(path.to_owned());
        let each = |paths: [&str; 2]| Paths::Slowest(paths.map(str::to_owned).to_vec());
        assert!(ask(&one("/healthz")).expect("answers").answers >= 4);
        assert_eq!(ask(&each(["/healthz", "/healthz?x"])).expect("answers").answers, TRIES);
        for paths in [one("/api/v1/refused"), each(["/healthz", "/api/v1/refused"])] {
            let failure = ask(&paths).expect_err("a refusal");
            assert!(failure.contains("/api/v1/refused answered"), "{failure}");
        }
    }
}
