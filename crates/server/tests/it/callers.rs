//! Who is let in: tokens good, bad and dead, callers without one, and who may see the numbers.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use server::auth::secret::Secret;
use server::auth::tokens::{TokenKind, Tokens};
use server::clock;
use server::settings::Settings;

use crate::harness::{Answer, Caller, TestApp};

const PRODUCTS: &str = "/api/v1/products";
const USERS: &str = "/api/v1/users";
const ME: &str = "/api/v1/auth/me";

async fn get_with(caller: &Caller<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
    caller.send(Method::GET, path, headers, None::<&str>).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tokens_of_this_server_that_live_are_taken() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let token = root.token.clone().unwrap();
    let foreign = Secret::from_text("a secret of somebody else: 0123456789").unwrap();
    let foreign = Tokens::new(&foreign.token_key());
    let (now_us, hour) = (clock::now_us(), Duration::from_secs(3600));
    let ours = app.app.tokens();
    let day_us = 24 * 3_600_000_000;
    let issue = |tokens: &Tokens, kind, user, generation, at| {
        tokens.issue(kind, user, generation, at, hour).map(|token| format!("Bearer {token}")).unwrap()
    };
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer {token}x"),
        format!("Bearer {token} {token}"),
        format!("Bearer {head}.{claims}."),
        format!("Bearer {none}.{claims}."),
        format!("Bearer {none}.{claims}.{signature}"),
        format!("Bearer {}", "x".repeat(5000)),
        "Bearer ä".to_owned(),
        issue(&foreign, TokenKind::Access, 1, 1, now_us),
        issue(ours, TokenKind::Access, 1, 1, now_us - day_us),
        issue(ours, TokenKind::Access, 1, 1, now_us + day_us),
        issue(ours, TokenKind::Access, 1, 2, now_us),
        issue(ours, TokenKind::Access, 99, 1, now_us),
        issue(ours, TokenKind::Access, -1, 1, now_us),
        issue(ours, TokenKind::Refresh, 1, 1, now_us),
    ];
    let stranger = app.stranger();
    for header in &bad {
        // Also where no token is needed: one that is sent must be good.
        for path in [ME, PRODUCTS] {
            let answer = get_with(&stranger, path, &[("authorization", header)]).await;
            answer.problem(401, "INVALID_TOKEN");
            assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
        }
    }
    let good = format!("Bearer {token}");
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    get_with(&stranger, ME, &twice).await.problem(401, "INVALID_TOKEN");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        get_with(&stranger, ME, &[("authorization", &format!("{scheme} {token}"))]).await.expect(200);
    }
    let answer = stranger.get(ME).await;
    answer.problem(401, "UNAUTHENTICATED");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_opens_nothing() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let victim = app.user(&root, "sam", "staff").await;
    root.patch(&format!("{USERS}/{}", victim.id), json!({"role": "admin"})).await.expect(200);
    for path in [PRODUCTS, "/api/v1/orders", "/api/v1/events", USERS, ME] {
        victim.get(path).await.problem(401, "INVALID_TOKEN");
    }
    let body = json!({"name": "x", "price_cents": 1});
    victim.post(PRODUCTS, body).await.problem(401, "INVALID_TOKEN");
    let body = json!({"username": "x", "password": "long enough", "role": "admin"});
    victim.post("/api/v1/auth/register", body).await.problem(401, "INVALID_TOKEN");
    let forwarded = [("x-forwarded-for", "192.0.2.1")];
    get_with(&victim, "/metrics", &forwarded).await.problem(401, "INVALID_TOKEN");
    app.log_in("sam").await.get(USERS).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_token_are_what_the_server_was_told() {
    use domain::Role::{Admin, Customer, Staff};
    let product = json!({"name": "Cup", "price_cents": 100, "stock_quantity": 5});
    let order = json!({"items": [{"product_id": 1, "quantity": 1}]});
    let staff_role = json!({"username": "a", "password": "long enough", "role": "staff"});
    for (role, read, write, users, hire) in [
        (None, 401, 401, 401, 403),
        (Some(Customer), 200, 403, 403, 403),
        (Some(Staff), 200, 201, 403, 403),
        (Some(Admin), 200, 201, 200, 201),
    ] {
        let app = TestApp::start_with(Settings { anonymous_role: role, ..Settings::default() }).await;
        let root = app.admin().await;
        root.post(PRODUCTS, product.clone()).await.expect(201);
        let stranger = app.stranger();
        stranger.get(PRODUCTS).await.expect(read);
        stranger.post(PRODUCTS, product.clone()).await.expect(write);
        stranger.get(USERS).await.expect(users);
        stranger.get(&format!("{USERS}/1")).await.expect(match role {
            None => 401,
            Some(Admin) => 200,
            Some(_) => 404,
        });
        stranger.post("/api/v1/auth/register", staff_role.clone()).await.expect(hire);
        // There is no account, whatever the role.
        stranger.get(ME).await.problem(401, "UNAUTHENTICATED");
        stranger.post("/api/v1/auth/logout-everywhere", json!({})).await.problem(401, "UNAUTHENTICATED");
        let body = json!({"current_password": "x", "new_password": "long enough"});
        stranger.post("/api/v1/auth/change-password", body).await.problem(401, "UNAUTHENTICATED");
        let placed = stranger.post("/api/v1/orders", order.clone()).await;
        if role.is_some() {
            let id = placed.expect(201)["order_id"].as_i64().unwrap();
            stranger.get(&format!("/api/v1/orders/{id}")).await.expect(200);
            let theirs = root.post("/api/v1/orders", order.clone()).await.expect(201)["order_id"].clone();
            let seen = stranger.get(&format!("/api/v1/orders/{theirs}")).await;
            assert_eq!(seen.status, if role == Some(Customer) { 404 } else { 200 }, "{role:?}");
        } else {
            placed.problem(401, "UNAUTHENTICATED");
        }
        // A bad token is not the same as none.
        get_with(&stranger, PRODUCTS, &[("authorization", "Bearer x")]).await.problem(401, "INVALID_TOKEN");
        app.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_tell_what_the_server_did() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let tea = app.product(&root, "Tea", 100, 1).await;
    let order = json!({"items": [{"product_id": tea, "quantity": 1}]});
    let number = async |name: &str| {
        let text = app.stranger().get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse::<f64>().unwrap())
    };
    let batches = number("stockroom_commit_batch_size_count").await;
    root.post("/api/v1/orders", order.clone()).await.expect(201);
    root.post("/api/v1/orders", order).await.problem(409, "INSUFFICIENT_STOCK");
    for (name, expected) in [
        (r#"stockroom_http_requests_total{method="POST",route="/api/v1/orders",status="201"}"#, 1.0),
        (r#"stockroom_http_requests_total{method="POST",route="/api/v1/orders",status="409"}"#, 1.0),
        (r#"stockroom_http_request_duration_seconds_count{route="/api/v1/orders"}"#, 2.0),
        (r#"stockroom_refusals_total{code="INSUFFICIENT_STOCK"}"#, 1.0),
        ("stockroom_commit_batch_size_count", batches + 2.0),
        ("stockroom_commit_batch_size_sum", batches + 2.0),
        ("stockroom_commit_seconds_count", batches + 2.0),
        ("stockroom_committer_queue_depth", 0.0),
    ] {
        assert!((number(name).await - expected).abs() < f64::EPSILON, "{name}: {}", number(name).await);
    }
    assert!(number("stockroom_commit_seconds_sum").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_for_this_machine_and_for_staff() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let staff = app.user(&root, "sam", "staff").await;
    let john = app.user(&root, "john", "customer").await;
    let local = app.stranger().get("/metrics").await;
    assert_eq!(local.status, 200);
    assert!(local.header("content-type").starts_with("application/openmetrics-text"), "{local:?}");
    assert!(local.text.contains("route=\"/api/v1/auth/login\""), "{}", local.text);
    assert!(!local.text.contains("john"), "names are nobody's business");
    for mark in ["forwarded", "x-forwarded-for", "x-real-ip"] {
        let header = [(mark, "192.0.2.1")];
        get_with(&app.stranger(), "/metrics", &header).await.problem(401, "UNAUTHENTICATED");
        get_with(&john, "/metrics", &header).await.problem(403, "FORBIDDEN");
        assert_eq!(get_with(&staff, "/metrics", &header).await.status, 200);
    }
}
