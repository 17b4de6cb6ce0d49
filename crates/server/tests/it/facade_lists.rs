//! The whole tables of the façades: complete, in the order of their ids, and the same as the pages of `/api/v1`; also
//! while others write, also when the database fails half way, and never read far ahead of the client.

use std::sync::Arc;

use axum::http::HeaderMap;
use domain::{
    Actor, AllocateAt, Command, Context, CreateProduct, OrderLine, PlaceOrder, PlacingCustoms, PlacingTerms,
    ProductId, Role, Status, UserId,
};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use server::app::Answered;
use server::clock;
use server::settings::Settings;
use tokio::net::TcpSocket;

use crate::harness::{Caller, TestApp};

const STOCKS: &str = "/compat/orderflow/stocks";
const LINES: &str = "/compat/orderflow/orders";
const LEAVES: &str = "/compat/leafcraft/products/";
const LEAF_ORDERS: &str = "/compat/leafcraft/orders/";
const INVENTORY: &str = "/compat/inventory/products";

/// More than one page of 500, and more than what is kept of a list.
const ROWS: i64 = 2_600;

/// Commands at once.
const TOGETHER: usize = 256;

/// A shop whose strangers work there, for two of the contracts know no login.
async fn open() -> TestApp {
    TestApp::start_with(Settings { anonymous_role: Some(Role::Staff), ..Settings::default() }).await
}

/// Carries commands out, many at once.
async fn execute<C>(app: &TestApp, commands: impl IntoIterator<Item = C>) -> Vec<C::Outcome>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    let mut commands = commands.into_iter();
    let mut outcomes = Vec::new();
    loop {
        let some: Vec<C> = commands.by_ref().take(TOGETHER).collect();
        if some.is_empty() {
            return outcomes;
        }
        let run = |command| {
            let actor = Actor { user_id: None, role: Role::Admin, key: None };
            let context =
                Context { actor, now_us: clock::now_us(), request_id: Arc::from("r"), source: None };
            app.app.execute(command, context, None)
        };
        for answered in join_all(some.into_iter().map(run)).await {
            match answered {
                Ok(Answered::Decided(Ok(outcome))) => outcomes.push(outcome),
                _ => panic!("not carried out"),
            }
        }
    }
}

async fn fill_products(app: &TestApp, rows: i64, description: &str) {
    let product = |number: i64| CreateProduct {
        name: format!("{number} {}", "long ".repeat(20).trim_end()),
        description: description.to_owned(),
        price_cents: number * 7,
        low_stock_threshold: number % 3,
        opening_stock: number % 5 * 1_000,
        is_active: number % 5 != 0,
        ..CreateProduct::plain()
    };
    execute(app, (1..=rows).map(product)).await;
}

/// Orders of one to three active products, in turn of each of these users and of nobody.
async fn fill_orders(app: &TestApp, rows: i64, users: &[i64]) {
    let order = |number: i64| {
        let line = |at: i64| {
            let product = (number * 13 + at * 7) % 500;
            let product = product + i64::from(product % 5 == 0);
            OrderLine { product_id: ProductId(product), quantity: 1 + at }
        };
        let turn = usize::try_from(number).unwrap() % (users.len() + 1);
        PlaceOrder {
            user_id: users.get(turn).map(|id| UserId(*id)),
            lines: (0..=number % 3).map(line).collect(),
            allocate_at: AllocateAt::Confirmation,
            status: Status::Pending,
            customs: PlacingCustoms::default(),
            terms: PlacingTerms::default(),
        }
    };
    execute(app, (1..=rows).map(order)).await;
}

