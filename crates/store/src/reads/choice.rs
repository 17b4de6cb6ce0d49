//! From which side a list of products is read.
//!
//! Every order that a list may have is an index, and walking along it is quick as long as most rows match. Of a few that
//! match, it is quicker to get all and to sort them. Which of both takes fewer looks is told by numbers that are kept or
//! quickly counted; the optimizers of the databases know less, and SQLite's nothing. So the statements leave no choice.

use super::search::Needle;
use crate::driver::{Reader, Value};
use crate::{ProductQuery, ProductSort, Start, StoreError};

const SHELVES: &str = "SELECT c.shelf, c.products FROM product_counts c";
/// Levels that can be low at all, given the highest threshold.
const LOW: &str = " UNION ALL SELECT 10, COUNT(*) FROM (SELECT s.product_id FROM stock_levels s \
     WHERE s.available <= (SELECT MAX(t.low_stock_threshold) FROM products t) LIMIT 5001) l";
const GRAM: &str = " UNION ALL SELECT ?, COUNT(*) FROM (SELECT g.product_id FROM product_grams g \
     WHERE g.gram = ? LIMIT 5001) l";
/// Up to so many rows are counted.
pub(super) const COUNTED: i64 = 5_000;
/// What comes of [`LOW`] and [`GRAM`] is labelled from these numbers on.
const LOW_LABEL: i64 = 10;
const GRAM_LABEL: i64 = 100;
/// How many grams of a text are counted; a longer text is seldom rarer for more.
const COUNTED_GRAMS: usize = 12;

/// For so many rows an order is walked along when nothing is known about how many match.
const UNSURE_ROWS: i64 = 2_000;

/// Rows that a list may be taken from instead of walking along its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Products with this gram, by id, and how many there are; more than [`COUNTED`] if nobody knows.
    Gram(String, i64),
    /// Products on these shelves; if it is one, by id.
    Shelves(&'static [i64]),
    /// Products that may be low, the emptiest first.
    Low,
    /// All products as they lie in the table, which is far quicker for all of them than along another order.
    All,
}

/// How a list is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// There is nothing.
    Nothing,
    /// Along its order.
    Walk,
    /// Along its order for so many rows; if they do not fill the page, all of the source, sorted.
    Try(i64, Source),
    /// All of the source, sorted.
    Sort(Source),
    /// Along the order of the source, which is that of the list.
    Follow(Source),
}

/// How many rows there are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    shelves: [i64; 4],
    /// Counted up to a limit, if it was asked for.
    low: Option<i64>,
    /// The rarest gram and how many products have it, up to a limit.
    gram: Option<(String, i64)>,
}

/// The shelves of the products that are asked for.
pub(super) fn shelves(query: &ProductQuery) -> &'static [i64] {
    match (query.archived, query.active) {
        (false, None) => &[0, 1],
        (false, Some(true)) => &[0],
        (false, Some(false)) => &[1],
        (true, None) => &[2, 3],
        (true, Some(true)) => &[2],
        (true, Some(false)) => &[3],
    }
}

impl Sizes {
    /// Asks for what matters to this query, at once.
    pub(super) async fn read(
        reader: &mut Reader,
        query: &ProductQuery,
        needle: &Needle,
    ) -> Result<Self, StoreError> {
        let (mut sql, mut params) = (SHELVES.to_owned(), Vec::new());
        if query.low_stock == Some(true) {
            sql.push_str(LOW);
        }
        let grams = needle.grams(COUNTED_GRAMS);
        for (label, gram) in (GRAM_LABEL..).zip(&grams) {
            sql.push_str(GRAM);
            params.extend([Value::Int(label), Value::from(*gram)]);
        }
        let rows = if sql.len() == SHELVES.len() {
            reader.query(SHELVES, &[]).await?
        } else {
            reader.query_dynamic_long(&sql, &params).await?
        };
        let mut sizes = Self::default();
        for row in rows {
            let (label, rows) = (row.int(0)?, row.int(1)?);
            let at = |first: i64| usize::try_from(label - first).unwrap_or(usize::MAX);
            if let Some(shelf) = sizes.shelves.get_mut(at(0)) {
                *shelf = rows;
            } else if label == LOW_LABEL {
                sizes.low = Some(rows);
            } else if let Some(gram) = grams.get(at(GRAM_LABEL))
                && sizes.gram.as_ref().is_none_or(|(_, least)| rows < *least)
            {
                sizes.gram = Some(((*gram).to_owned(), rows));
            }
        }
        Ok(sizes)
    }

    fn all(&self) -> i64 {
        self.shelves.iter().sum()
    }

    /// How many products are on these shelves.
    pub(super) fn on(&self, shelves: &[i64]) -> i64 {
        let on = |shelf: &i64| usize::try_from(*shelf).ok().and_then(|shelf| self.shelves.get(shelf));
        shelves.iter().filter_map(on).sum()
    }

    /// The smallest of the sources, and its size.
    fn smallest(&self, query: &ProductQuery) -> (Source, i64) {
        let shelves = shelves(query);
        let mut smallest = (Source::Shelves(shelves), self.on(shelves));
        let low = self.low.map(|rows| (Source::Low, rows));
        let gram = self.gram.clone().map(|(gram, rows)| (Source::Gram(gram, rows), rows));
        for other in [low, gram].into_iter().flatten() {
            if other.1 < smallest.1 {
                smallest = other;
            }
        }
        smallest
    }

    /// From where all that matches is counted; `None` if most rows may match.
    pub(super) fn counted_from(&self, query: &ProductQuery) -> Option<Source> {
        let (source, rows) = self.smallest(query);
        (rows < self.all() / 2).then_some(source)
    }

