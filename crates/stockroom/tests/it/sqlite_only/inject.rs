//! Each write and each sync of a server fails, one after the other, once or for good, or kills it: what was answered is
//! kept, what was refused has not happened, and what is unknown is settled by the same key.

use std::path::Path;

use serde_json::Value;

use super::is_torture;
use super::trace::{Effect, Fault, strace, under, was_met};
use crate::callers::{OPENING, furnish, look};
use crate::history::{Ask, Sent, audit};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// What an embedded database asks of the disk.
const CALLS: [&str; 4] = ["pwrite64", "fsync", "ftruncate", "unlink"];

/// A shop to begin with, copied for each round.
struct Template {
    place: Place,
    token: String,
}

impl Template {
    fn new() -> Self {
        let place = Place::new();
        let token = furnish(&place, &[]);
        Self { place, token }
    }

    fn copy(&self) -> Place {
        let place = Place::new();
        let data = place.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for entry in std::fs::read_dir(self.place.path().join("data")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
        }
        place
    }
}

/// What came of a round.
#[derive(Debug, Default)]
struct Round {
    met: bool,
    /// Requests that were answered 503 and 504, and those that had no answer.
    refused: usize,
    unknown: usize,
    cut: usize,
    findings: Vec<String>,
}

/// What a client was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Nothing,
}

/// Places, confirms and cancels, in the course of which something fails.
struct Shopper<'a> {
    client: Client,
    repeats: bool,
    round: &'a mut Round,
    history: Vec<Sent>,
    told: Vec<Told>,
}

impl Shopper<'_> {
    /// Sends a command until it is done, or once if nothing is to be repeated. The answer that it was done, if it was.
    fn ask(&mut self, ask: Ask) -> Option<Value> {
        let key = format!("key-{}", self.history.len());
        self.history.push(Sent { key, ask, done: None });
        self.told.push(Told::Nothing);
        let at = self.history.len() - 1;
        for _ in 0..if self.repeats { 4 } else { 1 } {
            if self.send(at).is_some() {
                break;
            }
        }
        self.history[at].done.clone()
    }

    fn send(&mut self, at: usize) -> Option<Value> {
        let Sent { key, ask, .. } = &self.history[at];
        let (path, body) = ask.request();
        let Ok(answer) = self.client.send("POST", &path, Some(key), body.as_ref()) else {
            self.round.cut += 1;
            self.told[at] = Told::Nothing;
            return None;
        };
        match answer.status {
            200 | 201 => {
                self.history[at].done = serde_json::from_str(&answer.text).ok();
                self.told[at] = Told::Done;
            }
            503 if answer.text.contains("STORAGE_FAILED") => {
                self.round.refused += 1;
                // What is unknown stays so: this is about the repetition.
                if self.round.unknown == 0 {
                    self.told[at] = Told::NotDone;
                }
            }
            504 if answer.text.contains("OUTCOME_UNKNOWN") => {
                self.round.unknown += 1;
                self.told[at] = Told::Nothing;
            }
            _ => self.round.findings.push(format!("{ask:?} was answered {}: {}", answer.status, answer.text)),
        }
        self.history[at].done.clone()
    }

    /// Two orders, of which one is confirmed and the other cancelled, and pieces taken in.
    fn shop(&mut self) {
        let place = |mark| Ask::Place(vec![(1, mark), (2, 3)]);
        let id = |done: &Value| done["order_id"].as_i64().unwrap();
        if let Some(done) = self.ask(place(1)) {
            self.ask(Ask::Confirm(1, id(&done)));
        }
        if let Some(done) = self.ask(place(2)) {
            self.ask(Ask::Cancel(2, id(&done)));
        }
        self.ask(Ask::Increment(3, 5));
    }
}

