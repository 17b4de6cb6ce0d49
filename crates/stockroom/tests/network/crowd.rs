//! Shoppers who are at work while something happens to the database.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::shopper::{Marks, Shopper, answers_of};

/// How long a test waits for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Shoppers and what they were told, over several runs of [`Crowd::work`].
pub(crate) struct Crowd {
    pub(crate) shoppers: Vec<Shopper>,
    marks: Marks,
}

impl Crowd {
    /// So many shoppers, who go to these servers in turn.
    pub(crate) fn new(size: u64, servers: &[&Server], token: &str) -> Self {
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        Self { shoppers: Shopper::crowd(size, &addresses, token), marks: Marks::default() }
    }

    /// Has everybody work while `meanwhile` happens. Then everybody brings to an end what was begun.
    pub(crate) fn work<T>(&mut self, meanwhile: impl FnOnce() -> T) -> T {
        let (is_over, marks) = (&AtomicBool::new(false), &self.marks);
        scope(|threads| {
            for shopper in &mut self.shoppers {
                threads.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        shopper.act(marks);
                    }
                });
            }
            // Should it panic, the shoppers must not go on for ever.
            let done = catch_unwind(AssertUnwindSafe(meanwhile));
            is_over.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// That nothing was answered but success and requests to come again.
    #[track_caller]
    pub(crate) fn assert_no_wrong_answer(&self) {
        let answers = answers_of(&self.shoppers);
        assert_eq!(answers.wrong, Vec::<String>::new());
        assert_eq!(answers.count(0), 0, "{answers:?}");
    }

    /// Commands that turned out to be done when they were repeated.
    pub(crate) fn found_done(&self) -> usize {
        self.shoppers.iter().map(|shopper| shopper.found_done).sum()
    }

    /// What happened, in a line.
    pub(crate) fn summary(&self) -> String {
        let answers = answers_of(&self.shoppers);
        let Self { shoppers, .. } = self;
        let done: usize = shoppers.iter().map(|shopper| shopper.sent.len()).sum();
        format!(
            "{done} commands done, {} of them found done when repeated; answers {:?}, the longest after {:?}",
            self.found_done(),
            answers.counts,
            answers.longest
        )
    }
}

/// The answers of a server to commands so far, by status, as its metrics show them.
#[track_caller]
pub(crate) fn commands_answered(server: &Server) -> BTreeMap<u16, u64> {
    let mut counts = BTreeMap::new();
    for line in metrics(server).lines() {
        let Some(labels) = line.strip_prefix(r#"stockroom_http_requests_total{method="POST","#) else {
            continue;
        };
        let (labels, count) = labels.rsplit_once("} ").unwrap();
        let (_, status) = labels.rsplit_once(r#"status=""#).unwrap();
        *counts.entry(status.trim_end_matches('"').parse().unwrap()).or_default() +=
            count.parse::<u64>().unwrap();
    }
    counts
}

/// Waits until a server has given so many more answers to commands with one of these statuses.
#[track_caller]
pub(crate) fn await_answers(server: &Server, statuses: &[u16], more: u64) {
    let count = || -> u64 {
        let answered = commands_answered(server);
        statuses.iter().filter_map(|status| answered.get(status)).sum()
    };
    let (start, before) = (Instant::now(), count());
    while count() < before + more {
        let seen = commands_answered(server);
        assert!(start.elapsed() < PATIENCE, "{more} more of {statuses:?} are not coming: {seen:?}");
        sleep(Duration::from_millis(20));
    }
}

/// A whole number that the server shows in its metrics; 0 when it does not.
#[track_caller]
pub(crate) fn metric(server: &Server, name: &str) -> u64 {
    let metrics = metrics(server);
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.split('.').next().unwrap().parse().unwrap())
}

#[track_caller]
fn metrics(server: &Server) -> String {
    let answer = server.client().call("GET", "/metrics", None);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
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
