//! What is asked for, and what is wanted of it.

use super::load::Paths;
use super::shop::Shop;
use crate::Failure;

/// What an answer may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// As long in the largest shop as in the smallest, or hardly longer.
    Growth,
    /// So many milliseconds, half of the time (p50), in a shop of any size.
    Milliseconds(f64),
    /// Whatever it takes: what grows with what is asked for.
    Free,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) paths: Paths,
    pub(super) limit: Limit,
    /// Whether a customer asks, and not an administrator.
    pub(super) as_customer: bool,
}

/// The totals of the whole shop, and any combination of filters.
const TOTALS: Limit = Limit::Milliseconds(5.0);
const FILTERS: Limit = Limit::Milliseconds(50.0);

const STATUSES: [&str; 6] = ["pending", "confirmed", "paid", "shipped", "delivered", "cancelled"];

/// Measurements in the making.
struct Probes(Vec<Probe>);

impl Probes {
    fn add(&mut self, name: &str, paths: Paths, limit: Limit) {
        self.0.push(Probe { name: name.to_owned(), paths, limit, as_customer: false });
    }

    fn one(&mut self, name: &str, path: impl Into<String>, limit: Limit) {
        self.add(name, Paths::One(path.into()), limit);
    }

    /// The list of orders with this filter.
    fn orders(&mut self, name: &str, filter: &str, limit: Limit) {
        self.one(&format!("orders, {name}"), format!("/api/v1/orders?limit=20&{filter}"), limit);
    }

    /// The list of products with this filter.
    fn products(&mut self, name: &str, filter: &str, limit: Limit) {
        self.one(&format!("products, {name}"), format!("/api/v1/products?limit=20&{filter}"), limit);
    }
}

/// Everything that is measured in a shop, in the same order for every shop.
pub(super) fn probes(shop: &Shop) -> Result<Vec<Probe>, Failure> {
    let mut probes = Probes(Vec::new());
    probes.one("GET /healthz (ceiling)", "/healthz", Limit::Free);
    single_rows(&mut probes, shop);
    pages_of_orders(&mut probes, shop)?;
    filters_of_orders(&mut probes, shop);
    pages_of_products(&mut probes, shop)?;
    searches(&mut probes);
    logs(&mut probes, shop)?;
    facades(&mut probes);
    Ok(probes.0)
}

fn single_rows(probes: &mut Probes, shop: &Shop) {
    let size = shop.size;
    let middle = size.orders / 2;
    probes.add("product, any", Paths::Rows("/api/v1/products/".to_owned(), size.products), Limit::Growth);
    probes.one("product, the same", format!("/api/v1/products/{}", shop.popular), Limit::Growth);
    probes.add("order, any", Paths::Rows("/api/v1/orders/".to_owned(), size.orders), Limit::Growth);
    probes.one("order, the same", format!("/api/v1/orders/{middle}"), Limit::Growth);
    probes.one("timeline of an order", format!("/api/v1/orders/{middle}/timeline"), Limit::Growth);
    probes.add("user, any", Paths::Rows("/api/v1/users/".to_owned(), size.users), Limit::Growth);
}

fn pages_of_orders(probes: &mut Probes, shop: &Shop) -> Result<(), Failure> {
    probes.orders("first page, totals of the whole shop", "", TOTALS);
    probes.orders("first page again, for growth", "", Limit::Growth);
    let half = shop.size.orders / 2;
    probes.orders("deep cursor", &shop.cursor_behind("/api/v1/orders", half)?, Limit::Growth);
    for sort in ["id", "created_at", "-created_at", "total_amount_cents", "-total_amount_cents"] {
        probes.orders(&format!("sort={sort}"), &format!("sort={sort}"), Limit::Growth);
    }
    let sort = "sort=-total_amount_cents";
    let deep = shop.cursor_behind(&format!("/api/v1/orders?{sort}"), half)?;
    probes.orders("sort=-total_amount_cents, deep cursor", &format!("{sort}&{deep}"), Limit::Growth);
    probes.orders("page=10", "page=10", Limit::Growth);
    probes.orders("offset of half the orders", &format!("offset={half}"), Limit::Free);
    Ok(())
}