/// Runs a server into the fault, kills it, and looks.
fn round(template: &Template, strace: &Path, fault: Fault, repeats: bool) -> Round {
    let place = template.copy();
    let mut round = Round::default();
    let command = place.command(&Server::arguments(&[]));
    let started = Server::start_by(&place, under(strace, &place, &command, fault));
    let (mut history, mut told) = (Vec::new(), Vec::new());
    let is_killed = fault.effect == Effect::Kill;
    round.met = is_killed && started.is_err();
    if let Ok(server) = started {
        let client = server.client().with_token(&template.token);
        let mut shopper = Shopper { client, repeats, round: &mut round, history, told };
        shopper.shop();
        (history, told) = (shopper.history, shopper.told);
        if is_killed {
            round.met = round.cut > 0;
        } else {
            // Whatever cannot be written, can be read.
            let read =
                server.client().with_token(&template.token).call("GET", "/api/v1/orders?limit=9", None);
            if read.status != 200 {
                round.findings.push(format!("reading was answered {}: {}", read.status, read.text));
            }
        }
        server.kill();
    }
    round.met = round.met || !is_killed && was_met(&place);
    look_afterwards(template, &place, history, &told, &mut round);
    round
}

/// Starts the server on a sound disk, holds what there is against what was told, and settles what is unknown.
fn look_afterwards(
    template: &Template,
    place: &Place,
    mut history: Vec<Sent>,
    told: &[Told],
    round: &mut Round,
) {
    let server = match Server::start_by(place, place.command(&Server::arguments(&[]))) {
        Ok(server) => server,
        Err(said) => return round.findings.push(said),
    };
    let mut client = server.client().with_token(&template.token);
    // What was refused for certain must not be there: as if it had not been sent.
    let certain = history.iter().zip(told).filter(|(_, told)| **told != Told::NotDone);
    let certain: Vec<Sent> = certain.map(|(sent, _)| sent.clone()).collect();
    round.findings.extend(audit(&certain, &look(&mut client), OPENING));
    for sent in history.iter_mut().filter(|sent| sent.done.is_none()) {
        let (path, body) = sent.ask.request();
        let answer = client.call_with_key("POST", &path, &sent.key, body.as_ref());
        if !matches!(answer.status, 200 | 201) {
            round.findings.push(format!("repeated, {:?} was answered {}", sent.ask, answer.text));
        }
        sent.done = serde_json::from_str(&answer.text).ok();
    }
    round.findings.extend(audit(&history, &look(&mut client), OPENING));
    if server.stop() != 0 {
        round.findings.push("the server did not end well".to_owned());
    }
    let verified = place.run(&["verify"]);
    if verified.code != 0 {
        round.findings.push(format!("verify: {}{}", verified.answer, verified.errors));
    }
}

/// Every fault of a kind, until there is none left to meet.
fn all_of(template: &Template, strace: &Path, kind: Fault, repeats: bool) -> (usize, Vec<String>) {
    let (mut rounds, mut findings, mut refused, mut unknown, mut cut) = (0, Vec::new(), 0, 0, 0);
    // There are hundreds of writes, for the start and for the orders, and a few of everything else.
    let step = if is_torture() || kind.call != "pwrite64" { 1 } else { 13 };
    for nth in (kind.nth..).step_by(step) {
        let round = round(template, strace, Fault { nth, ..kind }, repeats);
        if !round.met {
            break;
        }
        rounds += 1;
        (refused, unknown, cut) = (refused + round.refused, unknown + round.unknown, cut + round.cut);
        findings.extend(
            round.findings.into_iter().map(|finding| format!("{:?}: {finding}", Fault { nth, ..kind })),
        );
    }
    println!(
        "{} {:?}{}: {rounds} rounds, {refused} refused, {unknown} unknown, {cut} cut, {} findings",
        kind.call,
        kind.effect,
        if kind.for_good { " for good" } else { "" },
        findings.len()
    );
    (rounds, findings)
}

