//! The tree between bytes and types: what a client sent, before anyone asks what it means.
//!
//! Bodies, forms and queries all become a [`Node`] first. Three things are gained over handing the bytes to
//! the target type: keys given twice are seen, a list is never taken for an object (serde's derived structs
//! would accept `[1, 2]` for `{"product_id": 1, "quantity": 2}`), and every error knows its field.
//! Text is borrowed from the input wherever it holds no escapes, so the detour costs a few hundred nanoseconds.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

mod reader;

pub(crate) use self::reader::{FORMAL, Kind, ONE_OF, is_huge};
use self::reader::{Fault, Reading};
use super::invalid::{FieldError, Invalid, field_name};

/// The most errors that one answer lists.
const MOST_ERRORS: usize = 20;
/// Objects with at most this many keys are searched for duplicates pair by pair, larger ones by hashing.
const FEW_KEYS: usize = 16;

/// One value as the client sent it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent that fits.
    Int(i64),
    /// Any other number; those beyond `i64` are whole and huge.
    Float(f64),
    /// A [`Node::Float`] beside the digits in which it was written, see [`Node::keep_digits`].
    Decimal(f64, Cow<'a, str>),
    /// JSON text.
    Text(Cow<'a, str>),
    /// The value of a query parameter or form field: text that may stand for a number or a truth value.
    Param(Cow<'a, str>),
    /// A JSON array.
    List(Vec<Node<'a>>),
    /// A JSON object, a query or a form; keys in the order sent, duplicates included.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// One step of the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Into an object, by key.
    Key(String),
    /// Into a list, by position from 0.
    Index(usize),
}

/// How the words of an error differ between bodies and queries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording {
    /// What the whole input is called when an error is about none of its fields.
    pub(crate) root: &'static str,
    /// What is said of a key that no field answers to.
    pub(crate) unknown: &'static str,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The way to it from the root.
    pub(crate) path: Vec<Segment>,
    /// What it is.
    pub(crate) kind: Kind,
}

/// How a tree is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Looks for everything that is wrong, instead of stopping at the first.
    pub(crate) thorough: bool,
    /// Passes over fields that nobody asked for.
    pub(crate) lenient: bool,
}

/// Turns the tree into `T`, or lists what is wrong with it: everything when `thorough`, else the first error.
pub(crate) fn read<T: DeserializeOwned>(
    mut node: Node<'_>,
    wording: Wording,
    thorough: bool,
) -> Result<T, Invalid> {
    examine(&mut node, Habits { thorough, lenient: false }).map_err(|flaws| {
        let errors = flaws.into_iter().map(|flaw| FieldError {
            field: field_name(&flaw.path, wording.root),
            message: match flaw.kind {
                Kind::Missing => "is required".to_owned(),
                Kind::Unknown => wording.unknown.to_owned(),
                Kind::Other(message) => message,
            },
        });
        Invalid { errors: errors.collect() }
    })
}

/// Turns the tree into `T`, or lists what is wrong with it. A tree with flaws is spoilt by the search for more.
pub(crate) fn examine<T: DeserializeOwned>(node: &mut Node<'_>, habits: Habits) -> Result<T, Vec<Flaw>> {
    let mut flaws = Vec::new();
    node.check(&mut Vec::new(), &mut flaws);
    let fault = match T::deserialize(node.reading(habits)) {
        Ok(value) => return if flaws.is_empty() { Ok(value) } else { Err(flaws) },
        Err(fault) => fault,
    };
    collect::<T>(node, fault, habits, &mut flaws);
    Err(flaws)
}

/// Reports `fault`, puts something acceptable in its place and looks for the next one, as long as that works.
fn collect<T: DeserializeOwned>(
    node: &mut Node<'_>,
    mut fault: Fault,
    habits: Habits,
    flaws: &mut Vec<Flaw>,
) {
    let mut replaced: Vec<Vec<Segment>> = Vec::new();
    for _ in 0..MOST_ERRORS {
        fault.path.reverse();
        // An error of a whole after one of its parts was replaced may be about the replacement.
        if replaced.iter().any(|path| path.starts_with(&fault.path)) {
            return;
        }
        if flaws.iter().all(|known| known.path != fault.path) {
            flaws.push(Flaw { path: fault.path.clone(), kind: fault.kind.clone() });
        }
        if !habits.thorough || flaws.len() >= MOST_ERRORS {
            return;
        }
        match node.next_fault::<T>(&fault, habits) {
            Next::Fault(next) => {
                if !matches!(fault.kind, Kind::Unknown) {
                    replaced.push(fault.path);
                }
                fault = next;
            }
            Next::Clean | Next::Stuck => return,
        }
    }
}

/// What comes after an error was taken out of the way.
enum Next {
    /// Another error, elsewhere.
    Fault(Fault),
    /// Nothing else is wrong.
    Clean,
    /// Nothing acceptable is known for that place, so the rest cannot be judged.
    Stuck,
}

impl<'a> Node<'a> {
    fn reading(&self, habits: Habits) -> Reading<'_, 'a> {
        Reading { node: self, lenient: habits.lenient }
    }

    /// Lets numbers with a fraction or an exponent keep the digits in which they were written: a float would not.
    /// `text` is the JSON that the tree was read from.
    pub(crate) fn keep_digits(&mut self, text: &'a str) {
        self.take_digits(&mut numbers(text));
    }

    fn take_digits(&mut self, numbers: &mut impl Iterator<Item = &'a str>) {
        match self {
            Node::Int(_) => _ = numbers.next(),
            Node::Float(value) => {
                if let Some(digits) = numbers.next() {
                    *self = Node::Decimal(*value, Cow::Borrowed(digits));
                }
            }
            Node::List(items) => items.iter_mut().for_each(|item| item.take_digits(numbers)),
            Node::Object(entries) => entries.iter_mut().for_each(|(_, value)| value.take_digits(numbers)),
            Node::Null | Node::Bool(_) | Node::Decimal(..) | Node::Text(_) | Node::Param(_) => {}
        }
    }

    /// Refuses NUL in any text and keys given twice; both are made harmless, so that the search can go on.
    fn check(&mut self, path: &mut Vec<Segment>, flaws: &mut Vec<Flaw>) {
        match self {
            Node::Text(text) | Node::Param(text) if text.contains('\0') => {
                push(flaws, path, "must not contain the NUL character");
                *text = Cow::Owned(text.replace('\0', "x"));
            }
            Node::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if item.is_plain() {
                        continue;
                    }
                    path.push(Segment::Index(index));
                    item.check(path, flaws);
                    path.pop();
                }
            }
            Node::Object(entries) => {
                drop_duplicates(entries, path, flaws);
                for (key, value) in entries.iter_mut() {
                    if value.is_plain() {
                        continue;
                    }
                    path.push(Segment::Key(key.to_string()));
                    value.check(path, flaws);
                    path.pop();
                }
            }
            Node::Null
            | Node::Bool(_)
            | Node::Int(_)
            | Node::Float(_)
            | Node::Decimal(..)
            | Node::Text(_)
            | Node::Param(_) => {}
        }
    }

    /// Whether there is nothing to check inside.
    fn is_plain(&self) -> bool {
        match self {
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Decimal(..) => true,
            Node::Text(text) | Node::Param(text) => !text.contains('\0'),
            Node::List(_) | Node::Object(_) => false,
        }
    }

    /// Takes the error out of the way and reads again.
    fn next_fault<T: DeserializeOwned>(&mut self, fault: &Fault, habits: Habits) -> Next {
        let Some((last, parents)) = fault.path.split_last() else { return Next::Stuck };
        let Some(parent) = self.at(parents) else { return Next::Stuck };
        if matches!(fault.kind, Kind::Unknown) {
            let (Node::Object(entries), Segment::Key(name)) = (parent, last) else { return Next::Stuck };
            entries.retain(|(key, _)| key != name);
            return match T::deserialize(self.reading(habits)) {
                Ok(_) => Next::Clean,
                Err(next) => Next::Fault(next),
            };
        }
        // What stands before it in a list has been accepted already.
        let sibling = match (&*parent, last) {
            (Node::List(items), Segment::Index(index @ 1..)) => items.get(index - 1).cloned(),
            _ => None,
        };
        for stand_in in sibling.into_iter().chain(stand_ins(&fault.kind)) {
            let Some(parent) = self.at(parents) else { return Next::Stuck };
            parent.put(last, stand_in);
            match T::deserialize(self.reading(habits)) {
                Ok(_) => return Next::Clean,
                Err(next) => {
                    let inside = next.path.iter().rev().zip(&fault.path).all(|(a, b)| a == b)
                        && next.path.len() >= fault.path.len();
                    if !inside {
                        return Next::Fault(next);
                    }
                }
            }
        }
        Next::Stuck
    }

    /// The value at the end of `path`.
    fn at(&mut self, path: &[Segment]) -> Option<&mut Node<'a>> {
        path.iter().try_fold(self, |node, segment| match (node, segment) {
            (Node::List(items), Segment::Index(index)) => items.get_mut(*index),
            (Node::Object(entries), Segment::Key(name)) => {
                entries.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        })
    }

    /// Replaces or adds one member.
    fn put(&mut self, place: &Segment, value: Node<'a>) {
        match (self, place) {
            (Node::List(items), Segment::Index(index)) => {
                if let Some(slot) = items.get_mut(*index) {
                    *slot = value;
                }
            }
            (Node::Object(entries), Segment::Key(name)) => {
                match entries.iter_mut().find(|(key, _)| key == name) {
                    Some((_, slot)) => *slot = value,
                    None => entries.push((Cow::Owned(name.clone()), value)),
                }
            }
            _ => {}
        }
    }
}

