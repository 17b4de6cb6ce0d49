//! Whole lists that were asked for a moment ago, ready to be sent again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock;

/// Most bytes of lists that are kept.
const ROOM: u64 = 8 * 1024 * 1024;

/// How many lists that is, as a first guess.
const LISTS: usize = 64;

/// Other servers, and the command line, may write to the same database: what they change shows after so long.
const KEPT_FOR: Duration = Duration::from_millis(250);

/// Which list, and whose: `None` is everybody's.
pub type ListKey = (&'static str, Option<i64>);

#[derive(Debug, Clone)]
struct Kept {
    text: Bytes,
    seen: u64,
    at: Instant,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<ListKey, Kept> for Weight {
    fn weight(&self, _: &ListKey, kept: &Kept) -> u64 {
        kept.text.len() as u64 + 64
    }
}

/// The lists that are kept.
#[derive(Debug)]
pub struct Lists {
    /// Counts the batches that were stored.
    batches: AtomicU64,
    cache: Cache<ListKey, Kept, Weight>,
}

impl Lists {
    pub(super) fn new() -> Self {
        Self { batches: AtomicU64::new(0), cache: Cache::with_weighter(LISTS, ROOM, Weight) }
    }

    /// Something may have changed: all lists are out of date. Said before those who changed it are answered, so that
    /// they find their changes.
    pub(super) fn expire(&self) {
        self.batches.fetch_add(1, Ordering::Release);
    }

    /// What is asked before a list is read, to keep it with.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.batches.load(Ordering::Acquire)
    }

    /// A list that nothing has changed since it was read.
    #[must_use]
    pub fn get(&self, key: ListKey) -> Option<Bytes> {
        let kept = self.cache.get(&key)?;
        let is_fresh = kept.seen == self.now() && clock::since(kept.at) < KEPT_FOR;
        is_fresh.then_some(kept.text)
    }

    /// Keeps a list that was read after [`Lists::now`] had been `seen`.
    pub fn keep(&self, key: ListKey, seen: u64, text: Bytes) {
        self.cache.insert(key, Kept { text, seen, at: clock::monotonic() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_good_until_something_changes() {
        let lists = Lists::new();
        let key = ("products", None);
        assert_eq!(lists.get(key), None);
        lists.keep(key, lists.now(), Bytes::from_static(b"[1]"));
        assert_eq!(lists.get(key), Some(Bytes::from_static(b"[1]")));
        assert_eq!(lists.get(("products", Some(1))), None);
        lists.expire();
        assert_eq!(lists.get(key), None);
    }

    #[test]
    fn a_list_that_was_being_read_while_something_changed_is_not_kept() {
        let lists = Lists::new();
        let seen = lists.now();
        lists.expire();
        lists.keep(("products", None), seen, Bytes::from_static(b"[1]"));
        assert_eq!(lists.get(("products", None)), None);
    }
}
