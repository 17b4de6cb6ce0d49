//! Amounts as they are written in JSON: in minor units in the canonical API, with decimals in the façades.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::with_shop;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, amount)) = bytes.split_first() else { return };
    // What is left out is what would be made: a shop that grows with each run measures the shop.
    let (path, before, after) = match which % 4 {
        0 => ("/api/v1/products", r#"{"name": "", "price_cents": "#, "}"),
        1 => ("/compat/orderflow/stocks", r#"{"stock_name": "", "stock_quantity": 1, "stock_price": "#, "}"),
        2 => ("/compat/mini-order/products", r#"{"name": "", "stock_quantity": 1, "price": "#, "}"),
        _ => ("/compat/leafcraft/products/", r#"{"name": "", "stock_quantity": -1, "price": "#, "}"),
    };
    let body = [before.as_bytes(), amount, after.as_bytes()].concat();
    with_shop(|shop| shop.ask(Method::POST, path, Some(body), None));
});
