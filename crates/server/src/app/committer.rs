//! The one way in: a task that takes all commands that wait, has them written in one transaction, and answers.
//!
//! It never waits for more commands than there are: while one batch is being committed the next gathers by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use store::{Job, Store, Verdict};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::cache::{Cache, Marking};
use super::follower::Ended;
use crate::clock;
use crate::http::metrics::Metrics;
use crate::settings::Settings;

/// Of the time that a request waits for its turn, this part at least is given to each attempt to carry it out.
const SHORTEST_ATTEMPT: u32 = 4;

/// A job that knows whom to answer.
pub(super) trait Errand: Job {
    /// Until when the caller waits.
    fn deadline(&self) -> Instant;

    /// Answers the caller, once the batch is durable.
    fn settle(self: Box<Self>, verdict: Verdict);

    /// Tells the caller that there was no turn in time.
    fn expire(self: Box<Self>);
}

/// Where commands wait.
pub(super) struct Queue(mpsc::Sender<Box<dyn Errand>>);

/// Why a command could not be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueError {
    /// Too many wait already.
    Full,
    /// The committer has ended.
    Closed,
}

impl Queue {
    /// Queues a command, or refuses at once.
    pub(super) fn push(&self, errand: Box<dyn Errand>) -> Result<(), QueueError> {
        self.0.try_send(errand).map_err(|error| match error {
            TrySendError::Full(_) => QueueError::Full,
            TrySendError::Closed(_) => QueueError::Closed,
        })
    }

    /// Whether the committer has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// The committer's thread, and what else ends with the application.
#[derive(Debug)]
pub struct Committer {
    thread: JoinHandle<()>,
    follower: Ended,
}

impl Committer {
    /// Waits until everything that was queued has been answered, and nobody looks at the database any more. The queue
    /// ends with the last clone of the application. Blocks, so it must not be called on a thread of the runtime.
    pub fn join(self) {
        // A panic of the thread was logged where it happened.
        let _ = self.thread.join();
        self.follower.wait();
    }
}

/// Starts the committer on a thread of its own, for its work on an embedded database blocks.
pub(super) fn start(
    store: Store,
    settings: &Settings,
    metrics: Metrics,
    cache: Arc<Cache>,
    follower: Ended,
) -> std::io::Result<(Queue, Committer)> {
    let (sender, mut receiver) = mpsc::channel(settings.queue_limit.max(1));
    let max_batch = settings.max_batch.max(1);
    let shortest_attempt = settings.patience / SHORTEST_ATTEMPT;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        loop {
            let batches = run(&store, &mut receiver, max_batch, shortest_attempt, (&metrics, &cache));
            // A panic is a bug in a rule. Its batch is rolled back and its callers see their senders dropped
            // (an internal error); all others are served on.
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(batches))) {
                Ok(()) => return,
                Err(_) => tracing::error!("a batch panicked and was rolled back"),
            }
        }
    };
    let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(work)?;
    Ok((Queue(sender), Committer { thread, follower }))
}

async fn run(
    store: &Store,
    receiver: &mut mpsc::Receiver<Box<dyn Errand>>,
    max_batch: usize,
    shortest_attempt: Duration,
    (metrics, cache): (&Metrics, &Cache),
) {
    let mut batch: Vec<Box<dyn Errand>> = Vec::with_capacity(max_batch);
    let mut mended = store.writer_counts().mended;
    while gather(receiver, &mut batch, max_batch).await {
        metrics.set_queue_depth(receiver.len());
        let started = clock::monotonic();
        for late in batch.extract_if(.., |errand| errand.deadline().into_std() <= started) {
            late.expire();
        }
        // The one who has waited longest decides how long to wait for a database that is away. But an attempt without
        // the time to succeed only costs the next one its connection: whose time is nearly up waits a little longer.
        let Some(oldest) = batch.iter().map(|errand| errand.deadline()).min() else { continue };
        let deadline = oldest.max(Instant::now() + shortest_attempt);
        // While other servers had their turn, or the database looked up what the batch needs, more have come in.
        let late = |batch: &mut Vec<Box<dyn Errand>>| top_up(receiver, batch, max_batch);
        let marking = Marking::begin(cache);
        let written = store.write(&mut batch, late, deadline).await;
        marking.end(&written.touched, &written.events);
        metrics.observe_commit(batch.len(), clock::since(started));
        let counts = store.writer_counts();
        metrics.set_writer_counts(counts);
        if counts.mended > mended {
            tracing::warn!("the disk failed; the database was opened anew, and its file is whole");
            mended = counts.mended;
        }
        let now = clock::monotonic();
        let mut patient = Vec::new();
        for (errand, verdict) in batch.drain(..).zip(written.verdicts) {
            // Those who came later wait on: nothing has happened to them.
            if verdict.may_wait() && errand.deadline().into_std() > now {
                patient.push(errand);
            } else {
                errand.settle(verdict);
            }
        }
        batch.append(&mut patient);
    }
}

/// Fills the batch with what waits; waits itself only when the batch is empty. False when nothing is left to do.
async fn gather(
    receiver: &mut mpsc::Receiver<Box<dyn Errand>>,
    batch: &mut Vec<Box<dyn Errand>>,
    max_batch: usize,
) -> bool {
    if batch.is_empty() {
        return receiver.recv_many(batch, max_batch).await > 0;
    }
    top_up(receiver, batch, max_batch);
    true
}

/// Adds what waits to the batch, apart from those who have waited for too long.
fn top_up(
    receiver: &mut mpsc::Receiver<Box<dyn Errand>>,
    batch: &mut Vec<Box<dyn Errand>>,
    max_batch: usize,
) {
    let now = clock::monotonic();
    while batch.len() < max_batch {
        let Ok(errand) = receiver.try_recv() else { break };
        if errand.deadline().into_std() <= now {
            errand.expire();
        } else {
            batch.push(errand);
        }
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
