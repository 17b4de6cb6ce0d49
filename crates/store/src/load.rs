//! Loads the rows that a batch of commands named, locking them in one fixed order: orders, products, stock, users,
//! each by ascending id. The counters come first, so that batches of several servers take turns.

use std::collections::{BTreeSet, HashMap};

use domain::{Census, Keys, NextIds, OrderId, ProductId, Snapshot, UserId};

use crate::StoreError;
use crate::driver::{Cell, Row, Rows, Transaction};
use crate::rows::{self, item_columns, level_columns, order_columns, product_columns, user_columns};

const COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name {for update}";
const ORDERS: &str = concat!(
    "SELECT ",
    order_columns!(),
    " FROM orders o WHERE o.id IN (SELECT r.id FROM {rows:id int} r) ORDER BY o.id {for update}"
);
const ITEMS: &str = concat!(
    "SELECT ",
    item_columns!(),
    " FROM order_items i WHERE i.order_id IN (SELECT r.id FROM {rows:id int} r) ORDER BY i.order_id, i.id"
);
const PRODUCTS: &str = concat!(
    "SELECT ",
    product_columns!(),
    " FROM products p WHERE p.id IN (SELECT r.id FROM {rows:id int} r) ORDER BY p.id {for update}"
);
const LEVELS: &str = concat!(
    "SELECT ",
    level_columns!(),
    " FROM stock_levels s WHERE s.location_id = 1 AND s.product_id IN (SELECT r.id FROM {rows:id int} r) \
     ORDER BY s.product_id {for update}"
);
const USERS: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.id IN (SELECT r.id FROM {rows:id int} r) ORDER BY u.id {for update}"
);
const SKU_OWNERS: &str =
    "SELECT p.sku, p.id FROM products p WHERE p.sku IN (SELECT r.sku FROM {rows:sku text} r)";
const USERNAME_OWNERS: &str = "SELECT u.username_key, u.id FROM users u WHERE u.username_key IN (SELECT r.name FROM {rows:name text} r)";
const EMAIL_OWNERS: &str =
    "SELECT u.email, u.id FROM users u WHERE u.email IN (SELECT r.email FROM {rows:email text} r)";
const REFERENCES: &str = "SELECT r.id FROM {rows:id int} r \
     WHERE EXISTS (SELECT 1 FROM order_items i WHERE i.product_id = r.id)";
const CENSUS: &str = "SELECT (SELECT COUNT(*) FROM (SELECT u.id FROM users u LIMIT 1) f), \
     (SELECT COUNT(*) FROM users u WHERE u.role = 'admin' AND u.is_active = 1)";
const CURRENCY: &str = "SELECT m.value FROM meta m WHERE m.name = 'currency'";

/// The numbers for lines that only the writer appends: ledger and events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextLines {
    pub(crate) movement: i64,
    pub(crate) event: i64,
}

/// Loads everything named, plus what belongs to the orders named.
pub(crate) async fn load(
    transaction: &mut Transaction,
    keys: Keys,
) -> Result<(Snapshot, NextLines), StoreError> {
    let mut snapshot = Snapshot::default();
    let next = load_counters(transaction, &mut snapshot).await?;
    let mut users: BTreeSet<UserId> = keys.users.into_iter().collect();
    let mut products: BTreeSet<ProductId> = keys.products.into_iter().collect();
    let orders: BTreeSet<OrderId> = keys.orders.into_iter().collect();
    if !orders.is_empty() {
        load_orders(transaction, &mut snapshot, &orders).await?;
        for order in snapshot.orders.values().flatten() {
            users.extend(order.user_id);
            products.extend(order.items.iter().map(|item| item.product_id));
        }
    }
    if !products.is_empty() {
        load_products(transaction, &mut snapshot, &products).await?;
    }
    if !users.is_empty() {
        let ids = Rows::of_ints(users.iter().map(|id| id.0)).to_value()?;
        snapshot.users.extend(users.iter().map(|id| (*id, None)));
        for mut row in transaction.query(USERS, &[ids]).await? {
            let user = rows::user(&mut row)?;
            snapshot.users.insert(user.id, Some(user));
        }
    }
    load_owners(transaction, &mut snapshot, keys.skus, keys.usernames, keys.emails).await?;
    if !keys.references.is_empty() {
        let ids = Rows::of_ints(keys.references.iter().map(|id| id.0)).to_value()?;
        snapshot.references.extend(keys.references.iter().map(|id| (*id, false)));
        for row in transaction.query(REFERENCES, &[ids]).await? {
            snapshot.references.insert(ProductId(row.int(0)?), true);
        }
    }
    if keys.census {
        let row = one(transaction.query(CENSUS, &[]).await?)?;
        snapshot.census = Some(Census { users: row.int(0)?, active_admins: row.int(1)? });
    }
    if keys.currency {
        let mut found = transaction.query(CURRENCY, &[]).await?;
        snapshot.currency = Some(found.first_mut().map(|row| row.text(0)).transpose()?);
    }
    Ok((snapshot, next))
}

