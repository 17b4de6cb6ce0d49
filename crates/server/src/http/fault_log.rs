//! Bounds what faults write into the log.
//!
//! A disk that is full, or a database that is away, fails every request alike. A line for each would fill what room is
//! left, or another disk, and tell nothing new.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines in each [`WINDOW`].
const MOST: u32 = 20;

/// For how long lines are counted together.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts the lines of the current window.
#[derive(Debug, Default)]
pub(super) struct FaultLog(Mutex<Option<Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    left_out: u64,
}

/// Whether a line may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Yes, and so many were left out before it.
    For(u64),
    /// No.
    None,
}

impl FaultLog {
    /// Asks for room for one more line.
    pub(super) fn room(&self, now: Instant) -> Room {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = match window.as_mut() {
            Some(current) if now.saturating_duration_since(current.began) < WINDOW => {
                if current.lines >= MOST {
                    current.left_out += 1;
                    return Room::None;
                }
                current.lines += 1;
                return Room::For(0);
            }
            Some(over) => over.left_out,
            None => 0,
        };
        *window = Some(Window { began: now, lines: 1, left_out: 0 });
        Room::For(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn lines_are_bounded_and_what_was_left_out_is_told() {
        let log = FaultLog::default();
        let start = clock::monotonic();
        for _ in 0..MOST {
            assert_eq!(log.room(start), Room::For(0));
        }
        for _ in 0..1000 {
            assert_eq!(log.room(start + WINDOW / 2), Room::None);
        }
        assert_eq!(log.room(start + WINDOW), Room::For(1000));
        assert_eq!(log.room(start + WINDOW), Room::For(0));
    }
}
