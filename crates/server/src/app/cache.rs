//! Answers that were given a moment ago, ready to be sent again.
//!
//! An answer is kept under what was asked and who asked, as far as that matters, and with what it shows ([`Slot`]); it is
//! sent again as long as nothing of that was changed. The committer marks what it has changed before it answers anybody.
//! What other servers and the command line change, the follower reads in the event log; if it cannot, nothing is sent
//! again. Whether somebody may ask at all is settled before anybody looks here.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Answers;
use store::{Page, Start, Touched};

use super::slots::{Place, Slot, Slots};
use crate::clock;
use crate::http::metrics::Metrics;
use crate::http::reply::Ready;
use crate::settings::Settings;

/// How large an answer is, as a first guess.
const USUAL_BYTES: usize = 1024;

/// Bytes that each answer takes besides its own and those of its key.
const AROUND: usize = 256;

/// Longer queries are not worth a place.
const LONGEST_QUERY: usize = 256;

/// No answer is sent for longer than this without being made anew. So what somebody changes by hand in the database,
/// behind the back of all servers, shows as well.
const LONGEST_LIFE_US: u64 = 10_000_000;

/// Most things that the state of an answer depends on.
const MOST_SLOTS: usize = 2;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A product.
    Product(i64),
    /// An order.
    Order(i64),
    /// The first page of the catalogue.
    Products,
    /// The first page of what runs low.
    LowStock,
    /// The first page of the orders.
    Orders,
    /// The whole catalogue, in the words of `leafcraft`.
    AllProducts,
    /// All orders, in the words of `leafcraft`.
    AllOrders,
}

/// Who asks, as far as it decides what they see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Staff and administrators.
    Staff,
    /// Whoever is neither, where they all see the same.
    Public,
    /// A user who sees what is theirs; `None` is whoever has no account.
    Owner(Option<i64>),
}

/// What is asked, and who asks: all that an answer depends on besides the state of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    what: What,
    audience: Audience,
    query: Box<str>,
}

impl Asked {
    /// Something that takes no query.
    #[must_use]
    pub fn plain(what: What, audience: Audience) -> Self {
        Self { what, audience, query: Box::default() }
    }

    /// This page of a list, with its query as it was sent; `None` when it is not the first one, which alone is asked for
    /// again and again, or the query is too long to be kept.
    #[must_use]
    pub fn page(what: What, audience: Audience, page: &Page, query: &str) -> Option<Self> {
        let is_worth_it = page.start == Start::Offset(0) && query.len() <= LONGEST_QUERY;
        is_worth_it.then(|| Self { what, audience, query: query.into() })
    }
}

#[derive(Debug, Clone)]
struct Kept {
    ready: Ready,
    began: u64,
    /// When it was asked for, in microseconds after the start.
    asked_us: u64,
    shows: [Place; MOST_SLOTS],
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Asked, Kept> for Weight {
    fn weight(&self, asked: &Asked, kept: &Kept) -> u64 {
        (kept.ready.weight() + asked.query.len() + AROUND) as u64
    }
}

/// An answer that is to be kept once it is there. Taken before the read begins.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    asked: Asked,
    began: u64,
    asked_us: u64,
}

/// The answers that are kept.
#[derive(Debug)]
pub struct Cache {
    /// `None` keeps nothing.
    kept: Option<Answers<Asked, Kept, Weight>>,
    slots: Slots,
    /// The number of the last event up to which all is marked; below zero until the follower has looked once.
    followed: AtomicI64,
    /// When the follower's last successful look began, in microseconds after `start`; 0 before there was one.
    looked_us: AtomicU64,
    start: Instant,
    /// What others have changed shows after so long.
    refresh: Duration,
    metrics: Metrics,
    #[cfg(test)]
    flaw: std::sync::OnceLock<(Flaw, std::sync::Mutex<Touched>)>,
}

/// Faults that the tests must notice.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Changes are marked after they were answered, with the next batch.
    MarksLate,
    /// A user's new name is not marked.
    ForgetsNames,
    /// Reads are taken to have begun when they ended.
    BeginsLate,
}

impl Cache {
    pub(super) fn new(settings: &Settings, metrics: Metrics) -> Self {
        let bytes = settings.cache_bytes;
        let items = (bytes / (USUAL_BYTES + AROUND)).clamp(1, 1 << 20);
        Self {
            kept: (bytes > 0).then(|| Answers::with_weighter(items, bytes as u64, Weight)),
            slots: Slots::new(),
            followed: AtomicI64::new(-1),
            looked_us: AtomicU64::new(0),
            start: clock::monotonic(),
            refresh: settings.cache_refresh,
            metrics,
            #[cfg(test)]
            flaw: std::sync::OnceLock::new(),
        }
    }