fn filters_of_orders(probes: &mut Probes, shop: &Shop) {
    let Shop { popular, rare, busiest, days: [from, to], .. } = shop;
    for status in STATUSES {
        probes.orders(&format!("status={status}"), &format!("status={status}"), FILTERS);
    }
    let range = format!("start_date={from}&end_date={to}");
    for (name, filter) in [
        ("busiest user", format!("user_id={busiest}")),
        ("popular product", format!("product_id={popular}")),
        ("rare product", format!("product_id={rare}")),
        ("one day", format!("start_date={from}&end_date={from}")),
        ("a sixth of all days", range.clone()),
        ("from an hour on", format!("created_from={from}T10:30:00Z")),
        ("a sixth of all days, delivered", format!("{range}&status=delivered")),
        ("a sixth of all days, pending", format!("{range}&status=pending")),
        ("popular product, pending", format!("product_id={popular}&status=pending")),
        ("popular product, delivered", format!("product_id={popular}&status=delivered")),
        ("popular product, a sixth of all days", format!("product_id={popular}&{range}")),
        ("popular product, a sixth of all days, delivered", {
            format!("product_id={popular}&{range}&status=delivered")
        }),
        ("popular product, busiest user", format!("product_id={popular}&user_id={busiest}")),
        ("rare product, delivered", format!("product_id={rare}&status=delivered")),
        ("busiest user, delivered", format!("user_id={busiest}&status=delivered")),
        ("busiest user, a sixth of all days", format!("user_id={busiest}&{range}")),
        ("delivered, sort=-total_amount_cents", "status=delivered&sort=-total_amount_cents".to_owned()),
        ("pending, sort=-total_amount_cents", "status=pending&sort=-total_amount_cents".to_owned()),
        ("a sixth of all days, sort=total_amount_cents", format!("{range}&sort=total_amount_cents")),
        ("popular product, sort=created_at", format!("product_id={popular}&sort=created_at")),
        ("include=total", "include=total".to_owned()),
        ("include=total, delivered", "include=total&status=delivered".to_owned()),
    ] {
        probes.orders(name, &filter, FILTERS);
    }
    let all = combinations(shop);
    probes.add(
        &format!("orders, the slowest of {} combinations of filters and sorts", all.len()),
        Paths::Slowest(all),
        FILTERS,
    );
}

/// First pages and totals of everything that can be asked for together.
fn combinations(shop: &Shop) -> Vec<String> {
    let Shop { popular, rare, busiest, days: [from, to], .. } = shop;
    let statuses = ["", "&status=pending", "&status=delivered", "&status=cancelled"].map(str::to_owned);
    let users = [String::new(), format!("&user_id={busiest}")];
    let products = [String::new(), format!("&product_id={popular}"), format!("&product_id={rare}")];
    let days = [
        String::new(),
        format!("&start_date={from}&end_date={from}"),
        format!("&start_date={from}&end_date={to}"),
        format!("&created_from={from}T10:30:00Z"),
    ];
    let sorts = ["-id", "id", "-created_at", "created_at", "-total_amount_cents", "total_amount_cents"];
    let mut all = vec!["/api/v1/orders?limit=20".to_owned()];
    let sorts = sorts.map(|sort| format!("&sort={sort}"));
    for choices in [&statuses[..], &users, &products, &days, &sorts] {
        all =
            all.iter().flat_map(|path| choices.iter().map(move |choice| format!("{path}{choice}"))).collect();
    }
    all
}

