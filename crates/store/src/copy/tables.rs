//! Which tables a copy carries, and how it asks for their rows.

use crate::driver::{Column, Kind, TableRows, Value};
use crate::tables::{
    INSERT_API_KEYS, INSERT_AUDIT, INSERT_EVENTS, INSERT_HOLDS, INSERT_ITEMS, INSERT_LEVELS,
    INSERT_MOVEMENTS, INSERT_ORDERS, INSERT_PRODUCT_COUNTS, INSERT_PRODUCTS, INSERT_SUMS, INSERT_USERS,
    UPSERT_ANSWERS, UPSERT_GRAMS, UPSERT_META,
};

static LOCATIONS: TableRows =
    TableRows { table: "locations", columns: &[("id", Kind::Int), ("name", Kind::Text)], key: &["id"] };
static COUNTERS: TableRows =
    TableRows { table: "counters", columns: &[("name", Kind::Text), ("next", Kind::Int)], key: &["name"] };

/// All that is carried, in an order that foreign keys allow: whoever is referred to comes first. The markers of
/// batches stay behind, for they tell of connections of the source.
///
/// The counters come last. Until then the target has none, and no writer can do without: a server that had the target
/// open when the copy began gets errors, and not a place among half of somebody else's rows.
pub(super) static TABLES: [&TableRows; 17] = [
    &LOCATIONS,
    &INSERT_USERS,
    &INSERT_API_KEYS,
    &INSERT_PRODUCTS,
    &UPSERT_GRAMS,
    &INSERT_PRODUCT_COUNTS,
    &INSERT_LEVELS,
    &INSERT_ORDERS,
    &INSERT_ITEMS,
    &INSERT_SUMS,
    &INSERT_HOLDS,
    &INSERT_MOVEMENTS,
    &INSERT_EVENTS,
    &INSERT_AUDIT,
    &UPSERT_ANSWERS,
    &UPSERT_META,
    &COUNTERS,
];

/// Whether there are rows in this table before anybody has used the shop: migrations insert them. A copy takes the
/// source's in their place.
pub(super) fn is_prefilled(table: &TableRows) -> bool {
    matches!(table.table, "locations" | "product_counts" | "meta" | "counters")
}

/// Whether the rows of this table are made of those of others, or come with some of them, so that it is empty where they
/// are. Younger than the first
/// migration, it may be missing from a database whose migration was interrupted.
pub(super) fn is_derived(table: &TableRows) -> bool {
    matches!(
        table.table,
        "api_keys" | "audit" | "order_sums" | "customer_holds" | "product_grams" | "product_counts"
    )
}

/// Rows in the order of their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// All rows.
    All,
    /// Those that agree with a given key in the first so many columns, and are greater in the next one.
    After { equal: usize },
}

impl Range {
    /// The ranges that together are all rows behind a key, in order.
    ///
    /// Each is one stretch of the primary key on every database. One condition for all of them is not: SQLite and
    /// PostgreSQL see a stretch in `(a, b) > (?, ?)` but not in `a > ? OR a = ? AND b > ?`, and MySQL the other way
    /// round.
    pub(super) fn behind(key: &[Value]) -> impl Iterator<Item = Self> {
        let all = key.is_empty().then_some(Self::All);
        all.into_iter().chain((0..key.len()).rev().map(|equal| Self::After { equal }))
    }

    /// The parameters that [`select`] wants for this range, the limit among them.
    pub(super) fn params(self, key: &[Value], limit: i64) -> Vec<Value> {
        let compared = match self {
            Self::All => &[],
            Self::After { equal } => key.get(..=equal).unwrap_or(key),
        };
        compared.iter().cloned().chain([limit.into()]).collect()
    }
}

/// `SELECT {what} FROM table t WHERE … ORDER BY key LIMIT ?`
pub(super) fn select(table: &TableRows, what: &str, range: Range) -> String {
    let condition = match range {
        Range::All => String::new(),
        Range::After { equal } => {
            let part = |(at, name): (usize, &&str)| {
                let sign = if at < equal { "=" } else { ">" };
                format!("t.{name} {sign} ?")
            };
            let parts: Vec<_> = table.key.iter().take(equal + 1).enumerate().map(part).collect();
            format!(" WHERE {}", parts.join(" AND "))
        }
    };
    format!("SELECT {what} FROM {} t{condition} ORDER BY {} LIMIT ?", table.table, listed(table.key))
}

