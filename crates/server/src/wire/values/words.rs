//! The closed vocabularies of `domain`, as JSON spells them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::wire::node::ONE_OF;

/// A vocabulary of the domain, for the visitor they share.
trait Words: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
    fn from_word(word: &str) -> Option<Self>;
}

struct WordVisitor<W>(PhantomData<W>);

impl<W: Words> Visitor<'_> for WordVisitor<W> {
    type Value = W;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(ONE_OF)?;
        for (position, word) in W::ALL.iter().enumerate() {
            write!(out, "{}{}", if position == 0 { "" } else { ", " }, word.word())?;
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<W, E> {
        W::from_word(word).ok_or_else(|| E::invalid_value(de::Unexpected::Str(word), &self))
    }
}

/// Gives a vocabulary of the domain a type that serde and utoipa know.
macro_rules! wire_words {
    ($($(#[$meta:meta])* $name:ident: $text:literal),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub domain::$name);

        impl Words for domain::$name {
            const ALL: &'static [Self] = domain::$name::ALL;

            fn word(self) -> &'static str {
                domain::$name::word(self)
            }

            fn from_word(word: &str) -> Option<Self> {
                domain::$name::from_word(word)
            }
        }

        impl From<domain::$name> for $name {
            fn from(word: domain::$name) -> Self {
                Self(word)
            }
        }

        impl From<$name> for domain::$name {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.word())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(WordVisitor(PhantomData)).map(Self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($text))
                    .enum_values(Some(domain::$name::ALL.iter().map(|word| word.word())))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

wire_words! {
    /// What a principal may do.
    Role: "What a user may do.",
    /// What a machine's key is good for.
    Scope: "What the key is good for, within its role.",
    /// When an order takes its stock.
    AllocateAt: "When the order takes its stock.",
    /// The life of an order, apart from money and parcels.
    OrderState: "The life of the order, apart from money and parcels.",
    /// Whether the money has come.
    Payment: "Whether the money has come.",
    /// Where the goods are.
    Fulfilment: "Where the goods are.",
    /// The one word that sums up an order.
    Status: "The order in one word.",
    /// Why a stock level changed.
    MovementKind: "Why the stock level changed.",
}
