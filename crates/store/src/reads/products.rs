//! Products with their stock.

use domain::{ProductId, ProductWithStock};

use super::choice::{COUNTED, Sizes, Source, Way, shelves};
use super::filter::{Order, Select};
use super::search::Needle;
use super::{aggregate, listing};
use crate::driver::{Reader, Row};
use crate::rows::{self, PRODUCT_WIDTH, product_columns};
use crate::{Counted, Listing, ProductQuery, ProductSort, ProductView, SortValue, Store, StoreError};

/// Products with the columns of their level, which counts as empty when it is missing.
macro_rules! products_with_stock {
    ($from:expr) => {
        concat!(
            "SELECT ",
            product_columns!(),
            ", p.id, COALESCE(s.on_hand, 0), COALESCE(s.allocated, 0), COALESCE(s.version, 0)",
            $from
        )
    };
}

macro_rules! with_levels {
    () => {
        " LEFT JOIN stock_levels s ON s.product_id = p.id AND s.location_id = 1"
    };
}

macro_rules! rare_gram {
    () => {
        " FROM (SELECT k.product_id FROM product_grams k WHERE k.gram = ? LIMIT ?) g CROSS JOIN products p"
    };
}

const PRODUCT: &str = products_with_stock!(concat!(" FROM products p", with_levels!(), " WHERE p.id = ?"));
/// Of products alone, along an index of theirs, or of the shelf.
const PRODUCTS: &str = products_with_stock!(concat!(" FROM products p", with_levels!()));
/// CROSS JOIN is what keeps SQLite to this order of the tables; to the others it is a join like all.
const BY_LEVEL: &str = products_with_stock!(" FROM stock_levels s CROSS JOIN products p");
const BY_GRAM: &str =
    products_with_stock!(concat!(" FROM product_grams g CROSS JOIN products p", with_levels!()));

/// Of a few, whose number PostgreSQL would guess far too high.
const BY_RARE_GRAM: &str = products_with_stock!(concat!(rare_gram!(), with_levels!()));

/// The same to be counted. Each product has one level or none, so that none is counted twice.
const COUNT: &str = "SELECT COUNT(*) FROM products p";
const COUNT_WITH_LEVELS: &str = concat!("SELECT COUNT(*) FROM products p", with_levels!());
const COUNT_BY_LEVEL: &str = "SELECT COUNT(*) FROM stock_levels s CROSS JOIN products p";
const COUNT_BY_GRAM: &str = "SELECT COUNT(*) FROM product_grams g CROSS JOIN products p";
const COUNT_BY_RARE_GRAM: &str = concat!("SELECT COUNT(*)", rare_gram!());
const COUNT_BY_RARE_GRAM_WITH_LEVELS: &str = concat!("SELECT COUNT(*)", rare_gram!(), with_levels!());
const COUNT_BY_GRAM_WITH_LEVELS: &str =
    concat!("SELECT COUNT(*) FROM product_grams g CROSS JOIN products p", with_levels!());

/// The row where a walk is given up.
const END: &str = "SELECT p.id FROM products p";
const END_BY_NAME: &str = "SELECT p.id, p.name FROM products p";
const END_BY_SKU: &str = "SELECT p.id, p.sku FROM products p";
const END_BY_PRICE: &str = "SELECT p.id, p.price_cents FROM products p";
const END_BY_CREATION: &str = "SELECT p.id, p.created_at_us FROM products p";
const END_BY_LEVEL: &str = "SELECT s.product_id, s.available FROM stock_levels s";

/// Columns for the search of levels that can be low.
const CAN_BE_LOW: &str = "s.available <= (SELECT MAX(t.low_stock_threshold) FROM products t)";

impl Store {
    /// One product with its stock, archived or not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn product(&self, id: ProductId) -> Result<Option<ProductView>, StoreError> {
        self.first(PRODUCT, &[id.0.into()]).await?.map(view).transpose()
    }

    /// A page of products. Where there are only a few to be shown, they are found without looking at the others.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] when the page starts at a value of another type than the sort has; see also
    /// [`StoreError`].
    pub async fn products(&self, query: &ProductQuery) -> Result<Listing<ProductView>, StoreError> {
        let mut reader = self.database().long_reader().await?;
        let needle = Needle::new(query.text.as_deref());
        let sizes = Sizes::read(&mut reader, query, &needle).await?;
        rows_of(&mut reader, query, &needle, &sizes).await
    }

    /// A page of products, and how many match; page and number show one state. How many there are in the catalogue,
    /// active or not, is known; what else is asked for is counted one by one.
    ///
    /// # Errors
    /// As [`Store::products`].
    pub async fn counted_products(&self, query: &ProductQuery) -> Result<Counted<ProductView>, StoreError> {
        self.of_one_state(query, |reader, query| Box::pin(with_number(reader, query))).await
    }
}

