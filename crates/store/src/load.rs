//! Loads the rows that a batch of commands named, locking them in one fixed order: orders, products, stock, users,
//! each by ascending id. The counters come first, so that batches of several servers take turns.

use std::collections::{BTreeSet, HashMap};

use domain::{ApiKeyId, Census, Holds, Keys, NextIds, OrderId, ProductId, Snapshot, UserId};

use crate::StoreError;
use crate::driver::{Cell, Row, Rows, Transaction, Value};
use crate::flush::DEFAULT_LOCATION;
use crate::rows::{
    self, api_key_columns, item_columns, level_columns, order_columns, product_columns, user_columns,
};

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
/// Of all locations: a condition on the location makes a database that knows nothing yet about the table think that few
/// rows are left, and compare each of them with each product.
const LEVELS: &str = concat!(
    "SELECT s.location_id, ",
    level_columns!(),
    " FROM stock_levels s WHERE s.product_id IN (SELECT r.id FROM {rows:id int} r) \
     ORDER BY s.product_id, s.location_id {for update}"
);
const USERS: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.id IN (SELECT r.id FROM {rows:id int} r) ORDER BY u.id {for update}"
);
const API_KEYS: &str = concat!(
    "SELECT ",
    api_key_columns!(),
    " FROM api_keys k WHERE k.id IN (SELECT r.id FROM {rows:id int} r) ORDER BY k.id {for update}"
);
const SKU_OWNERS: &str =
    "SELECT p.sku, p.id FROM products p WHERE p.sku IN (SELECT r.sku FROM {rows:sku text} r)";
const NAME_HOLDERS: &str = "SELECT p.name, p.id FROM products p \
     WHERE p.archived_at_us IS NULL AND p.name IN (SELECT r.name FROM {rows:name text} r)";
const USERNAME_OWNERS: &str = "SELECT u.username_key, u.id FROM users u WHERE u.username_key IN (SELECT r.name FROM {rows:name text} r)";
const EMAIL_OWNERS: &str =
    "SELECT u.email, u.id FROM users u WHERE u.email IN (SELECT r.email FROM {rows:email text} r)";
const REFERENCES: &str = "SELECT r.id FROM {rows:id int} r \
     WHERE EXISTS (SELECT 1 FROM order_items i WHERE i.product_id = r.id)";
const HOLDS: &str = "SELECT h.user_id, h.orders, h.units FROM customer_holds h \
     WHERE h.user_id IN (SELECT r.id FROM {rows:id int} r)";
const CENSUS: &str = "SELECT (SELECT COUNT(*) FROM (SELECT u.id FROM users u LIMIT 1) f), \
     (SELECT COUNT(*) FROM users u WHERE u.role = 'admin' AND u.is_active = 1)";
const SECRET_MARK: &str = "SELECT m.value FROM meta m WHERE m.name = 'secret_mark'";
const CURRENCY: &str = "SELECT m.value FROM meta m WHERE m.name = 'currency'";

/// The numbers for lines that only the writer appends: ledger and events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextLines {
    pub(crate) movement: i64,
    pub(crate) event: i64,
    pub(crate) audit: i64,
}

impl NextLines {
    /// Nobody has asked for the counters.
    const UNKNOWN: Self = Self { movement: 0, event: 0, audit: 0 };
}

