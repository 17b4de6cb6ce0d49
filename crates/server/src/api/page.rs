//! What every list says about its page.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::views::{Listing, Page, Start};
use crate::wire::paging::{Cursor, Sort};

/// What a list tells beside its page when it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Include {
    /// How many entries match, on whatever page.
    Total,
}

/// Where a page of a list stands, and where the next one starts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PageBody {
    /// Most entries of a page.
    #[schema(example = 20)]
    limit: u32,
    /// How many entries were skipped; null when a cursor said where to start.
    #[schema(required, example = 0)]
    offset: Option<i64>,
    /// `cursor` of the next page; null when this is the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl PageBody {
    /// Of the `page` that `listing` fills, in a list in the order of `sort`, in which `place` finds a row.
    pub(super) fn new<T>(
        page: &Page,
        listing: &Listing<T>,
        sort: &impl Sort,
        place: impl FnOnce(&T) -> Cursor,
    ) -> Self {
        let last = listing.rows.last().filter(|_| listing.more);
        Self {
            limit: page.limit,
            offset: match page.start {
                Start::Offset(offset) => Some(offset),
                Start::After { .. } => None,
            },
            next_cursor: last.map(|last| place(last).encode(sort)),
        }
    }
}