async fn with_number(reader: &mut Reader, query: &ProductQuery) -> Result<Counted<ProductView>, StoreError> {
    let needle = Needle::new(query.text.as_deref());
    let sizes = Sizes::read(reader, query, &needle).await?;
    let listing = rows_of(reader, query, &needle, &sizes).await?;
    let total = if query.text.is_none() && query.low_stock.is_none() {
        sizes.on(shelves(query))
    } else {
        aggregate(reader, &count(query, &needle, &sizes)).await?.int(0)?
    };
    Ok(Counted { listing, total })
}

async fn rows_of(
    reader: &mut Reader,
    query: &ProductQuery,
    needle: &Needle,
    sizes: &Sizes,
) -> Result<Listing<ProductView>, StoreError> {
    let select = match sizes.way(query) {
        Way::Nothing => {
            // A start of another sort is a mistake also where there is nothing.
            walk(query, needle).page(order(query), &query.page)?;
            return Ok(Listing { rows: Vec::new(), more: false });
        }
        Way::Walk => page(walk(query, needle), order(query), query)?,
        Way::Try(rows, source) => match walk_for(reader, query, needle, rows).await? {
            Some(listing) => return Ok(listing),
            None => page(from(&source, query, needle), sorted(query), query)?,
        },
        Way::Sort(source) => page(from(&source, query, needle), sorted(query), query)?,
        Way::Follow(source) => {
            let id = if matches!(source, Source::Gram(..)) { "g.product_id" } else { "p.id" };
            let order = order(query);
            let order = if order.by.is_none() { Order { id, ..order } } else { order };
            page(from(&source, query, needle), order, query)?
        }
    };
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    listing(found, &query.page, view)
}

fn page(mut select: Select, order: Order, query: &ProductQuery) -> Result<Select, StoreError> {
    select.page(order, &query.page)?;
    Ok(select)
}

/// Walks along the order for so many rows; `None` if they do not fill the page.
async fn walk_for(
    reader: &mut Reader,
    query: &ProductQuery,
    needle: &Needle,
    rows: i64,
) -> Result<Option<Listing<ProductView>>, StoreError> {
    let order = order(query);
    let mut end = Select::new(match query.sort {
        ProductSort::Id => END,
        ProductSort::Name => END_BY_NAME,
        ProductSort::Sku => END_BY_SKU,
        ProductSort::Price => END_BY_PRICE,
        ProductSort::Available => END_BY_LEVEL,
        ProductSort::CreatedAt => END_BY_CREATION,
    });
    end.row_after(order, &query.page, rows)?;
    let (sql, params) = end.parts();
    let mut end = reader.query_dynamic_long(sql, params).await?;
    let mut select = walk(query, needle);
    if let Some(end) = end.first_mut() {
        let id = end.int(0)?;
        let value = match (order.by, order.textual) {
            (None, _) => SortValue::Int(id),
            (Some(_), true) => SortValue::Text(end.text(1)?),
            (Some(_), false) => SortValue::Int(end.int(1)?),
        };
        // Up to there is after there, the other way round.
        select.after(Order { descending: !order.descending, ..order }, &value, id)?;
    }
    select.page(order, &query.page)?;
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    let found = listing(found, &query.page, view)?;
    Ok((end.is_empty() || found.more).then_some(found))
}

/// The order of a list, as an index has it.
fn order(query: &ProductQuery) -> Order {
    let (by, textual) = match query.sort {
        ProductSort::Id => (None, false),
        ProductSort::Name => (Some("p.name"), true),
        ProductSort::Sku => (Some("p.sku"), true),
        ProductSort::Price => (Some("p.price_cents"), false),
        ProductSort::Available => (Some("s.available"), false),
        ProductSort::CreatedAt => (Some("p.created_at_us"), false),
    };
    let id = if query.sort == ProductSort::Available { "s.product_id" } else { "p.id" };
    Order { by, textual, id, descending: query.descending }
}

