//! One transaction for many commands: load, decide in order of arrival, write set-wise, commit once.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::{Keys, Snapshot};
use tokio::time::Instant;

use crate::audit::Author;
use crate::driver::{Cell, Dialect, Row, Rows, Transaction};
use crate::expiry::{EARLIEST, Overdue};
use crate::flush::Pending;
use crate::job::{ANSWER_LIFE_US, IdempotencyKey, Job, KeptAnswer, Verdict};
use crate::load::{Loaded, Query, load, load_more};
use crate::marker::{self, Marker};
use crate::sums::Sums;
use crate::touched::{Touched, Written};
use crate::{Store, StoreError};

/// How often a duplicate is taken for a conflict with another server before it is believed.
const MAX_DUPLICATES: u32 = 3;

const KEPT_ANSWERS: &str = "SELECT k.principal, k.idem_key, k.fingerprint, k.status, k.answer, k.created_at_us \
     FROM {rows:principal int, idem_key text} r \
     JOIN idempotency_keys k ON k.principal = r.principal AND k.idem_key = r.idem_key";

impl Store {
    /// Carries a batch of commands out in one transaction and returns when it is durable, with one verdict a job and with
    /// what the batch changed.
    ///
    /// A conflict with another writer runs the same batch again. A constraint that the rules did not foresee
    /// (two products trading their SKUs, say), or a row or text that cannot be read or written, splits the batch
    /// until the one at fault stands alone. A database on a network that is away is asked again until the deadline;
    /// a connection lost during COMMIT is followed by a look whether the batch was committed.
    ///
    /// `late` is asked for further jobs when other servers had their turn before this batch, and may append some: those
    /// that came in meanwhile need not wait for another turn. Where nobody else writes, the wait was short, and what
    /// comes in is better gathered while this batch is written.
    pub async fn write<J: Job + ?Sized>(
        &self,
        jobs: &mut Vec<Box<J>>,
        mut late: impl FnMut(&mut Vec<Box<J>>) + Send,
        deadline: Instant,
    ) -> Written {
        let mut written = Written { verdicts: Vec::with_capacity(jobs.len()), ..Written::default() };
        // A stack of ranges still to be done, the earliest on top: order of arrival is kept.
        let mut ranges = vec![(0, jobs.len())];
        let mut late: Option<&mut Late<'_, J>> = Some(&mut late);
        while let Some((from, to)) = ranges.pop() {
            // What comes in later belongs to the end, which is in the first range alone.
            let mut part = Part { jobs: &mut *jobs, from, to, late: late.take() };
            match self.write_part(&mut part, deadline, &mut written).await {
                Ok(done) => written.verdicts.extend(done),
                Err(error) if part.len() > 1 && may_be_of_one(&error) => {
                    let (middle, to) = (from + part.len() / 2, part.to);
                    ranges.push((middle, to));
                    ranges.push((from, middle));
                }
                Err(error) => {
                    let error = Arc::new(error);
                    let failed = (0..part.len()).map(|_| Verdict::Failed(Arc::clone(&error)));
                    written.verdicts.extend(failed);
                }
            }
        }
        written
    }

    async fn write_part<J: Job + ?Sized>(
        &self,
        jobs: &mut Part<'_, '_, J>,
        deadline: Instant,
        written: &mut Written,
    ) -> Result<Vec<Verdict>, StoreError> {
        // An embedded database has no connection to lose.
        let dialect = self.database().dialect();
        let marker = (dialect != Dialect::Sqlite).then(|| self.markers.take());
        let mut batch = Batch {
            marker,
            deadline,
            in_doubt: None,
            was_in_doubt: false,
            confirmations: 0,
            next_event: 0,
            events: 0..0,
            touched: Touched::default(),
            dialect,
        };
        let done = self.write_with_retries(jobs, &mut batch).await;
        written.touched.absorb(batch.touched);
        written.events.extend(Some(batch.events).filter(|events| !events.is_empty()));
        // Also when an attempt was in doubt and not found, which does not settle it in a cluster: nobody looks for its
        // number any more, the next batch has another one, and leaves it in the same row. So the lost attempt was
        // committed before that batch, or conflicts with it: it cannot come later and take its number away.
        if let Some(marker) = marker.filter(|_| batch.in_doubt.is_none()) {
            self.markers.give_back(marker);
        }
        done
    }

