//! What the document permits, the server takes.

use serde_json::json;

use crate::harness::TestApp;

const PRODUCTS: &str = "/api/v1/products";

/// To JSON Schema a number with an empty fraction is an integer, and some languages write all numbers like that.
#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_may_be_written_with_a_fraction_or_an_exponent() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let product = root.post(PRODUCTS, json!({"name": "Lamp", "price_cents": 1999.0})).await.expect(201);
    assert_eq!(product["price_cents"].as_i64(), Some(1999));
    let id = product["id"].as_i64().unwrap();
    let post = |path: String, body: &'static str| {
        let root = &root;
        async move { root.send(axum::http::Method::POST, &path, &[], Some(body)).await }
    };
    let set = format!("{PRODUCTS}/{id}/stock/set");
    post(set.clone(), r#"{"on_hand": 1.2e3, "expected": -0.0}"#).await.expect(200);
    assert_eq!(root.get(&format!("{PRODUCTS}/{id}")).await.expect(200)["on_hand"], 1200);
    for fraction in [r#"{"on_hand": 1.5}"#, r#"{"on_hand": 1e-1}"#, r#"{"on_hand": -1.0}"#] {
        post(set.clone(), fraction).await.invalid(&["on_hand"]);
    }
}
