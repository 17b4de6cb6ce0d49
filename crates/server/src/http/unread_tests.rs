use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::super::listener::Limits;
use super::super::testing::{Running, limits, start};
use super::*;

const KEPT: usize = 100 * 1024;

async fn running() -> Running {
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/refuse", post(async || (StatusCode::UNAUTHORIZED, "who are you?")))
        .route("/echo", post(async |body: String| body.len().to_string()));
    start(router, Limits { max_body_bytes: KEPT, ..limits() }).await
}

fn connect(server: &Running) -> Client {
    let stream = Client::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// One answer whose length is declared: its head and its body.
fn answer(stream: &mut Client) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = stream.read(&mut byte).unwrap();
        assert_eq!(read, 1, "hung up after {:?}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn closes(head: &str) -> bool {
    head.contains("\r\nconnection: close\r\n")
}

fn assert_hung_up(stream: &mut Client) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

async fn blocking<T: Send + 'static>(talk: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(talk).await.unwrap()
}

fn head_of(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_after_an_unread_body_is_never_lost() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        let body = vec![b'x'; KEPT];
        for round in 0..100 {
            stream.write_all(head_of("/refuse", &format!("content-length: {KEPT}")).as_bytes()).unwrap();
            if round % 2 == 0 {
                stream.write_all(&body).unwrap();
            } else {
                // Begins late and comes in pieces.
                for piece in body.chunks(KEPT / 3) {
                    std::thread::sleep(Duration::from_millis(2));
                    stream.write_all(piece).unwrap();
                }
            }
            let (head, text) = answer(&mut stream);
            assert!(head.starts_with("http/1.1 401") && !closes(&head), "{head}");
            assert_eq!(text, "who are you?");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            assert_eq!(answer(&mut stream).1, "hello");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_are_drained_and_the_last_of_their_connection() {
    let server = running().await;
    let connect = move || connect(&server);
    blocking(move || {
        for _ in 0..10 {
            let mut stream = connect();
            let head = head_of("/refuse", "transfer-encoding: chunked");
            let chunk = format!("{:x}\r\n{}\r\n", 1000, "x".repeat(1000));
            stream.write_all(format!("{head}{}0\r\n\r\n", chunk.repeat(50)).as_bytes()).unwrap();
            let (head, text) = answer(&mut stream);
            assert!(closes(&head), "{head}");
            assert_eq!(text, "who are you?");
            assert_hung_up(&mut stream);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_answered_and_hung_up_on() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        let mut sender = stream.try_clone().unwrap();
        let endless = std::thread::spawn(move || {
            sender.write_all(head_of("/refuse", "transfer-encoding: chunked").as_bytes()).unwrap();
            let chunk = format!("{:x}\r\n{}\r\n", 1000, "x".repeat(1000));
            // Until the server has had enough.
            while sender.write_all(chunk.as_bytes()).is_ok() {}
        });
        let (head, text) = answer(&mut stream);
        assert!(head.starts_with("http/1.1 401") && closes(&head), "{head}");
        assert_eq!(text, "who are you?");
        let begun = Instant::now();
        endless.join().unwrap();
        assert!(begun.elapsed() < LINGER_TIME + Duration::from_secs(3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_declared_too_long_to_wait_for_is_announced_as_the_last() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        let begun = Instant::now();
        stream.write_all(head_of("/refuse", "content-length: 9000000000000").as_bytes()).unwrap();
        let (head, _) = answer(&mut stream);
        assert!(closes(&head), "{head}");
        assert_hung_up(&mut stream);
        assert!(begun.elapsed() < DRAIN_TIME);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_everything_before_it_listens_gets_its_answer() {
    let server = running().await;
    for _ in 0..5 {
        let mut stream = connect(&server);
        blocking(move || {
            let length = 50 * KEPT;
            stream.write_all(head_of("/refuse", &format!("content-length: {length}")).as_bytes()).unwrap();
            stream.write_all(&vec![b'x'; length]).unwrap();
            let (head, text) = answer(&mut stream);
            assert!(closes(&head), "{head}");
            assert_eq!(text, "who are you?");
            assert_hung_up(&mut stream);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_is_not_waited_for_long() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        let begun = Instant::now();
        stream.write_all(head_of("/refuse", "content-length: 10").as_bytes()).unwrap();
        let (head, _) = answer(&mut stream);
        assert!(closes(&head), "{head}");
        assert_hung_up(&mut stream);
        assert!(begun.elapsed() < DRAIN_TIME + Duration::from_secs(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_waits_to_be_asked_for_is_not_asked_for() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        let expecting = "content-length: 10\r\nexpect: 100-continue";
        stream.write_all(head_of("/refuse", expecting).as_bytes()).unwrap();
        let begun = Instant::now();
        let (head, _) = answer(&mut stream);
        assert!(head.starts_with("http/1.1 401") && closes(&head), "{head}");
        assert!(begun.elapsed() < DRAIN_TIME);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_were_read_keep_the_connection() {
    let server = running().await;
    let mut stream = connect(&server);
    blocking(move || {
        for _ in 0..3 {
            let request = format!("{}hello", head_of("/echo", "content-length: 5"));
            stream.write_all(request.as_bytes()).unwrap();
            let (head, text) = answer(&mut stream);
            assert!(!closes(&head), "{head}");
            assert_eq!(text, "5");
        }
    })
    .await;
}
