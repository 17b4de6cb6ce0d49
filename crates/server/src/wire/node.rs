//! The tree between bytes and types: what a client sent, before anyone asks what it means.
//!
//! Bodies, forms and queries all become a [`Node`] first. Three things are gained over handing the bytes to
//! the target type: keys given twice are seen, a list is never taken for an object (serde's derived structs
//! would accept `[1, 2]` for `{"product_id": 1, "quantity": 2}`), and every error knows its field.
//! Text is borrowed from the input wherever it holds no escapes, so the detour costs a few hundred nanoseconds.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

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

/// Turns the tree into `T`, or lists what is wrong with it: everything when `thorough`, else the first error.
pub(crate) fn read<T: DeserializeOwned>(
    mut node: Node<'_>,
    wording: Wording,
    thorough: bool,
) -> Result<T, Invalid> {
    let mut errors = Vec::new();
    node.check(&mut Vec::new(), wording, &mut errors);
    let fault = match T::deserialize(&node) {
        Ok(value) => return Invalid::unless_empty(errors).map(|()| value),
        Err(fault) => fault,
    };
    collect::<T>(&mut node, fault, wording, thorough, &mut errors);
    Err(Invalid { errors })
}

/// Reports `fault`, puts something acceptable in its place and looks for the next one, as long as that works.
fn collect<T: DeserializeOwned>(
    node: &mut Node<'_>,
    mut fault: Fault,
    wording: Wording,
    thorough: bool,
    errors: &mut Vec<FieldError>,
) {
    let mut replaced: Vec<Vec<Segment>> = Vec::new();
    for _ in 0..MOST_ERRORS {
        fault.path.reverse();
        // An error of a whole after one of its parts was replaced may be about the replacement.
        if replaced.iter().any(|path| path.starts_with(&fault.path)) {
            return;
        }
        let error = FieldError {
            field: field_name(&fault.path, wording.root),
            message: match &fault.kind {
                Kind::Missing => "is required".to_owned(),
                Kind::Unknown => wording.unknown.to_owned(),
                Kind::Other(message) => message.clone(),
            },
        };
        if errors.iter().all(|known| known.field != error.field) {
            errors.push(error);
        }
        if !thorough || errors.len() >= MOST_ERRORS {
            return;
        }
        match node.next_fault::<T>(&fault) {
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
    /// Refuses NUL in any text and keys given twice; both are made harmless, so that the search can go on.
    fn check(&mut self, path: &mut Vec<Segment>, wording: Wording, errors: &mut Vec<FieldError>) {
        match self {
            Node::Text(text) | Node::Param(text) if text.contains('\0') => {
                push(errors, path, wording, "must not contain the NUL character");
                *text = Cow::Owned(text.replace('\0', "x"));
            }
            Node::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if item.is_plain() {
                        continue;
                    }
                    path.push(Segment::Index(index));
                    item.check(path, wording, errors);
                    path.pop();
                }
            }
            Node::Object(entries) => {
                drop_duplicates(entries, path, wording, errors);
                for (key, value) in entries.iter_mut() {
                    if value.is_plain() {
                        continue;
                    }
                    path.push(Segment::Key(key.to_string()));
                    value.check(path, wording, errors);
                    path.pop();
                }
            }
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Text(_) | Node::Param(_) => {}
        }
    }

    /// Whether there is nothing to check inside.
    fn is_plain(&self) -> bool {
        match self {
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Float(_) => true,
            Node::Text(text) | Node::Param(text) => !text.contains('\0'),
            Node::List(_) | Node::Object(_) => false,
        }
    }

    /// Takes the error out of the way and reads again.
    fn next_fault<T: DeserializeOwned>(&mut self, fault: &Fault) -> Next {
        let Some((last, parents)) = fault.path.split_last() else { return Next::Stuck };
        let Some(parent) = self.at(parents) else { return Next::Stuck };
        if matches!(fault.kind, Kind::Unknown) {
            let (Node::Object(entries), Segment::Key(name)) = (parent, last) else { return Next::Stuck };
            entries.retain(|(key, _)| key != name);
            return match T::deserialize(&*self) {
                Ok(_) => Next::Clean,
                Err(next) => Next::Fault(next),
            };
        }
        for stand_in in stand_ins(&fault.kind) {
            let Some(parent) = self.at(parents) else { return Next::Stuck };
            parent.put(last, stand_in);
            match T::deserialize(&*self) {
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

fn push(errors: &mut Vec<FieldError>, path: &[Segment], wording: Wording, message: &str) {
    if errors.len() < MOST_ERRORS {
        errors.push(FieldError { field: field_name(path, wording.root), message: message.to_owned() });
    }
}

/// Keeps the first of several equal keys and reports the others.
fn drop_duplicates<'a>(
    entries: &mut Vec<(Cow<'a, str>, Node<'a>)>,
    path: &mut Vec<Segment>,
    wording: Wording,
    errors: &mut Vec<FieldError>,
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
        push(errors, path, wording, "is given more than once");
        path.pop();
    }
}

/// Values that one or the other type accepts, tried in turn in place of a refused one.
fn stand_ins(kind: &Kind) -> impl Iterator<Item = Node<'static>> + use<> {
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

/// How a refusal of a word begins; the permitted words follow, separated by commas.
pub(crate) const ONE_OF: &str = "must be one of ";

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

/// Why a tree is not a `T`, and where. The path grows from the inside out, so it is kept backwards.
#[derive(Debug)]
pub(crate) struct Fault {
    path: Vec<Segment>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Missing,
    Unknown,
    Other(String),
}

impl Fault {
    fn other(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), kind: Kind::Other(message.into()) }
    }

    fn at(key: &str, kind: Kind) -> Self {
        Self { path: vec![Segment::Key(key.to_owned())], kind }
    }

    fn under(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::other(must_be(found, &expected.to_string()))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::other(must_be(found, &expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        Self::other(format!("must have {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::other(format!("{ONE_OF}{}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::at(field, Kind::Unknown)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(field, Kind::Missing)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::at(field, Kind::Other("is given more than once".to_owned()))
    }
}

/// Says what serde expected in the words of this API.
fn must_be(found: Unexpected<'_>, expected: &str) -> String {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "isize" | "usize" => match found {
            Unexpected::Signed(_) | Unexpected::Unsigned(_) => "is out of range".to_owned(),
            Unexpected::Float(value) if is_huge(value) => "is out of range".to_owned(),
            _ => "must be an integer".to_owned(),
        },
        "f32" | "f64" => "must be a number".to_owned(),
        "a boolean" => "must be true or false".to_owned(),
        "a string" | "a borrowed string" | "string" => "must be text".to_owned(),
        "unit" => "must be null".to_owned(),
        _ if expected.starts_with("must ") => expected.to_owned(),
        _ if expected.starts_with("a sequence") || expected.starts_with("a tuple") => {
            "must be a list".to_owned()
        }
        _ if expected.starts_with("struct ") || expected.starts_with("a map") => {
            "must be an object".to_owned()
        }
        _ => format!("must be {expected}"),
    }
}

/// Whether a number that came as a float is an integer beyond `i64`.
pub(crate) fn is_huge(value: f64) -> bool {
    value.abs() >= 9.2e18
}

/// Reads a parameter as an integer and hands it over.
fn visit_integer_param<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::other("must be an integer"));
    }
    match text.parse::<i64>() {
        Ok(value) => visitor.visit_i64(value),
        // Digits only, so it is too large; the visitor says so in its own words.
        Err(_) => visitor.visit_f64(if text.starts_with('-') { f64::MIN } else { f64::MAX }),
    }
}

