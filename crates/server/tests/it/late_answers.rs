//! Requests whose answer came too late: a repetition under the same key learns what became of them.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use server::settings::Settings;

use crate::harness::{Answer, Caller, TestApp};

const ORDERS: &str = "/api/v1/orders";

async fn place(caller: &Caller<'_>, key: &str, product: i64) -> Answer {
    let body = json!({"items": [{"product_id": product, "quantity": 1}]}).to_string();
    caller.send(Method::POST, ORDERS, &[("idempotency-key", key)], Some(body)).await
}

/// Repeats until the first request is no longer being carried out.
async fn settled(caller: &Caller<'_>, key: &str, product: i64) -> Answer {
    for _ in 0..200 {
        let answer = place(caller, key, product).await;
        if answer.status != 409 {
            return answer;
        }
        answer.problem(409, "IDEMPOTENCY_IN_PROGRESS");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still in progress");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_outlives_the_deadline_of_its_request() {
    let settings = Settings { request_timeout: Duration::from_millis(300), ..Settings::default() };
    let quick = TestApp::start().await;
    let root = quick.admin().await;
    let tea = quick.product(&root, "Tea", 100, 5).await;
    let token = root.token.clone();
    let app = quick.restart(settings).await;
    let root = Caller { token, ..app.stranger() };

    // Another server holds the one lock that all writers need.
    let stall = app.stall().await;
    place(&root, "late", tea).await.problem(408, "REQUEST_TIMEOUT");
    // One that waits behind it in the queue.
    place(&root, "later", tea).await.problem(408, "REQUEST_TIMEOUT");
    place(&root, "late", tea).await.problem(409, "IDEMPOTENCY_IN_PROGRESS");
    root.get(ORDERS).await.expect(200);
    stall.rollback().await.unwrap();

    let mut numbers = Vec::new();
    for key in ["late", "later"] {
        let answer = settled(&root, key, tea).await;
        assert_eq!(answer.header("idempotency-replayed"), "true", "{answer:?}");
        let order = answer.expect(201);
        assert_eq!(answer.header("location"), format!("{ORDERS}/{}", order["order_id"]));
        assert_eq!(place(&root, key, tea).await.expect(201), order);
        numbers.push(order["order_id"].as_i64().unwrap());
    }
    assert_eq!(numbers, [1, 2]);
    assert_eq!(root.get(ORDERS).await.expect(200)["orders"].as_array().unwrap().len(), 2);
    let level = root.get(&format!("/api/v1/products/{tea}")).await.expect(200);
    assert_eq!(level["allocated"], 2);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_take_its_command_back() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let tea = app.product(&root, "Tea", 100, 5).await;
    let stall = app.stall().await;
    let given_up = tokio::time::timeout(Duration::from_millis(300), place(&root, "gone", tea)).await;
    assert!(given_up.is_err(), "{given_up:?}");
    place(&root, "gone", tea).await.problem(409, "IDEMPOTENCY_IN_PROGRESS");
    stall.rollback().await.unwrap();
    let answer = settled(&root, "gone", tea).await;
    assert_eq!(answer.header("idempotency-replayed"), "true", "{answer:?}");
    answer.expect(201);
    assert_eq!(root.get(ORDERS).await.expect(200)["orders"].as_array().unwrap().len(), 1);
    app.verify().await;
}
