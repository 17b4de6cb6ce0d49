//! What the document permits, the server takes.

use axum::http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::harness::TestApp;

const PRODUCTS: &str = "/api/v1/products";
const ORDERS: &str = "/api/v1/orders";

/// To JSON Schema `7.0` is an integer; here it is a number of the wrong type, as `"7"` is a text.
#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_are_written_as_such() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let id =
        root.post(PRODUCTS, json!({"name": "Lamp", "price_cents": 1999})).await.expect(201)["id"].clone();
    let set = format!("{PRODUCTS}/{id}/stock/set");
    for number in ["1.0", "1.5", "1e3", "-0", "-0.0", "9007199254740993.0"] {
        let body = format!(r#"{{"on_hand": {number}}}"#);
        root.send(Method::POST, &set, &[], Some(body)).await.invalid(&["on_hand"]);
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
