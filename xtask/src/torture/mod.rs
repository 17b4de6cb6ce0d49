//! `cargo xtask torture`: the long forms of tests that do a little of the same in every run of `cargo test`, one after
//! another, and a table of what was wanted and what was done.
//!
//! Each is a test that takes its number of rounds from the environment and tells in one line what it has done. It finds
//! what it looks for by failing; its controls, which prove that it would, are tests beside it and run first. What programs
//! of others try is listed beside them as trials.

mod forms;
mod fuzz;
mod mutants;
mod options;
mod outcome;
mod programs;
mod schemathesis;

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testbed::Server;

use crate::Failure;
use crate::bench::table::write_table;
use crate::suite::Database;
use forms::{Form, Trial};
use options::Options;
use outcome::Outcome;
use programs::{Program, run_tests};

/// No form may take longer, on two cores.
const LIMIT: Duration = Duration::from_secs(600);

/// One line of the table.
struct Line {
    name: &'static str,
    database: Database,
    wanted: u64,
    outcome: Outcome,
    took: Duration,
}

impl Line {
    fn is_met(&self) -> bool {
        self.outcome.rounds.is_some_and(|rounds| rounds >= self.wanted)
    }
}

/// What was done, as a table.
struct Table<'a>(&'a [Line]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["what", "on", "wanted", "done", "found", "seconds", "met"].map(str::to_owned).to_vec();
        let lines = self.0.iter().map(|line| {
            vec![
                line.name.to_owned(),
                line.database.name().to_owned(),
                line.wanted.to_string(),
                line.outcome.rounds.map_or_else(|| "–".to_owned(), |rounds| rounds.to_string()),
                line.outcome.found.clone(),
                line.took.as_secs().to_string(),
                if line.is_met() { "yes" } else { "NO" }.to_owned(),
            ]
        });
        write_table(f, &std::iter::once(header).chain(lines).collect::<Vec<_>>())
    }
}

/// Runs the forms that are named, or all, and fails when one of them is not met.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::read(args)?;
    // Trials need no server.
    let databases = if options.forms.is_empty() { &[][..] } else { &options.databases };
    for database in databases {
        database.require()?;
    }
    let mut lines = Vec::new();
    for database in databases {
        // Dropped, and so stopped, when the forms have run.
        let server = database.kind().map(|kind| Server::start(kind, false)).transpose()?;
        for form in options.forms.iter().filter(|form| *database == Database::Sqlite || form.on_all) {
            let program = Program::build(form.package, form.target, !options.is_quick)?;
            lines.push(perform(form, *database, server.as_ref(), &program, &options)?);
        }
    }
    for trial in &options.trials {
        lines.push(attempt(trial, &options)?);
    }
    println!("\n{}", Table(&lines));
    let is_met = !lines.is_empty() && lines.iter().all(Line::is_met);
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one form on one database: its controls first, then the rounds.
fn perform(
    form: &'static Form,
    database: Database,
    server: Option<&Server>,
    program: &Program,
    options: &Options,
) -> Result<Line, Failure> {
    let wanted = if options.is_quick { form.few } else { form.rounds };
    println!("\nxtask: torture {} on {}, {wanted} rounds", form.name, database.name());
    let url = server.map(|server| server.url(""));
    let started = Instant::now();
    let mut outcome = Outcome::default();
    for control in form.controls {
        // What is about SQLite alone has run there.
        if database == Database::Sqlite || !control.contains("sqlite_only") {
            let said = run_tests(program, control, None, url.as_deref(), LIMIT)?;
            outcome.note_control(control, &said);
        }
    }
    let left = LIMIT.saturating_sub(started.elapsed());
    let said = run_tests(program, form.test, Some(wanted), url.as_deref(), left)?;
    outcome.note(form.name, &said);
    Ok(Line { name: form.name, database, wanted, outcome, took: started.elapsed() })
}

/// Has a program of others try something.
fn attempt(trial: &'static Trial, options: &Options) -> Result<Line, Failure> {
    let wanted = if options.is_quick { trial.few } else { trial.wanted };
    println!("\nxtask: torture {}, {wanted} wanted", trial.name);
    let started = Instant::now();
    let outcome = (trial.perform)(options.is_quick)?;
    Ok(Line { name: trial.name, database: Database::Sqlite, wanted, outcome, took: started.elapsed() })
}