#[test]
fn a_write_or_sync_that_fails_is_never_answered_as_done() {
    let Some(strace) = strace() else { return };
    let template = Template::new();
    let mut findings = Vec::new();
    let mut rounds = 0;
    for call in CALLS {
        for (effect, for_good, repeats) in [
            (Effect::Error("EIO"), false, true),
            (Effect::Error("EIO"), false, false),
            (Effect::Error("EIO"), true, false),
            (Effect::Error("ENOSPC"), false, true),
            (Effect::Kill, false, false),
        ] {
            if effect == Effect::Error("ENOSPC") && !is_torture() {
                continue;
            }
            let kind = Fault { call, effect, nth: 1, for_good };
            let (met, found) = all_of(&template, &strace, kind, repeats);
            rounds += met;
            findings.extend(found);
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
    println!("torture inject: {rounds} faults, 0 lost, 0 corrupt, 0 wrong answers");
    assert!(rounds > 20, "hardly any fault was met");
}

/// A program that ends by itself, into every fault there is: afterwards it is run again, and must find its way.
fn runs_into_everything(
    arguments: &[&str],
    calls: &[&'static str],
    template: impl Fn() -> Place,
    after: impl Fn(&Place, bool),
) {
    let Some(strace) = strace() else { return };
    for call in calls {
        for (effect, for_good) in [
            (Effect::Error("EIO"), false),
            (Effect::Error("EIO"), true),
            (Effect::Error("ENOSPC"), false),
            (Effect::Kill, false),
        ] {
            if (for_good || effect == Effect::Error("ENOSPC")) && !is_torture() {
                continue;
            }
            let (mut rounds, mut failed) = (0, 0);
            let step = if is_torture() || *call != "pwrite64" { 1 } else { 29 };
            for nth in (1..).step_by(step) {
                let place = template();
                let command = place.command(arguments);
                let output =
                    under(&strace, &place, &command, Fault { call, effect, nth, for_good }).output().unwrap();
                let was_killed = output.status.code().is_none();
                if !was_killed && !was_met(&place) {
                    break;
                }
                rounds += 1;
                failed += usize::from(!output.status.success());
                if !was_killed && !output.status.success() {
                    let said = String::from_utf8(output.stderr).unwrap();
                    assert!(said.contains("error: ") && !said.contains("panicked"), "{said}");
                }
                after(&place, output.status.success());
            }
            println!("{arguments:?} {call} {effect:?}: {rounds} rounds, {failed} failed");
        }
    }
}

#[test]
fn a_migration_that_fails_or_is_killed_is_repeated() {
    runs_into_everything(&["migrate"], &CALLS, Place::new, |place, succeeded| {
        if succeeded {
            assert_eq!(place.run(&["migrate"]).succeeded(), "the database is up to date\n");
        } else {
            place.run(&["migrate"]).succeeded();
        }
        place.run(&["verify"]).succeeded();
    });
}

#[test]
fn a_backup_that_fails_or_is_killed_leaves_no_file() {
    let template = Template::new();
    let file = |place: &Place| place.path().join("kept.sqlite");
    let calls = ["pwrite64", "fsync", "rename", "renameat2", "ftruncate"];
    runs_into_everything(
        &["backup", "kept.sqlite"],
        &calls,
        || template.copy(),
        |place, succeeded| {
            // Killed after it had its name, it is complete, too.
            if !file(place).exists() {
                assert!(!succeeded);
                place.run(&["backup", "kept.sqlite"]).succeeded();
            }
            let other = Place::new();
            other.run(&["restore", file(place).to_str().unwrap()]).succeeded();
            other.run(&["verify"]).succeeded();
        },
    );
}

#[test]
fn a_restore_that_fails_or_is_killed_leaves_the_old_shop_or_the_new_one() {
    let template = Template::new();
    template.place.run(&["backup", "kept.sqlite"]).succeeded();
    let kept = template.place.path().join("kept.sqlite");
    let calls = ["pwrite64", "fsync", "rename", "ftruncate", "unlink"];
    runs_into_everything(
        &["restore", kept.to_str().unwrap(), "--replace"],
        &calls,
        || template.copy(),
        |place, _| {
            place.run(&["verify"]).succeeded();
            let server = Server::start(place, &[]);
            assert_eq!(look(&mut server.client().with_token(&template.token)).stock.len(), 4);
        },
    );
}

/// The control: writes that are answered as done and were not. A server that took no notice of a failed write would look
/// like this.
#[test]
fn a_write_that_was_not_done_is_noticed() {
    let Some(strace) = strace() else { return };
    let template = Template::new();
    let lies = (1..60).step_by(3).map(|nth| Fault {
        call: "pwrite64",
        effect: Effect::Lie(4096),
        nth,
        for_good: false,
    });
    let noticed =
        lies.map(|fault| round(&template, &strace, fault, false)).find(|it| !it.findings.is_empty());
    println!("{noticed:?}");
    assert!(noticed.is_some_and(|round| round.met));
}
