//! Bodies of orders, in all contracts: the first byte says which.
#![no_main]

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use stockroom_fuzz::{FACADE_ORDERS, with_shop};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, body)) = bytes.split_first() else { return };
    let path = FACADE_ORDERS.get(usize::from(which % 4)).copied().unwrap_or("/api/v1/orders");
    with_shop(|shop| {
        let answer = shop.ask(Method::POST, path, Some(body.to_vec()), None).expect("a request");
        assert!(!answer.status.is_success() || path.contains("leafcraft"), "sold what is not there: {answer:?}");
    });
});
