//! Tokens die with what they stood for: at once, at every door, on every server, whatever was kept of earlier answers.
//!
//! The control undoes in the database what should have killed them, as if the command had forgotten it: then the same look
//! at the same doors finds them alive.

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Caller, PASSWORD, TestApp};

/// What kills the tokens of a member of staff.
#[derive(Debug, Clone, Copy)]
enum End {
    LogOut,
    LogOutOnTheOtherServer,
    Password,
    PasswordByCommandLine,
    Deactivated,
    Demoted,
    Promoted,
}

const ENDS: [End; 7] = [
    End::LogOut,
    End::LogOutOnTheOtherServer,
    End::Password,
    End::PasswordByCommandLine,
    End::Deactivated,
    End::Demoted,
    End::Promoted,
];

/// Where a token is shown: method, path, body.
const DOORS: &[(&str, &str, Option<&str>)] = &[
    ("GET", "/api/v1/auth/me", None),
    ("GET", "/api/v1/products", None),
    ("GET", "/api/v1/products/1", None),
    ("GET", "/api/v1/orders", None),
    ("GET", "/api/v1/orders/1", None),
    ("GET", "/api/v1/events", None),
    // Also what was done already under this key is told to nobody any more.
    ("POST", "/api/v1/orders", Some(r#"{"items": [{"product_id": 1, "quantity": 1}]}"#)),
    ("GET", "/compat/mini-order/orders", None),
    ("GET", "/compat/leafcraft/orders/", None),
    ("GET", "/metrics", None),
];

/// The doors at which the tokens are good, and those at which they are not.
async fn look(caller: &Caller<'_>, servers: [&TestApp; 2]) -> (Vec<String>, Vec<String>) {
    let (mut alive, mut dead) = (Vec::new(), Vec::new());
    for (number, server) in servers.into_iter().enumerate() {
        let caller = server.as_seen_by(caller);
        for (method, path, body) in DOORS {
            let method: Method = method.parse().unwrap();
            let headers = [("idempotency-key", "the-one"), ("x-forwarded-for", "192.0.2.1")];
            let count = if body.is_some() { 0..2 } else { 1..2 };
            let answer = caller.send(method, path, &headers[count], *body).await;
            let door = format!("server {number}: {path}");
            match answer.status.as_u16() {
                200 | 201 => alive.push(door),
                401 => dead.push(door),
                _ => panic!("{door}: {answer:?}"),
            }
        }
        let body = json!({"refresh_token": caller.refresh_token});
        let answer = server.stranger().post("/api/v1/auth/refresh", body).await;
        let door = format!("server {number}: refresh");
        if answer.status == 200 { alive.push(door) } else { dead.push(door) }
    }
    (alive, dead)
}

async fn carry_out(end: End, root: &Caller<'_>, sam: &Caller<'_>, other: &TestApp) {
    let change = |body: Value| root.patch("/api/v1/users/2", body);
    match end {
        End::LogOut => sam.post("/api/v1/auth/logout-everywhere", json!({})).await.expect(204),
        End::LogOutOnTheOtherServer => {
            other.as_seen_by(sam).post("/api/v1/auth/logout-everywhere", json!({})).await.expect(204)
        }
        End::Password => {
            let body = json!({"current_password": PASSWORD, "new_password": "incorrect zebra battery"});
            sam.post("/api/v1/auth/change-password", body).await.expect(204)
        }
        End::PasswordByCommandLine => {
            let command = domain::SetPassword {
                user_id: domain::UserId(2),
                seen_generation: None,
                password_hash: "$argon2id$other".to_owned(),
            };
            let context = domain::Context {
                actor: domain::Actor::SYSTEM,
                now_us: server::clock::now_us(),
                request_id: std::sync::Arc::from("cli"),
                source: None,
            };
            assert!(other.app.execute(command, context, None).await.is_ok());
            Value::Null
        }
        End::Deactivated => change(json!({"is_active": false})).await.expect(200),
        End::Demoted => change(json!({"role": "customer"})).await.expect(200),
        End::Promoted => change(json!({"role": "admin"})).await.expect(200),
    };
}

async fn forget_the_end(app: &TestApp) {
    let mut transaction = app.database().await.begin().await.unwrap();
    let sql = "UPDATE users SET token_generation = token_generation - 1, is_active = 1, role = 'staff' WHERE id = 2";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_is_an_end_at_every_door() {
    for end in ENDS {
        let app = TestApp::start().await;
        let root = app.admin().await;
        let sam = app.user(&root, "sam", "staff").await;
        app.product(&root, "Tea", 100, 10).await;
        let order = json!({"items": [{"product_id": 1, "quantity": 1}]});
        root.post("/api/v1/orders", order).await.expect(201);
        let other = app.beside(Settings::default()).await;
        // Both have seen the tokens, and have kept what there was to keep.
        for _ in 0..2 {
            let (alive, dead) = look(&sam, [&app, &other]).await;
            assert_eq!((alive.len(), dead.len()), (2 * DOORS.len() + 2, 0), "{end:?} {dead:?}");
        }
        carry_out(end, &root, &sam, &other).await;
        let (alive, _) = look(&sam, [&app, &other]).await;
        assert_eq!(alive, [""; 0], "{end:?}");
        forget_the_end(&app).await;
        let (alive, dead) = look(&sam, [&app, &other]).await;
        assert_eq!((alive.len(), dead.len()), (2 * DOORS.len() + 2, 0), "control, {end:?}: {dead:?}");
    }
}
