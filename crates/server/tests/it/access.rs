//! Guessing passwords over HTTP: through every door, on every name, from everywhere.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use serde_json::json;
use server::auth::passwords::Passwords;
use server::settings::{Settings, network};

use crate::harness::{Answer, Caller, PASSWORD, TestApp};

const LOGIN: &str = "/api/v1/auth/login";
const CHANGE: &str = "/api/v1/auth/change-password";
const LOGINS: [&str; 3] = [LOGIN, "/compat/mini-order/login", "/compat/leafcraft/auth/login"];

/// A shop behind a proxy, so that requests may come from anywhere.
async fn shop(per_account: u32, per_source: u32) -> TestApp {
    let settings = Settings {
        trusted_proxies: vec![network("127.0.0.1").unwrap()],
        login_attempts_per_account: per_account,
        login_attempts_per_source: per_source,
        ..Settings::default()
    };
    let app = TestApp::start_with(settings).await;
    let command = domain::CreateUser {
        username: "root".to_owned(),
        email: Some("root@example.com".to_owned()),
        full_name: None,
        role: Some(domain::Role::Admin),
        founding: domain::Founding::Nothing,
        by_invitation: false,
        password_hash: app.app.passwords().hash(PASSWORD).await.unwrap(),
    };
    let context = domain::Context {
        actor: domain::Actor::SYSTEM,
        now_us: server::clock::now_us(),
        request_id: Arc::from("r"),
        source: None,
    };
    assert!(app.app.execute(command, context, None).await.is_ok());
    app
}

async fn try_from(caller: &Caller<'_>, path: &str, name: &str, password: &str, address: &str) -> Answer {
    let body = json!({"username": name, "password": password}).to_string();
    caller.send(Method::POST, path, &[("x-forwarded-for", address)], Some(body)).await
}

