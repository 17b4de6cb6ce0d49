//! Accounts as administrators and their owners see them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, PASSWORD, TestApp};

const USERS: &str = "/api/v1/users";

fn path(caller: &Caller<'_>) -> String {
    format!("{USERS}/{}", caller.id)
}

async fn patch_with(caller: &Caller<'_>, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    caller.send(Method::PATCH, path, headers, Some(body.to_string())).await
}

fn names(listing: &Value) -> Vec<&str> {
    let users = listing["users"].as_array().unwrap();
    users.iter().map(|user| user["username"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_make_accounts_in_any_role() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for (id, role) in [(2, "customer"), (3, "staff"), (4, "admin")] {
        let body = json!({"username": role, "password": PASSWORD, "role": role, "email": null});
        let made = root.post(USERS, body).await;
        assert_eq!((made.header("location"), made.header("etag")), (&*format!("{USERS}/{id}"), "\"1\""));
        let user = made.expect(201);
        assert_eq!((&user["id"], &user["role"], &user["email"]), (&json!(id), &json!(role), &Value::Null));
        assert!(!made.text.contains("password") && !made.text.contains("argon2"), "{made:?}");
        let own = app.log_in(role).await;
        assert_eq!(own.get(&path(&own)).await.expect(200), user);
    }
    let body = json!({"username": "plain", "password": PASSWORD});
    assert_eq!(root.post(USERS, body.clone()).await.expect(201)["role"], "customer");
    root.post(USERS, body).await.problem(409, "USERNAME_TAKEN");
    root.post(USERS, json!({"password": 7, "active": true})).await.problem(400, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_for_administrators_and_their_owners() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let staff = app.user(&root, "sam", "staff").await;
    let john = app.user(&root, "john", "customer").await;
    let jane = app.user(&root, "jane", "customer").await;
    let body = json!({"username": "new", "password": PASSWORD});
    for caller in [&staff, &john] {
        caller.get(USERS).await.problem(403, "FORBIDDEN");
        caller.post(USERS, body.clone()).await.problem(403, "FORBIDDEN");
        caller.get(&path(&jane)).await.problem(404, "USER_NOT_FOUND");
        caller.patch(&path(&jane), json!({"full_name": "x"})).await.problem(404, "USER_NOT_FOUND");
        caller.get(&path(caller)).await.expect(200);
    }
    // What is not there and what is not theirs are told apart by nothing but the number.
    let id = [("x-request-id", "same")];
    let hidden = john.send(Method::GET, &path(&jane), &id, None::<&str>).await.text;
    let absent = john.send(Method::GET, &format!("{USERS}/99"), &id, None::<&str>).await.text;
    assert_eq!(hidden.replace(&format!("User {} ", jane.id), "User 99 "), absent);
    let stranger = app.stranger();
    stranger.get(USERS).await.problem(401, "UNAUTHENTICATED");
    stranger.post(USERS, body).await.problem(401, "UNAUTHENTICATED");
    stranger.get(&path(&jane)).await.problem(401, "UNAUTHENTICATED");
    stranger.patch(&path(&jane), json!({})).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(root.get(&path(&jane)).await.expect(200)["username"], "jane");
    root.get(&format!("{USERS}/99")).await.problem(404, "USER_NOT_FOUND");
    root.patch(&format!("{USERS}/99"), json!({"full_name": "x"})).await.problem(404, "USER_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_and_page() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for name in ["anna", "bert", "carl"] {
        let body = json!({
            "username": name, "password": PASSWORD, "email": format!("{name}@example.com"),
            "full_name": format!("{name} 100%"),
        });
        root.post(USERS, body).await.expect(201);
    }
    let sam = app.user(&root, "sam", "staff").await;
    root.patch(&format!("{USERS}/3"), json!({"is_active": false})).await.expect(200);
    root.patch(&path(&sam), json!({"full_name": "Émile Åberg"})).await.expect(200);
    let list = async |query: &str| root.get(&format!("{USERS}{query}")).await;
    let all = list("").await.expect(200);
    assert_eq!(names(&all), ["root", "anna", "bert", "carl", "sam"]);
    assert_eq!((&all["limit"], &all["offset"], &all["next_cursor"]), (&json!(20), &json!(0), &Value::Null));
    assert_eq!(all["users"][4], sam.get(&path(&sam)).await.expect(200));
    for (query, expected) in [
        ("?q=ANN", &["anna"][..]),
        ("?q=CARL%40example", &["carl"]),
        ("?q=100%25", &["anna", "bert", "carl"]),
        ("?q=%25", &["anna", "bert", "carl"]),
        ("?q=_", &[]),
        ("?q=sam+ex", &[]),
        // Émile, éMILE, åberg.
        ("?q=%C3%89mile", &["sam"]),
        ("?q=%C3%A9MILE", &["sam"]),
        ("?q=%C3%A5berg", &["sam"]),
        ("?role=admin", &["root"]),
        ("?role=staff", &["sam"]),
        ("?role=customer&active=true", &["anna", "carl"]),
        ("?active=false", &["bert"]),
        ("?q=e&role=customer&active=false", &["bert"]),
        ("?limit=2", &["root", "anna"]),
        ("?limit=2&offset=3", &["carl", "sam"]),
        ("?limit=2&page=3", &["sam"]),
        ("?offset=1000000000000", &[]),
    ] {
        assert_eq!(names(&list(query).await.expect(200)), expected, "{query}");
    }
    let mut found = Vec::new();
    let mut query = "?limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = list(&query).await.expect(200);
        assert_eq!(page["offset"], if pages == 0 { json!(0) } else { Value::Null });
        found.extend(names(&page).iter().map(|name| (*name).to_owned()));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!((pages, found.len()), (3, 5));
    assert_eq!(found, names(&all));
    for (query, fields) in [
        ("?limit=0", &["limit"][..]),
        ("?limit=101", &["limit"]),
        ("?limit=x", &["limit"]),
        ("?offset=-1", &["offset"]),
        ("?page=0", &["page"]),
        ("?page=1&offset=0", &["page"]),
        ("?cursor=garbage", &["cursor"]),
        ("?role=root", &["role"]),
        ("?active=maybe", &["active"]),
        ("?q=", &["q"]),
        ("?sort=id", &["sort"]),
        ("?q=a&q=b", &["q"]),
    ] {
        list(query).await.invalid(fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_change_their_name_and_address_and_nothing_else() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    app.user(&root, "jane", "customer").await;
    let answer = john.patch(&path(&john), json!({"email": "New@Example.com", "full_name": "New"})).await;
    assert_eq!(answer.header("etag"), "\"2\"");
    let user = answer.expect(200);
    assert_eq!((&user["email"], &user["full_name"]), (&json!("new@example.com"), &json!("New")));
    assert_eq!(user["version"], 2);
    let user = john.patch(&path(&john), json!({"email": null, "full_name": null})).await.expect(200);
    assert_eq!(
        (&user["email"], &user["full_name"], &user["version"]),
        (&Value::Null, &Value::Null, &json!(3))
    );
    // Nothing new, nothing changed.
    for same in [json!({}), json!({"email": null}), json!({"role": "customer", "is_active": true})] {
        assert_eq!(john.patch(&path(&john), same).await.expect(200), user);
    }
    john.patch(&path(&john), json!({"role": "admin"})).await.problem(403, "FORBIDDEN");
    john.patch(&path(&john), json!({"is_active": false})).await.problem(403, "FORBIDDEN");
    john.patch(&path(&john), json!({"email": "JANE@example.com"})).await.problem(409, "EMAIL_TAKEN");
    for (body, field) in [
        (json!({"role": null}), "role"),
        (json!({"is_active": null}), "is_active"),
        (json!({"is_active": "true"}), "is_active"),
        (json!({"is_active": 1}), "is_active"),
        (json!({"email": ""}), "email"),
        (json!({"email": "x"}), "email"),
        (json!({"full_name": ""}), "full_name"),
        (json!({"full_name": 7}), "full_name"),
        (json!({"username": "other"}), "username"),
        (json!({"password": "something else"}), "password"),
        (json!({"version": 7}), "version"),
        (json!(null), "body"),
        (json!([1]), "body"),
    ] {
        john.patch(&path(&john), body).await.invalid(&[field]);
    }
    let both = json!({"is_active": null, "role": null});
    john.patch(&path(&john), both).await.invalid(&["is_active", "role"]);
    assert_eq!(john.get(&path(&john)).await.expect(200), user);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_ends_all_sessions_at_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for change in [json!({"role": "staff"}), json!({"is_active": false})] {
        let john =
            app.user(&root, if change.get("role").is_some() { "john" } else { "jane" }, "customer").await;
        root.patch(&path(&john), json!({"full_name": "No right"})).await.expect(200);
        john.get("/api/v1/auth/me").await.expect(200);
        root.patch(&path(&john), change).await.expect(200);
        john.get("/api/v1/auth/me").await.problem(401, "INVALID_TOKEN");
        let body = json!({"refresh_token": john.refresh_token});
        app.stranger().post("/api/v1/auth/refresh", body).await.problem(401, "INVALID_TOKEN");
    }
    let john = app.log_in("john").await;
    assert_eq!(john.get("/api/v1/auth/me").await.expect(200)["role"], "staff");
    let body = json!({"username": "jane", "password": PASSWORD});
    app.stranger().post("/api/v1/auth/login", body).await.problem(401, "INVALID_CREDENTIALS");
    // A token from before the deactivation stays dead when the account comes back.
    let back = app.log_in("john").await;
    root.patch(&path(&back), json!({"is_active": false})).await.expect(200);
    root.patch(&path(&back), json!({"is_active": true})).await.expect(200);
    back.get("/api/v1/auth/me").await.problem(401, "INVALID_TOKEN");
    app.log_in("john").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    root.patch(&path(&root), json!({"role": "staff"})).await.problem(409, "LAST_ADMIN");
    root.patch(&path(&root), json!({"is_active": false})).await.problem(409, "LAST_ADMIN");
    let other = app.user(&root, "other", "admin").await;
    root.patch(&path(&root), json!({"role": "staff"})).await.expect(200);
    root.get(USERS).await.problem(401, "INVALID_TOKEN");
    other.patch(&path(&other), json!({"is_active": false})).await.problem(409, "LAST_ADMIN");
    // Two administrators who depose each other at the same time: one stays.
    let root = app.log_in("root").await;
    other.patch(&path(&root), json!({"role": "admin"})).await.expect(200);
    let root = app.log_in("root").await;
    let fire = json!({"role": "customer"});
    let (to_root, to_other) = (path(&root), path(&other));
    let (a, b) = tokio::join!(other.patch(&to_root, fire.clone()), root.patch(&to_other, fire));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [200, 401], "{a:?} {b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_may_insist_on_a_version() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let first = root.get(&path(&root)).await;
    let tag = first.header("etag");
    let fresh = root.send(Method::GET, &path(&root), &[("if-none-match", tag)], None::<&str>).await;
    assert_eq!((fresh.status.as_u16(), fresh.text.as_str()), (304, ""));
    let change = |name: &str| json!({"full_name": name});
    let own = path(&root);
    patch_with(&root, &own, &[("if-match", tag)], change("a")).await.expect(200);
    for stale in [tag, "\"7\"", "\"foreign\""] {
        let answer = patch_with(&root, &own, &[("if-match", stale)], change("b")).await;
        answer.problem(412, "PRECONDITION_FAILED");
    }
    for bad in ["2", "W/\"2\"", "", "\"2\", \"3\""] {
        let answer = patch_with(&root, &own, &[("if-match", bad)], change("b")).await;
        answer.invalid(&["If-Match"]);
    }
    let answer = patch_with(&root, &own, &[("if-match", "*")], change("c")).await;
    assert_eq!((&answer.expect(200)["full_name"], answer.header("etag")), (&json!("c"), "\"3\""));
    let stale = root.send(Method::GET, &own, &[("if-none-match", tag)], None::<&str>).await;
    assert_eq!(stale.expect(200)["full_name"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_under_a_key_happen_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    let key = [("idempotency-key", "rename")];
    let own = path(&john);
    let first = patch_with(&john, &own, &key, json!({"full_name": "One"})).await;
    john.patch(&own, json!({"full_name": "Two"})).await.expect(200);
    let again = patch_with(&john, &own, &key, json!({"full_name": "One"})).await;
    assert_eq!((first.expect(200), first.header("etag")), (again.expect(200), again.header("etag")));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(john.get(&own).await.expect(200)["full_name"], "Two");
    let other = patch_with(&john, &own, &key, json!({"full_name": "Three"})).await;
    other.problem(422, "IDEMPOTENCY_KEY_REUSED");
    // The same key of another caller is another key.
    patch_with(&root, &own, &key, json!({"full_name": "Four"})).await.expect(200);
    let refused = patch_with(&john, &own, &[("idempotency-key", "r")], json!({"role": "admin"})).await;
    let again = patch_with(&john, &own, &[("idempotency-key", "r")], json!({"role": "admin"})).await;
    refused.problem(403, "FORBIDDEN");
    assert_eq!((refused.text, again.header("idempotency-replayed")), (again.text.clone(), "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_are_refused() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for id in ["0", "-1", "+1", "abc", "1.0", "99999999999999999999", "%00", "%ff", "1%20", "%F0%9F%98%80"] {
        let path = format!("{USERS}/{id}");
        root.get(&path).await.invalid(&["user_id"]);
        root.patch(&path, json!({})).await.invalid(&["user_id"]);
    }
    root.get(&format!("{USERS}/9223372036854775807")).await.problem(404, "USER_NOT_FOUND");
}
