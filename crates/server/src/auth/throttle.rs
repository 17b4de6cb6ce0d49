//! How fast passwords may be guessed.
//!
//! Wrong passwords are counted for the name that they were tried on and for the address from which they came. The first
//! few cost nothing; each further one must wait twice as long as the one before, up to a minute, and what was wrong is
//! forgotten after a quarter of an hour in which nothing was. Nobody is ever locked out: whoever waits as long as
//! `Retry-After` says is heard. Names are counted whether or not anybody has them, so that waiting tells nothing.
//!
//! An address from which somebody has logged in counts their attempts apart from everybody else's, so that others who try
//! the same name, or use the same address, cannot make them wait.
//!
//! An attempt counts as wrong from the moment it begins until it is known to be right: a hundred at once get no further
//! than a hundred one by one. All of it is kept in memory, by each server for itself, as hashes keyed at random, so many
//! of them and no more.
//!
//! (Crates that limit rates meter what passes, right or wrong, and cannot take back what turned out to be right.)

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::username_key;
use quick_cache::sync::Cache;

use crate::settings::Settings;

/// Names and addresses that are counted at once, of some 100 bytes each; the least busy are forgotten first.
const TALLIES: usize = 32_768;
/// Accounts together with an address from which their owners have logged in.
const KNOWN: usize = 32_768;
/// The first wait.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without a wrong password, all is forgotten.
const FORGIVING: Duration = Duration::from_secs(15 * 60);

/// How many attempts cost nothing; 0 lets nobody ever wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// For one name.
    pub per_account: u32,
    /// From one address.
    pub per_source: u32,
}

impl From<&Settings> for Allowance {
    fn from(settings: &Settings) -> Self {
        Self {
            per_account: settings.login_attempts_per_account,
            per_source: settings.login_attempts_per_source,
        }
    }
}

/// It is too early for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooEarly {
    /// How long to wait, in whole seconds from 1.
    pub seconds: u32,
}

/// Counts attempts.
pub struct Throttle {
    allowance: Allowance,
    keyed: RandomState,
    tallies: Cache<u64, Tally>,
    known: Cache<u64, ()>,
    /// What is read and written again must not be written by others in between.
    turn: Mutex<()>,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Throttle").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

/// What went wrong, and when there may be more of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    wrong: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Tally {
    /// As it is now: old failures are forgotten.
    fn at(self, now: Instant) -> Self {
        let is_old = |last: Instant| now.saturating_duration_since(last) >= FORGIVING;
        if self.last.is_some_and(is_old) { Self::default() } else { self }
    }

    /// With one more that is wrong, so many being free.
    fn and_one(self, free: u32, now: Instant) -> Self {
        let wrong = self.wrong.saturating_add(1);
        let doublings = wrong.checked_sub(free).map(|many| many.min(16));
        let wait = doublings.map(|many| SHORTEST.saturating_mul(1 << many).min(LONGEST));
        Self { wrong, last: Some(now), until: wait.map(|wait| now + wait) }
    }

    fn wait(self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, Hash)]
enum Kind {
    Account,
    Source,
    Known,
    NewAccounts,
}

/// One thing that is counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    key: u64,
    free: u32,
    /// What it was before this attempt.
    before: Tally,
}

/// An attempt that has begun, and that counts as wrong until it is settled.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    counted: Vec<Counted>,
    pair: u64,
}

impl Throttle {
    /// Nothing was tried yet.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            keyed: RandomState::new(),
            tallies: Cache::new(TALLIES),
            known: Cache::new(KNOWN),
            turn: Mutex::new(()),
        }
    }

    /// Begins an attempt with a password for `name`. What comes of it is told to [`Self::right`], or to
    /// [`Self::undone`] if nothing did; otherwise it was wrong.
    ///
    /// # Errors
    /// [`TooEarly`], which leaves no mark.
    pub fn begin(&self, name: &str, source: IpAddr, now: Instant) -> Result<Attempt, TooEarly> {
        let (name, place) = (username_key(name), place(source));
        let pair = self.keyed.hash_one((Kind::Known, &name, place));
        let Allowance { per_account, per_source } = self.allowance;
        let counted = if self.known.get(&pair).is_some() {
            vec![(pair, per_account)]
        } else {
            let account = self.keyed.hash_one((Kind::Account, &name));
            vec![(account, per_account), (self.keyed.hash_one((Kind::Source, place)), per_source)]
        };
        let counted = self.count(&counted, now)?;
        Ok(Attempt { counted, pair })
    }

    /// Counts an account that somebody at `source` makes for themselves.
    ///
    /// # Errors
    /// [`TooEarly`], which leaves no mark.
    pub fn new_account(&self, source: IpAddr, now: Instant) -> Result<(), TooEarly> {
        let key = self.keyed.hash_one((Kind::NewAccounts, place(source)));
        self.count(&[(key, self.allowance.per_source)], now).map(drop)
    }

    /// The password was right: the attempt counts no more, and the address is known from now on.
    pub fn right(&self, attempt: Attempt) {
        let pair = attempt.pair;
        self.undone(attempt);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever mistyped theirs a few times begins anew. What was wrong elsewhere stays: others may have done that.
        self.tallies.remove(&pair);
        self.known.insert(pair, ());
    }

    /// The password was not compared: it is as if nobody had tried.
    #[expect(clippy::needless_pass_by_value, reason = "an attempt is settled once")]
    pub fn undone(&self, attempt: Attempt) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for Counted { key, before, .. } in &attempt.counted {
            let Some(now) = self.tallies.get(key) else { continue };
            let is_alone = now.wrong == before.wrong.saturating_add(1);
            let after = Tally { wrong: now.wrong.saturating_sub(1), ..now };
            self.tallies.insert(*key, if is_alone { *before } else { after });
        }
    }

    /// Counts one more of each, or of none when one of them is too early.
    fn count(&self, keys: &[(u64, u32)], now: Instant) -> Result<Vec<Counted>, TooEarly> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let counted: Vec<Counted> = keys
            .iter()
            .filter(|(_, free)| *free > 0)
            .map(|&(key, free)| Counted {
                key,
                free,
                before: self.tallies.get(&key).unwrap_or_default().at(now),
            })
            .collect();
        if let Some(wait) = counted.iter().filter_map(|counted| counted.before.wait(now)).max() {
            let seconds = wait.as_millis().div_ceil(1000);
            return Err(TooEarly { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) });
        }
        for Counted { key, free, before } in &counted {
            self.tallies.insert(*key, before.and_one(*free, now));
        }
        Ok(counted)
    }
}

/// The address, or the network that one customer of a provider has to themselves.
fn place(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
#[path = "throttle/tests.rs"]
mod tests;
