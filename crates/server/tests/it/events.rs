//! Following what happens.

use serde_json::{Value, json};

use crate::harness::TestApp;

const EVENTS: &str = "/api/v1/events";

#[tokio::test(flavor = "multi_thread")]
async fn tells_staff_what_happened_in_order() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    let tea = app.product(&root, "Tea", 100, 10).await;
    let order = json!({"items": [{"product_id": tea, "quantity": 3}]});
    let placed = john.post("/api/v1/orders", order).await;
    placed.expect(201);
    root.post("/api/v1/orders/1/cancel", json!({})).await.expect(200);

    let staff = app.user(&root, "sue", "staff").await;
    let all = staff.get(EVENTS).await.expect(200);
    let events = all["events"].as_array().unwrap();
    let find = |kind: &str| events.iter().rfind(|event| event["kind"] == kind).unwrap_or(&Value::Null);
    let placing = find("order_placed");
    assert_eq!(
        *placing,
        json!({
            "id": placing["id"], "kind": "order_placed", "at": placing["at"], "order_id": 1, "product_id": null,
            "user_id": john.id, "actor_id": john.id, "actor_name": "john Example",
            "request_id": placed.header("x-request-id"),
            "data": {"total_amount_cents": 300, "total_quantity": 3},
        })
    );
    let cancelling = find("order_cancelled");
    assert_eq!(cancelling["data"], json!({"from": "pending", "released": 3}));
    assert_eq!((&cancelling["actor_id"], &cancelling["actor_name"]), (&json!(root.id), &json!("root")));
    assert_eq!(find("product_created")["product_id"], tea);
    assert_eq!(find("user_created")["user_id"], staff.id);
    assert!(events.windows(2).all(|pair| pair[0]["id"].as_i64() < pair[1]["id"].as_i64()));
    assert_eq!(all["next_after"], events.last().unwrap()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_low_is_told_once_for_each_crossing() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let body = json!({"name": "Tea", "price_cents": 1, "stock_quantity": 5, "low_stock_threshold": 2});
    let tea = staff.post("/api/v1/products", body).await.expect(201)["id"].as_i64().unwrap();
    let order = |quantity: i64| json!({"items": [{"product_id": tea, "quantity": quantity}]});
    for quantity in [2, 1, 1] {
        // 3 is above the threshold, 2 is at it, 1 has been told of.
        staff.post("/api/v1/orders", order(quantity)).await.expect(201);
    }
    staff.post("/api/v1/orders/1/cancel", json!({})).await.expect(200);
    staff.post("/api/v1/orders", order(3)).await.expect(201);

    let all = staff.get(&format!("{EVENTS}?limit=1000")).await.expect(200);
    let events = all["events"].as_array().unwrap();
    let ran_low: Vec<_> = events.iter().filter(|event| event["kind"] == "stock_ran_low").collect();
    let told: Vec<_> = ran_low.iter().map(|event| (&event["product_id"], &event["data"])).collect();
    let low = |available: i64| json!({"available": available, "threshold": 2});
    assert_eq!(told, [(&json!(tea), &low(2)), (&json!(tea), &low(0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_misses_nothing_and_sees_nothing_twice() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for number in 1..=5 {
        app.product(&root, &format!("Product {number}"), 100, 10).await;
    }
    let all = root.get(&format!("{EVENTS}?limit=1000")).await.expect(200);
    let all = all["events"].as_array().unwrap();
    assert!(all.len() >= 6);
    for limit in [1, 2, 3, 1000] {
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = root.get(&format!("{EVENTS}?after={after}&limit={limit}")).await.expect(200);
            let events = page["events"].as_array().unwrap();
            let next = page["next_after"].as_i64().unwrap();
            if events.is_empty() {
                assert_eq!(next, after);
                break;
            }
            assert!(events.len() <= limit);
            seen.extend_from_slice(events);
            after = next;
        }
        assert_eq!(seen, *all, "{limit}");
        // Whoever waits there learns of the next one.
        if limit == 1000 {
            app.product(&root, "New", 100, 0).await;
            let page = root.get(&format!("{EVENTS}?after={after}")).await.expect(200);
            assert_eq!(page["events"][0]["kind"], "product_created");
            assert!(page["next_after"].as_i64().unwrap() > after);
        }
    }
    let far = root.get(&format!("{EVENTS}?after={}", i64::MAX)).await.expect(200);
    assert_eq!(far, json!({"events": [], "next_after": i64::MAX}));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_for_staff() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    app.stranger().get(EVENTS).await.problem(401, "UNAUTHENTICATED");
    john.get(EVENTS).await.problem(403, "FORBIDDEN");
    john.get(&format!("{EVENTS}?after=x")).await.problem(403, "FORBIDDEN");
    root.post(EVENTS, json!({})).await.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_every_bad_parameter() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let cases: [(&str, &[&str]); 13] = [
        ("after=-1", &["after"]),
        ("after=x", &["after"]),
        ("after=", &["after"]),
        ("after=1.5", &["after"]),
        ("after=9223372036854775808", &["after"]),
        ("after=1&after=2", &["after"]),
        ("limit=0", &["limit"]),
        ("limit=1001", &["limit"]),
        ("limit=%FF", &["limit"]),
        ("offset=1", &["offset"]),
        ("cursor=x", &["cursor"]),
        ("kind=order_placed", &["kind"]),
        ("after=x&limit=y", &["after", "limit"]),
    ];
    for (query, fields) in cases {
        let answer = root.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        answer.invalid(fields);
    }
}
