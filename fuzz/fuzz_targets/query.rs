//! Queries of all lists: filters, orders, pages. The first byte says which list.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{escaped, with_shop};

const LISTS: [&str; 8] = [
    "/api/v1/orders",
    "/api/v1/products",
    "/api/v1/products/low-stock",
    "/api/v1/products/1/stock/movements",
    "/api/v1/events",
    "/api/v1/users",
    "/compat/mini-order/products",
    "/compat/mini-order/orders",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, query)) = bytes.split_first() else { return };
    let path = LISTS[usize::from(*which) % LISTS.len()];
    with_shop(|shop| shop.ask(Method::GET, &format!("{path}?{}", escaped(query)), None, None));
});
