//! Fuzzing: what libFuzzer makes up, led by which code it reaches, asked of the whole server in one process (`fuzz/`).
//!
//! It runs on the stable compiler, without a sanitizer: the crates of the workspace forbid `unsafe`. The control of each target
//! is a server that is wrong at a place to which no seed leads; the target has to find it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::LIMIT;
use super::outcome::Outcome;
use crate::Failure;
use crate::crates::Program;
use crate::process::{answer, exit_code};

/// What brings libFuzzer and the compiler together.
const CARGO_FUZZ: Program = Program {
    name: "cargo-fuzz",
    version: "0.13.2",
    ask: &["--version"],
    answer: "cargo-fuzz 0.13.2",
    task: "cargo xtask torture fuzz",
};

/// Where everything lies that is made here.
const PLACE: &str = "target/fuzz";

/// Runs of all targets together that are wanted, and with `--quick`.
pub(super) const RUNS: u64 = 5_000_000;
pub(super) const FEW: u64 = 20_000;

/// Targets that run at once.
const LANES: usize = 2;

/// A control that is not found by then is not found; the rest of the time is for the runs.
const CONTROL_SECONDS: u64 = 60;

/// A program of `fuzz/`.
struct Target {
    name: &'static str,
    /// Its share of a thousand runs, by what they cost.
    share: u64,
    /// The server is wrong where an answer holds this: with quotes around it, so that none echoes it from a request.
    wrong_at: &'static str,
}

