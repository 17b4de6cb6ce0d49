//! Turning the tree into types: a serde deserializer whose errors know their field.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Node, Segment};

/// A tree that is being read into a type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'n, 'a> {
    pub(super) node: &'n Node<'a>,
    /// Whether fields that nobody asked for are passed over.
    pub(super) lenient: bool,
}

impl<'n, 'a> Reading<'n, 'a> {
    fn of(self, node: &'n Node<'a>) -> Self {
        Self { node, ..self }
    }

    fn list(self, items: &'n [Node<'a>]) -> ListReader<'n, 'a> {
        ListReader { reading: self, items: items.iter(), next: 0 }
    }

    /// `fields` are the only keys that are permitted, whether or not the struct denies unknown ones itself.
    fn object(
        self,
        entries: &'n [(Cow<'a, str>, Node<'a>)],
        fields: Option<&'static [&'static str]>,
    ) -> ObjectReader<'n, 'a> {
        let fields = fields.filter(|_| !self.lenient);
        ObjectReader { reading: self, entries: entries.iter(), value: None, fields }
    }
}

/// How a refusal of a word begins; the permitted words follow, separated by commas.
pub(crate) const ONE_OF: &str = "must be one of ";

/// Stands between the type and the text of a message that is worded already, as other contracts want them:
/// `int_type|Input should be a valid integer`.
pub(crate) const FORMAL: char = '|';

/// Why a tree is not a `T`, and where. The path grows from the inside out, so it is kept backwards.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(super) path: Vec<Segment>,
    pub(super) kind: Kind,
}

/// What is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A required field is not there.
    Missing,
    /// Nobody asked for this field.
    Unknown,
    /// Anything else, as the end of a sentence.
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
        _ if expected.starts_with("must ") || expected.contains(FORMAL) => expected.to_owned(),
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
            match self.node {
                Node::Param(text) => visit_integer_param(text, visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Reading<'_, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Int(value) => visitor.visit_i64(*value),
            Node::Float(value) | Node::Decimal(value, _) => visitor.visit_f64(*value),
            Node::Text(text) | Node::Param(text) => visitor.visit_str(text),
            Node::List(items) => visitor.visit_seq(self.list(items)),
            Node::Object(entries) => visitor.visit_map(self.object(entries, None)),
        }
    }

    /// Asks for a number in the very digits in which it was written, which the visitor gets as text.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Decimal(_, digits) => visitor.visit_str(digits),
            Node::Text(text) => Err(de::Error::invalid_type(Unexpected::Str(text), &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Param(text) if text == "true" => visitor.visit_bool(true),
            Node::Param(text) if text == "false" => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
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
        match self.node {
            Node::Object(entries) => visitor.visit_map(self.object(entries, Some(fields))),
            _ => Err(Fault::other("must be an object")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node {
            Node::Text(text) | Node::Param(text) => {
                let word: StrDeserializer<'_, Fault> = text.as_ref().into_deserializer();
                visitor.visit_enum(word)
            }
            Node::Object(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(self.object(entries, None)))
            }
            _ => Err(Fault::other(format!("{ONE_OF}{}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct ListReader<'n, 'a> {
    reading: Reading<'n, 'a>,
    items: std::slice::Iter<'n, Node<'a>>,
    next: usize,
}

impl<'de> SeqAccess<'de> for ListReader<'_, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(self.reading.of(item)).map(Some).map_err(|fault| fault.under(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct ObjectReader<'n, 'a> {
    reading: Reading<'n, 'a>,
    entries: std::slice::Iter<'n, (Cow<'a, str>, Node<'a>)>,
    value: Option<&'n (Cow<'a, str>, Node<'a>)>,
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
        seed.deserialize(self.reading.of(value)).map_err(|fault| fault.under(Segment::Key(key.to_string())))
    }
}
