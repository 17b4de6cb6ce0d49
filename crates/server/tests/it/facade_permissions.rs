//! Who may do what through the façades: one table, with a row for every operation of their documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::Method;
use domain::{
    Actor, AllocateAt, Context, OrderLine, PlaceOrder, PlacingCustoms, PlacingTerms, ProductId, Role, Status,
};
use serde_json::json;
use server::app::Answered;
use server::clock;
use server::compat::{self, Facade};
use server::settings::Settings;

use crate::document::{Document, Operation};
use crate::harness::{Caller, TestApp};

/// What a stranger, a customer, staff and an administrator get; and the stranger where the anonymous principal is a
/// customer, staff, an administrator.
type Statuses = [u16; 7];

/// What strangers are besides nobody.
const ANONYMOUS: [Role; 3] = [Role::Customer, Role::Staff, Role::Admin];

struct Row {
    facade: Facade,
    operation: &'static str,
    of: Of,
    /// `$product` stands for the id of a product, `$new` for a name that nobody has.
    body: &'static str,
    statuses: Statuses,
}

/// What the path names, if anything. `own` is the customer's, `other` is somebody else's.
#[derive(Clone, Copy)]
enum Of {
    Nothing,
    Product,
    OwnOrder,
    OtherOrder,
    /// One that was placed without an account.
    NobodysOrder,
    /// Of those that take their stock at confirmation.
    OwnLateOrder,
    OtherLateOrder,
    OwnPaidOrder,
}

const fn row(facade: Facade, operation: &'static str, of: Of, body: &'static str, statuses: Statuses) -> Row {
    Row { facade, operation, of, body, statuses }
}

const STOCK: &str = r#"{"stock_name": "Tea", "stock_price": 1.5, "stock_quantity": 1}"#;
const ONE_LINE: &str = r#"{"stock_id": $product, "quantity": 1}"#;
const PRODUCT: &str = r#"{"name": "$new", "price": 1.5, "stock_quantity": 1}"#;
const ORDER: &str = r#"{"items": [{"product_id": $product, "quantity": 1}]}"#;
const CUSTOMER: &str = r#"{"username": "$new", "password": "long enough", "role": "customer"}"#;
const ADMIN: &str = r#"{"username": "$new", "password": "long enough", "role": "admin"}"#;
const WRONG: &str = r#"{"username": "admin", "password": "wrong"}"#;
const CHANGE: &str = r#"{"change": 1}"#;

