//! Amounts as they are written in JSON: in minor units in the canonical API, with decimals in the façades. The first byte
//! says where. None of them has an effect, because there is no such product, or one with that name already: the amount
//! is judged before.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{Asked, with_shop};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, amount)) = bytes.split_first() else { return };
    let (method, path, before) = match which % 4 {
        0 => (Method::PATCH, "/api/v1/products/999", r#"{"price_cents": "#),
        1 => (Method::PATCH, "/compat/orderflow/stocks/999", r#"{"stock_price": "#),
        2 => (Method::PATCH, "/compat/mini-order/products/999", r#"{"price": "#),
        _ => (
            Method::POST,
            "/compat/leafcraft/products/",
            r#"{"name": "Nothing", "stock_quantity": 0, "price": "#,
        ),
    };
    let body = Some([before.as_bytes(), amount, b"}"].concat());
    with_shop(|shop| {
        let authorization = path.starts_with("/compat").then_some(shop.admin());
        let answer = shop.ask(Asked { method, path, body, authorization }).expect("a request");
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
    });
});
