//! Proves that the ledger adds up to the levels and the allocations to the open orders, and that what is kept for the
//! sake of reading says the same as what it was made of. Repairs nothing.

mod search;

use crate::driver::{Reader, Row};
use crate::sums::{ALL_PRODUCTS, WHOLE_SHOP, day};
use crate::{Discrepancy, Store, StoreError, VerifyReport};

const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM products), (SELECT COUNT(*) FROM orders), \
     (SELECT COUNT(*) FROM stock_movements)";

/// One question to the database; every row of its answer is a finding. At most 50 each: whoever sees that many
/// knows enough.
struct Check {
    name: &'static str,
    sql: &'static str,
    tell: fn(&Row) -> Result<String, StoreError>,
}

/// Together, `ledger_chain` and `ledger_sum` say that each line's values are the sum of all lines up to it, and that
/// the last one's are the level.
const CHECKS: &[Check] = &[
    Check { name: "ledger_sum", sql: LEDGER_SUM, tell: tell_ledger_sum },
    Check { name: "ledger_chain", sql: LEDGER_CHAIN, tell: tell_ledger_chain },
    Check { name: "movement_numbers", sql: MOVEMENT_NUMBERS, tell: tell_movement_numbers },
    Check { name: "level_range", sql: LEVEL_RANGE, tell: tell_level_range },
    Check { name: "level_presence", sql: LEVEL_PRESENCE, tell: tell_level_presence },
    Check { name: "allocation_sum", sql: ALLOCATION_SUM, tell: tell_allocation_sum },
    Check { name: "item_allocation", sql: ITEM_ALLOCATION, tell: tell_item_allocation },
    Check { name: "item_numbers", sql: ITEM_NUMBERS, tell: tell_item_numbers },
    Check { name: "item_references", sql: ITEM_REFERENCES, tell: tell_item_references },
    Check { name: "order_facts", sql: ORDER_FACTS, tell: tell_order_facts },
    Check { name: "order_totals", sql: ORDER_TOTALS, tell: tell_order_totals },
    Check { name: "order_products", sql: ORDER_PRODUCTS, tell: tell_order_products },
    Check { name: "order_sums", sql: ORDER_SUMS, tell: tell_order_sums },
    Check { name: "order_expiry", sql: ORDER_EXPIRY, tell: tell_order_expiry },
    Check { name: "customer_holds", sql: CUSTOMER_HOLDS, tell: tell_customer_holds },
    Check { name: "order_users", sql: ORDER_USERS, tell: tell_order_users },
    Check { name: "product_counts", sql: PRODUCT_COUNTS, tell: tell_product_counts },
    Check { name: "counters", sql: COUNTERS, tell: tell_counters },
];

const LEDGER_SUM: &str = "SELECT t.product_id, SUM(t.on_hand), SUM(t.allocated), SUM(t.on_hand_sum), \
     SUM(t.allocated_sum) FROM ( \
     SELECT s.product_id, s.location_id, s.on_hand, s.allocated, 0 AS on_hand_sum, 0 AS allocated_sum \
     FROM stock_levels s UNION ALL \
     SELECT m.product_id, m.location_id, 0, 0, m.on_hand_delta, m.allocated_delta FROM stock_movements m) t \
     GROUP BY t.product_id, t.location_id \
     HAVING SUM(t.on_hand) <> SUM(t.on_hand_sum) OR SUM(t.allocated) <> SUM(t.allocated_sum) \
     ORDER BY t.product_id LIMIT 50";

fn tell_ledger_sum(row: &Row) -> Result<String, StoreError> {
    let (id, on_hand, allocated) = (row.int(0)?, row.int(1)?, row.int(2)?);
    let (on_hand_sum, allocated_sum) = (row.int(3)?, row.int(4)?);
    Ok(format!(
        "product {id} has {on_hand} on hand and {allocated} allocated, but its ledger adds up to {on_hand_sum} and \
         {allocated_sum}"
    ))
}

