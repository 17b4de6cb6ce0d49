//! What a server does, step by step: as the committer and `store::write` do it.

use domain::{Keys, Rejection};

use super::books::{Books, Reply, context};
use super::world::{Batch, Fate, Happens, Phase, Play, Told, World};
use super::wrong::{Wrong, decide};
use crate::any::Shown;

impl Play {
    pub(super) fn server_actions(&self, world: &World, at: usize, actions: &mut Vec<Happens>) {
        let server = &world.servers[at];
        if !server.is_up {
            actions.push(Happens::Restart(at));
            return;
        }
        let is_idle = server.queue.is_empty() && server.batch.is_none();
        if world.crashes_left > 0 && !is_idle {
            actions.push(Happens::Crash(at));
        }
        let is_locked = world.lingering.is_some()
            || world
                .servers
                .iter()
                .flat_map(|server| &server.batch)
                .any(|batch| matches!(batch.phase, Phase::Open(_)));
        match server.batch.as_ref().map(|batch| &batch.phase) {
            None if !server.queue.is_empty() && !is_locked => actions.push(Happens::Begin(at)),
            None => {}
            Some(Phase::Open(_)) => {
                actions.push(Happens::Commit(at));
                if world.losses_left > 0 {
                    actions.push(Happens::Lose(at));
                }
            }
            Some(Phase::Doubt) => {
                actions.push(Happens::Despair(at));
                let hurries = self.does(Wrong::SettlesWithoutTheLock) && world.lingering.is_some();
                if !is_locked || hurries {
                    actions.push(Happens::Begin(at));
                }
            }
            Some(Phase::Committed) => actions.push(Happens::Answer(at)),
        }
    }

    /// A request arrives: its key is claimed and it waits, or it is told at once why not.
    pub(super) fn arrive(&self, world: &mut World, errand: usize, at: usize) {
        world.requests[errand] -= 1;
        let server = &world.servers[at];
        let slot = self.slots[errand];
        let batch = server.batch.iter().flat_map(|batch| &batch.errands);
        let mut worked_on = server.queue.iter().chain(batch);
        if slot.is_some() && worked_on.any(|other| self.slots[*other] == slot) {
            self.tell(world, errand, Told::InProgress);
        } else if server.queue.len() >= self.scenario.queue_limit {
            self.tell(world, errand, Told::NothingHappened);
        } else {
            world.servers[at].queue.push(errand);
        }
    }

    /// Takes what waits and decides it; or finds out what became of the batch in doubt, and decides it again if nothing
    /// did.
    pub(super) fn begin(&self, world: &mut World, at: usize) {
        let server = &mut world.servers[at];
        let mut batch = if let Some(batch) = server.batch.take() {
            batch
        } else {
            let count = server.queue.len().min(self.scenario.max_batch);
            let errands = server.queue.drain(..count).collect();
            let number = !world.books.markers[at];
            Batch { errands, fates: Vec::new(), phase: Phase::Committed, number }
        };
        let found = batch.phase == Phase::Doubt && world.books.markers[at] == batch.number;
        if found && !self.does(Wrong::RetriesBlindly) {
            batch.phase = Phase::Committed;
        } else {
            let (books, fates) = self.decide(&world.books, &batch.errands);
            let must_commit = books != world.books;
            batch.fates = fates;
            batch.phase = Phase::Committed;
            if must_commit {
                let mut books = books;
                if self.scenario.losses > 0 {
                    books.markers[at] = batch.number;
                }
                batch.phase = Phase::Open(Box::new(books));
            }
        }
        if self.does(Wrong::AnswersBeforeCommit) {
            self.tell_all(world, &batch);
        }
        world.servers[at].batch = Some(batch);
    }

    /// A transaction was committed beside an open one, which only happens where nobody waits for the lock: what the open one
    /// has written is then written on top.
    pub(super) fn write_on_top(&self, world: &mut World) {
        for (at, server) in world.servers.iter_mut().enumerate() {
            let Some(Batch { errands, phase: Phase::Open(open), number, .. }) = &mut server.batch else {
                continue;
            };
            let (mut books, _) = self.decide(&world.books, errands);
            books.markers[at] = *number;
            **open = books;
        }
    }

    /// Decides a batch in order of arrival against one evolving snapshot.
    fn decide(&self, before: &Books, errands: &[usize]) -> (Books, Vec<Fate>) {
        let mut books = before.clone();
        let mut keys = Keys::default();
        for errand in errands {
            keys.absorb(self.commands[*errand].keys(&context(&self.errands[*errand])));
        }
        let mut snapshot = books.load(&keys);
        let mut fates = Vec::with_capacity(errands.len());
        for errand in errands.iter().copied() {
            let slot = self.slots[errand];
            if let Some((first, reply)) = slot.and_then(|slot| books.kept[slot]) {
                let is_same = self.errands[first].ask == self.errands[errand].ask;
                let is_repetition = is_same || self.does(Wrong::BodiesAreNotCompared);
                fates.push(if is_repetition { Fate::Replayed(reply) } else { Fate::KeyReused });
                continue;
            }
            let context = context(&self.errands[errand]);
            let reply = match decide(self.scenario.wrong, &self.commands[errand], &snapshot, &context) {
                Ok(verdict) => {
                    books.take(errand, &verdict.effects);
                    if !self.does(Wrong::BatchesDoNotEvolve) {
                        verdict.effects.changes.iter().for_each(|change| snapshot.apply(change));
                    }
                    match verdict.shown.first() {
                        Some(Shown::Order { order, .. }) => Reply::Order(order.id.0, order.status()),
                        _ => Reply::Adjusted,
                    }
                }
                Err(rejection) => Reply::Refused(Rejection::code(&rejection)),
            };
            let is_forgotten = self.does(Wrong::KeepsAnswersLater)
                || self.does(Wrong::ForgetsRefusals) && matches!(reply, Reply::Refused(_));
            if let Some(slot) = slot.filter(|_| !is_forgotten) {
                books.kept[slot] = Some((errand, reply));
            }
            fates.push(Fate::Decided(reply));
        }
        (books, fates)
    }

    /// The batch is durable: everybody is answered.
    pub(super) fn answer(&self, world: &mut World, at: usize) {
        let Some(batch) = world.servers[at].batch.take() else { return };
        if self.does(Wrong::KeepsAnswersLater) {
            for (errand, fate) in batch.errands.iter().zip(&batch.fates) {
                if let (Some(slot), Fate::Decided(reply)) = (self.slots[*errand], fate) {
                    world.books.kept[slot] = Some((*errand, *reply));
                }
            }
        }
        if !self.does(Wrong::AnswersBeforeCommit) {
            self.tell_all(world, &batch);
        }
    }

    fn tell_all(&self, world: &mut World, batch: &Batch) {
        for (errand, fate) in batch.errands.iter().copied().zip(&batch.fates) {
            let (reply, replayed) = match fate {
                Fate::Decided(reply) => (*reply, false),
                Fate::Replayed(reply) => (*reply, true),
                Fate::KeyReused => {
                    self.tell(world, errand, Told::KeyReused);
                    continue;
                }
            };
            let before = world.promised[errand].replace(reply);
            world.contradiction |= before.is_some_and(|before| before != reply);
            self.tell(world, errand, Told::Done { replayed });
        }
    }

    /// Sends an answer on its way. Where nobody waits for it, it is gone at once.
    pub(super) fn tell(&self, world: &mut World, errand: usize, told: Told) {
        if self.waiting(world, errand).is_none() {
            return;
        }
        if let Err(place) = world.answers.binary_search(&(errand, told)) {
            world.answers.insert(place, (errand, told));
        }
    }
}