    async fn write_with_retries<J: Job + ?Sized>(
        &self,
        jobs: &mut Part<'_, '_, J>,
        batch: &mut Batch,
    ) -> Result<Vec<Verdict>, StoreError> {
        let (mut attempt, mut duplicates) = (1, 0);
        loop {
            let error = match self.write_once(jobs, batch).await {
                Ok(verdicts) => return Ok(verdicts),
                Err(error) => error,
            };
            let counter = match &error {
                StoreError::Conflict(_) => &self.retries.conflict,
                // A node of a cluster may meet another one's row before it hears of the conflict. Several commands are
                // tried apart from each other anyway.
                _ if error.duplicate().is_some()
                    && batch.marker.is_some()
                    && jobs.len() == 1
                    && duplicates < MAX_DUPLICATES =>
                {
                    duplicates += 1;
                    &self.retries.conflict
                }
                StoreError::ConnectionLost(_) => &self.retries.lost,
                _ => return Err(batch.judge(error)),
            };
            let pause = pause(attempt);
            if Instant::now() + pause >= batch.deadline {
                return Err(batch.judge(error));
            }
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn write_once<J: Job + ?Sized>(
        &self,
        jobs: &mut Part<'_, '_, J>,
        batch: &mut Batch,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut transaction = self.database().begin_before(batch.deadline).await?;
        let (verdicts, end) = match self.decide(&mut transaction, jobs, batch).await {
            Ok(decided) => decided,
            Err(error) => {
                if !matches!(error, StoreError::ConnectionLost(_)) {
                    // The connection is worth keeping. If not, dropping it does the same.
                    let _ = transaction.rollback().await;
                }
                return Err(error);
            }
        };
        if end == End::RollBack {
            // Whether this works is no concern of the callers.
            let _ = transaction.rollback().await;
            return Ok(verdicts);
        }
        match transaction.commit().await {
            Ok(()) => {
                self.next_event.store(batch.next_event, Ordering::Relaxed);
                if let End::Commit { touched, events } = end {
                    batch.touched.absorb(touched);
                    batch.events = events;
                } else {
                    self.retries.resolved.fetch_add(1, Ordering::Relaxed);
                }
                Ok(verdicts)
            }
            Err(error) => {
                // Whatever the error says, and whatever comes of the next attempt: this one may have been committed.
                batch.touched = Touched::everything();
                let is_lost = matches!(error, StoreError::ConnectionLost(_));
                if batch.marker.is_some() && (is_lost || end == End::Confirm) {
                    batch.in_doubt = Some(verdicts);
                    batch.was_in_doubt = true;
                }
                Err(error)
            }
        }
    }

    /// Loads, decides and writes; says how the transaction is to end.
    async fn decide<J: Job + ?Sized>(
        &self,
        transaction: &mut Transaction,
        jobs: &mut Part<'_, '_, J>,
        batch: &mut Batch,
    ) -> Result<(Vec<Verdict>, End), StoreError> {
        let (mut keys, mut beside) = wanted(jobs.all())?;
        let asked = self.ordered.as_ref().map(|ordered| (ordered, std::mem::take(&mut keys.references)));
        if let Some(marker) = batch.marker.filter(|_| batch.was_in_doubt) {
            beside.push((marker::COMMITTED, vec![marker.id.into()]));
        }
        let expects_refusals = self.was_refused.load(Ordering::Relaxed);
        if expects_refusals {
            beside.push((EARLIEST, Vec::new()));
        }
        let Loaded { mut snapshot, lines, mut beside } = load(transaction, keys, beside).await?;
        let mut overdue = Overdue::default();
        if expects_refusals {
            overdue.begin(&beside.pop().unwrap_or_default())?;
        }
        if let Some(marker) = batch.marker.filter(|_| batch.was_in_doubt) {
            let found = marker.is_in(&beside.pop().unwrap_or_default())?;
            if found {
                batch.confirmations += 1;
                marker.confirm(transaction, batch.confirmations).await?;
            }
            if let Some(verdicts) = batch.resolve(found)? {
                return Ok((verdicts, End::Confirm));
            }
        }
        if let Some((ordered, asked)) = asked {
            ordered.answer(&asked, &mut snapshot);
        }
        let mut kept = Kept::default();
        kept.read(beside)?;
        let others_came_first = lines.event != self.next_event.load(Ordering::Relaxed);
        // An attempt in doubt must be settled for the jobs that it was about.
        if others_came_first && !batch.was_in_doubt {
            let (keys, beside) = wanted(jobs.take_in())?;
            kept.read(load_more(transaction, &mut snapshot, keys, beside).await?)?;
        }
        let first = snapshot.next;
        let mut pending = Pending::default();
        let mut verdicts = Vec::with_capacity(jobs.len());
        for job in jobs.all() {
            let rows = (&mut *transaction, &mut snapshot, &mut overdue);
            verdicts.push(decide_one(job.as_mut(), rows, &mut kept, &mut pending).await?);
        }
        self.was_refused.store(overdue.was_needed(), Ordering::Relaxed);
        if pending.is_empty() && !(pending.tells_done() && batch.marker.is_some()) {
            return Ok((verdicts, End::RollBack));
        }
        let sums = if self.ordered.is_some() { Sums::Append } else { Sums::Add };
        pending.write(transaction, &snapshot, first, lines, batch.marker, sums).await?;
        if let Some(ordered) = &self.ordered {
            ordered.note(&snapshot);
        }
        batch.next_event = pending.next_event(lines);
        let events = lines.event..batch.next_event;
        Ok((verdicts, End::Commit { touched: pending.touched(&snapshot), events }))
    }
}

/// What the jobs need to be decided: rows, and the answers kept for their keys. These are asked for behind the lock on
/// the counters: otherwise another server might carry the same request out between the look and our turn.
fn wanted<J: Job + ?Sized>(jobs: &[Box<J>]) -> Result<(Keys, Vec<Query>), StoreError> {
    let (mut keys, mut repeatable) = (Keys::default(), Rows::new());
    for job in jobs {
        keys.absorb(job.keys());
        if let Some(key) = job.idempotency() {
            repeatable.push([key.principal.into(), Cell::from(&key.key)]);
        }
    }
    if repeatable.is_empty() {
        return Ok((keys, Vec::new()));
    }
    Ok((keys, vec![(KEPT_ANSWERS, vec![repeatable.to_value()?])]))
}

/// One job against the snapshot as its predecessors left it, and once more as often as orders that have expired give
/// something back that it lacked.
async fn decide_one<J: Job + ?Sized>(
    job: &mut J,
    (transaction, snapshot, overdue): (&mut Transaction, &mut Snapshot, &mut Overdue),
    kept: &mut Kept,
    pending: &mut Pending,
) -> Result<Verdict, StoreError> {
    if let Some(verdict) = job.idempotency().and_then(|key| kept.repetition(key)) {
        if matches!(verdict, Verdict::Replayed(_)) {
            pending.tell_done();
        }
        return Ok(verdict);
    }
    let effects = loop {
        let effects = job.decide(snapshot);
        let Some(lack) = job.lack().filter(|_| effects.is_none()) else { break effects };
        if !overdue.give_back(transaction, snapshot, pending, lack).await? {
            break None;
        }
    };
    if let Some(effects) = effects {
        let author = Author::of(job.context(), || job.word());
        pending.take(snapshot, effects, author);
    }
    if let Some(key) = job.idempotency().cloned() {
        let answer = job.answer();
        kept.remember(&key, &answer);
        pending.keep(key, answer);
    }
    Ok(Verdict::Decided)
}

/// How the transaction of a batch ends.
///
/// What one finds in a database on a network need not be there for good: a primary that was started again shows commits
/// that its standby has not got yet. Only a COMMIT of one's own waits until the standby has it, and everything before it.
/// So whoever is told that something is done is told so after a COMMIT, also when it was done earlier.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Nothing was changed, and nobody is told that anything is done.
    RollBack,
    Commit {
        touched: Touched,
        /// The numbers of the events of this batch.
        events: Range<i64>,
    },
    /// An earlier attempt was found to be committed; this one only makes sure of it.
    Confirm,
}

/// Appends jobs that have come in meanwhile.
type Late<'a, J> = dyn FnMut(&mut Vec<Box<J>>) + Send + 'a;

/// The jobs that are written together: those from `from` up to, but not including, `to`.
struct Part<'a, 'l, J: ?Sized> {
    jobs: &'a mut Vec<Box<J>>,
    from: usize,
    to: usize,
    /// Where further ones come from; then `to` is the end.
    late: Option<&'l mut Late<'l, J>>,
}

impl<J: Job + ?Sized> Part<'_, '_, J> {
    fn len(&self) -> usize {
        self.to - self.from
    }