fn pages_of_products(probes: &mut Probes, shop: &Shop) -> Result<(), Failure> {
    let half = shop.size.products / 2;
    probes.products("first page", "", Limit::Growth);
    probes.products("deep cursor", &shop.cursor_behind("/api/v1/products", half)?, Limit::Growth);
    for sort in
        ["name", "-name", "sku", "price_cents", "-price_cents", "available", "-available", "-created_at"]
    {
        probes.products(&format!("sort={sort}"), &format!("sort={sort}"), Limit::Growth);
    }
    let deep = shop.cursor_behind("/api/v1/products?sort=price_cents", half)?;
    probes.products("sort=price_cents, deep cursor", &format!("sort=price_cents&{deep}"), Limit::Growth);
    for (name, filter) in [
        ("active", "active=true"),
        ("inactive", "active=false"),
        ("archived", "archived=true"),
        ("low on stock", "low_stock=true"),
        ("inactive, sort=name", "active=false&sort=name"),
        ("include=total", "include=total"),
    ] {
        probes.products(name, filter, FILTERS);
    }
    probes.one("products, /low-stock", "/api/v1/products/low-stock?limit=20", FILTERS);
    Ok(())
}

fn searches(probes: &mut Probes) {
    for (name, filter) in [
        ("q of two letters", "q=ke"),
        ("q of three letters", "q=key"),
        ("q at the beginning", "q=Fjord%20key"),
        ("q in the middle", "q=eyboar"),
        ("q with accents", "q=sm%C3%B6rg%C3%A5sbord"),
        ("q without the accents", "q=smorgasbord"),
        ("q that is rare", "q=zeppelin"),
        ("q of a SKU", "q=key-woo-0000"),
        ("q that nothing has", "q=xyzzy"),
        ("q in the middle, sort=price_cents", "q=eyboar&sort=price_cents"),
        ("q in the middle, active", "q=eyboar&active=true"),
    ] {
        probes.products(name, filter, FILTERS);
    }
}

fn logs(probes: &mut Probes, shop: &Shop) -> Result<(), Failure> {
    let orders = shop.size.orders;
    probes.one("events, from the first on", "/api/v1/events?limit=100", Limit::Growth);
    probes.one(
        "events, from the middle on",
        format!("/api/v1/events?limit=100&after={}", orders * 2),
        Limit::Growth,
    );
    let movements = format!("/api/v1/products/{}/stock/movements", shop.popular);
    probes.one("movements of the popular product", format!("{movements}?limit=20"), Limit::Growth);
    let deep = shop.cursor_behind(&movements, orders / 100)?;
    probes.one("movements, deep cursor", format!("{movements}?limit=20&{deep}"), Limit::Growth);
    probes.one("users, first page", "/api/v1/users?limit=20", Limit::Growth);
    let deep = shop.cursor_behind("/api/v1/users", shop.size.users / 2)?;
    probes.one("users, deep cursor", format!("/api/v1/users?limit=20&{deep}"), Limit::Growth);
    probes.one("users, q in the middle", "/api/v1/users?limit=20&q=ndersso", FILTERS);
    Ok(())
}

fn facades(probes: &mut Probes) {
    let mini_order = "/compat/mini-order";
    probes.one("mini-order, products", format!("{mini_order}/products?page=1&limit=20"), Limit::Growth);
    probes.one("mini-order, orders", format!("{mini_order}/orders?page=1&limit=20"), TOTALS);
    probes.one(
        "mini-order, shipped orders",
        format!("{mini_order}/orders?status=shipped&page=1&limit=20"),
        FILTERS,
    );
    for (name, path) in [
        ("a customer's orders", "/api/v1/orders?limit=20"),
        ("leafcraft, a customer's orders", "/compat/leafcraft/orders/"),
    ] {
        probes.one(name, path, Limit::Free);
        if let Some(probe) = probes.0.last_mut() {
            probe.as_customer = true;
        }
    }
    // The whole table, in this contract.
    probes.one("leafcraft, all products", "/compat/leafcraft/products/", Limit::Free);
}
