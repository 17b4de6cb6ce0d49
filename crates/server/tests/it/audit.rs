//! The audit log over HTTP: every operation that changes something is in it when staff, an administrator or a machine calls
//! it, and the list can be filtered and paged.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::document::Document;
use crate::harness::{Caller, PASSWORD, TestApp};

/// Each operation that changes something: how an administrator calls it, and what the log calls that. `$id` stands for what
/// was made beforehand; nothing in the last place is what has no effect on the shop.
#[rustfmt::skip]
const DEEDS: &[(&str, &str, &str, &str)] = &[
    ("register", "", r#"{"username": "$new", "password": "long enough"}"#, "user.create"),
    ("login", "", r#"{"username": "root", "password": "correct horse battery"}"#, "user.begin_session"),
    ("refresh", "", r#"{"refresh_token": "$refresh"}"#, ""),
    ("create_user", "", r#"{"username": "$new", "password": "long enough"}"#, "user.create"),
    ("update_user", "user", r#"{"full_name": "$new"}"#, "user.update"),
    ("create_product", "", r#"{"name": "$new", "price_cents": 1}"#, "product.create"),
    ("update_product", "product", r#"{"name": "$new"}"#, "product.update"),
    ("delete_product", "product", "", "product.delete"),
    ("toggle_product_active", "product", "", "product.toggle"),
    ("restore_product", "archived", "", "product.restore"),
    ("increment_stock", "product", r#"{"quantity": 1}"#, "stock.adjust"),
    ("decrement_stock", "product", r#"{"quantity": 1}"#, "stock.adjust"),
    ("set_stock", "product", r#"{"on_hand": 5}"#, "stock.adjust"),
    ("adjust_stock", "", r#"{"lines": [{"change": "increment", "product_id": 1, "quantity": 1}]}"#, "stock.adjust"),
    ("place_order", "", r#"{"items": [{"product_id": 1, "quantity": 1}]}"#, "order.place"),
    ("change_order", "order", r#"{"status": "cancelled"}"#, "order.cancel"),
    ("confirm_order", "order", "", "order.confirm"),
    ("pay_order", "order", "", "order.pay"),
    ("ship_order", "order", "", "order.ship"),
    ("deliver_order", "shipped", "", "order.deliver"),
    ("cancel_order", "order", "", "order.cancel"),
    ("create_api_key", "", r#"{"name": "$new", "role": "staff", "scopes": ["read"]}"#, "api_key.create"),
    ("revoke_api_key", "api_key", "", "api_key.revoke"),
    // These end the caller's own tokens, so they come last.
    ("change_password", "", r#"{"current_password": "correct horse battery", "new_password": "correct horse battery"}"#,
        "user.set_password"),
    ("logout_everywhere", "", "", "user.end_sessions"),
];

/// Makes what an operation is about.
async fn make(app: &TestApp, root: &Caller<'_>, what: &str, new: &str) -> i64 {
    let order = async || {
        let body = json!({"items": [{"product_id": 1, "quantity": 1}]});
        root.post("/api/v1/orders", body).await.expect(201)["order_id"].as_i64().unwrap()
    };
    let verb = async |id: i64, verb: &str| {
        root.post(&format!("/api/v1/orders/{id}/{verb}"), json!({})).await.expect(200);
    };
    match what {
        "product" => app.product(root, new, 1, 10).await,
        "archived" => {
            let id = app.product(root, new, 1, 10).await;
            let body = json!({"items": [{"product_id": id, "quantity": 1}]});
            root.post("/api/v1/orders", body).await.expect(201);
            root.delete(&format!("/api/v1/products/{id}")).await.expect(200);
            id
        }
        "order" => {
            let id = order().await;
            verb(id, "confirm").await;
            id
        }
        "shipped" => {
            let id = order().await;
            verb(id, "pay").await;
            verb(id, "ship").await;
            id
        }
        "user" => {
            let body = json!({"username": new, "password": PASSWORD});
            root.post("/api/v1/users", body).await.expect(201)["id"].as_i64().unwrap()
        }
        "api_key" => {
            let body = json!({"name": new, "role": "staff", "scopes": ["read"]});
            root.post("/api/v1/api-keys", body).await.expect(201)["id"].as_i64().unwrap()
        }
        _ => 0,
    }
}

/// Operations whose change is not in the log as it should be.
async fn untold(told: &[Value], requests: &[(&str, String, &str)]) -> Vec<String> {
    let mut untold = Vec::new();
    for (operation, request_id, action) in requests {
        let mine: Vec<_> = told.iter().filter(|entry| entry["request_id"] == request_id.as_str()).collect();
        let expected = if action.is_empty() { mine.is_empty() } else { !mine.is_empty() };
        if !expected || mine.iter().any(|entry| entry["action"] != *action) {
            untold.push((*operation).to_owned());
        }
    }
    untold
}

/// What changes nothing that is shown.
const UNSHOWN: &[&str] = &["user.end_sessions", "user.set_password"];

/// Names in a line that the thing does not have where it is shown itself, and times that are no times.
fn strangers(document: &Document, entry: &Value) -> Vec<String> {
    let schema = match entry["target_kind"].as_str().unwrap() {
        "product" => "ProductBody",
        "order" => "OrderBody",
        "user" => "UserBody",
        "api_key" => "ApiKeyBody",
        other => panic!("{other}"),
    };
    let (known, of_items) = (document.names(schema), document.names("ItemBody"));
    let mut strangers = BTreeSet::new();
    for (name, value) in ["before", "after"].iter().flat_map(|side| entry[*side].as_object().unwrap()) {
        let is_time = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
        let is_odd = name.ends_with("_at")
            && name != "allocate_at"
            && !(value.is_null() || value.as_str().is_some_and(is_time));
        if is_odd || !(known.contains(&name.as_str()) || name == "password") {
            strangers.insert(name.clone());
        }
        let items = value.as_array().into_iter().flatten().filter_map(Value::as_object);
        strangers.extend(
            items.flat_map(|item| item.keys()).filter(|name| !of_items.contains(&name.as_str())).cloned(),
        );
    }
    strangers.into_iter().collect()
}

/// The whole log, page after page.
async fn log(reader: &Caller<'_>, filter: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("/api/v1/audit?limit=100{filter}{cursor}")).await.expect(200);
        all.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_changes_something_is_in_the_log() {
    let document = Document::new();
    let operations = document.operations();
    let changing: BTreeSet<_> = operations.iter().filter(|it| it.method != "GET").map(|it| it.id()).collect();
    let known: BTreeSet<_> = DEEDS.iter().map(|(operation, ..)| *operation).collect();
    assert_eq!(changing, known, "an operation without a row");
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.product(&root, "Tea", 100, 100).await;
    let mut requests = Vec::new();
    for (number, (id, what, body, action)) in DEEDS.iter().enumerate() {
        let root = app.log_in("root").await;
        let operation = operations.iter().find(|operation| operation.id() == *id).unwrap();
        let new = format!("new-{number}");
        let made = make(&app, &root, what, &format!("{new}-made")).await;
        if *id == "confirm_order" {
            // The one made is confirmed already.
            root.post("/api/v1/orders", json!({"items": [{"product_id": 1, "quantity": 1}]}))
                .await
                .expect(201);
        }
        let target = if *id == "confirm_order" { made + 1 } else { made };
        let mut path = operation.path.to_owned();
        if let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(start..=end, &target.to_string());
        }
        let body = body.replace("$new", &new).replace("$refresh", &root.refresh_token);
        let method: Method = operation.method.parse().unwrap();
        let answer = root.send(method, &path, &[], (!body.is_empty()).then_some(body)).await;
        assert!(answer.status.is_success(), "{id}: {answer:?}");
        requests.push((*id, answer.header("x-request-id").to_owned(), *action));
    }
    let root = app.log_in("root").await;
    let mut told = log(&root, "").await;
    assert_eq!(untold(&told, &requests).await, Vec::<String>::new());
    for entry in &told {
        assert_eq!((&entry["actor_id"], &entry["source"]), (&json!(1), &json!("127.0.0.1")), "{entry}");
        assert_eq!((&entry["actor_name"], &entry["role"]), (&json!("root"), &json!("admin")), "{entry}");
        assert_eq!(strangers(&document, entry), [""; 0], "{entry}");
        let (before, after) = (&entry["before"], &entry["after"]);
        let is_about_sessions = entry["action"].as_str().unwrap().ends_with("_session");
        assert_eq!(
            before == after,
            is_about_sessions || UNSHOWN.contains(&entry["action"].as_str().unwrap()),
            "{entry}"
        );
    }
    // The control: a name of the database would be noticed.
    let mut strange = told[0].clone();
    strange["after"] = json!({"expires_at_us": 1, "items": [{"price": 1}], "expires_at": 7});
    strange["target_kind"] = json!("order");
    assert_eq!(strangers(&document, &strange), ["expires_at", "expires_at_us", "price"]);
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("argon2") && !text.contains(PASSWORD) && !text.contains("sr_"), "{text}");
    // The control: each line that is missing is missed.
    for (operation, request_id, action) in requests.iter().filter(|(_, _, action)| !action.is_empty()) {
        let all = told.clone();
        told.retain(|entry| entry["request_id"] != request_id.as_str());
        assert_eq!(untold(&told, &requests).await, [*operation], "{action}");
        told = all;
    }
    app.verify().await;
}

#[tokio::test]
async fn the_log_is_for_administrators_and_can_be_filtered() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let sam = app.user(&root, "sam", "staff").await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 50).await;
    let made = json!({"name": "till", "role": "staff", "scopes": ["stock"]});
    let made = root.post("/api/v1/api-keys", made).await.expect(201);
    let machine = Caller { token: Some(made["key"].as_str().unwrap().to_owned()), ..app.stranger() };
    sam.post(&format!("/api/v1/products/{tea}/stock/increment"), json!({"quantity": 5})).await.expect(200);
    machine
        .post(&format!("/api/v1/products/{tea}/stock/decrement"), json!({"quantity": 2}))
        .await
        .expect(200);
    let order = json!({"items": [{"product_id": tea, "quantity": 1}]});
    ann.post("/api/v1/orders", order).await.expect(201);
    ann.patch(&format!("/api/v1/users/{}", ann.id), json!({"full_name": "Ann"})).await.expect(200);
    // Refused: in no log.
    sam.post(&format!("/api/v1/products/{tea}/stock/decrement"), json!({"quantity": 999})).await.expect(409);
    let actions = async |filter: &str| {
        let found = log(&root, filter).await;
        found.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let login = "user.begin_session";
    let work = ["stock.adjust", "stock.adjust", "api_key.create", "product.create"];
    let all = [&work[..], &["user.create", login, "user.create", login]].concat();
    assert_eq!(actions("").await, all);
    assert_eq!(actions(&format!("&actor_id={}", sam.id)).await, ["stock.adjust", login]);
    assert_eq!(actions("&api_key_id=1").await, ["stock.adjust"]);
    assert_eq!(actions("&action=user.create").await.len(), 2);
    let of_tea = format!("&target_kind=product&target_id={tea}");
    assert_eq!(actions(&of_tea).await, ["stock.adjust", "stock.adjust", "product.create"]);
    assert_eq!(actions("&from=2000-01-01&to=2000-12-31").await, Vec::<String>::new());
    assert_eq!(actions("&from=2000-01-01").await.len(), all.len());
    let by_machine = &log(&root, "&api_key_id=1").await[0];
    assert_eq!((&by_machine["api_key_name"], &by_machine["actor_id"]), (&json!("till"), &Value::Null));
    assert_eq!(
        (&by_machine["before"], &by_machine["after"]),
        (&json!({"on_hand": 55}), &json!({"on_hand": 53}))
    );
    // Page by page it is the same.
    let (mut paged, mut path) = (Vec::new(), "/api/v1/audit?limit=2".to_owned());
    loop {
        let page = root.get(&path).await.expect(200);
        paged.extend(page["entries"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/audit?limit=2&cursor={next}");
    }
    assert_eq!(paged, log(&root, "").await);
    root.get("/api/v1/audit?target_kind=product").await.invalid(&["target_kind"]);
    root.get("/api/v1/audit?target_id=1").await.invalid(&["target_id"]);
    root.get("/api/v1/audit?target_kind=shop&target_id=1").await.invalid(&["target_kind"]);
}

/// Every door through which one gets tokens with a password: its path, and whether it is given a form.
const DOORS: [(&str, bool); 6] = [
    ("/api/v1/auth/login", false),
    ("/api/v1/auth/login", true),
    ("/compat/mini-order/login", false),
    ("/compat/mini-order/login", true),
    ("/compat/leafcraft/auth/login", false),
    ("/compat/leafcraft/auth/login", true),
];

/// Tries to log in, and tells the request's id.
async fn try_door(app: &TestApp, (path, is_form): (&str, bool), name: &str, word: &str) -> (u16, String) {
    let body = match is_form {
        true => format!("username={name}&password={}", word.replace(' ', "+")),
        false => json!({"username": name, "password": word}).to_string(),
    };
    let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    let stranger = app.stranger();
    let answer = stranger.send(Method::POST, path, &[("content-type", kind)], Some(body)).await;
    (answer.status.as_u16(), answer.header("x-request-id").to_owned())
}

#[tokio::test]
async fn whoever_works_here_and_logs_in_is_in_the_log_whichever_door_they_take() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let sam = app.user(&root, "sam", "staff").await;
    app.user(&root, "ann", "customer").await;
    let before = log(&root, "").await.len();
    let mut expected = Vec::new();
    for door in DOORS {
        for (name, id, role) in [("root", root.id, "admin"), ("SAM", sam.id, "staff")] {
            let (status, request) = try_door(&app, door, name, PASSWORD).await;
            assert_eq!(status, 200, "{door:?}");
            expected.push((json!(request), json!(id), json!(role)));
            // What is wrong is no deed of anybody's, and customers are not told of.
            assert_eq!(try_door(&app, door, name, "not the password").await.0, 401, "{door:?}");
        }
        assert_eq!(try_door(&app, door, "ann", PASSWORD).await.0, 200, "{door:?}");
    }
    // Who goes on with a session does not begin one.
    let refresh = json!({"refresh_token": root.refresh_token});
    app.stranger().post("/api/v1/auth/refresh", refresh).await.expect(200);
    let mut told = log(&root, "").await;
    told.truncate(told.len() - before);
    told.reverse();
    let who = |entry: &Value| (entry["request_id"].clone(), entry["actor_id"].clone(), entry["role"].clone());
    assert_eq!(told.iter().map(who).collect::<Vec<_>>(), expected);
    for entry in &told {
        assert_eq!((&entry["action"], &entry["source"]), (&json!("user.begin_session"), &json!("127.0.0.1")));
        assert_eq!((&entry["target_kind"], &entry["target_id"]), (&json!("user"), &entry["actor_id"]));
        assert_eq!((&entry["before"], &entry["after"]), (&json!({}), &json!({})));
    }
    app.verify().await;
}

/// The line is a promise: staff get no token without it. Of customers nothing is written, so nothing is in their way.
#[tokio::test]
async fn staff_get_no_token_as_long_as_nothing_can_be_written() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.user(&root, "sam", "staff").await;
    app.user(&root, "ann", "customer").await;
    let before = log(&root, "").await;
    let settings = Settings { patience: Duration::from_millis(50), ..Settings::default() };
    let other = app.beside(settings).await;
    let stalled = app.stall().await;
    for door in DOORS {
        assert_eq!(try_door(&other, door, "ann", PASSWORD).await.0, 200, "{door:?}");
    }
    let sam = |door: usize| try_door(&other, DOORS[door], "sam", PASSWORD);
    let answers = tokio::join!(sam(0), sam(3), sam(4));
    assert_eq!([answers.0.0, answers.1.0, answers.2.0], [503; 3]);
    drop(stalled);
    assert_eq!(log(&root, "").await, before);
    assert_eq!(try_door(&other, DOORS[0], "sam", PASSWORD).await.0, 200);
    assert_eq!(log(&root, "").await.len(), before.len() + 1);
}