/// A query and its parameters.
pub(crate) type Query = (&'static str, Vec<Value>);

/// What was loaded.
pub(crate) struct Loaded {
    pub(crate) snapshot: Snapshot,
    pub(crate) lines: NextLines,
    /// The answers to the queries that came along.
    pub(crate) beside: Vec<Vec<Row>>,
}

/// Loads everything named, plus what belongs to the orders named, plus the answers to the queries `beside`, which are
/// asked behind the lock on the counters: no other server can change anything between them and the end.
///
/// All is asked at once, for on a network each question alone would cost a round trip; unless there are orders, whose
/// products and users are not known before.
pub(crate) async fn load(
    transaction: &mut Transaction,
    keys: Keys,
    beside: Vec<Query>,
) -> Result<Loaded, StoreError> {
    let mut snapshot = Snapshot::default();
    let mut lines = NextLines::UNKNOWN;
    let mut plan = Plan::default();
    plan.ask(COUNTERS, Vec::new(), Take::Counters);
    let beside = complete(plan, transaction, &mut snapshot, &mut lines, keys, beside).await?;
    Ok(Loaded { snapshot, lines, beside })
}

/// Loads what is named and not loaded yet, later in the same transaction, and answers the queries `beside`. What others
/// lock is of no concern any more: whoever writes has locked the counters first.
pub(crate) async fn load_more(
    transaction: &mut Transaction,
    loaded: &mut Snapshot,
    keys: Keys,
    beside: Vec<Query>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    let keys = unknown(keys, loaded);
    // Asks for no counters, so there are no lines.
    let mut lines = NextLines::UNKNOWN;
    complete(Plan::default(), transaction, loaded, &mut lines, keys, beside).await
}

/// Those of the keys that are not loaded.
fn unknown(mut keys: Keys, loaded: &Snapshot) -> Keys {
    keys.users.retain(|id| !loaded.users.contains_key(id));
    keys.products.retain(|id| !loaded.products.contains_key(id));
    keys.orders.retain(|id| !loaded.orders.contains_key(id));
    keys.skus.retain(|sku| !loaded.skus.contains_key(sku));
    keys.names.retain(|name| !loaded.names.contains_key(name));
    keys.usernames.retain(|name| !loaded.usernames.contains_key(name));
    keys.emails.retain(|email| !loaded.emails.contains_key(email));
    keys.references.retain(|id| !loaded.references.contains_key(id));
    keys.holds.retain(|id| !loaded.holds.contains_key(id));
    keys.api_keys.retain(|id| !loaded.api_keys.contains_key(id));
    keys.census &= loaded.census.is_none();
    keys.currency &= loaded.currency.is_none();
    keys.secret_mark &= loaded.secret_mark.is_none();
    keys
}

/// Adds to what is planned already what the keys name, and asks for it.
async fn complete(
    mut plan: Plan,
    transaction: &mut Transaction,
    snapshot: &mut Snapshot,
    lines: &mut NextLines,
    keys: Keys,
    beside: Vec<Query>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    let mut users: BTreeSet<UserId> = keys.users.into_iter().collect();
    let mut products: BTreeSet<ProductId> = keys.products.into_iter().collect();
    let orders: BTreeSet<OrderId> = keys.orders.into_iter().collect();
    if orders.is_empty() {
        plan.products_and_users(snapshot, &products, &users)?;
    } else {
        snapshot.orders.extend(orders.iter().map(|id| (*id, None)));
        let ids = [Rows::of_ints(orders.iter().map(|id| id.0)).to_value()?];
        plan.ask(ORDERS, ids.to_vec(), Take::Into(take_orders));
        plan.ask(ITEMS, ids.to_vec(), Take::Into(take_items));
    }
    plan.names(snapshot, keys.names)?;
    plan.owners(snapshot, keys.skus, keys.usernames, keys.emails)?;
    if !keys.references.is_empty() {
        let ids = Rows::of_ints(keys.references.iter().map(|id| id.0)).to_value()?;
        snapshot.references.extend(keys.references.iter().map(|id| (*id, false)));
        plan.ask(REFERENCES, vec![ids], Take::Into(take_references));
    }
    if !keys.holds.is_empty() {
        let ids = Rows::of_ints(keys.holds.iter().map(|id| id.0)).to_value()?;
        snapshot.holds.extend(keys.holds.iter().map(|id| (*id, Holds::default())));
        plan.ask(HOLDS, vec![ids], Take::Into(take_holds));
    }
    plan.api_keys(snapshot, keys.api_keys)?;
    if keys.census {
        plan.ask(CENSUS, Vec::new(), Take::Into(take_census));
    }
    if keys.currency {
        plan.ask(CURRENCY, Vec::new(), Take::Into(take_currency));
    }
    if keys.secret_mark {
        plan.ask(SECRET_MARK, Vec::new(), Take::Into(take_secret_mark));
    }
    for (sql, params) in beside {
        plan.ask(sql, params, Take::Beside);
    }
    let beside = plan.run(transaction, snapshot, lines).await?;
    if !orders.is_empty() {
        for order in orders.iter().filter_map(|id| snapshot.order(*id)) {
            users.extend(order.user_id);
            products.extend(order.items.iter().map(|item| item.product_id));
        }
        users.retain(|id| !snapshot.users.contains_key(id));
        products.retain(|id| !snapshot.products.contains_key(id));
        let mut plan = Plan::default();
        plan.products_and_users(snapshot, &products, &users)?;
        plan.run(transaction, snapshot, lines).await?;
    }
    Ok(beside)
}

/// What is done with the answer to a query.
#[derive(Clone, Copy)]
enum Take {
    Counters,
    Into(fn(&mut Snapshot, Vec<Row>) -> Result<(), StoreError>),
    Beside,
}

/// Queries that are asked in their order, all at once where the database can do that.
#[derive(Default)]
struct Plan {
    queries: Vec<Query>,
    takes: Vec<Take>,
}

impl Plan {
    fn ask(&mut self, sql: &'static str, params: Vec<Value>, take: Take) {
        self.queries.push((sql, params));
        self.takes.push(take);
    }

    fn products_and_users(
        &mut self,
        snapshot: &mut Snapshot,
        products: &BTreeSet<ProductId>,
        users: &BTreeSet<UserId>,
    ) -> Result<(), StoreError> {
        if !products.is_empty() {
            snapshot.products.extend(products.iter().map(|id| (*id, None)));
            snapshot.levels.extend(products.iter().map(|id| (*id, None)));
            let ids = Rows::of_ints(products.iter().map(|id| id.0)).to_value()?;
            self.ask(PRODUCTS, vec![ids.clone()], Take::Into(take_products));
            self.ask(LEVELS, vec![ids], Take::Into(take_levels));
        }
        if !users.is_empty() {
            snapshot.users.extend(users.iter().map(|id| (*id, None)));
            let ids = Rows::of_ints(users.iter().map(|id| id.0)).to_value()?;
            self.ask(USERS, vec![ids], Take::Into(take_users));
        }
        Ok(())
    }

    fn names(&mut self, snapshot: &mut Snapshot, names: Vec<String>) -> Result<(), StoreError> {
        if !names.is_empty() {
            self.ask(NAME_HOLDERS, vec![texts(&names)?], Take::Into(take_name_holders));
            snapshot.names.extend(names.into_iter().map(|name| (name, BTreeSet::new())));
        }
        Ok(())
    }

    fn api_keys(&mut self, snapshot: &mut Snapshot, keys: Vec<ApiKeyId>) -> Result<(), StoreError> {
        if !keys.is_empty() {
            let ids: BTreeSet<_> = keys.iter().map(|id| id.0).collect();
            self.ask(API_KEYS, vec![Rows::of_ints(ids).to_value()?], Take::Into(take_api_keys));
            snapshot.api_keys.extend(keys.into_iter().map(|id| (id, None)));
        }
        Ok(())
    }

    fn owners(
        &mut self,
        snapshot: &mut Snapshot,
        skus: Vec<String>,
        usernames: Vec<String>,
        emails: Vec<String>,
    ) -> Result<(), StoreError> {
        if !skus.is_empty() {
            self.ask(SKU_OWNERS, vec![texts(&skus)?], Take::Into(take_sku_owners));
            snapshot.skus.extend(skus.into_iter().map(|sku| (sku, None)));
        }
        if !usernames.is_empty() {
            self.ask(USERNAME_OWNERS, vec![texts(&usernames)?], Take::Into(take_username_owners));
            snapshot.usernames.extend(usernames.into_iter().map(|name| (name, None)));
        }
        if !emails.is_empty() {
            self.ask(EMAIL_OWNERS, vec![texts(&emails)?], Take::Into(take_email_owners));
            snapshot.emails.extend(emails.into_iter().map(|email| (email, None)));
        }
        Ok(())
    }

    /// Asks everything and gives the answers that nobody here takes.
    async fn run(
        self,
        transaction: &mut Transaction,
        snapshot: &mut Snapshot,
        lines: &mut NextLines,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        if self.queries.is_empty() {
            return Ok(Vec::new());
        }
        let answers = transaction.query_all(&self.queries).await?;
        let mut beside = Vec::new();
        for (take, rows) in self.takes.into_iter().zip(answers) {
            match take {
                Take::Counters => (snapshot.next, *lines) = counters(rows)?,
                Take::Into(take) => take(snapshot, rows)?,
                Take::Beside => beside.push(rows),
            }
        }
        Ok(beside)
    }
}

fn counters(rows: Vec<Row>) -> Result<(NextIds, NextLines), StoreError> {
    let mut counters = HashMap::new();
    for mut row in rows {
        counters.insert(row.text(0)?, row.int(1)?);
    }
    let next = |name: &str| {
        let missing = || StoreError::decode(format!("the counter {name:?} is missing"));
        counters.get(name).copied().ok_or_else(missing)
    };
    let ids = NextIds {
        product: next("product")?,
        order: next("order")?,
        item: next("item")?,
        user: next("user")?,
        api_key: next("api_key")?,
    };
    Ok((ids, NextLines { movement: next("movement")?, event: next("event")?, audit: next("audit")? }))
}

fn take_orders(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let order = rows::order(&mut row)?;
        snapshot.orders.insert(order.id, Some(order));
    }
    Ok(())
}

