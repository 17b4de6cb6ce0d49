//! Mutants: the rules in `domain`, changed in one place at a time by cargo-mutants. The tests of `domain` alone must notice.
//!
//! What is changed and what is asked is in `.cargo/mutants.toml`. A mutant that survives is killed by a test, or stands in
//! `crates/domain/MUTANTS.md` with the reason why it makes no difference. They come in random order, and how many have not had
//! their turn when the time is up is told: a slow machine judges a sample.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::LIMIT;
use super::outcome::Outcome;
use crate::Failure;
use crate::crates::Program;

const CARGO_MUTANTS: Program = Program {
    name: "cargo-mutants",
    version: "27.1.0",
    ask: &["mutants", "--version"],
    answer: "cargo-mutants 27.1.0",
    task: "cargo xtask torture mutants",
};

/// How many of a hundred must be caught.
pub(super) const CAUGHT_PERCENT: u64 = 95;

/// Where everything lies that is made here.
const PLACE: &str = "target/mutants";

/// The mutants that are left, and why.
const JUSTIFIED: &str = "crates/domain/MUTANTS.md";

/// Every test notices this one, so when none is run it must be said to survive.
const CONTROL: &str = "replace StockLevel::available -> i64 with 0";

/// How many are tried at once, each in a copy of the sources and with a folder of compiled crates of its own.
const LANES: usize = 2;

/// With `--quick`: each lane tries one of so many.
const SAMPLE: usize = 60;

/// What came of the mutants that had their turn.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    caught: u64,
    /// Survivors, as `FILE: CHANGE`.
    survivors: Vec<String>,
    /// Those that had no turn.
    left: u64,
}

/// Runs the control and then the mutants. The rounds of the outcome are percent.
pub(super) fn perform(is_quick: bool) -> Result<Outcome, Failure> {
    let program = CARGO_MUTANTS.find(true)?;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    // The file, too: the expression alone lets changes through that leave out a field of a struct.
    let file = "crates/domain/src/model.rs";
    let control =
        ["--file", file, "--re", CONTROL, "--baseline", "skip", "--", "no::such::test"].map(str::to_owned);
    let tally = run(&program, 0, &control, LIMIT)?;
    if tally.caught > 0 || tally.survivors.len() != 1 {
        outcome.fail("control failed: a mutant that nothing tests");
        return Ok(outcome);
    }
    let left = LIMIT.saturating_sub(started.elapsed());
    let shares = if is_quick { SAMPLE } else { LANES };
    let share = |lane: usize| {
        let shard =
            ["--shard".to_owned(), format!("{lane}/{shares}"), "--sharding".into(), "round-robin".into()];
        run(&program, lane, &shard, left)
    };
    let tallies = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || share(lane))).collect();
        let ended =
            lanes.into_iter().map(|lane| lane.join().map_err(|_| "a lane of the mutants has panicked")?);
        ended.collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut all = Tally::default();
    for tally in tallies {
        all.caught += tally.caught;
        all.left += tally.left;
        all.survivors.extend(tally.survivors);
    }
    judge(&mut outcome, &all, &fs::read_to_string(JUSTIFIED).unwrap_or_default());
    Ok(outcome)
}

fn judge(outcome: &mut Outcome, tally: &Tally, justified: &str) {
    let survivors = tally.survivors.len() as u64;
    let turns = tally.caught + survivors;
    // As they are written there, without the line, which moves.
    let unexplained: Vec<_> =
        tally.survivors.iter().filter(|survivor| !justified.contains(&format!("`{survivor}`"))).collect();
    for survivor in &unexplained {
        println!("xtask: survives, and {JUSTIFIED} does not say why: {survivor}");
    }
    match (turns, unexplained.len()) {
        (0, _) => outcome.fail("no mutant had its turn"),
        (_, 0) => {
            let percent = tally.caught * 100 / turns;
            let left = if tally.left > 0 { format!(", {} had no turn", tally.left) } else { String::new() };
            outcome
                .pass(percent, &format!("{} of {turns} caught, {survivors} justified{left}", tally.caught));
        }
        (_, open) => outcome.fail(&format!("{} of {turns} caught, {open} unexplained", tally.caught)),
    }
}

