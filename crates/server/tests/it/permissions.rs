//! Who may do what: one table, with a row for every operation of the document.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Value, json};

use crate::document::{Document, Operation};
use crate::harness::{Caller, TestApp};

/// Operations without a row. May only become fewer, and there are none.
const KNOWN_GAPS: [&str; 0] = [];

/// What a stranger, a customer, staff and an administrator get.
type Statuses = [u16; 4];

#[derive(Clone, Copy)]
struct Row {
    operation: &'static str,
    /// What the path names, if anything. `own` is the customer's, `other` is somebody else's.
    of: Of,
    /// What the administrator does to the order before.
    before: &'static [&'static str],
    /// The body; `$own`, `$other` and `$product` stand for the ids of these users and a product, `$new` for a name
    /// that nobody has.
    body: &'static str,
    /// What follows the path.
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    statuses: Statuses,
}

#[derive(Clone, Copy)]
enum Of {
    Nothing,
    Product,
    ArchivedProduct,
    OwnOrder,
    OtherOrder,
    OwnUser,
    OtherUser,
    ApiKey,
}

const fn row(operation: &'static str, of: Of, body: &'static str, statuses: Statuses) -> Row {
    Row { operation, of, before: &[], body, query: "", headers: &[], statuses }
}

const fn after(before: &'static [&'static str], row: Row) -> Row {
    Row { before, ..row }
}

const FROM_AFAR: &[(&str, &str)] = &[("x-forwarded-for", "192.0.2.1")];
const REGISTER: &str = r#"{"username": "$new", "password": "long enough"}"#;
const HIRE: &str = r#"{"username": "$new", "password": "long enough", "role": "staff"}"#;
const ORDER: &str = r#"{"items": [{"product_id": $product, "quantity": 1}]}"#;
const ORDER_FOR_OWN: &str = r#"{"user_id": $own, "items": [{"product_id": $product, "quantity": 1}]}"#;
const ORDER_FOR_OTHER: &str = r#"{"user_id": $other, "items": [{"product_id": $product, "quantity": 1}]}"#;
const ORDER_PAID: &str = r#"{"status": "paid", "items": [{"product_id": $product, "quantity": 1}]}"#;
const ORDER_LATER: &str =
    r#"{"allocate_at": "confirmation", "items": [{"product_id": $product, "quantity": 1}]}"#;
