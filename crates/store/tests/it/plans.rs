//! How the databases go about what the lists really ask, in a shop that is large enough for it to matter and whose
//! statistics are fresh (SQLite keeps none): nothing looks at all orders, items, ledger lines or events.

use crate::place::run;
use crate::queries::{OrderFilters, order_queries, product_queries};
use crate::random_shop::{DAY, Random};
use crate::shop::{Batch, Shop, act, new_order, new_product, new_user};
use domain::{
    Action, Actor, ApiKeyId, CreateProduct, CreateUser, OrderId, ProductId, Role, Status, UpdateProduct,
    UserId,
};
use std::collections::BTreeSet;
use store::driver::{Dialect, Overheard, Value};
use store::{AuditQuery, OrderQuery, OrderSort, Page, Scope, SortValue, Start, Store, UserQuery};

const PRODUCTS: i64 = 1_500;
const USERS: i64 = 250;
/// With half as many, PostgreSQL would rightly read all items for those of a page.
const ORDERS: i64 = 20_000;
const ORDERS_A_DAY: i64 = 50;
/// Everybody wants it.
const POPULAR: ProductId = ProductId(1);
/// Hardly anybody does.
const RARE: ProductId = ProductId(PRODUCTS);
/// Has more orders than are looked at without a plan.
const REGULAR: UserId = UserId(2);
const OCCASIONAL: UserId = UserId(77);
/// Tables that grow with every order, and what the statements call them.
const LARGE: [(&str, &[&str]); 5] = [
    ("orders", &["o"]),
    ("order_items", &["i", "f"]),
    ("stock_movements", &["m"]),
    ("events", &["e"]),
    ("audit", &["a"]),
];

struct LargeShop {
    shop: Shop,
    store: Store,
    overheard: Overheard,
}

impl LargeShop {
    async fn new() -> Self {
        let shop = Shop::new().await;
        fill_catalogue(&shop).await;
        let mut random = Random::new(0x1a26e);
        fill_audit(&shop).await;
        let mut first = 0;
        while first < ORDERS {
            fill_orders(&shop, &mut random, first..(first + 1_000).min(ORDERS)).await;
            first += 1_000;
        }
        assert_eq!(shop.ints("SELECT MAX(o.id) FROM orders o").await, [ORDERS]);
        refresh_statistics(&shop).await;
        let (database, overheard) = shop.database.overhear();
        Self { store: Store::new(database), shop, overheard }
    }

    /// What the database says about a query, one line per step.
    async fn plan(&self, sql: &str, params: &[Value]) -> Vec<Step> {
        let dialect = self.shop.database.dialect();
        let explain = if dialect == Dialect::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
        let mut reader = self.shop.database.reader().await.unwrap();
        let rows = reader.query_dynamic_long(&format!("{explain} {sql}"), params).await.unwrap();
        let rows: Vec<_> = rows.iter().map(|row| row.values().to_vec()).collect();
        match dialect {
            Dialect::Sqlite => sqlite_steps(&rows),
            Dialect::Postgres => postgres_steps(&rows),
            Dialect::MySql => mysql_steps(&rows),
        }
    }

    /// Demands that nothing that was asked looks at all of a large table; tells how many queries that were new.
    async fn check(&self, seen: &mut BTreeSet<String>, what: &str) -> usize {
        let mut checked = 0;
        for (sql, params) in self.overheard.take() {
            if !seen.insert(format!("{sql} {params:?}")) {
                continue;
            }
            let steps = self.plan(&sql, &params).await;
            let fault = fault(&steps, sql.contains(" LIMIT ?"));
            assert!(fault.is_none(), "{what}\n{sql}\n{params:?}\n{}\n{steps:#?}", fault.unwrap_or_default());
            checked += 1;
        }
        checked
    }
}

/// What a plan says of a table, or that rows are sorted.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Every row of a large table, as they lie there.
    All(String),
    /// Every row, along an index.
    Walk(String),
    Sort(String),
    Other(String),
}

