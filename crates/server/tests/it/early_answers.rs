//! Answers that are given before the body was read: the connection goes on, or the answer says that it does not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::http::Method;

use crate::harness::TestApp;

const PRODUCTS: &str = "/api/v1/products";

#[tokio::test(flavor = "multi_thread")]
async fn the_request_after_a_refused_upload_is_answered() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let body = "x".repeat(250_000);
    for _ in 0..100 {
        let refused = app.stranger().send(Method::POST, PRODUCTS, &[], Some(body.clone())).await;
        refused.problem(401, "UNAUTHENTICATED");
        assert_eq!(refused.header("connection"), "");
        // The client lends the same connection to whoever is next.
        root.get(PRODUCTS).await.expect(200);
        let lost = root.send(Method::POST, "/nowhere", &[], Some(body.clone())).await;
        lost.problem(404, "ROUTE_NOT_FOUND");
        let kind = [("content-type", "text/plain")];
        root.send(Method::POST, PRODUCTS, &kind, Some(body.clone()))
            .await
            .problem(415, "UNSUPPORTED_MEDIA_TYPE");
        root.get(PRODUCTS).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_beyond_the_limit_end_the_connection_with_an_answer() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for length in [300_000, 3_000_000] {
        let large = root.send(Method::POST, PRODUCTS, &[], Some("x".repeat(length))).await;
        large.problem(413, "PAYLOAD_TOO_LARGE");
        assert_eq!(large.header("connection"), "close");
        root.get(PRODUCTS).await.expect(200);
    }
    let address = app.address;
    let huge = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head =
            format!("POST {PRODUCTS} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let answer = tokio::task::spawn_blocking(huge).await.unwrap();
    assert!(answer.starts_with("http/1.1 413 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}
