//! Callers who give nothing up: what was not answered for certain they repeat with the same key, until it is.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::{ScopedJoinHandle, scope, sleep};
use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::http::{Answer, Client};
use crate::server::Server;

/// How long a command may be repeated, and a test wait, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often all callers together were told what.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// That a command was carried out.
    pub(crate) done: AtomicUsize,
    /// That nothing was done and that they may come back.
    pub(crate) unavailable: AtomicUsize,
    /// That only the database knows.
    pub(crate) unknown: AtomicUsize,
}

impl Told {
    /// Waits until `count` has grown by this much.
    #[track_caller]
    pub(crate) fn await_more(count: &AtomicUsize, more: usize) {
        let (start, before) = (Instant::now(), count.load(Ordering::Relaxed));
        while count.load(Ordering::Relaxed) < before + more {
            assert!(start.elapsed() < PATIENCE, "{before}, {} wanted, {count:?}", before + more);
            sleep(Duration::from_millis(5));
        }
    }

    /// Notes an answer. `true` if the command was carried out; otherwise it must be one that asks to come back.
    #[track_caller]
    fn is_done(&self, answer: &Answer) -> bool {
        let count = match answer.status {
            200 | 201 => &self.done,
            503 => &self.unavailable,
            504 if answer.expect(504)["code"] == "OUTCOME_UNKNOWN" => &self.unknown,
            _ => panic!("{answer:?}"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let is_done = answer.status < 300;
        assert!(is_done || answer.retry_after.is_some(), "{answer:?}");
        is_done
    }
}

/// Callers and what they were told, over several runs of [`Crowd::work`].
pub(crate) struct Crowd {
    pub(crate) callers: Vec<Caller>,
    pub(crate) told: Told,
    marks: AtomicI64,
}

impl Crowd {
    pub(crate) fn new(callers: u64, seed: u64) -> Self {
        let callers = (1..=callers).map(|nth| Caller::new(seed.wrapping_mul(2 * nth + 1))).collect();
        Self { callers, told: Told::default(), marks: AtomicI64::new(1) }
    }

    /// Has everybody work, at as many servers as there are, while `meanwhile` happens. Then everybody brings the command
    /// to an end that was begun, and all are answered.
    pub(crate) fn work<T>(
        &mut self,
        servers: &[&Server],
        token: &str,
        meanwhile: impl FnOnce(&Told) -> T,
    ) -> T {
        let stop = AtomicBool::new(false);
        let (told, marks) = (&self.told, &self.marks);
        scope(|threads| {
            let work = |(nth, caller): (usize, _)| {
                let caller: &mut Caller = caller;
                let server: &Server = servers[nth % servers.len()];
                let mut client = server.client().with_token(token);
                let stop = &stop;
                threads.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let at = caller.resolve(marks);
                        insist(caller, &mut client, at, told);
                    }
                })
            };
            let threads: Vec<ScopedJoinHandle<()>> = self.callers.iter_mut().enumerate().map(work).collect();
            // Should it panic, the scope waits for the callers, who must not go on for ever.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| meanwhile(told)));
            stop.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().unwrap();
            }
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// What happened, in a line.
    pub(crate) fn summary(&self) -> String {
        let Told { done, unavailable, unknown } = &self.told;
        let replayed: usize = self.callers.iter().map(|caller| caller.replayed).sum();
        format!(
            "{done:?} commands done ({replayed} of them found done when repeated), {unavailable:?} times 503, \
             {unknown:?} times 504"
        )
    }
}

/// Sends a command again and again, until the answer is that it was carried out.
pub(crate) fn insist(caller: &mut Caller, client: &mut Client, at: usize, told: &Told) {
    let start = Instant::now();
    loop {
        // The server itself goes on whatever its database does, so there is always an answer.
        let answer = caller.request(client, at).unwrap();
        if told.is_done(&answer) {
            caller.note(at, &answer);
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{answer:?}");
        sleep(Duration::from_millis(50));
    }
}

/// A number that the server shows in its metrics.
#[track_caller]
pub(crate) fn metric(server: &Server, name: &str) -> u64 {
    let answer = server.client().call("GET", "/metrics", None);
    let line = answer.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {}", answer.text)).parse().unwrap()
}

/// Waits until the server says that it is ready.
#[track_caller]
pub(crate) fn await_ready(server: &Server) {
    let start = Instant::now();
    loop {
        let answer = server.client().call("GET", "/readyz", None);
        if answer.status == 200 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{answer:?}");
        sleep(Duration::from_millis(20));
    }
}
