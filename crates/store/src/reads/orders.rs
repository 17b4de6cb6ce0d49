//! Orders with their items and the names of their users.

use std::collections::HashMap;

use domain::{OrderId, Status};

use super::filter::{Order, Select};
use super::{aggregate, display_name, listing};
use crate::driver::{Reader, Row, Rows, Value};
use crate::rows::{self, ORDER_WIDTH, item_columns, order_columns};
use crate::views::facts_of;
use crate::{Counted, Listing, OrderListing, OrderQuery, OrderSort, OrderView, Scope, Store, StoreError};

/// One statement, so that the order and its items are of one state.
const ORDER: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", u.full_name, u.username, ",
    item_columns!(),
    " FROM orders o LEFT JOIN users u ON u.id = o.user_id LEFT JOIN order_items i ON i.order_id = o.id \
     WHERE o.id = ? ORDER BY i.id"
);
const ORDERS: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", u.full_name, u.username FROM orders o LEFT JOIN users u ON u.id = o.user_id"
);
const ITEMS: &str = concat!(
    "SELECT ",
    item_columns!(),
    " FROM order_items i WHERE i.order_id IN (SELECT r.id FROM {rows:id int} r) ORDER BY i.order_id, i.id"
);
/// Each sum in two halves of 32 bits, neither of which can overflow.
const TOTALS: &str = "SELECT COALESCE(SUM(o.total_amount_cents >> 32), 0), \
     COALESCE(SUM(o.total_amount_cents & 4294967295), 0), COALESCE(SUM(o.total_quantity >> 32), 0), \
     COALESCE(SUM(o.total_quantity & 4294967295), 0) FROM orders o";

const COUNT: &str = "SELECT COUNT(*) FROM orders o";

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

    /// A page of orders, with sums over all that match; page and sums show one state.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] when the page starts at a value of another type than the sort has; see also
    /// [`StoreError`].
    pub async fn orders(&self, query: &OrderQuery) -> Result<OrderListing, StoreError> {
        self.of_one_state(query, |reader, query| Box::pin(with_sums(reader, query))).await
    }

    /// A page of orders without the sums, for which every order that matches would be looked at.
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
        self.of_one_state(query, |reader, query| Box::pin(with_number(reader, query))).await
    }
}

async fn with_sums(reader: &mut Reader, query: &OrderQuery) -> Result<OrderListing, StoreError> {
    let listing = rows_of(reader, query).await?;
    let sums = aggregate(reader, &filtered(TOTALS, query)).await?;
    let (total_amount_cents, total_quantity) = (sum(&sums, 0)?, sum(&sums, 2)?);
    Ok(OrderListing { listing, total_amount_cents, total_quantity })
}

async fn with_number(reader: &mut Reader, query: &OrderQuery) -> Result<Counted<OrderView>, StoreError> {
    let listing = rows_of(reader, query).await?;
    let total = aggregate(reader, &filtered(COUNT, query)).await?.int(0)?;
    Ok(Counted { listing, total })
}

/// Two statements, however many orders there are: the page and all its items.
async fn rows_of(reader: &mut Reader, query: &OrderQuery) -> Result<Listing<OrderView>, StoreError> {
    let select = page(query)?;
    let (sql, params) = select.parts();
    let found = reader.query_dynamic_long(sql, params).await?;
    let mut listing = listing(found, &query.page, |mut row| order_view(&mut row))?;
    add_items(reader, &mut listing.rows).await?;
    Ok(listing)
}

/// The orders of a page, without their items.
fn page(query: &OrderQuery) -> Result<Select, StoreError> {
    let mut select = filtered(ORDERS, query);
    let by = match query.sort {
        OrderSort::Id => None,
        OrderSort::PlacedAt => Some("o.placed_at_us"),
        OrderSort::TotalAmount => Some("o.total_amount_cents"),
    };
    let order = Order { by, textual: false, id: "o.id", descending: query.descending };
    select.page(order, &query.page)?;
    Ok(select)
}

