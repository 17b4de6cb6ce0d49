//! Random play under the eyes of an auditor, and proof that the auditor is not asleep.
//!
//! Every command is decided twice: on a fresh snapshot that holds only what its keys name, and in a batch on an
//! evolving one, as the committer does it. Both must agree with each other and with the naive model.

mod compare;
mod model;
mod mutants;
mod people;
mod play;

use std::collections::BTreeMap;

use domain::{Context, Effects, Keys, MovementKind, Rejection, Snapshot};
use proptest::prelude::*;

use self::compare::{compare, compare_snapshots};
use self::model::Model;
use self::play::{Dice, play};
use crate::any::{Any, Verdict, check_shown};
use crate::shop::{Shop, ensure};

/// The rules under audit; the wrong ones of [`mutants`] take their place.
pub(crate) type Rules = fn(&Any, &Snapshot, &Context) -> Result<Verdict, Rejection>;

/// How often each command met each answer.
type Tally = BTreeMap<(&'static str, &'static str), u64>;

struct Auditor {
    rules: Rules,
    shop: Shop,
    model: Model,
    tally: Tally,
}

impl Auditor {
    fn new(rules: Rules) -> Self {
        Self { rules, shop: Shop::default(), model: Model::default(), tally: Tally::new() }
    }

    /// Plays commands as one batch.
    fn batch(&mut self, seeds: &[u64]) -> Result<(), String> {
        let commands: Vec<_> = seeds.iter().map(|seed| play(*seed, self.shop.next)).collect();
        let mut keys = Keys::default();
        for (command, context) in &commands {
            keys.absorb(command.keys(context));
        }
        let mut evolving = self.shop.load(&keys);
        for (command, context) in &commands {
            let told = |fault| format!("{fault}\n  {command:?}\n  by {context:?}");
            self.command(command, context, &mut evolving).map_err(told)?;
        }
        compare_snapshots(&evolving, &self.shop.load(&keys))
    }

    fn command(&mut self, command: &Any, context: &Context, evolving: &mut Snapshot) -> Result<(), String> {
        let fresh = self.shop.load(&command.keys(context));
        let verdict = (self.rules)(command, &fresh, context);
        let in_batch = (self.rules)(command, evolving, context);
        ensure!(verdict == in_batch, "alone: {verdict:?}\n  in the batch: {in_batch:?}");
        let expected = self.model.play(command, context);
        let code = verdict.as_ref().map_or_else(Rejection::code, |_| "accepted");
        *self.tally.entry((command.name(), code)).or_default() += 1;
        match (&verdict, expected) {
            (Ok(verdict), Ok(news)) => {
                self.shop.apply(&verdict.effects)?;
                check_shown(&self.shop, verdict)?;
                compare::news(&verdict.effects, context, news)?;
                self.count(&verdict.effects);
                verdict.effects.changes.iter().for_each(|change| evolving.apply(change));
            }
            (Err(rejection), Err(expected)) => {
                ensure!(rejection.code() == expected, "{rejection:?}, but the model says {expected}");
            }
            (_, expected) => return Err(format!("{verdict:?}, but the model says {expected:?}")),
        }
        self.shop.audit()?;
        compare(&self.shop, &self.model)
    }

    fn count(&mut self, effects: &Effects) {
        for it in &effects.events {
            *self.tally.entry(("event", it.event.kind())).or_default() += 1;
        }
        for movement in &effects.movements {
            *self.tally.entry(("movement", movement.kind.word())).or_default() += 1;
        }
    }
}

/// Plays `count` commands in batches of one to twelve.
fn run(rules: Rules, seed: u64, count: usize) -> Result<Tally, String> {
    let mut auditor = Auditor::new(rules);
    let mut dice = Dice(seed);
    let mut played = 0;
    while played < count {
        let size = [1, 2, 4, 12][usize::from(dice.roll().to_le_bytes()[0]) % 4];
        let seeds: Vec<u64> = (0..size).map(|_| dice.roll()).collect();
        let told = |fault| format!("run {seed}, after {played} commands: {fault}");
        auditor.batch(&seeds).map_err(told)?;
        played += size;
    }
    Ok(auditor.tally)
}

fn honest(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    command.decide(snapshot, context)
}

#[test]
fn rules_and_model_agree_on_random_play() {
    const RUNS: u64 = 60;
    const COMMANDS: usize = 2_000;
    let threads: Vec<_> = (0..4)
        .map(|lane| {
            std::thread::spawn(move || {
                let seeds = (0..RUNS).filter(move |seed| seed % 4 == lane);
                seeds.map(|seed| run(honest, seed, COMMANDS)).collect::<Result<Vec<_>, _>>()
            })
        })
        .collect();
    let mut tally = Tally::new();
    for thread in threads {
        match thread.join() {
            Ok(Ok(runs)) => {
                for (key, count) in runs.into_iter().flatten() {
                    *tally.entry(key).or_default() += count;
                }
            }
            Ok(Err(fault)) => panic!("{fault}"),
            Err(panicked) => std::panic::resume_unwind(panicked),
        }
    }
    println!("{tally:#?}");
    let commands = tally.iter().filter(|((what, _), _)| !["event", "movement"].contains(what));
    assert!(commands.map(|(_, count)| count).sum::<u64>() >= 100_000);
    // Play that never reaches an answer proves nothing about it.
    for answer in compare::REACHED {
        assert!(tally.contains_key(answer), "never reached: {answer:?}");
    }
    for kind in MovementKind::ALL {
        assert!(tally.contains_key(&("movement", kind.word())), "no movement was {kind:?}");
    }
    assert_eq!(tally.keys().filter(|(what, _)| *what == "event").count(), 20, "kinds of events");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same audit once more, on short lists that shrink to the shortest one that fails.
    #[test]
    fn short_plays_agree(seeds in proptest::collection::vec(any::<u64>(), 1..80)) {
        let mut auditor = Auditor::new(honest);
        for pair in seeds.chunks(2) {
            let result = auditor.batch(pair);
            prop_assert!(result.is_ok(), "{}", result.unwrap_err());
        }
    }
}