/// Why a plan is a bad one. To walk along an index is well as long as it is the order of the page, which ends the walk.
fn fault(steps: &[Step], is_cut: bool) -> Option<String> {
    let is_sorted = steps.iter().any(|step| matches!(step, Step::Sort(_)));
    steps.iter().find_map(|step| match step {
        Step::All(line) => Some(line.clone()),
        Step::Walk(line) if is_sorted || !is_cut => Some(line.clone()),
        _ => None,
    })
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(value)) => value.to_string(),
        Some(Value::Null) | None => String::new(),
    }
}

/// Whether this is what statements call a large table.
fn is_large(alias: &str) -> bool {
    LARGE.iter().any(|(_, aliases)| aliases.contains(&alias))
}

fn sqlite_steps(rows: &[Vec<Value>]) -> Vec<Step> {
    let step = |row: &Vec<Value>| {
        let line = text(row.get(3));
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            // The table itself lies in the order of the ids, and is walked along like an index.
            (Some("SCAN"), Some(alias)) if is_large(alias) => Step::Walk(line),
            (Some("USE"), Some("TEMP")) => Step::Sort(line),
            _ => Step::Other(line),
        }
    };
    rows.iter().map(step).collect()
}

fn postgres_steps(rows: &[Vec<Value>]) -> Vec<Step> {
    let lines: Vec<_> = rows.iter().map(|row| text(row.first())).collect();
    let step = |(at, line): (usize, &String)| {
        let node = line.trim_start().trim_start_matches("->").trim_start();
        // The condition of an index, if there is one, comes right behind its node.
        let has_condition = lines.get(at + 1).is_some_and(|next| next.trim_start().starts_with("Index Cond"));
        let on_large = LARGE.iter().any(|(table, aliases)| {
            aliases.iter().any(|alias| node.contains(&format!(" on {table} {alias} ")))
        });
        if on_large && node.contains("Seq Scan") {
            Step::All(line.clone())
        } else if on_large && node.starts_with("Index") && !has_condition {
            Step::Walk(line.clone())
        } else if node.starts_with("Sort  ") {
            Step::Sort(line.clone())
        } else {
            Step::Other(line.clone())
        }
    };
    lines.iter().enumerate().map(step).collect()
}

/// Columns: id, `select_type`, table, type, possible keys, key, length, ref, rows, extra. MySQL has one more for partitions,
/// and one for the share of the rows.
fn mysql_steps(rows: &[Vec<Value>]) -> Vec<Step> {
    let mut steps = Vec::new();
    for row in rows {
        let words: Vec<_> = row.iter().map(|value| text(Some(value))).collect();
        let line = words.join(" | ");
        if line.contains("Using filesort") || line.contains("Using temporary") {
            steps.push(Step::Sort(line.clone()));
        }
        let is_of = |kind: &str| words.iter().skip(3).take(2).any(|word| word == kind);
        let on_large = words.get(2).is_some_and(|alias| is_large(alias));
        steps.push(match on_large {
            true if is_of("ALL") => Step::All(line),
            true if is_of("index") => Step::Walk(line),
            _ => Step::Other(line),
        });
    }
    steps
}

async fn fill_catalogue(shop: &Shop) {
    let mut batch = Batch::default();
    for index in 1..=USERS {
        let role = if index == 1 { Role::Admin } else { Role::Customer };
        batch.add(shop.context(), CreateUser { role: Some(role), ..new_user(&format!("user{index}")) });
    }
    for index in 1..=PRODUCTS {
        let product = CreateProduct {
            price_cents: 100 + index * 7919 % 5_000,
            is_active: index % 20 != 3,
            low_stock_threshold: if index % 10 == 7 { 2_000_000 } else { 5 },
            ..new_product(&format!("A{index}"), 1_000_000)
        };
        batch.add(shop.context(), product);
    }
    shop.decide(batch).await;
}

/// Lines of the audit log: many by some, few by others, of a hundred products.
async fn fill_audit(shop: &Shop) {
    for round in 0..6 {
        let mut batch = Batch::default();
        for index in 0..1_000 {
            let user_id = UserId(if index % 100 == 0 { 3 } else { 1 });
            let actor = Actor { user_id: Some(user_id), role: Role::Admin, key: None };
            let product_id = ProductId(1 + index % 100);
            let price_cents = Some(1_000 * (1 + round) + index);
            let change = UpdateProduct { price_cents, ..UpdateProduct::nothing(product_id) };
            batch.add(shop.context_from(actor, "192.0.2.1"), change);
        }
        shop.decide(batch).await;
    }
}