const LEDGER_CHAIN: &str = "SELECT t.product_id, t.id, t.on_hand_after, t.allocated_after, \
     t.on_hand_before + t.on_hand_delta, t.allocated_before + t.allocated_delta FROM ( \
     SELECT m.product_id, m.id, m.on_hand_delta, m.allocated_delta, m.on_hand_after, m.allocated_after, \
     COALESCE(LAG(m.on_hand_after) OVER (PARTITION BY m.product_id, m.location_id ORDER BY m.id), 0) \
     AS on_hand_before, \
     COALESCE(LAG(m.allocated_after) OVER (PARTITION BY m.product_id, m.location_id ORDER BY m.id), 0) \
     AS allocated_before FROM stock_movements m) t \
     WHERE t.on_hand_after <> t.on_hand_before + t.on_hand_delta \
     OR t.allocated_after <> t.allocated_before + t.allocated_delta \
     ORDER BY t.product_id, t.id LIMIT 50";

fn tell_ledger_chain(row: &Row) -> Result<String, StoreError> {
    let (product, id, on_hand, allocated) = (row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?);
    let (on_hand_sum, allocated_sum) = (row.int(4)?, row.int(5)?);
    Ok(format!(
        "line {id} in the ledger of product {product} says {on_hand} on hand and {allocated} allocated afterwards, \
         but with the line before it that makes {on_hand_sum} and {allocated_sum}"
    ))
}

const MOVEMENT_NUMBERS: &str = "SELECT m.id, COUNT(*) FROM stock_movements m GROUP BY m.id HAVING COUNT(*) > 1 \
     ORDER BY m.id LIMIT 50";

fn tell_movement_numbers(row: &Row) -> Result<String, StoreError> {
    Ok(format!("{} lines of the ledger have the number {}", row.int(1)?, row.int(0)?))
}

const LEVEL_RANGE: &str = "SELECT s.product_id, s.on_hand, s.allocated FROM stock_levels s \
     WHERE s.allocated < 0 OR s.allocated > s.on_hand ORDER BY s.product_id LIMIT 50";

fn tell_level_range(row: &Row) -> Result<String, StoreError> {
    let (id, on_hand, allocated) = (row.int(0)?, row.int(1)?, row.int(2)?);
    Ok(format!("product {id} has {allocated} allocated of {on_hand} on hand, which is out of range"))
}

/// Products without a level, and levels without a product.
const LEVEL_PRESENCE: &str = "SELECT t.id, SUM(t.products) FROM ( \
     SELECT p.id, 1 AS products, 0 AS levels FROM products p UNION ALL \
     SELECT s.product_id, 0, 1 FROM stock_levels s WHERE s.location_id = 1) t \
     GROUP BY t.id HAVING SUM(t.products) <> SUM(t.levels) ORDER BY t.id LIMIT 50";

fn tell_level_presence(row: &Row) -> Result<String, StoreError> {
    let id = row.int(0)?;
    Ok(match row.int(1)? {
        0 => format!("there is a stock level of product {id}, but no such product"),
        _ => format!("product {id} has no stock level"),
    })
}

const ALLOCATION_SUM: &str = "SELECT t.product_id, SUM(t.levels), SUM(t.items) FROM ( \
     SELECT s.product_id, s.allocated AS levels, 0 AS items FROM stock_levels s UNION ALL \
     SELECT i.product_id, 0, i.allocated FROM order_items i) t \
     GROUP BY t.product_id HAVING SUM(t.levels) <> SUM(t.items) ORDER BY t.product_id LIMIT 50";

fn tell_allocation_sum(row: &Row) -> Result<String, StoreError> {
    let (id, level, items) = (row.int(0)?, row.int(1)?, row.int(2)?);
    Ok(format!("product {id} has {level} allocated, but the items of its orders hold {items}"))
}

/// An order that has taken its stock and neither shipped nor cancelled it holds all of it; every other holds nothing.
const ITEM_ALLOCATION: &str = "SELECT t.order_id, t.id, t.product_id, t.allocated, t.due FROM ( \
     SELECT i.order_id, i.id, i.product_id, i.allocated, \
     CASE WHEN o.fulfilment = 'unfulfilled' \
     AND (o.state = 'confirmed' OR (o.state = 'pending' AND o.allocate_at = 'creation')) \
     THEN i.quantity ELSE 0 END AS due \
     FROM order_items i JOIN orders o ON o.id = i.order_id) t \
     WHERE t.allocated <> t.due ORDER BY t.order_id, t.id LIMIT 50";

