//! The header `Authorization`: nothing that is made up lets anybody in. The first byte says how much of a genuine one it
//! is made to look like: chance finds neither base64 nor a checksum.
//!
//! With `STOCKROOM_FUZZ_CONTROL` whoever makes it up knows the key.
#![no_main]

use std::sync::Once;

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use server::settings::Settings;
use sha2::Sha256;
use stockroom_fuzz::{Asked, Shop, with_shop_of};

const PATHS: [&str; 2] = ["/api/v1/auth/me", "/compat/mini-order/orders"];

/// A door that lets nobody in proves nothing.
static GENUINE: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    let [which, form, made_up @ ..] = bytes else { return };
    with_shop_of(Settings::default, |shop| {
        GENUINE.call_once(|| assert_eq!(status(shop, PATHS[0], shop.admin()), Some(StatusCode::OK)));
        let authorization = match form % 4 {
            0 => made_up.to_vec(),
            1 => signed(shop, made_up),
            2 => {
                bearer(&parts(made_up).map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join("."))
            }
            _ => bearer(&key(made_up)),
        };
        let path = PATHS[usize::from(*which) % PATHS.len()];
        let status = status(shop, path, &authorization);
        assert!(matches!(status, None | Some(StatusCode::UNAUTHORIZED)), "{path}: {status:?}");
    });
});

fn status(shop: &Shop, path: &str, authorization: &[u8]) -> Option<StatusCode> {
    let asked = Asked { method: Method::GET, path, body: None, authorization: Some(authorization) };
    shop.ask(asked).map(|answer| answer.status)
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}

fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

/// A token with these lines for its parts, signed with a key that is not the server's.
fn signed(shop: &Shop, bytes: &[u8]) -> Vec<u8> {
    let token = parts(bytes).map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".");
    let knows_key = std::env::var_os("STOCKROOM_FUZZ_CONTROL").is_some();
    let key = if knows_key { *shop.token_key().as_bytes() } else { [7; 32] };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("keys of any length");
    mac.update(token.as_bytes());
    bearer(&format!("{token}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// A machine's key with these bytes for the random ones, and a right checksum.
fn key(bytes: &[u8]) -> String {
    let bytes = bytes.iter().copied().chain(std::iter::repeat(0)).take(32);
    let key = bytes.fold("sr_".to_owned(), |key, byte| format!("{key}{byte:02x}"));
    let mut crc = Crc::new();
    crc.update(key.as_bytes());
    format!("{key}{:08x}", crc.sum())
}
