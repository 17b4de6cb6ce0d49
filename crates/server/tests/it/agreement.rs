//! What the document permits, the server takes.

use axum::http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::harness::TestApp;

const PRODUCTS: &str = "/api/v1/products";
const ORDERS: &str = "/api/v1/orders";

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
        async move { root.send(Method::POST, &path, &[], Some(body)).await }
    };
    let set = format!("{PRODUCTS}/{id}/stock/set");
    post(set.clone(), r#"{"on_hand": 1.2e3, "expected": -0.0}"#).await.expect(200);
    assert_eq!(root.get(&format!("{PRODUCTS}/{id}")).await.expect(200)["on_hand"], 1200);
    for fraction in [r#"{"on_hand": 1.5}"#, r#"{"on_hand": 1e-1}"#, r#"{"on_hand": -1.0}"#] {
        post(set.clone(), fraction).await.invalid(&["on_hand"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_start_where_the_document_says() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let lamp = json!({"name": "Lamp", "price_cents": 1999, "stock_quantity": 100});
    let id = root.post(PRODUCTS, lamp).await.expect(201)["id"].clone();
    let document = Document::new();
    let body = &document.json()["components"]["schemas"]["PlaceOrderBody"];
    let words = domain::Status::ALL.iter().map(|status| json!(status.word()));
    for status in words.chain([Value::Null]) {
        let order = json!({"status": status, "items": [{"product_id": id, "quantity": 1}]});
        let permitted = document.check(body, &order, "body").is_ok();
        assert_eq!(root.post(ORDERS, order).await.status, if permitted { 201 } else { 400 }, "{status}");
    }
}
