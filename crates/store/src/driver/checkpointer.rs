//! Moving what the write-ahead log of SQLite holds into the database file, without making writers wait for it.
//!
//! A checkpoint within a commit, which is SQLite's own way, stops the one writer for as long as it takes to write some
//! thousand pages and sync them. So a second connection on a thread of its own does that work while the writer goes
//! on. It can never finish, though, as long as more is written; and only a log that has been moved completely can be
//! begun anew. Therefore the writer itself moves the little rest, once the log has grown to its limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// How far a log may outgrow its limit before the writer moves it alone, whatever that costs: the last resort on a
/// disk where the other thread does not keep up.
const PATIENCE: u32 = 4;

/// What there is to do about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Wait,
    /// The other thread should move pages.
    Aside,
    /// The writer should move what is left.
    Here,
    /// The writer should also wait for readers, a little, so that the log can be begun anew.
    Anew,
}

/// Decides by the pages in the log, those of them that were moved already, the limit, and the pages there were at the
/// last [`Step::Anew`]. 0 as a limit asks for nothing ever.
///
/// Readers that take turns, one always in the middle of it, keep a log from being begun anew for as long as they like.
/// One reader that goes on for long must not stop the writer again and again, so it waits once each time the log has
/// grown by its limit.
pub(super) fn plan(pages: u32, moved: u32, limit: u32, is_idle: bool, waited_at: u32) -> Step {
    let waiting = pages.saturating_sub(moved);
    if limit == 0 || waiting == 0 {
        return Step::Wait;
    }
    if pages >= limit.saturating_mul(PATIENCE) {
        let is_new = pages < waited_at || pages - waited_at >= limit;
        return if is_idle && is_new { Step::Anew } else { Step::Here };
    }
    match is_idle {
        true if pages >= limit && waiting <= limit / 4 => Step::Here,
        true if waiting >= limit.div_ceil(2) => Step::Aside,
        _ => Step::Wait,
    }
}

/// The other thread. Dropping this ends it, and waits until what it owns is closed.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Both are there until the drop.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    busy: Arc<AtomicBool>,
}

impl Checkpointer {
    /// Starts a thread that does `work` each time it is woken.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(mut work: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&busy);
        let thread = std::thread::Builder::new().name("checkpointer".to_owned()).spawn(move || {
            while woken.recv().is_ok() {
                work();
                done.store(false, Ordering::Release);
            }
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread), busy })
    }

    /// Whether no work is going on.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Acquire) || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Has the work done once more.
    pub(super) fn wake(&self) {
        self.busy.store(true, Ordering::Release);
        if self.wake.as_ref().is_none_or(|wake| wake.try_send(()).is_err()) {
            // The thread is gone. The writer does without it when the log has outgrown all patience.
            self.busy.store(false, Ordering::Release);
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        // A panic of the thread was reported where it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, channel};

    use super::*;

    #[test]
    fn the_writer_moves_only_a_small_rest() {
        for (pages, moved, is_idle, step) in [
            (0, 0, true, Step::Wait),
            (499, 0, true, Step::Wait),
            (500, 0, true, Step::Aside),
            (700, 0, false, Step::Wait),
            (700, 500, true, Step::Wait),
            (1000, 500, true, Step::Aside),
            (1000, 500, false, Step::Wait),
            (1200, 1000, true, Step::Here),
            (1200, 1000, false, Step::Wait),
            (1200, 1200, true, Step::Wait),
            (1300, 1000, true, Step::Wait),
            (4000, 100, false, Step::Here),
            (4000, 100, true, Step::Anew),
        ] {
            assert_eq!(plan(pages, moved, 1000, is_idle, 0), step, "{pages} {moved} {is_idle}");
            assert_eq!(plan(pages, moved, 0, is_idle, 0), Step::Wait);
        }
    }

    #[test]
    fn the_writer_waits_for_readers_once_a_limit() {
        for (pages, waited_at, step) in [
            (4500, 4000, Step::Here),
            (5000, 4000, Step::Anew),
            // The log was begun anew in between.
            (4100, 9000, Step::Anew),
        ] {
            assert_eq!(plan(pages, 100, 1000, true, waited_at), step, "{pages} {waited_at}");
        }
    }

    #[test]
    fn a_thread_that_panicked_is_not_waited_for() {
        let checkpointer = Checkpointer::start(|| panic!("as a test")).unwrap();
        checkpointer.wake();
        while !checkpointer.is_idle() {
            std::thread::yield_now();
        }
        checkpointer.wake();
        assert!(checkpointer.is_idle());
    }

    #[test]
    fn the_thread_works_when_woken_and_ends_when_dropped() {
        let (report, reports) = channel();
        let checkpointer = Checkpointer::start(move || report.send(()).unwrap()).unwrap();
        for _ in 0..3 {
            assert!(checkpointer.is_idle());
            checkpointer.wake();
            reports.recv().unwrap();
            while !checkpointer.is_idle() {
                std::thread::yield_now();
            }
        }
        drop(checkpointer);
        let left = reports.try_recv().unwrap_err();
        assert_eq!(left, TryRecvError::Disconnected, "the thread has ended and dropped its end");
    }
}
