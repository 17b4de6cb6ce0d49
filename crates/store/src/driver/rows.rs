//! Many rows on their way into the database, as one parameter.

use super::{Row, Value};
use crate::StoreError;
use std::fmt::Write as _;

/// One value of a row to be written; texts are borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'a str),
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(value) => Self::Int(*value),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// As [`Cell`], with the text kept in [`Rows::text`].
#[derive(Debug, Clone, Copy)]
enum Stored {
    Null,
    Int(i64),
    Text { start: usize, end: usize },
}

/// Rows of equal width, kept flat: two allocations whatever their number, and none when reused.
///
/// How they travel is the driver's business: today as one JSON array of arrays.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    width: usize,
    cells: Vec<Stored>,
    text: String,
}

impl Rows {
    /// No rows yet. The first one fixes the width.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When the row is empty or not as wide as the first one, which is a fault in the calling code.
    pub fn push<const WIDTH: usize>(&mut self, row: [Cell<'_>; WIDTH]) {
        const { assert!(WIDTH > 0, "a row has at least one column") };
        self.append(row.into_iter());
    }

    /// Appends a row as it was read, all columns of it.
    ///
    /// # Panics
    /// As [`Rows::push`].
    pub fn push_read(&mut self, row: &Row) {
        self.append(row.values().iter().map(Cell::from));
    }

    fn append<'a>(&mut self, row: impl ExactSizeIterator<Item = Cell<'a>>) {
        if self.cells.is_empty() {
            self.width = row.len();
        }
        assert_eq!(self.width, row.len(), "all rows have the same columns");
        for cell in row {
            let stored = match cell {
                Cell::Null => Stored::Null,
                Cell::Int(value) => Stored::Int(value),
                Cell::Text(text) => {
                    let start = self.text.len();
                    self.text.push_str(text);
                    Stored::Text { start, end: self.text.len() }
                }
            };
            self.cells.push(stored);
        }
    }

    /// Rows of one integer each: most often ids.
    #[must_use]
    pub fn of_ints(values: impl IntoIterator<Item = i64>) -> Self {
        let cells: Vec<_> = values.into_iter().map(Stored::Int).collect();
        Self { width: 1, cells, text: String::new() }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Number of columns; 0 as long as there is no row.
    pub(super) fn width(&self) -> usize {
        if self.cells.is_empty() { 0 } else { self.width }
    }

    /// The rows as the parameter that a `{rows:…}` source takes.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] when a text contains U+0000.
    pub fn to_value(&self) -> Result<Value, StoreError> {
        self.to_json("null").map(Value::Text)
    }

    /// The same as a text in which `null` is what stands for no value.
    pub(super) fn to_json(&self, null: &str) -> Result<String, StoreError> {
        let mut json = String::with_capacity(self.cells.len() * 12 + self.text.len() + 2);
        self.write_json(&mut json, null)?;
        Ok(json)
    }

    /// The rows one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        self.cells.chunks(self.width.max(1)).map(|row| {
            row.iter().map(|cell| match *cell {
                Stored::Null => Cell::Null,
                Stored::Int(value) => Cell::Int(value),
                Stored::Text { start, end } => Cell::Text(&self.text[start..end]),
            })
        })
    }

    /// Whether every database can store these texts.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.text.contains('\0') { Err(nul_refused()) } else { Ok(()) }
    }

    /// Appends `[[1,"x",null],…]`, with `null` as it is given.
    pub(super) fn write_json(&self, out: &mut String, null: &str) -> Result<(), StoreError> {
        self.check()?;
        out.push('[');
        for (row, cells) in self.iter().enumerate() {
            out.push_str(if row == 0 { "[" } else { ",[" });
            for (column, cell) in cells.enumerate() {
                if column > 0 {
                    out.push(',');
                }
                match cell {
                    Cell::Null => out.push_str(null),
                    Cell::Int(value) => push_int(out, value),
                    Cell::Text(text) => push_text(out, text),
                }
            }
            out.push(']');
        }
        out.push(']');
        Ok(())
    }
}

pub(super) fn nul_refused() -> StoreError {
    StoreError::unsupported("a text with the character U+0000 cannot be stored")
}

fn push_int(out: &mut String, value: i64) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{value}");
}

/// A JSON string. Only the quote, the backslash and what is below U+0020 need escaping; all else is UTF-8 as it is.
fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        // Every byte that is escaped is ASCII, so both ends are boundaries of characters.
        out.push_str(&text[copied..at]);
        copied = at + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(rows: &Rows) -> String {
        match rows.to_value().unwrap() {
            Value::Text(json) => json,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_become_an_array_of_arrays() {
        let mut rows = Rows::new();
        assert_eq!(json(&rows), "[]");
        rows.push([1.into(), "x".into(), Cell::Null]);
        rows.push([i64::MIN.into(), (&String::from("a\"b\\c\n")).into(), i64::MAX.into()]);
        assert_eq!(rows.len(), 2);
        assert_eq!(json(&rows), r#"[[1,"x",null],[-9223372036854775808,"a\"b\\c\n",9223372036854775807]]"#);
        let mut rows = Rows::new();
        rows.push([Cell::from(true)]);
        assert_eq!(json(&rows), "[[1]]");
        assert_eq!(json(&Rows::of_ints([3, 4])), "[[3],[4]]");
        let mut rows = Rows::new();
        rows.push_read(&Row::new(vec![i64::MIN.into(), Value::Null, "ä".into()]));
        assert_eq!(json(&rows), "[[-9223372036854775808,null,\"ä\"]]");
    }

    #[test]
    fn every_character_survives_but_nul() {
        // All of Unicode, in texts of 64 characters, read back by an independent JSON reader.
        let all: Vec<char> = ('\u{1}'..=char::MAX).collect();
        let mut rows = Rows::new();
        let texts: Vec<String> = all.chunks(64).map(|part| part.iter().collect()).collect();
        for text in &texts {
            rows.push([text.into()]);
        }
        let read: Vec<Vec<String>> = serde_json::from_str(&json(&rows)).unwrap();
        assert!(read.into_iter().map(|mut row| row.remove(0)).eq(texts));
    }

    #[test]
    fn nul_is_refused_without_showing_the_text() {
        let mut rows = Rows::new();
        rows.push(["secret\0".into()]);
        let error = rows.to_value().unwrap_err().to_string();
        assert_eq!(error, "a text with the character U+0000 cannot be stored");
    }
}
