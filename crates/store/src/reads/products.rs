//! Products with their stock.

use domain::{ProductId, ProductWithStock};

use super::filter::{Order, Select};
use super::listing;
use crate::driver::Row;
use crate::rows::{self, PRODUCT_WIDTH, product_columns};
use crate::{Listing, ProductQuery, ProductSort, ProductView, Store, StoreError};

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
        let mut select = Select::new(PRODUCTS);
        select.filter(
            if query.archived { "p.archived_at_us IS NOT NULL" } else { "p.archived_at_us IS NULL" },
            [],
        );
        select.filter_some("p.is_active = ?", query.active.map(Into::into));
        match query.low_stock {
            Some(true) => select.filter(concat!(available!(), " <= p.low_stock_threshold"), []),
            Some(false) => select.filter(concat!(available!(), " > p.low_stock_threshold"), []),
            None => {}
        }
        if let Some(text) = &query.text {
            select.filter_text(&["p.search_text"], &text.to_lowercase());
        }
        let (by, textual) = match query.sort {
            ProductSort::Id => (None, false),
            ProductSort::Name => (Some("p.name"), true),
            ProductSort::Sku => (Some("p.sku"), true),
            ProductSort::Price => (Some("p.price_cents"), false),
            ProductSort::Available => (Some(available!()), false),
            ProductSort::CreatedAt => (Some("p.created_at_us"), false),
        };
        select.page(Order { by, textual, id: "p.id", descending: query.descending }, &query.page)?;
        let (sql, params) = select.parts();
        let found = self.database().long_reader().await?.query_dynamic_long(sql, params).await?;
        listing(found, &query.page, view)
    }
}

fn view(mut row: Row) -> Result<ProductView, StoreError> {
    Ok(ProductWithStock { product: rows::product(&mut row)?, level: rows::level(&row, PRODUCT_WIDTH)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn one_product_is_found_by_key() {
        let steps = [
            "SEARCH p USING INTEGER PRIMARY KEY",
            "SEARCH s USING PRIMARY KEY (product_id=? AND location_id=?)",
        ];
        Planner::new().await.check(PRODUCT, &steps).await;
    }
}
