//! Text that is no text, or that looks like something else, in every text field of every document: it is refused, or stored
//! exactly as it was sent, and never a fault.

use axum::http::Method;
use serde_json::{Map, Value, json};
use server::compat::{self, Facade};
use server::settings::Settings;

use crate::document::{Document, Operation};
use crate::harness::{Answer, Caller, PASSWORD, TestApp};

/// Inside the quotation marks of a JSON string, and whether it can be a text at all.
fn corpus() -> Vec<(Vec<u8>, bool)> {
    let mut all: Vec<(Vec<u8>, bool)> = [
        &b"a\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"a\\u0000b",
        b"a\x00b",
        b"\\ud800",
        b"\\udc00\\ud800",
        b"a\\ud83dz",
        b"a\nb",
        b"\\x41",
        b"\\",
    ]
    .map(|bytes| (bytes.to_vec(), false))
    .to_vec();
    for text in [
        "\u{202e}gnp.exe",
        "a\u{200b}b\u{feff}c\u{2066}d",
        "\u{1f469}\u{200d}\u{1f680}\u{10ffff}",
        "e\u{301}\u{301}\u{301} \u{fdfa}\u{fb01}",
        "\u{ffff}\u{fffe}\u{e000}",
        "a\u{1}\u{1b}[31m\u{7f}b",
        "a\r\nSet-Cookie: x=y\r\n\r\n",
        "a\u{85}\u{2028}b",
        "'\"`\\%_<script>alert(1)</script>${{7*7}}{{7*7}}%s%n",
        "=1+1",
        "\u{130}\u{131}\u{df}\u{1e9e}",
    ] {
        let quoted = json!(text).to_string();
        all.push((quoted.as_bytes()[1..quoted.len() - 1].to_vec(), true));
    }
    all.push((b"\\ud83d\\ude80\\u202e".to_vec(), true));
    all
}

/// What is asked for besides the text.
fn harmless(name: &str, number: usize) -> Value {
    match name {
        "username" => json!(format!("user-{number}")),
        "password" | "new_password" => json!(PASSWORD),
        // With the right one everybody would be logged out.
        "current_password" => json!("not the right one"),
        "role" => json!("customer"),
        "scopes" => json!(["read"]),
        "price" | "stock_price" => json!(1.5),
        "price_cents" | "stock_quantity" | "quantity" | "on_hand" => json!(1),
        _ => json!(format!("harmless {number}")),
    }
}

/// The text fields of an operation's body, and how long they may be.
fn text_fields<'a>(document: &'a Document, operation: &'a Operation<'_>) -> Vec<(&'a str, Option<u64>)> {
    let body = &operation.spec["requestBody"]["content"]["application/json"]["schema"];
    let properties = document.resolve(body)["properties"].as_object().into_iter().flatten();
    let texts = properties.filter_map(|(name, schema)| {
        let schema = document.resolve(schema);
        let told = schema.to_string();
        let is_text = told.contains(r#""string""#) && !told.contains("enum") && !told.contains("date-time");
        // Roles are words of a list, whatever the document calls them.
        (is_text && name != "role" && name != "status").then(|| (name.as_str(), schema["maxLength"].as_u64()))
    });
    texts.collect()
}

/// A body in which one field holds these bytes.
fn body(document: &Document, operation: &Operation<'_>, field: &str, bytes: &[u8], number: usize) -> Vec<u8> {
    const MARK: &str = "@@here@@";
    let schema = &operation.spec["requestBody"]["content"]["application/json"]["schema"];
    let required = document.resolve(schema)["required"].as_array().cloned().unwrap_or_default();
    let mut object = Map::new();
    for name in required {
        let name = name.as_str().unwrap();
        object.insert(name.to_owned(), harmless(name, number));
    }
    if operation.id() == "create_api_key" {
        object.insert("role".to_owned(), json!("staff"));
    }
    object.insert(field.to_owned(), json!(MARK));
    let text = Value::Object(object).to_string();
    let (start, end) = text.split_once(MARK).unwrap();
    [start.as_bytes(), bytes, end.as_bytes()].concat()
}

/// All texts in an answer.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Says what is wrong with the answer to a text.
async fn judge(
    caller: &Caller<'_>,
    field: &str,
    text: Option<&str>,
    answer: &Answer,
) -> Option<&'static str> {
    let status = answer.status.as_u16();
    if status >= 500 {
        return Some("a fault");
    }
    let Some(text) = text else { return (status < 400).then_some("taken, and is no text") };
    let is_told = !field.contains("password") && !["note", "reason", "client_id", "scope"].contains(&field);
    if status >= 300 || !is_told || answer.text.is_empty() {
        return None;
    }
    let told = answer.json();
    if told["access_token"].is_null() && !texts(&told).contains(&text) {
        return Some("answered otherwise than it was sent");
    }
    let location = answer.header("location");
    if !location.is_empty() && !location.contains("api-keys") {
        let stored = caller.get(location).await.expect(200);
        return (!texts(&stored).contains(&text)).then_some("stored otherwise than it was sent");
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_is_refused_or_stored_as_it_is() {
    let settings =
        Settings { login_attempts_per_account: 0, login_attempts_per_source: 0, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let root = app.admin().await;
    app.user(&root, "ann", "customer").await;
    app.product(&root, "Tea", 100, 1_000_000).await;
    let own = (None, Document::new());
    let facades = Facade::ALL.iter().map(|it| (Some(*it), Document::of(&compat::document(*it).unwrap())));
    let (mut wrong, mut taken, mut tried) = (Vec::new(), 0, 0);
    for (facade, document) in std::iter::once(own).chain(facades) {
        for operation in document.operations() {
            for (field, limit) in text_fields(&document, &operation) {
                let mut corpus = corpus();
                corpus.push((vec![b'a'; usize::try_from(limit.unwrap_or(60_000)).unwrap() + 1], false));
                for (bytes, is_text) in corpus {
                    tried += 1;
                    let id = if operation.path.contains("{user_id}") { "2" } else { "1" };
                    let mut path = format!("{}{}", facade.map_or("", Facade::prefix), operation.path);
                    if let Some((start, end)) = path.find('{').zip(path.find('}')) {
                        path.replace_range(start..=end, id);
                    }
                    let body = body(&document, &operation, field, &bytes, tried);
                    let text = is_text.then(|| {
                        let quoted = [b"\"", bytes.as_slice(), b"\""].concat();
                        serde_json::from_slice::<String>(&quoted).unwrap()
                    });
                    let method: Method = operation.method.parse().unwrap();
                    let answer = root.send(method, &path, &[], Some(body)).await;
                    taken += usize::from(answer.status.is_success());
                    if let Some(fault) = judge(&root, field, text.as_deref(), &answer).await {
                        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
                        wrong.push(format!("{path} {field} {shown:?}: {fault}: {answer:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 900 && taken > tried / 8, "{taken} of {tried}");
    app.verify().await;
}

/// The control: an answer that trims, folds or cuts is noticed, and so is one that takes what is no text.
#[tokio::test]
async fn a_text_that_is_altered_is_noticed() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let path = "/api/v1/products";
    let answer = root.post(path, json!({"name": "Tea\u{202e}", "price_cents": 1})).await;
    assert_eq!(judge(&root, "name", Some("Tea\u{202e}"), &answer).await, None);
    for other in ["Tea", "tea\u{202e}", "Tea\u{202e} "] {
        assert!(judge(&root, "name", Some(other), &answer).await.is_some(), "{other:?}");
    }
    assert!(judge(&root, "name", None, &answer).await.is_some());
}