    /// Whether anything is ever kept.
    pub(super) fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// An answer that is still good; otherwise what to keep the new one with, if it is worth keeping.
    ///
    /// `past` leaves what is kept aside, for clients who want the answer made anew.
    pub fn look_up(&self, asked: Option<Asked>, past: bool) -> Result<Ready, Option<Ticket>> {
        let (Some(kept), Some(asked)) = (&self.kept, asked) else { return Err(None) };
        let now_us = micros(clock::since(self.start));
        if !past && self.is_followed(now_us) {
            let is_good = |found: &Kept| {
                now_us.saturating_sub(found.asked_us) <= LONGEST_LIFE_US
                    && self.slots.is_good(found.began, &found.shows)
            };
            if let Some(found) = kept.get(&asked).filter(is_good) {
                self.metrics.count_cache_hit();
                return Ok(found.ready);
            }
        }
        self.metrics.count_cache_miss();
        Err(Some(Ticket { asked, began: self.slots.now(), asked_us: now_us }))
    }

    /// Keeps an answer that was read after the ticket was taken, and that shows these things.
    pub fn keep<const N: usize>(&self, ticket: Ticket, ready: Ready, shows: [Slot; N]) {
        const { assert!(N > 0 && N <= MOST_SLOTS) };
        let Some(kept) = &self.kept else { return };
        let Ticket { asked, began, asked_us } = ticket;
        #[cfg(test)]
        let began = match self.flaw.get() {
            Some((Flaw::BeginsLate, _)) => self.slots.now(),
            _ => began,
        };
        let places = std::array::from_fn(|at| shows[at.min(N - 1)].place());
        kept.insert(asked, Kept { ready, began, asked_us, shows: places });
        self.metrics.set_cache_bytes(kept.weight());
    }

    /// Marks what a batch of this server has changed. Said before those who changed it are answered, so that they and all
    /// whom they tell find the change.
    pub(super) fn mark(&self, touched: &Touched, events: &[Range<i64>]) {
        if !self.is_on() {
            return;
        }
        self.mark_slots(touched);
        for range in events {
            // Need not be followed any more. Where another server had its turn in between, the follower still has to
            // read from there on, and marks these a second time.
            let (before, last) = (range.start - 1, range.end - 1);
            let _ = self.followed.compare_exchange(before, last, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    #[cfg(not(test))]
    fn mark_slots(&self, touched: &Touched) {
        self.slots.mark(touched, |_| false);
    }

    #[cfg(test)]
    fn mark_slots(&self, touched: &Touched) {
        match self.flaw.get() {
            Some((Flaw::MarksLate, last)) => {
                let mut last = last.lock().unwrap();
                self.slots.mark(&std::mem::replace(&mut last, touched.clone()), |_| false);
            }
            Some((Flaw::ForgetsNames, _)) => {
                self.slots.mark(touched, |slot| matches!(slot, Slot::Name(_) | Slot::Names));
            }
            Some((Flaw::BeginsLate, _)) | None => self.slots.mark(touched, |_| false),
        }
    }

    /// Up to which event all is marked; `None` before the first look.
    pub(super) fn followed(&self) -> Option<i64> {
        Some(self.followed.load(Ordering::SeqCst)).filter(|last| *last >= 0)
    }

    /// The follower has looked: marks what it found, and lets answers be sent again for a while. `began` is when the look
    /// began: all that was committed by then is marked now.
    pub(super) fn follow(&self, touched: &Touched, last: i64, began: Instant) {
        self.slots.mark(touched, |_| false);
        if touched.everything {
            // The log may have been cut short, or replaced.
            self.followed.store(last, Ordering::SeqCst);
        } else {
            // The committer may have gone on from where this look ended.
            self.followed.fetch_max(last, Ordering::SeqCst);
        }
        let began_us = micros(began.saturating_duration_since(self.start));
        self.looked_us.store(began_us.max(1), Ordering::SeqCst);
    }

    /// Whether the follower has looked so recently that an answer without a newer mark is recent enough.
    fn is_followed(&self, now_us: u64) -> bool {
        let looked_us = self.looked_us.load(Ordering::SeqCst);
        looked_us > 0 && now_us.saturating_sub(looked_us) <= micros(self.refresh)
    }

    /// How often the follower looks: twice as often as it would have to, so that a look that takes its time does not
    /// leave all answers out of date.
    pub(super) fn interval(&self) -> Duration {
        self.refresh / 2
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Marks everything when it is dropped before the batch has told what it changed: in a panic, and then before the batch
/// itself is dropped, which answers its callers.
#[must_use]
pub(super) struct Marking<'a>(Option<&'a Cache>);

impl<'a> Marking<'a> {
    pub(super) fn begin(cache: &'a Cache) -> Self {
        Self(Some(cache))
    }

    /// The batch is over, and has changed this.
    pub(super) fn end(mut self, touched: &Touched, events: &[Range<i64>]) {
        if let Some(cache) = self.0.take() {
            cache.mark(touched, events);
        }
    }
}

impl Drop for Marking<'_> {
    fn drop(&mut self) {
        if let Some(cache) = self.0 {
            cache.mark(&Touched::everything(), &[]);
        }
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