macro_rules! integers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self {
                Node::Param(text) => visit_integer_param(text, visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for &Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Int(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(text) | Node::Param(text) => visitor.visit_str(text),
            Node::List(items) => visitor.visit_seq(ListReader { items: items.iter(), next: 0 }),
            Node::Object(entries) => {
                visitor.visit_map(ObjectReader { entries: entries.iter(), value: None, fields: None })
            }
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Param(text) if text == "true" => visitor.visit_bool(true),
            Node::Param(text) if text == "false" => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Object(entries) => {
                visitor.visit_map(ObjectReader { entries: entries.iter(), value: None, fields: Some(fields) })
            }
            _ => Err(Fault::other("must be an object")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Text(text) | Node::Param(text) => {
                let word: StrDeserializer<'_, Fault> = text.as_ref().into_deserializer();
                visitor.visit_enum(word)
            }
            Node::Object(entries) => visitor.visit_enum(MapAccessDeserializer::new(ObjectReader {
                entries: entries.iter(),
                value: None,
                fields: None,
            })),
            _ => Err(Fault::other(format!("{ONE_OF}{}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct ListReader<'n, 'a> {
    items: std::slice::Iter<'n, Node<'a>>,
    next: usize,
}

impl<'de> SeqAccess<'de> for ListReader<'_, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item).map(Some).map_err(|fault| fault.under(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct ObjectReader<'n, 'a> {
    entries: std::slice::Iter<'n, (Cow<'a, str>, Node<'a>)>,
    value: Option<&'n (Cow<'a, str>, Node<'a>)>,
    /// The only keys that are permitted, whether or not the struct denies unknown ones itself.
    fields: Option<&'static [&'static str]>,
}

impl<'de> MapAccess<'de> for ObjectReader<'_, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        let key = entry.0.as_ref();
        if self.fields.is_some_and(|fields| !fields.contains(&key)) {
            return Err(Fault::at(key, Kind::Unknown));
        }
        self.value = Some(entry);
        let key: StrDeserializer<'_, Fault> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((key, value)) = self.value.take() else {
            return Err(Fault::other("is read out of turn"));
        };
        seed.deserialize(value).map_err(|fault| fault.under(Segment::Key(key.to_string())))
    }
}
