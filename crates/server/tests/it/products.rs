//! The catalogue.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, TestApp};

const PRODUCTS: &str = "/api/v1/products";

fn path(id: i64) -> String {
    format!("{PRODUCTS}/{id}")
}

fn ids(list: &Value) -> Vec<i64> {
    list["products"].as_array().unwrap().iter().map(|product| product["id"].as_i64().unwrap()).collect()
}

/// Asserts that a list answers with these products.
async fn lists(caller: &Caller<'_>, query: &str, expected: &[i64]) {
    let list = caller.get(&format!("{PRODUCTS}{query}")).await.expect(200);
    assert_eq!(ids(&list), expected, "{query}");
}

async fn send(caller: &Caller<'_>, method: Method, path: &str, header: (&str, &str), body: &Value) -> Answer {
    caller.send(method, path, &[header], Some(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_added_shown_and_changed_as_documented() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let made = staff.post(PRODUCTS, json!({"name": "MacBook Pro 16\"", "price_cents": 249_999})).await;
    assert_eq!((made.header("location"), made.header("etag")), ("/api/v1/products/1", "\"1.0\""));
    let made = made.expect(201);
    assert_eq!(staff.get(&path(1)).await.expect(200), made);
    let at = made["created_at"].as_str().unwrap();
    assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    assert_eq!(
        made,
        json!({
            "id": 1, "sku": "SKU-1", "name": "MacBook Pro 16\"", "description": "", "price_cents": 249_999,
            "currency": "USD", "is_active": true, "archived_at": null, "low_stock_threshold": 0,
            "is_low_stock": true, "auto_deactivate": false, "on_hand": 0, "allocated": 0, "available": 0,
            "version": 1, "created_at": at, "updated_at": at,
        })
    );
    let changed = staff.patch(&path(1), json!({"name": "Updated Product Name", "price_cents": 2499})).await;
    assert_eq!(changed.header("etag"), "\"2.0\"");
    let changed = changed.expect(200);
    assert_eq!((&changed["name"], &changed["price_cents"]), (&json!("Updated Product Name"), &json!(2499)));
    assert_eq!(staff.get(PRODUCTS).await.expect(200)["products"][0], changed);

    let all = json!({
        "name": "Tea", "price_cents": 0, "sku": "T 1", "description": "Green\nand good", "stock_quantity": 5,
        "low_stock_threshold": 4, "is_active": false, "auto_deactivate": true,
    });
    let made = staff.post(PRODUCTS, all.clone()).await;
    assert_eq!(made.header("etag"), "\"1.1\"");
    let made = made.expect(201);
    for (name, value) in all.as_object().unwrap().iter().filter(|(name, _)| *name != "stock_quantity") {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(
        (&made["on_hand"], &made["available"], &made["is_low_stock"]),
        (&json!(5), &json!(5), &json!(false))
    );
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_product_that_is_wrong_is_refused_by_field() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let long = "x".repeat(201);
    for (body, fields) in [
        (json!({}), &["name", "price_cents"][..]),
        (json!([]), &["body"]),
        (json!("x"), &["body"]),
        (json!({"name": 7, "price_cents": "1"}), &["name", "price_cents"]),
        (json!({"name": "", "price_cents": -1}), &["name", "price_cents"]),
        (json!({"name": long, "price_cents": 1_000_000_000_001_i64}), &["name", "price_cents"]),
        (json!({"name": "a\u{0}b", "price_cents": 1.5}), &["name", "price_cents"]),
        (json!({"name": "a\nb", "price_cents": 1e30}), &["name", "price_cents"]),
        (json!({"name": null, "price_cents": null}), &["name", "price_cents"]),
        (json!({"name": "x", "price_cents": u64::MAX}), &["price_cents"]),
        (json!({"name": "x", "price_cents": 1, "sku": ""}), &["sku"]),
        (json!({"name": "x", "price_cents": 1, "sku": " x"}), &["sku"]),
        (json!({"name": "x", "price_cents": 1, "sku": null}), &["sku"]),
        (json!({"name": "x", "price_cents": 1, "sku": "SKU-77"}), &["sku"]),
        (json!({"name": "x", "price_cents": 1, "sku": "x".repeat(65)}), &["sku"]),
        (json!({"name": "x", "price_cents": 1, "description": null}), &["description"]),
        (json!({"name": "x", "price_cents": 1, "description": "x".repeat(5001)}), &["description"]),
        (json!({"name": "x", "price_cents": 1, "stock_quantity": -1}), &["stock_quantity"]),
        (json!({"name": "x", "price_cents": 1, "stock_quantity": null}), &["stock_quantity"]),
        (
            json!({"name": "x", "price_cents": 1, "stock_quantity": 1_000_000_000_001_i64}),
            &["stock_quantity"],
        ),
        (json!({"name": "x", "price_cents": 1, "low_stock_threshold": -1}), &["low_stock_threshold"]),
        (json!({"name": "x", "price_cents": 1, "is_active": "true"}), &["is_active"]),
        (json!({"name": "x", "price_cents": 1, "is_active": null}), &["is_active"]),
        (json!({"name": "x", "price_cents": 1, "auto_deactivate": 1}), &["auto_deactivate"]),
        (json!({"name": "x", "price_cents": 1, "currency": "EUR"}), &["currency"]),
        (json!({"name": "x", "price_cents": 1, "id": 7, "Name": "y"}), &["Name", "id"]),
    ] {
        staff.post(PRODUCTS, body).await.invalid(fields);
    }
    for (raw, field) in [
        (&b""[..], "body"),
        (b"{", "body"),
        (b"{\"name\":\"x\",\"price_cents\":1}x", "body"),
        (b"{\"name\":\"\xff\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"\\ud800\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"x\",\"name\":\"y\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"x\",\"price_cents\":1e999}", "price_cents"),
    ] {
        staff.send(Method::POST, PRODUCTS, &[], Some(raw)).await.invalid(&[field]);
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    staff.send(Method::POST, PRODUCTS, &form, Some("name=x")).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let large = json!({"name": "x", "price_cents": 1, "description": "x".repeat(300_000)});
    staff.post(PRODUCTS, large).await.problem(413, "PAYLOAD_TOO_LARGE");
    lists(&staff, "", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_belongs_to_one_product() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let body = json!({"name": "Tea", "price_cents": 1, "sku": "T"});
    staff.post(PRODUCTS, body.clone()).await.expect(201);
    staff.post(PRODUCTS, body).await.problem(409, "SKU_TAKEN");
    let other = app.product(&staff, "Cup", 1, 0).await;
    assert_eq!(other, 2, "refusals leave no gaps");
    staff.patch(&path(other), json!({"sku": "T"})).await.problem(409, "SKU_TAKEN");
    staff.patch(&path(other), json!({"sku": "SKU-1"})).await.invalid(&["sku"]);
    // Its own, also the generated one, may be said again.
    staff.patch(&path(other), json!({"sku": "SKU-2"})).await.expect(200);
    staff.patch(&path(other), json!({"sku": "t"})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_touches_what_it_names() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 3).await;
    let mut product = staff.get(&path(id)).await.expect(200);
    for (field, value) in [
        ("name", json!("Green tea")),
        ("price_cents", json!(0)),
        ("sku", json!("TEA")),
        ("description", json!("Two\nlines")),
        ("description", json!("")),
        ("low_stock_threshold", json!(3)),
        ("is_active", json!(false)),
        ("auto_deactivate", json!(true)),
    ] {
        let changed = staff.patch(&path(id), json!({field: value})).await.expect(200);
        product[field] = value;
        product["version"] = json!(product["version"].as_i64().unwrap() + 1);
        product["updated_at"] = changed["updated_at"].clone();
        product["is_low_stock"] = json!(3 <= product["low_stock_threshold"].as_i64().unwrap());
        assert_eq!(changed, product, "{field}");
        staff.patch(&path(id), json!({field: null})).await.invalid(&[field]);
    }
    assert_eq!(
        staff.patch(&path(id), json!({})).await.expect(200),
        product,
        "nothing asked, nothing changed"
    );
    assert_eq!(staff.patch(&path(id), json!({"sku": "TEA"})).await.expect(200), product);
    let wrong = json!({"name": " ", "price_cents": true, "stock_quantity": 4});
    staff.patch(&path(id), wrong).await.invalid(&["name", "price_cents", "stock_quantity"]);
    staff.patch(&path(9), json!({})).await.problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_guards_the_catalogue_data_and_not_the_stock() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 3).await;
    let increment = format!("{}/stock/increment", path(id));
    staff.post(&increment, json!({"quantity": 1})).await.expect(200);
    // Stock moved meanwhile; the version before the dot is still the one.
    for (price, tag) in ["\"1.1\"", "\"2\"", "*", "\"4.77\""].into_iter().enumerate() {
        let price = json!({"price_cents": price});
        send(&staff, Method::PATCH, &path(id), ("if-match", tag), &price).await.expect(200);
    }
    let toggle = format!("{}/toggle-active", path(id));
    for tag in ["\"1.1\"", "\"x\"", "\"05\"", "\"5.\"", "\"6\""] {
        let header = ("if-match", tag);
        let refused = send(&staff, Method::PATCH, &path(id), header, &json!({"name": "x"})).await;
        refused.problem(412, "PRECONDITION_FAILED");
        send(&staff, Method::POST, &toggle, header, &json!({})).await.problem(412, "PRECONDITION_FAILED");
        send(&staff, Method::DELETE, &path(id), header, &json!({})).await.problem(412, "PRECONDITION_FAILED");
    }
    for tag in ["5", "W/\"5\"", "\"4\", \"5\"", ""] {
        send(&staff, Method::PATCH, &path(id), ("if-match", tag), &json!({})).await.invalid(&["If-Match"]);
    }
    send(&staff, Method::POST, &toggle, ("if-match", "\"5.2\""), &json!({})).await.expect(200);
    send(&staff, Method::DELETE, &path(id), ("if-match", "\"6\""), &json!({})).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_the_product_gets_304_until_anything_changes() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 3).await;
    let read = async |tag: &str| {
        let headers = [("if-none-match", tag)];
        staff.send(Method::GET, &path(id), &headers, None::<String>).await
    };
    let fresh = read("\"1.1\"").await;
    assert_eq!((fresh.status.as_u16(), fresh.text.as_str(), fresh.header("etag")), (304, "", "\"1.1\""));
    read("W/\"1.1\", \"x\"").await.expect(304);
    read("*").await.expect(304);
    read("nonsense").await.expect(200);
    staff.post(&format!("{}/stock/decrement", path(id)), json!({"quantity": 1})).await.expect(200);
    assert_eq!(read("\"1.1\"").await.expect(200)["available"], 2);
    read("\"1.2\"").await.expect(304);
    staff.patch(&path(id), json!({"name": "Cup"})).await.expect(200);
    assert_eq!(read("\"1.2\"").await.header("etag"), "\"2.2\"");
    read("\"2\"").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_erased_or_archived_if_orders_refer_to_it() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let customer = app.user(&staff, "carl", "customer").await;
    let [ordered, unused] =
        [app.product(&staff, "Tea", 100, 3).await, app.product(&staff, "Cup", 100, 3).await];
    let items = json!({"items": [{"product_id": ordered, "quantity": 1}]});
    customer.post("/api/v1/orders", items).await.expect(201);

    let gone = staff.delete(&path(unused)).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    staff.get(&path(unused)).await.problem(404, "PRODUCT_NOT_FOUND");
    staff.delete(&path(unused)).await.problem(404, "PRODUCT_NOT_FOUND");

    let archived = staff.delete(&path(ordered)).await;
    assert_eq!(archived.header("etag"), "\"2.2\"");
    let archived = archived.expect(200);
    assert!(archived["archived_at"].is_string());
    assert_eq!(staff.delete(&path(ordered)).await.expect(200), archived, "once more is no more");
    assert_eq!(staff.get(&path(ordered)).await.expect(200), archived);
    customer.get(&path(ordered)).await.problem(404, "PRODUCT_NOT_FOUND");
    lists(&staff, "", &[]).await;
    lists(&staff, "?archived=true", &[ordered]).await;
    lists(&customer, "?archived=false", &[]).await;
    customer.get(&format!("{PRODUCTS}?archived=true")).await.problem(403, "FORBIDDEN");
    lists(&staff, "/low-stock", &[]).await;
    staff.patch(&path(ordered), json!({"name": "x"})).await.problem(409, "PRODUCT_ARCHIVED");
    staff.post(&format!("{}/toggle-active", path(ordered)), json!({})).await.problem(409, "PRODUCT_ARCHIVED");
    let again = json!({"name": "x", "price_cents": 1, "sku": archived["sku"]});
    staff.post(PRODUCTS, again).await.problem(409, "SKU_TAKEN");

    let restore = format!("{}/restore", path(ordered));
    let restored = staff.send(Method::POST, &restore, &[], None::<String>).await.expect(200);
    assert_eq!((&restored["archived_at"], &restored["version"]), (&Value::Null, &json!(3)));
    assert_eq!(staff.post(&restore, json!({})).await.expect(200), restored);
    lists(&customer, "", &[ordered]).await;
    staff.post(&format!("{}/restore", path(77)), json!({})).await.problem(404, "PRODUCT_NOT_FOUND");
    staff.post(&restore, json!({"x": 1})).await.invalid(&["x"]);
    staff.delete(&path(ordered)).await.expect(200);
    let restore_seen = async |tag| {
        let seen = [("if-match", tag)];
        staff.send(Method::POST, &restore, &seen, None::<String>).await
    };
    restore_seen("\"3\"").await.problem(412, "PRECONDITION_FAILED");
    restore_seen("\"4.1\"").await.expect(200);
    restore_seen("\"4.1\"").await.problem(412, "PRECONDITION_FAILED");
    restore_seen("*").await.expect(200);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn toggling_turns_a_product_off_and_on() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 3).await;
    let toggle = format!("{}/toggle-active", path(id));
    for (active, version) in [(false, 2), (true, 3)] {
        let turned = staff.send(Method::POST, &toggle, &[], None::<String>).await;
        assert_eq!(turned.header("etag"), format!("\"{version}.1\""));
        let turned = turned.expect(200);
        assert_eq!((&turned["is_active"], &turned["version"]), (&json!(active), &json!(version)));
    }
    let key = ("idempotency-key", "once");
    let off = send(&staff, Method::POST, &toggle, key, &json!({})).await.expect(200);
    let again = send(&staff, Method::POST, &toggle, key, &json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(200), off);
    staff.post(&format!("{}/toggle-active", path(9)), json!({})).await.problem(404, "PRODUCT_NOT_FOUND");
    staff.post(&toggle, json!([])).await.invalid(&["body"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_first_answer() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let other = app.user(&staff, "sam", "staff").await;
    let tea = json!({"name": "Tea", "price_cents": 1, "sku": "T"});
    let key = ("idempotency-key", "k-1");
    let first = send(&staff, Method::POST, PRODUCTS, key, &tea).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = send(&staff, Method::POST, PRODUCTS, key, &tea).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(
        (again.header("etag"), again.header("location")),
        (first.header("etag"), first.header("location"))
    );
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    first.expect(201);
    let cup = json!({"name": "Cup", "price_cents": 1});
    let reused = send(&staff, Method::POST, PRODUCTS, key, &cup).await;
    reused.problem(422, "IDEMPOTENCY_KEY_REUSED");
    // Another caller's keys are another caller's; and a refusal is an answer, too.
    for replayed in ["", "true"] {
        let refused = send(&other, Method::POST, PRODUCTS, key, &tea).await;
        refused.problem(409, "SKU_TAKEN");
        assert_eq!(refused.header("idempotency-replayed"), replayed);
    }
    // What was invalid is not kept: corrected, the same key will do.
    let key = ("idempotency-key", "k-2");
    send(&staff, Method::POST, PRODUCTS, key, &json!({"name": ""})).await.invalid(&["name", "price_cents"]);
    send(&staff, Method::POST, PRODUCTS, key, &cup).await.expect(201);
    let key = ("idempotency-key", "k-3");
    let price = json!({"price_cents": 5});
    let changed = send(&staff, Method::PATCH, &path(2), key, &price).await.expect(200);
    staff.patch(&path(2), json!({"price_cents": 6})).await.expect(200);
    let replay = send(&staff, Method::PATCH, &path(2), key, &price).await;
    assert_eq!((replay.expect(200), replay.header("etag")), (changed, "\"2.0\""));
    send(&staff, Method::PATCH, &path(1), key, &price).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    for _ in 0..2 {
        send(&staff, Method::DELETE, &path(2), ("idempotency-key", "k-4"), &json!({})).await.expect(204);
    }
    for bad in ["", "a b", "ä", &"x".repeat(256)] {
        let refused = send(&staff, Method::POST, PRODUCTS, ("idempotency-key", bad), &tea).await;
        refused.invalid(&["Idempotency-Key"]);
    }
    lists(&staff, "", &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_open_to_callers_and_its_changes_to_staff() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let staff = app.user(&admin, "sam", "staff").await;
    let customer = app.user(&admin, "carl", "customer").await;
    let id = app.product(&staff, "Tea", 100, 3).await;
    let stranger = app.stranger();
    for (method, tail) in [
        (Method::POST, String::new()),
        (Method::GET, "/low-stock".to_owned()),
        (Method::PATCH, format!("/{id}")),
        (Method::DELETE, format!("/{id}")),
        (Method::POST, format!("/{id}/toggle-active")),
        (Method::POST, format!("/{id}/restore")),
    ] {
        // Permission is settled before anything is looked at: the body is broken.
        let path = format!("{PRODUCTS}{tail}");
        let call = async |caller: &Caller<'_>| caller.send(method.clone(), &path, &[], Some("{")).await;
        call(&stranger).await.problem(401, "UNAUTHENTICATED");
        call(&customer).await.problem(403, "FORBIDDEN");
        if method != Method::GET {
            call(&staff).await.invalid(&["body"]);
        }
    }
    for path in [PRODUCTS.to_owned(), path(id)] {
        stranger.get(&path).await.problem(401, "UNAUTHENTICATED");
        assert_eq!(customer.get(&path).await.expect(200), staff.get(&path).await.expect(200));
    }
    for bad in
        ["0", "-1", "abc", "1.5", "+1", "9223372036854775808", "%00", "%ff", "1%20", "99999999999999999999"]
    {
        let refused = customer.get(&format!("{PRODUCTS}/{bad}")).await;
        assert_eq!(refused.problem(400, "VALIDATION_ERROR")["errors"].as_array().unwrap().len(), 1, "{bad}");
    }
    customer.get(&path(i64::MAX)).await.problem(404, "PRODUCT_NOT_FOUND");
    let put = staff.send(Method::PUT, &path(id), &[], Some("{}")).await;
    put.problem(405, "METHOD_NOT_ALLOWED");
}
