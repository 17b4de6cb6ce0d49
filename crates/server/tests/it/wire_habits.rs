//! What holds for every operation: problems, headers, limits, and input that nobody should send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use server::settings::Settings;

use crate::document::Document;
use crate::harness::{Answer, Caller, TestApp};

const ORDERS: &str = "/api/v1/orders";
const NO_BODY: Option<&str> = None;
const PRODUCTS: &str = "/api/v1/products";
const USERS: &str = "/api/v1/users";
const ME: &str = "/api/v1/auth/me";

async fn get_with(caller: &Caller<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
    caller.send(Method::GET, path, headers, NO_BODY).await
}

async fn post_raw(caller: &Caller<'_>, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    caller.send(Method::POST, path, &[], Some(body.into())).await
}

/// Says exactly these bytes to the server, and gives what it says until it hangs up.
async fn say(app: &TestApp, bytes: impl Into<Vec<u8>>) -> String {
    let (address, bytes) = (app.address, bytes.into());
    let talk = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // A server that hangs up before all is read may reset the connection after its answer.
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_does_not_fit_is_a_problem() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for path in
        ["/nowhere", "/api/v1", "/api/v1/", "/api/v2/products", "/api/v1/products/", "/api/v1/products/1/x"]
    {
        root.get(path).await.problem(404, "ROUTE_NOT_FOUND");
        app.stranger().post(path, json!({})).await.problem(404, "ROUTE_NOT_FOUND");
    }
    for (method, path, allow) in [
        (Method::DELETE, USERS, "GET,HEAD,POST"),
        (Method::GET, "/api/v1/auth/login", "POST"),
        (Method::PUT, "/api/v1/products/1", "GET,HEAD,PATCH,DELETE"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::OPTIONS, PRODUCTS, "GET,HEAD,POST"),
        (Method::TRACE, PRODUCTS, "GET,HEAD,POST"),
    ] {
        let answer = app.stranger().send(method, path, &[], NO_BODY).await;
        answer.problem(405, "METHOD_NOT_ALLOWED");
        let mut named: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        let mut expected: Vec<_> = allow.split(',').collect();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "{path}");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin1",
    ] {
        let headers = [("content-type", kind)];
        let answer = root.send(Method::POST, PRODUCTS, &headers, Some("{}")).await;
        answer.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let headers = [("content-type", "application/json; charset=UTF-8")];
    root.send(Method::POST, PRODUCTS, &headers, Some("{}")).await.problem(400, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit_whether_or_not_they_say_their_length() {
    let app = TestApp::start_with(Settings { max_body_bytes: 2000, ..Settings::default() }).await;
    let root = app.admin().await;
    let body = json!({"name": "x", "price_cents": 1, "description": "x".repeat(2000)});
    root.post(PRODUCTS, body).await.problem(413, "PAYLOAD_TOO_LARGE");
    let token = root.token.clone().unwrap();
    let head = format!(
        "POST {PRODUCTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    let answer = say(&app, format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    let answer = say(&app, format!("{head}2\r\n{{}}\r\n0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_names() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    for path in ["/healthz", PRODUCTS, "/nowhere"] {
        assert_eq!(
            get_with(&stranger, path, &[("x-request-id", "mine-1")]).await.header("x-request-id"),
            "mine-1"
        );
        let long = "x".repeat(129);
        for bad in ["", "two words", "ä", &long] {
            let answer = get_with(&stranger, path, &[("x-request-id", bad)]).await;
            let id = answer.header("x-request-id");
            assert!(!id.is_empty() && id != bad, "{answer:?}");
        }
    }
    let answer = get_with(&stranger, PRODUCTS, &[("x-request-id", "mine-2")]).await;
    assert_eq!(answer.problem(401, "UNAUTHENTICATED")["request_id"], "mine-2");
    let (first, second) = (stranger.get(PRODUCTS).await, stranger.get(PRODUCTS).await);
    assert_eq!(first.json()["request_id"], first.header("x-request-id"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_guard_browsers() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for path in
        [ME, USERS, "/healthz", "/nowhere", "/api/v1/users/0", "/openapi.json", "/docs", "/redoc", "/metrics"]
    {
        let answer = root.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
        assert!(answer.headers.get("server").is_none(), "{path}");
    }
    assert_eq!(root.get(ME).await.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_let_in_only_where_they_are_listed() {
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,idempotency-key,if-match"),
    ];
    let closed = TestApp::start().await;
    let answer = closed.stranger().send(Method::OPTIONS, PRODUCTS, &preflight, NO_BODY).await;
    answer.problem(405, "METHOD_NOT_ALLOWED");
    let answer = get_with(&closed.stranger(), "/healthz", &preflight[..1]).await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer:?}");

    let settings = Settings { cors_origins: vec!["https://shop.example".to_owned()], ..Settings::default() };
    let open = TestApp::start_with(settings).await;
    let answer = open.stranger().send(Method::OPTIONS, PRODUCTS, &preflight, NO_BODY).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
    for name in ["authorization", "content-type", "idempotency-key", "if-match"] {
        assert!(allowed.contains(name), "{name}: {allowed}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    // Problems must be readable, too.
    let answer = get_with(&open.stranger(), PRODUCTS, &preflight[..1]).await;
    answer.problem(401, "UNAUTHENTICATED");
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    let answer = get_with(&open.stranger(), PRODUCTS, &[("origin", "https://evil.example")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_who_takes_that() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for number in 0..10 {
        let body =
            json!({"name": format!("Product {number}"), "price_cents": 1, "description": "x".repeat(200)});
        root.post(PRODUCTS, body).await.expect(201);
    }
    let plain = root.get(PRODUCTS).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    let packed = get_with(&root, PRODUCTS, &[("accept-encoding", "br, gzip;q=0.5")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"));
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
    assert!(length(&packed) * 2 < length(&plain));
    let refused = get_with(&root, PRODUCTS, &[("accept-encoding", "gzip;q=0")]).await;
    assert_eq!(refused.header("content-encoding"), "");
    let small = get_with(&root, ME, &[("accept-encoding", "gzip")]).await;
    assert_eq!(small.header("content-encoding"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_strictly() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let cases: [(&[u8], &str); 24] = [
        (b"", "body"),
        (b" \n", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"\"x\"", "body"),
        (b"{} {}", "body"),
        (b"{\"name\":\"x\",\"price_cents\":1} x", "body"),
        (b"{\"name\":\"x\",\"price_cents\":1,}", "body"),
        (b"{'name':'x'}", "body"),
        (b"\xef\xbb\xbf{\"name\":\"x\",\"price_cents\":1}", "body"),
        (b"{\"name\":\"x\",\"price_cents\":NaN}", "body"),
        (b"{\"name\":\"x\",\"price_cents\":01}", "body"),
        (b"{\"name\":\"\xff\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"a\\u0000b\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"a\0b\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"\\ud800\",\"price_cents\":1}", "name"),
        (b"{\"name\":\"x\",\"price_cents\":1e400}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":1.5}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":99999999999999999999}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":\"1\"}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":true}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":1,\"price_cents\":2}", "price_cents"),
        (b"{\"name\":\"x\",\"price_cents\":1,\"prize\":2}", "prize"),
    ];
    for (body, field) in cases {
        let answer = post_raw(&root, PRODUCTS, body).await;
        assert_eq!(answer.problem(400, "VALIDATION_ERROR")["errors"][0]["field"], field, "{answer:?}");
    }
    for bracket in ["[", "{\"a\":", "{\"items\":["] {
        post_raw(&root, PRODUCTS, bracket.repeat(20_000)).await.invalid(&["body"]);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    post_raw(&root, PRODUCTS, deep).await.invalid(&["body"]);
    let many = format!("{{{}}}", (0..10_000).map(|n| format!("\"f{n}\":{n}")).collect::<Vec<_>>().join(","));
    post_raw(&root, PRODUCTS, many).await.problem(400, "VALIDATION_ERROR");
    assert_eq!(root.get(PRODUCTS).await.expect(200)["products"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_paths_are_read_strictly() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for (query, field) in [
        ("q=%", "q"),
        ("q=%zz", "q"),
        ("q=%ff", "q"),
        ("q=%00", "q"),
        ("q=", "q"),
        ("q", "q"),
        ("limit=1&limit=1", "limit"),
        ("limit=1e1", "limit"),
        ("limit=+1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=-1", "limit"),
        ("nope=1", "nope"),
        ("Limit=1", "Limit"),
        ("limit[]=1", "limit[]"),
        ("%ff=1", "%ff"),
        ("cursor=%F0%9F%98%80", "cursor"),
    ] {
        for path in [PRODUCTS, USERS] {
            let answer = root.get(&format!("{path}?{query}")).await;
            assert_eq!(
                answer.problem(400, "VALIDATION_ERROR")["errors"][0]["field"],
                field,
                "{query} {answer:?}"
            );
        }
    }
    for kind in ["product", "order", "user"] {
        let (path, name) = (format!("/api/v1/{kind}s/"), format!("{kind}_id"));
        for id in ["0", "-1", "abc", "99999999999999999999", "1.0", "1e0", "%20", "%00", "%ff", "%2F", "0x1"]
        {
            root.get(&format!("{path}{id}")).await.invalid(&[&name]);
        }
        let answer = root.get(&format!("{path}9223372036854775807")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    for garbage in ["GET /api/v1/users/\x01 HTTP/1.1", "GET \u{fffd} HTTP/1.1", "\0\0\0\0", "GET / HTTP/9.9"]
    {
        let answer = say(&app, format!("{garbage}\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{garbage:?}: {answer}");
    }
    root.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_keys_are_read_strictly() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let path = format!("{PRODUCTS}/{}", app.product(&root, "Cup", 100, 1).await);
    let patch = async |headers: &[(&str, &str)]| {
        root.send(Method::PATCH, &path, headers, Some(r#"{"name":"Mug"}"#)).await
    };
    for bad in ["", "1", "\"1", "W/\"1\"", "*, \"1\"", "\"1\" \"2\"", "\"a b\"", "\"1\", \"2\"", "ä"] {
        patch(&[("if-match", bad)]).await.invalid(&["If-Match"]);
    }
    patch(&[("if-match", "\"99999999999999999999\"")]).await.problem(412, "PRECONDITION_FAILED");
    let long = "x".repeat(256);
    for bad in ["", "two words", "ä", &long] {
        patch(&[("idempotency-key", bad)]).await.invalid(&["Idempotency-Key"]);
    }
    patch(&[("idempotency-key", "a"), ("idempotency-key", "b")]).await.invalid(&["Idempotency-Key"]);
    // A condition of a read that cannot be understood is none.
    get_with(&root, &path, &[("if-none-match", "garbage")]).await.expect(200);
    patch(&[("idempotency-key", &long[..255])]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_not_insisted_on_where_there_is_none() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.product(&root, "Cup", 100, 1).await;
    let document = Document::new();
    let mut refused = Vec::new();
    for operation in document.operations() {
        let described = operation.parameters("header");
        if operation.method == "GET" || described.iter().any(|header| header["name"] == "If-Match") {
            continue;
        }
        let path = operation.path.replace("{product_id}", "1").replace("{api_key_id}", "1");
        for tag in ["\"1\"", "*", "nonsense"] {
            let method = operation.method.parse().unwrap();
            root.send(method, &path, &[("if-match", tag)], Some("{}")).await.invalid(&["If-Match"]);
        }
        refused.push(operation.path);
    }
    for path in [ORDERS, PRODUCTS, "/api/v1/auth/login", "/api/v1/products/{product_id}/stock/set"] {
        assert!(refused.contains(&path), "{path} is not in {refused:?}");
    }
    // What was refused did nothing: the tokens are good and there is one product.
    assert_eq!(root.get(PRODUCTS).await.expect(200)["products"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_takes_commands_again_later() {
    let app = TestApp::start_with(Settings { queue_limit: 1, max_batch: 1, ..Settings::default() }).await;
    let root = app.admin().await;
    let body = json!({"name": "Cup", "price_cents": 100});
    // Another process writes: the committer waits for it with the first command, the second fills the queue.
    let transaction = app.stall().await;
    let add = || root.post(PRODUCTS, body.clone());
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let refused = add().await;
        refused.problem(503, "OVERLOADED");
        assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
        // Reading goes on.
        root.get(PRODUCTS).await.expect(200);
        transaction.rollback().await.unwrap();
    };
    let later = async |milliseconds| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        add().await
    };
    let (first, second, ()) = tokio::join!(later(0), later(100), release);
    first.expect(201);
    second.expect(201);
    add().await.expect(201);
    assert_eq!(root.get(PRODUCTS).await.expect(200)["products"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_served_to_everybody() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let document = stranger.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    let served = document.expect(200);
    let built: serde_json::Value = serde_json::from_str(&server::router::openapi().unwrap()).unwrap();
    assert_eq!(served, built);
    for path in ["/docs", "/redoc"] {
        let page = stranger.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        // Works without the internet.
        assert!(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"), "{path}");
    }
    let front = stranger.get("/").await;
    assert_eq!((front.status.as_u16(), front.header("location")), (307, "/docs"));
    stranger.get("/healthz").await.expect(200);
    stranger.get("/readyz").await.expect(200);
}
