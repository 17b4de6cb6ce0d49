//! Some rows of a table: as many as are carried in one transaction.

use super::tables::{Range, SIZE_BASE, columns, key_positions, select, size};
use crate::StoreError;
use crate::driver::{Reader, Rows, TableRows, Value};

/// What a number, or the frame around a text, takes at most as JSON: 20 digits, or quotes, and a comma.
const CELL_BYTES: i64 = 21;

/// How much is carried at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortionLimit {
    /// At most so many rows. At least 1.
    pub rows: i64,
    /// At most so many bytes, unless a single row has more.
    pub bytes: i64,
}

impl Default for PortionLimit {
    /// Enough rows that a transaction costs little beside them: at three milliseconds a sync that is two microseconds
    /// a row. And so few bytes that they stay below 4 MiB, which every database takes in one parameter, even if JSON
    /// needs six bytes for each of them (`\u001f`).
    fn default() -> Self {
        Self { rows: 2_000, bytes: 512 * 1024 }
    }
}

/// Rows that follow each other in the order of their key.
#[derive(Debug)]
pub(super) struct Portion {
    pub(super) rows: Rows,
    /// The key of the last one.
    pub(super) last: Vec<Value>,
}

/// Reads the rows behind a key, or the first ones if it is empty. `None` when there are no more.
pub(super) async fn read(
    reader: &mut Reader,
    table: &TableRows,
    key: &[Value],
    limit: PortionLimit,
) -> Result<Option<Portion>, StoreError> {
    let mut portion = Portion { rows: Rows::new(), last: Vec::new() };
    let mut room = Room { limit, is_untouched: true, is_full: false };
    for range in Range::behind(key) {
        let fitting = room.measure(reader, table, range, key).await?;
        if fitting > 0 {
            let sql = select(table, &columns(table), range);
            let found = reader.query_dynamic_long(&sql, &range.params(key, fitting)).await?;
            for row in &found {
                portion.rows.push_read(row);
            }
            if let Some(last) = found.last() {
                portion.last = key_positions(table).filter_map(|at| last.values().get(at)).cloned().collect();
            }
        }
        if room.is_full {
            break;
        }
    }
    Ok((!portion.rows.is_empty()).then_some(portion))
}

/// What may still come into a portion.
struct Room {
    limit: PortionLimit,
    /// Nothing is in it yet. The first row always fits.
    is_untouched: bool,
    /// There was a row that had to stay outside, or nothing more fits.
    is_full: bool,
}

impl Room {
    /// How many rows of a range fit, which takes them off the room. Their sizes are asked for before the rows
    /// themselves: a thousand of the longest texts must not meet in memory.
    async fn measure(
        &mut self,
        reader: &mut Reader,
        table: &TableRows,
        range: Range,
        key: &[Value],
    ) -> Result<i64, StoreError> {
        let sql = select(table, &size(table), range);
        let sizes = reader.query_dynamic_long(&sql, &range.params(key, self.limit.rows)).await?;
        let frame = CELL_BYTES * i64::try_from(table.columns.len()).unwrap_or(i64::MAX / CELL_BYTES);
        let mut fitting = 0;
        for row in sizes {
            let size = row.int(0)?.saturating_sub(SIZE_BASE).saturating_add(frame);
            if size > self.limit.bytes && !self.is_untouched {
                self.is_full = true;
                break;
            }
            self.is_untouched = false;
            self.limit.bytes = self.limit.bytes.saturating_sub(size);
            fitting += 1;
        }
        self.limit.rows -= fitting;
        self.is_full |= self.limit.rows <= 0;
        Ok(fitting)
    }
}
