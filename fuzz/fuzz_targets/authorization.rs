//! The header `Authorization`: nothing that is made up lets anybody in.
#![no_main]

use std::cell::OnceCell;

use axum::http::{Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use server::settings::Settings;
use stockroom_fuzz::Shop;

thread_local! {
    static SHOP: OnceCell<Shop> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    SHOP.with(|shop| {
        let shop = shop.get_or_init(|| Shop::with(Settings::default()));
        for path in ["/api/v1/auth/me", "/compat/mini-order/orders"] {
            if let Some(answer) = shop.ask(Method::GET, path, None, Some(bytes)) {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
            }
        }
    });
});
