//! Cursors, in all orders that lists can have: the first byte says which.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{escaped, with_shop};

const LISTS: [&str; 8] = [
    "/api/v1/orders?cursor=",
    "/api/v1/orders?sort=created_at&cursor=",
    "/api/v1/orders?sort=-total_amount_cents&cursor=",
    "/api/v1/products?cursor=",
    "/api/v1/products?sort=name&cursor=",
    "/api/v1/products?sort=-available&cursor=",
    "/api/v1/products/1/stock/movements?cursor=",
    "/api/v1/users?cursor=",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, cursor)) = bytes.split_first() else { return };
    let list = LISTS[usize::from(*which) % LISTS.len()];
    with_shop(|shop| shop.ask(Method::GET, &format!("{list}{}", escaped(cursor)), None, None));
});
