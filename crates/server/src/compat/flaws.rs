//! What is wrong with a request, as pydantic words it: `type`, `loc`, `msg`, `input`.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::fastapi::refusal;
use crate::http::problem::{Problem, Said};
use crate::wire::extract;
use crate::wire::invalid;
use crate::wire::node::{self, FORMAL, Flaw, Habits, Kind, Node, Segment};
use crate::wire::query;

/// A type and its message.
pub(super) type Wording<'a> = (&'a str, &'a str);

pub(super) const INT_PARSING: Wording<'static> =
    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
pub(super) const NO_OBJECT: Wording<'static> =
    ("model_attributes_type", "Input should be a valid dictionary or object to extract fields from");

/// Stands for a password.
pub(super) const HIDDEN: &str = "**********";

/// Larger bodies are told only their first flaw: searching for all of them reads the body many times.
const LARGEST_THOROUGH: usize = 16 * 1024;

/// The longest input that is repeated, in bytes of JSON.
const LONGEST_INPUT: usize = 1024;

/// What of a request is repeated in `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// Everything but members that are named like secrets.
    Open,
    /// These members of the object, as far as they are plain, and nothing else: the request has a password in it, and
    /// people put it into the wrong place.
    Only(&'static [&'static str]),
}

/// Where pairs come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A form.
    Body,
    /// The query.
    Query,
}

impl Place {
    const fn word(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
        }
    }
}

/// One flaw as FastAPI tells it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    loc: Vec<Value>,
    msg: Cow<'a, str>,
    input: Value,
}

impl Told<'_> {
    /// A flaw that pydantic has no type for.
    fn of_value(loc: Vec<Value>, message: &str) -> Self {
        let msg = format!("Value error, {message}").into();
        Self { kind: "value_error".into(), loc, msg, input: Value::Null }
    }
}

/// 422 with one flaw.
pub(super) fn one(loc: &[Value], (kind, msg): Wording<'_>, input: &Value) -> Problem {
    refused(&[Told { kind: kind.into(), loc: loc.to_vec(), msg: msg.into(), input: input.clone() }])
}

/// 422 with one flaw of a member of the body.
pub(super) fn of_field(field: &str, wording: Wording<'_>, input: impl Into<Value>) -> Problem {
    one(&[json!("body"), json!(field)], wording, &input.into())
}

/// The `detail` of a number that the rules find out of its range.
pub(super) fn out_of_range(field: &str, line: Option<usize>, min: i64, max: i64) -> Said {
    let loc = match line {
        Some(line) => vec![json!("body"), json!("items"), json!(line), json!(field)],
        None => vec![json!("body"), json!(field)],
    };
    let message = match max < min {
        true => "is too large: nothing more fits".to_owned(),
        false => format!("must be between {min} and {max}"),
    };
    Said::of(&[Told::of_value(loc, &message)])
}

fn refused(flaws: &[Told<'_>]) -> Problem {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR", Said::of(flaws))
}

/// A client's own text made fit for an answer.
pub(super) fn echo(text: &str) -> String {
    invalid::echo(text)
}

/// Reads `a=1&b=2`.
pub(super) fn read_pairs<T: DeserializeOwned>(text: &str, place: Place, shown: Echo) -> Result<T, Problem> {
    let pairs = query::pairs(text).map_err(|invalid| {
        let told = |error: &invalid::FieldError| {
            Told::of_value(vec![json!(place.word()), json!(error.field)], &error.message)
        };
        refused(&invalid.errors.iter().map(told).collect::<Vec<_>>())
    })?;
    let tree = || {
        let entries = pairs.iter().map(|(name, value)| (name.clone(), Node::Param(value.clone())));
        Node::Object(entries.collect())
    };
    read(tree(), tree, place.word(), (text.len(), shown))
}

/// Reads a JSON body.
pub(super) fn read_json<T: DeserializeOwned>(bytes: &[u8], shown: Echo) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(one(&[json!("body")], ("missing", "Field required"), &Value::Null));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| undecodable(error.valid_up_to()))?;
    let tree = || {
        let mut node: Node<'_> = serde_json::from_str(text)?;
        node.keep_digits(text);
        Ok::<_, serde_json::Error>(node)
    };
    let node = tree().map_err(|error| {
        if error.to_string().starts_with("number out of range") {
            let mut loc = vec![json!("body")];
            loc.extend(extract::place_of_error(bytes).iter().map(step));
            return one(&loc, ("finite_number", "Input should be a finite number"), &Value::Null);
        }
        // The line and column of the error, both from 1, as a position.
        let line: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        undecodable(line + error.column().saturating_sub(1))
    })?;
    read(node, || tree().unwrap_or(Node::Null), "body", (bytes.len(), shown))
}

fn undecodable(position: usize) -> Problem {
    one(&[json!("body"), json!(position)], ("json_invalid", "JSON decode error"), &json!({}))
}

