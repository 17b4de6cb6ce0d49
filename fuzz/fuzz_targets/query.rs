//! Queries of all lists: filters, orders, pages. The first byte says which list.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{Asked, escaped, with_shop};

const LISTS: [&str; 10] = [
    "/api/v1/orders",
    "/api/v1/products",
    "/api/v1/products/low-stock",
    "/api/v1/products/1/stock/movements",
    "/api/v1/events",
    "/api/v1/users",
    "/api/v1/audit",
    "/api/v1/api-keys",
    "/compat/mini-order/products",
    "/compat/mini-order/orders",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, query)) = bytes.split_first() else { return };
    // Digits, which people can read in the seeds, stand for themselves.
    let path = LISTS[usize::from(which.wrapping_sub(b'0')) % LISTS.len()];
    with_shop(|shop| {
        let authorization = path.starts_with("/compat").then_some(shop.admin());
        let path = &format!("{path}?{}", escaped(query));
        shop.ask(Asked { method: Method::GET, path, body: None, authorization })
    });
});
