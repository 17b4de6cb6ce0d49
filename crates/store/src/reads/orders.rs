//! Orders with their items and the names of their users.

use std::collections::HashMap;

use domain::OrderId;

use super::sums::Outlook;
use super::{display_name, listing, paths};
use crate::driver::{Reader, Row, Rows};
use crate::rows::{self, ORDER_WIDTH, item_columns, order_columns};
use crate::{Counted, Listing, OrderListing, OrderQuery, OrderView, Store, StoreError};

/// One statement, so that the order and its items are of one state.
const ORDER: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", u.full_name, u.username, ",
    item_columns!(),
    " FROM orders o LEFT JOIN users u ON u.id = o.user_id LEFT JOIN order_items i ON i.order_id = o.id \
     WHERE o.id = ? ORDER BY i.id"
);
pub(super) const ORDERS: &str = concat!("SELECT ", order_columns!(), ", u.full_name, u.username");
pub(super) const WITH_USERS: &str = " LEFT JOIN users u ON u.id = o.user_id";
const ITEMS: &str = concat!(
    "SELECT ",
    item_columns!(),
    " FROM order_items i WHERE i.order_id IN (SELECT r.id FROM {rows:id int} r) ORDER BY i.order_id, i.id"
);
/// Where the columns of an item begin in [`ORDER`].
const ITEM_AT: usize = ORDER_WIDTH + 2;

impl Store {
    /// One order with its items and the name of its user.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderView>, StoreError> {
        let found = self.database().reader().await?.query(ORDER, &[id.0.into()]).await?;
        let mut view: Option<OrderView> = None;
        for mut row in found {
            let view = match &mut view {
                Some(view) => view,
                none => none.insert(order_view(&mut row)?),
            };
            if row.opt_int(ITEM_AT)?.is_some() {
                view.order.items.push(rows::item(&mut row, ITEM_AT)?.1);
            }
        }
        Ok(view)
    }

    /// A page of orders, with number and sums of all that match; all show one state.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] when the page starts at a value of another type than the sort has; see also
    /// [`StoreError`].
    pub async fn orders(&self, query: &OrderQuery) -> Result<OrderListing, StoreError> {
        self.of_one_state(query, |reader, query| Box::pin(with_sums(reader, query))).await
    }

    /// A page of orders without number and sums.
    ///
    /// # Errors
    /// As [`Store::orders`].
    pub async fn order_rows(&self, query: &OrderQuery) -> Result<Listing<OrderView>, StoreError> {
        self.of_one_state(query, |reader, query| Box::pin(rows_of(reader, query))).await
    }

    /// A page of orders, and how many match; page and number show one state.
    ///
    /// # Errors
    /// As [`Store::orders`].
    pub async fn counted_orders(&self, query: &OrderQuery) -> Result<Counted<OrderView>, StoreError> {
        let OrderListing { listing, orders, .. } = self.orders(query).await?;
        Ok(Counted { listing, total: orders })
    }
}

async fn with_sums(reader: &mut Reader, query: &OrderQuery) -> Result<OrderListing, StoreError> {
    let outlook = Outlook::of(reader, query, true).await?;
    let listing = rows_along(reader, query, outlook).await?;
    let totals = outlook.totals(reader, query).await?;
    Ok(OrderListing {
        listing,
        orders: totals.orders,
        total_amount_cents: totals.amount_cents,
        total_quantity: totals.quantity,
    })
}

async fn rows_of(reader: &mut Reader, query: &OrderQuery) -> Result<Listing<OrderView>, StoreError> {
    let outlook = Outlook::of(reader, query, false).await?;
    rows_along(reader, query, outlook).await
}

/// Two statements, however many orders there are: the page and all its items.
async fn rows_along(
    reader: &mut Reader,
    query: &OrderQuery,
    outlook: Outlook,
) -> Result<Listing<OrderView>, StoreError> {
    let select = paths::page(ORDERS, WITH_USERS, query, outlook.way_to_page(query))?;
    if outlook.is_empty() {
        return Ok(Listing { rows: Vec::new(), more: false });
    }
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    let mut listing = listing(found, &query.page, |mut row| order_view(&mut row))?;
    add_items(reader, &mut listing.rows).await?;
    Ok(listing)
}

/// Gives the orders of a page their items.
async fn add_items(reader: &mut Reader, orders: &mut [OrderView]) -> Result<(), StoreError> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids = Rows::of_ints(orders.iter().map(|view| view.order.id.0)).to_value()?;
    let places: HashMap<OrderId, usize> =
        orders.iter().enumerate().map(|(place, view)| (view.order.id, place)).collect();
    for mut row in reader.query_long(ITEMS, &[ids]).await? {
        let (order_id, item) = rows::item(&mut row, 0)?;
        if let Some(view) = places.get(&order_id).and_then(|place| orders.get_mut(*place)) {
            view.order.items.push(item);
        }
    }
    Ok(())
}

/// Reads an order, without its items, and the name of its user.
fn order_view(row: &mut Row) -> Result<OrderView, StoreError> {
    Ok(OrderView { order: rows::order(row)?, user_name: display_name(row, ORDER_WIDTH)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn orders_and_items_are_found_by_key() {
        let planner = Planner::new().await;
        let order = ["SEARCH o USING INTEGER PRIMARY KEY", "SEARCH i USING PRIMARY KEY (order_id=?)"];
        planner.check(ORDER, &order).await;
        planner.check(ITEMS, &["SEARCH i USING PRIMARY KEY (order_id=?)"]).await;
    }
}