/// The conditions of a query, the same for its page, its sums and its number.
fn filtered(text: &'static str, query: &OrderQuery) -> Select {
    let mut select = Select::new(text);
    match query.scope {
        Scope::All => {}
        Scope::Of(Some(id)) => select.filter("o.user_id = ?", [id.0.into()]),
        Scope::Of(None) => select.filter("o.user_id IS NULL", []),
    }
    select.filter_some("o.user_id = ?", query.user_id.map(|id| id.0.into()));
    if let Some(status) = query.status {
        filter_status(&mut select, status);
    }
    // With EXISTS, SQLite would walk through all orders to sum up those of a product.
    select.filter_some(
        "o.id IN (SELECT f.order_id FROM order_items f WHERE f.product_id = ?)",
        query.product_id.map(|id| id.0.into()),
    );
    select.filter_some("o.placed_at_us >= ?", query.placed_from_us.map(Into::into));
    select.filter_some("o.placed_at_us < ?", query.placed_before_us.map(Into::into));
    select
}

fn filter_status(select: &mut Select, status: Status) {
    let facts = facts_of(status);
    let word = |state: &domain::OrderState| Value::from(state.word());
    match facts.states {
        [one] => select.filter("o.state = ?", [word(one)]),
        [one, two] => select.filter("o.state IN (?, ?)", [word(one), word(two)]),
        [one, two, three] => select.filter("o.state IN (?, ?, ?)", [word(one), word(two), word(three)]),
        _ => {}
    }
    select.filter_some("o.payment = ?", facts.payment.map(|payment| payment.word().into()));
    select.filter_some("o.fulfilment = ?", facts.fulfilment.map(|fulfilment| fulfilment.word().into()));
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

/// Puts the two halves of a sum together.
fn sum(row: &Row, at: usize) -> Result<i128, StoreError> {
    let (high, low) = (i128::from(row.int(at)?), i128::from(row.int(at + 1)?));
    Ok((high << 32) + low)
}

/// Reads an order, without its items, and the name of its user.
fn order_view(row: &mut Row) -> Result<OrderView, StoreError> {
    Ok(OrderView { order: rows::order(row)?, user_name: display_name(row, ORDER_WIDTH)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::{Page, SortValue, Start};
    use domain::{ProductId, UserId};

    #[tokio::test]
    async fn orders_and_items_are_found_by_key() {
        let planner = Planner::new().await;
        let order = ["SEARCH o USING INTEGER PRIMARY KEY", "SEARCH i USING PRIMARY KEY (order_id=?)"];
        planner.check(ORDER, &order).await;
        planner.check(ITEMS, &["SEARCH i USING PRIMARY KEY (order_id=?)"]).await;
        let query = OrderQuery {
            scope: Scope::All,
            status: None,
            user_id: None,
            product_id: None,
            placed_from_us: None,
            placed_before_us: None,
            sort: OrderSort::Id,
            descending: true,
            page: Page { limit: 20, start: Start::After { value: SortValue::Int(9), id: 9 } },
        };
        let next = page(&query).unwrap();
        planner.check(next.parts().0, &["SEARCH o USING INTEGER PRIMARY KEY (rowid<?)"]).await;
        let own = page(&OrderQuery { scope: Scope::Of(Some(UserId(1))), ..query.clone() }).unwrap();
        planner.check(own.parts().0, &["SEARCH o USING INDEX orders_by_user (user_id=? AND id<?)"]).await;
        let sold = OrderQuery { product_id: Some(ProductId(1)), ..query };
        let items = "SEARCH f USING COVERING INDEX order_items_by_product (product_id=?)";
        let steps = ["SEARCH o USING INTEGER PRIMARY KEY (rowid=?)", items];
        planner.check(filtered(TOTALS, &sold).parts().0, &steps).await;
        planner.check(page(&sold).unwrap().parts().0, &[items]).await;
        planner.check(filtered(COUNT, &sold).parts().0, &[items]).await;
    }
}