/// The longest first.
const TARGETS: [Target; 5] = [
    Target { name: "query", share: 200, wrong_at: r#""field":"limit""# },
    Target { name: "order_body", share: 200, wrong_at: r#""field":"items[0].quantity""# },
    Target { name: "money", share: 200, wrong_at: "greater than or equal to 0" },
    Target { name: "cursor", share: 200, wrong_at: "belongs to a list in another order" },
    // Here whoever makes tokens up has the key.
    Target { name: "authorization", share: 200, wrong_at: "the key" },
];

/// What a target has done.
struct Run {
    name: &'static str,
    /// Whether it ended by itself.
    is_clean: bool,
    runs: u64,
    seconds: u64,
    /// Places in the code that the seeds, and what was found before, reached; and then all.
    reached: (u64, u64),
    log: PathBuf,
}

impl Run {
    fn line(&self) -> String {
        let Self { name, runs, seconds, reached: (before, after), .. } = self;
        let rate = runs / (*seconds).max(1);
        format!("{name}: {runs} runs in {seconds} s ({rate}/s), {before} places reached, then {after}")
    }
}

/// Runs the controls and then all targets. The rounds of the outcome are runs.
pub(super) fn perform(is_quick: bool) -> Result<Outcome, Failure> {
    let wanted = if is_quick { FEW } else { RUNS };
    build()?;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    for control in in_lanes(|target| run(target, true, u64::MAX, CONTROL_SECONDS))? {
        let log = fs::read_to_string(&control.log).unwrap_or_default();
        if control.is_clean || !log.contains("panicked at") {
            outcome.fail(&format!("control failed: {}", control.name));
            return Ok(outcome);
        }
        println!("xtask: the wrong server of {} was found after {} s", control.name, control.seconds);
    }
    let left = LIMIT.saturating_sub(started.elapsed()).as_secs();
    let rounds = in_lanes(|target| run(target, false, (wanted * target.share).div_ceil(1000), left))?;
    judge(&mut outcome, &rounds, started.elapsed().as_secs());
    Ok(outcome)
}

fn judge(outcome: &mut Outcome, rounds: &[Run], seconds: u64) {
    for run in rounds {
        println!("xtask: {}", run.line());
    }
    if let Some(run) = rounds.iter().find(|run| !run.is_clean) {
        outcome.fail(&format!("{} FAILED, see {}", run.name, run.log.display()));
        return;
    }
    let runs = rounds.iter().map(|run| run.runs).sum::<u64>();
    outcome.pass(runs, &format!("0 findings, {} runs/s", runs / seconds.max(1)));
}

/// Has all targets compiled.
fn build() -> Result<(), Failure> {
    let mut build = Command::new(CARGO_FUZZ.find(true)?);
    println!("xtask: compiling the whole server for fuzzing; this takes minutes the first time");
    build.args(["build", "--sanitizer", "none", "--target-dir", PLACE]);
    match exit_code(&mut build)? {
        0 => Ok(()),
        _ => Err("the targets of fuzz/ could not be built".to_owned()),
    }
}

/// Does the same with all targets, on each lane one at a time.
fn in_lanes(run: impl Fn(&'static Target) -> Result<Run, Failure> + Sync) -> Result<Vec<Run>, Failure> {
    let waiting = Mutex::new(TARGETS.iter().collect::<VecDeque<_>>());
    let lane = || -> Result<Vec<Run>, Failure> {
        let mut done = Vec::new();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(target) = next else { return Ok(done) };
            done.push(run(target)?);
        }
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let mut all = Vec::new();
        for lane in lanes {
            all.extend(lane.join().map_err(|_| "a lane of the fuzzing has panicked")??);
        }
        Ok(all)
    })
}

/// Runs a target, or its control.
fn run(target: &'static Target, is_control: bool, runs: u64, seconds: u64) -> Result<Run, Failure> {
    let Target { name, wrong_at, .. } = target;
    let cannot = |error| format!("cannot prepare the fuzzing of {name}: {error}");
    let what = if is_control { "controls" } else { "corpus" };
    let corpus = Path::new(PLACE).join(what).join(name);
    if is_control && corpus.exists() {
        // What it has found before would be found at once.
        fs::remove_dir_all(&corpus).map_err(cannot)?;
    }
    fs::create_dir_all(&corpus).map_err(cannot)?;
    let log = Path::new(PLACE).join(format!("{name}-{what}.log"));
    let mut command = Command::new(program(name)?);
    command.arg(&corpus).arg(Path::new("fuzz/seeds").join(name));
    command.arg(format!("-artifact_prefix={}/{what}-{name}-", PLACE));
    command.arg(format!("-max_total_time={seconds}"));
    if runs != u64::MAX {
        command.arg(format!("-runs={runs}"));
    }
    command.args(["-print_final_stats=1", "-timeout=30", "-rss_limit_mb=3072", "-max_len=4096"]);
    if is_control {
        command.env("STOCKROOM_FUZZ_CONTROL", wrong_at);
    }
    // Nobody cuts the power: what is measured is the server, and not the disk.
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    let output = File::create(&log).map_err(cannot)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    let started = Instant::now();
    let code = exit_code(&mut command)?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    Ok(Run {
        name,
        is_clean: code == 0,
        runs: number_after(&said, "stat::number_of_executed_units:").unwrap_or(0),
        seconds: started.elapsed().as_secs(),
        reached: reached(&said),
        log,
    })
}

/// Where cargo-fuzz has put a target: it always names the machine.
fn program(name: &str) -> Result<PathBuf, Failure> {
    let about = answer("rustc", &["-vV"]).ok_or("rustc does not say for which machine it compiles")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say for which machine it compiles")?;
    Ok(Path::new(PLACE).join(host).join("release").join(name))
}

/// How much of the code was reached by what was there at the beginning, and in the end.
fn reached(said: &str) -> (u64, u64) {
    let mut counts = said.lines().filter_map(|line| Some((line, number_after(line, " cov: ")?)));
    let begin = counts.find(|(line, _)| line.contains("INITED")).map_or(0, |(_, count)| count);
    (begin, counts.next_back().map_or(begin, |(_, count)| count))
}

fn number_after(text: &str, word: &str) -> Option<u64> {
    text.split_once(word)?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
INFO: seed corpus: files: 5 min: 29b max: 118b total: 355b rss: 60Mb
#6	INITED cov: 6013 ft: 7021 corp: 5/355b exec/s: 0 rss: 70Mb
#8	NEW    cov: 6020 ft: 7045 corp: 6/400b lim: 118 exec/s: 0 rss: 70Mb L: 45/118 MS: 1 EraseBytes-
#1000	DONE   cov: 6512 ft: 9000 corp: 80/9Kb lim: 118 exec/s: 500 rss: 80Mb
Done 1000 runs in 2 second(s)
stat::number_of_executed_units: 1000
stat::average_exec_per_sec:     500
";

    #[test]
    fn what_libfuzzer_says_is_read() {
        assert_eq!(number_after(SAID, "stat::number_of_executed_units:"), Some(1000));
        assert_eq!(reached(SAID), (6013, 6512));
        assert_eq!(reached("nothing"), (0, 0));
    }

    #[test]
    fn all_runs_are_shared_out_and_all_targets_exist() {
        assert_eq!(TARGETS.iter().map(|target| target.share).sum::<u64>(), 1000);
        let manifest = fs::read_to_string(crate::root().join("fuzz/Cargo.toml")).expect("a manifest");
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for target in &TARGETS {
            assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
            assert!(crate::root().join("fuzz/seeds").join(target.name).is_dir(), "{}", target.name);
        }
    }

    #[test]
    fn a_finding_takes_the_worth_from_all_runs() {
        let run = |is_clean| Run {
            name: "query",
            is_clean,
            runs: 10,
            seconds: 2,
            reached: (1, 2),
            log: "a.log".into(),
        };
        let judged = |rounds: &[Run]| {
            let mut outcome = Outcome::default();
            judge(&mut outcome, rounds, 4);
            (outcome.rounds, outcome.found)
        };
        assert_eq!(judged(&[run(true), run(true)]), (Some(20), "0 findings, 5 runs/s".to_owned()));
        assert_eq!(judged(&[run(true), run(false)]), (None, "query FAILED, see a.log".to_owned()));
    }
}