/// The same order in words that no index has, for a few rows that are found otherwise.
fn sorted(query: &ProductQuery) -> Order {
    let by = match query.sort {
        ProductSort::Id => None,
        ProductSort::Name => Some("COALESCE(p.name, '')"),
        ProductSort::Sku => Some("COALESCE(p.sku, '')"),
        ProductSort::Price => Some("COALESCE(p.price_cents, 0)"),
        ProductSort::Available => Some("COALESCE(s.available, 0)"),
        ProductSort::CreatedAt => Some("COALESCE(p.created_at_us, 0)"),
    };
    Order { by, id: "COALESCE(p.id, 0)", ..order(query) }
}

/// All that match, along the order of the list.
fn walk(query: &ProductQuery, needle: &Needle) -> Select {
    if query.sort != ProductSort::Available {
        return filtered(Select::new(PRODUCTS), query, needle);
    }
    let mut select = Select::new(BY_LEVEL);
    select.filter("p.id = s.product_id AND s.location_id = 1", []);
    if query.low_stock == Some(true) {
        select.filter(CAN_BE_LOW, []);
    }
    filtered(select, query, needle)
}

/// All that match, out of a source.
fn from(source: &Source, query: &ProductQuery, needle: &Needle) -> Select {
    let text = match source {
        Source::Gram(_, rows) if *rows <= COUNTED => BY_RARE_GRAM,
        Source::Gram(..) => BY_GRAM,
        Source::Shelves(_) | Source::All => PRODUCTS,
        Source::Low => BY_LEVEL,
    };
    of_source(text, source, query, needle)
}

fn of_source(text: &'static str, source: &Source, query: &ProductQuery, needle: &Needle) -> Select {
    let mut select = Select::new(text);
    match source {
        Source::Gram(gram, rows) if *rows <= COUNTED => {
            select.param(gram.as_str().into());
            // Twice as many, for some may have come since they were counted.
            select.param((rows.saturating_mul(2) + 100).into());
            select.filter("p.id = g.product_id", []);
        }
        Source::Gram(gram, _) => {
            select.filter("p.id = g.product_id AND g.gram = ?", [gram.as_str().into()]);
        }
        Source::Shelves([shelf]) => select.filter("p.shelf = ?", [(*shelf).into()]),
        Source::Shelves([0, ..]) => select.filter("p.shelf IN (0, 1)", []),
        Source::Shelves(_) => select.filter("p.shelf IN (2, 3)", []),
        Source::Low => {
            select.filter("p.id = s.product_id AND s.location_id = 1", []);
            select.filter(CAN_BE_LOW, []);
        }
        Source::All => {}
    }
    filtered(select, query, needle)
}

/// The conditions of a query, in columns that no index has, so that they decide nothing.
fn filtered(mut select: Select, query: &ProductQuery, needle: &Needle) -> Select {
    select
        .filter(if query.archived { "p.archived_at_us IS NOT NULL" } else { "p.archived_at_us IS NULL" }, []);
    select.filter_some("p.is_active = ?", query.active.map(Into::into));
    match query.low_stock {
        Some(true) => select.filter("COALESCE(s.available, 0) <= p.low_stock_threshold", []),
        Some(false) => select.filter("COALESCE(s.available, 0) > p.low_stock_threshold", []),
        None => {}
    }
    needle.filter(&mut select);
    select
}

/// How many products match.
fn count(query: &ProductQuery, needle: &Needle, sizes: &Sizes) -> Select {
    let levels_matter = query.low_stock.is_some();
    let Some(source) = sizes.counted_from(query) else {
        let text = if levels_matter { COUNT_WITH_LEVELS } else { COUNT };
        return filtered(Select::new(text), query, needle);
    };
    let text = match (&source, levels_matter) {
        (Source::Gram(_, rows), false) if *rows <= COUNTED => COUNT_BY_RARE_GRAM,
        (Source::Gram(_, rows), true) if *rows <= COUNTED => COUNT_BY_RARE_GRAM_WITH_LEVELS,
        (Source::Gram(..), false) => COUNT_BY_GRAM,
        (Source::Gram(..), true) => COUNT_BY_GRAM_WITH_LEVELS,
        (Source::Shelves(_) | Source::All, false) => COUNT,
        (Source::Shelves(_) | Source::All, true) => COUNT_WITH_LEVELS,
        (Source::Low, _) => COUNT_BY_LEVEL,
    };
    of_source(text, &source, query, needle)
}

