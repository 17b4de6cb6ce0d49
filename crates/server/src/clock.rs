//! The one place that reads a clock. Everywhere else time is an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    fn durations_do_not_run_backwards() {
        let start = monotonic();
        assert!(since(start + Duration::from_secs(60)).is_zero());
    }
}