async fn load_counters(
    transaction: &mut Transaction,
    snapshot: &mut Snapshot,
) -> Result<NextLines, StoreError> {
    let mut counters = HashMap::new();
    for mut row in transaction.query(COUNTERS, &[]).await? {
        counters.insert(row.text(0)?, row.int(1)?);
    }
    let next = |name: &str| {
        let missing = || StoreError::decode(format!("the counter {name:?} is missing"));
        counters.get(name).copied().ok_or_else(missing)
    };
    snapshot.next = NextIds {
        product: next("product")?,
        order: next("order")?,
        item: next("item")?,
        user: next("user")?,
    };
    Ok(NextLines { movement: next("movement")?, event: next("event")? })
}

async fn load_orders(
    transaction: &mut Transaction,
    snapshot: &mut Snapshot,
    ids: &BTreeSet<OrderId>,
) -> Result<(), StoreError> {
    let parameter = [Rows::of_ints(ids.iter().map(|id| id.0)).to_value()?];
    snapshot.orders.extend(ids.iter().map(|id| (*id, None)));
    for mut row in transaction.query(ORDERS, &parameter).await? {
        let order = rows::order(&mut row)?;
        snapshot.orders.insert(order.id, Some(order));
    }
    for mut row in transaction.query(ITEMS, &parameter).await? {
        let (order_id, item) = rows::item(&mut row, 0)?;
        if let Some(Some(order)) = snapshot.orders.get_mut(&order_id) {
            order.items.push(item);
        }
    }
    Ok(())
}

async fn load_products(
    transaction: &mut Transaction,
    snapshot: &mut Snapshot,
    ids: &BTreeSet<ProductId>,
) -> Result<(), StoreError> {
    let parameter = [Rows::of_ints(ids.iter().map(|id| id.0)).to_value()?];
    snapshot.products.extend(ids.iter().map(|id| (*id, None)));
    snapshot.levels.extend(ids.iter().map(|id| (*id, None)));
    for mut row in transaction.query(PRODUCTS, &parameter).await? {
        let product = rows::product(&mut row)?;
        snapshot.products.insert(product.id, Some(product));
    }
    for row in transaction.query(LEVELS, &parameter).await? {
        let level = rows::level(&row, 0)?;
        snapshot.levels.insert(level.product_id, Some(level));
    }
    Ok(())
}

async fn load_owners(
    transaction: &mut Transaction,
    snapshot: &mut Snapshot,
    skus: Vec<String>,
    usernames: Vec<String>,
    emails: Vec<String>,
) -> Result<(), StoreError> {
    if !skus.is_empty() {
        let parameter = texts(&skus)?;
        snapshot.skus.extend(skus.into_iter().map(|sku| (sku, None)));
        for mut row in transaction.query(SKU_OWNERS, &[parameter]).await? {
            snapshot.skus.insert(row.text(0)?, Some(ProductId(row.int(1)?)));
        }
    }
    if !usernames.is_empty() {
        let parameter = texts(&usernames)?;
        snapshot.usernames.extend(usernames.into_iter().map(|name| (name, None)));
        for mut row in transaction.query(USERNAME_OWNERS, &[parameter]).await? {
            snapshot.usernames.insert(row.text(0)?, Some(UserId(row.int(1)?)));
        }
    }
    if !emails.is_empty() {
        let parameter = texts(&emails)?;
        snapshot.emails.extend(emails.into_iter().map(|email| (email, None)));
        for mut row in transaction.query(EMAIL_OWNERS, &[parameter]).await? {
            snapshot.emails.insert(row.text(0)?, Some(UserId(row.int(1)?)));
        }
    }
    Ok(())
}

fn texts(values: &[String]) -> Result<crate::driver::Value, StoreError> {
    let mut rows = Rows::new();
    for value in values {
        rows.push([Cell::from(value)]);
    }
    rows.to_value()
}

fn one(rows: Vec<Row>) -> Result<Row, StoreError> {
    rows.into_iter().next().ok_or_else(|| StoreError::decode("a row is missing".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn what_is_named_is_found_by_key() {
        let planner = Planner::new().await;
        for (sql, step) in [
            (ORDERS, "SEARCH o USING INTEGER PRIMARY KEY"),
            (ITEMS, "SEARCH i USING PRIMARY KEY (order_id=?)"),
            (PRODUCTS, "SEARCH p USING INTEGER PRIMARY KEY"),
            (LEVELS, "SEARCH s USING PRIMARY KEY (product_id=? AND location_id=?)"),
            (USERS, "SEARCH u USING INTEGER PRIMARY KEY"),
            (SKU_OWNERS, "SEARCH p USING COVERING INDEX sqlite_autoindex_products_1 (sku=?)"),
            (USERNAME_OWNERS, "SEARCH u USING COVERING INDEX sqlite_autoindex_users_1 (username_key=?)"),
            (EMAIL_OWNERS, "SEARCH u USING COVERING INDEX sqlite_autoindex_users_2 (email=?)"),
            (REFERENCES, "SEARCH i EXISTS USING COVERING INDEX order_items_by_product (product_id=?)"),
            (CURRENCY, "SEARCH m USING PRIMARY KEY (name=?)"),
        ] {
            planner.check(sql, &[step]).await;
        }
    }
}
