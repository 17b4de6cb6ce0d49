//! Reading and moving orders, and what is remembered of that.

use axum::http::Method;
use domain::Role;
use hyper::body::Bytes;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::TestApp;
use crate::orders::{level, one, placed, shop, tagged_version};

const ORDERS: &str = "/api/v1/orders";

#[tokio::test(flavor = "multi_thread")]
async fn patches_the_status_exactly_as_documented() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let order = john.post(ORDERS, one(laptop, 2)).await.expect(201);
    let answer = root.patch("/api/v1/orders/1", json!({"status": "paid"})).await;
    assert_eq!(tagged_version(&answer), 2);
    let paid = answer.expect(200);
    assert_eq!(paid["order_id"], 1);
    assert_eq!(paid["user_id"], john.id);
    assert_eq!(paid["user_name"], "john Example");
    assert_eq!(paid["status"], "paid");
    assert_eq!(paid["created_at"], order["created_at"]);
    assert!(paid["updated_at"].as_str().unwrap() >= paid["created_at"].as_str().unwrap());
    assert_eq!((&paid["state"], &paid["payment"]), (&json!("confirmed"), &json!("paid")));
    assert_eq!(root.get("/api/v1/orders/1").await.expect(200), paid);
    // The status that the order has already changes nothing.
    let again = root.patch("/api/v1/orders/1", json!({"status": "paid"})).await;
    assert_eq!(again.expect(200), paid);
    assert_eq!(again.header("etag"), answer.header("etag"));
    assert_eq!(root.get("/api/v1/orders/1").await.header("etag"), answer.header("etag"));
    for (status, version) in [("shipped", 3), ("delivered", 4)] {
        let order = root.patch("/api/v1/orders/1", json!({"status": status})).await.expect(200);
        assert_eq!((&order["status"], &order["version"]), (&json!(status), &json!(version)));
        assert_eq!(order["items"][0]["allocated"], 0);
    }
    assert_eq!(level(&app, laptop).await, (8, 0));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_out_of_reach_is_a_conflict_that_names_both() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let id = placed(&john, laptop, 1).await;
    let path = format!("{ORDERS}/{id}");
    for status in ["shipped", "delivered"] {
        let problem = root.patch(&path, json!({"status": status})).await.problem(409, "INVALID_TRANSITION");
        assert_eq!((&problem["status_now"], &problem["requested"]), (&json!("pending"), &json!(status)));
    }
    root.patch(&path, json!({"status": "confirmed"})).await.expect(200);
    root.patch(&path, json!({"status": "pending"})).await.problem(409, "INVALID_TRANSITION");
    root.patch(&path, json!({"status": "cancelled"})).await.expect(200);
    for verb in ["confirm", "pay", "ship", "deliver"] {
        let problem =
            root.post(&format!("{path}/{verb}"), json!({})).await.problem(409, "INVALID_TRANSITION");
        assert_eq!((&problem["status_now"], &problem["action"]), (&json!("cancelled"), &json!(verb)));
    }
    assert_eq!(level(&app, laptop).await, (10, 0));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_lead_through_the_whole_life_and_may_be_repeated() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let staff = app.user(&root, "sue", "staff").await;
    let id = placed(&john, laptop, 3).await;
    let steps = [
        ("confirm", "confirmed", "confirmed", "unpaid", "unfulfilled", 3),
        ("ship", "shipped", "confirmed", "unpaid", "shipped", 0),
        ("pay", "shipped", "confirmed", "paid", "shipped", 0),
        ("deliver", "delivered", "completed", "paid", "delivered", 0),
    ];
    for (version, (verb, status, state, payment, fulfilment, allocated)) in (2..).zip(steps) {
        let path = format!("{ORDERS}/{id}/{verb}");
        let answer = staff.send(Method::POST, &path, &[], None::<Bytes>).await;
        let order = answer.expect(200);
        assert_eq!(tagged_version(&answer), version);
        assert_eq!((&order["status"], &order["state"]), (&json!(status), &json!(state)), "{verb}");
        assert_eq!(
            (&order["payment"], &order["fulfilment"]),
            (&json!(payment), &json!(fulfilment)),
            "{verb}"
        );
        assert_eq!(order["items"][0]["allocated"], allocated, "{verb}");
        // An empty object is as good as no body, and doing it again changes nothing.
        assert_eq!(staff.post(&path, json!({})).await.expect(200), order, "{verb}");
    }
    root.post(&format!("{ORDERS}/{id}/cancel"), json!({})).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(level(&app, laptop).await, (7, 0));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_cancel_their_own_orders_and_nothing_else() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let mary = app.user(&root, "mary", "customer").await;
    let id = placed(&john, laptop, 4).await;
    let path = format!("{ORDERS}/{id}");
    // Somebody else's order is as absent as one that was never placed.
    for (at, number) in [(path.clone(), id), (format!("{ORDERS}/999"), 999)] {
        let mut details = Vec::new();
        details.push(mary.get(&at).await.problem(404, "ORDER_NOT_FOUND"));
        details.push(mary.get(&format!("{at}/timeline")).await.problem(404, "ORDER_NOT_FOUND"));
        details.push(mary.patch(&at, json!({"status": "cancelled"})).await.problem(404, "ORDER_NOT_FOUND"));
        details.push(mary.post(&format!("{at}/cancel"), json!({})).await.problem(404, "ORDER_NOT_FOUND"));
        for problem in details {
            assert_eq!(problem["detail"], format!("Order {number} does not exist."));
        }
    }
    for status in ["confirmed", "paid"] {
        john.patch(&path, json!({"status": status})).await.problem(403, "FORBIDDEN");
    }
    for verb in ["confirm", "pay", "ship", "deliver"] {
        john.post(&format!("{path}/{verb}"), json!({})).await.problem(403, "FORBIDDEN");
        mary.post(&format!("{path}/{verb}"), json!({})).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(level(&app, laptop).await, (10, 4));
    let cancelled = john.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(2)));
    assert_eq!(john.patch(&path, json!({"status": "cancelled"})).await.expect(200), cancelled);
    assert_eq!(level(&app, laptop).await, (10, 0));

    let paid = placed(&john, laptop, 1).await;
    root.post(&format!("{ORDERS}/{paid}/pay"), json!({})).await.expect(200);
    john.post(&format!("{ORDERS}/{paid}/cancel"), json!({})).await.problem(403, "FORBIDDEN");
    root.post(&format!("{ORDERS}/{paid}/cancel"), json!({})).await.expect(200);
    assert_eq!(level(&app, laptop).await, (10, 0));
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_what_is_wrong_with_a_change() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let id = placed(&john, laptop, 1).await;
    let path = format!("{ORDERS}/{id}");
    let cases: Vec<(Value, &str)> = vec![
        (json!({}), "status"),
        (json!({"status": null}), "status"),
        (json!({"status": ""}), "status"),
        (json!({"status": "PAID"}), "status"),
        (json!({"status": "paid "}), "status"),
        (json!({"status": "completed"}), "status"),
        (json!({"status": 3}), "status"),
        (json!({"status": ["paid"]}), "status"),
        (json!({"status": "paid", "user_id": 1}), "user_id"),
        (json!([]), "body"),
    ];
    for (body, field) in cases {
        let answer = root.patch(&path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body} {answer:?}");
        answer.invalid(&[field]);
    }
    root.send(Method::PATCH, &path, &[], None::<Bytes>).await.invalid(&["body"]);
    root.post(&format!("{path}/pay"), json!({"amount": 1})).await.invalid(&["amount"]);
    root.post(&format!("{path}/pay"), json!([])).await.invalid(&["body"]);
    for bad in
        ["0", "-1", "+1", "x", "1.5", "%00", "%FF", "1%20", "9223372036854775808", "99999999999999999999"]
    {
        for path in [format!("{ORDERS}/{bad}"), format!("{ORDERS}/{bad}/timeline")] {
            root.get(&path).await.invalid(&["order_id"]);
        }
        root.patch(&format!("{ORDERS}/{bad}"), json!({"status": "paid"})).await.invalid(&["order_id"]);
        root.post(&format!("{ORDERS}/{bad}/cancel"), json!({})).await.invalid(&["order_id"]);
    }
    root.patch(&format!("{ORDERS}/9223372036854775807"), json!({"status": "paid"}))
        .await
        .problem(404, "ORDER_NOT_FOUND");
    root.get(&format!("{path}?x=1")).await.invalid(&["x"]);
    root.get(&format!("{path}/timeline?x=1")).await.invalid(&["x"]);
    root.delete(&path).await.problem(405, "METHOD_NOT_ALLOWED");
    root.get(&format!("{path}/pay")).await.problem(405, "METHOD_NOT_ALLOWED");
    root.post(&format!("{path}/return"), json!({})).await.problem(404, "ROUTE_NOT_FOUND");
    assert_eq!(root.get(&path).await.expect(200)["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_spare_a_read_and_guard_a_change() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let id = placed(&john, laptop, 1).await;
    let path = format!("{ORDERS}/{id}");
    let seen = john.get(&path).await;
    let seen = seen.header("etag");
    for tag in [seen, &format!("W/{seen}"), &format!("\"7\", {seen}"), "*"] {
        let answer = john.send(Method::GET, &path, &[("if-none-match", tag)], None::<Bytes>).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{tag}");
        assert_eq!(answer.header("etag"), seen);
    }
    for other in ["\"1\"", "\"2\"", "\"1.1\""] {
        john.send(Method::GET, &path, &[("if-none-match", other)], None::<Bytes>).await.expect(200);
    }

    let change = async |tag: &'static str, status: &str| {
        let body = json!({"status": status}).to_string();
        root.send(Method::PATCH, &path, &[("if-match", tag)], Some(body)).await
    };
    for stale in ["\"2\"", "\"0\"", "\"one\"", "\"01\""] {
        change(stale, "paid").await.problem(412, "PRECONDITION_FAILED");
    }
    for bad in ["1", "W/\"1\"", "\"1", ""] {
        change(bad, "paid").await.invalid(&["If-Match"]);
    }
    assert_eq!(change("\"1\"", "confirmed").await.expect(200)["version"], 2);
    change("\"1\"", "paid").await.problem(412, "PRECONDITION_FAILED");
    let stale = [("if-match", "\"1\"")];
    root.send(Method::POST, &format!("{path}/ship"), &stale, None::<Bytes>)
        .await
        .problem(412, "PRECONDITION_FAILED");
    let fresh = [("if-match", "\"2\"")];
    let order = root.send(Method::POST, &format!("{path}/ship"), &fresh, None::<Bytes>).await.expect(200);
    assert_eq!((&order["version"], &order["status"]), (&json!(3), &json!("shipped")));
    // Said twice with the same tag: the effect stands.
    let again = root.send(Method::POST, &format!("{path}/ship"), &fresh, None::<Bytes>).await.expect(200);
    assert_eq!(again, order);
    assert_eq!(change("*", "delivered").await.expect(200)["version"], 4);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_changes_with_the_name_that_the_order_shows_and_guards_the_order_all_the_same() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let path = format!("{ORDERS}/{}", placed(&john, laptop, 1).await);
    let before = root.get(&path).await.header("etag").to_owned();
    let account = format!("/api/v1/users/{}", john.id);
    for name in [json!("John the Second"), Value::Null] {
        root.patch(&account, json!({"full_name": name})).await.expect(200);
        let answer = root.send(Method::GET, &path, &[("if-none-match", &before)], None::<Bytes>).await;
        assert_eq!(answer.expect(200)["user_name"], name.as_str().unwrap_or("john"));
        assert_ne!(answer.header("etag"), before);
        assert_eq!(tagged_version(&answer), 1);
    }
    // The order itself is as it was.
    let body = json!({"status": "paid"}).to_string();
    let paid = root.send(Method::PATCH, &path, &[("if-match", &before)], Some(body)).await;
    assert_eq!(paid.expect(200)["version"], 2);
    assert_eq!(root.get(&path).await.header("etag"), paid.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_a_user_is_tagged_by_its_version_alone() {
    let settings = Settings { anonymous_role: Some(Role::Customer), ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let (_, _, laptop, _) = shop(&app).await;
    let stranger = app.stranger();
    let answer = stranger.post(ORDERS, one(laptop, 1)).await;
    assert_eq!(answer.expect(201)["user_name"], Value::Null);
    assert_eq!(answer.header("etag"), "\"1\"");
    let answer = stranger.get(answer.header("location")).await;
    assert_eq!(answer.header("etag"), "\"1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_tells_each_caller_what_is_theirs_to_know() {
    let app = TestApp::start().await;
    let (root, john, laptop, _) = shop(&app).await;
    let named = [("x-request-id", "placing-1")];
    john.send(Method::POST, ORDERS, &named, Some(one(laptop, 2).to_string())).await.expect(201);
    root.post("/api/v1/orders/1/pay", json!({})).await.expect(200);
    root.post("/api/v1/orders/1/cancel", json!({})).await.expect(200);

    let events = root.get("/api/v1/orders/1/timeline").await.expect(200)["events"].clone();
    let events = events.as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["order_placed", "order_confirmed", "order_paid", "order_cancelled"]);
    assert!(events.windows(2).all(|pair| pair[0]["id"].as_i64() < pair[1]["id"].as_i64()));
    assert_eq!(events[0]["actor_id"], john.id);
    assert_eq!(events[0]["actor_name"], "john Example");
    assert_eq!(events[0]["request_id"], "placing-1");
    assert_eq!(events[0]["data"], json!({"total_amount_cents": 499_998, "total_quantity": 2}));
    assert!(events[0]["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&events[2]["actor_id"], &events[2]["actor_name"]), (&json!(root.id), &json!("root")));
    assert_eq!(events[2]["data"], json!({}));
    assert_eq!(events[3]["data"], json!({"from": "paid", "released": 2}));

    let seen = john.get("/api/v1/orders/1/timeline").await;
    assert!(!seen.text.contains("root") && !seen.text.contains("placing-1"), "{}", seen.text);
    let seen = seen.expect(200)["events"].clone();
    for (seen, event) in seen.as_array().unwrap().iter().zip(events) {
        for member in ["id", "kind", "at", "data"] {
            assert_eq!(seen[member], event[member]);
        }
        assert_eq!(seen["request_id"], Value::Null);
    }
    assert_eq!((&seen[0]["actor_id"], &seen[0]["actor_name"]), (&json!(john.id), &json!("john Example")));
    assert_eq!((&seen[2]["actor_id"], &seen[2]["actor_name"]), (&Value::Null, &Value::Null));
    root.get("/api/v1/orders/2/timeline").await.problem(404, "ORDER_NOT_FOUND");
}
