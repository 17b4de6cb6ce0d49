//! A field that may be left out and may not be null.

use serde::{Deserialize, Deserializer};

/// Reads a field that is there: `#[serde(default, deserialize_with = "given")]` on an `Option` makes null as wrong
/// as any other value of the wrong type, where serde alone would take it for absence.
///
/// # Errors
/// Those of the value.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
