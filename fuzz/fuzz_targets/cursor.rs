//! Cursors, in all orders that lists can have: the first byte says which. After an odd second byte the rest is what stands
//! in a cursor, whose checksum and encoding are made for it: chance finds neither.
#![no_main]

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{Asked, escaped, with_shop};

const LISTS: [&str; 10] = [
    "/api/v1/orders?cursor=",
    "/api/v1/orders?sort=created_at&cursor=",
    "/api/v1/orders?sort=-total_amount_cents&cursor=",
    "/api/v1/products?cursor=",
    "/api/v1/products?sort=name&cursor=",
    "/api/v1/products?sort=-available&cursor=",
    "/api/v1/products/1/stock/movements?cursor=",
    "/api/v1/users?cursor=",
    "/api/v1/audit?cursor=",
    "/api/v1/api-keys?cursor=",
];

/// As `server::wire` has it.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fuzz_target!(|bytes: &[u8]| {
    let [which, form, cursor @ ..] = bytes else { return };
    let list = LISTS[usize::from(which.wrapping_sub(b'0')) % LISTS.len()];
    let cursor = if form % 2 == 1 {
        let sum = format!("{:08x}", checksum(cursor));
        URL_SAFE_NO_PAD.encode([sum.as_bytes(), cursor].concat())
    } else {
        escaped(cursor)
    };
    with_shop(|shop| {
        let path = &format!("{list}{cursor}");
        shop.ask(Asked { method: Method::GET, path, body: None, authorization: None })
    });
});
