//! Pages by number, with the number of all.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::values::Int;
use crate::app::views::{Page, Start};

/// Which page.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageOf {
    /// From 1.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_i64, default = 1)]
    page: Option<Int<1, 1_000_000_000_000>>,
    /// Entries of a page.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10)]
    limit: Option<Int<1, 100>>,
}

impl PageOf {
    fn page(self) -> i64 {
        self.page.map_or(1, |page| page.0)
    }

    fn limit(self) -> i64 {
        self.limit.map_or(10, |limit| limit.0)
    }

    /// The rows of the page.
    pub(super) fn rows(self) -> Page {
        // Neither product nor limit can leave its type: both factors are bounded.
        let limit = u32::try_from(self.limit()).unwrap_or(1);
        Page { limit, start: Start::Offset((self.page() - 1) * self.limit()) }
    }
}

/// Where a page stands among all.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Pagination {
    /// Entries on all pages.
    #[schema(example = 42)]
    total: i64,
    #[schema(example = 1)]
    page: i64,
    #[schema(example = 10)]
    limit: i64,
    /// Pages.
    #[schema(example = 5)]
    pages: i64,
}

impl Pagination {
    /// Of a page of a list with so many entries.
    pub(super) fn of(page: PageOf, total: i64) -> Self {
        let limit = page.limit();
        Self { total, page: page.page(), limit, pages: total / limit + i64::from(total % limit > 0) }
    }
}
