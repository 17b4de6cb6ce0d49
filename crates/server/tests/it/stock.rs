//! Stock levels and their ledger.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, TestApp};

const ADJUSTMENTS: &str = "/api/v1/stock/adjustments";

fn path(id: i64, tail: &str) -> String {
    format!("/api/v1/products/{id}/{tail}")
}

/// On hand, allocated, available.
async fn level(caller: &Caller<'_>, id: i64) -> (i64, i64, i64) {
    let product = caller.get(&format!("/api/v1/products/{id}")).await.expect(200);
    let number = |name: &str| product[name].as_i64().unwrap();
    (number("on_hand"), number("allocated"), number("available"))
}

/// Has an order placed that holds so many pieces.
async fn hold(caller: &Caller<'_>, id: i64, quantity: i64) -> i64 {
    let items = json!({"items": [{"product_id": id, "quantity": quantity}]});
    caller.post("/api/v1/orders", items).await.expect(201)["order_id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_comes_goes_and_is_counted_with_a_line_in_the_ledger_each() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let staff = app.user(&admin, "sam", "staff").await;
    let id = app.product(&staff, "Tea", 100, 10).await;
    let more = staff.post(&path(id, "stock/increment"), json!({"quantity": 5, "reason": "delivery"})).await;
    assert_eq!(more.header("etag"), "\"1.2\"");
    let request_id = more.header("x-request-id").to_owned();
    let shown = more.expect(200);
    assert_eq!(staff.get(&format!("/api/v1/products/{id}")).await.expect(200), shown);
    assert_eq!((&shown["on_hand"], &shown["version"]), (&json!(15), &json!(1)));
    let less = json!({"quantity": 4, "reason": "damaged", "note": "Two\nlines"});
    assert_eq!(staff.post(&path(id, "stock/decrement"), less).await.expect(200)["on_hand"], 11);
    let counted = json!({"on_hand": 12, "expected": 11});
    assert_eq!(staff.post(&path(id, "stock/set"), counted).await.expect(200)["on_hand"], 12);
    let counted = json!({"on_hand": 0});
    assert_eq!(admin.post(&path(id, "stock/set"), counted).await.expect(200)["is_low_stock"], true);

    let ledger = staff.get(&path(id, "stock/movements")).await.expect(200);
    assert_eq!(
        (&ledger["limit"], &ledger["offset"], &ledger["next_cursor"]),
        (&json!(20), &json!(0), &Value::Null)
    );
    let lines = ledger["movements"].as_array().unwrap();
    let short: Vec<_> = lines
        .iter()
        .map(|line| {
            let number = |name: &str| line[name].as_i64().unwrap();
            let kind = line["kind"].as_str().unwrap();
            (number("id"), kind, number("on_hand_before"), number("on_hand_delta"), number("on_hand_after"))
        })
        .collect();
    assert_eq!(
        short,
        [
            (5, "counted", 12, -12, 0),
            (4, "counted", 11, 1, 12),
            (3, "removed", 15, -4, 11),
            (2, "received", 10, 5, 15),
            (1, "opening", 0, 10, 10)
        ]
    );
    let at = lines[3]["at"].as_str().unwrap();
    assert!(at.ends_with('Z'));
    assert_eq!(
        lines[3],
        json!({
            "id": 2, "product_id": id, "kind": "received", "on_hand_before": 10, "on_hand_delta": 5,
            "on_hand_after": 15, "allocated_before": 0, "allocated_delta": 0, "allocated_after": 0,
            "order_id": null, "actor_id": staff.id, "actor_name": "sam Example", "reason": "delivery",
            "note": null, "request_id": request_id, "at": at,
        })
    );
    assert_eq!((&lines[2]["reason"], &lines[2]["note"]), (&json!("damaged"), &json!("Two\nlines")));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_orders_hold_stays() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 10).await;
    let order = hold(&staff, id, 7).await;
    assert_eq!(level(&staff, id).await, (10, 7, 3));
    let refused = staff.post(&path(id, "stock/decrement"), json!({"quantity": 4})).await;
    let problem = refused.problem(409, "INSUFFICIENT_STOCK");
    assert_eq!(problem["products"], json!([{"product_id": id, "requested": 4, "available": 3}]));
    let problem = staff.post(&path(id, "stock/set"), json!({"on_hand": 6})).await;
    let problem = problem.problem(409, "STOCK_ALLOCATED");
    assert_eq!((&problem["requested"], &problem["allocated"]), (&json!(6), &json!(7)));
    let problem = staff.post(&path(id, "stock/set"), json!({"on_hand": 20, "expected": 3})).await;
    let problem = problem.problem(409, "STOCK_CHANGED");
    assert_eq!((&problem["expected"], &problem["actual"]), (&json!(3), &json!(10)));
    staff.post(&path(id, "stock/decrement"), json!({"quantity": 3})).await.expect(200);
    staff.post(&path(id, "stock/set"), json!({"on_hand": 7, "expected": 7})).await.expect(200);
    assert_eq!(level(&staff, id).await, (7, 7, 0));
    let lines = staff.get(&path(id, "stock/movements")).await.expect(200);
    let held = &lines["movements"][2];
    assert_eq!((&held["kind"], &held["order_id"]), (&json!("allocated"), &json!(order)));
    assert_eq!(
        [&held["allocated_before"], &held["allocated_delta"], &held["allocated_after"]].map(Value::as_i64),
        [Some(0), Some(7), Some(7)]
    );
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_has_a_limit_and_the_refusal_names_the_field_of_the_request() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 0).await;
    staff.post(&path(id, "stock/set"), json!({"on_hand": 999_999_999_999_i64})).await.expect(200);
    let refused = staff.post(&path(id, "stock/increment"), json!({"quantity": 2})).await;
    refused.invalid(&["quantity"]);
    let key = [("idempotency-key", "k")];
    let body = json!({"quantity": 2}).to_string();
    for replayed in ["", "true"] {
        let refused = staff.send(Method::POST, &path(id, "stock/increment"), &key, Some(body.clone())).await;
        refused.invalid(&["quantity"]);
        assert_eq!(refused.header("idempotency-replayed"), replayed);
    }
    let lines = json!({"lines": [
        {"change": "increment", "product_id": id, "quantity": 1},
        {"change": "increment", "product_id": id, "quantity": 1},
    ]});
    let refused = staff.post(ADJUSTMENTS, lines).await;
    refused.invalid(&["lines[1].quantity"]);
    assert_eq!(refused.json()["errors"][0]["message"], "is too large: nothing more fits");
    assert_eq!(level(&staff, id).await.0, 999_999_999_999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_stock_that_is_wrong_is_refused_by_field() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 10).await;
    for (body, fields) in [
        (json!({}), &["quantity"][..]),
        (json!([1]), &["body"]),
        (json!({"quantity": 0}), &["quantity"]),
        (json!({"quantity": -1}), &["quantity"]),
        (json!({"quantity": "1"}), &["quantity"]),
        (json!({"quantity": 1.5}), &["quantity"]),
        (json!({"quantity": null}), &["quantity"]),
        (json!({"quantity": 1_000_000_001}), &["quantity"]),
        (json!({"quantity": u64::MAX}), &["quantity"]),
        (json!({"quantity": 1, "reason": ""}), &["reason"]),
        (json!({"quantity": 1, "reason": "x".repeat(101), "note": "x".repeat(1001)}), &["note", "reason"]),
        (json!({"quantity": 1, "reason": null, "note": null}), &["note", "reason"]),
        (json!({"quantity": 1, "reason": "a\nb", "note": "a\u{0}b"}), &["note", "reason"]),
        (json!({"quantity": 1, "on_hand": 3}), &["on_hand"]),
    ] {
        staff.post(&path(id, "stock/increment"), body.clone()).await.invalid(fields);
        staff.post(&path(id, "stock/decrement"), body).await.invalid(fields);
    }
    for (body, fields) in [
        (json!({}), &["on_hand"][..]),
        (json!({"on_hand": -1, "expected": -1}), &["expected", "on_hand"]),
        (json!({"on_hand": 1, "expected": null}), &["expected"]),
        (json!({"on_hand": 1_000_000_000_001_i64}), &["on_hand"]),
        (json!({"on_hand": "10"}), &["on_hand"]),
        (json!({"on_hand": 1, "quantity": 1}), &["quantity"]),
    ] {
        staff.post(&path(id, "stock/set"), body).await.invalid(fields);
    }
    for change in ["increment", "decrement", "set"] {
        let at = path(id, &format!("stock/{change}"));
        staff.send(Method::POST, &at, &[], Some(&b"\"\xff\""[..])).await.invalid(&["body"]);
        let body = if change == "set" { json!({"on_hand": 1}) } else { json!({"quantity": 1}) };
        let nowhere = staff.post(&path(77, &format!("stock/{change}")), body).await;
        assert_eq!(nowhere.problem(404, "PRODUCT_NOT_FOUND")["product_ids"], json!([77]));
        staff.post(&path(0, &format!("stock/{change}")), json!({})).await.problem(400, "VALIDATION_ERROR");
    }
    assert_eq!(level(&staff, id).await, (10, 0, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_products_are_adjusted_all_or_none() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let [tea, cup, jar] = [
        app.product(&staff, "Tea", 100, 10).await,
        app.product(&staff, "Cup", 100, 10).await,
        app.product(&staff, "Jar", 100, 10).await,
    ];
    let lines = json!({"lines": [
        {"change": "set", "product_id": cup, "on_hand": 3, "expected": 10, "reason": "stocktake", "note": "n"},
        {"change": "decrement", "product_id": tea, "quantity": 10},
        {"change": "increment", "product_id": cup, "quantity": 2},
    ]});
    let done = staff.post(ADJUSTMENTS, lines).await.expect(200);
    let shown: Vec<_> =
        done["products"].as_array().unwrap().iter().map(|p| (&p["id"], &p["on_hand"])).collect();
    assert_eq!(shown, [(&json!(cup), &json!(5)), (&json!(tea), &json!(0))]);
    let line = staff.get(&path(cup, "stock/movements?limit=2")).await.expect(200)["movements"][1].clone();
    assert_eq!(
        (&line["kind"], &line["reason"], &line["note"]),
        (&json!("counted"), &json!("stocktake"), &json!("n"))
    );

    let out = |id: i64, quantity: i64| json!({"change": "decrement", "product_id": id, "quantity": quantity});
    let refused = staff.post(ADJUSTMENTS, json!({"lines": [out(jar, 1), out(tea, 1), out(cup, 6)]})).await;
    assert_eq!(
        refused.problem(409, "INSUFFICIENT_STOCK")["products"],
        json!([
            {"product_id": tea, "requested": 1, "available": 0},
            {"product_id": cup, "requested": 6, "available": 5},
        ])
    );
    let refused =
        staff.post(ADJUSTMENTS, json!({"lines": [out(jar, 1), out(77, 1), out(78, 1), out(77, 1)]})).await;
    assert_eq!(refused.problem(404, "PRODUCT_NOT_FOUND")["product_ids"], json!([77, 78]));
    let stale = json!({"change": "set", "product_id": cup, "on_hand": 9, "expected": 9});
    let refused = staff.post(ADJUSTMENTS, json!({"lines": [out(jar, 1), stale]})).await;
    refused.problem(409, "STOCK_CHANGED");
    hold(&staff, jar, 1).await;
    staff.delete(&format!("/api/v1/products/{jar}")).await.expect(200);
    let refused = staff.post(ADJUSTMENTS, json!({"lines": [out(cup, 1), out(jar, 1)]})).await;
    refused.problem(409, "PRODUCT_ARCHIVED");
    staff.post(&path(jar, "stock/increment"), json!({"quantity": 1})).await.problem(409, "PRODUCT_ARCHIVED");
    for (id, on_hand) in [(tea, 0), (cup, 5), (jar, 10)] {
        assert_eq!(level(&staff, id).await.0, on_hand);
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_that_is_wrong_is_refused_by_line_and_field() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 10).await;
    let good = json!({"change": "increment", "product_id": id, "quantity": 1});
    for (lines, fields) in [
        (json!(null), &["lines"][..]),
        (json!({}), &["lines"]),
        (json!([]), &["lines"]),
        (json!([7]), &["lines[0]"]),
        (json!([good, {}]), &["lines[1].product_id", "lines[1].change"]),
        (json!([{"change": "increment", "product_id": id}]), &["lines[0].quantity"]),
        (json!([{"change": "set", "product_id": id}]), &["lines[0].on_hand"]),
        (json!([{"change": "bogus", "product_id": id, "quantity": 1}]), &["lines[0].change"]),
        (json!([{"change": 1, "product_id": id, "quantity": 1}]), &["lines[0].change"]),
        (
            json!([good, {"change": "increment", "product_id": 0, "quantity": 0}]),
            &["lines[1].product_id", "lines[1].quantity"],
        ),
        (
            json!([{"change": "decrement", "product_id": id, "quantity": 1, "on_hand": 1, "expected": 1}]),
            &["lines[0].on_hand", "lines[0].expected"],
        ),
        (json!([{"change": "set", "product_id": id, "on_hand": 1, "quantity": 1}]), &["lines[0].quantity"]),
        (
            json!([{"change": "set", "product_id": id, "on_hand": 1, "expected": null}]),
            &["lines[0].expected"],
        ),
        (
            json!([{"change": "set", "product_id": id, "on_hand": -1, "reason": ""}]),
            &["lines[0].on_hand", "lines[0].reason"],
        ),
        (json!([{"change": "set", "product_id": id, "on_hand": 1, "x": 1}]), &["lines[0].x"]),
        (json!(vec![good.clone(); 501]), &["lines"]),
    ] {
        staff.post(ADJUSTMENTS, json!({"lines": lines})).await.invalid(fields);
    }
    staff.post(ADJUSTMENTS, json!({})).await.invalid(&["lines"]);
    staff.post(ADJUSTMENTS, json!({"lines": [good], "items": []})).await.invalid(&["items"]);
    assert_eq!(level(&staff, id).await.0, 10);
    staff.post(ADJUSTMENTS, json!({"lines": vec![good; 500]})).await.expect(200);
    assert_eq!(level(&staff, id).await.0, 510);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_change_of_stock_is_made_once() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let id = app.product(&staff, "Tea", 100, 10).await;
    let one = json!({"lines": [{"change": "decrement", "product_id": id, "quantity": 1}]});
    for (at, body) in [
        (path(id, "stock/increment"), json!({"quantity": 2})),
        (path(id, "stock/decrement"), json!({"quantity": 1})),
        (path(id, "stock/set"), json!({"on_hand": 9, "expected": 11})),
        (ADJUSTMENTS.to_owned(), one),
    ] {
        let header = [("idempotency-key", at.as_str())];
        let send = async |body: &Value| staff.send(Method::POST, &at, &header, Some(body.to_string())).await;
        let first = send(&body).await;
        let again = send(&body).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((&again.text, again.header("etag")), (&first.text, first.header("etag")));
        first.expect(200);
        let other = json!({"quantity": 3, "on_hand": 3});
        send(&other).await.problem(400, "VALIDATION_ERROR");
    }
    assert_eq!(level(&staff, id).await.0, 8);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_paged_and_outlives_the_product() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let other = app.product(&staff, "Cup", 100, 1).await;
    let id = app.product(&staff, "Tea", 100, 1).await;
    for _ in 0..4 {
        staff.post(&path(id, "stock/increment"), json!({"quantity": 1})).await.expect(200);
        staff.post(&path(other, "stock/increment"), json!({"quantity": 1})).await.expect(200);
    }
    let page = async |query: &str| {
        let list = staff.get(&path(id, &format!("stock/movements{query}"))).await.expect(200);
        let lines = list["movements"].as_array().unwrap().iter();
        let after: Vec<_> = lines.map(|line| line["on_hand_after"].as_i64().unwrap()).collect();
        (after, list["next_cursor"].as_str().map(str::to_owned))
    };
    let (first, cursor) = page("?limit=2").await;
    assert_eq!(first, [5, 4]);
    let (second, cursor) = page(&format!("?limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!(second, [3, 2]);
    assert_eq!(page(&format!("?limit=2&cursor={}", cursor.unwrap())).await, (vec![1], None));
    assert_eq!(page("?limit=2&offset=3").await, (vec![2, 1], None));
    assert_eq!(page("?limit=2&page=2").await.0, [3, 2]);
    assert_eq!(page("?offset=5").await, (Vec::new(), None));
    for (query, field) in [("?cursor=x", "cursor"), ("?limit=0", "limit"), ("?sort=id", "sort")] {
        staff.get(&path(id, &format!("stock/movements{query}"))).await.invalid(&[field]);
    }
    staff.get(&path(77, "stock/movements")).await.problem(404, "PRODUCT_NOT_FOUND");
    let empty = app.product(&staff, "Jar", 100, 0).await;
    let ledger = staff.get(&path(empty, "stock/movements")).await.expect(200);
    assert_eq!(ledger["movements"], json!([]), "it is there, and nothing has moved");
    staff.delete(&format!("/api/v1/products/{id}")).await.expect(204);
    assert_eq!(page("?limit=1").await.0, [0], "what was left is written off");
    assert_eq!(page("?offset=6").await, (Vec::new(), None));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_asks_for_it_turns_inactive_with_its_last_piece() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let body = json!({"name": "Tea", "price_cents": 1, "stock_quantity": 3, "auto_deactivate": true,
        "low_stock_threshold": 1});
    let id = staff.post("/api/v1/products", body).await.expect(201)["id"].as_i64().unwrap();
    let low = async || staff.get("/api/v1/products/low-stock").await.expect(200)["products"][0]["id"].clone();
    assert_eq!(low().await, Value::Null);
    let product = staff.post(&path(id, "stock/decrement"), json!({"quantity": 2})).await.expect(200);
    assert_eq!((&product["is_active"], &product["is_low_stock"]), (&json!(true), &json!(true)));
    assert_eq!(low().await, json!(id));
    let product = staff.post(&path(id, "stock/decrement"), json!({"quantity": 1})).await;
    assert_eq!(product.header("etag"), "\"2.3\"");
    assert_eq!(product.expect(200)["is_active"], false);
    let items = json!({"items": [{"product_id": id, "quantity": 1}]});
    staff.post(&path(id, "stock/increment"), json!({"quantity": 5})).await.expect(200);
    staff.post("/api/v1/orders", items).await.problem(409, "PRODUCT_INACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_the_business_of_staff() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let customer = app.user(&admin, "carl", "customer").await;
    let id = app.product(&admin, "Tea", 100, 3).await;
    for (method, at) in [
        (Method::POST, path(id, "stock/increment")),
        (Method::POST, path(id, "stock/decrement")),
        (Method::POST, path(id, "stock/set")),
        (Method::GET, path(id, "stock/movements")),
        (Method::POST, ADJUSTMENTS.to_owned()),
    ] {
        let call = async |caller: &Caller<'_>| caller.send(method.clone(), &at, &[], Some("{")).await;
        call(&app.stranger()).await.problem(401, "UNAUTHENTICATED");
        call(&customer).await.problem(403, "FORBIDDEN");
    }
}
