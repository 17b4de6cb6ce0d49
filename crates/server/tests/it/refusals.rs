//! Refusals are counted once, whatever the committer goes through.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::harness::TestApp;

const PRODUCTS: &str = "/api/v1/products";
const ORDERS: &str = "/api/v1/orders";

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_whose_batch_is_run_again_counts_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for sku in ["FIRST", "SECOND"] {
        root.post(PRODUCTS, json!({"name": sku, "price_cents": 100, "sku": sku})).await.expect(201);
    }
    // While another server writes, the first command waits with its batch and the next ones gather behind it.
    let stall = app.stall().await;
    let after = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
    let refused = async |milliseconds| {
        after(milliseconds).await;
        let body = json!({"items": [{"product_id": 99, "quantity": 1}]}).to_string();
        let answer = root.send(Method::POST, ORDERS, &[("idempotency-key", "k")], Some(body)).await;
        answer.problem(404, "PRODUCT_NOT_FOUND");
        answer
    };
    // The second product passes its SKU on to the first: fine one after the other, but not in one transaction.
    let rename = async |milliseconds, id, sku| {
        after(milliseconds).await;
        root.patch(&format!("{PRODUCTS}/{id}"), json!({"sku": sku})).await.expect(200);
    };
    let release = async {
        after(500).await;
        stall.rollback().await.unwrap();
    };
    let occupy = root.post(PRODUCTS, json!({"name": "Tea", "price_cents": 100}));
    let (_, answer, (), (), ()) =
        tokio::join!(occupy, refused(100), rename(200, 2, "THIRD"), rename(300, 1, "SECOND"), release);
    assert_eq!(answer.header("idempotency-replayed"), "");
    // A repetition is no new refusal.
    assert_eq!(refused(0).await.header("idempotency-replayed"), "true");
    let metrics = app.app.metrics().render();
    let counted = r#"stockroom_refusals_total{code="PRODUCT_NOT_FOUND"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    app.verify().await;
}
