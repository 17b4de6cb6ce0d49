//! What was expected beside what came: every difference, with its line.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::harness::Answer;

use super::format::Expected;
use super::json::{Json, Value};

/// Something that is not as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    pub(crate) line: usize,
    /// `status`, the name of a header, or the place in the body.
    pub(crate) place: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// As the first item of a list: the others may come in any order.
const ANY_ORDER: &str = "<<any order>>";
/// As the name of a member: there may be others that are not named.
const OTHERS: &str = "<<others>>";

/// Values that a transcript keeps, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Captures(BTreeMap<String, String>);

impl Captures {
    /// Puts kept values in the place of `{{name}}`.
    ///
    /// # Errors
    /// A name that nothing was kept under.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let name = after.split_once("}}").filter(|(name, _)| is_name(name));
            let Some((name, after)) = name else {
                filled.push_str("{{");
                rest = after;
                continue;
            };
            filled.push_str(self.0.get(name).ok_or(format!("nothing was kept as {{{{{name}}}}}"))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What stands for a value that nobody can know in advance.
struct Shape<'a> {
    keep: Option<&'a str>,
    word: &'a str,
}

impl<'a> Shape<'a> {
    /// `<<word>>` or `<<name: word>>`.
    fn read(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix("<<")?.strip_suffix(">>")?;
        Some(match inner.split_once(": ") {
            Some((keep, word)) => Self { keep: Some(keep), word },
            None => Self { keep: None, word: inner },
        })
    }

    /// Whether a value has this shape; `None` for a shape that is not known.
    fn fits(&self, got: &Json) -> Option<bool> {
        let text = match &got.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        };
        Some(match self.word {
            "any" => true,
            "text" => text.is_some_and(|text| !text.trim().is_empty()),
            "int" => matches!(&got.value, Value::Number(token) if token.parse::<i64>().is_ok()),
            "number" => matches!(got.value, Value::Number(_)),
            "bool" => matches!(got.value, Value::Bool(_)),
            "time" => text.is_some_and(is_time),
            "token" => text.is_some_and(is_token),
            _ => return None,
        })
    }
}

/// RFC 3339, with a `T` and an offset.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    punctuation.iter().all(|&(at, mark)| bytes.get(at) == Some(&mark))
        && (text.ends_with('Z') || matches!(bytes.iter().rev().nth(5), Some(b'+' | b'-')))
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Three parts in base64url, as a JSON Web Token has.
fn is_token(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.split('.').count() == 3 && text.split('.').all(part)
}

/// Compares an answer with what was expected of it, keeping what is to be kept.
pub(crate) fn compare(expected: &Expected, got: &Answer, captures: &mut Captures) -> Vec<Mismatch> {
    let mut comparison = Comparison { captures, found: Vec::new() };
    let status = got.status.as_str();
    let same = |(expected, got): (char, char)| expected == 'x' || expected == got;
    if !expected.status.chars().zip(status.chars()).all(same) {
        comparison.differs(expected.line, "status", &expected.status, &status);
    }
    for header in &expected.headers {
        let value = got.headers.get(&header.name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let value = value.as_deref();
        comparison.raw(header.line, &header.name, &header.value, value);
    }
    comparison.body(expected, &got.text);
    comparison.found
}

struct Comparison<'a> {
    captures: &'a mut Captures,
    found: Vec<Mismatch>,
}