use Facade::{Inventory as I, Leafcraft as L, MiniOrder as M, Orderflow as O};

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //                                                        stranger customer staff admin; stranger as these
    row(O, "list_stocks", Of::Nothing, "",                          [401, 200, 200, 200, 200, 200, 200]),
    row(O, "create_stock", Of::Nothing, STOCK,                      [401, 403, 201, 201, 403, 201, 201]),
    row(O, "get_stock", Of::Product, "",                            [401, 200, 200, 200, 200, 200, 200]),
    row(O, "update_stock", Of::Product, r#"{"stock_quantity": 5}"#, [401, 403, 200, 200, 403, 200, 200]),
    row(O, "toggle_active", Of::Product, "",                        [401, 403, 200, 200, 403, 200, 200]),
    row(O, "list_orders", Of::Nothing, "",                          [401, 200, 200, 200, 200, 200, 200]),
    row(O, "create_order", Of::Nothing, ONE_LINE,                   [401, 201, 201, 201, 201, 201, 201]),
    row(O, "get_order", Of::OwnOrder, "",                           [401, 200, 200, 200, 404, 200, 200]),
    row(O, "get_order", Of::OtherOrder, "",                         [401, 404, 200, 200, 404, 200, 200]),
    row(O, "get_order", Of::NobodysOrder, "",                       [401, 404, 200, 200, 200, 200, 200]),
    row(M, "register", Of::Nothing, CUSTOMER,                       [201, 201, 201, 201, 201, 201, 201]),
    row(M, "register", Of::Nothing, ADMIN,                          [403, 403, 403, 201, 403, 403, 201]),
    row(M, "login", Of::Nothing, WRONG,                             [401, 401, 401, 401, 401, 401, 401]),
    row(M, "list_products", Of::Nothing, "",                        [200, 200, 200, 200, 200, 200, 200]),
    row(M, "create_product", Of::Nothing, PRODUCT,                  [401, 403, 403, 201, 401, 401, 401]),
    row(M, "update_product", Of::Product, r#"{"price": 2}"#,        [401, 403, 403, 200, 401, 401, 401]),
    row(M, "list_orders", Of::Nothing, "",                          [401, 200, 200, 200, 401, 401, 401]),
    row(M, "place_order", Of::Nothing, ORDER,                       [401, 201, 201, 201, 401, 401, 401]),
    row(M, "confirm_order", Of::OwnOrder, "",                       [401, 403, 403, 200, 401, 401, 401]),
    row(M, "confirm_order", Of::OtherLateOrder, "",                 [401, 403, 403, 200, 401, 401, 401]),
    row(M, "cancel_order", Of::OwnOrder, "",                        [401, 200, 403, 200, 401, 401, 401]),
    row(M, "cancel_order", Of::OtherOrder, "",                      [401, 403, 403, 200, 401, 401, 401]),
    row(M, "cancel_order", Of::NobodysOrder, "",                    [401, 403, 403, 200, 401, 401, 401]),
    row(M, "cancel_order", Of::OwnPaidOrder, "",                    [401, 403, 403, 200, 401, 401, 401]),
    row(L, "login", Of::Nothing, WRONG,                             [401, 401, 401, 401, 401, 401, 401]),
    row(L, "list_products", Of::Nothing, "",                        [200, 200, 200, 200, 200, 200, 200]),
    row(L, "create_product", Of::Nothing, PRODUCT,                  [401, 403, 201, 201, 401, 401, 401]),
    row(L, "list_orders", Of::Nothing, "",                          [401, 200, 200, 200, 401, 401, 401]),
    row(L, "create_order", Of::Nothing, ORDER,                      [401, 201, 201, 201, 401, 401, 401]),
    row(L, "confirm_order", Of::OwnLateOrder, "",                   [401, 200, 200, 200, 401, 401, 401]),
    row(L, "confirm_order", Of::OtherLateOrder, "",                 [401, 400, 200, 200, 401, 401, 401]),
    row(L, "confirm_order", Of::OwnOrder, "",                       [401, 403, 200, 200, 401, 401, 401]),
    row(L, "confirm_order_by_put", Of::OwnLateOrder, "",            [401, 200, 200, 200, 401, 401, 401]),
    row(L, "confirm_order_by_put", Of::OwnOrder, "",                [401, 403, 200, 200, 401, 401, 401]),
    row(L, "confirm_order_by_post", Of::OwnLateOrder, "",           [401, 200, 200, 200, 401, 401, 401]),
    row(L, "confirm_order_by_post", Of::OwnOrder, "",               [401, 403, 200, 200, 401, 401, 401]),
    row(L, "cancel_order", Of::OwnOrder, "",                        [401, 200, 200, 200, 401, 401, 401]),
    row(L, "cancel_order", Of::OtherOrder, "",                      [401, 400, 200, 200, 401, 401, 401]),
    row(L, "cancel_order", Of::NobodysOrder, "",                    [401, 400, 200, 200, 401, 401, 401]),
    row(L, "cancel_order", Of::OwnPaidOrder, "",                    [401, 403, 200, 200, 401, 401, 401]),
    row(L, "cancel_order_by_put", Of::OwnOrder, "",                 [401, 200, 200, 200, 401, 401, 401]),
    row(L, "cancel_order_by_put", Of::OwnPaidOrder, "",             [401, 403, 200, 200, 401, 401, 401]),
    row(L, "cancel_order_by_post", Of::OwnOrder, "",                [401, 200, 200, 200, 401, 401, 401]),
    row(L, "cancel_order_by_post", Of::OwnPaidOrder, "",            [401, 403, 200, 200, 401, 401, 401]),
    row(I, "list_products", Of::Nothing, "",                        [401, 200, 200, 200, 200, 200, 200]),
    row(I, "create_product", Of::Nothing, r#"{"name": "Tea"}"#,     [401, 403, 200, 200, 403, 200, 200]),
    row(I, "below_requirement", Of::Nothing, "",                    [401, 200, 200, 200, 200, 200, 200]),
    row(I, "get_product", Of::Product, "",                          [401, 200, 200, 200, 200, 200, 200]),
    row(I, "update_product", Of::Product, r#"{"name": "Cup"}"#,     [401, 403, 200, 200, 403, 200, 200]),
    row(I, "delete_product", Of::Product, "",                       [401, 403, 204, 204, 403, 204, 204]),
    row(I, "increment", Of::Product, CHANGE,                        [401, 403, 200, 200, 403, 200, 200]),
    row(I, "decrement", Of::Product, CHANGE,                        [401, 403, 200, 200, 403, 200, 200]),
];

/// The things that requests are about, in a shop where strangers have this role.
struct Shop<'a> {
    app: &'a TestApp,
    keeper: Caller<'a>,
    own: i64,
    other: i64,
    callers: Vec<Caller<'a>>,
}

impl<'a> Shop<'a> {
    async fn open(app: &'a TestApp) -> Self {
        let keeper = app.admin().await;
        let own = app.user(&keeper, "customer", "customer").await;
        let other = app.user(&keeper, "other", "customer").await.id;
        let staff = app.user(&keeper, "staff", "staff").await;
        let admin = app.user(&keeper, "admin", "admin").await;
        Self { app, keeper, own: own.id, other, callers: vec![app.stranger(), own, staff, admin] }
    }

    async fn order(&self, user: i64, product: i64, allocate_at: &str, status: &str) -> i64 {
        let body = json!({
            "user_id": user, "allocate_at": allocate_at, "status": status,
            "items": [{"product_id": product, "quantity": 1}],
        });
        self.keeper.post("/api/v1/orders", body).await.expect(201)["order_id"].as_i64().unwrap()
    }

    async fn nobodys_order(&self, product: i64) -> i64 {
        let command = PlaceOrder {
            user_id: None,
            lines: vec![OrderLine { product_id: ProductId(product), quantity: 1 }],
            allocate_at: AllocateAt::Creation,
            status: Status::Pending,
            customs: PlacingCustoms::default(),
            terms: PlacingTerms::default(),
        };
        let actor = Actor { user_id: None, role: Role::Customer, key: None };
        let context = Context { actor, now_us: clock::now_us(), request_id: Arc::from("r"), source: None };
        match self.app.app.execute(command, context, None).await {
            Ok(Answered::Decided(Ok(placed))) => placed.order.id.0,
            _ => panic!("no order"),
        }
    }

    /// What one caller gets for one row, on things made for that alone.
    async fn status(&self, operation: &Operation<'_>, row: &Row, caller: &Caller<'_>, new: &str) -> u16 {
        let product = self.app.product(&self.keeper, "Cup", 100, 10).await;
        let id = match row.of {
            Of::Nothing => None,
            Of::Product => Some(product),
            Of::OwnOrder => Some(self.order(self.own, product, "creation", "pending").await),
            Of::OtherOrder => Some(self.order(self.other, product, "creation", "pending").await),
            Of::NobodysOrder => Some(self.nobodys_order(product).await),
            Of::OwnLateOrder => Some(self.order(self.own, product, "confirmation", "pending").await),
            Of::OtherLateOrder => Some(self.order(self.other, product, "confirmation", "pending").await),
            Of::OwnPaidOrder => Some(self.order(self.own, product, "creation", "paid").await),
        };
        let mut path = format!("{}{}", row.facade.prefix(), operation.path);
        if let (Some(id), Some((start, end))) = (id, path.find('{').zip(path.find('}'))) {
            path.replace_range(start..=end, &id.to_string());
        }
        assert!(!path.contains('{'), "{path}: say what it is of");
        let body = row.body.replace("$product", &product.to_string()).replace("$new", new);
        let method: Method = operation.method.parse().unwrap();
        let answer = caller.send(method, &path, &[], (!body.is_empty()).then_some(body)).await;
        let status = answer.status.as_u16();
        // A challenge tells clients to log in, and nobody else.
        assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{answer:?}");
        status
    }
}

/// That the document tells of the refusals that the table knows, and of no others.
fn check_document(facade: Facade, operations: &BTreeMap<&str, Operation<'_>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, operation) in operations {
        let rows = || TABLE.iter().filter(|row| row.facade == facade && row.operation == *id);
        for status in [401, 403] {
            // Who registers needs no token, but one that is sent must be good.
            let bad_token = status == 401 && *id == "register";
            // A machine's key that is not good for this.
            let takes_token = operation.spec.get("security").is_none() || !operation.is_public();
            let scope = status == 403 && takes_token;
            let happens = bad_token || scope || rows().any(|row| row.statuses.contains(&status));
            let documented = operation.answer(status, "application/json").is_some();
            if documented != happens {
                wrong.push(format!(
                    "{facade:?} {id}: the document tells of {status}: {documented}; it happens: {happens}"
                ));
            }
        }
        let login = [Facade::MiniOrder, Facade::Leafcraft].contains(&facade);
        let open = rows().any(|row| row.statuses[0] < 400) || *id == "login";
        if login && operation.is_public() != open {
            wrong.push(format!("{facade:?} {id}: security in the document"));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_the_table_says() {
    let documents: Vec<_> =
        Facade::ALL.iter().map(|facade| Document::of(&compat::document(*facade).unwrap())).collect();
    let mut operations: BTreeMap<&str, BTreeMap<&str, Operation<'_>>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (facade, document) in Facade::ALL.iter().zip(&documents) {
        let known: BTreeMap<_, _> =
            document.operations().into_iter().map(|operation| (operation.id(), operation)).collect();
        let rows = TABLE.iter().filter(|row| row.facade == *facade).map(|row| row.operation);
        let with_row: BTreeSet<_> = rows.collect();
        assert!(
            known.keys().eq(with_row.iter()),
            "{facade:?}: rows of {with_row:?}, not of {:?}",
            known.keys()
        );
        wrong.extend(check_document(*facade, &known));
        operations.insert(facade.word(), known);
    }
    let mut apps = Vec::new();
    for anonymous_role in std::iter::once(None).chain(ANONYMOUS.map(Some)) {
        // A table asks for the same thing as many, one after the other.
        let settings = Settings { anonymous_role, login_attempts_per_account: 0, ..Settings::default() };
        apps.push(TestApp::start_with(Settings { login_attempts_per_source: 0, ..settings }).await);
    }
    let mut shops = Vec::new();
    for app in &apps {
        shops.push(Shop::open(app).await);
    }
    for (number, row) in TABLE.iter().enumerate() {
        let operation = &operations[row.facade.word()][row.operation];
        let mut statuses = [0; 7];
        for (column, status) in statuses.iter_mut().enumerate() {
            let (shop, caller) = if column < 4 { (0, column) } else { (column - 3, 0) };
            let shop = &shops[shop];
            let new = format!("new-{number}-{column}");
            *status = shop.status(operation, row, &shop.callers[caller], &new).await;
        }
        if statuses != row.statuses {
            wrong.push(format!(
                "{:?} {} {}: {statuses:?}, not {:?}",
                row.facade, row.operation, row.body, row.statuses
            ));
        }
    }
    // Whoever sends a token that is no good is nobody, even where nobody may do everything.
    let [.., shop] = shops.as_slice() else { panic!("no shop") };
    let impostor = Caller { token: Some("x".to_owned()), ..shop.app.stranger() };
    for (number, row) in TABLE.iter().enumerate() {
        let operation = &operations[row.facade.word()][row.operation];
        // But what is for everybody does not ask.
        let open = [M, L].contains(&row.facade) && row.operation == "list_products";
        let status = shop.status(operation, row, &impostor, &format!("bad-{number}")).await;
        if status != if open { 200 } else { 401 } {
            wrong.push(format!("{:?} {} with a bad token: {status}", row.facade, row.operation));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for app in &apps {
        app.verify().await;
    }
}

/// What a machine's key must be good for, by façade; nothing where nobody is asked.
#[rustfmt::skip]
const NEEDS: &[(Facade, &str, &[&str])] = &[
    (O, "list_stocks", &["read"]), (O, "get_stock", &["read"]), (O, "create_stock", &["catalogue"]),
    (O, "update_stock", &["catalogue", "stock"]), (O, "toggle_active", &["catalogue"]),
    (O, "list_orders", &["read"]), (O, "create_order", &["orders"]), (O, "get_order", &["read"]),
    (M, "register", &["users"]), (M, "login", &[]), (M, "list_products", &[]), (M, "create_product", &["catalogue"]),
    (M, "update_product", &["catalogue", "stock"]), (M, "list_orders", &["read"]), (M, "place_order", &["orders"]),
    (M, "confirm_order", &["orders"]), (M, "cancel_order", &["orders"]),
    (L, "login", &[]), (L, "list_products", &[]), (L, "create_product", &["catalogue"]), (L, "list_orders", &["read"]),
    (L, "create_order", &["orders"]),
    (L, "confirm_order", &["orders"]), (L, "confirm_order_by_put", &["orders"]), (L, "confirm_order_by_post", &["orders"]),
    (L, "cancel_order", &["orders"]), (L, "cancel_order_by_put", &["orders"]), (L, "cancel_order_by_post", &["orders"]),
    (I, "list_products", &["read"]), (I, "below_requirement", &["read"]), (I, "get_product", &["read"]),
    (I, "create_product", &["catalogue"]), (I, "update_product", &["catalogue", "stock"]),
    (I, "delete_product", &["catalogue"]), (I, "increment", &["stock"]), (I, "decrement", &["stock"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn machines_get_what_their_keys_are_good_for() {
    const SCOPES: [&str; 5] = ["read", "orders", "stock", "catalogue", "users"];
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let machine = async |scopes: &[&str]| {
        let body = json!({"name": "till", "role": "admin", "scopes": scopes});
        let made = shop.keeper.post("/api/v1/api-keys", body).await.expect(201);
        Caller { token: Some(made["key"].as_str().unwrap().to_owned()), ..app.stranger() }
    };
    let mut wrong = Vec::new();
    for facade in Facade::ALL {
        let document = Document::of(&compat::document(*facade).unwrap());
        for operation in document.operations() {
            let id = operation.id();
            let decided = NEEDS.iter().find(|(of, name, _)| of == facade && *name == id);
            let (_, _, needs) = decided.unwrap_or_else(|| panic!("{facade:?} {id}: what do machines need?"));
            // Machines hand out no roles.
            let mut rows = TABLE.iter().filter(|row| row.facade == *facade && row.operation == id);
            let row = rows.find(|row| row.body != ADMIN).unwrap();
            let Some(first) = needs.first() else { continue };
            let mut cases = vec![(machine(needs).await, row.statuses[3])];
            // The control of the table: whatever it names is needed, for without that the answer is another one.
            for need in needs.iter().copied() {
                let others: Vec<_> = SCOPES.into_iter().filter(|scope| *scope != need).collect();
                cases.push((machine(&others).await, 403));
            }
            for (at, (machine, expected)) in cases.iter().enumerate() {
                let got =
                    shop.status(&operation, row, machine, &format!("{facade:?}-{first}-{id}-{at}")).await;
                if got != *expected {
                    wrong.push(format!("{facade:?} {id} #{at}: {got}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.verify().await;
}
