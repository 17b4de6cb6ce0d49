//! Tokens from login to their end, and the password that they hang on.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Answer, Caller, PASSWORD, TestApp};

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout-everywhere";
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
async fn refreshes_tokens() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let refresh = |token: &str| {
        let stranger = app.stranger();
        let body = json!({"refresh_token": token});
        async move { stranger.post(REFRESH, body).await }
    };
    let answer = refresh(&root.refresh_token).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.expect(200);
    let again = with_tokens(&app, &tokens);
    assert_eq!(again.get(ME).await.expect(200)["username"], "root");
    refresh(&again.refresh_token).await.expect(200);
    // A token of one kind is none of the other.
    refresh(root.token.as_deref().unwrap()).await.problem(401, "INVALID_TOKEN");
    let mut wrong = app.stranger();
    wrong.token = Some(root.refresh_token.clone());
    wrong.get(ME).await.problem(401, "INVALID_TOKEN");
    for garbage in ["x", "a.b.c", "äöü", " "] {
        refresh(garbage).await.problem(401, "INVALID_TOKEN");
    }
    refresh("").await.invalid(&["refresh_token"]);
    refresh(&"x".repeat(4097)).await.invalid(&["refresh_token"]);
    app.stranger().post(REFRESH, json!({})).await.invalid(&["refresh_token"]);
    app.stranger().post(REFRESH, json!({"refresh_token": null})).await.invalid(&["refresh_token"]);
    let body = json!({"refresh_token": "x", "scope": ""});
    app.stranger().post(REFRESH, body).await.invalid(&["scope"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire() {
    let settings = Settings {
        access_token_life: Duration::from_secs(1),
        refresh_token_life: Duration::from_secs(2),
        ..Settings::default()
    };
    let app = TestApp::start_with(settings).await;
    let body = json!({"username": "root", "password": PASSWORD});
    app.stranger().post(REGISTER, body).await.expect(201);
    let tokens = log_in_with(&app, "root", PASSWORD).await.expect(200);
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(1), &json!(2)));
    let root = with_tokens(&app, &tokens);
    tokio::time::sleep(Duration::from_millis(2050)).await;
    let answer = root.get(ME).await;
    answer.problem(401, "INVALID_TOKEN");
    assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    let body = json!({"refresh_token": root.refresh_token});
    app.stranger().post(REFRESH, body).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_kills_every_token() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let elsewhere = app.log_in("root").await;
    app.stranger().post(LOGOUT, json!({})).await.problem(401, "UNAUTHENTICATED");
    root.post(LOGOUT, json!({"all": true})).await.invalid(&["all"]);
    let answer = root.send(Method::POST, LOGOUT, &[], None::<&str>).await;
    answer.expect(204);
    assert_eq!(answer.text, "");
    for caller in [&root, &elsewhere] {
        caller.get(ME).await.problem(401, "INVALID_TOKEN");
        let body = json!({"refresh_token": caller.refresh_token});
        app.stranger().post(REFRESH, body).await.problem(401, "INVALID_TOKEN");
    }
    let key = [("idempotency-key", "out")];
    post_with(&app.log_in("root").await, LOGOUT, &key, &json!({})).await.expect(204);
    let root = app.log_in("root").await;
    let again = post_with(&root, LOGOUT, &key, &json!({})).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (204, "true"));
    root.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn me_is_versioned() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.stranger().get(ME).await.problem(401, "UNAUTHENTICATED");
    let first = root.get(ME).await;
    first.expect(200);
    let tag = [("if-none-match", first.header("etag"))];
    let fresh = root.send(Method::GET, ME, &tag, None::<&str>).await;
    assert_eq!((fresh.status.as_u16(), fresh.text.as_str()), (304, ""));
    assert_eq!(fresh.header("etag"), first.header("etag"));
    root.patch("/api/v1/users/1", json!({"full_name": "Root"})).await.expect(200);
    let changed = root.send(Method::GET, ME, &tag, None::<&str>).await;
    assert_eq!(changed.expect(200)["full_name"], "Root");
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_kills_every_token_and_the_old_password() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let elsewhere = app.log_in("root").await;
    let body = |current, new| json!({"current_password": current, "new_password": new});
    let change = |body| root.post(CHANGE_PASSWORD, body);
    app.stranger()
        .post(CHANGE_PASSWORD, body(PASSWORD, OTHER_PASSWORD))
        .await
        .problem(401, "UNAUTHENTICATED");
    change(body("wrong", OTHER_PASSWORD)).await.problem(401, "INVALID_CREDENTIALS");
    change(body(PASSWORD, "short")).await.invalid(&["new_password"]);
    change(json!({})).await.invalid(&["current_password", "new_password"]);
    change(json!({"password": "x"})).await.problem(400, "VALIDATION_ERROR");
    root.get(ME).await.expect(200);

    let key = [("idempotency-key", "change")];
    let answer = post_with(&root, CHANGE_PASSWORD, &key, &body(PASSWORD, OTHER_PASSWORD)).await;
    answer.expect(204);
    for caller in [&root, &elsewhere] {
        caller.get(ME).await.problem(401, "INVALID_TOKEN");
        let body = json!({"refresh_token": caller.refresh_token});
        app.stranger().post(REFRESH, body).await.problem(401, "INVALID_TOKEN");
    }
    log_in_with(&app, "root", PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    let tokens = log_in_with(&app, "root", OTHER_PASSWORD).await.expect(200);
    let root = with_tokens(&app, &tokens);
    assert_eq!(root.get(ME).await.expect(200)["version"], 2);
    let again = post_with(&root, CHANGE_PASSWORD, &key, &body(PASSWORD, OTHER_PASSWORD)).await;
    again.problem(401, "INVALID_CREDENTIALS");
    root.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_password_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let change = |new: &str| {
        let body = json!({"current_password": PASSWORD, "new_password": new});
        root.post(CHANGE_PASSWORD, body)
    };
    let (a, b) = tokio::join!(change("first new password"), change("other new password"));
    let (winner, loser, right) = match a.status.as_u16() {
        204 => (a, b, "first new password"),
        _ => (b, a, "other new password"),
    };
    winner.expect(204);
    // Caught by the generation if they overlapped, by the dead token or the changed password if they did not.
    assert!([401, 409].contains(&loser.status.as_u16()), "{loser:?}");
    log_in_with(&app, "root", right).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn login_and_refresh_check_a_key_and_forget_it() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.user(&root, "john", "customer").await;
    let key = [("idempotency-key", "login")];
    for name in ["root", "john", "root"] {
        let body = json!({"username": name, "password": PASSWORD});
        let answer = post_with(&app.stranger(), LOGIN, &key, &body).await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        assert_eq!(with_tokens(&app, &answer.expect(200)).get(ME).await.expect(200)["username"], name);
    }
    let body = json!({"refresh_token": root.refresh_token});
    post_with(&app.stranger(), REFRESH, &key, &body).await.expect(200);
    for path in [LOGIN, REFRESH] {
        for bad in ["", "a b", &"x".repeat(256)] {
            let answer = post_with(&app.stranger(), path, &[("idempotency-key", bad)], &body).await;
            answer.invalid(&["Idempotency-Key"]);
        }
    }
}
