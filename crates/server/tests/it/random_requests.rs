//! Two thousand requests that nobody would send, to every operation of the document: none is a fault of the server,
//! and every answer is one that the document tells of.

use std::fmt::Write as _;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::document::{Document, Operation};
use crate::harness::{Answer, Caller, TestApp};

const REQUESTS: usize = 2000;
const SEED: u64 = 20_261_120;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// The same as a number of things.
    pub(crate) fn number(&mut self, limit: usize) -> i64 {
        i64::try_from(self.below(limit)).unwrap()
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

const TEXTS: [&str; 16] = [
    "",
    " ",
    "a",
    "x y",
    "NULL",
    "'; DROP TABLE users; --",
    "%",
    "_",
    "\\",
    "\"",
    "\u{0}",
    "\n",
    "ä😀",
    "\u{202e}",
    "1e400",
    "2024-02-30",
];
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "2",
    "1.5",
    "-0.0",
    "1e3",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1000000000000",
    "1e308",
    "0.1",
];
/// In the form in which they travel.
const IDS: [&str; 12] = [
    "0",
    "-1",
    "x",
    "%00",
    "%ff",
    "%F0%9F%98%80",
    "99999999999999999999",
    "9223372036854775807",
    "1.0",
    "%2F",
    "..",
    "%",
];
const QUERIES: [&str; 8] = ["%", "%zz", "%ff", "%00", "", "a=b", "0", "%C3%A4+%26"];
const BODIES: [&[u8]; 12] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"{} {}",
    b"\xff\xfe",
    b"{\"a\":1,\"a\":2}",
    b"{\"a\":1e400}",
    b"{\"a\":\"\\ud800\"}",
    b"\"\\u0000\"",
    b"[[[[[[[[[[[[[[[[[[[[{",
    b"true",
];

/// Any JSON at all.
fn anything(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.percent(50)),
        2 | 3 => serde_json::from_str(dice.pick::<&str>(&NUMBERS)).unwrap(),
        4 => json!(dice.pick(&TEXTS)),
        5 => (0..dice.below(4)).map(|_| anything(dice, depth - 1)).collect(),
        _ => {
            let member = |dice: &mut Dice| ((*dice.pick(&TEXTS)).to_owned(), anything(dice, depth - 1));
            Value::Object((0..dice.below(4)).map(|_| member(dice)).collect())
        }
    }
}

/// Something that the schema mostly permits.
fn sample(document: &Document, schema: &Value, dice: &mut Dice) -> Value {
    let schema = document.resolve(schema);
    for word in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[word].as_array() {
            return sample(document, dice.pick(choices), dice);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return dice.pick(words).clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => dice.pick(kinds).as_str().unwrap(),
        kind => kind.as_str().unwrap_or("null"),
    };
    match kind {
        "integer" => {
            let limit = |word: &str| schema[word].as_i64();
            match dice.below(8) {
                0 => json!(limit("minimum").unwrap_or(0)),
                1 => json!(limit("maximum").unwrap_or(i64::MAX)),
                _ => json!(1 + dice.below(5)),
            }
        }
        "boolean" => json!(dice.percent(50)),
        "string" => match schema["examples"].as_array() {
            Some(examples) if dice.percent(30) => dice.pick(examples).clone(),
            _ if schema["format"] == "email" => json!(format!("u{}@example.com", dice.below(50))),
            _ => json!(format!("text-{}", dice.below(200))),
        },
        "array" => (0..1 + dice.below(3)).map(|_| sample(document, &schema["items"], dice)).collect(),
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if required.contains(&json!(name)) || dice.percent(50) {
                    object.insert(name.clone(), sample(document, property, dice));
                }
            }
            Value::Object(object)
        }
        _ => Value::Null,
    }
}

/// Puts something else in one place.
fn spoil(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(items) if !items.is_empty() && dice.percent(80) => {
            let at = dice.below(items.len());
            spoil(&mut items[at], dice);
        }
        Value::Object(members) if !members.is_empty() && dice.percent(90) => {
            let at = dice.below(members.len());
            let name = members.keys().nth(at).cloned().unwrap();
            match dice.below(6) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(format!("{name}x"), json!(1))),
                _ => spoil(&mut members[&name], dice),
            }
        }
        value => *value = anything(dice, 2),
    }
}

struct Request {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    /// Whether the schema permits the body.
    permitted: bool,
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn path_of(document: &Document, operation: &Operation<'_>, dice: &mut Dice) -> String {
    let mut path = operation.path.to_owned();
    for parameter in operation.parameters("path") {
        // The first account keeps the others alive, so it is left alone.
        let id =
            if dice.percent(75) { (2 + dice.below(6)).to_string() } else { (*dice.pick(&IDS)).to_owned() };
        path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &id);
    }
    let mut separator = '?';
    for parameter in operation.parameters("query") {
        if dice.percent(70) {
            continue;
        }
        let value = match dice.below(10) {
            0 => (*dice.pick(&QUERIES)).to_owned(),
            1 => escape(&text_of(&anything(dice, 1))),
            _ => escape(&text_of(&sample(document, &parameter["schema"], dice))),
        };
        write!(path, "{separator}{}={value}", parameter["name"].as_str().unwrap()).unwrap();
        separator = '&';
    }
    if dice.percent(3) {
        write!(path, "{separator}{}", dice.pick(&QUERIES)).unwrap();
    }
    path
}