fn take_items(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let (order_id, item) = rows::item(&mut row, 0)?;
        if let Some(Some(order)) = snapshot.orders.get_mut(&order_id) {
            order.items.push(item);
        }
    }
    Ok(())
}

fn take_products(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let product = rows::product(&mut row)?;
        snapshot.products.insert(product.id, Some(product));
    }
    Ok(())
}

fn take_levels(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for row in rows {
        if row.int(0)? == DEFAULT_LOCATION {
            let level = rows::level(&row, 1)?;
            snapshot.levels.insert(level.product_id, Some(level));
        }
    }
    Ok(())
}

fn take_users(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let user = rows::user(&mut row)?;
        snapshot.users.insert(user.id, Some(user));
    }
    Ok(())
}

fn take_api_keys(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let key = rows::api_key(&mut row)?;
        snapshot.api_keys.insert(key.id, Some(key));
    }
    Ok(())
}

fn take_sku_owners(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        snapshot.skus.insert(row.text(0)?, Some(ProductId(row.int(1)?)));
    }
    Ok(())
}

fn take_name_holders(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let name = row.text(0)?;
        snapshot.names.entry(name).or_default().insert(ProductId(row.int(1)?));
    }
    Ok(())
}

fn take_username_owners(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        snapshot.usernames.insert(row.text(0)?, Some(UserId(row.int(1)?)));
    }
    Ok(())
}

