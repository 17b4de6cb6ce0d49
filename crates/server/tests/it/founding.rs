//! Who becomes the first administrator, and who makes accounts at all.

use axum::http::Method;
use serde_json::json;
use server::auth::setup::SetupCode;
use server::settings::{Settings, network};
use tempfile::TempDir;

use crate::harness::{Answer, PASSWORD, TestApp};

const REGISTER: &str = "/api/v1/auth/register";
const MINI_ORDER: &str = "/compat/mini-order/register";
const HOUR_US: i64 = 3_600_000_000;

/// A server that has a code, and the directory that holds it.
async fn shop(settings: Settings) -> (TestApp, TempDir, String) {
    let app = TestApp::start_with(settings).await;
    let directory = tempfile::tempdir().unwrap();
    let code = SetupCode::load_or_create(directory.path()).unwrap();
    let text = code.reveal().to_owned();
    app.app.hand_out(code);
    (app, directory, text)
}

async fn began(app: &TestApp, at_us: i64) {
    let mut transaction = app.database().await.begin().await.unwrap();
    let sql = "UPDATE schema_migrations SET applied_at_us = ? WHERE version = 1";
    transaction.execute(sql, &[at_us.into()]).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Registers at a path as somebody who asks to be an administrator.
async fn ask(app: &TestApp, path: &str, name: &str, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"username": name, "password": PASSWORD, "role": "admin"}).to_string();
    app.stranger().send(Method::POST, path, headers, Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_spoken_for_and_no_other_name_is_used() {
    let settings = || Settings { allowed_hosts: vec!["*".to_owned()], ..Settings::default() };
    for path in [REGISTER, MINI_ORDER] {
        let (app, _directory, _) = shop(settings()).await;
        for header in [
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", ""),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "localhost"),
            ("x-real-ip", "127.0.0.1"),
            ("via", "1.1 proxy"),
            ("host", "rebind.evil.example"),
            ("host", "shop.example:8000"),
        ] {
            let answer = ask(&app, path, "mallory", &[header]).await;
            assert_eq!(answer.status, 403, "{path} {header:?} {answer:?}");
        }
        ask(&app, path, "root", &[("host", "localhost:8000")]).await.expect(201);
        ask(&app, path, "late", &[]).await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hour_is_over_after_an_hour_and_not_come_yet_before() {
    let now = server::clock::now_us();
    for (began_us, status) in
        [(now - HOUR_US, 403), (0, 403), (now + HOUR_US, 403), (now - HOUR_US + 60_000_000, 201)]
    {
        let (app, ..) = shop(Settings::default()).await;
        began(&app, began_us).await;
        let answer = ask(&app, REGISTER, "root", &[]).await;
        assert_eq!(answer.status, status, "{began_us} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_nothing_is_a_customer_then() {
    let (app, ..) = shop(Settings::default()).await;
    began(&app, 0).await;
    let body = json!({"username": "first", "password": PASSWORD});
    assert_eq!(app.stranger().post(REGISTER, body).await.expect(201)["role"], "customer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_makes_one_administrator_from_anywhere() {
    let far = ("x-forwarded-for", "192.0.2.1");
    for (path, in_body) in [(REGISTER, false), (REGISTER, true), (MINI_ORDER, false)] {
        let settings = Settings { registration_is_open: path == MINI_ORDER, ..Settings::default() };
        let (app, directory, code) = shop(settings).await;
        began(&app, 0).await;
        for wrong in ["", "0", &code[1..], "00000000000000000000000000000000"] {
            let answer = ask(&app, path, "mallory", &[far, ("stockroom-setup-code", wrong)]).await;
            assert_eq!(answer.status, 403, "{answer:?}");
        }
        let body = |name: &str| {
            let mut body = json!({"username": name, "password": PASSWORD, "role": "admin"});
            if in_body {
                body["setup_code"] = json!(code);
            }
            body.to_string()
        };
        let headers = if in_body { vec![far] } else { vec![far, ("stockroom-setup-code", &code)] };
        let send = async |name| {
            let answer = app.stranger().send(Method::POST, path, &headers, Some(body(name))).await;
            answer.status
        };
        assert!(directory.path().join("setup-code").exists());
        assert_eq!(send("root").await, 201);
        assert!(!directory.path().join("setup-code").exists());
        assert_eq!(send("late").await, 403);
        app.log_in("root").await.get("/api/v1/users").await.expect(200);
        app.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_with_the_code_one_becomes_administrator() {
    let settings = Settings { login_attempts_per_source: 0, hash_concurrency: 8, ..Settings::default() };
    let (app, _directory, code) = shop(settings).await;
    began(&app, 0).await;
    let headers = [("stockroom-setup-code", code.as_str())];
    let names: Vec<String> = (0..8).map(|number| format!("root{number}")).collect();
    let asked = names.iter().map(|name| ask(&app, REGISTER, name, &headers));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(asked).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403, 403, 403, 403, 403, 403, 403]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_shop_takes_its_first_administrator_and_whom_that_invites() {
    let settings = Settings { registration_is_open: false, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let far = [("x-forwarded-for", "192.0.2.1")];
    let body = |name: &str| json!({"username": name, "password": PASSWORD, "role": "customer"});
    let registers = async |headers: &[(&str, &str)], path: &str| {
        app.stranger().send(Method::POST, path, headers, Some(body("stranger").to_string())).await
    };
    registers(&far, REGISTER).await.problem(403, "REGISTRATION_CLOSED");
    let root = app.admin().await;
    let hashed = app.app.passwords().computed();
    registers(&[], REGISTER).await.problem(403, "REGISTRATION_CLOSED");
    let detail = registers(&[], MINI_ORDER).await.expect(403);
    assert!(detail["detail"].as_str().unwrap().contains("closed"), "{detail}");
    let john = app.user(&root, "john", "customer").await;
    john.post(REGISTER, body("other")).await.problem(403, "REGISTRATION_CLOSED");
    root.post(REGISTER, body("jane")).await.expect(201);
    root.post(MINI_ORDER, body("jack")).await.expect(201);
    // Whoever is turned away costs no hash: three were made, and one logged in.
    assert_eq!(app.app.passwords().computed(), hashed + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_never_the_one_who_sets_up() {
    let trusted_proxies = vec![network("127.0.0.1").unwrap()];
    let app = TestApp::start_with(Settings { trusted_proxies, ..Settings::default() }).await;
    ask(&app, REGISTER, "root", &[]).await.problem(403, "FORBIDDEN");
}
