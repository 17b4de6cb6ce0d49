//! Placing orders.

use axum::http::Method;
use domain::ProductId;
use hyper::body::Bytes;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Answer, Caller, TestApp};

const ORDERS: &str = "/api/v1/orders";

/// An administrator, a customer, and two products with 10 and 5 pieces.
pub(crate) async fn shop(app: &TestApp) -> (Caller<'_>, Caller<'_>, i64, i64) {
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    let laptop = app.product(&root, "MacBook Pro 16\"", 249_999, 10).await;
    let cable = app.product(&root, "USB-C Cable", 2_999, 5).await;
    (root, john, laptop, cable)
}

/// Pieces on hand and held by orders.
pub(crate) async fn level(app: &TestApp, product: i64) -> (i64, i64) {
    let level = app.store.product(ProductId(product)).await.unwrap().unwrap().level;
    (level.on_hand, level.allocated)
}

pub(crate) fn one(product: i64, quantity: i64) -> Value {
    json!({"items": [{"product_id": product, "quantity": quantity}]})
}

/// The version in the tag of an order: what stands before the dot.
pub(crate) fn tagged_version(answer: &Answer) -> i64 {
    let tag = answer.header("etag").trim_matches('"');
    let (version, name) = tag.split_once('.').unwrap_or_else(|| panic!("{answer:?}"));
    assert!(name.parse::<u32>().is_ok(), "{answer:?}");
    version.parse().unwrap()
}

/// Places an order and gives its id.
pub(crate) async fn placed(caller: &Caller<'_>, product: i64, quantity: i64) -> i64 {
    caller.post(ORDERS, one(product, quantity)).await.expect(201)["order_id"].as_i64().unwrap()
}