const KEY: &str = r#"{"name": "till", "role": "staff", "scopes": ["read"]}"#;
const ADJUST: &str = r#"{"lines": [{"change": "increment", "product_id": $product, "quantity": 1}]}"#;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //                                                                    stranger customer staff admin
    row("register", Of::Nothing, REGISTER,                                        [201, 201, 201, 201]),
    row("register", Of::Nothing, HIRE,                                            [403, 403, 403, 201]),
    row("login", Of::Nothing, r#"{"username": "admin", "password": "wrong"}"#,    [401, 401, 401, 401]),
    row("refresh", Of::Nothing, r#"{"refresh_token": "x"}"#,                      [401, 401, 401, 401]),
    row("me", Of::Nothing, "",                                                    [401, 200, 200, 200]),
    row("logout_everywhere", Of::Nothing, "",                                     [401, 204, 204, 204]),
    row("change_password", Of::Nothing,
        r#"{"current_password": "wrong", "new_password": "long enough"}"#,        [401, 401, 401, 401]),
    row("list_products", Of::Nothing, "",                                         [401, 200, 200, 200]),
    Row { query: "?archived=true", ..row("list_products", Of::Nothing, "",        [401, 403, 200, 200]) },
    row("create_product", Of::Nothing, r#"{"name": "Tea", "price_cents": 1}"#,    [401, 403, 201, 201]),
    row("list_low_stock", Of::Nothing, "",                                        [401, 403, 200, 200]),
    row("get_product", Of::Product, "",                                           [401, 200, 200, 200]),
    row("get_product", Of::ArchivedProduct, "",                                   [401, 404, 200, 200]),
    row("update_product", Of::Product, r#"{"name": "Cup"}"#,                      [401, 403, 200, 200]),
    row("delete_product", Of::Product, "",                                        [401, 403, 204, 204]),
    row("toggle_product_active", Of::Product, "",                                 [401, 403, 200, 200]),
    row("restore_product", Of::ArchivedProduct, "",                               [401, 403, 200, 200]),
    row("increment_stock", Of::Product, r#"{"quantity": 1}"#,                     [401, 403, 200, 200]),
    row("decrement_stock", Of::Product, r#"{"quantity": 1}"#,                     [401, 403, 200, 200]),
    row("set_stock", Of::Product, r#"{"on_hand": 50}"#,                           [401, 403, 200, 200]),
    row("list_stock_movements", Of::Product, "",                                  [401, 403, 200, 200]),
    row("adjust_stock", Of::Nothing, ADJUST,                                      [401, 403, 200, 200]),
    row("list_orders", Of::Nothing, "",                                           [401, 200, 200, 200]),
    row("place_order", Of::Nothing, ORDER,                                        [401, 201, 201, 201]),
    row("place_order", Of::Nothing, ORDER_FOR_OWN,                                [401, 201, 201, 201]),
    row("place_order", Of::Nothing, ORDER_FOR_OTHER,                              [401, 403, 201, 201]),
    row("place_order", Of::Nothing, ORDER_PAID,                                   [401, 403, 201, 201]),
    row("place_order", Of::Nothing, ORDER_LATER,                                  [401, 403, 201, 201]),
    row("get_order", Of::OwnOrder, "",                                            [401, 200, 200, 200]),
    row("get_order", Of::OtherOrder, "",                                          [401, 404, 200, 200]),
    row("change_order", Of::OwnOrder, r#"{"status": "cancelled"}"#,               [401, 200, 200, 200]),
    row("change_order", Of::OtherOrder, r#"{"status": "cancelled"}"#,             [401, 404, 200, 200]),
    row("change_order", Of::OwnOrder, r#"{"status": "paid"}"#,                    [401, 403, 200, 200]),
    row("change_order", Of::OtherOrder, r#"{"status": "paid"}"#,                  [401, 404, 200, 200]),
    row("confirm_order", Of::OwnOrder, "",                                        [401, 403, 200, 200]),
    row("confirm_order", Of::OtherOrder, "",                                      [401, 403, 200, 200]),
    row("pay_order", Of::OwnOrder, "",                                            [401, 403, 200, 200]),
    after(&["pay"], row("ship_order", Of::OwnOrder, "",                           [401, 403, 200, 200])),
    after(&["pay", "ship"], row("deliver_order", Of::OwnOrder, "",                [401, 403, 200, 200])),
    row("cancel_order", Of::OwnOrder, "",                                         [401, 200, 200, 200]),
    row("cancel_order", Of::OtherOrder, "",                                       [401, 404, 200, 200]),
    after(&["pay"], row("cancel_order", Of::OwnOrder, "",                         [401, 403, 200, 200])),
    row("get_order_timeline", Of::OwnOrder, "",                                   [401, 200, 200, 200]),
    row("get_order_timeline", Of::OtherOrder, "",                                 [401, 404, 200, 200]),
    row("list_users", Of::Nothing, "",                                            [401, 403, 403, 200]),
    row("create_user", Of::Nothing, REGISTER,                                     [401, 403, 403, 201]),
    row("create_user", Of::Nothing, HIRE,                                         [401, 403, 403, 201]),
    row("get_user", Of::OwnUser, "",                                              [401, 200, 404, 200]),
    row("get_user", Of::OtherUser, "",                                            [401, 404, 404, 200]),
    row("update_user", Of::OwnUser, r#"{"full_name": "X"}"#,                      [401, 200, 404, 200]),
    row("update_user", Of::OtherUser, r#"{"full_name": "X"}"#,                    [401, 404, 404, 200]),
    row("update_user", Of::OwnUser, r#"{"role": "staff"}"#,                       [401, 403, 404, 200]),
    row("update_user", Of::OwnUser, r#"{"is_active": false}"#,                    [401, 403, 404, 200]),
    row("list_api_keys", Of::Nothing, "",                                         [401, 403, 403, 200]),
    row("create_api_key", Of::Nothing, KEY,                                       [401, 403, 403, 201]),
    row("revoke_api_key", Of::ApiKey, "",                                         [401, 403, 403, 204]),
    row("list_audit", Of::Nothing, "",                                            [401, 403, 403, 200]),
    row("list_events", Of::Nothing, "",                                           [401, 403, 200, 200]),
    row("healthz", Of::Nothing, "",                                               [200, 200, 200, 200]),
    row("readyz", Of::Nothing, "",                                                [200, 200, 200, 200]),
    row("metrics", Of::Nothing, "",                                               [200, 200, 200, 200]),
    Row { headers: FROM_AFAR, ..row("metrics", Of::Nothing, "",                   [401, 403, 200, 200]) },
];

/// The things that requests are about, the same for every caller.
struct Shop<'a> {
    app: &'a TestApp,
    keeper: Caller<'a>,
    own: i64,
    other: i64,
}

impl<'a> Shop<'a> {
    async fn open(app: &'a TestApp) -> Self {
        let keeper = app.admin().await;
        app.user(&keeper, "staff", "staff").await;
        app.user(&keeper, "admin", "admin").await;
        let own = app.user(&keeper, "customer", "customer").await.id;
        let other = app.user(&keeper, "other", "customer").await.id;
        Self { app, keeper, own, other }
    }

    /// The callers of the columns, as if nothing had happened before.
    async fn caller(&self, column: usize) -> Caller<'a> {
        if column == 0 {
            return self.app.stranger();
        }
        let role = ["customer", "staff", "admin"][column - 1];
        if role == "customer" {
            let body = json!({"role": role, "is_active": true});
            self.keeper.patch(&format!("/api/v1/users/{}", self.own), body).await.expect(200);
        }
        self.app.log_in(role).await
    }

    /// A machine with a key for that, and the number of the key.
    async fn key(&self, role: &str, scopes: &[&str]) -> (Caller<'a>, i64) {
        let body = json!({"name": "till", "role": role, "scopes": scopes});
        let made = self.keeper.post("/api/v1/api-keys", body).await.expect(201);
        let token = Some(made["key"].as_str().unwrap().to_owned());
        (Caller { token, ..self.app.stranger() }, made["id"].as_i64().unwrap())
    }

    async fn order(&self, user: i64, product: i64, before: &[&str]) -> i64 {
        let body = json!({"user_id": user, "items": [{"product_id": product, "quantity": 1}]});
        let order = self.keeper.post("/api/v1/orders", body).await.expect(201)["order_id"].as_i64().unwrap();
        for verb in before {
            self.keeper.post(&format!("/api/v1/orders/{order}/{verb}"), json!({})).await.expect(200);
        }
        order
    }

    /// What one caller gets for one row, on things made for that alone.
    async fn status(&self, operation: &Operation<'_>, row: &Row, caller: &Caller<'_>, new: &str) -> u16 {
        let product = self.app.product(&self.keeper, "Cup", 100, 10).await;
        let id = match row.of {
            Of::Nothing => None,
            Of::Product => Some(product),
            Of::ArchivedProduct => {
                // One that an order refers to is kept.
                self.order(self.other, product, &[]).await;
                self.keeper.delete(&format!("/api/v1/products/{product}")).await.expect(200);
                Some(product)
            }
            Of::OwnOrder => Some(self.order(self.own, product, row.before).await),
            Of::OtherOrder => Some(self.order(self.other, product, row.before).await),
            Of::OwnUser => Some(self.own),
            Of::OtherUser => Some(self.other),
            Of::ApiKey => Some(self.key("staff", &["read"]).await.1),
        };
        let mut path = operation.path.to_owned();
        if let (Some(id), Some((start, end))) = (id, path.find('{').zip(path.find('}'))) {
            path.replace_range(start..=end, &id.to_string());
        }
        assert!(!path.contains('{'), "{path}: say what it is of");
        path.push_str(row.query);
        let body = row
            .body
            .replace("$own", &self.own.to_string())
            .replace("$other", &self.other.to_string())
            .replace("$product", &product.to_string())
            .replace("$new", new);
        let method: Method = operation.method.parse().unwrap();
        let body = (!body.is_empty()).then_some(body);
        caller.send(method, &path, row.headers, body).await.status.as_u16()
    }
}

/// That the document tells of the refusals that the table knows, and of no others.
fn check_document(operations: &BTreeMap<&str, Operation<'_>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, operation) in operations {
        let rows = || TABLE.iter().filter(|row| row.operation == *id);
        // Of a machine whose key is not good for this, if of nobody else.
        let forbids = rows().any(|row| row.statuses.contains(&403)) || !operation.is_public();
        let documented = operation.answer(403, "application/problem+json").is_some();
        if documented != forbids {
            wrong.push(format!("{id}: the document tells of 403: {documented}; it happens: {forbids}"));
        }
        let open = rows().any(|row| row.statuses[0] < 400);
        let tries = ["login", "refresh"].contains(id);
        assert_eq!(operation.is_public(), open || tries, "{id}: security in the document");
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_the_table_says() {
    let document = Document::new();
    let operations: BTreeMap<_, _> =
        document.operations().into_iter().map(|operation| (operation.id(), operation)).collect();
    let with_row: BTreeSet<_> = TABLE.iter().map(|row| row.operation).collect();
    let without: Vec<_> = operations.keys().copied().filter(|id| !with_row.contains(id)).collect();
    assert_eq!(without, KNOWN_GAPS, "operations without a row");
    let unknown: Vec<_> = with_row.iter().filter(|id| !operations.contains_key(*id)).collect();
    assert!(unknown.is_empty(), "rows without an operation: {unknown:?}");
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let mut wrong = check_document(&operations);
    for (number, row) in TABLE.iter().enumerate() {
        let mut statuses = [0; 4];
        for (column, status) in statuses.iter_mut().enumerate() {
            let caller = shop.caller(column).await;
            let new = format!("new-{number}-{column}");
            *status = shop.status(&operations[row.operation], row, &caller, &new).await;
        }
        if statuses != row.statuses {
            wrong.push(format!("{} {}: {statuses:?}, not {:?}", row.operation, row.body, row.statuses));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.verify().await;
    let orders = shop.keeper.get("/api/v1/orders").await.expect(200);
    assert_ne!(orders["orders"], Value::Array(Vec::new()));
}

/// What a machine's key must be good for; `person` where none is good enough, and nothing where nobody is asked.
#[rustfmt::skip]
const NEEDS: &[(&str, &str)] = &[
    ("register", "users"), ("login", ""), ("refresh", ""),
    ("me", "person"), ("logout_everywhere", "person"), ("change_password", "person"),
    ("list_products", "read"), ("get_product", "read"), ("list_low_stock", "read"),
    ("create_product", "catalogue"), ("update_product", "catalogue"), ("delete_product", "catalogue"),
    ("toggle_product_active", "catalogue"), ("restore_product", "catalogue"),
    ("increment_stock", "stock"), ("decrement_stock", "stock"), ("set_stock", "stock"), ("adjust_stock", "stock"),
    ("list_stock_movements", "read"),
    ("list_orders", "read"), ("get_order", "read"), ("get_order_timeline", "read"),
    ("place_order", "orders"), ("change_order", "orders"), ("confirm_order", "orders"), ("pay_order", "orders"),
    ("ship_order", "orders"), ("deliver_order", "orders"), ("cancel_order", "orders"),
    ("list_users", "users"), ("create_user", "users"), ("get_user", "users"), ("update_user", "users"),
    ("list_api_keys", "person"), ("create_api_key", "person"), ("revoke_api_key", "person"),
    ("list_audit", "users"), ("list_events", "read"),
    ("healthz", ""), ("readyz", ""), ("metrics", ""),
];

const SCOPES: [&str; 5] = ["read", "orders", "stock", "catalogue", "users"];

/// Machines whose keys are good for one scope, for all others, and for all: administrators, and staff last.
struct Machines<'a> {
    with: BTreeMap<&'static str, Caller<'a>>,
    without: BTreeMap<&'static str, Caller<'a>>,
    admin: Caller<'a>,
    staff: Caller<'a>,
}

impl<'a> Machines<'a> {
    async fn of(shop: &Shop<'a>) -> Self {
        let (mut with, mut without) = (BTreeMap::new(), BTreeMap::new());
        for scope in SCOPES {
            with.insert(scope, shop.key("admin", &[scope]).await.0);
            let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
            without.insert(scope, shop.key("admin", &others).await.0);
        }
        let admin = shop.key("admin", &SCOPES).await.0;
        Self { with, without, admin, staff: shop.key("staff", &SCOPES).await.0 }
    }
}

/// What machines get otherwise than `needs` says, for the rows that an administrator is not refused.
async fn faults(
    shop: &Shop<'_>,
    machines: &Machines<'_>,
    needs: &[(&str, &str)],
    only: Option<&str>,
) -> Vec<String> {
    let document = Document::new();
    let operations = document.operations();
    let mut faults = Vec::new();
    // Machines hand out no roles.
    let rows = TABLE.iter().filter(|row| row.body == KEY || !row.body.contains(r#""role": "staff""#));
    for (number, row) in rows.enumerate().filter(|(_, row)| only.is_none_or(|only| row.operation == only)) {
        let operation = operations.iter().find(|operation| operation.id() == row.operation).unwrap();
        let Some((_, need)) = needs.iter().find(|(id, _)| *id == row.operation) else {
            faults.push(format!("{}: nobody has decided what machines need", row.operation));
            continue;
        };
        let [.., staff, admin] = row.statuses;
        let expected = match *need {
            "" => vec![],
            "person" => vec![(&machines.admin, 403), (&machines.staff, 403)],
            scope => vec![
                (&machines.with[scope], admin),
                (&machines.without[scope], 403),
                (&machines.admin, admin),
                (&machines.staff, staff),
            ],
        };
        for (at, (machine, expected)) in expected.into_iter().enumerate() {
            let got =
                shop.status(operation, row, machine, &format!("m-{number}-{at}-{}", faults.len())).await;
            if got != expected {
                faults.push(format!("{} {need} #{at}: {got}, not {expected}", row.operation));
            }
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_get_what_their_keys_are_good_for() {
    let document = Document::new();
    let operations: BTreeSet<_> = document.operations().iter().map(|it| it.id().to_owned()).collect();
    let decided: BTreeSet<_> = NEEDS.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(operations, decided, "an operation without a decision");
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let machines = Machines::of(&shop).await;
    let wrong = faults(&shop, &machines, NEEDS, None).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The control: a decision that is not the one of the code is noticed, a weaker one and another one alike.
    for (operation, other) in
        [("list_audit", "read"), ("set_stock", "catalogue"), ("me", "read"), ("place_order", "person")]
    {
        let needs = [(operation, other)];
        assert!(!faults(&shop, &machines, &needs, Some(operation)).await.is_empty(), "{operation}");
    }
    app.verify().await;
}