fn take_email_owners(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        snapshot.emails.insert(row.text(0)?, Some(UserId(row.int(1)?)));
    }
    Ok(())
}

fn take_references(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for row in rows {
        snapshot.references.insert(ProductId(row.int(0)?), true);
    }
    Ok(())
}

fn take_holds(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    for row in rows {
        let holds = Holds { orders: row.int(1)?, units: row.int(2)? };
        snapshot.holds.insert(UserId(row.int(0)?), holds);
    }
    Ok(())
}

fn take_census(snapshot: &mut Snapshot, rows: Vec<Row>) -> Result<(), StoreError> {
    let Some(row) = rows.into_iter().next() else { return Err(StoreError::decode("the census is missing")) };
    snapshot.census = Some(Census { users: row.int(0)?, active_admins: row.int(1)? });
    Ok(())
}

fn take_currency(snapshot: &mut Snapshot, mut rows: Vec<Row>) -> Result<(), StoreError> {
    snapshot.currency = Some(rows.first_mut().map(|row| row.text(0)).transpose()?);
    Ok(())
}

fn take_secret_mark(snapshot: &mut Snapshot, mut rows: Vec<Row>) -> Result<(), StoreError> {
    snapshot.secret_mark = Some(rows.first_mut().map(|row| row.text(0)).transpose()?);
    Ok(())
}

fn texts(values: &[String]) -> Result<Value, StoreError> {
    let mut rows = Rows::new();
    for value in values {
        rows.push([Cell::from(value)]);
    }
    rows.to_value()
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
            (LEVELS, "SEARCH s USING PRIMARY KEY (product_id=?)"),
            (USERS, "SEARCH u USING INTEGER PRIMARY KEY"),
            (SKU_OWNERS, "SEARCH p USING COVERING INDEX sqlite_autoindex_products_1 (sku=?)"),
            (NAME_HOLDERS, "SEARCH p USING INDEX products_by_name_and_id (name=?)"),
            (USERNAME_OWNERS, "SEARCH u USING COVERING INDEX sqlite_autoindex_users_1 (username_key=?)"),
            (EMAIL_OWNERS, "SEARCH u USING COVERING INDEX sqlite_autoindex_users_2 (email=?)"),
            (REFERENCES, "SEARCH i EXISTS USING COVERING INDEX order_items_by_product (product_id=?)"),
            (HOLDS, "SEARCH h USING PRIMARY KEY (user_id=?)"),
            (API_KEYS, "SEARCH k USING INTEGER PRIMARY KEY"),
            (SECRET_MARK, "SEARCH m USING PRIMARY KEY (name=?)"),
            (CURRENCY, "SEARCH m USING PRIMARY KEY (name=?)"),
        ] {
            planner.check(sql, &[step]).await;
        }
    }
}