fn request(document: &Document, operation: &Operation<'_>, dice: &mut Dice) -> Request {
    let mut headers = Vec::new();
    for (name, values) in [
        ("if-match", &["\"1\"", "\"2\"", "*", "garbage", "W/\"1\"", "\"x\""][..]),
        ("if-none-match", &["\"1\"", "\"1.1\"", "*", "garbage"]),
        ("idempotency-key", &["a", "b", "c", "d", "", "two words"]),
        (
            "content-type",
            &["text/plain", "application/json; charset=utf-8", "x", "application/x-www-form-urlencoded"],
        ),
    ] {
        if dice.percent(8) {
            headers.push((name, (*dice.pick(values)).to_owned()));
        }
    }
    let schema = &operation.spec["requestBody"]["content"]["application/json"]["schema"];
    let mut permitted = true;
    let body = match dice.below(10) {
        0 => Some((*dice.pick(&BODIES)).to_vec()),
        1 if schema.is_null() => Some(anything(dice, 3).to_string().into_bytes()),
        _ if schema.is_null() => None,
        kind => {
            let mut value = sample(document, schema, dice);
            match kind {
                1 => value = anything(dice, 3),
                2..=4 => spoil(&mut value, dice),
                _ => {}
            }
            permitted = document.check(schema, &value, "body").is_ok();
            Some(value.to_string().into_bytes())
        }
    };
    let method = operation.method.parse().unwrap();
    Request { method, path: path_of(document, operation, dice), headers, body, permitted }
}

fn judge(document: &Document, operation: &Operation<'_>, request: &Request, answer: &Answer) {
    let status = answer.status.as_u16();
    let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body));
    let told = format!("{} {} {:?} {body:?}: {answer:?}", request.method, request.path, request.headers);
    assert!(status < 500, "{told}");
    assert!(!answer.header("x-request-id").is_empty(), "{told}");
    assert!(status >= 300 || request.permitted, "the schema does not permit this body: {told}");
    if status >= 400 {
        let code = &answer.json()["code"];
        if ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"].iter().any(|outside| code == outside) {
            return;
        }
    }
    let answers = operation.spec["responses"].as_object().unwrap();
    let documented = answers.get(&status.to_string()).unwrap_or_else(|| panic!("not documented: {told}"));
    let kind = answer.header("content-type");
    let content = documented["content"].as_object();
    assert_eq!(answer.text.is_empty(), content.is_none(), "{told}");
    if let Some(content) = content {
        let essence = kind.split(';').next().unwrap();
        let content = content.get(essence).unwrap_or_else(|| panic!("of another kind: {told}"));
        if essence.ends_with("json") {
            document
                .check(&content["schema"], &answer.json(), "answer")
                .unwrap_or_else(|why| panic!("{why}: {told}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_a_fault_and_every_answer_is_documented() {
    let app = TestApp::start().await;
    let keeper = app.admin().await;
    let mut callers: Vec<(&str, Option<Caller<'_>>)> = vec![("stranger", None)];
    for role in ["customer", "staff", "admin"] {
        callers.push((role, Some(app.user(&keeper, role, role).await)));
    }
    for number in 1..=6 {
        app.product(&keeper, &format!("Product {number}"), 100 * number, 1000).await;
        let items = json!([{"product_id": number, "quantity": 1}]);
        keeper.post("/api/v1/orders", json!({"user_id": 2, "items": items})).await.expect(201);
    }
    let document = Document::new();
    let operations = document.operations();
    let mut dice = Dice(SEED);
    let mut successes = 0;
    for turn in 0..REQUESTS {
        let operation = &operations[turn % operations.len()];
        let request = request(&document, operation, &mut dice);
        let at = dice.below(callers.len());
        let (role, caller) = &callers[at];
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let stranger = app.stranger();
        let sender = caller.as_ref().unwrap_or(&stranger);
        let answer = sender.send(request.method.clone(), &request.path, &headers, request.body.clone()).await;
        judge(&document, operation, &request, &answer);
        successes += usize::from(answer.status.is_success());
        let Some(caller) = caller else { continue };
        if caller.get("/api/v1/auth/me").await.status == 401 {
            // Somebody withdrew the tokens, changed the role or closed the account: everything as it was.
            let body = json!({"role": role, "is_active": true});
            keeper.patch(&format!("/api/v1/users/{}", caller.id), body).await.expect(200);
            let (role, caller) = (*role, app.log_in(role).await);
            callers[at] = (role, Some(caller));
        }
    }
    // Were nearly everything refused, little would have been tried.
    assert!(successes > REQUESTS / 5, "{successes}");
    app.verify().await;
}
