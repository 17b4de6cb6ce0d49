//! Schemathesis: what the OpenAPI documents promise, asked of a server with sample data in many thousand cases, as
//! everybody who may call.
//!
//! Its phases are examples, coverage, fuzzing and stateful. What is passed over, and why, is written down in `hooks.py`. The
//! control are documents that promise what the server does not keep; each must be found out.

mod control;
mod shop;
mod tool;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::LIMIT;
use super::outcome::Outcome;
use crate::Failure;
use shop::{Caller, Shop};
use tool::{Request, Schemathesis};

/// Which cases are made up is the same in each run unless this says otherwise.
const SEED: &str = "STOCKROOM_TORTURE_SEED";

/// A document, and how many cases are made up for each operation of it and each caller in a long run.
struct Document {
    name: &'static str,
    path: &'static str,
    examples: u32,
}

/// All documents of a server. The older contracts have few operations, and get more of each.
const DOCUMENTS: [Document; 5] = [
    Document { name: "/api/v1", path: "/openapi.json", examples: 10 },
    Document { name: "orderflow", path: "/compat/orderflow/openapi.json", examples: 25 },
    Document { name: "mini-order", path: "/compat/mini-order/openapi.json", examples: 25 },
    Document { name: "leafcraft", path: "/compat/leafcraft/openapi.json", examples: 25 },
    Document { name: "inventory", path: "/compat/inventory/openapi.json", examples: 25 },
];

/// What one run of Schemathesis came to.
struct Tally {
    document: &'static str,
    caller: &'static str,
    cases: u64,
    /// Failures that no exclusion explains.
    failures: u64,
    passed_over: u64,
    seconds: u64,
}

/// Ends the sessions of whoever asks, and is asked last: who has logged out is a stranger.
const LAST: &str = "logout_everywhere";

/// Runs the control and then all documents as all callers. The rounds of the outcome are cases.
pub(super) fn perform(is_quick: bool) -> Result<Outcome, Failure> {
    let tool = Schemathesis::install()?;
    let shop = Shop::open()?;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    if let Err(failure) = control::perform(&tool, &shop) {
        outcome.fail(&format!("control failed: {failure}"));
        return Ok(outcome);
    }
    match ask_all(&tool, &shop, is_quick, started) {
        Ok(tallies) => judge(&mut outcome, &tallies, &shop),
        Err(failure) => outcome.fail(&failure),
    }
    println!("{}", used(&tool.notes()));
    Ok(outcome)
}

/// Every document as every caller, one after the other.
fn ask_all(
    tool: &Schemathesis,
    shop: &Shop,
    is_quick: bool,
    started: Instant,
) -> Result<Vec<Tally>, Failure> {
    let seed = std::env::var(SEED).unwrap_or_else(|_| "1".to_owned());
    let kept = shop.kept();
    let ask = |document: &'static Document, caller: &Caller, operations: &[&str]| {
        let examples = if is_quick { document.examples.div_ceil(10) } else { document.examples };
        let at = Instant::now();
        let report = tool.run(&Request {
            document: &shop.url(document.path),
            name: &format!("{}-{}", document.name.replace('/', ""), caller.name),
            server: None,
            caller: Some(caller),
            kept: &kept,
            operations,
            examples,
            seed: &seed,
            limit: LIMIT.saturating_sub(started.elapsed()),
        })?;
        let tally = Tally::read(document.name, caller, &report, at.elapsed().as_secs())?;
        println!("xtask: {}", tally.line());
        Ok::<_, Failure>(tally)
    };
    let mut tallies = Vec::new();
    for document in &DOCUMENTS {
        for caller in &shop.callers {
            tallies.push(ask(document, caller, &[])?);
            shop.check(caller)?;
        }
    }
    for caller in shop.callers.iter().filter(|caller| caller.token.is_some()) {
        tallies.push(ask(&DOCUMENTS[0], caller, &[LAST])?);
    }
    Ok(tallies)
}

impl Tally {
    fn read(document: &'static str, caller: &Caller, report: &Value, seconds: u64) -> Result<Self, Failure> {
        let number = |value: &Value| value.as_u64().ok_or("Schemathesis reports in another way than it did");
        let errors = report["errors"].as_array().map_or(0, Vec::len) as u64;
        let finished = report["stop_reason"] == "completed";
        Ok(Self {
            document,
            caller: caller.name,
            cases: number(&report["test_cases"]["generated"])?,
            failures: number(&report["test_cases"]["unique_failures"])? + errors + u64::from(!finished),
            passed_over: number(&report["filtered"])?,
            seconds,
        })
    }

    fn line(&self) -> String {
        let Self { document, caller, cases, failures, passed_over, seconds } = self;
        format!(
            "{document} as {caller}: {cases} cases, {failures} failures, {passed_over} passed over, {seconds} s"
        )
    }
}

/// Sums up: cases count only if nothing was found in any of them.
fn judge(outcome: &mut Outcome, tallies: &[Tally], shop: &Shop) {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (cases, failures, faults) = (sum(|it| it.cases), sum(|it| it.failures), shop.faults());
    println!(
        "torture schemathesis: {cases} cases, {failures} violations, {faults} x 5xx, {} passed over",
        sum(|it| it.passed_over)
    );
    if failures > 0 || faults > 0 {
        outcome.fail(&format!("{failures} violations, {faults} x 5xx, see above"));
    } else {
        outcome.pass(cases, "0 violations, 0 x 5xx");
    }
}

/// How often each exclusion was used.
fn used(notes: &Path) -> String {
    let text = fs::read_to_string(notes).unwrap_or_default();
    let mut counted = std::collections::BTreeMap::<&str, u64>::new();
    for line in text.lines() {
        *counted.entry(line).or_default() += 1;
    }
    let mut told = String::from("Passed over:");
    for (line, times) in counted {
        let (name, reason) = line.split_once('\t').unwrap_or((line, ""));
        // Writing to a string cannot fail.
        let _ = write!(told, "\n  {times:>6} x {name}: {reason}");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted_and_an_unfinished_one_is_a_failure() {
        let caller = Caller { name: "customer", token: None };
        let report = |stop: &str| {
            serde_json::json!({"errors": [], "stop_reason": stop, "filtered": 3,
                "test_cases": {"generated": 40, "unique_failures": 2}})
        };
        let tally = |stop| Tally::read("/api/v1", &caller, &report(stop), 5).expect("a report");
        assert_eq!(
            tally("completed").line(),
            "/api/v1 as customer: 40 cases, 2 failures, 3 passed over, 5 s"
        );
        assert_eq!(tally("interrupted").failures, 3);
        assert!(Tally::read("/api/v1", &caller, &Value::Null, 5).is_err());
    }

    #[test]
    fn exclusions_are_counted_by_name() {
        let notes = std::env::temp_dir().join(format!("stockroom-excluded-{}", std::process::id()));
        fs::write(&notes, "a\tbecause\nb\tfor\na\tbecause\n").expect("a file");
        let told = used(&notes);
        fs::remove_file(&notes).expect("a file");
        assert_eq!(told, "Passed over:\n       2 x a: because\n       1 x b: for");
    }
}
