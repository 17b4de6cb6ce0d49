//! Pages of lists: `limit` with `offset`, with `page`, or with a `cursor`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use super::checksum::checksum;
use super::invalid::{FieldError, Invalid};
use super::values::integer_value;

integer_value! {
    /// The most rows of one page.
    PageLimit: 1..=100, "Most rows of one page.", example 20
}
integer_value! {
    /// How many rows to skip.
    PageOffset: 0..=1_000_000_000_000, "How many rows to skip.", example 0
}
integer_value! {
    /// The number of a page, from 1.
    PageNumber: 1..=10_000_000_000, "Number of the page, from 1.", example 1
}

/// Rows of a page when the request does not say.
pub const DEFAULT_LIMIT: u32 = 20;

/// Longer cursors are none of ours.
const LONGEST_CURSOR: usize = 2048;

/// The parameters of every list, as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// Most rows of one page; 20 unless given.
    #[param(inline)]
    pub limit: Option<PageLimit>,
    /// How many rows to skip. Deep offsets are slow; follow `next_cursor` instead.
    #[param(inline)]
    pub offset: Option<PageOffset>,
    /// Number of the page, from 1, instead of `offset`.
    #[param(inline)]
    pub page: Option<PageNumber>,
    /// The `next_cursor` of the previous page, instead of `offset` and `page`.
    #[param(min_length = 1, max_length = 2048, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: Option<String>,
}

/// An order that a list can be in.
pub trait Sort {
    /// As the query spells it; part of every cursor.
    fn word(&self) -> &'static str;

    /// The kind of value that it sorts by.
    fn kind(&self) -> KeyKind;
}

/// The order of a list that is sorted by numbers, under its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByNumber(pub &'static str);

impl Sort for ByNumber {
    fn word(&self) -> &'static str {
        self.0
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Int
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The most rows, 1 to 100.
    pub limit: u32,
    /// Where it starts.
    pub position: Position,
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After so many rows.
    Offset(i64),
    /// After the row that the cursor describes.
    After(Cursor),
}

impl PageParams {
    /// Checks how the parameters go together. `sort` is the order in force, which a cursor must share.
    ///
    /// # Errors
    /// [`Invalid`] naming the parameters that contradict each other, or the cursor.
    pub fn resolve(&self, sort: &impl Sort) -> Result<Page, Invalid> {
        let mut errors = Vec::new();
        let mut clash = |field: &str, other: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                message: format!("cannot be combined with {other}"),
            });
        };
        if self.page.is_some() && self.offset.is_some() {
            clash("page", "offset");
        }
        if self.cursor.is_some() && self.offset.is_some() {
            clash("cursor", "offset");
        }
        if self.cursor.is_some() && self.page.is_some() {
            clash("cursor", "page");
        }
        Invalid::unless_empty(errors)?;
        let limit = self.limit.and_then(|limit| u32::try_from(limit.get()).ok()).unwrap_or(DEFAULT_LIMIT);
        let position = match (&self.cursor, self.page, self.offset) {
            (Some(cursor), _, _) => Position::After(Cursor::decode(cursor, sort)?),
            // Both limits are far from overflowing: at most 10^10 pages of 100.
            (None, Some(page), _) => Position::Offset((page.get() - 1) * i64::from(limit)),
            (None, None, offset) => Position::Offset(offset.map_or(0, PageOffset::get)),
        };
        Ok(Page { limit, position })
    }
}

/// The last row of a page: its place in the order, and its id to tell equals apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The value that the list is sorted by.
    pub key: Key,
    /// The id of the row.
    pub id: i64,
}

/// A value that a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A number, or a time in microseconds.
    Int(i64),
    /// Text, compared by code point.
    Text(String),
}

/// The kind of a [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// [`Key::Int`].
    Int,
    /// [`Key::Text`].
    Text,
}

impl Key {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Int(_) => KeyKind::Int,
            Self::Text(_) => KeyKind::Text,
        }
    }
}

impl Cursor {
    /// The place of a row in a list that is sorted by id.
    #[must_use]
    pub const fn by_id(id: i64) -> Self {
        Self { key: Key::Int(id), id }
    }

    /// Writes the cursor for a list in order of `sort`, safe for URLs. It is not a secret; clients must not look
    /// into it.
    #[must_use]
    pub fn encode(&self, sort: &impl Sort) -> String {
        let key = match &self.key {
            Key::Int(value) => format!("i{value}"),
            Key::Text(text) => format!("t{text}"),
        };
        let text = format!("1|{}|{}|{key}", sort.word(), self.id);
        URL_SAFE_NO_PAD.encode(format!("{:08x}{text}", checksum(&text)))
    }

    /// Reads what [`Self::encode`] wrote for the same `sort`.
    ///
    /// # Errors
    /// [`Invalid`] on `cursor`, for anything else.
    pub fn decode(text: &str, sort: &impl Sort) -> Result<Self, Invalid> {
        let broken =
            || Invalid::one("cursor", "is not a cursor of this API; take next_cursor of the previous page");
        if text.len() > LONGEST_CURSOR {
            return Err(broken());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
        let decoded = String::from_utf8(bytes).map_err(|_| broken())?;
        let (sum, content) = decoded.split_at_checked(8).ok_or_else(broken)?;
        if sum != format!("{:08x}", checksum(content)) {
            return Err(broken());
        }
        let mut parts = content.splitn(4, '|');
        let (Some("1"), Some(made_for), Some(id), Some(key)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(broken());
        };
        if made_for != sort.word() {
            return Err(Invalid::one("cursor", "belongs to a list in another order; start again without it"));
        }
        let id = id.parse().map_err(|_| broken())?;
        let key = match key.split_at_checked(1) {
            Some(("i", value)) => Key::Int(value.parse().map_err(|_| broken())?),
            Some(("t", value)) if !value.contains('\0') => Key::Text(value.to_owned()),
            _ => return Err(broken()),
        };
        // A checksum is no signature: anybody can put a text where the list has numbers.
        if key.kind() != sort.kind() {
            return Err(broken());
        }
        Ok(Self { key, id })
    }
}

#[cfg(test)]
mod tests;
