//! Keys of machines over HTTP: shown once, kept nowhere, dead at once when they are to be, on every server.

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Caller, TestApp};

fn body(role: &str, scopes: &[&str]) -> Value {
    json!({"name": "till", "role": role, "scopes": scopes})
}

async fn make<'a>(admin: &Caller<'a>, role: &str, scopes: &[&str]) -> (Caller<'a>, i64) {
    let made = admin.post("/api/v1/api-keys", body(role, scopes)).await.expect(201);
    let token = Some(made["key"].as_str().unwrap().to_owned());
    (Caller { token, ..admin.app.stranger() }, made["id"].as_i64().unwrap())
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_nowhere() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let headers = [("idempotency-key", "again")];
    let wish = body("staff", &["stock", "read", "read"]).to_string();
    let answer = root.send(Method::POST, "/api/v1/api-keys", &headers, Some(wish.clone())).await;
    assert_eq!(
        (answer.header("cache-control"), answer.header("location")),
        ("no-store", "/api/v1/api-keys/1")
    );
    let made = answer.expect(201);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sr_") && key.len() == 75, "{key}");
    assert_eq!(made["scopes"], json!(["read", "stock"]));
    assert_eq!((&made["role"], &made["maker_id"]), (&json!("staff"), &json!(root.id)));
    assert_eq!((&made["revoked_at"], &made["last_used_at"]), (&Value::Null, &Value::Null));
    // A repetition is no replay of a kept answer: there is none.
    let again = root.send(Method::POST, "/api/v1/api-keys", &headers, Some(wish)).await;
    assert_eq!(again.header("idempotency-replayed"), "");
    assert_ne!(again.expect(201)["key"], key);
    let listed = root.get("/api/v1/api-keys").await.expect(200);
    let ids: Vec<_> = listed["api_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(ids, [2, 1]);
    let page = root.get("/api/v1/api-keys?limit=1").await.expect(200);
    let next = format!("/api/v1/api-keys?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(root.get(&next).await.expect(200)["api_keys"][0]["id"], 1);
    // Nowhere: not in a list, the log, an event, a kept answer; nor its digest on the wire.
    let database = app.database().await;
    let mut reader = database.reader().await.unwrap();
    let mut stored = String::new();
    for table in ["api_keys", "audit", "events", "idempotency_keys"] {
        let rows = reader.query_dynamic_long(&format!("SELECT * FROM {table}"), &[]).await.unwrap();
        stored += &format!("{rows:?}");
    }
    let digest = server::auth::api_keys::digest(&key).unwrap();
    assert!(stored.contains(&digest) && !stored.contains(&key[3..40]));
    for path in ["/api/v1/api-keys", "/api/v1/audit", "/api/v1/events"] {
        let text = root.get(path).await.text;
        assert!(!text.contains(&key[3..40]) && !text.contains(&digest), "{path}: {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for (wrong, fields) in [
        (json!({"name": "till", "role": "customer", "scopes": ["read"]}), "role"),
        (json!({"name": "till", "role": "staff", "scopes": ["everything"]}), "scopes[0]"),
        (json!({"name": "till", "role": "staff", "scopes": []}), "scopes"),
        (json!({"name": "till", "role": "staff", "scopes": vec!["read"; 6]}), "scopes"),
        (json!({"name": "", "role": "staff", "scopes": ["read"]}), "name"),
        (json!({"name": "x", "role": "staff", "scopes": ["read"], "expires_in_days": 0}), "expires_in_days"),
        (
            json!({"name": "x", "role": "staff", "scopes": ["read"], "expires_in_days": 9999}),
            "expires_in_days",
        ),
        (json!({"name": "x", "role": "staff", "scopes": ["read"], "maker_id": 1}), "maker_id"),
    ] {
        root.post("/api/v1/api-keys", wrong).await.invalid(&[fields]);
    }
    root.delete("/api/v1/api-keys/9").await.problem(404, "API_KEY_NOT_FOUND");
    let key = make(&root, "admin", &["read"]).await.0.token.unwrap();
    // An altered key, the beginning of one, a key in the wrong place.
    let other = if key.ends_with('0') { '1' } else { '0' };
    for wrong in [
        format!("{}{other}", &key[..key.len() - 1]),
        key[..40].to_owned(),
        "sr_".to_owned(),
        format!("{key}{key}"),
    ] {
        let impostor = Caller { token: Some(wrong), ..app.stranger() };
        let answer = impostor.get("/api/v1/products").await;
        answer.problem(401, "INVALID_TOKEN");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
    app.stranger()
        .post("/api/v1/auth/refresh", json!({"refresh_token": key}))
        .await
        .problem(401, "INVALID_TOKEN");
    app.stranger().get(&format!("/api/v1/products?token={key}")).await.expect(401);
}

#[tokio::test]
async fn a_machine_works_for_the_shop_under_its_own_name() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let tea = app.product(&root, "Tea", 100, 50).await;
    let ann = app.user(&root, "ann", "customer").await;
    let (machine, _) = make(&root, "staff", &["orders", "read"]).await;
    let (other, _) = make(&root, "staff", &["orders", "read"]).await;
    let lines = json!([{"product_id": tea, "quantity": 1}]);
    let order = json!({"items": lines}).to_string();
    // The same key of a repetition belongs to each caller alone: two machines, and whoever made them.
    let mut placed = Vec::new();
    for caller in [&machine, &other, &root, &machine, &other, &root] {
        let headers = [("idempotency-key", "one")];
        let answer = caller.send(Method::POST, "/api/v1/orders", &headers, Some(order.clone())).await;
        placed.push(answer.expect(201)["order_id"].as_i64().unwrap());
    }
    assert_eq!(placed, [1, 2, 3, 1, 2, 3]);
    assert_eq!(machine.get("/api/v1/orders/1").await.expect(200)["user_id"], Value::Null);
    let for_ann = json!({"user_id": ann.id, "items": lines});
    assert_eq!(machine.post("/api/v1/orders", for_ann).await.expect(201)["user_id"], ann.id);
    assert_eq!(ann.get("/api/v1/orders").await.expect(200)["orders"].as_array().unwrap().len(), 1);
    // The older contracts, too, whose callers must be known.
    let items = json!({"items": [{"product_id": tea, "quantity": 1}]});
    machine.post("/compat/mini-order/orders", items).await.expect(201);
    machine.get("/compat/leafcraft/orders/").await.expect(200);
    app.verify().await;
}

#[tokio::test]
async fn a_key_dies_at_once_on_every_server() {
    let app = TestApp::start().await;
    let beside = app.beside(Settings::default()).await;
    let root = app.admin().await;
    let boss = app.user(&root, "boss", "admin").await;
    let user = format!("/api/v1/users/{}", boss.id);
    let kills: [&dyn Fn(i64) -> (Method, String, Value); 3] = [
        &|id| (Method::DELETE, format!("/api/v1/api-keys/{id}"), json!({})),
        &|_| (Method::PATCH, user.clone(), json!({"role": "staff"})),
        &|_| (Method::PATCH, user.clone(), json!({"is_active": false})),
    ];
    for kill in kills {
        let boss = app.log_in("boss").await;
        let (machine, id) = make(&boss, "admin", &["read"]).await;
        let (own, _) = make(&root, "admin", &["read"]).await;
        let there = beside.as_seen_by(&machine);
        for caller in [&machine, &there] {
            caller.get("/api/v1/products").await.expect(200);
        }
        let (method, path, body) = kill(id);
        let done = root.send(method, &path, &[], Some(body.to_string())).await;
        assert!(done.status.is_success(), "{done:?}");
        for caller in [&machine, &there] {
            caller.get("/api/v1/products").await.problem(401, "INVALID_TOKEN");
        }
        // With what others made, nothing happened; and what is dead stays so.
        own.get("/api/v1/products").await.expect(200);
        root.patch(&user, json!({"role": "admin", "is_active": true})).await.expect(200);
        machine.get("/api/v1/products").await.problem(401, "INVALID_TOKEN");
    }
    // A password or a log-out of its maker is no reason to stop a machine.
    let boss = app.log_in("boss").await;
    let (machine, _) = make(&boss, "staff", &["read"]).await;
    boss.post("/api/v1/auth/logout-everywhere", json!({})).await.expect(204);
    machine.get("/api/v1/products").await.expect(200);
}

#[tokio::test]
async fn an_expired_key_is_worth_nothing() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let (machine, id) = make(&root, "staff", &["read"]).await;
    machine.get("/api/v1/products").await.expect(200);
    let database = app.database().await;
    let mut transaction = database.begin().await.unwrap();
    let sql = "UPDATE api_keys SET expires_at_us = ? WHERE id = ?";
    transaction.execute_dynamic(sql, &[server::clock::now_us().into(), id.into()]).await.unwrap();
    transaction.commit().await.unwrap();
    machine.get("/api/v1/products").await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn the_last_use_shows_after_a_while_and_is_written_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let (machine, _) = make(&root, "staff", &["read"]).await;
    let last = async || root.get("/api/v1/api-keys").await.expect(200)["api_keys"][0]["last_used_at"].clone();
    assert_eq!(last().await, Value::Null);
    machine.get("/api/v1/products").await.expect(200);
    let mut noted = Value::Null;
    while noted.is_null() {
        tokio::task::yield_now().await;
        noted = last().await;
    }
    for _ in 0..20 {
        machine.get("/api/v1/products").await.expect(200);
    }
    assert_eq!(last().await, noted);
    // It is no deed of anybody's.
    let told = root.get("/api/v1/audit?target_kind=api_key&target_id=1").await.expect(200);
    assert_eq!(told["entries"].as_array().unwrap().len(), 1);
}
