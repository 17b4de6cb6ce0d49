//! The tables as the writer sees them: which columns it inserts, which it updates, and by which keys.

use crate::driver::{AddRows, Column, DeleteRows, Kind, TableRows, UpdateRows};

const fn int(name: &'static str) -> Column {
    (name, Kind::Int)
}

const fn text(name: &'static str) -> Column {
    (name, Kind::Text)
}

/// The id first: it is the key, and all others change with an update.
const USERS: &[Column] = &[
    int("id"),
    text("username"),
    text("username_key"),
    text("email"),
    text("full_name"),
    text("search_text"),
    text("role"),
    text("password_hash"),
    int("token_generation"),
    int("is_active"),
    int("version"),
    int("created_at_us"),
    int("updated_at_us"),
];
pub(crate) static INSERT_USERS: TableRows = TableRows { table: "users", columns: USERS, key: &["id"] };
pub(crate) static UPDATE_USERS: UpdateRows =
    UpdateRows { table: "users", key: USERS.split_at(1).0, set: USERS.split_at(1).1 };
/// The id first: it is the key, and all others change with an update.
const PRODUCTS: &[Column] = &[
    int("id"),
    text("sku"),
    text("name"),
    text("description"),
    text("search_text"),
    int("price_cents"),
    int("is_active"),
    int("archived_at_us"),
    int("low_stock_threshold"),
    int("auto_deactivate"),
    int("version"),
    int("created_at_us"),
    int("updated_at_us"),
];
pub(crate) static INSERT_PRODUCTS: TableRows =
    TableRows { table: "products", columns: PRODUCTS, key: &["id"] };
pub(crate) static UPDATE_PRODUCTS: UpdateRows =
    UpdateRows { table: "products", key: PRODUCTS.split_at(1).0, set: PRODUCTS.split_at(1).1 };
pub(crate) static DELETE_PRODUCTS: DeleteRows = DeleteRows { table: "products", key: &[int("id")] };
/// Older rows get their folded text from [`crate::refold`].
pub(crate) static UPDATE_PRODUCT_SEARCH: UpdateRows =
    UpdateRows { table: "products", key: &[int("id")], set: &[text("search_text")] };
pub(crate) static UPDATE_USER_SEARCH: UpdateRows =
    UpdateRows { table: "users", key: &[int("id")], set: &[text("search_text")] };
pub(crate) static UPSERT_GRAMS: TableRows = TableRows {
    table: "product_grams",
    columns: &[text("gram"), int("product_id")],
    key: &["gram", "product_id"],
};
pub(crate) static DELETE_GRAMS: DeleteRows =
    DeleteRows { table: "product_grams", key: &[text("gram"), int("product_id")] };
pub(crate) static INSERT_PRODUCT_COUNTS: TableRows =
    TableRows { table: "product_counts", columns: &[int("shelf"), int("products")], key: &["shelf"] };
pub(crate) static ADD_PRODUCT_COUNTS: AddRows =
    AddRows { rows: &INSERT_PRODUCT_COUNTS, least: &[], greatest: &[], count: "products" };
pub(crate) static INSERT_LEVELS: TableRows = TableRows {
    table: "stock_levels",
    columns: &[int("product_id"), int("location_id"), int("on_hand"), int("allocated"), int("version")],
    key: &["product_id", "location_id"],
};
pub(crate) static UPDATE_LEVELS: UpdateRows = UpdateRows {
    table: "stock_levels",
    key: &[int("product_id"), int("location_id")],
    set: &[int("on_hand"), int("allocated"), int("version")],
};
pub(crate) static DELETE_LEVELS: DeleteRows =
    DeleteRows { table: "stock_levels", key: &[int("product_id"), int("location_id")] };
pub(crate) static INSERT_ORDERS: TableRows = TableRows {
    table: "orders",
    columns: &[
        int("id"),
        int("user_id"),
        text("state"),
        text("payment"),
        text("fulfilment"),
        text("allocate_at"),
        int("total_amount_cents"),
        int("total_quantity"),
        int("version"),
        int("placed_at_us"),
        int("updated_at_us"),
        int("expires_at_us"),
    ],
    key: &["id"],
};
pub(crate) static UPDATE_ORDERS: UpdateRows = UpdateRows {
    table: "orders",
    key: &[int("id")],
    set: &[
        text("state"),
        text("payment"),
        text("fulfilment"),
        int("version"),
        int("updated_at_us"),
        int("expires_at_us"),
    ],
};
pub(crate) static INSERT_ITEMS: TableRows = TableRows {
    table: "order_items",
    columns: &[
        int("order_id"),
        int("id"),
        int("product_id"),
        text("product_name"),
        int("price_cents"),
        int("quantity"),
        int("allocated"),
    ],
    key: &["order_id", "id"],
};
pub(crate) static UPDATE_ITEMS: UpdateRows =
    UpdateRows { table: "order_items", key: &[int("order_id"), int("id")], set: &[int("allocated")] };
pub(crate) static INSERT_SUMS: TableRows = TableRows {
    table: "order_sums",
    columns: &[
        int("product_id"),
        int("day"),
        text("status"),
        int("orders"),
        int("amount_high"),
        int("amount_low"),
        int("quantity_high"),
        int("quantity_low"),
        int("first_id"),
        int("last_id"),
    ],
    key: &["product_id", "day", "status"],
};
pub(crate) static ADD_SUMS: AddRows =
    AddRows { rows: &INSERT_SUMS, least: &["first_id"], greatest: &["last_id"], count: "orders" };
