//! One transaction for many commands: load, decide in order of arrival, write set-wise, commit once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Keys;

use crate::driver::{Cell, Rows, Transaction};
use crate::flush::Pending;
use crate::job::{ANSWER_LIFE_US, IdempotencyKey, Job, KeptAnswer, Verdict};
use crate::load::load;
use crate::{Store, StoreError};

/// How often a batch is run again after a conflict before its callers are told.
const MAX_ATTEMPTS: u32 = 8;

const KEPT_ANSWERS: &str = "SELECT k.principal, k.idem_key, k.fingerprint, k.status, k.answer, k.created_at_us \
     FROM {rows:principal int, idem_key text} r \
     JOIN idempotency_keys k ON k.principal = r.principal AND k.idem_key = r.idem_key";

impl Store {
    /// Carries a batch of commands out in one transaction and returns when it is durable, with one verdict a job.
    ///
    /// A conflict with another writer runs the same batch again. A constraint that the rules did not foresee
    /// (two products trading their SKUs, say), or a row or text that cannot be read or written, splits the batch
    /// until the one at fault stands alone.
    pub async fn write<J: Job + ?Sized>(&self, jobs: &mut [Box<J>]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(jobs.len());
        // A stack of ranges still to be done, the earliest on top: order of arrival is kept.
        let mut ranges = vec![(0, jobs.len())];
        while let Some((from, to)) = ranges.pop() {
            let Some(part) = jobs.get_mut(from..to) else { continue };
            match self.write_with_retries(part).await {
                Ok(done) => verdicts.extend(done),
                Err(error) if part.len() > 1 && may_be_of_one(&error) => {
                    let middle = from + part.len() / 2;
                    ranges.push((middle, to));
                    ranges.push((from, middle));
                }
                Err(error) => {
                    let error = Arc::new(error);
                    verdicts.extend(part.iter().map(|_| Verdict::Failed(Arc::clone(&error))));
                }
            }
        }
        verdicts
    }

    async fn write_with_retries<J: Job + ?Sized>(
        &self,
        jobs: &mut [Box<J>],
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.write_once(jobs).await {
                Err(error) if error.is_retryable() && attempt < MAX_ATTEMPTS => {
                    tokio::time::sleep(pause(attempt)).await;
                    attempt += 1;
                }
                settled => return settled,
            }
        }
    }

    async fn write_once<J: Job + ?Sized>(&self, jobs: &mut [Box<J>]) -> Result<Vec<Verdict>, StoreError> {
        let (mut keys, mut repeatable) = (Keys::default(), Rows::new());
        for job in jobs.iter() {
            keys.absorb(job.keys());
            if let Some(key) = job.idempotency() {
                repeatable.push([key.principal.into(), Cell::from(&key.key)]);
            }
        }
        let mut transaction = self.database().begin().await?;
        let (mut snapshot, lines) = load(&mut transaction, keys).await?;
        // Only now, behind the lock on the counters: otherwise another server might carry the same request out
        // between this look and our turn.
        let mut kept = load_answers(&mut transaction, &repeatable).await?;
        let first = snapshot.next;
        let mut pending = Pending::default();
        let mut verdicts = Vec::with_capacity(jobs.len());
        for job in jobs.iter_mut() {
            let earlier = job.idempotency().and_then(|key| kept.repetition(key));
            if let Some(verdict) = earlier {
                verdicts.push(verdict);
                continue;
            }
            if let Some(effects) = job.decide(&snapshot) {
                pending.take(&mut snapshot, effects);
            }
            if let Some(key) = job.idempotency().cloned() {
                let answer = job.answer();
                kept.remember(&key, &answer);
                pending.keep(key, answer);
            }
            verdicts.push(Verdict::Decided);
        }
        if pending.is_empty() {
            transaction.rollback().await?;
        } else {
            pending.write(&mut transaction, &snapshot, first, lines).await?;
            transaction.commit().await?;
        }
        Ok(verdicts)
    }
}

/// Whether the fault may lie with one command alone, so that the others of its batch deserve another try.
fn may_be_of_one(error: &StoreError) -> bool {
    !error.is_outage() && !matches!(error, StoreError::Corrupt(_) | StoreError::Migration { .. })
}

/// The answers kept for the keys of a batch, those of its own earlier jobs included.
#[derive(Default)]
struct Kept(HashMap<(i64, String), (String, KeptAnswer, i64)>);

impl Kept {
    /// What a job gets whose key was used before; `None` when it is the first to use it, or the first in a day.
    fn repetition(&self, key: &IdempotencyKey) -> Option<Verdict> {
        let (fingerprint, answer, created_at_us) = self.0.get(&(key.principal, key.key.clone()))?;
        if created_at_us.saturating_add(ANSWER_LIFE_US) <= key.now_us {
            return None;
        }
        if *fingerprint == key.fingerprint {
            Some(Verdict::Replayed(answer.clone()))
        } else {
            Some(Verdict::KeyReused)
        }
    }

    fn remember(&mut self, key: &IdempotencyKey, answer: &KeptAnswer) {
        let value = (key.fingerprint.clone(), answer.clone(), key.now_us);
        self.0.insert((key.principal, key.key.clone()), value);
    }
}

async fn load_answers(transaction: &mut Transaction, keys: &Rows) -> Result<Kept, StoreError> {
    let mut kept = Kept::default();
    if keys.is_empty() {
        return Ok(kept);
    }
    for mut row in transaction.query(KEPT_ANSWERS, &[keys.to_value()?]).await? {
        let status = u16::try_from(row.int(3)?);
        let status = status.map_err(|_| StoreError::decode("a kept status is out of range".to_owned()))?;
        let answer = KeptAnswer::from_json(status, row.as_text(4)?)?;
        let key = (row.int(0)?, row.text(1)?);
        kept.0.insert(key, (row.text(2)?, answer, row.int(5)?));
    }
    Ok(kept)
}

/// A short pause that grows with each attempt and differs between servers, so that they do not meet again.
fn pause(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let spread = RandomState::new().hash_one(attempt) % 4;
    Duration::from_millis(u64::from(attempt) * 2 + spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn kept_answers_are_found_by_key() {
        let step = "SEARCH k USING PRIMARY KEY (principal=? AND idem_key=?)";
        Planner::new().await.check(KEPT_ANSWERS, &[step]).await;
    }
}