/// All rows of a list of `/api/v1`, page by page.
async fn pages(caller: &Caller<'_>, path: &str, name: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("{path}?sort=id&limit=100{cursor}")).await.expect(200);
        rows.extend(page[name].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

async fn list(caller: &Caller<'_>, path: &str) -> Vec<Value> {
    caller.get(path).await.expect(200).as_array().unwrap().clone()
}

/// The number of a row.
fn id(row: &Value) -> i64 {
    ["id", "order_id", "stock_id"].iter().find_map(|name| row[*name].as_i64()).unwrap()
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(id).collect()
}

fn price(cents: &Value) -> Value {
    let cents = cents.as_i64().unwrap();
    if cents % 100 == 0 { json!(cents / 100) } else { json!(cents as f64 / 100.0) }
}

/// What a façade makes of a product or an order of `/api/v1`.
fn translated(path: &str, row: &Value) -> Vec<Value> {
    let items = row["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    match path {
        STOCKS => vec![json!({
            "stock_id": row["id"], "stock_name": row["name"], "stock_price": price(&row["price_cents"]),
            "stock_quantity": row["available"], "is_active": row["is_active"],
        })],
        LEAVES => vec![json!({
            "id": row["id"], "name": row["name"], "stock_quantity": row["available"],
            "price": price(&row["price_cents"]),
        })],
        INVENTORY => vec![json!({
            "id": row["id"], "name": row["name"], "description": row["description"],
            "stock_quantity": row["available"], "low_stock_threshold": row["low_stock_threshold"],
        })],
        LINES => {
            let line = |item: &Value| {
                json!({
                    "order_id": row["order_id"], "stock_id": item["product_id"], "quantity": item["quantity"],
                    "status": row["status"], "created_at": row["created_at"],
                })
            };
            items.iter().map(line).collect()
        }
        _ => {
            let item = |item: &Value| json!({"product_id": item["product_id"], "quantity": item["quantity"]});
            let word = row["status"].as_str().unwrap();
            vec![json!({
                "id": row["order_id"], "items": items.iter().map(item).collect::<Vec<_>>(),
                "total_amount": price(&row["total_amount_cents"]),
                "status": word[..1].to_uppercase() + &word[1..],
            })]
        }
    }
}

/// An answer that is read piece by piece, over a connection that buffers little.
struct SlowRead {
    body: Incoming,
    headers: HeaderMap,
    text: Vec<u8>,
}

impl SlowRead {
    async fn start(app: &TestApp, path: &str, token: Option<&str>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(app.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::get(path).header("host", app.address.to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        Self { body, headers: parts.headers, text: Vec::new() }
    }

    /// Reads some more: false at the end.
    async fn some(&mut self) -> Result<bool, hyper::Error> {
        match self.body.frame().await.transpose()? {
            Some(frame) => {
                self.text.extend_from_slice(&frame.into_data().unwrap());
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Reads the rest: the whole list.
    async fn rest(mut self) -> Result<Vec<Value>, hyper::Error> {
        while self.some().await? {}
        Ok(serde_json::from_slice(&self.text).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_tables_are_the_union_of_all_pages() {
    let app = open().await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    fill_products(&app, ROWS, "what there is to say").await;
    fill_orders(&app, ROWS, &[root.id, ann.id]).await;
    // Gaps between the numbers: erased products, and archived ones.
    for gone in (600..ROWS).step_by(190).chain((2..500).step_by(95)) {
        root.delete(&format!("/api/v1/products/{gone}")).await;
    }
    for order in (1..ROWS).step_by(120) {
        root.post(&format!("/api/v1/orders/{order}/confirm"), json!({})).await;
        root.post(&format!("/api/v1/orders/{}/cancel", order + 1), json!({})).await.expect(200);
    }
    let products = pages(&root, "/api/v1/products", "products").await;
    let orders = pages(&root, "/api/v1/orders", "orders").await;
    assert!(products.len() > 2_500 && products.len() < usize::try_from(ROWS).unwrap());
    assert_eq!(orders.len(), usize::try_from(ROWS).unwrap());
    let stranger = app.stranger();
    for (caller, path, rows) in [
        (&stranger, STOCKS, &products),
        (&stranger, LEAVES, &products),
        (&stranger, INVENTORY, &products),
        (&stranger, LINES, &orders),
        (&root, LEAF_ORDERS, &orders),
    ] {
        let answer = caller.get(path).await;
        assert!(answer.text.len() > 256 * 1024, "{path}: {}", answer.text.len());
        // What is sent as it is read has no length that could be said before.
        assert_eq!(answer.header("content-length"), "", "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let shown = answer.expect(200);
        let shown = shown.as_array().unwrap();
        let expected: Vec<Value> = rows.iter().flat_map(|row| translated(path, row)).collect();
        assert!(ids(shown).is_sorted(), "{path}");
        assert_eq!(shown.len(), expected.len(), "{path}");
        for (shown, expected) in shown.iter().zip(&expected) {
            assert_eq!(shown, expected, "{path}");
        }
    }
    let low: Vec<i64> = ids(&list(&stranger, "/compat/inventory/products/below_requirement").await);
    let expected: Vec<i64> = products.iter().filter(|row| row["is_low_stock"] == true).map(id).collect();
    assert!(low.len() > 500);
    assert_eq!(low, expected);
    // Somebody's own orders are a list of its own.
    let own: Vec<Value> = pages(&ann, "/api/v1/orders", "orders").await;
    let own: Vec<Value> = own.iter().flat_map(|row| translated(LEAF_ORDERS, row)).collect();
    assert!(own.len() > 800);
    assert_eq!(list(&ann, LEAF_ORDERS).await, own);
}

/// Rows that are there from beginning to end come exactly once, each as it was at some time.
fn check_ids(path: &str, rows: &[Value], steady: &[i64]) {
    let ids = ids(rows);
    assert!(ids.is_sorted_by(|one, next| one < next), "{path}: {ids:?}");
    let shown: Vec<i64> = ids.into_iter().filter(|id| steady.binary_search(id).is_ok()).collect();
    assert_eq!(shown, steady, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_stay_come_once_while_others_come_and_go() {
    let app = open().await;
    let root = app.admin().await;
    fill_products(&app, ROWS, "").await;
    fill_orders(&app, ROWS, &[root.id]).await;
    let passing: Vec<i64> = (600..ROWS).step_by(7).collect();
    let products: Vec<i64> = (1..=ROWS).filter(|id| passing.binary_search(id).is_err()).collect();
    let orders: Vec<i64> = (1..=ROWS).collect();
    let stranger = app.stranger();
    let writes = async {
        for gone in &passing {
            // Out of the catalogue, a new one into it, a new order, and stock that moves.
            stranger.delete(&format!("{INVENTORY}/{gone}")).await.expect(204);
            let body = json!({"stock_name": "New", "stock_price": 1, "stock_quantity": 9});
            let stock = stranger.post(STOCKS, body).await.expect(201)["stock_id"].clone();
            stranger.post(LINES, json!({"stock_id": stock, "quantity": 9})).await.expect(201);
            let increment = format!("{INVENTORY}/increment/{}", gone - 1);
            stranger.patch(&increment, json!({"change": 1})).await.expect(200);
        }
    };
    let reads = async {
        for _ in 0..4 {
            for path in [STOCKS, LEAVES, INVENTORY] {
                check_ids(path, &list(&stranger, path).await, &products);
            }
            check_ids(LEAF_ORDERS, &list(&root, LEAF_ORDERS).await, &orders);
            let mut lines = list(&stranger, LINES).await;
            lines.dedup_by_key(|line| id(line));
            check_ids(LINES, &lines, &orders);
        }
    };
    tokio::join!(writes, reads);
    app.verify().await;
}

/// Four pages, each of more bytes than all buffers between the server and the client hold.
async fn fill_heavy(app: &TestApp) -> (i64, &'static str) {
    let rows = 1_600;
    fill_products(app, rows, &"\u{1f33f}".repeat(5_000)).await;
    (rows, INVENTORY)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_as_it_is_sent() {
    let app = open().await;
    let root = app.admin().await;
    let (rows, path) = fill_heavy(&app).await;
    let mut slow = SlowRead::start(&app, path, None).await;
    assert!(slow.some().await.unwrap());
    assert!(slow.headers.get("content-length").is_none());
    // The end of the list is changed while the client has its beginning: nothing of it has been read.
    let last = format!("/api/v1/products/{rows}");
    root.patch(&last, json!({"name": "Renamed"})).await.expect(200);
    root.patch("/api/v1/products/1", json!({"name": "Too late"})).await.expect(200);
    root.delete(&format!("/api/v1/products/{}", rows - 1)).await.expect(204);
    let new = app.product(&root, "New", 1, 1).await;
    let shown = slow.rest().await.unwrap();
    let expected: Vec<i64> = (1..=rows).filter(|id| *id != rows - 1).chain([new]).collect();
    assert_eq!(ids(&shown), expected);
    let [.., renamed, _] = shown.as_slice() else { panic!("too short") };
    assert_eq!(renamed["name"], "Renamed");
    assert_ne!(shown[0]["name"], "Too late");
}

/// Puts the table of products out of reach, or back.
async fn rename(app: &TestApp, from: &str, to: &str) {
    let mut transaction = app.database().await.begin().await.unwrap();
    transaction.execute_dynamic(&format!("ALTER TABLE {from} RENAME TO {to}"), &[]).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_half_way_is_broken_off() {
    let app = open().await;
    let (rows, path) = fill_heavy(&app).await;
    let mut slow = SlowRead::start(&app, path, None).await;
    assert!(slow.some().await.unwrap());
    rename(&app, "products", "products_away").await;
    while let Ok(more) = slow.some().await {
        assert!(more, "the answer ends as if it were whole: {} bytes", slow.text.len());
    }
    assert!(serde_json::from_slice::<Value>(&slow.text).is_err());
    // A list that fails before its first row is a fault like any other.
    let answer = app.stranger().get(path).await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    assert!(answer.json()["detail"].is_string());
    rename(&app, "products_away", "products").await;
    assert_eq!(list(&app.stranger(), path).await.len(), usize::try_from(rows).unwrap());
}

/// A product's row in the list that is kept.
async fn leaf(caller: &Caller<'_>, product: i64) -> Option<Value> {
    list(caller, LEAVES).await.into_iter().find(|row| row["id"] == product)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_any_contract_writes_is_in_the_next_list_of_leafcraft() {
    let app = open().await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let stranger = app.stranger();
    let product = app.product(&root, "Fern", 250, 100).await;
    let mut quantity = 100;
    for round in 0..5 {
        // Each list is read twice before it is out of date, so that it is kept.
        let id = format!("{product}");
        let one = json!({"items": [{"product_id": product, "quantity": 1}]});
        let writes = [
            (-1, root.clone(), "POST", "/api/v1/orders".to_owned(), one.clone()),
            (-2, stranger.clone(), "POST", LINES.to_owned(), json!({"stock_id": product, "quantity": 2})),
            (-1, ann.clone(), "POST", "/compat/mini-order/orders".to_owned(), one.clone()),
            (0, ann.clone(), "POST", format!("{LEAF_ORDERS}create_order"), one.clone()),
            (-1, ann.clone(), "PATCH", format!("{LEAF_ORDERS}{}/confirm", 4 * round + 4), json!({})),
            (
                1,
                ann.clone(),
                "PATCH",
                format!("/compat/mini-order/orders/{}/cancel", 4 * round + 3),
                json!({}),
            ),
            (7, stranger.clone(), "PATCH", format!("{INVENTORY}/increment/{id}"), json!({"change": 7})),
            (-3, stranger.clone(), "PATCH", format!("{INVENTORY}/decrement/{id}"), json!({"change": 3})),
        ];
        for (delta, caller, method, path, body) in writes {
            for _ in 0..2 {
                assert_eq!(leaf(&stranger, product).await.unwrap()["stock_quantity"], quantity);
                list(&ann, LEAF_ORDERS).await;
                list(&root, LEAF_ORDERS).await;
            }
            let answer = caller.send(method.parse().unwrap(), &path, &[], Some(body.to_string())).await;
            assert!(answer.status.is_success(), "{path}: {answer:?}");
            quantity += delta;
            assert_eq!(leaf(&stranger, product).await.unwrap()["stock_quantity"], quantity, "{path}");
            for reader in [&ann, &root] {
                let orders = pages(reader, "/api/v1/orders", "orders").await;
                let orders: Vec<Value> = orders.iter().flat_map(|row| translated(LEAF_ORDERS, row)).collect();
                assert_eq!(list(reader, LEAF_ORDERS).await, orders, "{path}");
            }
        }
    }
    root.patch(&format!("/compat/mini-order/products/{product}"), json!({"price": 3})).await.expect(200);
    assert_eq!(leaf(&root, product).await.unwrap()["price"], 3);
    stranger.patch(&format!("{STOCKS}/{product}"), json!({"stock_name": "Moss"})).await.expect(200);
    assert_eq!(leaf(&root, product).await.unwrap()["name"], "Moss");
    stranger.delete(&format!("{INVENTORY}/{product}")).await.expect(204);
    assert_eq!(leaf(&root, product).await, None);
    root.post(&format!("/api/v1/products/{product}/restore"), json!({})).await.expect(200);
    assert_eq!(leaf(&root, product).await.unwrap()["name"], "Moss");
    let body = json!({"name": "Ivy", "price": 1, "stock_quantity": 1});
    let new = root.post(LEAVES, body).await.expect(201)["id"].as_i64().unwrap();
    assert_eq!(leaf(&root, new).await.unwrap()["name"], "Ivy");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own_write_at_once_among_many_writers() {
    let app = open().await;
    let root = app.admin().await;
    let mut products = Vec::new();
    for number in 0..16 {
        products.push(app.product(&root, &format!("Fern {number}"), 100, 0).await);
    }
    let stranger = app.stranger();
    let busy = products.iter().map(|product| {
        let (root, stranger) = (&root, &stranger);
        async move {
            for count in 1..=20_i64 {
                let (caller, path, body) = match count % 3 {
                    0 => (stranger, format!("{INVENTORY}/{product}"), json!({"stock_quantity": count})),
                    1 => (stranger, format!("{STOCKS}/{product}"), json!({"stock_quantity": count})),
                    _ => {
                        let path = format!("/compat/mini-order/products/{product}");
                        (root, path, json!({"stock_quantity": count}))
                    }
                };
                caller.patch(&path, body).await.expect(200);
                assert_eq!(leaf(stranger, *product).await.unwrap()["stock_quantity"], count);
            }
        }
    });
    join_all(busy).await;
    app.verify().await;
}
