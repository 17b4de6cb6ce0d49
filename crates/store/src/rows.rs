//! How rows become the things of the shop, and the other way round.

use domain::{
    AllocateAt, ApiKey, ApiKeyId, Fulfilment, ItemId, Order, OrderId, OrderItem, OrderState, Payment,
    Product, ProductId, Role, Scope, StockLevel, User, UserId,
};

use crate::StoreError;
use crate::driver::Row;
use crate::fold::fold;

/// The columns of a user, in the order that [`user`] reads them.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.email, u.full_name, u.role, u.password_hash, u.token_generation, u.is_active, \
         u.version, u.created_at_us, u.updated_at_us"
    };
}

/// The columns of a machine's key, in the order that [`api_key`] reads them.
macro_rules! api_key_columns {
    () => {
        "k.id, k.name, k.digest, k.role, k.scopes, k.maker_id, k.created_at_us, k.expires_at_us, k.revoked_at_us, \
         k.last_used_at_us"
    };
}

/// The columns of a product, in the order that [`product`] reads them.
macro_rules! product_columns {
    () => {
        "p.id, p.sku, p.name, p.description, p.price_cents, p.is_active, p.archived_at_us, \
         p.low_stock_threshold, p.auto_deactivate, p.version, p.created_at_us, p.updated_at_us"
    };
}

/// The columns of a stock level, in the order that [`level`] reads them.
macro_rules! level_columns {
    () => {
        "s.product_id, s.on_hand, s.allocated, s.version"
    };
}

/// The columns of an order, in the order that [`order`] reads them.
macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.state, o.payment, o.fulfilment, o.allocate_at, o.total_amount_cents, \
         o.total_quantity, o.version, o.placed_at_us, o.updated_at_us, o.expires_at_us"
    };
}

/// The columns of an order item, in the order that [`item`] reads them.
macro_rules! item_columns {
    () => {
        "i.order_id, i.id, i.product_id, i.product_name, i.price_cents, i.quantity, i.allocated"
    };
}

pub(crate) use {api_key_columns, item_columns, level_columns, order_columns, product_columns, user_columns};

/// How many columns [`product`] reads; those of a level may follow.
pub(crate) const PRODUCT_WIDTH: usize = 12;
/// How many columns [`order`] reads.
pub(crate) const ORDER_WIDTH: usize = 12;

/// Reads a word of a closed vocabulary; anything else in the database is damage.
pub(crate) fn word<T>(row: &Row, at: usize, read: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    read(row.as_text(at)?).ok_or_else(|| StoreError::decode(format!("column {at} holds an unknown word")))
}

pub(crate) fn user(row: &mut Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(row.int(0)?),
        username: row.text(1)?,
        email: row.opt_text(2)?,
        full_name: row.opt_text(3)?,
        role: word(row, 4, Role::from_word)?,
        password_hash: row.text(5)?,
        token_generation: row.int(6)?,
        is_active: row.flag(7)?,
        version: row.int(8)?,
        created_at_us: row.int(9)?,
        updated_at_us: row.int(10)?,
    })
}

pub(crate) fn api_key(row: &mut Row) -> Result<ApiKey, StoreError> {
    api_key_at(row, 0)
}

/// Reads a key whose columns begin at `at`.
pub(crate) fn api_key_at(row: &mut Row, at: usize) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: ApiKeyId(row.int(at)?),
        name: row.text(at + 1)?,
        digest: row.text(at + 2)?,
        role: word(row, at + 3, Role::from_word)?,
        scopes: scopes(row.as_text(at + 4)?)?,
        maker_id: UserId(row.int(at + 5)?),
        created_at_us: row.int(at + 6)?,
        expires_at_us: row.int(at + 7)?,
        revoked_at_us: row.opt_int(at + 8)?,
        last_used_at_us: row.opt_int(at + 9)?,
    })
}

/// Scopes as they are stored: words with a space between them.
fn scopes(text: &str) -> Result<Vec<Scope>, StoreError> {
    let read = text.split_whitespace().map(Scope::from_word);
    read.collect::<Option<_>>().ok_or_else(|| StoreError::decode("a scope is an unknown word"))
}

pub(crate) fn product(row: &mut Row) -> Result<Product, StoreError> {
    Ok(Product {
        id: ProductId(row.int(0)?),
        sku: row.text(1)?,
        name: row.text(2)?,
        description: row.text(3)?,
        price_cents: row.int(4)?,
        is_active: row.flag(5)?,
        archived_at_us: row.opt_int(6)?,
        low_stock_threshold: row.int(7)?,
        auto_deactivate: row.flag(8)?,
        version: row.int(9)?,
        created_at_us: row.int(10)?,
        updated_at_us: row.int(11)?,
    })
}

/// Reads a level whose columns begin at `at`.
pub(crate) fn level(row: &Row, at: usize) -> Result<StockLevel, StoreError> {
    Ok(StockLevel {
        product_id: ProductId(row.int(at)?),
        on_hand: row.int(at + 1)?,
        allocated: row.int(at + 2)?,
        version: row.int(at + 3)?,
    })
}

/// Reads an order without its items.
pub(crate) fn order(row: &mut Row) -> Result<Order, StoreError> {
    Ok(Order {
        id: OrderId(row.int(0)?),
        user_id: row.opt_int(1)?.map(UserId),
        state: word(row, 2, OrderState::from_word)?,
        payment: word(row, 3, Payment::from_word)?,
        fulfilment: word(row, 4, Fulfilment::from_word)?,
        allocate_at: word(row, 5, AllocateAt::from_word)?,
        total_amount_cents: row.int(6)?,
        total_quantity: row.int(7)?,
        version: row.int(8)?,
        placed_at_us: row.int(9)?,
        updated_at_us: row.opt_int(10)?,
        expires_at_us: row.opt_int(11)?,
        items: Vec::new(),
    })
}

/// Reads an item, whose columns begin at `at`, and the order it belongs to.
pub(crate) fn item(row: &mut Row, at: usize) -> Result<(OrderId, OrderItem), StoreError> {
    let item = OrderItem {
        id: ItemId(row.int(at + 1)?),
        product_id: ProductId(row.int(at + 2)?),
        product_name: row.text(at + 3)?,
        price_cents: row.int(at + 4)?,
        quantity: row.int(at + 5)?,
        allocated: row.int(at + 6)?,
    };
    Ok((OrderId(row.int(at)?), item))
}

/// The text that the search of products looks into.
pub(crate) fn search_text(sku: &str, name: &str) -> String {
    fold(&format!("{sku}\n{name}"))
}

/// The text that the search of users looks into.
pub(crate) fn user_search_text(username: &str, email: Option<&str>, full_name: Option<&str>) -> String {
    fold(&format!("{username}\n{}\n{}", email.unwrap_or_default(), full_name.unwrap_or_default()))
}
