//! What happened.

use domain::{OrderId, ProductId, UserId};

use super::display_name;
use crate::driver::Row;
use crate::{EventView, Store, StoreError};

macro_rules! events {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.kind, e.order_id, e.product_id, e.user_id, e.payload, e.actor_id, e.request_id, e.at_us, \
             u.full_name, u.username FROM events e LEFT JOIN users u ON u.id = e.actor_id",
            $rest
        )
    };
}

const TIMELINE: &str = events!(" WHERE e.order_id = ? ORDER BY e.id");
const EVENTS: &str = events!(" WHERE e.id > ? ORDER BY e.id LIMIT ?");

impl Store {
    /// What happened to an order, earliest first. An order goes through a handful of steps in its life, so this is
    /// never long.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn timeline(&self, id: OrderId) -> Result<Vec<EventView>, StoreError> {
        let found = self.database().reader().await?.query(TIMELINE, &[id.0.into()]).await?;
        found.into_iter().map(event).collect()
    }

    /// Events with numbers above `after`, in order, at most `limit` of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventView>, StoreError> {
        let params = [after.into(), i64::from(limit).into()];
        let found = self.database().long_reader().await?.query_long(EVENTS, &params).await?;
        found.into_iter().map(event).collect()
    }
}

fn event(mut row: Row) -> Result<EventView, StoreError> {
    Ok(EventView {
        id: row.int(0)?,
        kind: row.text(1)?,
        order_id: row.opt_int(2)?.map(OrderId),
        product_id: row.opt_int(3)?.map(ProductId),
        user_id: row.opt_int(4)?.map(UserId),
        payload: row.text(5)?,
        actor_id: row.opt_int(6)?.map(UserId),
        actor_name: display_name(&mut row, 9)?,
        request_id: row.text(7)?,
        at_us: row.int(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn events_are_found_by_key() {
        let planner = Planner::new().await;
        planner.check(TIMELINE, &["SEARCH e USING INDEX events_by_order (order_id=?)"]).await;
        planner.check(EVENTS, &["SEARCH e USING INTEGER PRIMARY KEY (rowid>?)"]).await;
    }
}
