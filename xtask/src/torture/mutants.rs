//! Mutants: the rules in `domain`, changed in one place at a time by cargo-mutants. The tests of `domain` alone must notice.
//!
//! What is changed and what is asked is in `.cargo/mutants.toml`. A mutant that survives is killed by a test, or stands in
//! `crates/domain/MUTANTS.md` with the reason why it makes no difference. They come in random order, and what has not had
//! its turn when the time is up is not counted, so a slow machine judges a sample.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
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

/// With `--quick`: one of so many.
const SAMPLE: &str = "0/60";

/// What came of the mutants that had their turn.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    caught: u64,
    /// Survivors, as `FILE: CHANGE`.
    survivors: Vec<String>,
}

/// Runs the control and then the mutants. The rounds of the outcome are percent.
pub(super) fn perform(is_quick: bool) -> Result<Outcome, Failure> {
    let program = CARGO_MUTANTS.find(true)?;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    let control = ["--re", CONTROL, "--baseline", "skip", "--", "no::such::test"];
    let tally = run(&program, "control", &control, LIMIT)?;
    if tally.caught > 0 || tally.survivors.len() != 1 {
        outcome.fail("control failed: a mutant that nothing tests");
        return Ok(outcome);
    }
    let sample = ["--shard", SAMPLE, "--sharding", "round-robin"];
    let few: &[&str] = if is_quick { &sample } else { &[] };
    let tally = run(&program, "all", few, LIMIT.saturating_sub(started.elapsed()))?;
    judge(&mut outcome, &tally, &fs::read_to_string(JUSTIFIED).unwrap_or_default());
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
            outcome.pass(percent, &format!("{} of {turns} caught, {survivors} justified", tally.caught));
        }
        (_, open) => outcome.fail(&format!("{} of {turns} caught, {open} unexplained", tally.caught)),
    }
}

/// Has cargo-mutants work until it is done or its time is up, and reads what it has noted until then.
fn run(program: &Path, name: &str, args: &[&str], limit: Duration) -> Result<Tally, Failure> {
    let place = crate::root().join(PLACE).join(name);
    let cannot = |error| format!("cannot prepare {}: {error}", place.display());
    fs::create_dir_all(&place).map_err(cannot)?;
    // Nothing is read that an earlier run has noted.
    let noted: PathBuf = place.join("mutants.out/outcomes.json");
    if noted.exists() {
        fs::remove_file(&noted).map_err(cannot)?;
    }
    let mut command = Command::new(program);
    command.args(["mutants", "--package", "domain", "--jobs", "2", "--shuffle", "--timeout", "60"]);
    command.arg("--output").arg(&place).args(args).env("CARGO_PROFILE_DEV_DEBUG", "0");
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
    let text = fs::read_to_string(&noted).map_err(|_| "cargo-mutants did not get as far as a mutant")?;
    let outcomes: Value = serde_json::from_str(&text).map_err(|error| format!("outcomes: {error}"))?;
    Ok(tally(&outcomes))
}

fn tally(noted: &Value) -> Tally {
    let mut tally = Tally::default();
    for outcome in noted["outcomes"].as_array().into_iter().flatten() {
        match outcome["summary"].as_str() {
            // Never to come to an end is noticed, too.
            Some("CaughtMutant" | "Timeout") => tally.caught += 1,
            Some("MissedMutant") => tally.survivors.push(named(&outcome["scenario"]["Mutant"])),
            // What does not compile is no mutant, and the unchanged sources are none either.
            _ => {}
        }
    }
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
        assert_eq!(tally(&noted), Tally { caught: 2, survivors });
    }

    #[test]
    fn a_survivor_needs_a_reason() {
        let judged = |caught, survivors: &[&str], justified: &str| {
            let mut outcome = Outcome::default();
            let survivors = survivors.iter().map(|&name| name.to_owned()).collect();
            judge(&mut outcome, &Tally { caught, survivors }, justified);
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
