//! The values of the façades: money in major units, and the words of pydantic for what is refused.

use std::fmt;
use std::marker::PhantomData;

use domain::{MAX_ORDER_LINES, MAX_PRICE_CENTS, Role, Status};
use rust_decimal::Decimal;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::flaws;
use crate::auth::passwords::is_common;
use crate::http::problem::Problem;
use crate::wire::node::is_huge;
use crate::wire::values::{Description, ProductName, Username};

/// A whole number within limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Int<const MIN: i64, const MAX: i64>(pub(super) i64);

/// Pieces of an order.
pub(super) type Quantity = Int<1, { domain::MAX_QUANTITY }>;
/// Pieces in stock.
pub(super) type StockCount = Int<0, { domain::MAX_STOCK }>;
/// Any whole number; also that of a thing, though nothing has one below 1.
pub(super) type Whole = Int<{ i64::MIN }, { i64::MAX }>;

impl<const MIN: i64, const MAX: i64> Visitor<'_> for Int<MIN, MAX> {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("int_type|Input should be a valid integer")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self, E> {
        if value < MIN {
            return Err(E::custom(format_args!(
                "greater_than_equal|Input should be greater than or equal to {MIN}"
            )));
        }
        if value > MAX {
            return Err(E::custom(format_args!(
                "less_than_equal|Input should be less than or equal to {MAX}"
            )));
        }
        Ok(Self(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self, E> {
        if is_huge(value) {
            // As far as one can go: beyond the limit, or as good as it where there is none.
            return self.visit_i64(if value > 0.0 { i64::MAX } else { i64::MIN });
        }
        Err(E::custom("int_from_float|Input should be a valid integer, got a number with a fractional part"))
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Int<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(Self(0))
    }
}

/// An amount of money as it was written, in major units of the shop's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Money(Decimal);

/// [`Money`] that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price(pub(super) Money);

impl Money {
    /// Whether it is more than nothing.
    pub(super) fn is_positive(self) -> bool {
        self.0 > Decimal::ZERO
    }

    /// The amount in minor units of a currency that has so many decimal digits.
    ///
    /// # Errors
    /// 422 on that field of the body, when the amount has more digits or is too large.
    pub(super) fn minor_units(self, field: &str, digits: u32) -> Result<i64, Problem> {
        let written = self.0.normalize();
        if written.scale() > digits {
            let msg = format!("Decimal input should have no more than {digits} decimal places");
            return Err(flaws::of_field(field, ("decimal_max_places", &msg), self.to_json()));
        }
        let minor = 10_i64.checked_pow(digits).and_then(|unit| written.checked_mul(Decimal::from(unit)));
        // Whole, for its digits have been looked at.
        let minor = minor.and_then(|minor| i64::try_from(minor).ok());
        minor.filter(|minor| *minor <= MAX_PRICE_CENTS).ok_or_else(|| {
            let most = Decimal::from_i128_with_scale(MAX_PRICE_CENTS.into(), digits).normalize();
            let msg = format!("Input should be less than or equal to {most}");
            flaws::of_field(field, ("less_than_equal", &msg), self.to_json())
        })
    }

    fn to_json(self) -> serde_json::Value {
        serde_json::from_str(&self.0.to_string()).unwrap_or_default()
    }
}

struct MoneyVisitor;

impl Visitor<'_> for MoneyVisitor {
    type Value = Money;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("decimal_type|Input should be a valid decimal")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Money, E> {
        Ok(Money(value.into()))
    }

    /// The digits of a number, never its float.
    fn visit_str<E: de::Error>(self, digits: &str) -> Result<Money, E> {
        decimal(digits).map(Money).ok_or_else(|| E::custom("decimal_parsing|Input should be a valid decimal"))
    }
}

/// Most digits on either side of the point: more than any amount has, and few enough for exact arithmetic.
const MOST_DIGITS: usize = 20;

/// The number that is written in JSON with these digits, if it has no more of them than an amount can have.
fn decimal(written: &str) -> Option<Decimal> {
    let (number, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return Some(Decimal::ZERO);
    }
    // How many of the digits stand before the point; none of them is needless.
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
    let point = point.checked_add(exponent)?;
    let before = usize::try_from(point.max(0)).ok().filter(|before| *before <= MOST_DIGITS)?;
    let zeros = usize::try_from(point.min(0).checked_neg()?).ok().filter(|zeros| *zeros <= MOST_DIGITS)?;
    let after = digits.len().saturating_sub(before) + zeros;
    if after > MOST_DIGITS || digits.len() > MOST_DIGITS {
        return None;
    }
    let padded = format!("{}{digits:0<before$}", "0".repeat(zeros + 1));
    let (whole, fraction) = padded.split_at(padded.len() - after);
    Decimal::from_str_exact(&format!("{sign}{whole}.{fraction}0")).ok()
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(MoneyVisitor)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let money = Money::deserialize(deserializer)?;
        if money.0 < Decimal::ZERO {
            return Err(de::Error::custom("greater_than_equal|Input should be greater than or equal to 0"));
        }
        Ok(Self(money))
    }
}

/// An amount as it is shown: the shortest decimal in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// The amount in minor units.
    pub(super) minor: i64,
    /// Decimal digits of the currency.
    pub(super) digits: u32,
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Decimal::from_i128_with_scale(self.minor.into(), self.digits).normalize().to_string();
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// Text that the canonical API would take, too.
pub(super) trait Text: Sized {
    /// Checks it.
    ///
    /// # Errors
    /// What is wrong, to be said after the field's name.
    fn of(text: &str) -> Result<Self, String>;
}

