//! How far a copy has come, on standard error: a bar for who watches a terminal, lines for a log.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};
use store::copy::Progress;

/// Whoever watches.
pub(super) enum Watcher {
    /// At a terminal.
    Person(ProgressBar),
    /// Elsewhere: a line for each table.
    Log,
}

impl Watcher {
    /// The one that standard error leads to.
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Log;
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg}");
        Self::Person(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar))
    }

    /// Tells what is being done, while nothing can be counted.
    pub(super) fn says(&self, what: &'static str) {
        match self {
            Self::Person(bar) => bar.set_message(what),
            Self::Log => line(what),
        }
    }

    /// Tells what has happened.
    pub(super) fn sees(&mut self, progress: Progress) {
        match self {
            Self::Person(bar) => draw(bar, progress),
            Self::Log => match progress {
                Progress::Begun { carried: 0, .. } | Progress::Portion { .. } => {}
                Progress::Begun { rows, carried } => line(&format!(
                    "going on where an earlier copy stopped: {} of {} rows are there",
                    grouped(carried),
                    grouped(rows)
                )),
                Progress::Table { table, rows } => line(&format!("copied {table}: {}", grouped(rows))),
                Progress::Comparing => line("comparing source and target"),
            },
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Self::Person(bar) = self {
            // What comes next stands on its place.
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Begun { rows, carried } => {
            let style = "{msg:16} [{bar:30}] {human_pos} of {human_len} rows, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message("copying");
            bar.set_length(unsigned(rows));
            bar.set_position(unsigned(carried));
            // The rows of an earlier attempt say nothing about the speed of this one.
            bar.reset_eta();
        }
        Progress::Portion { table, rows } => {
            bar.set_message(table);
            bar.inc(unsigned(rows));
        }
        Progress::Table { .. } => {}
        Progress::Comparing => bar.set_message("comparing"),
    }
}

fn line(text: &str) {
    // There is nowhere to report that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Numbers of rows are never negative.
fn unsigned(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

/// A number of rows with commas: `1,234,567`.
pub(in crate::commands) fn grouped(rows: i64) -> String {
    indicatif::HumanCount(unsigned(rows)).to_string()
}