fn push(flaws: &mut Vec<Flaw>, path: &[Segment], message: &str) {
    if flaws.len() < MOST_ERRORS {
        flaws.push(Flaw { path: path.to_vec(), kind: Kind::Other(message.to_owned()) });
    }
}

/// The numbers of a valid JSON text, as they are written and in their order.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit())?;
            rest = &rest[start..];
            if rest.starts_with('"') {
                rest = after_string(rest);
                continue;
            }
            let in_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
            let (number, after) = rest.split_at(rest.find(|c| !in_number(c)).unwrap_or(rest.len()));
            rest = after;
            return Some(number);
        }
    })
}

/// What follows the string that `text` begins with.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    // Behind both quotes; both are one byte long, so this is the start of a character.
    end.map_or("", |end| &text[end + 2..])
}

/// Keeps the first of several equal keys and reports the others.
fn drop_duplicates<'a>(
    entries: &mut Vec<(Cow<'a, str>, Node<'a>)>,
    path: &mut Vec<Segment>,
    flaws: &mut Vec<Flaw>,
) {
    if entries.len() <= FEW_KEYS {
        let unique = entries
            .iter()
            .enumerate()
            .all(|(at, (key, _))| entries.iter().take(at).all(|(other, _)| other != key));
        if unique {
            return;
        }
    }
    let mut seen = HashSet::with_capacity(entries.len());
    let mut doubled: Vec<String> = Vec::new();
    let mut keep = Vec::with_capacity(entries.len());
    for (key, _) in entries.iter() {
        let first = seen.insert(key.as_ref());
        keep.push(first);
        if !first && doubled.len() < MOST_ERRORS && !doubled.iter().any(|known| known == key) {
            doubled.push(key.to_string());
        }
    }
    drop(seen);
    let mut keep = keep.into_iter();
    entries.retain(|_| keep.next().unwrap_or(true));
    for key in doubled {
        path.push(Segment::Key(key));
        push(flaws, path, "is given more than once");
        path.pop();
    }
}

