//! Text that means something to a database, wherever text travels: it is looked for, compared and stored as text, and does
//! what harmless text in its place does.
//!
//! The control concatenates: a statement that is made of a payload, on the same database, is noticed by the same comparison.

use std::fmt::Write as _;

use axum::http::Method;
use serde_json::{Value, json};
use server::compat::{self, Facade};
use server::settings::Settings;

use crate::document::Document;
use crate::harness::{Caller, PASSWORD, TestApp};

/// What is before, within and behind a payload.
const OPENINGS: [&str; 8] = ["", "'", "\"", "`", "')", "\\'", "%'", "1"];
const MIDDLES: [&str; 16] = [
    " OR 1=1",
    " OR 'a'='a",
    " UNION SELECT password_hash FROM users",
    "; DROP TABLE orders",
    "; UPDATE users SET role='admin'",
    " AND (SELECT 1 FROM (SELECT SLEEP(5)) x)",
    " || pg_sleep(5)",
    "||(SELECT sql FROM sqlite_master)",
    " ORDER BY 99",
    ",(SELECT 1)",
    " LIMIT 0",
    " COLLATE NOCASE",
    "$$;SELECT 1;$$",
    " LIKE '%",
    "{rows:1}{int}?1$1:a@b",
    "\u{2bc} OR 1=1",
];
const ENDS: [&str; 4] = ["", "--", " #", "/*"];

fn payloads() -> Vec<String> {
    let mut all = Vec::new();
    for opening in OPENINGS {
        for middle in MIDDLES {
            all.extend(ENDS.map(|end| format!("{opening}{middle}{end}")));
        }
    }
    all
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").unwrap();
        out
    })
}

/// Each list and each of its parameters that is no word of a fixed list and no number would do, too.
fn parameters() -> Vec<(String, String)> {
    let own = (String::new(), Document::new());
    let facades = Facade::ALL
        .iter()
        .map(|facade| (facade.prefix().to_owned(), Document::of(&compat::document(*facade).unwrap())));
    let mut all = Vec::new();
    for (prefix, document) in std::iter::once(own).chain(facades) {
        for operation in document.operations() {
            let path = operation.path.replace("{product_id}", "1");
            for parameter in operation.parameters("query") {
                all.push((format!("{prefix}{path}"), parameter["name"].as_str().unwrap().to_owned()));
            }
        }
    }
    all
}

/// An answer without what is different each time, and without the text that was asked for.
fn essence(status: u16, text: &str, asked: &str) -> (u16, String) {
    let mut text = text.replace(&json!(asked).to_string(), "\"@\"");
    if let Ok(mut value) = serde_json::from_str::<Value>(&text) {
        if let Some(object) = value.as_object_mut() {
            object.remove("request_id");
            object.remove("instance");
        }
        text = value.to_string();
    }
    (status, text)
}

/// Text of the same shape that means nothing.
fn harmless(payload: &str) -> String {
    payload.chars().map(|sign| if sign == ' ' { ' ' } else { 'n' }).collect()
}

