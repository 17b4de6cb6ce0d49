//! The ledger.

use domain::{MovementKind, OrderId, ProductId, UserId};

use super::filter::{Order, Select};
use super::{display_name, listing};
use crate::driver::Row;
use crate::rows::word;
use crate::{Listing, MovementView, Page, Store, StoreError};

const MOVEMENTS: &str = "SELECT m.id, m.product_id, m.kind, m.on_hand_delta, m.allocated_delta, m.on_hand_after, \
     m.allocated_after, m.order_id, m.actor_id, m.reason, m.note, m.request_id, m.at_us, u.full_name, u.username \
     FROM stock_movements m LEFT JOIN users u ON u.id = m.actor_id";

impl Store {
    /// The ledger of a product, latest line first; `after` pages by line number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn movements(&self, id: ProductId, page: &Page) -> Result<Listing<MovementView>, StoreError> {
        let mut select = Select::new(MOVEMENTS);
        select.filter("m.product_id = ?", [id.0.into()]);
        select.page(Order { by: None, textual: false, id: "m.id", descending: true }, page)?;
        let (sql, params) = select.parts();
        let found = self.database().long_reader().await?.query_dynamic_long(sql, params).await?;
        listing(found, page, movement)
    }
}

fn movement(mut row: Row) -> Result<MovementView, StoreError> {
    Ok(MovementView {
        id: row.int(0)?,
        product_id: ProductId(row.int(1)?),
        kind: word(&row, 2, MovementKind::from_word)?,
        on_hand_delta: row.int(3)?,
        allocated_delta: row.int(4)?,
        on_hand_after: row.int(5)?,
        allocated_after: row.int(6)?,
        order_id: row.opt_int(7)?.map(OrderId),
        actor_id: row.opt_int(8)?.map(UserId),
        actor_name: display_name(&mut row, 13)?,
        reason: row.opt_text(9)?,
        note: row.opt_text(10)?,
        request_id: row.text(11)?,
        at_us: row.int(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::{SortValue, Start};

    #[tokio::test]
    async fn the_ledger_is_paged_by_key() {
        let mut select = Select::new(MOVEMENTS);
        select.filter("m.product_id = ?", [1.into()]);
        let page = Page { limit: 5, start: Start::After { value: SortValue::Int(9), id: 9 } };
        select.page(Order { by: None, textual: false, id: "m.id", descending: true }, &page).unwrap();
        let step = "SEARCH m USING PRIMARY KEY (product_id=? AND id<?)";
        Planner::new().await.check(select.parts().0, &[step]).await;
    }
}
