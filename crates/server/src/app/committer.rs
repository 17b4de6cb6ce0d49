//! The one way in: a task that takes all commands that wait, has them written in one transaction, and answers.
//!
//! It never waits for more commands than there are: while one batch is being committed the next gathers by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use store::{Job, Store, Verdict};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::clock;
use crate::http::metrics::Metrics;
use crate::settings::Settings;

/// A job that knows whom to answer.
pub(super) trait Errand: Job {
    /// Answers the caller, once the batch is durable.
    fn settle(self: Box<Self>, verdict: Verdict);
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

/// The committer's thread.
#[derive(Debug)]
pub struct Committer(JoinHandle<()>);

impl Committer {
    /// Waits until everything that was queued has been answered. The queue ends with the last clone of the
    /// application.
    pub fn join(self) {
        // A panic of the thread was logged where it happened.
        let _ = self.0.join();
    }
}

/// Starts the committer on a thread of its own, for its work on an embedded database blocks.
pub(super) fn start(
    store: Store,
    settings: &Settings,
    metrics: Metrics,
) -> std::io::Result<(Queue, Committer)> {
    let (sender, mut receiver) = mpsc::channel(settings.queue_limit.max(1));
    let max_batch = settings.max_batch.max(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        loop {
            let batches = run(&store, &mut receiver, max_batch, &metrics);
            // A panic is a bug in a rule. Its batch is rolled back and its callers see their senders dropped
            // (an internal error); all others are served on.
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(batches))) {
                Ok(()) => return,
                Err(_) => tracing::error!("a batch panicked and was rolled back"),
            }
        }
    };
    let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(work)?;
    Ok((Queue(sender), Committer(thread)))
}

async fn run(
    store: &Store,
    receiver: &mut mpsc::Receiver<Box<dyn Errand>>,
    max_batch: usize,
    metrics: &Metrics,
) {
    let mut batch = Vec::with_capacity(max_batch);
    while receiver.recv_many(&mut batch, max_batch).await > 0 {
        metrics.set_queue_depth(receiver.len());
        let started = clock::monotonic();
        let verdicts = store.write(&mut batch).await;
        metrics.observe_commit(batch.len(), clock::since(started));
        for (errand, verdict) in batch.drain(..).zip(verdicts) {
            errand.settle(verdict);
        }
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
