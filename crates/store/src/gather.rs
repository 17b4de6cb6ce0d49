//! Looks rows up by id for everybody who is asking, with one query at a time.
//!
//! On a database on a network each query costs a round trip and two threads their work, whatever it asks for. Who asks
//! while a query is under way waits for the next one, together with all others: as with commands, what waits goes
//! together, and nobody waits for more to come. Each answer was read after it was asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::StoreError;

/// What the one query answers: what was found, by id.
pub(crate) type Found<T> = Result<HashMap<i64, T>, StoreError>;

/// Somebody who waits for the row with an id.
type Asked<T> = (i64, oneshot::Sender<Result<Option<T>, Arc<StoreError>>>);

/// Those who wait. Cloning shares them.
#[derive(Debug)]
pub(crate) struct Gather<T>(Arc<Mutex<Waiting<T>>>);

#[derive(Debug)]
struct Waiting<T> {
    asked: Vec<Asked<T>>,
    /// Whether a task is at work that will come back for those who wait.
    is_served: bool,
}

impl<T> Default for Gather<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting { asked: Vec::new(), is_served: false })))
    }
}

impl<T: Clone + Send + 'static> Gather<T> {
    /// What has this id. `look_up` runs the query for all ids of a round; it works in a task of its own, so that
    /// nobody who leaves takes the answers of others along. Whoever has waited for as long as `patience` is told that
    /// the database is away: most of that may have gone into the round before.
    pub(crate) async fn get<L, F>(
        &self,
        id: i64,
        patience: Duration,
        look_up: L,
    ) -> Result<Option<T>, StoreError>
    where
        L: Fn(BTreeSet<i64>) -> F + Send + 'static,
        F: Future<Output = Found<T>> + Send,
    {
        let (sender, receiver) = oneshot::channel();
        let begins = {
            let mut waiting = self.lock();
            waiting.asked.push((id, sender));
            !std::mem::replace(&mut waiting.is_served, true)
        };
        if begins {
            let mut service = Service { gather: Self(Arc::clone(&self.0)), is_done: false };
            tokio::spawn(async move {
                while let Some(asked) = service.next_round() {
                    let ids = asked.iter().map(|(id, _)| *id).collect();
                    answer(asked, look_up(ids)).await;
                }
            });
        }
        match timeout(patience, receiver).await {
            Ok(Ok(answer)) => answer.map_err(StoreError::Shared),
            // The runtime is shutting down, or the look-up panicked.
            Ok(Err(gone)) => Err(StoreError::ConnectionLost(gone.into())),
            Err(late) => Err(StoreError::ConnectionLost(late.into())),
        }
    }
}

impl<T> Gather<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Comes back for those who wait, until nobody does.
struct Service<T> {
    gather: Gather<T>,
    is_done: bool,
}

impl<T> Service<T> {
    /// All who wait now; `None`, and whoever asks next begins anew, when there are none.
    fn next_round(&mut self) -> Option<Vec<Asked<T>>> {
        let mut waiting = self.gather.lock();
        if waiting.asked.is_empty() {
            waiting.is_served = false;
            self.is_done = true;
            return None;
        }
        Some(std::mem::take(&mut waiting.asked))
    }
}

impl<T> Drop for Service<T> {
    /// A look-up that panicked, or a runtime that ends, must not leave anybody waiting for ever.
    fn drop(&mut self) {
        if !self.is_done {
            let mut waiting = self.gather.lock();
            waiting.is_served = false;
            // Their senders are dropped, which tells them.
            waiting.asked.clear();
        }
    }
}

async fn answer<T: Clone>(asked: Vec<Asked<T>>, found: impl Future<Output = Found<T>>) {
    match found.await {
        Ok(found) => {
            for (id, sender) in asked {
                // Who has left needs no answer.
                let _ = sender.send(Ok(found.get(&id).cloned()));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for (_, sender) in asked {
                let _ = sender.send(Err(Arc::clone(&error)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Squares, slowly; counts the rounds.
    fn squares(rounds: &Arc<AtomicUsize>) -> impl Fn(BTreeSet<i64>) -> Squares + Send + 'static {
        let rounds = Arc::clone(rounds);
        move |ids| {
            rounds.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!ids.contains(&-1), "on purpose");
                if ids.contains(&-2) {
                    return Err(StoreError::decode("on purpose"));
                }
                Ok(ids.into_iter().filter(|id| *id < 100).map(|id| (id, id * id)).collect())
            })
        }
    }

    type Squares = std::pin::Pin<Box<dyn Future<Output = Found<i64>> + Send>>;

    #[tokio::test]
    async fn who_waits_goes_together() {
        let (gather, rounds) = (Gather::default(), Arc::new(AtomicUsize::new(0)));
        let ask = |id| gather.get(id, PATIENCE, squares(&rounds));
        let all = futures_util::future::join_all((0..50).chain(90..110).chain(5..9).map(ask)).await;
        let found: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!((found[7], found[69], found[73]), (Some(49), None, Some(64)));
        // The first alone, or with all others: whoever came meanwhile went together.
        assert!(rounds.load(Ordering::Relaxed) <= 2, "{rounds:?}");
        assert_eq!(ask(3).await.unwrap(), Some(9));
    }

    #[tokio::test]
    async fn an_error_is_told_to_all_of_its_round_and_to_nobody_else() {
        let (gather, rounds) = (Gather::default(), Arc::new(AtomicUsize::new(0)));
        let ask = |id| gather.get(id, PATIENCE, squares(&rounds));
        let (one, other) = tokio::join!(ask(-2), ask(4));
        assert!(one.is_err() && other.is_err());
        assert_eq!(ask(4).await.unwrap(), Some(16));
    }

    #[tokio::test]
    async fn a_panic_leaves_nobody_waiting() {
        let (gather, rounds) = (Gather::default(), Arc::new(AtomicUsize::new(0)));
        let ask = |id| gather.get(id, PATIENCE, squares(&rounds));
        assert!(ask(-1).await.is_err());
        assert_eq!(ask(4).await.unwrap(), Some(16));
    }

    #[tokio::test]
    async fn nobody_waits_for_more_than_one_round_that_hangs() {
        let gather = Gather::<i64>::default();
        let patience = Duration::from_millis(40);
        let hang = |_| async {
            tokio::time::sleep(PATIENCE).await;
            Ok(HashMap::new())
        };
        let late = async {
            tokio::time::sleep(patience / 2).await;
            gather.get(2, patience, hang).await
        };
        let began = tokio::time::Instant::now();
        let (first, late) = tokio::join!(gather.get(1, patience, hang), late);
        assert!(matches!(
            (first, late),
            (Err(StoreError::ConnectionLost(_)), Err(StoreError::ConnectionLost(_)))
        ));
        assert!(began.elapsed() < PATIENCE);
    }

    #[tokio::test]
    async fn who_leaves_takes_nobody_along() {
        let (gather, rounds) = (Gather::default(), Arc::new(AtomicUsize::new(0)));
        let ask = |id| gather.get(id, PATIENCE, squares(&rounds));
        let impatient = timeout(Duration::from_millis(5), ask(1));
        let (left, stayed) = tokio::join!(impatient, ask(2));
        assert!(left.is_err());
        assert_eq!(stayed.unwrap(), Some(4));
    }
}
