//! Bodies of orders, in all contracts: the first byte says which.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{Asked, with_shop};

const CONTRACTS: [&str; 4] = [
    "/api/v1/orders",
    "/compat/orderflow/orders",
    "/compat/mini-order/orders",
    "/compat/leafcraft/orders/create_order",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, body)) = bytes.split_first() else { return };
    let path = CONTRACTS[usize::from(*which) % CONTRACTS.len()];
    with_shop(|shop| {
        // The façades sell to nobody without a token.
        let authorization = path.starts_with("/compat").then_some(shop.admin());
        let asked = Asked { method: Method::POST, path, body: Some(body.to_vec()), authorization };
        let answer = shop.ask(asked).expect("a request");
        if answer.status.is_success() {
            shop.has_sold_nothing();
        }
    });
});