async fn keyed(caller: &Caller<'_>, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    caller.send(method, path, &[("idempotency-key", key)], Some(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn places_an_order_exactly_as_documented() {
    let app = TestApp::start().await;
    let (root, john, laptop, cable) = shop(&app).await;
    let body = json!({
        "user_id": john.id, "status": "pending",
        "items": [{"product_id": laptop, "quantity": 2}, {"product_id": cable, "quantity": 1}],
    });
    let answer = john.post(ORDERS, body.clone()).await;
    let order = answer.expect(201);
    assert_eq!(answer.header("location"), "/api/v1/orders/1");
    assert_eq!(tagged_version(&answer), 1);
    assert_eq!(answer.header("content-type"), "application/json");
    let created_at = order["created_at"].as_str().unwrap();
    assert!(created_at.ends_with('Z') && created_at.as_bytes()[10] == b'T', "{created_at}");
    let expected = json!({
        "order_id": 1, "user_id": john.id, "user_name": "john Example", "status": "pending", "state": "pending",
        "payment": "unpaid", "fulfilment": "unfulfilled", "allocate_at": "creation", "created_at": created_at,
        "updated_at": null, "version": 1, "currency": "USD",
        "items": [
            {"id": 1, "product_id": laptop, "quantity": 2, "price_cents_at_purchase": 249_999,
                "product_name": "MacBook Pro 16\"", "allocated": 2},
            {"id": 2, "product_id": cable, "quantity": 1, "price_cents_at_purchase": 2_999,
                "product_name": "USB-C Cable", "allocated": 1},
        ],
        "total_amount_cents": 502_997, "total_quantity": 3,
    });
    assert_eq!(order, expected);
    assert_eq!(john.get("/api/v1/orders/1").await.expect(200), expected);
    assert_eq!(john.get(answer.header("location")).await.header("etag"), answer.header("etag"));
    // Staff may place the same for him, and leave out what has a default.
    assert_eq!(root.post(ORDERS, body).await.expect(201)["user_id"], john.id);
    let own = root.post(ORDERS, one(laptop, 1)).await.expect(201);
    assert_eq!((&own["user_id"], &own["user_name"]), (&json!(root.id), &json!("root")));
    assert_eq!(level(&app, laptop).await, (10, 5));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nothing_is_told() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let mut answers = vec![
        stranger.get(ORDERS).await,
        stranger.post(ORDERS, one(1, 1)).await,
        stranger.get("/api/v1/orders/1").await,
        stranger.patch("/api/v1/orders/1", json!({"status": "paid"})).await,
        stranger.get("/api/v1/orders/1/timeline").await,
        // Who asks is settled before what is asked.
        stranger.get("/api/v1/orders/x").await,
        stranger.post(ORDERS, json!([])).await,
    ];
    for verb in ["confirm", "pay", "ship", "deliver", "cancel"] {
        answers.push(stranger.post(&format!("/api/v1/orders/1/{verb}"), json!({})).await);
    }
    for answer in answers {
        answer.problem(401, "UNAUTHENTICATED");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anonymous_principal_orders_for_nobody_and_sees_its_orders() {
    let settings = Settings { anonymous_role: Some(domain::Role::Customer), ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let (root, john, laptop, _) = shop(&app).await;
    let stranger = app.stranger();
    let order = stranger.post(ORDERS, one(laptop, 1)).await.expect(201);
    assert_eq!((&order["user_id"], &order["user_name"]), (&Value::Null, &Value::Null));
    assert_eq!(stranger.get("/api/v1/orders/1").await.expect(200), order);
    let timeline = stranger.get("/api/v1/orders/1/timeline").await.expect(200);
    assert_eq!(timeline["events"][0]["actor_id"], Value::Null);
    john.get("/api/v1/orders/1").await.problem(404, "ORDER_NOT_FOUND");
    assert_eq!(root.get("/api/v1/orders/1").await.expect(200), order);
    let johns = placed(&john, laptop, 1).await;
    stranger.get(&format!("{ORDERS}/{johns}")).await.problem(404, "ORDER_NOT_FOUND");
    assert_eq!(stranger.get(ORDERS).await.expect(200)["orders"], json!([order]));
    let body = json!({"user_id": john.id, "items": [{"product_id": laptop, "quantity": 1}]});
    stranger.post(ORDERS, body).await.problem(403, "FORBIDDEN");
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_why_an_order_cannot_be_placed() {
    let app = TestApp::start().await;
    let (root, john, laptop, cable) = shop(&app).await;
    let items = |list: &[(i64, i64)]| {
        let items = list.iter().map(|(id, quantity)| json!({"product_id": id, "quantity": quantity}));
        json!({"items": items.collect::<Vec<_>>()})
    };
    // Lines of one product count as one, and nothing is taken of any product.
    let body = items(&[(cable, 3), (laptop, 1), (cable, 3)]);
    let problem = john.post(ORDERS, body).await.problem(409, "INSUFFICIENT_STOCK");
    assert_eq!(problem["products"], json!([{"product_id": cable, "requested": 6, "available": 5}]));
    let problem =
        john.post(ORDERS, items(&[(laptop, 11), (cable, 6)])).await.problem(409, "INSUFFICIENT_STOCK");
    let expected = json!([
        {"product_id": laptop, "requested": 11, "available": 10}, {"product_id": cable, "requested": 6, "available": 5},
    ]);
    assert_eq!(problem["products"], expected);
    assert!(problem["request_id"].is_string());
    let problem =
        john.post(ORDERS, items(&[(998, 1), (laptop, 1), (999, 1)])).await.problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(problem["product_ids"], json!([998, 999]));
    let body = |user: i64| json!({"user_id": user, "items": [{"product_id": laptop, "quantity": 1}]});
    root.post(ORDERS, body(999)).await.problem(404, "USER_NOT_FOUND");
    // A customer does not learn which users there are.
    for user in [root.id, 999] {
        john.post(ORDERS, body(user)).await.problem(403, "FORBIDDEN");
    }
    assert_eq!((level(&app, laptop).await, level(&app, cable).await), ((10, 0), (5, 0)));
    let merged = john.post(ORDERS, items(&[(cable, 2), (laptop, 1), (cable, 3)])).await.expect(201);
    assert_eq!(merged["items"].as_array().unwrap().len(), 2);
    assert_eq!(merged["items"][0]["quantity"], 5);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inactive_and_archived_products_take_no_orders() {
    let app = TestApp::start().await;
    let (root, john, laptop, cable) = shop(&app).await;
    placed(&john, cable, 1).await;
    root.post(&format!("/api/v1/products/{laptop}/toggle-active"), json!({})).await.expect(200);
    root.delete(&format!("/api/v1/products/{cable}")).await;
    for product in [laptop, cable] {
        let problem = john.post(ORDERS, one(product, 1)).await.problem(409, "PRODUCT_INACTIVE");
        assert_eq!(problem["product_ids"], json!([product]));
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_start_where_the_caller_may_let_them_start() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let body = |status: Value| json!({"status": status, "items": [{"product_id": laptop, "quantity": 1}]});
    for (status, state, payment) in [("confirmed", "confirmed", "unpaid"), ("paid", "confirmed", "paid")] {
        let order = root.post(ORDERS, body(json!(status))).await.expect(201);
        assert_eq!((&order["status"], &order["state"]), (&json!(status), &json!(state)));
        assert_eq!(order["payment"], payment);
        john.post(ORDERS, body(json!(status))).await.problem(403, "FORBIDDEN");
    }
    for status in ["shipped", "delivered", "cancelled"] {
        root.post(ORDERS, body(json!(status))).await.invalid(&["status"]);
    }
    // Null is as good as left out.
    let body = json!({"user_id": null, "status": null, "allocate_at": null,
        "items": [{"product_id": laptop, "quantity": 1}]});
    assert_eq!(john.post(ORDERS, body).await.expect(201)["status"], "pending");
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_taken_when_the_shop_or_staff_say_so() {
    let settings = Settings { allocate_at: domain::AllocateAt::Confirmation, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let (root, john, _, cable) = shop(&app).await;
    let body = |when: &str, quantity: i64| json!({"allocate_at": when, "items": [{"product_id": cable, "quantity": quantity}]});
    let order = john.post(ORDERS, one(cable, 4)).await.expect(201);
    assert_eq!((&order["allocate_at"], &order["items"][0]["allocated"]), (&json!("confirmation"), &json!(0)));
    assert_eq!(level(&app, cable).await, (5, 0));
    john.post(ORDERS, body("confirmation", 4)).await.expect(201);
    john.post(ORDERS, body("creation", 4)).await.problem(403, "FORBIDDEN");
    let order = root.post(ORDERS, body("creation", 1)).await.expect(201);
    assert_eq!(order["items"][0]["allocated"], 1);
    assert_eq!(
        root.post("/api/v1/orders/1/confirm", json!({})).await.expect(200)["items"][0]["allocated"],
        4
    );
    let problem = root.post("/api/v1/orders/2/confirm", json!({})).await.problem(409, "INSUFFICIENT_STOCK");
    assert_eq!(problem["products"], json!([{"product_id": cable, "requested": 4, "available": 0}]));
    root.patch("/api/v1/orders/2", json!({"status": "paid"})).await.problem(409, "INSUFFICIENT_STOCK");
    // What holds nothing gives nothing back.
    root.post("/api/v1/orders/2/cancel", json!({})).await.expect(200);
    assert_eq!(level(&app, cable).await, (5, 5));
    root.post("/api/v1/orders/1/cancel", json!({})).await.expect(200);
    assert_eq!(level(&app, cable).await, (5, 1));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_every_bad_field_of_a_placement() {
    let app = TestApp::start().await;
    let (_, john, laptop, _) = shop(&app).await;
    let line = |line: Value| json!({"items": [line]});
    let too_many: Vec<Value> = vec![json!({"product_id": laptop, "quantity": 1}); 201];
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &["items"]),
        (json!({"items": null}), &["items"]),
        (json!({"items": []}), &["items"]),
        (json!({"items": {}}), &["items"]),
        (json!({"items": "1"}), &["items"]),
        (json!({"items": too_many}), &["items"]),
        (line(json!(null)), &["items[0]"]),
        (line(json!([laptop, 1])), &["items[0]"]),
        (line(json!({})), &["items[0].product_id", "items[0].quantity"]),
        (line(json!({"product_id": laptop})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": 0})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": -1})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": 1.5})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": 1e300})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": "2"})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": true})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": null})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": 1_000_000_001_i64})), &["items[0].quantity"]),
        (line(json!({"product_id": laptop, "quantity": u64::MAX})), &["items[0].quantity"]),
        (line(json!({"product_id": 0, "quantity": 1})), &["items[0].product_id"]),
        (line(json!({"product_id": "1", "quantity": 1})), &["items[0].product_id"]),
        (line(json!({"product_id": laptop, "quantity": 1, "price": 1})), &["items[0].price"]),
        (json!({"user_id": 0, "items": [{"product_id": laptop, "quantity": 1}]}), &["user_id"]),
        (json!({"user_id": "x", "items": [{"product_id": laptop, "quantity": 1}]}), &["user_id"]),
        (json!({"status": "Pending", "items": [{"product_id": laptop, "quantity": 1}]}), &["status"]),
        (json!({"status": 1, "items": [{"product_id": laptop, "quantity": 1}]}), &["status"]),
        (json!({"allocate_at": "never", "items": [{"product_id": laptop, "quantity": 1}]}), &["allocate_at"]),
        (json!({"total": 1, "items": [{"product_id": laptop, "quantity": 1}]}), &["total"]),
        (json!([]), &["body"]),
        (json!("x"), &["body"]),
        (json!(null), &["body"]),
    ];
    for (body, fields) in cases {
        let answer = john.post(ORDERS, body.clone()).await;
        assert_eq!(answer.status, 400, "{body} {answer:?}");
        answer.invalid(fields);
    }
    let bodies: [(&[u8], &str); 8] = [
        (b"", "body"),
        (b"{", "body"),
        (b"{\"items\": [}", "body"),
        (b"\xff", "body"),
        (b"{\"status\": \"\xff\", \"items\": []}", "status"),
        (b"{\"status\": \"\\u0000\", \"items\": [{\"product_id\": 1, \"quantity\": 1}]}", "status"),
        (b"{\"items\": [{\"product_id\": 1, \"quantity\": 1}], \"items\": [{\"product_id\": 1, \"quantity\": 1}]}", "items"),
        (b"{\"items\": [{\"product_id\": 1, \"quantity\": 99999999999999999999999999}]}", "items[0].quantity"),
    ];
    for (body, field) in bodies {
        let answer = john.send(Method::POST, ORDERS, &[], Some(Bytes::from_static(body))).await;
        assert_eq!(answer.status, 400, "{} {answer:?}", String::from_utf8_lossy(body));
        answer.invalid(&[field]);
    }
    let deep = format!("{{\"items\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    john.send(Method::POST, ORDERS, &[], Some(deep)).await.invalid(&["body"]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    john.send(Method::POST, ORDERS, &form, Some("a=b")).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(john.get(ORDERS).await.expect(200)["orders"], json!([]));
    // Last, for the server may close the connection rather than read on.
    let large = "x".repeat(300_000);
    john.send(Method::POST, ORDERS, &[], Some(large)).await.problem(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_total_cannot_be_represented_is_refused() {
    let app = TestApp::start().await;
    let (root, ..) = shop(&app).await;
    let gold = app.product(&root, "Gold", 1_000_000_000_000, 1_000_000_000_000).await;
    root.post(ORDERS, one(gold, 10_000_000)).await.invalid(&["items"]);
    for _ in 0..3 {
        root.post(ORDERS, one(gold, 9_000_000)).await.expect(201);
    }
    // Together they are more than any one order can be, and the list says so all the same.
    let list = root.get(ORDERS).await;
    list.expect(200);
    assert!(list.text.contains("\"total_amount_cents\":27000000000000000000,"), "{list:?}");
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_has_one_effect_and_one_answer() {
    let app = TestApp::start().await;
    let (root, john, laptop, cable) = shop(&app).await;
    let body = one(laptop, 2);
    let first = keyed(&john, Method::POST, ORDERS, "k1", &body).await;
    first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = keyed(&john, Method::POST, ORDERS, "k1", &body).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for header in ["etag", "location", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(level(&app, laptop).await, (10, 2));
    keyed(&john, Method::POST, ORDERS, "k1", &one(laptop, 3)).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    // Keys of different callers never meet.
    assert_eq!(keyed(&root, Method::POST, ORDERS, "k1", &body).await.expect(201)["order_id"], 2);

    // A refusal is an answer, too, also after its reason is gone.
    let refused = keyed(&john, Method::POST, ORDERS, "k2", &one(cable, 6)).await;
    refused.problem(409, "INSUFFICIENT_STOCK");
    let stock = json!({"expected": 5, "quantity": 50});
    let _ = root.post(&format!("/api/v1/products/{cable}/stock/set"), stock).await;
    let again = keyed(&john, Method::POST, ORDERS, "k2", &one(cable, 6)).await;
    assert_eq!(again.text, refused.text);
    again.problem(409, "INSUFFICIENT_STOCK");
    assert_eq!(again.header("idempotency-replayed"), "true");

    let path = format!("{ORDERS}/1");
    let paid = keyed(&root, Method::PATCH, &path, "k3", &json!({"status": "paid"})).await;
    assert_eq!(tagged_version(&paid), 2);
    root.post(&format!("{path}/ship"), json!({})).await.expect(200);
    let again = keyed(&root, Method::PATCH, &path, "k3", &json!({"status": "paid"})).await;
    assert_eq!((again.header("etag"), &again.text), (paid.header("etag"), &paid.text));
    keyed(&root, Method::POST, &format!("{path}/deliver"), "k3", &json!({}))
        .await
        .problem(422, "IDEMPOTENCY_KEY_REUSED");
    let done = keyed(&root, Method::POST, &format!("{path}/deliver"), "k4", &json!({})).await;
    let again = keyed(&root, Method::POST, &format!("{path}/deliver"), "k4", &json!({})).await;
    assert_eq!((done.expect(200), again.header("idempotency-replayed")), (again.expect(200), "true"));
    let long = "k".repeat(256);
    for bad in ["", "a b", long.as_str(), "ä"] {
        keyed(&john, Method::POST, ORDERS, bad, &body).await.invalid(&["Idempotency-Key"]);
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    john.send(Method::POST, ORDERS, &twice, Some(body.to_string())).await.invalid(&["Idempotency-Key"]);
    keyed(&john, Method::POST, ORDERS, &"k".repeat(255), &body).await.expect(201);
    app.verify().await;
}
