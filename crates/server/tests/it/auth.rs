//! Accounts, tokens and passwords of the caller.

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Answer, Caller, PASSWORD, TestApp};

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/auth/me";
const CHANGE_PASSWORD: &str = "/api/v1/auth/change-password";
const OTHER_PASSWORD: &str = "incorrect zebra battery";

async fn post_with(caller: &Caller<'_>, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    caller.send(Method::POST, path, headers, Some(body.to_string())).await
}

async fn log_in_with(app: &TestApp, name: &str, password: &str) -> Answer {
    app.stranger().post(LOGIN, json!({"username": name, "password": password})).await
}

/// An account as somebody who only has its tokens.
fn with_tokens<'a>(app: &'a TestApp, tokens: &Value) -> Caller<'a> {
    let mut caller = app.stranger();
    caller.token = Some(tokens["access_token"].as_str().unwrap().to_owned());
    caller.refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_is_the_administrator_and_all_others_are_customers() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let made = stranger.post(REGISTER, json!({"username": "Root", "password": PASSWORD})).await;
    assert_eq!(made.header("location"), "/api/v1/users/1");
    assert_eq!(made.header("etag"), "\"1\"");
    let user = made.expect(201);
    let names: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["id", "username", "email", "full_name", "role", "is_active", "version", "created_at", "updated_at"];
    assert_eq!(names.len(), expected.len(), "{user}");
    assert!(expected.iter().all(|name| names.contains(name)), "{user}");
    assert_eq!((&user["id"], &user["username"], &user["role"]), (&json!(1), &json!("Root"), &json!("admin")),);
    assert_eq!((&user["email"], &user["is_active"]), (&Value::Null, &json!(true)));
    let body = json!({
        "username": "john.doe", "password": PASSWORD, "email": "John.Doe@Example.com", "full_name": "John Doe",
        "role": null,
    });
    let user = stranger.post(REGISTER, body).await.expect(201);
    assert_eq!((&user["id"], &user["role"]), (&json!(2), &json!("customer")));
    assert_eq!((&user["email"], &user["full_name"]), (&json!("john.doe@example.com"), &json!("John Doe")));
    assert_eq!(user["created_at"], user["updated_at"]);
    let john = app.log_in("john.doe").await;
    assert_eq!(john.get(ME).await.expect(200), user);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_may_be_a_customer_if_it_asks_for_that() {
    let app = TestApp::start().await;
    let body = json!({"username": "first", "password": PASSWORD, "role": "customer"});
    assert_eq!(app.stranger().post(REGISTER, body).await.expect(201)["role"], "customer");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_hands_out_roles() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let staff = app.user(&root, "sam", "staff").await;
    let customer = app.user(&root, "cleo", "customer").await;
    for role in ["staff", "admin"] {
        let body = |name| json!({"username": name, "password": PASSWORD, "role": role});
        for caller in [&app.stranger(), &customer, &staff] {
            caller.post(REGISTER, body("nobody")).await.problem(403, "FORBIDDEN");
        }
        let made = root.post(REGISTER, body(role)).await.expect(201);
        assert_eq!(made["role"], role);
        app.log_in(role).await;
    }
    let mut forged = app.stranger();
    forged.token = Some("abc.def.ghi".to_owned());
    let body = json!({"username": "late", "password": PASSWORD});
    forged.post(REGISTER, body).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_are_unique_without_regard_to_case() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let body = |name, email| json!({"username": name, "password": PASSWORD, "email": email});
    stranger.post(REGISTER, body("John", "john@example.com")).await.expect(201);
    stranger.post(REGISTER, body("jOHN", "other@example.com")).await.problem(409, "USERNAME_TAKEN");
    stranger.post(REGISTER, body("other", "JOHN@example.com")).await.problem(409, "EMAIL_TAKEN");
    stranger.post(REGISTER, body("other", "other@example.com")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_registrations_are_refused_by_field() {
    let app = TestApp::start().await;
    let good =
        json!({"username": "john", "password": PASSWORD, "email": "j@example.com", "full_name": "John"});
    let long = |length| json!("x".repeat(length));
    let cases = [
        ("username", vec![json!(null), json!(""), json!(1), json!(".a"), json!("a b"), json!("ä"), long(65)]),
        ("password", vec![json!(null), json!("1234567"), json!(12_345_678), json!("1234567\0"), long(129)]),
        (
            "email",
            vec![json!("john"), json!(""), json!(7), json!("a@b\n"), json!(format!("{}@b", "x".repeat(253)))],
        ),
        ("full_name", vec![json!(""), json!("  "), json!("a\nb"), json!(["x"]), long(201), json!("\0")]),
        ("role", vec![json!("root"), json!("Admin"), json!(1), json!("")]),
        ("is_active", vec![json!(true)]),
        ("id", vec![json!(7)]),
    ];
    for (field, values) in cases {
        for value in values {
            let mut body = good.clone();
            body[field] = value;
            let answer = app.stranger().post(REGISTER, body).await;
            answer.invalid(&[field]);
            assert!(!answer.text.contains("1234567"), "a password is repeated: {answer:?}");
        }
    }
    app.stranger().post(REGISTER, json!({})).await.invalid(&["username", "password"]);
    app.stranger().post(REGISTER, json!([])).await.invalid(&["body"]);
    let empty = app.stranger().send(Method::POST, REGISTER, &[], Some("")).await;
    empty.invalid(&["body"]);
    app.stranger().post(REGISTER, good).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let body = json!({"username": "wanted", "password": PASSWORD});
    let stranger = app.stranger();
    let register = || stranger.post(REGISTER, body.clone());
    let (a, b, c, d) = tokio::join!(register(), register(), register(), register());
    let mut statuses = [a, b, c, d].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_under_a_key_happens_once() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let key = [("idempotency-key", "abc")];
    let body = json!({"username": "john", "password": PASSWORD});
    let first = post_with(&stranger, REGISTER, &key, &body).await;
    let again = post_with(&stranger, REGISTER, &key, &body).await;
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!((first.expect(201), first.header("location"), first.header("etag")), {
        (again.expect(201), again.header("location"), again.header("etag"))
    });
    let other = json!({"username": "jane", "password": PASSWORD});
    post_with(&stranger, REGISTER, &key, &other).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    let other_password = json!({"username": "john", "password": OTHER_PASSWORD});
    post_with(&stranger, REGISTER, &key, &other_password).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    let refused = post_with(&stranger, REGISTER, &[("idempotency-key", "def")], &body).await;
    let again = post_with(&stranger, REGISTER, &[("idempotency-key", "def")], &body).await;
    refused.problem(409, "USERNAME_TAKEN");
    assert_eq!((refused.text, again.header("idempotency-replayed")), (again.text.clone(), "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_with_json_and_with_a_form_by_name_and_by_address() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.user(&root, "john", "customer").await;
    let answer = log_in_with(&app, "john", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.expect(200);
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(3600), &json!(1_209_600)));
    assert_eq!(tokens.as_object().unwrap().len(), 5);
    for name in ["JOHN", "john@example.com", "John@Example.COM"] {
        log_in_with(&app, name, PASSWORD).await.expect(200);
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    // What Swagger UI sends: an empty client goes into a header of its own.
    let swagger = [form[0], ("authorization", "Basic Og==")];
    for (headers, body) in [
        (&form[..], "username=john&password=correct+horse%20battery"),
        (&form[..], "grant_type=password&username=john%40example.com&password=correct+horse+battery"),
        (
            &swagger[..],
            "grant_type=password&username=john&password=correct%20horse%20battery&scope=&client_id=&client_secret=",
        ),
    ] {
        let tokens = app.stranger().send(Method::POST, LOGIN, headers, Some(body)).await.expect(200);
        assert_eq!(with_tokens(&app, &tokens).get(ME).await.expect(200)["username"], "john");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_logins_are_refused_by_field() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let post = |body| stranger.post(LOGIN, body);
    post(json!({})).await.invalid(&["username", "password"]);
    post(json!({"username": null, "password": 1})).await.invalid(&["password", "username"]);
    post(json!({"username": "", "password": ""})).await.invalid(&["password", "username"]);
    post(json!({"username": "a", "password": "b", "token": "c"})).await.invalid(&["token"]);
    post(json!({"username": "a\0", "password": "b"})).await.invalid(&["username"]);
    post(json!({"username": "x".repeat(255), "password": "b"})).await.invalid(&["username"]);
    let secret = "hunter2".repeat(200);
    let answer = post(json!({"username": "a", "password": secret})).await;
    answer.invalid(&["password"]);
    assert!(!answer.text.contains("hunter2"));
    let form = |body: &'static str| {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let stranger = app.stranger();
        async move { stranger.send(Method::POST, LOGIN, &kind, Some(body)).await }
    };
    form("grant_type=client_credentials&username=a&password=b").await.invalid(&["grant_type"]);
    form("username=a").await.invalid(&["password"]);
    form("username=a&username=b&password=c").await.invalid(&["username"]);
    form("username=%zz&password=c").await.invalid(&["username"]);
    form("username=a&password=%ff").await.invalid(&["password"]);
    form("username=a&password=b%00").await.invalid(&["password"]);
    let kind = [("content-type", "text/plain")];
    let answer = app.stranger().send(Method::POST, LOGIN, &kind, Some("{}")).await;
    answer.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = app.stranger().send(Method::POST, REFRESH, &kind, Some("refresh_token=a")).await;
    answer.problem(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_look_alike() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    let gone = app.user(&root, "gone", "customer").await;
    root.patch(&format!("/api/v1/users/{}", gone.id), json!({"is_active": false})).await.expect(200);
    let id = [("x-request-id", "same")];
    let wrong = [
        ("john", "wrong password"),
        ("nobody", PASSWORD),
        ("no such name!", PASSWORD),
        ("gone", PASSWORD),
        ("gone", "wrong"),
    ];
    let mut texts = Vec::new();
    for (username, password) in wrong {
        let before = app.app.passwords().computed();
        let body = json!({"username": username, "password": password});
        let answer = post_with(&app.stranger(), LOGIN, &id, &body).await;
        answer.problem(401, "INVALID_CREDENTIALS");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        texts.push(answer.text);
        // What makes a login slow is the hash, so whoever pays for exactly one of them learns nothing from the time.
        assert_eq!(app.app.passwords().computed(), before + 1, "{username}");
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    john.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_too_many_passwords_wait_the_next_is_told_to_come_back() {
    let app = TestApp::start_with(Settings { hash_concurrency: 1, ..Settings::default() }).await;
    let root = app.admin().await;
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    let crowd = app.app.passwords().crowd().unwrap();
    let refusals = [
        log_in_with(&app, "root", PASSWORD).await,
        log_in_with(&app, "nobody", PASSWORD).await,
        app.stranger().post(REGISTER, json!({"username": "late", "password": PASSWORD})).await,
        root.post(CHANGE_PASSWORD, change).await,
    ];
    for answer in refusals {
        answer.problem(429, "TOO_MANY_REQUESTS");
        assert_eq!(answer.header("retry-after"), "1");
    }
    drop(crowd);
    log_in_with(&app, "root", PASSWORD).await.expect(200);
}

/// A file can be looked into.
mod sqlite_only {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_password_and_no_token_reaches_the_disk() {
        let app = TestApp::start().await;
        let key = [("idempotency-key", "first")];
        let body = json!({"username": "root", "password": PASSWORD});
        post_with(&app.stranger(), REGISTER, &key, &body).await.expect(201);
        let root = app.log_in("root").await;
        let body = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
        post_with(&root, CHANGE_PASSWORD, &key, &body).await.expect(204);
        let token = root.token.clone().unwrap();
        let refresh_token = root.refresh_token.clone();
        let home = app.stop().await;
        let mut seen = 0;
        for entry in std::fs::read_dir(home.directory()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            seen += bytes.len();
            for secret in [PASSWORD, OTHER_PASSWORD, &token, &refresh_token] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} is on the disk");
            }
        }
        assert!(seen > 10_000);
    }
}