fn tell_item_allocation(row: &Row) -> Result<String, StoreError> {
    let (order, item, product) = (row.int(0)?, row.int(1)?, row.int(2)?);
    let (allocated, due) = (row.int(3)?, row.int(4)?);
    Ok(format!("item {item} of order {order} holds {allocated} of product {product}, but should hold {due}"))
}

const ITEM_NUMBERS: &str =
    "SELECT i.id, COUNT(*) FROM order_items i GROUP BY i.id HAVING COUNT(*) > 1 ORDER BY i.id LIMIT 50";

fn tell_item_numbers(row: &Row) -> Result<String, StoreError> {
    Ok(format!("{} order items have the number {}", row.int(1)?, row.int(0)?))
}

const ITEM_REFERENCES: &str = "SELECT i.order_id, i.id, i.product_id FROM order_items i \
     LEFT JOIN orders o ON o.id = i.order_id LEFT JOIN products p ON p.id = i.product_id \
     WHERE o.id IS NULL OR p.id IS NULL ORDER BY i.order_id, i.id LIMIT 50";

fn tell_item_references(row: &Row) -> Result<String, StoreError> {
    let (order, item, product) = (row.int(0)?, row.int(1)?, row.int(2)?);
    Ok(format!("item {item} refers to order {order} and product {product}, one of which does not exist"))
}

/// The positions that the table of transitions can lead to, and no others.
const ORDER_FACTS: &str = "SELECT o.id FROM orders o WHERE NOT ( \
     (o.state = 'pending' AND o.payment = 'unpaid' AND o.fulfilment = 'unfulfilled') \
     OR (o.state = 'confirmed' AND o.payment IN ('unpaid', 'paid') AND o.fulfilment IN ('unfulfilled', 'shipped')) \
     OR (o.state = 'confirmed' AND o.payment = 'unpaid' AND o.fulfilment = 'delivered') \
     OR (o.state = 'completed' AND o.payment = 'paid' AND o.fulfilment = 'delivered') \
     OR (o.state = 'cancelled' AND o.payment IN ('unpaid', 'paid') AND o.fulfilment = 'unfulfilled')) \
     OR o.allocate_at NOT IN ('creation', 'confirmation') ORDER BY o.id LIMIT 50";

fn tell_order_facts(row: &Row) -> Result<String, StoreError> {
    Ok(format!("the state, payment and fulfilment of order {} contradict each other", row.int(0)?))
}

/// The sum over the items is compared but not shown: of damaged items it may be beyond 64 bits.
const ORDER_TOTALS: &str = "SELECT o.id, o.total_amount_cents, o.total_quantity FROM orders o \
     LEFT JOIN order_items i ON i.order_id = o.id GROUP BY o.id, o.total_amount_cents, o.total_quantity \
     HAVING COALESCE(SUM(CAST(i.price_cents AS DECIMAL(38, 0)) * i.quantity), 0) <> o.total_amount_cents \
     OR COALESCE(SUM(i.quantity), 0) <> o.total_quantity ORDER BY o.id LIMIT 50";

fn tell_order_totals(row: &Row) -> Result<String, StoreError> {
    let (id, amount, quantity) = (row.int(0)?, row.int(1)?, row.int(2)?);
    Ok(format!(
        "order {id} says {quantity} pieces for {amount} in minor units, but its items add up to something else"
    ))
}

/// What counts the orders of a product counts its items.
const ORDER_PRODUCTS: &str = "SELECT i.order_id, i.product_id FROM order_items i \
     GROUP BY i.order_id, i.product_id HAVING COUNT(*) > 1 ORDER BY i.order_id, i.product_id LIMIT 50";

