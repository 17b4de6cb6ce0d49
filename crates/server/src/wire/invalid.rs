//! What a client got wrong, field by field.

use std::fmt;

use super::node::Segment;

/// The longest piece of a client's own text that is repeated back to it, in characters.
const LONGEST_ECHO: usize = 64;

/// One field of the input and what is the matter with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field (`items[0].quantity`), the name of a parameter or header, or `body`.
    pub field: String,
    /// What is wrong, as the end of a sentence that starts with the field: `must be at least 1`.
    pub message: String,
}

/// The input breaks a rule. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Every error that was found, in the order of discovery.
    pub errors: Vec<FieldError>,
}

impl Invalid {
    /// One error on one field.
    #[must_use]
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { errors: vec![FieldError { field: field.into(), message: message.into() }] }
    }

    /// `Ok` when nothing was found, else all of it.
    pub(crate) fn unless_empty(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors }) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.errors.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(out, "{separator}{} {}", error.field, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// Why a request body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes arrived and are not what the operation wants.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The body is longer than the server accepts.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes that are accepted.
        limit: usize,
    },
    /// The `Content-Type` is none that the operation reads.
    #[error("this operation reads {accepted}")]
    UnsupportedMediaType {
        /// The media types that are read, for the answer's detail.
        accepted: &'static str,
    },
    /// The client went away or broke the framing before the body was complete.
    #[error("the body did not arrive completely")]
    Incomplete,
}

/// A client's own text made fit for an answer: short, and without control characters.
pub(crate) fn echo(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(LONGEST_ECHO)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(LONGEST_ECHO).is_some() {
        out.push('…');
    }
    out
}

/// Writes a path as `items[0].quantity`; the empty path is `root`.
pub(crate) fn field_name(path: &[Segment], root: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&echo(key));
            }
            // Writing to a String cannot fail.
            Segment::Index(index) => _ = write!(out, "[{index}]"),
        }
    }
    if out.is_empty() { root.to_owned() } else { out }
}