pub(crate) static INSERT_HOLDS: TableRows = TableRows {
    table: "customer_holds",
    columns: &[int("user_id"), int("orders"), int("units")],
    key: &["user_id"],
};
pub(crate) static ADD_HOLDS: AddRows =
    AddRows { rows: &INSERT_HOLDS, least: &[], greatest: &[], count: "orders" };
pub(crate) static INSERT_MOVEMENTS: TableRows = TableRows {
    table: "stock_movements",
    columns: &[
        int("product_id"),
        int("id"),
        int("location_id"),
        text("kind"),
        int("on_hand_delta"),
        int("allocated_delta"),
        int("on_hand_after"),
        int("allocated_after"),
        int("order_id"),
        int("actor_id"),
        text("reason"),
        text("note"),
        text("request_id"),
        int("at_us"),
    ],
    key: &["product_id", "id"],
};
pub(crate) static INSERT_EVENTS: TableRows = TableRows {
    table: "events",
    columns: &[
        int("id"),
        text("kind"),
        int("order_id"),
        int("product_id"),
        int("user_id"),
        text("payload"),
        int("actor_id"),
        text("request_id"),
        int("at_us"),
    ],
    key: &["id"],
};
/// The id first: it is the key, and all others change with an update.
const API_KEYS: &[Column] = &[
    int("id"),
    text("name"),
    text("digest"),
    int("digest_head"),
    text("role"),
    text("scopes"),
    int("maker_id"),
    int("created_at_us"),
    int("expires_at_us"),
    int("revoked_at_us"),
    int("last_used_at_us"),
];
pub(crate) static INSERT_API_KEYS: TableRows =
    TableRows { table: "api_keys", columns: API_KEYS, key: &["id"] };
pub(crate) static UPDATE_API_KEYS: UpdateRows =
    UpdateRows { table: "api_keys", key: API_KEYS.split_at(1).0, set: &[int("revoked_at_us")] };
pub(crate) static UPDATE_API_KEY_USE: UpdateRows =
    UpdateRows { table: "api_keys", key: API_KEYS.split_at(1).0, set: &[int("last_used_at_us")] };
pub(crate) static INSERT_AUDIT: TableRows = TableRows {
    table: "audit",
    columns: &[
        int("id"),
        int("at_us"),
        text("action"),
        text("kind"),
        int("thing_id"),
        int("actor_id"),
        int("key_id"),
        text("role"),
        text("was"),
        text("became"),
        text("request_id"),
        text("source"),
    ],
    key: &["id"],
};
pub(crate) static UPSERT_META: TableRows =
    TableRows { table: "meta", columns: &[text("name"), text("value")], key: &["name"] };
pub(crate) static UPDATE_COUNTERS: UpdateRows =
    UpdateRows { table: "counters", key: &[text("name")], set: &[int("next")] };
pub(crate) static UPSERT_BATCHES: TableRows = TableRows {
    table: "batches",
    columns: &[int("id"), int("sequence"), int("committed_at_us")],
    key: &["id"],
};
pub(crate) static UPSERT_ANSWERS: TableRows = TableRows {
    table: "idempotency_keys",
    columns: &[
        int("principal"),
        text("idem_key"),
        text("fingerprint"),
        int("status"),
        text("answer"),
        int("created_at_us"),
    ],
    key: &["principal", "idem_key"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn rows_are_updated_by_primary_key() {
        let planner = Planner::new().await;
        for (rows, lookup) in [
            (&UPDATE_USERS, "SEARCH users USING INTEGER PRIMARY KEY"),
            (&UPDATE_PRODUCTS, "SEARCH products USING INTEGER PRIMARY KEY"),
            (&UPDATE_LEVELS, "SEARCH stock_levels USING PRIMARY KEY (product_id=? AND location_id=?)"),
            (&UPDATE_ORDERS, "SEARCH orders USING INTEGER PRIMARY KEY"),
            (&UPDATE_ITEMS, "SEARCH order_items USING PRIMARY KEY (order_id=? AND id=?)"),
            (&UPDATE_API_KEYS, "SEARCH api_keys USING INTEGER PRIMARY KEY"),
            (&UPDATE_API_KEY_USE, "SEARCH api_keys USING INTEGER PRIMARY KEY"),
            (&UPDATE_COUNTERS, "SEARCH counters USING PRIMARY KEY (name=?)"),
        ] {
            planner.check(&update_sql(rows), &[lookup]).await;
        }
    }

    /// The statement as the driver writes it for SQLite and PostgreSQL.
    fn update_sql(rows: &UpdateRows) -> String {
        let word = |kind: Kind| if kind == Kind::Int { "int" } else { "text" };
        let join = |columns: &[Column], separator: &str, frame: &dyn Fn(&Column) -> String| {
            columns.iter().map(frame).collect::<Vec<_>>().join(separator)
        };
        let table = rows.table;
        let columns: Vec<_> = rows.key.iter().chain(rows.set).copied().collect();
        format!(
            "UPDATE {table} SET {} FROM {{rows:{}}} r WHERE {}",
            join(rows.set, ", ", &|(name, _)| format!("{name} = r.{name}")),
            join(&columns, ", ", &|(name, kind)| format!("{name} {}", word(*kind))),
            join(rows.key, " AND ", &|(name, _)| format!("{table}.{name} = r.{name}")),
        )
    }
}