/// Reads a tree, which the search for flaws spoils; `again` makes another to quote from.
fn read<'a, T: DeserializeOwned>(
    mut node: Node<'a>,
    again: impl Fn() -> Node<'a>,
    root: &str,
    (size, shown): (usize, Echo),
) -> Result<T, Problem> {
    let habits = Habits { thorough: size <= LARGEST_THOROUGH, lenient: true };
    node::examine(&mut node, habits).map_err(|flaws| {
        let original = again();
        refused(&flaws.iter().map(|flaw| worded(flaw, root, &original, shown)).collect::<Vec<_>>())
    })
}

fn step(segment: &Segment) -> Value {
    match segment {
        Segment::Key(key) => json!(echo(key)),
        Segment::Index(index) => json!(index),
    }
}

fn worded(flaw: &Flaw, root: &str, node: &Node<'_>, shown: Echo) -> Told<'static> {
    let mut loc = vec![json!(root)];
    loc.extend(flaw.path.iter().map(step));
    let (kind, msg) = match &flaw.kind {
        Kind::Missing => (Cow::Borrowed("missing"), Cow::Borrowed("Field required")),
        // Nobody is asked about these: they are passed over.
        Kind::Unknown => (Cow::Borrowed("extra_forbidden"), Cow::Borrowed("Extra inputs are not permitted")),
        Kind::Other(message) => wording_of(message),
    };
    // What is missing has no value: the object that should have it stands for it.
    let missing = matches!(flaw.kind, Kind::Missing);
    let way = &flaw.path[..flaw.path.len() - usize::from(missing && !flaw.path.is_empty())];
    let input = match shown {
        Echo::Open => input(way, node),
        Echo::Only(names) => of_those(names, way, node),
    };
    Told { kind, loc, msg, input }
}

fn wording_of(message: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    if let Some((kind, msg)) = message.split_once(FORMAL) {
        return (kind.to_owned().into(), msg.to_owned().into());
    }
    // What the types of the standard library say.
    let (kind, msg) = match message {
        "must be an object" => NO_OBJECT,
        "must be a list" => ("list_type", "Input should be a valid list"),
        "must be an integer" => INT_PARSING,
        "must be true or false" => ("bool_type", "Input should be a valid boolean"),
        "must be text" => ("string_type", "Input should be a valid string"),
        other => return ("value_error".into(), format!("Value error, {other}").into()),
    };
    (kind.into(), msg.into())
}

/// The value at the end of the way, as far as it is one of these members of the object.
fn of_those(names: &[&str], way: &[Segment], node: &Node<'_>) -> Value {
    let plain = |name: &str, value: &Node<'_>| match value {
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::Param(_)
            if names.contains(&name) =>
        {
            value_of(value)
        }
        _ => json!(HIDDEN),
    };
    match (way, node) {
        ([], Node::Object(entries)) => {
            let known = |name: &str| names.contains(&name) || name == "password";
            let members = entries.iter().filter(|(name, _)| known(name));
            members.map(|(name, value)| (name.to_string(), plain(name, value))).collect::<Map<_, _>>().into()
        }
        ([Segment::Key(key)], Node::Object(entries)) => entries
            .iter()
            .find(|(name, _)| name == key)
            .map_or(Value::Null, |(name, value)| plain(name, value)),
        _ => json!(HIDDEN),
    }
}

/// The value at the end of the way, without secrets and unless it is long.
fn input(way: &[Segment], node: &Node<'_>) -> Value {
    let found = way.iter().try_fold((node, false), |(node, hidden), segment| match (node, segment) {
        (Node::List(items), Segment::Index(index)) => Some((items.get(*index)?, hidden)),
        (Node::Object(entries), Segment::Key(name)) => {
            let (_, value) = entries.iter().find(|(key, _)| key == name)?;
            Some((value, hidden || is_secret(name)))
        }
        _ => None,
    });
    match found {
        None => Value::Null,
        Some((_, true)) => json!(HIDDEN),
        Some((node, false)) => value_of(node),
    }
}

fn value_of(node: &Node<'_>) -> Value {
    let mut room = LONGEST_INPUT;
    value(node, &mut room).unwrap_or(Value::Null)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token"].iter().any(|word| name.contains(word))
}

/// A node as a JSON value; `None` when it takes more than the room that is left.
fn value(node: &Node<'_>, room: &mut usize) -> Option<Value> {
    let size = match node {
        Node::Text(text) | Node::Param(text) => text.len() + 2,
        Node::Decimal(_, digits) => digits.len(),
        _ => 4,
    };
    *room = room.checked_sub(size)?;
    Some(match node {
        Node::Null => Value::Null,
        Node::Bool(flag) => json!(flag),
        Node::Int(number) => json!(number),
        Node::Float(number) | Node::Decimal(number, _) => json!(number),
        Node::Text(text) | Node::Param(text) => json!(text),
        Node::List(items) => Value::Array(items.iter().map(|item| value(item, room)).collect::<Option<_>>()?),
        Node::Object(entries) => {
            let mut members = Map::new();
            for (key, member) in entries {
                *room = room.checked_sub(key.len() + 4)?;
                let member = if is_secret(key) { Some(json!(HIDDEN)) } else { value(member, room) };
                members.insert(key.clone().into_owned(), member?);
            }
            Value::Object(members)
        }
    })
}
