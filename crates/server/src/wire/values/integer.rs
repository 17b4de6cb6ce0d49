//! Whole numbers within limits.

use std::fmt;

use serde::de::{self, Visitor};

use crate::wire::node::is_huge;

/// Accepts whole numbers between `min` and `max`, and says which side was missed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntegerVisitor {
    min: i64,
    max: i64,
}

/// The visitor behind every [`integer_value`].
pub(crate) const fn integer_visitor(min: i64, max: i64) -> IntegerVisitor {
    IntegerVisitor { min, max }
}

impl IntegerVisitor {
    /// The value, or what is wrong with it.
    pub(crate) fn check(self, value: i64) -> Result<i64, String> {
        if value < self.min {
            Err(format!("must be at least {}", self.min))
        } else if value > self.max {
            Err(format!("must be at most {}", self.max))
        } else {
            Ok(value)
        }
    }
}

impl Visitor<'_> for IntegerVisitor {
    type Value = i64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("must be an integer")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
        self.check(value).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
        if is_huge(value) {
            let side = if value > 0.0 { ("most", self.max) } else { ("least", self.min) };
            return Err(E::custom(format_args!("must be at {} {}", side.0, side.1)));
        }
        Err(E::custom("must be an integer"))
    }
}

/// Declares a newtype over a whole number with its limits, check and schema.
macro_rules! integer_value {
    ($(#[$meta:meta])* $name:ident: $min:literal ..= $max:expr, $text:literal, example $example:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The smallest value.
            pub const MIN: i64 = $min;
            /// The largest value.
            pub const MAX: i64 = $max;

            /// The number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer
                    .deserialize_i64($crate::wire::values::integer_visitor(Self::MIN, Self::MAX))
                    .map(Self)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, schema::Type};
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                    .description(Some($text))
                    .minimum(isize::try_from(Self::MIN).ok())
                    .maximum(isize::try_from(Self::MAX).ok())
                    .examples([serde_json::Value::from($example)])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    };
}
pub(crate) use integer_value;

/// The largest price, and the largest number of pieces in stock.
const TRILLION: i64 = 1_000_000_000_000;

integer_value! {
    /// The number of a product, order, item or user.
    Id: 1..=i64::MAX, "Number of a record, from 1.", example 1
}
integer_value! {
    /// How long a machine's key is good.
    KeyLife: 1..=domain::MAX_API_KEY_LIFE_DAYS, "How many days it is good.", example 90
}
integer_value! {
    /// A price in minor units of the shop's currency.
    PriceCents: 0..=TRILLION, "Price in minor units (cents) of the shop's currency.", example 249_999
}
integer_value! {
    /// A number of pieces that is ordered or moved.
    Quantity: 1..=1_000_000_000, "Number of pieces.", example 2
}
integer_value! {
    /// A number of pieces that lie in stock.
    StockCount: 0..=TRILLION, "Number of pieces in stock.", example 100
}
integer_value! {
    /// The level at which a product counts as low in stock.
    Threshold: 0..=TRILLION, "The product is low in stock when no more than this is available.", example 5
}
integer_value! {
    /// The number of the last event that was seen.
    EventNumber: 0..=i64::MAX, "Number of an event; 0 is before the first.", example 0
}
integer_value! {
    /// The most events of one answer.
    EventLimit: 1..=1000, "Most events of one answer.", example 100
}
