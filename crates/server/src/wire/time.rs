//! Points in time on the wire: RFC 3339, UTC on the way out, any offset on the way in.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Microseconds of a day.
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Microseconds since 1970 in UTC, written as `2024-01-16T10:30:00Z`, with a fraction only if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rfc3339(pub i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No clock of ours shows a year beyond 9999; such a number is shown as the nearest that can be written.
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        fmt::Display::fmt(&Timestamp::from_microsecond(self.0).unwrap_or(end), out)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Rfc3339 {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("Point in time, UTC."))
            .examples(["2024-01-16T10:30:00Z"])
            .into()
    }
}

impl ToSchema for Rfc3339 {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Rfc3339")
    }
}

/// A bound of a filter: a point in time, or a whole day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// From RFC 3339 text; microseconds since 1970, finer fractions cut off.
    Instant(i64),
    /// From `YYYY-MM-DD`; the first microsecond of that day.
    Day(i64),
}

impl Moment {
    /// Reads RFC 3339 with any offset, or `YYYY-MM-DD`; years 0001 to 9999.
    ///
    /// # Errors
    /// What is wrong, to be said after the field's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "must be a date (2024-01-31) or a time with offset (2024-01-31T10:30:00Z)";
        const NO_SUCH: &str = "is no date or time of the calendar between the years 0001 and 9999";
        if is_shaped(text, b"0000-00-00") {
            let date: Date = text.parse().map_err(|_| NO_SUCH)?;
            return in_calendar(date.at(0, 0, 0, 0), 0).map(Self::Day).ok_or(NO_SUCH);
        }
        let (local, offset) = split_rfc3339(text).ok_or(SHAPE)?;
        let local: DateTime = local.parse().map_err(|_| NO_SUCH)?;
        let offset = offset_minutes(offset).ok_or(NO_SUCH)?;
        in_calendar(local, offset).map(Self::Instant).ok_or(NO_SUCH)
    }

    /// As the start of a range: the first microsecond that belongs to it.
    #[must_use]
    pub const fn start_us(self) -> i64 {
        match self {
            Self::Instant(us) | Self::Day(us) => us,
        }
    }

    /// As the end of a range: the first microsecond that no longer belongs to it. The instant or the whole day
    /// itself still does.
    #[must_use]
    pub const fn end_us(self) -> i64 {
        match self {
            Self::Instant(us) => us.saturating_add(1),
            Self::Day(us) => us.saturating_add(DAY_US),
        }
    }
}

/// Whether text has a digit wherever `shape` has one, and elsewhere the same characters.
fn is_shaped(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(c, s)| if *s == b'0' { c.is_ascii_digit() } else { c == *s })
}

/// Splits off the offset. jiff reads more than RFC 3339 (`20240131T10Z`, zones in brackets); this API does not.
fn split_rfc3339(text: &str) -> Option<(&str, &str)> {
    let (head, tail) = text.split_at_checked(19)?;
    let offset = match tail.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            &fraction[digits..]
        }
        None => tail,
    };
    let shaped = offset == "Z" || is_shaped(offset, b"+00:00") || is_shaped(offset, b"-00:00");
    let local = &text[..text.len() - offset.len()];
    (shaped && is_shaped(head, b"0000-00-00T00:00:00")).then_some((local, offset))
}

/// How many minutes local time is ahead of UTC, by an offset of the right shape.
fn offset_minutes(offset: &str) -> Option<i64> {
    let Some((hours, minutes)) = offset.split_once(':') else { return Some(0) };
    let (sign, hours) = hours.split_at_checked(1)?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = hours * 60 + minutes;
    (hours <= 23 && minutes <= 59).then_some(if sign == "-" { -ahead } else { ahead })
}

/// Microseconds since 1970, if that lies within the years 0001 to 9999 of UTC. jiff's own timestamps end a day
/// earlier, to leave room for offsets, and a client's "for ever" is often the very last day.
fn in_calendar(local: DateTime, minutes_ahead: i64) -> Option<i64> {
    const FIRST_US: i64 = -719_162 * DAY_US;
    const LAST_US: i64 = 2_932_897 * DAY_US - 1;
    let since_1970 = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let us = i64::try_from(since_1970.as_micros()).ok()?.checked_sub(minutes_ahead * 60_000_000)?;
    (FIRST_US..=LAST_US).contains(&us).then_some(us)
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentVisitor;
        impl Visitor<'_> for MomentVisitor {
            type Value = Moment;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("must be text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                // An offset's `+` that was not escaped in a query arrives as a space, and can mean nothing else.
                match text.rsplit_once(' ') {
                    Some((head, offset)) => Moment::parse(&format!("{head}+{offset}")),
                    None => Moment::parse(text),
                }
                .map_err(E::custom)
            }
        }
        deserializer.deserialize_str(MomentVisitor)
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let shape = |format| {
            ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)))
        };
        utoipa::openapi::schema::AnyOfBuilder::new()
            .item(shape(KnownFormat::DateTime))
            .item(shape(KnownFormat::Date))
            .description(Some("RFC 3339 with any offset, or a date, which stands for the whole day in UTC."))
            .examples(["2024-01-16T10:30:00Z", "2024-01-16"])
            .into()
    }
}

impl ToSchema for Moment {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Moment")
    }
}

#[cfg(test)]
mod tests;