/// Values that one or the other type accepts, tried in turn in place of a refused one.
fn stand_ins<'a>(kind: &Kind) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let word = match kind {
        Kind::Other(message) => message
            .strip_prefix(ONE_OF)
            .and_then(|words| words.split([',', ' ']).next())
            .map(|word| Node::Text(Cow::Owned(word.to_owned()))),
        Kind::Missing | Kind::Unknown => None,
    };
    word.into_iter().chain([
        Node::Null,
        Node::Int(1),
        Node::Bool(true),
        Node::Text(Cow::Borrowed("x")),
        Node::Text(Cow::Borrowed("xxxxxxxx")),
        Node::Text(Cow::Borrowed("x@example.com")),
        Node::Text(Cow::Borrowed("2024-01-01")),
        Node::List(Vec::new()),
        Node::Object(Vec::new()),
    ])
}

impl<'de> de::Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "beyond i64 only the fact that it is too large matters"
        )]
        Ok(i64::try_from(value).map_or(Node::Float(value as f64), Node::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node<'de>, A::Error> {
        let mut entries = Vec::with_capacity(4);
        while let Some(Key(key)) = object.next_key()? {
            entries.push((key, object.next_value()?));
        }
        Ok(Node::Object(entries))
    }
}

/// A key of an object; unlike a derived `Cow` it is borrowed where possible.
struct Key<'a>(Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