    fn all(&mut self) -> &mut [Box<J>] {
        self.jobs.get_mut(self.from..self.to).unwrap_or_default()
    }

    /// Takes in what has come in meanwhile, and answers with that alone.
    fn take_in(&mut self) -> &[Box<J>] {
        let known = self.to;
        if let Some(late) = &mut self.late {
            late(self.jobs);
            self.to = self.jobs.len();
        }
        self.jobs.get(known..self.to).unwrap_or_default()
    }
}

/// A batch on its way, over all attempts.
struct Batch {
    /// What the batch leaves behind when it is committed; `None` on an embedded database.
    marker: Option<Marker>,
    deadline: Instant,
    /// The verdicts of the latest attempt, if only the database knows whether it was committed. The jobs still hold
    /// the decisions of that attempt.
    in_doubt: Option<Vec<Verdict>>,
    /// Whether any attempt was ever in doubt. From then on every attempt looks for the marker: the nodes of a cluster
    /// may learn of a commit late, and the conflict that follows tells them.
    was_in_doubt: bool,
    /// The number of the next event, once this batch is committed.
    next_event: i64,
    /// What was changed, once that is known; everything as soon as an attempt to commit has failed.
    touched: Touched,
    /// The numbers of its events, once this batch is committed.
    events: Range<i64>,
    /// How often an attempt was found to be committed.
    confirmations: i64,
    dialect: Dialect,
}

impl Batch {
    /// Settles the attempt that was in doubt: with its verdicts when it was committed, otherwise with a new attempt.
    fn resolve(&mut self, is_committed: bool) -> Result<Option<Vec<Verdict>>, StoreError> {
        match (is_committed, self.in_doubt.take()) {
            (true, Some(verdicts)) => Ok(Some(verdicts)),
            // An earlier attempt was committed after all, but the jobs have been decided anew since.
            (true, None) => Err(StoreError::OutcomeUnknown("the marker was found late".into())),
            (false, _) => Ok(None),
        }
    }