/// Has cargo-mutants work until it is done or its time is up, and reads what it has noted until then.
fn run(program: &Path, lane: usize, args: &[String], limit: Duration) -> Result<Tally, Failure> {
    let place = crate::root().join(PLACE).join(format!("lane-{lane}"));
    let cannot = |error| format!("cannot prepare {}: {error}", place.display());
    // Nothing is read that an earlier run has noted.
    let noted = place.join("mutants.out");
    if noted.exists() {
        fs::remove_dir_all(&noted).map_err(cannot)?;
    }
    fs::create_dir_all(&place).map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["mutants", "--package", "domain", "--shuffle", "--output"]).arg(&place).args(args);
    // What others have written is compiled once a lane.
    command.env("CARGO_TARGET_DIR", place.join("target")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    // A group of its own, so that compilers and tests end with it.
    command.process_group(0).stdin(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot start cargo-mutants: {error}"))?;
    let deadline = Instant::now() + limit;
    // It says by its code that some survived; what it has noted says more.
    while child.try_wait().map_err(|error| format!("cargo-mutants is lost: {error}"))?.is_none() {
        if Instant::now() > deadline {
            // An interrupt lets it remove its copies of the sources.
            let interrupt = format!("kill -INT -{}", child.id());
            let _ = Command::new("sh").args(["-c", &interrupt]).status();
            let _ = child.wait();
            break;
        }
        thread::sleep(Duration::from_millis(200));
    }
    let read = |name: &str| -> Result<Value, Failure> {
        let text = fs::read_to_string(noted.join(name))
            .map_err(|_| "cargo-mutants did not get as far as a mutant")?;
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
    };
    Ok(tally(&read("mutants.json")?, &read("outcomes.json")?))
}

/// What came of which mutants.
fn tally(mutants: &Value, noted: &Value) -> Tally {
    let mut tally = Tally::default();
    let mut turns = 0;
    for outcome in noted["outcomes"].as_array().into_iter().flatten() {
        turns += u64::from(outcome["scenario"]["Mutant"].is_object());
        match outcome["summary"].as_str() {
            // Never to come to an end is noticed, too.
            Some("CaughtMutant" | "Timeout") => tally.caught += 1,
            Some("MissedMutant") => tally.survivors.push(named(&outcome["scenario"]["Mutant"])),
            // What does not compile is no mutant, and the unchanged sources are none either.
            _ => {}
        }
    }
    tally.left = mutants.as_array().map_or(0, |all| all.len() as u64).saturating_sub(turns);
    tally
}

/// `FILE: CHANGE`, of `crates/domain/src/FILE:LINE:COLUMN: CHANGE`.
fn named(mutant: &Value) -> String {
    let name = mutant["name"].as_str().unwrap_or_default();
    let file = mutant["file"].as_str().unwrap_or_default();
    let change = name.splitn(4, ':').nth(3).unwrap_or(name).trim();
    format!("{}: {change}", file.trim_start_matches("crates/domain/src/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mutant(summary: &str, at: &str, change: &str) -> Value {
        let file = "crates/domain/src/decision.rs";
        json!({ "summary": summary,
            "scenario": { "Mutant": { "name": format!("{file}:{at}: {change}"), "file": file } } })
    }

    #[test]
    fn what_cargo_mutants_has_noted_is_read() {
        let noted = json!({ "outcomes": [
            { "summary": "Success", "scenario": "Baseline" },
            mutant("CaughtMutant", "1:1", "replace a with b"),
            mutant("Unviable", "2:1", "replace a with b"),
            mutant("Timeout", "3:1", "replace a with b"),
            mutant("MissedMutant", "137:44", "replace == with != in Draft<'a>::product"),
        ]});
        let survivors = vec!["decision.rs: replace == with != in Draft<'a>::product".to_owned()];
        let five = json!([{}, {}, {}, {}, {}]);
        assert_eq!(tally(&five, &noted), Tally { caught: 2, survivors, left: 1 });
    }

    #[test]
    fn a_survivor_needs_a_reason() {
        let judged = |caught, survivors: &[&str], justified: &str| {
            let mut outcome = Outcome::default();
            let survivors = survivors.iter().map(|&name| name.to_owned()).collect();
            judge(&mut outcome, &Tally { caught, survivors, left: 0 }, justified);
            (outcome.rounds, outcome.found)
        };
        assert_eq!(
            judged(99, &["a: b"], "| `a: b` | why |"),
            (Some(99), "99 of 100 caught, 1 justified".into())
        );
        assert_eq!(judged(99, &["a: b"], "a: bc"), (None, "99 of 100 caught, 1 unexplained".into()));
        assert_eq!(judged(0, &[], ""), (None, "no mutant had its turn".into()));
    }
}
