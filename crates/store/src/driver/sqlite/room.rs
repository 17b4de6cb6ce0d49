//! How much of a disk the log may take.
//!
//! All that the log holds may have to find room in the file, and until it has, the log keeps its own. A log that takes the
//! last room of a disk can never be moved, and so never be begun anew: the database would be full for good, however little
//! it holds.

use std::path::Path;

/// Of the room there is the log may take one part in so many. It may outgrow that by [`super::super::checkpointer`]'s
/// patience, which still leaves the file as much as the log has.
const SHARES: u64 = 8;

/// What it may always take: less is not worth moving.
const FEWEST_PAGES: u32 = 256;

const PAGE_BYTES: u64 = 4096;

/// To how many pages the log of the file may grow, which has so many now: to `most`, unless the disk is too small or too
/// full for that.
pub(super) fn log_limit(path: &Path, pages: u32, most: u32) -> u32 {
    // A short one is let be in any case, and the system need not be asked.
    let free = if pages < FEWEST_PAGES / 2 { None } else { free_bytes(path) };
    free.map_or(most, |free| share(free, pages, most))
}

fn share(free_bytes: u64, pages: u32, most: u32) -> u32 {
    let room = free_bytes / PAGE_BYTES + u64::from(pages);
    let share = u32::try_from(room / SHARES).unwrap_or(u32::MAX);
    share.max(FEWEST_PAGES).min(most)
}

/// How much more could be written; `None` if the system does not say.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_takes_a_share_of_what_there_is() {
        let mebibytes = |count: u64| count << 20;
        for (free, pages, limit) in [
            (mebibytes(10_000), 500, 16_000),
            (mebibytes(512), 0, 16_000),
            (mebibytes(56), 0, 1_792),
            // What the log itself has taken is room, too.
            (mebibytes(49), 1_792, 1_792),
            (mebibytes(0), 14_336, 1_792),
            (mebibytes(0), 300, 256),
        ] {
            assert_eq!(share(free, pages, 16_000), limit, "{free} {pages}");
        }
        assert_eq!(share(mebibytes(56), 0, 100), 100);
        assert_eq!(share(mebibytes(56), 0, 0), 0, "0 is for never");
    }

    #[test]
    fn the_system_knows_how_much_room_there_is() {
        let place = tempfile::tempdir().unwrap();
        assert!(free_bytes(place.path()).is_some_and(|free| free > 0));
        assert_eq!(log_limit(Path::new("/nowhere/at/all"), 500, 7), 7);
    }
}