    /// What the callers are told when the batch is given up. As long as an attempt is in doubt, nothing else is known.
    ///
    /// Where several servers of MySQL form a cluster, one that was asked may not have heard yet of what another has
    /// committed, so that there a marker that was not found settles nothing until an attempt has been committed.
    fn judge(&self, error: StoreError) -> StoreError {
        let may_be_found_late = self.was_in_doubt && self.dialect == Dialect::MySql;
        match &self.in_doubt {
            None if !may_be_found_late => error,
            _ => StoreError::OutcomeUnknown(error.into()),
        }
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
    /// Adds the answers to [`KEPT_ANSWERS`].
    fn read(&mut self, answers: Vec<Vec<Row>>) -> Result<(), StoreError> {
        for mut row in answers.into_iter().flatten() {
            let status = u16::try_from(row.int(3)?);
            let status = status.map_err(|_| StoreError::decode("a kept status is out of range"))?;
            let answer = KeptAnswer::from_json(status, row.as_text(4)?)?;
            let key = (row.int(0)?, row.text(1)?);
            self.0.insert(key, (row.text(2)?, answer, row.int(5)?));
        }
        Ok(())
    }

    /// What a job gets whose key was used before; `None` when it is the first to use it, or the first in a day.
    fn repetition(&self, key: &IdempotencyKey) -> Option<Verdict> {
        let (fingerprint, answer, created_at_us) = self.0.get(&(key.principal, key.key.clone()))?;
        if created_at_us.saturating_add(ANSWER_LIFE_US) <= key.earliest_us {
            return None;
        }
        if *fingerprint == key.fingerprint {
            Some(Verdict::Replayed(answer.clone()))
        } else {
            Some(Verdict::KeyReused)
        }
    }

    fn remember(&mut self, key: &IdempotencyKey, answer: &KeptAnswer) {
        let value = (key.fingerprint.clone(), answer.clone(), key.latest_us);
        self.0.insert((key.principal, key.key.clone()), value);
    }
}

/// A short pause that grows with each attempt, up to a quarter of a second, and differs between servers, so that they
/// do not meet again.
fn pause(attempt: u32) -> Duration {
    let longest_ms = 4_u64.saturating_mul(1 << attempt.min(6)).min(250);
    let spread = RandomState::new().hash_one(attempt) % longest_ms;
    Duration::from_millis(1 + spread)
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
