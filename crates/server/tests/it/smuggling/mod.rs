//! Requests that a proxy in front and this server could take for two different ones: answered 400, and the last of their
//! connection.

mod proxied;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::harness::TestApp;

/// What somebody would like to have carried out in another's name.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Lines that no two readers need understand alike.
const LINES: [&str; 38] = [
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: 5, 5",
    "Content-Length: 5 5",
    "Content-Length: 0x5",
    "Content-Length: 5.0",
    "Content-Length:",
    "Content-Length: five",
    "Content-Length: 18446744073709551616",
    "Content-Length: 99999999999999999999999",
    "Content-Length : 5",
    " Content-Length: 5",
    "Content-Length\t: 5",
    "Content-Length: 5\0",
    "Content-Length: 1\r2",
    "Content-Length: 5\r\n 6",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding",
    "Transfer-Encoding : chunked",
    "Transfer\rEncoding: chunked",
    "X: a\rTransfer-Encoding: chunked",
    "X: a\0b",
    "X\0: a",
    "X Y: a",
    ": a",
    "Host: other",
    "Host: localhost",
];

/// Heads of which the same is true.
const HEADS: [&str; 12] = [
    "GET /healthz HTTP/1.1\r\nX: y",
    "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost",
    "GET /healthz HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked",
    "GET /healthz HTTP/1.1 \r\nHost: localhost",
    "GET /healthz  HTTP/1.1\r\nHost: localhost",
    "GET /heal\rthz HTTP/1.1\r\nHost: localhost",
    "GET /heal thz HTTP/1.1\r\nHost: localhost",
    "GET /healthz HTTP/9.9\r\nHost: localhost",
    "GET /healthz\r\nHost: localhost",
    "G\0T /healthz HTTP/1.1\r\nHost: localhost",
    "GET /healthz HTTP/1.1\r\n Host: localhost",
    "GET /healthz HTTP/1.1\r\nHost: local\rhost",
];

/// Heads without the empty line behind them.
fn unclear() -> Vec<String> {
    let lengths = ["0", "5", "43"];
    let mut lines: Vec<String> = Vec::new();
    for length in lengths {
        lines.extend([
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            format!("transfer-encoding: CHUNKED\r\nX-A: b\r\ncontent-length: {length}"),
            format!("Content-Length: {length}\r\nContent-Length: {length}"),
            format!("Content-Length: {length}\r\nContent-Length: 7"),
            format!("Content-Length: {length}\r\nTransfer-Encoding: identity"),
            format!("Content-Length: {length}\r\nTransfer-Encoding:\tchunked"),
            format!("Content-Length: {length}\r\nTransfer-Encoding : chunked"),
            format!("Content-Length: {length}\r\n Transfer-Encoding: chunked"),
            format!("Content-Length: {length}\r\nTransfer-Encoding: x\r\n\tchunked"),
        ]);
    }
    lines.extend(LINES.map(str::to_owned));
    let mut heads: Vec<String> = lines
        .into_iter()
        .map(|lines| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{lines}"))
        .collect();
    heads.extend(HEADS.map(str::to_owned));
    heads
}

/// All that comes back until the server hangs up; `None` if it does not.
fn say(address: SocketAddr, head: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    // Chunks that have ended, or a body of 5 bytes, and the hidden one behind.
    let all = format!("{head}\r\n\r\n0\r\n\r\n{HIDDEN}");
    stream.write_all(all.as_bytes()).unwrap();
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The heads that are answered otherwise than by one 400 and the end of the connection, with what came.
async fn not_refused(address: SocketAddr) -> Vec<(String, Option<String>)> {
    tokio::task::spawn_blocking(move || {
        let (heads, mut wrong) = (unclear(), Vec::new());
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                heads.iter().map(|head| (head, scope.spawn(move || say(address, head)))).collect();
            for (head, answer) in asked {
                let answer = answer.join().unwrap();
                let is_refused = answer.as_ref().is_some_and(|text| {
                    text.starts_with("HTTP/1.1 400 ") && text.matches("HTTP/1.").count() == 1
                });
                if !is_refused {
                    wrong.push((head.clone(), answer));
                }
            }
        });
        wrong
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_two_requests_is_none() {
    let app = TestApp::start().await;
    let wrong = not_refused(app.address).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_one_request_is_answered() {
    let app = TestApp::start().await;
    for (head, wanted) in [
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5", 2),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", 1),
        ("GET /healthz HTTP/1.0\r\nContent-Length: 5", 1),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5", 2),
    ] {
        let (address, head) =
            (app.address, head.replace("\r\nContent", "\r\nConnection: keep-alive\r\nContent"));
        let last = HIDDEN.replace("Host", "Connection: close\r\nHost");
        let answers = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(format!("{head}\r\n\r\n0\r\n\r\n{last}").as_bytes()).unwrap();
            let mut text = String::new();
            // An end that is not polite is one as well.
            _ = stream.read_to_string(&mut text);
            (head, text)
        });
        let (head, text) = answers.await.unwrap();
        let count = text.matches(" 200 OK").count();
        assert!(count == wanted || head.contains("1.0") && count >= 1, "{head}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_a_look_at_the_bytes_some_get_through() {
    let app = TestApp::start().await;
    let router = server::router::build(&app.app).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let router = router.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                router.clone().oneshot(request.map(axum::body::Body::new))
            });
            tokio::spawn(async move {
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let heads: Vec<String> = not_refused(address).await.into_iter().map(|(head, _)| head).collect();
    let both = |head: &&String| head.contains("Content-Length") && head.contains("chunked");
    assert!(heads.iter().any(|head| both(&head)), "{heads:#?}");
}
