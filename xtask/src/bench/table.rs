//! Figures as Markdown that also reads well on a terminal.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::Failure;

/// Writes rows of equal width, the header first. The columns are as wide as their widest cell; all but the first
/// stand to the right.
pub(crate) fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let (width, first) = (*width, column == 0);
            if first { write!(f, "| {cell:<width$} ")? } else { write!(f, "| {cell:>width$} ")? }
        }
        writeln!(f, "|")?;
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                if column == 0 { write!(f, "|{dashes}-")? } else { write!(f, "|{dashes}:")? }
            }
            writeln!(f, "|")?;
        }
    }
    Ok(())
}

/// A figure that is wanted, and whether it was reached; `None` when it was not measured.
pub(super) struct Wanted {
    pub(super) what: String,
    pub(super) met: Option<bool>,
    pub(super) measured: String,
}

impl Wanted {
    pub(super) fn at_least(what: String, ratio: Option<f64>, least: f64) -> Self {
        Self {
            what,
            met: ratio.map(|ratio| ratio >= least),
            measured: ratio.map_or_else(missing, |ratio| format!("{ratio:.2}")),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = self.met.map_or("–", |met| if met { "✓" } else { "✗" });
        write!(f, "- {mark} {} ({})", self.what, self.measured)
    }
}

/// What stands for a figure that was not measured.
pub(super) fn missing() -> String {
    "–".to_owned()
}

/// A whole number with commas: `77,901`.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where a report stands in a file: the command that measured it is its first mark.
const END: &str = "<!-- end of the measurement -->";

/// Writes the report of a command into a file: between its two marks where it has them, otherwise as the whole file.
pub(super) fn write_into(file: &Path, command: &str, report: &str) -> Result<(), Failure> {
    let old = fs::read_to_string(file).unwrap_or_default();
    fs::write(file, merged(&old, command, report))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn merged(old: &str, command: &str, report: &str) -> String {
    let begin = format!("<!-- measured by {command} -->");
    let marked = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.unwrap_or(("", "\n"));
    format!("{before}{begin}\n\n{report}\n{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_only_what_stands_between_its_marks() {
        let (one, other) = ("cargo xtask bench", "cargo xtask bench --database postgres");
        let first = merged("", one, "one");
        assert_eq!(first, format!("<!-- measured by {one} -->\n\none\n{END}\n"));
        let framed = format!("# Speed\n\n{first}\nafter\n{}", merged("", other, "other"));
        assert_eq!(merged(&framed, one, "two"), framed.replace("one", "two"));
        assert_eq!(merged(&framed, other, "two"), framed.replace("\nother", "\ntwo"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(77_901.33), "77,901");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(12.0), "12");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