/// What the audit log is asked for: every filter, and ranges of time with each.
async fn check_audit(large: &LargeShop) {
    let bounds = large.shop.ints("SELECT MIN(a.at_us) FROM audit a").await[0];
    let after = Start::After { value: SortValue::Int(bounds + 3_000), id: 3_000 };
    for start in [Start::Offset(0), after] {
        let all = AuditQuery::all(Page { limit: 20, start });
        for query in [
            all.clone(),
            AuditQuery { actor_id: Some(UserId(1)), ..all.clone() },
            AuditQuery { actor_id: Some(UserId(3)), ..all.clone() },
            AuditQuery { key_id: Some(ApiKeyId(1)), ..all.clone() },
            AuditQuery { action: Some("product.update".to_owned()), ..all.clone() },
            AuditQuery { action: Some("order.place".to_owned()), ..all.clone() },
            AuditQuery { thing: Some(("product".to_owned(), 7)), ..all },
        ] {
            large.store.audit(&query).await.unwrap();
            let (from_us, before_us) = (Some(bounds + 100), Some(bounds + 2_000));
            large.store.audit(&AuditQuery { from_us, before_us, ..query }).await.unwrap();
        }
    }
}

/// Orders by time of placement: most of them delivered, the latest still on their way.
async fn fill_orders(shop: &Shop, random: &mut Random, numbers: std::ops::Range<i64>) {
    let mut batch = Batch::default();
    let mut tickets = Vec::new();
    for number in numbers {
        let owner = match number % 7 {
            0 => Some(REGULAR),
            1 => None,
            _ => Some(UserId(3 + random.below(USERS - 2))),
        };
        let mut lines: BTreeSet<_> = (0..4).map(|_| 2 + random.below(PRODUCTS - 2)).collect();
        if random.chance(20) {
            lines.insert(POPULAR.0);
        }
        if number % 2_500 == 17 {
            lines.insert(RARE.0);
        }
        // Those that are inactive take no orders.
        lines.retain(|id| id % 20 != 3);
        if lines.is_empty() {
            lines.insert(2);
        }
        let lines: Vec<_> = lines.into_iter().map(|id| (ProductId(id), 1 + random.below(4))).collect();
        let mut context = shop.context();
        context.now_us = number * (DAY / ORDERS_A_DAY);
        tickets.push(batch.add(context.clone(), new_order(owner, &lines)));
        use Action::{Cancel, Confirm, Deliver, Pay, Ship};
        let steps: &[Action] = match (ORDERS - number, number % 50) {
            (_, 0) => &[Cancel],
            (..=100, _) => &[],
            (..=200, _) => &[Confirm],
            (..=300, _) => &[Pay],
            (..=400, _) => &[Pay, Ship],
            _ => &[Pay, Ship, Deliver],
        };
        for action in steps {
            batch.add(context.clone(), act(OrderId(number + 1), *action));
        }
    }
    shop.decide(batch).await;
    for ticket in tickets {
        ticket.get().unwrap();
    }
}

/// As the databases do by themselves, only later.
async fn refresh_statistics(shop: &Shop) {
    match shop.database.dialect() {
        Dialect::Sqlite => {}
        Dialect::Postgres => run(shop.place.url(), &["ANALYZE"]).await,
        Dialect::MySql => {
            let mut transaction = shop.database.begin().await.unwrap();
            let tables = "orders, order_items, order_sums, stock_movements, events, products, stock_levels, users, \
                 product_grams, product_counts, customer_holds, audit";
            transaction.query_dynamic(&format!("ANALYZE TABLE {tables}"), &[]).await.unwrap();
        }
    }
}

/// The first page, and one in the middle.
fn pages(query: OrderQuery) -> [OrderQuery; 2] {
    let value = match query.sort {
        OrderSort::Id => ORDERS / 2,
        OrderSort::PlacedAt => ORDERS / 2 * (DAY / ORDERS_A_DAY),
        OrderSort::TotalAmount => 10_000,
    };
    let start = Start::After { value: SortValue::Int(value), id: ORDERS / 2 };
    let page = Page { limit: query.page.limit, start };
    [OrderQuery { page, ..query.clone() }, query]
}

