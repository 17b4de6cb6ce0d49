//! Callers without a token may be web pages of somebody else, shown by a browser on this machine.

use axum::http::Method;
use domain::Role;
use serde_json::json;
use server::settings::Settings;

use crate::harness::TestApp;

const STOCK: &str = r#"{"stock_name": "Tea", "stock_price": 3.5, "stock_quantity": 9}"#;
const PRODUCT: &str = r#"{"name": "Tea", "price_cents": 350}"#;

async fn shop(role: Option<Role>) -> TestApp {
    TestApp::start_with(Settings { anonymous_role: role, ..Settings::default() }).await
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_without_a_token() {
    let app = shop(Some(Role::Admin)).await;
    let stranger = app.stranger();
    let own = format!("http://{}", app.address);
    for (path, body) in [("/compat/orderflow/stocks", STOCK), ("/api/v1/products", PRODUCT)] {
        for (name, value, status) in [
            ("origin", "https://evil.example", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-site", 403),
            ("origin", &own, 201),
            ("sec-fetch-site", "same-origin", 201),
            ("x-nothing", "at all", 201),
        ] {
            let answer = stranger.send(Method::POST, path, &[(name, value)], Some(body)).await;
            assert_eq!(answer.status.as_u16(), status, "{path} {name}: {value} {answer:?}");
        }
    }
    // Not even a first administrator.
    let register = r#"{"username": "admin1", "password": "1234", "role": "admin"}"#;
    let evil = [("origin", "https://evil.example")];
    let answer = stranger.send(Method::POST, "/compat/mini-order/register", &evil, Some(register)).await;
    answer.expect(403);
}

#[tokio::test]
async fn a_token_is_good_from_everywhere() {
    let app = shop(None).await;
    let admin = app.admin().await;
    let evil = [("origin", "https://console.example"), ("sec-fetch-site", "cross-site")];
    admin.send(Method::POST, "/api/v1/products", &evil, Some(PRODUCT)).await.expect(201);
}

#[tokio::test]
async fn a_harmful_role_is_not_reached_under_a_foreign_name() {
    let rebound = [("host", "rebind.evil.example")];
    for (role, explicit, status) in [
        (Role::Admin, false, 403),
        (Role::Staff, false, 403),
        (Role::Customer, false, 200),
        (Role::Admin, true, 200),
    ] {
        let settings = Settings {
            anonymous_role: Some(role),
            allow_privileged_anonymous: explicit,
            // As on an address that others can reach, where any name passes.
            allowed_hosts: vec!["*".to_owned()],
            ..Settings::default()
        };
        let app = TestApp::start_with(settings).await;
        for path in ["/compat/orderflow/stocks", "/api/v1/products"] {
            let answer = app.stranger().send(Method::GET, path, &rebound, None::<&str>).await;
            assert_eq!(answer.status.as_u16(), status, "{role:?} {path} {answer:?}");
            app.stranger().get(path).await.expect(200);
        }
    }
}

#[tokio::test]
async fn no_password_is_repeated_wherever_it_was_put() {
    const SECRET: &str = "correct-horse-canary";
    let app = shop(None).await;
    let json = |body: serde_json::Value| ("application/json", body.to_string());
    let bodies = [
        json(json!({"username": "a", "pass": SECRET})),
        json(json!({"username": "a", "PASSWORD": SECRET, "role": "admin"})),
        json(json!({"username": {"a": SECRET}, "password": 1})),
        json(json!({"username": 7, "password": {"x": SECRET}})),
        json(json!({"role": [SECRET], "username": "a", "password": "1234"})),
        json(json!(["a", SECRET])),
        json(json!(format!("username=a&password={SECRET}"))),
        json(json!({"username": "a", "password": SECRET, "role": "boss"})),
        ("application/json", format!(r#"{{"password": "{SECRET}", "password": "{SECRET}"}}"#)),
        ("application/json", format!(r#"{{"password": "{SECRET}"#)),
        ("application/x-www-form-urlencoded", format!("username=a;password={SECRET}")),
        ("application/x-www-form-urlencoded", format!(r#"[{{"username": "a", "password": "{SECRET}"}}]"#)),
        ("text/plain", format!("PASSWORD={SECRET}")),
        ("text/plain", format!("p%61ssword={SECRET}")),
    ];
    for path in ["/compat/mini-order/login", "/compat/mini-order/register", "/compat/leafcraft/auth/login"] {
        for (kind, body) in &bodies {
            let headers = [("content-type", *kind)];
            let answer = app.stranger().send(Method::POST, path, &headers, Some(body.clone())).await;
            assert!(answer.status.is_client_error(), "{path} {body} {answer:?}");
            assert!(!answer.text.contains(SECRET), "{path} {body} {answer:?}");
        }
    }
}