fn tell_order_products(row: &Row) -> Result<String, StoreError> {
    Ok(format!("order {} has more than one item of product {}", row.int(0)?, row.int(1)?))
}

/// What is kept against what is there, half by half: both are sums of the same halves.
const ORDER_SUMS: &str = concat!(
    "SELECT t.product_id, t.day, t.status, SUM(t.kept), SUM(t.orders) FROM ( \
     SELECT s.product_id, s.day, s.status, s.orders AS kept, 0 AS orders, \
     s.amount_high AS kept_ah, s.amount_low AS kept_al, s.quantity_high AS kept_qh, s.quantity_low AS kept_ql, \
     0 AS ah, 0 AS al, 0 AS qh, 0 AS ql, s.first_id, s.last_id, NULL AS id FROM order_sums s \
     UNION ALL SELECT 0, ",
    day!(),
    ", o.status, 0, 1, 0, 0, 0, 0, o.total_amount_cents >> 32, o.total_amount_cents & 4294967295, \
     o.total_quantity >> 32, o.total_quantity & 4294967295, NULL, NULL, o.id FROM orders o \
     UNION ALL SELECT -1, 0, o.status, 0, 1, 0, 0, 0, 0, o.total_amount_cents >> 32, \
     o.total_amount_cents & 4294967295, o.total_quantity >> 32, o.total_quantity & 4294967295, NULL, NULL, o.id \
     FROM orders o \
     UNION ALL SELECT i.product_id, ",
    day!(),
    ", o.status, 0, 1, 0, 0, 0, 0, o.total_amount_cents >> 32, o.total_amount_cents & 4294967295, \
     o.total_quantity >> 32, o.total_quantity & 4294967295, NULL, NULL, o.id \
     FROM order_items i JOIN orders o ON o.id = i.order_id) t \
     GROUP BY t.product_id, t.day, t.status HAVING SUM(t.kept) <> SUM(t.orders) \
     OR SUM(t.kept_ah) <> SUM(t.ah) OR SUM(t.kept_al) <> SUM(t.al) \
     OR SUM(t.kept_qh) <> SUM(t.qh) OR SUM(t.kept_ql) <> SUM(t.ql) \
     OR MIN(t.id) < MIN(t.first_id) OR MAX(t.id) > MAX(t.last_id) \
     ORDER BY t.product_id, t.day, t.status LIMIT 50"
);

fn tell_order_sums(row: &Row) -> Result<String, StoreError> {
    let (product, day, status) = (row.int(0)?, row.int(1)?, row.as_text(2)?);
    let which = match product {
        WHOLE_SHOP => " that".to_owned(),
        ALL_PRODUCTS => format!(" that were placed on day {day} and"),
        _ => format!(" of product {product} that were placed on day {day} and"),
    };
    Ok(format!(
        "the sums kept for orders{which} are {status} do not agree with the {} orders there are; they count {}",
        row.int(4)?,
        row.int(3)?
    ))
}

const ORDER_EXPIRY: &str = "SELECT o.id FROM orders o \
     WHERE o.expires_at_us IS NOT NULL AND o.state <> 'pending' ORDER BY o.id LIMIT 50";

fn tell_order_expiry(row: &Row) -> Result<String, StoreError> {
    Ok(format!("order {} is to expire, although it is not pending any more", row.int(0)?))
}

/// What is kept against what is there.
const CUSTOMER_HOLDS: &str = "SELECT t.user_id, SUM(t.kept), SUM(t.kept_units), SUM(t.orders), SUM(t.units) FROM ( \
     SELECT h.user_id, h.orders AS kept, h.units AS kept_units, 0 AS orders, 0 AS units FROM customer_holds h \
     UNION ALL SELECT o.user_id, 0, 0, 1, o.total_quantity FROM orders o \
     WHERE o.status IN ('pending', 'confirmed') AND o.user_id IS NOT NULL) t \
     GROUP BY t.user_id HAVING SUM(t.kept) <> SUM(t.orders) OR SUM(t.kept_units) <> SUM(t.units) \
     ORDER BY t.user_id LIMIT 50";