#[tokio::test]
async fn no_list_looks_at_a_large_table_in_full() {
    let large = LargeShop::new().await;
    check_orders(&large).await;
    check_the_others(&large).await;
    a_bad_plan_is_told(&large).await;
}

async fn check_orders(large: &LargeShop) {
    let (days, mut seen, mut checked) = (ORDERS / ORDERS_A_DAY, BTreeSet::new(), 0);
    let owners = [
        (Scope::All, None),
        (Scope::All, Some(REGULAR)),
        (Scope::Of(Some(OCCASIONAL)), None),
        (Scope::Of(None), None),
    ];
    let filters = OrderFilters {
        owners: &owners,
        statuses: &[None, Some(Status::Delivered), Some(Status::Cancelled), Some(Status::Pending)],
        products: &[None, Some(POPULAR), Some(RARE)],
        ranges: &[
            (None, None),
            (Some((days - 7) * DAY + 5), None),
            (Some(DAY * days / 4), Some(DAY * days * 3 / 4 + 5)),
            (Some(days / 2 * DAY + 5), Some(days / 2 * DAY + DAY / 2)),
        ],
    };
    for query in order_queries(&filters, 20).into_iter().filter(|query| query.descending).flat_map(pages) {
        let found = large.store.orders(&query).await.unwrap();
        assert!(found.listing.rows.len() <= 20);
        large.store.order_rows(&query).await.unwrap();
        checked += large.check(&mut seen, &format!("{query:?}")).await;
    }
    assert!(checked > 1_000, "{checked}");
}

/// The same rule finds what looks at all rows: for the sake of a sort that no index has, or of a sum.
async fn a_bad_plan_is_told(large: &LargeShop) {
    for (sql, is_cut) in [
        ("SELECT o.id FROM orders o WHERE o.version = 99", false),
        ("SELECT o.id FROM orders o ORDER BY o.updated_at_us, o.id LIMIT ?", true),
        ("SELECT SUM(i.quantity) FROM order_items i", false),
        ("SELECT COUNT(*) FROM events e WHERE e.payload <> ''", false),
        ("SELECT SUM(m.on_hand_after) FROM stock_movements m", false),
        ("SELECT COUNT(*) FROM audit a WHERE a.source <> ''", false),
    ] {
        let params: &[Value] = if is_cut { &[Value::Int(20)] } else { &[] };
        let steps = large.plan(sql, params).await;
        assert!(fault(&steps, is_cut).is_some(), "{sql}\n{steps:#?}");
    }
}

async fn check_the_others(large: &LargeShop) {
    let (mut seen, mut checked) = (BTreeSet::new(), 0);
    for query in product_queries(&["", "am", "name", "A17", "nowhere"], 20) {
        large.store.counted_products(&query).await.unwrap();
        checked += large.check(&mut seen, &format!("{query:?}")).await;
    }
    for start in [Start::Offset(0), Start::After { value: SortValue::Int(20_000), id: 20_000 }] {
        let page = Page { limit: 20, start };
        for product in [POPULAR, RARE] {
            large.store.movements(product, &page).await.unwrap();
        }
        let query = UserQuery { text: Some("user".to_owned()), role: None, active: None, page };
        large.store.users(&query).await.unwrap();
    }
    check_audit(large).await;
    for after in [0, ORDERS, 3 * ORDERS] {
        large.store.events(after, 1_000).await.unwrap();
        large.store.changes(Some(after)).await.unwrap();
    }
    let last = large.store.changes(None).await.unwrap().last;
    large.store.changes(Some(last - 500)).await.unwrap();
    for limit in [1, 100] {
        large.store.expired_orders(i64::MAX, limit).await.unwrap();
    }
    for after in [0, ORDERS / 2, 3 * ORDERS] {
        large.store.pending_orders(OrderId(after), 1_000).await.unwrap();
    }
    large.store.order(OrderId(ORDERS / 2)).await.unwrap().unwrap();
    large.store.timeline(OrderId(ORDERS / 2)).await.unwrap();
    checked += large.check(&mut seen, "the ledger, events, users and single orders").await;
    assert!(checked > 100, "{checked}");
}