    /// How to read a page.
    pub(super) fn way(&self, query: &ProductQuery) -> Way {
        let (source, rows) = self.smallest(query);
        if rows == 0 {
            return Way::Nothing;
        }
        let all = self.all();
        let skipped = match query.page.start {
            Start::Offset(offset) => offset.max(0),
            Start::After { .. } => 0,
        };
        let wanted = skipped.saturating_add(i64::from(query.page.limit) + 1);
        let walked = wanted.saturating_mul(all) / rows;
        let by_id = matches!(source, Source::Gram(..) | Source::Shelves([_]));
        let follows = by_id && query.sort == ProductSort::Id
            || source == Source::Low && query.sort == ProductSort::Available;
        // A few grams are sorted all the same: PostgreSQL is told so how few they are.
        if follows && !(matches!(source, Source::Gram(..)) && rows <= walked) {
            return Way::Follow(source);
        }
        if rows > all / 4 {
            // A text too short for grams, or what is not low: nobody has counted whether many match or none.
            // What is not low comes right behind what is.
            let is_short = query.text.is_some() && self.gram.is_none();
            let is_unsure =
                is_short || query.low_stock == Some(false) && query.sort != ProductSort::Available;
            let is_far = is_unsure && query.sort != ProductSort::Id;
            return if is_far { Way::Try(UNSURE_ROWS, Source::All) } else { Way::Walk };
        }
        // Along the order, one row of so many matches, if those that match lie anywhere.
        if rows <= walked {
            return Way::Sort(source);
        }
        // They need not: the last page of a long alphabet may have all of them. So the walk is given up in time.
        Way::Try(walked.saturating_mul(8).saturating_add(500).min(rows), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Page;

    fn query(sort: ProductSort, archived: bool, active: Option<bool>) -> ProductQuery {
        let page = Page { limit: 20, start: Start::Offset(0) };
        ProductQuery { sort, archived, active, ..ProductQuery::catalogue(page) }
    }

    fn sizes(shelves: [i64; 4]) -> Sizes {
        Sizes { shelves, low: None, gram: None }
    }

    #[test]
    fn many_are_walked_along_and_few_are_sorted() {
        use ProductSort::{Available, Id, Name, Price};
        let shop = sizes([90_000, 1_000, 9_000, 0]);
        for (sort, archived, active, way) in [
            (Id, false, None, Way::Walk),
            (Price, false, None, Way::Walk),
            (Available, false, Some(true), Way::Walk),
            (Price, false, Some(false), Way::Sort(Source::Shelves(&[1]))),
            (Id, false, Some(false), Way::Follow(Source::Shelves(&[1]))),
            (Name, true, None, Way::Try(2_364, Source::Shelves(&[2, 3]))),
            (Id, true, Some(true), Way::Follow(Source::Shelves(&[2]))),
            (Id, true, Some(false), Way::Nothing),
        ] {
            assert_eq!(shop.way(&query(sort, archived, active)), way, "{sort:?} {archived} {active:?}");
        }
    }

    #[test]
    fn the_rarest_decides() {
        let gram = |rows| Source::Gram("abc".to_owned(), rows);
        let mut shop = sizes([100_000, 0, 0, 0]);
        let by_price = query(ProductSort::Price, false, None);
        for (rows, way) in [
            (0, Way::Nothing),
            (7, Way::Sort(gram(7))),
            (1_400, Way::Sort(gram(1_400))),
            (1_500, Way::Try(1_500, gram(1_500))),
            (5_001, Way::Try(3_852, gram(5_001))),
        ] {
            shop.gram = Some(("abc".to_owned(), rows));
            assert_eq!(shop.way(&by_price), way, "{rows}");
        }
        let low = ProductQuery { low_stock: Some(true), ..query(ProductSort::Available, false, None) };
        shop.low = Some(3_000);
        assert_eq!(shop.way(&low), Way::Follow(Source::Low));
        shop.gram = Some(("abc".to_owned(), 50));
        assert_eq!(shop.way(&low), Way::Sort(gram(50)));
        assert_eq!(shop.counted_from(&low), Some(gram(50)));
        let by_id = query(ProductSort::Id, false, None);
        shop.low = None;
        assert_eq!(shop.way(&by_id), Way::Sort(gram(50)));
        shop.gram = Some(("abc".to_owned(), 5_001));
        assert_eq!(shop.way(&by_id), Way::Follow(gram(5_001)));
    }

    #[test]
    fn what_nobody_has_counted_is_tried() {
        let shop = sizes([100_000, 0, 0, 0]);
        let short = |sort| ProductQuery { text: Some("qz".to_owned()), ..query(sort, false, None) };
        assert_eq!(shop.way(&short(ProductSort::Id)), Way::Walk);
        assert_eq!(shop.way(&short(ProductSort::Name)), Way::Try(UNSURE_ROWS, Source::All));
        let not_low = ProductQuery { low_stock: Some(false), ..query(ProductSort::Price, false, None) };
        assert_eq!(shop.way(&not_low), Way::Try(UNSURE_ROWS, Source::All));
        let by_available = ProductQuery { sort: ProductSort::Available, ..not_low };
        assert_eq!(shop.way(&by_available), Way::Walk);
    }

    #[test]
    fn who_asks_for_many_walks_sooner() {
        let shop = Sizes { gram: Some(("abc".to_owned(), 5_001)), ..sizes([100_000, 0, 0, 0]) };
        let page = Page { limit: 20, start: Start::Offset(3_000) };
        let query = ProductQuery { page, ..query(ProductSort::Price, false, None) };
        assert_eq!(shop.way(&query), Way::Sort(Source::Gram("abc".to_owned(), 5_001)));
    }
}
