//! Parameters and answers on the wire.

use crate::StoreError;
use crate::driver::rows::nul_refused;
use crate::driver::{Cell, Row, Value};
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};

/// A parameter. It travels as text, which the server reads as whatever type it wants; so whether a number is in that
/// type's range is the server's business, too.
pub(super) struct Param<'a>(Cell<'a>);

// The library asks for it, and writes it into its log of debug messages.
impl std::fmt::Debug for Param<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Param")
    }
}

impl<'a> Param<'a> {
    /// The parameters of a statement.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] when a text contains U+0000.
    pub(super) fn all(values: &'a [Value]) -> Result<Vec<Self>, StoreError> {
        let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
        if values.iter().any(has_nul) {
            return Err(nul_refused());
        }
        Ok(values.iter().map(|value| Self(value.into())).collect())
    }

    /// The type to name for a statement that is not prepared; the server finds out about texts.
    pub(super) fn type_(&self) -> Type {
        if matches!(self.0, Cell::Int(_)) { Type::INT8 } else { Type::UNKNOWN }
    }

    fn fits(&self, wanted: &Type) -> bool {
        match self.0 {
            Cell::Null => true,
            Cell::Int(_) => [Type::INT8, Type::INT4, Type::INT2, Type::NUMERIC].contains(wanted),
            Cell::Text(_) => {
                let texts = [
                    Type::TEXT,
                    Type::JSONB,
                    Type::VARCHAR,
                    Type::BPCHAR,
                    Type::NAME,
                    Type::JSON,
                    Type::UNKNOWN,
                ];
                texts.contains(wanted)
            }
        }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Cell::Null => return Ok(IsNull::Yes),
            Cell::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        // [`check`] has looked.
        true
    }

