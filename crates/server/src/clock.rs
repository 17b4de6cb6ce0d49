//! The one place that reads a clock. Everywhere else time is an argument.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What both clocks showed when [`between`] was first asked.
static BEGINNING: LazyLock<(i64, Instant)> = LazyLock::new(|| (now_us(), monotonic()));

/// Microseconds since 1970-01-01T00:00:00Z, by the wall clock of this machine.
///
/// May step back when the machine's clock is set; use [`monotonic`] to measure how long something took.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    }
}

/// Between which times it is, microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// It is no earlier than this.
    pub earliest_us: i64,
    /// Nor later than this.
    pub latest_us: i64,
}

/// What the wall clock shows, and what it would show if nobody had set it while this process runs. Which of them is right
/// nobody can tell, so what must be kept for some time is kept until both say that the time is over.
#[must_use]
pub fn between() -> Between {
    let (wall_us, start) = *BEGINNING;
    let unset_us = wall_us.saturating_add(micros(since(start)));
    let now_us = now_us();
    Between { earliest_us: now_us.min(unset_us), latest_us: now_us.max(unset_us) }
}

/// A point on the clock that never steps back, for durations and deadlines.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// How long ago `start` was; zero if it lies in the future.
#[must_use]
pub fn since(start: Instant) -> Duration {
    Instant::now().saturating_duration_since(start)
}

/// Whole microseconds of a duration, clamped to what an `i64` holds.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_is_in_microseconds_of_this_century() {
        let now = now_us();
        assert!(now > 1_700_000_000_000_000, "{now}");
        assert!(now < 5_000_000_000_000_000, "{now}");
    }

    #[test]
    fn a_clock_that_nobody_sets_goes_with_the_other() {
        let first = between();
        let second = between();
        assert!(first.earliest_us <= first.latest_us);
        assert!(first.latest_us <= second.latest_us && first.earliest_us <= second.earliest_us);
    }

    #[test]
    fn durations_do_not_run_backwards() {
        let start = monotonic();
        assert!(since(start + Duration::from_secs(60)).is_zero());
    }
}