impl Comparison<'_> {
    fn differs(&mut self, line: usize, place: &str, expected: &dyn Display, got: &dyn Display) {
        let (expected, got) = (expected.to_string(), got.to_string());
        self.found.push(Mismatch { line, place: place.to_owned(), expected, got });
    }

    /// Text outside JSON: a header, or a body that is nothing but a shape.
    fn raw(&mut self, line: usize, place: &str, expected: &str, got: Option<&str>) {
        match (self.captures.fill(expected), got) {
            (Err(unknown), _) => self.differs(line, place, &expected, &unknown),
            (Ok(expected), None) => self.differs(line, place, &expected, &"nothing"),
            (Ok(expected), Some(got)) => {
                let value = |text: &str| Json { line, value: Value::Text(text.to_owned()) };
                self.value(&value(&expected), &value(got), place);
            }
        }
    }

    fn body(&mut self, expected: &Expected, got: &str) {
        let line = expected.body_line;
        if expected.body.is_empty() {
            if !got.is_empty() {
                self.differs(line, "body", &"nothing", &got);
            }
            return;
        }
        if Shape::read(&expected.body).is_some() {
            return self.raw(line, "body", &expected.body, Some(got));
        }
        let wanted = self.captures.fill(&expected.body).and_then(|text| Json::read(&text, line));
        match (wanted, Json::read(got, 1)) {
            (Err(fault), _) => self.differs(line, "transcript", &"JSON with known names", &fault),
            (Ok(wanted), Err(_)) => self.differs(line, "body", &wanted, &format!("no JSON: {got:?}")),
            (Ok(wanted), Ok(got)) => self.value(&wanted, &got, "$"),
        }
    }

    fn value(&mut self, expected: &Json, got: &Json, place: &str) {
        match (&expected.value, &got.value) {
            (Value::Text(text), _) if Shape::read(text).is_some() => self.shape(expected, got, place),
            (Value::Object(wanted), Value::Object(_)) => self.object(expected, wanted, got, place),
            (Value::List(wanted), Value::List(items)) => match wanted.split_first() {
                Some((first, wanted)) if first.value == Value::Text(ANY_ORDER.to_owned()) => {
                    self.list_in_any_order(first.line, wanted, items, place);
                }
                _ => self.list(expected.line, wanted, &items.iter().collect::<Vec<_>>(), place),
            },
            (wanted, got) if wanted == got => {}
            _ => self.differs(expected.line, place, &expected, &got),
        }
    }

    fn shape(&mut self, expected: &Json, got: &Json, place: &str) {
        let Value::Text(text) = &expected.value else { return };
        let Some(shape) = Shape::read(text) else { return };
        match shape.fits(got) {
            None => self.differs(expected.line, place, &text, &"a shape that does not exist"),
            Some(false) => self.differs(expected.line, place, &text, &got),
            Some(true) => {
                let Some(name) = shape.keep else { return };
                let value = match &got.value {
                    Value::Text(text) => text.clone(),
                    _ => got.to_string(),
                };
                if !is_name(name) {
                    self.differs(expected.line, place, &text, &"a name that cannot be used");
                }
                self.captures.0.insert(name.to_owned(), value);
            }
        }
    }

    fn object(&mut self, expected: &Json, wanted: &[(String, Json)], got: &Json, place: &str) {
        let Value::Object(members) = &got.value else { return };
        for (name, wanted) in wanted.iter().filter(|(name, _)| name != OTHERS) {
            let place = format!("{place}.{name}");
            match got.member(name) {
                Some(member) => self.value(wanted, member, &place),
                None => self.differs(wanted.line, &place, &wanted, &"nothing"),
            }
        }
        if expected.member(OTHERS).is_some() {
            return;
        }
        for (name, member) in members.iter().filter(|(name, _)| expected.member(name).is_none()) {
            self.differs(expected.line, &format!("{place}.{name}"), &"nothing", &member);
        }
    }

    fn list(&mut self, line: usize, wanted: &[Json], items: &[&Json], place: &str) {
        for index in 0..wanted.len().max(items.len()) {
            let place = format!("{place}[{index}]");
            match (wanted.get(index), items.get(index)) {
                (Some(wanted), Some(item)) => self.value(wanted, item, &place),
                (Some(wanted), None) => self.differs(wanted.line, &place, &wanted, &"nothing"),
                (None, Some(item)) => self.differs(line, &place, &"nothing", &item),
                (None, None) => {}
            }
        }
    }

    /// Pairs equals first; what is left is compared in the order in which it stands.
    fn list_in_any_order(&mut self, line: usize, wanted: &[Json], items: &[Json], place: &str) {
        let mut left: Vec<&Json> = items.iter().collect();
        let mut lacking = Vec::new();
        for wanted in wanted {
            let fitting = left.iter().position(|item| {
                let mut captures = self.captures.clone();
                let mut trial = Comparison { captures: &mut captures, found: Vec::new() };
                trial.value(wanted, item, place);
                trial.found.is_empty()
            });
            match fitting {
                Some(index) => self.value(wanted, left.remove(index), place),
                None => lacking.push(wanted.clone()),
            }
        }
        self.list(line, &lacking, &left, &format!("{place}, the rest"));
    }
}
