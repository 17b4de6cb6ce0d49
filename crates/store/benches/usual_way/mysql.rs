//! On MySQL and MariaDB, by mysql_async.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Statement};

use crate::Failure;
use crate::load::{self, Fault, Order, QUANTITY};

const SELECT: &str = "SELECT p.name, p.price_cents, p.is_active, p.archived_at_us, s.on_hand, s.allocated \
     FROM stock_levels s JOIN products p ON p.id = s.product_id \
     WHERE s.product_id = ? AND s.location_id = 1 FOR UPDATE";
const UPDATE: &str = "UPDATE stock_levels SET allocated = ?, version = version + 1 \
     WHERE product_id = ? AND location_id = 1";
const INSERT_ORDER: &str = "INSERT INTO orders (id, user_id, state, payment, fulfilment, allocate_at, \
     total_amount_cents, total_quantity, version, placed_at_us) \
     VALUES (?, ?, 'pending', 'unpaid', 'unfulfilled', 'creation', ?, ?, 1, ?)";
const INSERT_ITEM: &str = "INSERT INTO order_items (order_id, id, product_id, product_name, price_cents, \
     quantity, allocated) VALUES (?, ?, ?, ?, ?, ?, ?)";
const INSERT_MOVEMENT: &str = "INSERT INTO stock_movements (product_id, id, location_id, kind, on_hand_delta, \
     allocated_delta, on_hand_after, allocated_after, order_id, actor_id, request_id, at_us) \
     VALUES (?, ?, 1, 'allocated', 0, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_EVENT: &str = "INSERT INTO events (id, kind, order_id, user_id, payload, actor_id, request_id, \
     at_us) VALUES (?, 'order_placed', ?, ?, ?, ?, ?, ?)";

/// Deadlock, and a lock that was waited for too long.
const AGAIN: [u16; 2] = [1213, 1205];

/// A connection and its statements.
pub(crate) struct Connection {
    conn: Conn,
    select: Statement,
    update: Statement,
    insert_order: Statement,
    insert_item: Statement,
    insert_movement: Statement,
    insert_event: Statement,
}

impl load::Connection for Connection {
    async fn open(url: &str) -> Result<Self, Failure> {
        let cannot = |error: Error| format!("cannot connect: {error}");
        let url = url.replacen("mariadb://", "mysql://", 1);
        let opts = Opts::from_url(&url).map_err(|error| format!("cannot connect: {error}"))?;
        // By TCP, as Stockroom.
        let mut conn = Conn::new(OptsBuilder::from_opts(opts).prefer_socket(false)).await.map_err(cannot)?;
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await.map_err(cannot)?;
        Ok(Self {
            select: conn.prep(SELECT).await.map_err(cannot)?,
            update: conn.prep(UPDATE).await.map_err(cannot)?,
            insert_order: conn.prep(INSERT_ORDER).await.map_err(cannot)?,
            insert_item: conn.prep(INSERT_ITEM).await.map_err(cannot)?,
            insert_movement: conn.prep(INSERT_MOVEMENT).await.map_err(cannot)?,
            insert_event: conn.prep(INSERT_EVENT).await.map_err(cannot)?,
            conn,
        })
    }

    async fn place(&mut self, order: &Order) -> Result<(), Fault> {
        let placed = self.try_to_place(order).await;
        if matches!(placed, Err(Fault::Again)) {
            // A wait for a lock that was too long undoes its statement alone.
            self.conn.query_drop("ROLLBACK").await?;
        }
        placed
    }
}

impl Connection {
    async fn try_to_place(&mut self, order: &Order) -> Result<(), Fault> {
        let conn = &mut self.conn;
        conn.query_drop("START TRANSACTION").await?;
        let row: Option<(String, i64, i64, Option<i64>, i64, i64)> =
            conn.exec_first(&self.select, (order.product,)).await?;
        let Some((name, price_cents, is_active, archived_at_us, on_hand, allocated)) = row else {
            return Err(Fault::Broken("there is no such product".to_owned()));
        };
        if is_active == 0 || archived_at_us.is_some() || on_hand - allocated < QUANTITY {
            return Err(Fault::Broken("the product is sold out".to_owned()));
        }
        let (allocated, amount_cents) = (allocated + QUANTITY, price_cents * QUANTITY);
        let Order { id, user, product, at_us } = *order;
        let request_id = format!("{id:013x}");
        let payload = format!("{{\"total_amount_cents\":{amount_cents},\"total_quantity\":{QUANTITY}}}");
        conn.exec_drop(&self.update, (allocated, product)).await?;
        conn.exec_drop(&self.insert_order, (id, user, amount_cents, QUANTITY, at_us)).await?;
        conn.exec_drop(&self.insert_item, (id, id, product, name, price_cents, QUANTITY, QUANTITY)).await?;
        let movement = (product, id, QUANTITY, on_hand, allocated, id, user, &request_id, at_us);
        conn.exec_drop(&self.insert_movement, movement).await?;
        conn.exec_drop(&self.insert_event, (id, id, user, payload, user, &request_id, at_us)).await?;
        Ok(conn.query_drop("COMMIT").await?)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::Server(refusal) if AGAIN.contains(&refusal.code) => Self::Again,
            _ => Self::Broken(error.to_string()),
        }
    }
}
