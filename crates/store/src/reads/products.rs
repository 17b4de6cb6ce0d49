//! Products with their stock.

use domain::{ProductId, ProductWithStock};

use super::filter::{Order, Select};
use super::{aggregate, listing};
use crate::driver::{Reader, Row};
use crate::fold::fold;
use crate::rows::{self, PRODUCT_WIDTH, product_columns};
use crate::{Counted, Listing, ProductQuery, ProductSort, ProductView, Store, StoreError};

/// Products with the columns of their level, which counts as empty when it is missing.
macro_rules! products_with_stock {
    ($where:literal) => {
        concat!(
            "SELECT ",
            product_columns!(),
            ", p.id, COALESCE(s.on_hand, 0), COALESCE(s.allocated, 0), COALESCE(s.version, 0) \
             FROM products p LEFT JOIN stock_levels s ON s.product_id = p.id AND s.location_id = 1",
            $where
        )
    };
}

/// Pieces that can still be sold.
macro_rules! available {
    () => {
        "COALESCE(s.on_hand - s.allocated, 0)"
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM products p";
/// For filters that look at the level. Each product has one or none, so that none is counted twice.
const COUNT_WITH_LEVELS: &str = "SELECT COUNT(*) FROM products p \
     LEFT JOIN stock_levels s ON s.product_id = p.id AND s.location_id = 1";
const PRODUCT: &str = products_with_stock!(" WHERE p.id = ?");
const PRODUCTS: &str = products_with_stock!("");

impl Store {
    /// One product with its stock, archived or not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn product(&self, id: ProductId) -> Result<Option<ProductView>, StoreError> {
        self.first(PRODUCT, &[id.0.into()]).await?.map(view).transpose()
    }

    /// A page of products.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] when the page starts at a value of another type than the sort has; see also
    /// [`StoreError`].
    pub async fn products(&self, query: &ProductQuery) -> Result<Listing<ProductView>, StoreError> {
        rows_of(&mut self.database().long_reader().await?, query).await
    }

    /// A page of products, and how many match; page and number show one state.
    ///
    /// # Errors
    /// As [`Store::products`].
    pub async fn counted_products(&self, query: &ProductQuery) -> Result<Counted<ProductView>, StoreError> {
        self.of_one_state(query, |reader, query| Box::pin(with_number(reader, query))).await
    }
}

async fn rows_of(reader: &mut Reader, query: &ProductQuery) -> Result<Listing<ProductView>, StoreError> {
    let select = page(query)?;
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    listing(found, &query.page, view)
}

async fn with_number(reader: &mut Reader, query: &ProductQuery) -> Result<Counted<ProductView>, StoreError> {
    let listing = rows_of(reader, query).await?;
    let total = aggregate(reader, &count(query)).await?.int(0)?;
    Ok(Counted { listing, total })
}

/// The conditions of a query, the same for its page and its number.
fn filtered(text: &'static str, query: &ProductQuery) -> Select {
    let mut select = Select::new(text);
    select
        .filter(if query.archived { "p.archived_at_us IS NOT NULL" } else { "p.archived_at_us IS NULL" }, []);
    select.filter_some("p.is_active = ?", query.active.map(Into::into));
    match query.low_stock {
        Some(true) => select.filter(concat!(available!(), " <= p.low_stock_threshold"), []),
        Some(false) => select.filter(concat!(available!(), " > p.low_stock_threshold"), []),
        None => {}
    }
    if let Some(text) = &query.text {
        select.filter_text(&["p.search_text"], &fold(text));
    }
    select
}

/// How many products match.
fn count(query: &ProductQuery) -> Select {
    filtered(if query.low_stock.is_some() { COUNT_WITH_LEVELS } else { COUNT }, query)
}

/// The products of a page.
fn page(query: &ProductQuery) -> Result<Select, StoreError> {
    let mut select = filtered(PRODUCTS, query);
    let (by, textual) = match query.sort {
        ProductSort::Id => (None, false),
        ProductSort::Name => (Some("p.name"), true),
        ProductSort::Sku => (Some("p.sku"), true),
        ProductSort::Price => (Some("p.price_cents"), false),
        ProductSort::Available => (Some(available!()), false),
        ProductSort::CreatedAt => (Some("p.created_at_us"), false),
    };
    select.page(Order { by, textual, id: "p.id", descending: query.descending }, &query.page)?;
    Ok(select)
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

    #[tokio::test]
    async fn levels_are_looked_at_only_where_they_matter() {
        let planner = Planner::new().await;
        for (low_stock, walks) in [(None, 1), (Some(true), 2)] {
            let page = Page { limit: 5, start: Start::Offset(0) };
            let (sort, descending) = (ProductSort::Id, false);
            let query =
                ProductQuery { text: None, active: None, low_stock, archived: false, sort, descending, page };
            let plan = planner.plan(count(&query).parts().0).await;
            assert_eq!(plan.len(), walks, "{plan:#?}");
        }
    }
}