async fn shop(app: &TestApp) -> Caller<'_> {
    let root = app.admin().await;
    app.user(&root, "ann", "customer").await;
    app.product(&root, "Tea", 100, 1000).await;
    root.post("/api/v1/orders", json!({"items": [{"product_id": 1, "quantity": 1}]})).await.expect(201);
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_or_path_means_anything_to_the_database() {
    let app = TestApp::start().await;
    let root = shop(&app).await;
    let (parameters, payloads) = (parameters(), payloads());
    assert!(parameters.len() > 50 && payloads.len() == 512, "{} {}", parameters.len(), payloads.len());
    let mut wrong = Vec::new();
    // Each payload in some places, each place with some payloads: some five thousand in all.
    for (number, payload) in payloads.iter().enumerate() {
        for at in 0..9 {
            let (path, name) = &parameters[(number * 9 + at) % parameters.len()];
            let ask = async |text: &str| {
                let answer = root.get(&format!("{path}?{name}={}", escape(text))).await;
                essence(answer.status.as_u16(), &answer.text, text)
            };
            let (found, expected) = (ask(payload).await, ask(&harmless(payload)).await);
            if found != expected {
                wrong.push(format!("{path} {name} {payload}: {found:?}, not {expected:?}"));
            }
        }
        let path = ["products", "orders", "users", "products/1/stock"][number % 4];
        let ask = async |text: &str| root.get(&format!("/api/v1/{path}/{}", escape(text))).await.status;
        let (found, expected) = (ask(payload).await, ask(&harmless(payload)).await);
        if found != expected || !found.is_client_error() {
            wrong.push(format!("{path} {payload}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of them: {}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    everything_is_as_it_was(&app, &root).await;
}

async fn everything_is_as_it_was(app: &TestApp, root: &Caller<'_>) {
    assert_eq!(root.get("/api/v1/orders").await.expect(200)["orders"].as_array().unwrap().len(), 1);
    let users = root.get("/api/v1/users").await.expect(200);
    let roles: Vec<_> = users["users"].as_array().unwrap().iter().map(|user| user["role"].clone()).collect();
    assert_eq!((roles.len(), roles.iter().filter(|role| **role == "admin").count()), (2, 1));
    app.verify().await;
}

/// Products that are called like payloads are found by what they are called, and by nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_for_is_what_is_found() {
    let app = TestApp::start().await;
    let root = shop(&app).await;
    let names: Vec<String> =
        payloads().into_iter().step_by(5).map(|it| format!("x{it}").trim().to_owned()).collect();
    for name in &names {
        root.post("/api/v1/products", json!({"name": name, "price_cents": 1})).await.expect(201);
    }
    for name in names.iter().chain(["%", "_", "\\", "''", "%' OR '1'='1"].map(str::to_owned).iter()) {
        let path = format!("/api/v1/products?limit=100&include=total&q={}", escape(name));
        let found = root.get(&path).await;
        let found = found.expect(200);
        let name = name.to_lowercase();
        let is_in = |other: &str| other.to_lowercase().contains(name.as_str());
        let expected = names.iter().filter(|other| is_in(other)).count() + usize::from(is_in("Tea"));
        assert_eq!(found["total"], expected, "{name}: {found}");
    }
    app.verify().await;
}

/// Who logs in as a payload is nobody, and whoever is called like one is themselves; keys are keys.
#[tokio::test(flavor = "multi_thread")]
async fn names_and_keys_are_only_names_and_keys() {
    let settings =
        Settings { login_attempts_per_account: 0, login_attempts_per_source: 0, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let root = shop(&app).await;
    let product = json!({"name": "Cup", "price_cents": 1}).to_string();
    let mut made = 0;
    for payload in payloads().into_iter().step_by(17) {
        for path in ["/api/v1/auth/login", "/compat/mini-order/login", "/compat/leafcraft/auth/login"] {
            for name in [format!("root{payload}"), payload.clone()] {
                let body = json!({"username": name, "password": PASSWORD});
                let status = app.stranger().post(path, body).await.status;
                assert!([400, 401, 422].contains(&status.as_u16()), "{path} {name}: {status}");
            }
        }
        if payload.is_ascii() {
            made += 1;
            let key = format!("\"{}\"", payload.replace(['"', '\\', ' '], "_"));
            let send = async || {
                let headers = [("idempotency-key", key.as_str())];
                root.send(Method::POST, "/api/v1/products", &headers, Some(product.clone())).await
            };
            let (first, again) = (send().await, send().await);
            assert_eq!((first.status, &first.text), (again.status, &again.text), "{key}");
            if first.status == 201 {
                assert_eq!(again.header("idempotency-replayed"), "true", "{key}");
            }
        }
    }
    assert!(made > 20);
    everything_is_as_it_was(&app, &root).await;
}

#[tokio::test]
async fn a_statement_made_of_text_is_noticed() {
    let app = TestApp::start().await;
    shop(&app).await;
    let database = app.database().await;
    let mut differs = 0;
    for payload in payloads() {
        let ask = async |text: &str| {
            let mut reader = database.reader().await.unwrap();
            let sql = format!("SELECT id FROM products WHERE name = '{text}' ORDER BY id");
            reader.query_dynamic_long(&sql, &[]).await.map(|rows| format!("{rows:?}")).map_err(|_| ())
        };
        // Those that wait or destroy are not needed to show it.
        if ["DROP", "UPDATE", "SLEEP", "sleep"].iter().all(|word| !payload.contains(word)) {
            differs += usize::from(ask(&payload).await != ask("no such thing.").await);
        }
    }
    assert!(differs > 50, "{differs}");
}