/// `t.a, t.b`
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("t.{name}")).collect::<Vec<_>>().join(", ")
}

/// All columns of the rows.
pub(super) fn columns(table: &TableRows) -> String {
    listed(&table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

/// Taken off what [`size`] answers. A number beyond 32 bits, so that PostgreSQL answers with one of 64, like all others
/// that are read.
pub(super) const SIZE_BASE: i64 = 1 << 32;

/// How many bytes the texts of a row have, above [`SIZE_BASE`]. SQLite and PostgreSQL read no long text for that.
pub(super) fn size(table: &TableRows) -> String {
    let texts = table.columns.iter().filter(|(_, kind)| *kind == Kind::Text);
    let lengths: String = texts.map(|(name, _)| format!(" + COALESCE(OCTET_LENGTH(t.{name}), 0)")).collect();
    format!("{SIZE_BASE}{lengths}")
}

/// Where the columns of the key stand among the columns.
pub(super) fn key_positions(table: &TableRows) -> impl Iterator<Item = usize> {
    let position = |name: &&str| table.columns.iter().position(|(column, _): &Column| column == name);
    table.key.iter().filter_map(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn every_table_and_column_of_the_schema_is_carried() {
        let planner = Planner::new().await;
        let of_schema = planner
            .names(
                "SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' \
                 AND m.name NOT IN ('schema_migrations', 'batches')",
            )
            .await;
        assert_eq!(TABLES.iter().map(|table| table.table.to_owned()).collect::<BTreeSet<_>>(), of_schema);
        for table in TABLES {
            let columns = table.columns.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
            let name = table.table;
            // What is computed (hidden: 2) is not carried: the target computes it, too.
            let wanted = format!("SELECT c.name FROM pragma_table_xinfo('{name}') c WHERE c.hidden <> 2");
            assert_eq!(columns, planner.names(&wanted).await, "{name}");
            let wanted = format!("SELECT c.name FROM pragma_table_info('{name}') c WHERE c.pk > 0");
            assert_eq!(
                table.key.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
                planner.names(&wanted).await
            );
            assert_eq!(key_positions(table).count(), table.key.len(), "{name}");
        }
    }

    #[tokio::test]
    async fn portions_are_found_by_key_and_in_its_order() {
        let planner = Planner::new().await;
        for table in TABLES {
            let key = vec![Value::Int(0); table.key.len()];
            for range in Range::behind(&key) {
                for what in [columns(table), size(table)] {
                    planner.check(&select(table, &what, range), &["SEARCH t USING "]).await;
                }
            }
            // From the start it walks, but along the key.
            let plan = planner.plan(&select(table, &columns(table), Range::All)).await;
            assert_eq!(plan.len(), 1, "{plan:?}");
        }
    }

    #[test]
    fn all_that_lies_behind_a_key_is_asked_for_stretch_by_stretch() {
        let of = |key: &[Value]| -> Vec<_> {
            Range::behind(key)
                .map(|range| (select(&INSERT_ITEMS, "t.id", range), range.params(key, 9)))
                .collect()
        };
        let order = " ORDER BY t.order_id, t.id LIMIT ?";
        assert_eq!(of(&[]), [(format!("SELECT t.id FROM order_items t{order}"), vec![9.into()])]);
        assert_eq!(
            of(&[4.into(), 7.into()]),
            [
                (
                    format!("SELECT t.id FROM order_items t WHERE t.order_id = ? AND t.id > ?{order}"),
                    vec![4.into(), 7.into(), 9.into()]
                ),
                (
                    format!("SELECT t.id FROM order_items t WHERE t.order_id > ?{order}"),
                    vec![4.into(), 9.into()]
                ),
            ]
        );
        assert_eq!(size(&INSERT_ITEMS), "4294967296 + COALESCE(OCTET_LENGTH(t.product_name), 0)");
    }
}