    fn to_sql_checked(
        &self,
        wanted: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(wanted, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}

/// Whether these are parameters for a statement that wants those types.
///
/// # Errors
/// [`StoreError::Misuse`] when they are not.
pub(super) fn check(params: &[Param<'_>], wanted: &[Type]) -> Result<(), StoreError> {
    if params.len() != wanted.len() {
        let (given, wanted) = (params.len(), wanted.len());
        return Err(StoreError::misuse(format!("a statement with {wanted} parameters was given {given}")));
    }
    match params.iter().zip(wanted).position(|(param, wanted)| !param.fits(wanted)) {
        None => Ok(()),
        Some(at) => Err(StoreError::misuse(format!("parameter {at} is of another type than {}", wanted[at]))),
    }
}

/// The rows of an answer.
///
/// # Errors
/// [`StoreError::Decode`] for a value that is neither a 64-bit integer nor a text.
pub(super) fn read(rows: &[tokio_postgres::Row]) -> Result<Vec<Row>, StoreError> {
    let read_row = |row: &tokio_postgres::Row| {
        let column = |column| match row.try_get::<_, Stored>(column) {
            Ok(Stored(value)) => Ok(value),
            Err(error) => Err(unreadable(column, &error)),
        };
        (0..row.len()).map(column).collect::<Result<_, _>>().map(Row::new)
    };
    rows.iter().map(read_row).collect()
}

fn unreadable(column: usize, error: &tokio_postgres::Error) -> StoreError {
    let why = error.source().and_then(|source| source.downcast_ref::<Unreadable>());
    StoreError::decode(format!("column {column} {}", why.map_or("cannot be read", |why| why.0)))
}

/// Why a value cannot be read; never the value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(&'static str);

/// A value that was read.
struct Stored(Value);

impl<'a> FromSql<'a> for Stored {
    fn from_sql(type_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let value = if *type_ == Type::INT8 {
            Value::Int(i64::from_sql(type_, raw)?)
        } else if is_text(type_) {
            let text = std::str::from_utf8(raw).map_err(|_| Unreadable("holds a text that is not UTF-8"))?;
            Value::Text(text.to_owned())
        } else if *type_ == Type::INT4 {
            Value::Int(i32::from_sql(type_, raw)?.into())
        } else if *type_ == Type::INT2 {
            Value::Int(i16::from_sql(type_, raw)?.into())
        } else if *type_ == Type::BOOL {
            Value::Int(bool::from_sql(type_, raw)?.into())
        } else if *type_ == Type::NUMERIC {
            Value::Int(integer(raw)?)
        } else {
            return Err(Unreadable("is neither an integer nor a text").into());
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn is_text(type_: &Type) -> bool {
    [Type::VARCHAR, Type::TEXT, Type::NAME, Type::BPCHAR, Type::UNKNOWN].contains(type_)
}

/// A NUMERIC that is an integer. It travels as digits to the base of 10,000, each with two bytes: how many there are, the
/// power of the first, the sign, how many decimals to show, and the digits.
fn integer(raw: &[u8]) -> Result<i64, Unreadable> {
    const MALFORMED: Unreadable = Unreadable("holds a malformed number");
    const NEGATIVE: u16 = 0x4000;
    let words: Vec<u16> =
        raw.chunks(2).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte))).collect();
    let [count, weight, sign, _, digits @ ..] = &words[..] else { return Err(MALFORMED) };
    if digits.len() != usize::from(*count) || !raw.len().is_multiple_of(2) {
        return Err(MALFORMED);
    }
    if ![0, NEGATIVE].contains(sign) {
        return Err(Unreadable("is not a finite number"));
    }
    let weight = weight.cast_signed();
    let whole = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if digits.iter().skip(whole).any(|digit| *digit != 0) {
        return Err(Unreadable("is not a whole number"));
    }
    let beyond = Unreadable("is beyond 64 bits");
    // More digits than an i128 holds are refused before they are counted.
    if whole > 9 && digits.iter().any(|digit| *digit != 0) {
        return Err(beyond);
    }
    // Zeros at the end are left out.
    let all = digits.iter().copied().chain(std::iter::repeat(0)).take(whole.min(9));
    let value = all.fold(0_i128, |value, digit| value * 10_000 + i128::from(digit));
    i64::try_from(if *sign == NEGATIVE { -value } else { value }).map_err(|_| beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A NUMERIC as the server sends it.
    fn numeric(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let count = u16::try_from(digits.len()).unwrap();
        let head = [count, weight.cast_unsigned(), sign, 0];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn whole_numbers_within_64_bits_are_read() {
        for (weight, sign, digits, value) in [
            (0, 0, &[][..], 0),
            (0, 0, &[7], 7),
            (1, 0x4000, &[1, 2345], -12_345),
            (2, 0, &[5], 500_000_000),
            (4, 0, &[922, 3372, 368, 5477, 5807], i64::MAX),
            (4, 0x4000, &[922, 3372, 368, 5477, 5808], i64::MIN),
            (1, 0, &[3, 0, 0, 0], 30_000),
        ] {
            assert_eq!(integer(&numeric(weight, sign, digits)).unwrap(), value);
        }
    }

    #[test]
    fn other_numbers_are_refused() {
        for (raw, why) in [
            (numeric(4, 0, &[922, 3372, 368, 5477, 5808]), "beyond 64 bits"),
            (numeric(4, 0x4000, &[922, 3372, 368, 5477, 5809]), "beyond 64 bits"),
            (numeric(9, 0, &[1]), "beyond 64 bits"),
            (numeric(i16::MAX, 0, &[1]), "beyond 64 bits"),
            (numeric(0, 0, &[1, 5000]), "not a whole number"),
            (numeric(-1, 0, &[5000]), "not a whole number"),
            (numeric(0, 0xc000, &[]), "not a finite number"),
            (numeric(0, 0, &[1])[..9].to_vec(), "malformed"),
            (Vec::new(), "malformed"),
        ] {
            let error = integer(&raw).unwrap_err().to_string();
            assert!(error.contains(why), "{raw:?}: {error}");
        }
    }

    #[test]
    fn parameters_are_of_the_types_that_are_wanted() {
        let values = [1.into(), "a".into(), Value::Null];
        let params = Param::all(&values).unwrap();
        check(&params, &[Type::INT4, Type::JSONB, Type::BOOL]).unwrap();
        let wrong = check(&params, &[Type::TEXT, Type::TEXT, Type::TEXT]).unwrap_err().to_string();
        assert!(wrong.contains("parameter 0 is of another type than text"), "{wrong}");
        assert!(check(&params, &[Type::INT8, Type::INT8, Type::INT8]).is_err());
        assert!(
            check(&params, &[Type::INT8]).unwrap_err().to_string().contains("with 1 parameters was given 3")
        );
        assert!(Param::all(&["secret\0".into()]).is_err());
    }
}
