//! The two types of value that Stockroom stores, and a row of them.

use crate::StoreError;

/// A parameter, or a value that was read. Everything stored is a 64-bit integer or a text.
///
/// Booleans are 0 and 1; times are microseconds since 1970 UTC; money is in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A whole number.
    Int(i64),
    /// A text without the character U+0000, which no database but SQLite can store.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer; columns are counted from 0. Texts are taken out of it, not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// All values, in the order of the columns.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The integer in a column.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is missing, NULL or a text.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self.values.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(unexpected(column, "an integer", other)),
        }
    }

    /// The integer in a column that may be NULL.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is missing or a text.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.values.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            other => Err(unexpected(column, "an integer or NULL", other)),
        }
    }

    /// The text in a column, which is NULL from now on.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is missing, NULL or an integer.
    pub fn text(&mut self, column: usize) -> Result<String, StoreError> {
        match self.values.get_mut(column) {
            Some(slot @ Value::Text(_)) => match std::mem::take(slot) {
                Value::Text(text) => Ok(text),
                other => Err(unexpected(column, "a text", Some(&other))),
            },
            other => Err(unexpected(column, "a text", other.as_deref())),
        }
    }

    /// The text in a column that may be NULL; the column is NULL from now on.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is missing or an integer.
    pub fn opt_text(&mut self, column: usize) -> Result<Option<String>, StoreError> {
        match self.values.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// The text in a column, borrowed.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is missing, NULL or an integer.
    pub fn as_text(&self, column: usize) -> Result<&str, StoreError> {
        match self.values.get(column) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(unexpected(column, "a text", other)),
        }
    }

    /// The boolean in a column: 0 or 1.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when the column is anything else.
    pub fn flag(&self, column: usize) -> Result<bool, StoreError> {
        match self.values.get(column) {
            Some(Value::Int(0)) => Ok(false),
            Some(Value::Int(1)) => Ok(true),
            other => Err(unexpected(column, "0 or 1", other)),
        }
    }
}

fn unexpected(column: usize, expected: &str, found: Option<&Value>) -> StoreError {
    let found = match found {
        None => "there is no such column",
        Some(Value::Null) => "found NULL",
        Some(Value::Int(_)) => "found an integer",
        Some(Value::Text(_)) => "found a text",
    };
    StoreError::decode(format!("column {column} should be {expected}, {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_what_was_asked_for_or_says_why_not() {
        let mut row = Row::new(vec![7.into(), "x".into(), Value::Null, true.into(), "secret".into()]);
        assert_eq!(row.int(0).unwrap(), 7);
        assert_eq!(row.opt_int(0).unwrap(), Some(7));
        assert_eq!(row.opt_int(2).unwrap(), None);
        assert!(row.flag(3).unwrap());
        assert_eq!(row.as_text(1).unwrap(), "x");
        assert_eq!(row.text(1).unwrap(), "x");
        assert!(row.text(1).is_err(), "a text can be taken once");
        assert_eq!(row.opt_text(2).unwrap(), None);
        assert_eq!(row.opt_text(4).unwrap().as_deref(), Some("secret"));
        assert!(row.flag(0).is_err());
        assert!(row.int(9).unwrap_err().to_string().contains("no such column"));
    }

    #[test]
    fn the_message_does_not_tell_the_value() {
        let row = Row::new(vec!["secret".into()]);
        let message = row.int(0).unwrap_err().to_string();
        assert_eq!(
            message,
            "a stored value cannot be understood: column 0 should be an integer, found a text"
        );
    }

    #[test]
    fn options_become_null() {
        assert_eq!(Value::from(None::<i64>), Value::Null);
        assert_eq!(Value::from(Some("a")), Value::Text("a".into()));
    }
}