macro_rules! texts {
    ($($name:ident)+) => {$(
        impl Text for $name {
            fn of(text: &str) -> Result<Self, String> {
                Self::new(text)
            }
        }
    )+};
}

texts! { Description ProductName Username }

/// [`Text`] whose refusal is worded as pydantic does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked<T>(pub(super) T);

struct CheckedVisitor<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for CheckedVisitor<T> {
    type Value = Checked<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("string_type|Input should be a valid string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Checked<T>, E> {
        T::of(text).map(Checked).map_err(|message| {
            if text.is_empty() {
                E::custom("string_too_short|String should have at least 1 character")
            } else {
                E::custom(format_args!("value_error|Value error, {message}"))
            }
        })
    }
}

impl<'de, T: Text> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(CheckedVisitor(PhantomData))
    }
}

/// The status of an order, in upper or lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnyCase(pub(super) Status);

impl Visitor<'_> for AnyCase {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("literal_error|Input should be ")?;
        let (last, first) = Status::ALL.split_last().ok_or(fmt::Error)?;
        for (at, status) in first.iter().enumerate() {
            write!(out, "{}'{}'", if at == 0 { "" } else { ", " }, status.word())?;
        }
        write!(out, " or '{}'", last.word())
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self, E> {
        Status::from_word(&word.to_lowercase())
            .map(Self)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(word), &self))
    }
}

impl<'de> Deserialize<'de> for AnyCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Self(Status::Pending))
    }
}

/// A role that one may register with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member(pub(super) Role);

impl Visitor<'_> for Member {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("literal_error|Input should be 'admin' or 'customer'")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self, E> {
        match word {
            "admin" => Ok(Self(Role::Admin)),
            "customer" => Ok(Self(Role::Customer)),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Self(Role::Customer))
    }
}

/// A password that is being set.
#[derive(Clone, Deserialize)]
pub(super) struct Secret(String);

impl Secret {
    /// Most characters.
    const MOST: usize = 128;
    /// The fewest characters of a password on `/api/v1`.
    const JUDGED_FROM: usize = 8;

    /// The password, if it is neither too short nor too long, and none of those that are tried first. Such as are
    /// shorter than any that `/api/v1` takes are left to the setting that permits them.
    ///
    /// # Errors
    /// 422 on the field `password`.
    pub(super) fn of_length(self, least: usize) -> Result<String, Problem> {
        let characters = self.0.chars().take(Self::MOST + 1).count();
        if characters >= Self::JUDGED_FROM && is_common(&self.0) {
            let msg = "Password should not be a common one";
            return Err(flaws::of_field("password", ("value_error", msg), flaws::HIDDEN));
        }
        let (kind, bound, limit) = if characters < least {
            ("string_too_short", "least", least)
        } else if characters > Self::MOST {
            ("string_too_long", "most", Self::MOST)
        } else {
            return Ok(self.0);
        };
        let unit = if limit == 1 { "character" } else { "characters" };
        let msg = format!("String should have at {bound} {limit} {unit}");
        Err(flaws::of_field("password", (kind, &msg), flaws::HIDDEN))
    }
}

/// The lines of an order, one at least.
#[derive(Debug, Clone)]
pub(super) struct Lines<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lines<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lines = Vec::deserialize(deserializer)?;
        let count = lines.len();
        // Before the queue: the committer would load each product that is named.
        if count > MAX_ORDER_LINES {
            return Err(de::Error::custom(format_args!(
                "too_long|List should have at most {MAX_ORDER_LINES} items after validation, not {count}"
            )));
        }
        if count == 0 {
            return Err(de::Error::custom(
                "too_short|List should have at least 1 item after validation, not 0",
            ));
        }
        Ok(Self(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_digit_by_digit() {
        for (written, cents) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0.00", Some(0)),
            ("0E-99", Some(0)),
            ("0e999999999", Some(0)),
            ("25.99", Some(2599)),
            ("25.9900000000000000000000000000000000", Some(2599)),
            ("2.599e1", Some(2599)),
            ("0.02599E+3", Some(2599)),
            ("2599e-2", Some(2599)),
            ("1E2", Some(10_000)),
            ("0.1e1", Some(100)),
            ("199", Some(19_900)),
            ("0.01", Some(1)),
            ("10000000000", Some(MAX_PRICE_CENTS)),
            ("1e10", Some(MAX_PRICE_CENTS)),
            ("10000000000.01", None),
            ("1e28", None),
            ("1e400", None),
            ("1e-30", None),
            ("1e99999999999999999999", None),
            ("0.001", None),
            ("25.999", None),
            ("25.99000000000000000000000000000000001", None),
            ("25.99000000000000000000000000000000001e0", None),
            ("123456789012345678901234567890", None),
        ] {
            let read = decimal(written).map(Money).and_then(|money| money.minor_units("price", 2).ok());
            assert_eq!(read, cents, "{written}");
        }
        assert_eq!(decimal("-1.5").unwrap().to_string(), "-1.50");
    }

    #[test]
    fn money_is_shown_as_the_shortest_decimal() {
        for (minor, digits, shown) in [
            (19_900, 2, "199"),
            (49_990, 2, "499.9"),
            (2_599, 2, "25.99"),
            (0, 2, "0"),
            (5, 2, "0.05"),
            (199, 0, "199"),
            (1_500, 3, "1.5"),
            (i64::MAX, 2, "92233720368547758.07"),
        ] {
            assert_eq!(serde_json::to_string(&Shown { minor, digits }).unwrap(), shown);
        }
    }
}
