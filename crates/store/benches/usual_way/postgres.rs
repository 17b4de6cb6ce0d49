//! On PostgreSQL, by tokio-postgres.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls, Statement};

use crate::Failure;
use crate::load::{self, Fault, Order, QUANTITY};

const SELECT: &str = "SELECT p.name, p.price_cents, p.is_active, p.archived_at_us, s.on_hand, s.allocated \
     FROM stock_levels s JOIN products p ON p.id = s.product_id \
     WHERE s.product_id = $1 AND s.location_id = 1 FOR UPDATE OF s";
const UPDATE: &str = "UPDATE stock_levels SET allocated = $2, version = version + 1 \
     WHERE product_id = $1 AND location_id = 1";
const INSERT_ORDER: &str = "INSERT INTO orders (id, user_id, state, payment, fulfilment, allocate_at, \
     total_amount_cents, total_quantity, version, placed_at_us) \
     VALUES ($1, $2, 'pending', 'unpaid', 'unfulfilled', 'creation', $3, $4, 1, $5)";
const INSERT_ITEM: &str = "INSERT INTO order_items (order_id, id, product_id, product_name, price_cents, \
     quantity, allocated) VALUES ($1, $1, $2, $3, $4, $5, $5)";
const INSERT_MOVEMENT: &str = "INSERT INTO stock_movements (product_id, id, location_id, kind, on_hand_delta, \
     allocated_delta, on_hand_after, allocated_after, order_id, actor_id, request_id, at_us) \
     VALUES ($1, $2, 1, 'allocated', 0, $3, $4, $5, $2, $6, $7, $8)";
const INSERT_EVENT: &str = "INSERT INTO events (id, kind, order_id, user_id, payload, actor_id, request_id, \
     at_us) VALUES ($1, 'order_placed', $1, $2, $3, $2, $4, $5)";

/// A connection and its statements.
pub(crate) struct Connection {
    client: Client,
    select: Statement,
    update: Statement,
    insert_order: Statement,
    insert_item: Statement,
    insert_movement: Statement,
    insert_event: Statement,
}

impl load::Connection for Connection {
    async fn open(url: &str) -> Result<Self, Failure> {
        let cannot = |error: Error| format!("cannot connect: {}", told(&error));
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(cannot)?;
        tokio::spawn(connection);
        Ok(Self {
            select: client.prepare(SELECT).await.map_err(cannot)?,
            update: client.prepare(UPDATE).await.map_err(cannot)?,
            insert_order: client.prepare(INSERT_ORDER).await.map_err(cannot)?,
            insert_item: client.prepare(INSERT_ITEM).await.map_err(cannot)?,
            insert_movement: client.prepare(INSERT_MOVEMENT).await.map_err(cannot)?,
            insert_event: client.prepare(INSERT_EVENT).await.map_err(cannot)?,
            client,
        })
    }

    async fn place(&mut self, order: &Order) -> Result<(), Fault> {
        // READ COMMITTED is what a transaction gets that does not ask. Dropping it rolls back.
        let transaction = self.client.transaction().await?;
        let row = transaction.query_one(&self.select, &[&order.product]).await?;
        let (name, price_cents): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (is_active, archived_at_us): (i64, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
        let (on_hand, allocated): (i64, i64) = (row.try_get(4)?, row.try_get(5)?);
        if is_active == 0 || archived_at_us.is_some() || on_hand - allocated < QUANTITY {
            return Err(Fault::Broken("the product is sold out".to_owned()));
        }
        let (allocated, amount_cents) = (allocated + QUANTITY, price_cents * QUANTITY);
        let Order { id, user, product, at_us } = order;
        let request_id = format!("{id:013x}");
        let payload = format!("{{\"total_amount_cents\":{amount_cents},\"total_quantity\":{QUANTITY}}}");
        transaction.execute(&self.update, &[product, &allocated]).await?;
        transaction.execute(&self.insert_order, &[id, user, &amount_cents, &QUANTITY, at_us]).await?;
        transaction.execute(&self.insert_item, &[id, product, &name, &price_cents, &QUANTITY]).await?;
        transaction
            .execute(
                &self.insert_movement,
                &[product, id, &QUANTITY, &on_hand, &allocated, user, &request_id, at_us],
            )
            .await?;
        transaction.execute(&self.insert_event, &[id, user, &payload, &request_id, at_us]).await?;
        Ok(transaction.commit().await?)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE) => Self::Again,
            _ => Self::Broken(told(&error)),
        }
    }
}

/// The error with what the database said.
fn told(error: &Error) -> Failure {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}
