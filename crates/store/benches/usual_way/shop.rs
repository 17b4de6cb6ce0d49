//! The shop that orders are placed in, by Stockroom's own driver: the tables are Stockroom's.

use store::StoreError;
use store::driver::{Cell, Column, Database, Kind, Options, Rows, TableRows, Value};

use crate::Failure;

/// Users that may order: one for each client of the largest run.
const USERS: i64 = 1024;

/// Pieces of each product: more than any run can sell.
const STOCK: i64 = 1_000_000_000;

/// When everything here was made, microseconds since 1970 UTC.
const MADE_AT_US: i64 = 1_770_000_000_000_000;

const fn int(name: &'static str) -> Column {
    (name, Kind::Int)
}

const fn text(name: &'static str) -> Column {
    (name, Kind::Text)
}

static USER: TableRows = TableRows {
    table: "users",
    columns: &[
        int("id"),
        text("username"),
        text("username_key"),
        text("search_text"),
        text("role"),
        text("password_hash"),
        int("token_generation"),
        int("is_active"),
        int("version"),
        int("created_at_us"),
        int("updated_at_us"),
    ],
    key: &["id"],
};
static PRODUCT: TableRows = TableRows {
    table: "products",
    columns: &[
        int("id"),
        text("sku"),
        text("name"),
        text("description"),
        text("search_text"),
        int("price_cents"),
        int("is_active"),
        int("low_stock_threshold"),
        int("auto_deactivate"),
        int("version"),
        int("created_at_us"),
        int("updated_at_us"),
    ],
    key: &["id"],
};
static LEVEL: TableRows = TableRows {
    table: "stock_levels",
    columns: &[int("product_id"), int("location_id"), int("on_hand"), int("allocated"), int("version")],
    key: &["product_id", "location_id"],
};

/// Levels that are not what the items hold, or not what the ledger adds up to.
const FINDINGS: &str = "SELECT COUNT(*) FROM stock_levels s \
     LEFT JOIN (SELECT i.product_id, SUM(i.allocated) AS held FROM order_items i GROUP BY i.product_id) h \
     ON h.product_id = s.product_id \
     LEFT JOIN (SELECT m.product_id, SUM(m.allocated_delta) AS held FROM stock_movements m \
     GROUP BY m.product_id) l ON l.product_id = s.product_id \
     WHERE s.allocated <> COALESCE(h.held, 0) OR s.allocated <> COALESCE(l.held, 0)";
const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM events), \
     (SELECT COALESCE(MAX(o.id), 0) FROM orders o)";

/// What is stored.
pub(crate) struct Audit {
    pub(crate) orders: i64,
    pub(crate) last_order: i64,
}

async fn open(url: &str) -> Result<Database, StoreError> {
    Database::open(url, Options::default()).await
}

/// Makes the tables and the products `1` to `products`, each with a large stock.
pub(crate) async fn fill(url: &str, products: i64) -> Result<(), Failure> {
    try_to_fill(url, products).await.map_err(|error| format!("cannot fill the shop: {error}"))
}

async fn try_to_fill(url: &str, products: i64) -> Result<(), StoreError> {
    let database = open(url).await?;
    database.migrate(MADE_AT_US).await?;
    let mut transaction = database.begin().await?;
    let (one, zero, at_us) = (Cell::Int(1), Cell::Int(0), Cell::Int(MADE_AT_US));
    let mut rows = Rows::new();
    for id in 1..=USERS {
        let name = format!("user{id}");
        let name: Cell<'_> = (&name).into();
        let role = Cell::Text("customer");
        rows.push([id.into(), name, name, name, role, Cell::Text("-"), zero, one, one, at_us, at_us]);
    }
    transaction.insert_rows(&USER, &rows).await?;
    let (mut rows, mut levels) = (Rows::new(), Rows::new());
    for id in 1..=products {
        let (sku, name) = (format!("P-{id}"), format!("Product {id}"));
        let (sku, name, price): (Cell<'_>, Cell<'_>, Cell<'_>) = ((&sku).into(), (&name).into(), 1999.into());
        let nothing = Cell::Text("");
        rows.push([id.into(), sku, name, nothing, name, price, one, zero, zero, one, at_us, at_us]);
        levels.push([id.into(), one, STOCK.into(), zero, one]);
    }
    transaction.insert_rows(&PRODUCT, &rows).await?;
    transaction.insert_rows(&LEVEL, &levels).await?;
    transaction.commit().await
}

/// Counts, and demands that stock, items and ledger agree.
pub(crate) async fn audit(url: &str) -> Result<Audit, Failure> {
    let cannot = |error: StoreError| format!("cannot look at the shop: {error}");
    let mut reader = open(url).await.map_err(cannot)?.long_reader().await.map_err(cannot)?;
    let rows = reader.query_long(FINDINGS, &[] as &[Value]).await.map_err(cannot)?;
    let findings = rows.first().ok_or("the findings have no number")?.int(0).map_err(cannot)?;
    if findings > 0 {
        return Err(format!("the stock of {findings} products does not add up"));
    }
    let rows = reader.query_long(COUNTS, &[] as &[Value]).await.map_err(cannot)?;
    let row = rows.first().ok_or("the counts are missing")?;
    let number = |column| row.int(column).map_err(cannot);
    let (orders, events) = (number(0)?, number(1)?);
    if orders != events {
        return Err(format!("there are {orders} orders and {events} events"));
    }
    Ok(Audit { orders, last_order: number(2)? })
}
