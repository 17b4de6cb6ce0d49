//! Several hosts of one database, of which any may be gone.

use crate::StoreError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Where a database may be found, in the order of the URL.
#[derive(Debug)]
pub(super) struct Hosts<T> {
    all: Vec<T>,
    /// Which of them was of use last.
    last: AtomicUsize,
}

impl<T> Hosts<T> {
    pub(super) fn new(all: Vec<T>) -> Self {
        Self { all, last: AtomicUsize::new(0) }
    }

    pub(super) fn all(&self) -> &[T] {
        &self.all
    }

    /// The hosts with their numbers, in the order in which they are to be tried: beginning with the one that was of use
    /// last, so that one that is gone costs its time once.
    fn in_turn(&self) -> impl Iterator<Item = (usize, &T)> {
        let (count, first) = (self.all.len(), self.last.load(Ordering::Relaxed));
        (0..count).map(move |step| (first + step) % count).map(|number| (number, &self.all[number]))
    }

    /// Opens a connection to the first host that can be used. One that does not answer takes no more than its share of
    /// the time, which leaves some for those after it.
    ///
    /// # Errors
    /// The first one that is final: no other host is asked after that. Otherwise what the last one said.
    pub(super) async fn first_of_use<'a, C, F>(
        &'a self,
        limit: Duration,
        is_final: fn(&StoreError) -> bool,
        open: impl Fn(&'a T) -> F,
    ) -> Result<C, StoreError>
    where
        F: Future<Output = Result<C, StoreError>>,
    {
        let give_up = Instant::now() + limit;
        let mut left = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let mut failure = StoreError::ConnectionLost("there is no host to connect to".into());
        for (number, host) in self.in_turn() {
            let share = give_up.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            failure = match timeout(share, open(host)).await {
                Ok(Ok(connection)) => {
                    self.last.store(number, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(error)) if is_final(&error) => return Err(error),
                Ok(Err(error)) => error,
                Err(late) => StoreError::ConnectionLost(late.into()),
            };
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What hosts do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Host {
        Serves,
        Hangs,
        Refuses,
        Forbids,
    }

    const LIMIT: Duration = Duration::from_millis(60);

    /// Asks them in their turn: the answer, and which were asked.
    async fn ask(hosts: &Hosts<(char, Host)>) -> (Result<char, StoreError>, String) {
        let asked = Mutex::new(String::new());
        let is_final = |error: &StoreError| matches!(error, StoreError::Unsupported { .. });
        let answer = hosts.first_of_use(LIMIT, is_final, async |(name, host)| {
            asked.lock().unwrap().push(*name);
            match host {
                Host::Serves => Ok(*name),
                Host::Hangs => std::future::pending().await,
                Host::Refuses => Err(StoreError::ConnectionLost("refused".into())),
                Host::Forbids => Err(StoreError::unsupported("forbidden")),
            }
        });
        (answer.await, asked.into_inner().unwrap())
    }

    #[tokio::test]
    async fn hosts_are_tried_in_turn_beginning_with_the_one_of_use_last() {
        let mut hosts = Hosts::new(vec![('a', Host::Hangs), ('b', Host::Refuses), ('c', Host::Serves)]);
        let began = Instant::now();
        let (answer, asked) = ask(&hosts).await;
        assert_eq!((answer.unwrap(), asked.as_str()), ('c', "abc"));
        assert!(began.elapsed() >= LIMIT / 3);
        assert_eq!(hosts.in_turn().map(|(number, _)| number).collect::<Vec<_>>(), [2, 0, 1]);
        let (answer, asked) = ask(&hosts).await;
        assert_eq!((answer.unwrap(), asked.as_str()), ('c', "c"));

        hosts.all[2].1 = Host::Refuses;
        let (answer, asked) = ask(&hosts).await;
        // What the last one said.
        assert!(matches!(&answer, Err(StoreError::ConnectionLost(cause)) if cause.to_string() == "refused"));
        assert_eq!(asked, "cab");
        hosts.all[0].1 = Host::Forbids;
        let (answer, asked) = ask(&hosts).await;
        assert!(matches!(answer, Err(StoreError::Unsupported { .. })));
        assert_eq!(asked, "ca");
    }
}