fn view(mut row: Row) -> Result<ProductView, StoreError> {
    Ok(ProductWithStock { product: rows::product(&mut row)?, level: rows::level(&row, PRODUCT_WIDTH)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::{Page, Start};

    #[tokio::test]
    async fn one_product_is_found_by_key() {
        let steps = [
            "SEARCH p USING INTEGER PRIMARY KEY",
            "SEARCH s USING PRIMARY KEY (product_id=? AND location_id=?)",
        ];
        Planner::new().await.check(PRODUCT, &steps).await;
    }

    const SORTS: [ProductSort; 6] = [
        ProductSort::Id,
        ProductSort::Name,
        ProductSort::Sku,
        ProductSort::Price,
        ProductSort::Available,
        ProductSort::CreatedAt,
    ];

    /// A page in this order, behind a row.
    fn behind(sort: ProductSort, descending: bool) -> ProductQuery {
        let value = match sort {
            ProductSort::Name | ProductSort::Sku => SortValue::Text(String::new()),
            _ => SortValue::Int(0),
        };
        let page = Page { limit: 5, start: Start::After { value, id: 0 } };
        ProductQuery { sort, descending, ..ProductQuery::catalogue(page) }
    }

    #[tokio::test]
    async fn every_order_is_walked_along_an_index() {
        let planner = Planner::new().await;
        for (sort, index) in SORTS.into_iter().zip([
            "SEARCH p USING INTEGER PRIMARY KEY",
            "SEARCH p USING INDEX products_by_name_and_id ((name,rowid)>(?,?))",
            "SEARCH p USING INDEX sqlite_autoindex_products_1 ((sku,rowid)>(?,?))",
            "SEARCH p USING INDEX products_by_price ((price_cents,rowid)>(?,?))",
            "SEARCH s USING INDEX stock_levels_by_available ((available,product_id)",
            "SEARCH p USING INDEX products_by_creation ((created_at_us,rowid)>(?,?))",
        ]) {
            for descending in [false, true] {
                for text in [None, Some("ab".to_owned())] {
                    let query = ProductQuery { text, ..behind(sort, descending) };
                    let needle = Needle::new(query.text.as_deref());
                    let select = page(walk(&query, &needle), order(&query), &query).unwrap();
                    let index = if descending { index.replace('>', "<") } else { index.to_owned() };
                    planner.check(select.parts().0, &[&index]).await;
                }
            }
        }
    }

    #[tokio::test]
    async fn few_rows_are_found_by_what_they_have_in_common() {
        let planner = Planner::new().await;
        let low = |query| ProductQuery { low_stock: Some(true), ..query };
        for sort in SORTS {
            for (source, query, step) in [
                (
                    Source::Gram("abc".to_owned(), 9_000),
                    behind(sort, false),
                    "SEARCH g USING PRIMARY KEY (gram=?",
                ),
                (
                    Source::Shelves(&[1]),
                    behind(sort, true),
                    "SEARCH p USING INDEX products_by_shelf (shelf=?",
                ),
                (
                    Source::Shelves(&[2, 3]),
                    behind(sort, true),
                    "SEARCH p USING INDEX products_by_shelf (shelf=?",
                ),
                (Source::Low, low(behind(sort, false)), "SEARCH s USING INDEX stock_levels_by_available ("),
            ] {
                let needle = Needle::new(Some("abc"));
                let select = page(from(&source, &query, &needle), sorted(&query), &query).unwrap();
                let plan = planner.plan(select.parts().0).await;
                assert!(plan.iter().any(|line| line.starts_with(step)), "{step}\n{plan:#?}");
                let looks = plan.iter().filter(|line| line.starts_with("SCAN"));
                assert!(looks.count() == 0, "{plan:#?}");
                let select = count(&query, &needle, &Sizes::default());
                assert!(planner.plan(select.parts().0).await.len() <= 2);
            }
        }
    }

    #[tokio::test]
    async fn a_source_in_the_order_of_the_list_is_followed() {
        let planner = Planner::new().await;
        let query = behind(ProductSort::Id, true);
        let needle = Needle::new(Some("abc"));
        for (source, id, step) in [
            (
                Source::Gram("abc".to_owned(), 9_000),
                "g.product_id",
                "SEARCH g USING PRIMARY KEY (gram=? AND product_id<?)",
            ),
            (Source::Shelves(&[1]), "p.id", "SEARCH p USING INDEX products_by_shelf (shelf=? AND rowid<?)"),
        ] {
            let order = Order { id, ..order(&query) };
            let select = page(from(&source, &query, &needle), order, &query).unwrap();
            planner.check(select.parts().0, &[step]).await;
        }
        let query = ProductQuery { low_stock: Some(true), ..behind(ProductSort::Available, false) };
        let select = page(from(&Source::Low, &query, &needle), order(&query), &query).unwrap();
        planner.check(select.parts().0, &["SEARCH s USING INDEX stock_levels_by_available ("]).await;
    }
}
