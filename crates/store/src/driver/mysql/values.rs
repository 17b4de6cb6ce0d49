//! Parameters on their way to the server, and rows on their way back.

use super::super::rows::nul_refused;
use super::super::{Row, Value};
use crate::StoreError;
use mysql_async::consts::ColumnType;
use mysql_async::{Column, Value as Raw};

/// What a parameter takes in a packet besides its text, at most; and what the packet takes besides its parameters.
const OVERHEAD_BYTES: usize = 16;
/// The number by which the server says that a text is bytes without a character set.
const BINARY: u16 = 63;

/// Parameters as the driver takes them.
///
/// # Errors
/// [`StoreError::Unsupported`] when a text has the character U+0000, or all of them are more than the server takes in
/// one packet.
pub(super) fn parameters(params: &[Value], max_packet: usize) -> Result<Vec<Raw>, StoreError> {
    let mut bytes = OVERHEAD_BYTES;
    let mut all = Vec::with_capacity(params.len());
    for param in params {
        bytes += OVERHEAD_BYTES;
        all.push(match param {
            Value::Null => Raw::NULL,
            Value::Int(value) => Raw::Int(*value),
            Value::Text(text) if text.contains('\0') => return Err(nul_refused()),
            Value::Text(text) => {
                bytes += text.len();
                Raw::Bytes(text.as_bytes().to_vec())
            }
        });
    }
    fits(bytes, max_packet)?;
    Ok(all)
}

/// Whether the server takes so much at once: a packet that is too large would cost the connection.
pub(super) fn fits(bytes: usize, max_packet: usize) -> Result<(), StoreError> {
    if bytes < max_packet {
        return Ok(());
    }
    Err(StoreError::unsupported(format!(
        "{bytes} bytes are more than the database server takes at once: its max_allowed_packet is {max_packet}"
    )))
}

/// One row of an answer.
pub(super) fn row(raw: mysql_async::Row) -> Result<Row, StoreError> {
    let columns = raw.columns();
    let values = raw.unwrap();
    let values = values.into_iter().zip(columns.iter()).enumerate();
    values.map(|(at, (value, column))| read(value, column, at)).collect::<Result<_, _>>().map(Row::new)
}

/// The type of the column tells a text from a number written as one.
fn read(value: Raw, column: &Column, at: usize) -> Result<Value, StoreError> {
    use ColumnType as Type;
    let neither = || StoreError::decode(format!("column {at} is neither an integer nor a text"));
    match (value, column.column_type()) {
        (Raw::NULL, _) => Ok(Value::Null),
        (Raw::Int(value), _) => Ok(Value::Int(value)),
        (Raw::UInt(value), _) => i64::try_from(value).map(Value::Int).map_err(|_| too_large(at)),
        (
            Raw::Bytes(digits),
            Type::MYSQL_TYPE_DECIMAL
            | Type::MYSQL_TYPE_NEWDECIMAL
            | Type::MYSQL_TYPE_TINY
            | Type::MYSQL_TYPE_SHORT
            | Type::MYSQL_TYPE_INT24
            | Type::MYSQL_TYPE_LONG
            | Type::MYSQL_TYPE_LONGLONG,
        ) => integer(&digits, at),
        (
            Raw::Bytes(bytes),
            Type::MYSQL_TYPE_VARCHAR
            | Type::MYSQL_TYPE_VAR_STRING
            | Type::MYSQL_TYPE_STRING
            | Type::MYSQL_TYPE_TINY_BLOB
            | Type::MYSQL_TYPE_MEDIUM_BLOB
            | Type::MYSQL_TYPE_LONG_BLOB
            | Type::MYSQL_TYPE_BLOB,
        ) if column.character_set() != BINARY => String::from_utf8(bytes)
            .map(Value::Text)
            .map_err(|_| StoreError::decode(format!("column {at} holds a text that is not UTF-8"))),
        _ => Err(neither()),
    }
}

/// Sums come as exact decimal numbers: `12`, or `12.00` where something was divided.
fn integer(digits: &[u8], at: usize) -> Result<Value, StoreError> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.bytes().any(|digit| digit != b'0') {
        return Err(StoreError::decode(format!("column {at} holds a number that is not whole")));
    }
    whole.parse().map(Value::Int).map_err(|_| too_large(at))
}

fn too_large(at: usize) -> StoreError {
    StoreError::decode(format!("column {at} holds a number beyond 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnType, character_set: u16) -> Column {
        Column::new(kind).with_character_set(character_set)
    }

    #[test]
    fn the_type_of_the_column_decides() {
        let text = Raw::Bytes(b"123".to_vec());
        let decimal = column(ColumnType::MYSQL_TYPE_NEWDECIMAL, BINARY);
        assert_eq!(read(text.clone(), &decimal, 0).unwrap(), 123.into());
        let long = column(ColumnType::MYSQL_TYPE_LONG_BLOB, 46);
        assert_eq!(read(text.clone(), &long, 0).unwrap(), "123".into());
        assert_eq!(read(Raw::NULL, &long, 0).unwrap(), Value::Null);
        let blob = column(ColumnType::MYSQL_TYPE_LONG_BLOB, BINARY);
        for (value, column) in [
            (text, &blob),
            (Raw::Bytes(b"1.5".to_vec()), &decimal),
            (Raw::Bytes(b"9223372036854775808".to_vec()), &decimal),
            (Raw::UInt(u64::MAX), &column(ColumnType::MYSQL_TYPE_LONGLONG, BINARY)),
            (Raw::Double(1.0), &column(ColumnType::MYSQL_TYPE_DOUBLE, BINARY)),
            (Raw::Date(1, 1, 1, 0, 0, 0, 0), &column(ColumnType::MYSQL_TYPE_DATETIME, BINARY)),
            (Raw::Bytes(vec![0xff]), &long),
        ] {
            let error = read(value, column, 7).unwrap_err();
            assert!(error.to_string().contains("column 7"), "{error}");
            assert!(matches!(error, StoreError::Decode { .. }), "{error:?}");
        }
        for (digits, value) in
            [("-9223372036854775808", i64::MIN), ("9223372036854775807", i64::MAX), ("7.000", 7)]
        {
            assert_eq!(read(Raw::Bytes(digits.into()), &decimal, 0).unwrap(), value.into());
        }
    }

    #[test]
    fn what_the_server_does_not_take_is_not_sent() {
        let text = Value::from("x".repeat(900));
        assert!(parameters(std::slice::from_ref(&text), 1000).is_ok());
        let error = parameters(&[text.clone(), text], 1000).unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
        assert!(matches!(parameters(&["a\0".into()], 1000), Err(StoreError::Unsupported { .. })));
    }
}
