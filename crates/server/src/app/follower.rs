//! Follows what other servers and the command line change, in the event log that all of them write.

use std::sync::{Arc, mpsc};

use store::Store;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::cache::Cache;
use crate::clock;

/// A running follower. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Follower(Option<AbortHandle>);

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Is told when the follower has let go of the database.
#[derive(Debug)]
pub(super) struct Ended(mpsc::Receiver<()>);

impl Ended {
    /// Waits until the follower has ended.
    pub(super) fn wait(self) {
        // Nothing is ever sent: the other side is dropped with the task.
        let _ = self.0.recv();
    }
}

/// Starts following, unless nothing is kept that could go out of date. Must be called within a runtime.
pub(super) fn start(store: &Store, cache: &Arc<Cache>) -> (Follower, Ended) {
    let (alive, ended) = mpsc::channel();
    let task = cache.is_on().then(|| {
        let (store, cache) = (store.clone(), Arc::clone(cache));
        tokio::spawn(async move {
            follow(&store, &cache).await;
            drop(alive);
        })
    });
    (Follower(task.map(|task| task.abort_handle())), Ended(ended))
}

async fn follow(store: &Store, cache: &Cache) {
    let mut ticks = interval(cache.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_cut_off = false;
    loop {
        ticks.tick().await;
        let began = clock::monotonic();
        // A database that was away may have forgotten its last commits, and given their numbers to others.
        let after = if is_cut_off { None } else { cache.followed() };
        match store.changes(after).await {
            Ok(changes) => {
                cache.follow(&changes.touched, changes.last, began);
                is_cut_off = false;
            }
            Err(error) => {
                if !is_cut_off {
                    tracing::warn!(%error, "the event log cannot be read; answers are made anew until it can");
                }
                is_cut_off = true;
            }
        }
    }
}