fn tell_customer_holds(row: &Row) -> Result<String, StoreError> {
    let (user, kept, kept_units) = (row.int(0)?, row.int(1)?, row.int(2)?);
    let (orders, units) = (row.int(3)?, row.int(4)?);
    Ok(format!(
        "user {user} is said to have {kept} open orders of {kept_units} pieces, but has {orders} of {units}"
    ))
}

const ORDER_USERS: &str = "SELECT o.id, o.user_id FROM orders o LEFT JOIN users u ON u.id = o.user_id \
     WHERE o.user_id IS NOT NULL AND u.id IS NULL ORDER BY o.id LIMIT 50";

fn tell_order_users(row: &Row) -> Result<String, StoreError> {
    Ok(format!("order {} belongs to user {}, who does not exist", row.int(0)?, row.int(1)?))
}

const PRODUCT_COUNTS: &str = "SELECT t.shelf, SUM(t.counted), SUM(t.products) FROM ( \
     SELECT c.shelf, c.products AS counted, 0 AS products FROM product_counts c UNION ALL \
     SELECT p.shelf, 0, 1 FROM products p) t \
     GROUP BY t.shelf HAVING SUM(t.counted) <> SUM(t.products) ORDER BY t.shelf LIMIT 50";

fn tell_product_counts(row: &Row) -> Result<String, StoreError> {
    let (shelf, counted, products) = (row.int(0)?, row.int(1)?, row.int(2)?);
    Ok(format!("{counted} products are counted on shelf {shelf}, but there are {products}"))
}

/// Erased products live on in the ledger and the events, so their ids count too.
const COUNTERS: &str = "SELECT t.label, MAX(t.largest), MAX(c.next) FROM ( \
     SELECT 'product' AS label, MAX(p.id) AS largest FROM products p \
     UNION ALL SELECT 'product', MAX(m.product_id) FROM stock_movements m \
     UNION ALL SELECT 'product', MAX(e.product_id) FROM events e \
     UNION ALL SELECT 'order', MAX(o.id) FROM orders o \
     UNION ALL SELECT 'item', MAX(i.id) FROM order_items i \
     UNION ALL SELECT 'user', MAX(u.id) FROM users u \
     UNION ALL SELECT 'movement', MAX(m.id) FROM stock_movements m \
     UNION ALL SELECT 'event', MAX(e.id) FROM events e) t \
     LEFT JOIN counters c ON c.name = t.label GROUP BY t.label \
     HAVING MAX(c.next) IS NULL OR MAX(c.next) <= MAX(t.largest) ORDER BY t.label LIMIT 50";

fn tell_counters(row: &Row) -> Result<String, StoreError> {
    let name = row.as_text(0)?;
    Ok(match (row.opt_int(1)?, row.opt_int(2)?) {
        (_, None) => format!("the counter {name:?} is missing"),
        (largest, Some(next)) => {
            let largest = largest.unwrap_or_default();
            format!("the counter {name:?} would hand out {next} next, but {largest} is in use")
        }
    })
}

impl Store {
    /// Proves that the ledger adds up to the levels and the allocations to the open orders. Repairs nothing.
    ///
    /// Everything is looked at in one state of the database, while writing goes on; that takes seconds in a large shop.
    ///
    /// # Errors
    /// When the database cannot be read, or is damaged beyond what can be added up.
    pub async fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut reader = self.database().long_reader().await?;
        reader.begin_snapshot().await?;
        let report = examine(&mut reader).await;
        let ended = reader.end_snapshot().await;
        let report = report?;
        ended?;
        Ok(report)
    }
}

async fn examine(reader: &mut Reader) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    for row in reader.query_long(COUNTS, &[]).await? {
        (report.products, report.orders, report.movements) = (row.int(0)?, row.int(1)?, row.int(2)?);
    }
    for check in CHECKS {
        for row in reader.query_long(check.sql, &[]).await? {
            let finding = (check.tell)(&row)?;
            report.discrepancies.push(Discrepancy { check: check.name, finding });
        }
    }
    search::examine(reader, &mut report.discrepancies).await?;
    Ok(report)
}