/// The status and the code; the code is the detail where there are no codes.
fn told(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let code = if body["code"].is_string() { &body["code"] } else { &body["detail"] };
    (answer.status.as_u16(), code.as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_counts_for_the_same_account() {
    let app = shop(4, 0).await;
    let stranger = app.stranger();
    for (guess, path) in LOGINS.iter().cycle().take(4).enumerate() {
        let answer = try_from(&stranger, path, "Root", "wrong", &format!("192.0.2.{guess}")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let computed = app.app.passwords().computed();
    for path in LOGINS {
        // The right one, too: it is not even looked at.
        let answer = try_from(&stranger, path, "root", PASSWORD, "192.0.2.77").await;
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
    }
    assert_eq!(app.app.passwords().computed(), computed);
    // Others are not concerned, and after the wait it is right again.
    try_from(&stranger, LOGIN, "nobody", "wrong", "192.0.2.77").await.problem(401, "INVALID_CREDENTIALS");
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    try_from(&stranger, LOGIN, "root", PASSWORD, "192.0.2.77").await.expect(200);
    assert!(app.metric("stockroom_refusals_total{code=\"TOO_MANY_REQUESTS\"}") >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_gets_no_further_by_trying_other_names() {
    let app = shop(0, 6).await;
    let stranger = app.stranger();
    for guess in 0..6 {
        // In one network of IPv6 there are addresses without end; what stands left of them is made up.
        let address = format!("10.0.0.{guess}, 2001:db8::{guess}");
        let answer = try_from(&stranger, LOGIN, &format!("user{guess}"), "wrong", &address).await;
        answer.problem(401, "INVALID_CREDENTIALS");
    }
    let answer = try_from(&stranger, LOGIN, "root", PASSWORD, "2001:db8::ffff").await;
    answer.problem(429, "TOO_MANY_REQUESTS");
    try_from(&stranger, LOGIN, "root", PASSWORD, "2001:db8:0:1::1").await.expect(200);
}

/// Wrong passwords for a name that are answered at once.
const FREE: u32 = 3;

/// An account that was deactivated, whose password everybody knows.
async fn deactivated(app: &TestApp) {
    let root = app.log_in("root").await;
    let body = json!({"username": "gone", "password": "wrong but long"}).to_string();
    root.send(Method::POST, "/api/v1/users", &[], Some(body)).await.expect(201);
    root.patch("/api/v1/users/2", json!({"is_active": false})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_exists_and_who_does_not_is_answered_alike_and_costs_the_same() {
    for path in LOGINS {
        // Each door on names that no other has used up.
        let app = shop(FREE, 0).await;
        deactivated(&app).await;
        let stranger = app.stranger();
        let mut seen = Vec::new();
        for name in ["root", "root@example.com", "gone", "nobody", "nobody@example.com", "no\u{f6}ne", "a b"]
        {
            let before = app.app.passwords().computed();
            let mut answers = Vec::new();
            for _ in 0..FREE + 2 {
                answers.push(told(&try_from(&stranger, path, name, "wrong but long", "192.0.2.1").await));
            }
            // Those that have to wait cost nothing. Where this takes long, the wait is over by then for one or another.
            let heard = answers.iter().filter(|(status, _)| *status == 401).count() as u64;
            assert_eq!(app.app.passwords().computed() - before, heard, "{path}: {name}");
            answers.truncate(FREE as usize);
            seen.push(answers);
        }
        // Not a byte tells one from another.
        for found in &seen[1..] {
            assert_eq!(found, &seen[0], "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_an_answer_that_costs_no_hash_is_noticed() {
    let app = shop(0, 0).await;
    let passwords = app.app.passwords();
    // What a login would do that looks for the user first.
    let hurried = async |user: Option<&str>| match user {
        Some(hash) => passwords.verify("wrong", Some(hash)).await.unwrap(),
        None => false,
    };
    let hash = passwords.hash("right").await.unwrap();
    let mut costs = Vec::new();
    for user in [Some(hash.as_str()), None] {
        let before = passwords.computed();
        assert!(!hurried(user).await);
        costs.push(passwords.computed() - before);
    }
    assert_ne!(costs[0], costs[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_does_not_help_to_guess_the_password() {
    let app = shop(3, 0).await;
    let mut root = app.stranger();
    let answer = try_from(&root, LOGIN, "root", PASSWORD, "192.0.2.1").await.expect(200);
    root.token = Some(answer["access_token"].as_str().unwrap().to_owned());
    let change = async |current: &str, address: &str| {
        let body = json!({"current_password": current, "new_password": "another long one"}).to_string();
        root.send(Method::POST, CHANGE, &[("x-forwarded-for", address)], Some(body)).await
    };
    for guess in 0..3 {
        change("wrong", &format!("192.0.2.1{guess}")).await.problem(401, "INVALID_CREDENTIALS");
    }
    change(PASSWORD, "192.0.2.99").await.problem(429, "TOO_MANY_REQUESTS");
    // The owner, at home, is not kept from it.
    change(PASSWORD, "192.0.2.1").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_not_made_by_the_hundred() {
    let app = shop(0, 3).await;
    let make = async |path: &str, number: usize, address: &str| {
        let name = format!("user{number}");
        let body = json!({"username": name, "password": PASSWORD, "role": "customer"}).to_string();
        app.stranger().send(Method::POST, path, &[("x-forwarded-for", address)], Some(body)).await
    };
    let doors = ["/api/v1/auth/register", "/compat/mini-order/register"];
    for number in 0..3 {
        make(doors[number % 2], number, "192.0.2.1").await.expect(201);
    }
    let computed = app.app.passwords().computed();
    for path in doors {
        assert_eq!(make(path, 7, "192.0.2.1").await.status, 429);
    }
    assert_eq!(app.app.passwords().computed(), computed);
    make(doors[0], 8, "192.0.2.2").await.expect(201);
}

/// How orders are answered while nobody gets a place to have a password hashed.
async fn orders_in_a_crowd(app: &TestApp) -> Vec<u16> {
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 1000).await;
    let crowd = app.app.passwords().crowd().unwrap();
    let login = json!({"username": "root", "password": PASSWORD});
    for path in LOGINS {
        let answer = app.stranger().post(path, login.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"), "{answer:?}");
    }
    // None of these ends if it has to wait for a password: nobody lets go of the places meanwhile.
    let mut statuses = Vec::new();
    for _ in 0..50 {
        let body = json!({"items": [{"product_id": product, "quantity": 1}]});
        statuses.push(root.post("/api/v1/orders", body).await.status.as_u16());
    }
    root.get("/api/v1/orders").await.expect(200);
    drop(crowd);
    // Nobody was counted as having guessed.
    app.stranger().post(LOGIN, login).await.expect(200);
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_placed_while_every_place_for_a_password_is_taken() {
    let app = TestApp::start_with(Settings { login_attempts_per_source: 0, ..Settings::default() }).await;
    assert_eq!(orders_in_a_crowd(&app).await, [201; 50]);
}

/// A server that makes orders queue where passwords do.
async fn queue(
    State(passwords): State<Arc<OnceLock<Passwords>>>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    if let (Some(passwords), "/api/v1/orders") = (passwords.get(), request.uri().path())
        && request.method() == Method::POST
    {
        passwords.verify("any", None).await.map_err(|_| StatusCode::TOO_MANY_REQUESTS)?;
    }
    Ok(next.run(request).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn control_orders_that_queue_with_passwords_are_noticed() {
    let passwords = Arc::<OnceLock<Passwords>>::default();
    let wrap = |router: Router| router.layer(from_fn_with_state(Arc::clone(&passwords), queue));
    let settings = Settings { login_attempts_per_source: 0, ..Settings::default() };
    let app = TestApp::start_wrapped(settings, wrap).await;
    assert!(passwords.set(app.app.passwords().clone()).is_ok());
    assert_eq!(orders_in_a_crowd(&app).await, [429; 50]);
}

/// Passwords that are tried first.
const COMMON: [&str; 7] =
    ["password", "Password", "PASSWORD1", "iloveyou", "1234567890", "qwertyuiop", "password123"];
/// Where one is set, and the field that it is in.
const SETTING: [(&str, &str); 4] = [
    ("/api/v1/auth/register", "password"),
    ("/api/v1/users", "password"),
    ("/compat/mini-order/register", "password"),
    (CHANGE, "new_password"),
];

/// Whether a password was refused, by the name of its field, and not told back.
fn is_refused(answer: &Answer, field: &str) -> bool {
    match answer.status.as_u16() {
        400 => {
            answer.invalid(&[field]);
            true
        }
        422 => {
            let detail = &answer.json()["detail"][0];
            detail["loc"] == json!(["body", field]) && detail["input"] == "**********"
        }
        _ => false,
    }
}

/// The places at which these passwords are not refused.
async fn not_refused(app: &TestApp, passwords: &[&str]) -> BTreeSet<&'static str> {
    let root = app.admin().await;
    let mut open = BTreeSet::new();
    for (number, password) in passwords.iter().enumerate() {
        let owner = app.user(&root, &format!("owner{number}"), "customer").await;
        for (place, (path, field)) in SETTING.into_iter().enumerate() {
            let name = format!("john{number}.{place}");
            let answer = if path == CHANGE {
                owner.post(path, json!({"current_password": PASSWORD, "new_password": password})).await
            } else {
                let account = json!({"username": name, "password": password, "role": "customer"});
                root.post(path, account).await
            };
            if !is_refused(&answer, field) {
                assert!(answer.status.is_success(), "{path} {password}: {answer:?}");
                open.insert(path);
            }
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn common_passwords_are_refused_wherever_one_is_set() {
    let app = TestApp::start().await;
    assert_eq!(not_refused(&app, &COMMON).await, BTreeSet::new());
    // What the contract of mini-order promises, it keeps.
    let short = json!({"username": "john", "password": "1234", "role": "customer"});
    app.stranger().post("/compat/mini-order/register", short).await.expect(201);
}

/// A server that knows no list: what is on it does not reach it as it was sent.
async fn disguise(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    for common in COMMON {
        text = text.replace(&format!(":\"{common}\""), ":\"correct horse staple\"");
    }
    parts.headers.remove("content-length");
    next.run(Request::from_parts(parts, text.into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_server_without_the_list_is_noticed_wherever_a_password_is_set() {
    let everywhere: BTreeSet<_> = SETTING.into_iter().map(|(path, _)| path).collect();
    let app = TestApp::start_wrapped(Settings::default(), |router| router.layer(from_fn(disguise))).await;
    assert_eq!(not_refused(&app, &COMMON[..2]).await, everywhere);
    // And it is for the list alone that they are refused.
    let app = TestApp::start().await;
    assert_eq!(not_refused(&app, &["a password of ours"]).await, everywhere);
}
