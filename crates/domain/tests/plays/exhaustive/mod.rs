//! Everything that can happen in a small world, looked at without exception: requests that are delayed, doubled and lost,
//! servers that are killed at any step, connections that break during COMMIT. The rules are the real ones; what a server
//! does with them is a model of `store::write` and the committer.
//!
//! `cargo xtask torture model` looks at worlds of more than ten million states.

mod books;
mod scenario;
mod server;
mod world;
mod wrong;

use std::time::Instant;

use domain::Action;
use stateright::{Checker, HasDiscoveries, Model};

use self::scenario::{STAFF, Scenario, act};
use self::world::{
    ACKED_SURVIVES, LEDGER_ADDS_UP, NO_OVERSELL, NOTHING_MEANS_NOTHING, ONE_ANSWER, ONE_EFFECT, Play,
};
use self::wrong::Wrong;

/// States that the small worlds have together, at least.
const FEW: usize = 100_000;

/// What was looked at: different states, and steps between them.
struct Looked {
    states: usize,
    steps: usize,
    depth: usize,
}

/// Looks at everything that can happen, and fails with the way to whatever must not.
fn look(scenario: Scenario) -> Looked {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = Play::new(scenario).checker().threads(threads).spawn_dfs().join();
    checker.assert_properties();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    Looked { states, steps, depth: checker.max_depth() }
}

/// The worlds to look at: small ones, or all that ten minutes are enough for.
fn worlds(is_whole: bool) -> Vec<(&'static str, Scenario)> {
    let (embedded, network) = (Scenario::embedded(), Scenario::network());
    let (reused_keys, late_copies) = (Scenario::reused_keys(), Scenario::late_copies());
    if !is_whole {
        return vec![
            ("one server", embedded),
            ("two servers", network),
            ("reused keys", reused_keys),
            ("late copies", late_copies),
        ];
    }
    let cancel = act(STAFF, Some('a'), 1, Action::Cancel);
    let confirm = act(STAFF, None, 1, Action::Confirm);
    vec![
        ("one server", Scenario { attempts: 3, ..embedded.and(confirm) }),
        ("two servers", Scenario { losses: 2, crashes: 2, ..network.and(cancel) }),
        ("reused keys", reused_keys.and(confirm)),
        ("late copies", Scenario { crashes: 1, ..late_copies }),
        ("shelf", Scenario::shelf()),
    ]
}

#[test]
fn whatever_happens_all_promises_are_kept() {
    let asked = std::env::var("STOCKROOM_TORTURE_ROUNDS").ok();
    let wanted: usize = asked.map_or(FEW, |asked| asked.parse().expect("a number of states"));
    let mut states = 0;
    for (name, scenario) in worlds(wanted > FEW) {
        let started = Instant::now();
        let looked = look(scenario);
        let Looked { steps, depth, .. } = looked;
        println!("{name}: {} states, {steps} steps, {depth} deep, {:?}", looked.states, started.elapsed());
        states += looked.states;
    }
    println!("torture model: {states} states");
    assert!(states >= wanted, "{states} of {wanted} states");
}

/// What is wrong is found, by a property that says so.
#[test]
fn wrong_servers_and_wrong_rules_are_found() {
    let (file, net) = (Scenario::embedded, Scenario::network);
    let cases: [(Wrong, Scenario, &[&str]); 11] = [
        (Wrong::AnswersBeforeCommit, file(), &[ACKED_SURVIVES]),
        (Wrong::RetriesBlindly, net(), &[ONE_EFFECT, ACKED_SURVIVES]),
        (Wrong::SettlesWithoutTheLock, Scenario { opening: vec![2], ..net() }, &[ONE_EFFECT, ACKED_SURVIVES]),
        (Wrong::DoubtIsFailure, net(), &[NOTHING_MEANS_NOTHING]),
        (Wrong::KeepsAnswersLater, file(), &[ONE_EFFECT, ACKED_SURVIVES]),
        (Wrong::ForgetsRefusals, file(), &[ONE_ANSWER, ACKED_SURVIVES]),
        (Wrong::KeysAreEverybodys, Scenario::reused_keys(), &[ACKED_SURVIVES]),
        (Wrong::BodiesAreNotCompared, Scenario::reused_keys(), &[ACKED_SURVIVES]),
        (Wrong::BatchesDoNotEvolve, file(), &[LEDGER_ADDS_UP]),
        (Wrong::SellsWhatIsNotThere, file(), &[NO_OVERSELL]),
        (Wrong::GivesBackTwice, Scenario::late_copies(), &[LEDGER_ADDS_UP, ONE_EFFECT]),
    ];
    for (wrong, scenario, expected) in cases {
        let play = Play::new(scenario.with(wrong));
        let checker = play.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let found = checker.discoveries();
        // Others may have been broken within the same thousand states.
        let path = expected.iter().find_map(|name| Some((name, found.get(name)?)));
        let Some((name, path)) = path else { panic!("{wrong:?} was not found, but {:?}", found.keys()) };
        println!("{wrong:?}: {name} after {:?}", path.clone().into_actions());
    }
}
