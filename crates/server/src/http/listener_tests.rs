use std::io::{Read, Write};
use std::net::TcpStream as BlockingStream;

use axum::body::Body;
use axum::routing::{get, post};

use super::super::testing::{limits, raw, send, start};
use super::*;

const CLOSING: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn hello() -> Router {
    Router::new().route("/", get(async || "hello")).route("/echo", post(async |body: String| body))
}

fn slow(pause: Duration) -> Router {
    let handler = async move || {
        tokio::time::sleep(pause).await;
        "done"
    };
    Router::new().route("/", get(handler))
}

fn request(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn serves_with_and_without_a_body_and_tells_the_peer() {
    let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
    let server = start(hello().route("/peer", get(peer)), limits()).await;
    assert_eq!(server.get("/", &[]).await.body(), "hello");
    let echo = Request::post("/echo").body(Body::from("to and fro")).unwrap();
    assert_eq!(server.send(echo).await.body(), "to and fro");
    let peer = server.get("/peer", &[]).await;
    assert!(peer.body().starts_with(b"127.0.0.1:"), "{peer:?}");
}

#[tokio::test]
async fn answers_nonsense_with_400_and_goes_on() {
    let server = start(hello(), limits()).await;
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: minus one\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = raw(server.address, nonsense).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{:?}: {answer}", String::from_utf8_lossy(nonsense));
    }
    assert_eq!(server.get("/", &[]).await.body(), "hello");
}

#[tokio::test]
async fn hangs_up_on_heads_that_never_end_and_on_silence() {
    let server = start(hello(), Limits { header_timeout: Duration::from_millis(200), ..limits() }).await;
    for unfinished in [&b"GET / HTTP/1.1\r\nHost: x\r\n"[..], b""] {
        // Comes back only because the server hangs up.
        let answer = raw(server.address, unfinished).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

/// A router whose one answer is larger than what kernels take unread.
fn large(megabytes: usize) -> Router {
    Router::new().route("/", get(async move || vec![b'x'; megabytes << 20]))
}

#[tokio::test]
async fn hangs_up_on_clients_that_never_read() {
    let limits = Limits { stall_timeout: Duration::from_millis(300), ..limits() };
    for (router, requests) in [(hello(), usize::MAX), (large(64), 1)] {
        let server = start(router, limits).await;
        let address = server.address;
        let cut = move || {
            let mut stream = BlockingStream::connect(address).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            for _ in 0..requests {
                if let Err(error) = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") {
                    return error.kind();
                }
            }
            std::thread::sleep(Duration::from_secs(2));
            match stream.read_to_end(&mut Vec::new()) {
                Ok(read) if read < 64 << 20 => io::ErrorKind::ConnectionReset,
                Ok(_) => panic!("all of it came"),
                Err(error) => error.kind(),
            }
        };
        let cut = tokio::task::spawn_blocking(cut).await.unwrap();
        assert!(matches!(cut, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{cut:?}");
        let drained = tokio::time::timeout(Duration::from_secs(2), server.stop()).await.unwrap().unwrap();
        assert_eq!(drained, Drained { cut: 0 });
    }
}

#[tokio::test]
async fn waits_for_clients_that_read_slowly() {
    let stall_timeout = Duration::from_secs(1);
    let server = start(large(64), Limits { stall_timeout, ..limits() }).await;
    let address = server.address;
    let read = move || {
        let started = std::time::Instant::now();
        let mut stream = BlockingStream::connect(address).unwrap();
        stream.write_all(CLOSING).unwrap();
        let (mut total, mut piece) = (0, vec![0; 3 << 20]);
        loop {
            match stream.read(&mut piece).unwrap() {
                0 => return (total, started.elapsed()),
                length => total += length,
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let (total, took) = tokio::task::spawn_blocking(read).await.unwrap();
    assert!(total > 64 << 20, "{total}");
    assert!(took > stall_timeout, "{took:?}");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_room() {
    let server = start(hello(), Limits { max_connections: 1, ..limits() }).await;
    let occupant = BlockingStream::connect(server.address).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = tokio::spawn(raw(server.address, CLOSING));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    drop(occupant);
    assert!(waiting.await.unwrap().ends_with("hello"));
}

#[tokio::test]
async fn shutdown_lets_running_requests_finish_and_refuses_new_ones() {
    let server = start(slow(Duration::from_millis(400)), limits()).await;
    let address = server.address;
    let idle = BlockingStream::connect(address).unwrap();
    let running = tokio::spawn(send(address, request("/")));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let ended = server.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(BlockingStream::connect(address).is_err(), "still accepting");
    assert_eq!(running.await.unwrap().body(), "done");
    let drained = tokio::time::timeout(Duration::from_secs(2), ended).await.unwrap().unwrap();
    assert_eq!(drained, Drained { cut: 0 });
    drop(idle);
}

#[tokio::test]
async fn shutdown_cuts_what_outlasts_the_grace_period() {
    let limits = Limits { shutdown_grace: Duration::from_millis(200), ..limits() };
    let server = start(slow(Duration::from_secs(60)), limits).await;
    let address = server.address;
    let running = tokio::spawn(raw(address, CLOSING));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let drained = tokio::time::timeout(Duration::from_secs(2), server.stop()).await.unwrap().unwrap();
    assert_eq!(drained, Drained { cut: 1 });
    assert_eq!(running.await.unwrap(), "");
}

#[tokio::test]
async fn a_full_server_still_shuts_down() {
    let server = start(hello(), Limits { max_connections: 1, ..limits() }).await;
    let occupant = BlockingStream::connect(server.address).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let drained = tokio::time::timeout(Duration::from_secs(2), server.stop()).await.unwrap().unwrap();
    assert_eq!(drained, Drained { cut: 0 });
    drop(occupant);
}

#[test]
fn tells_the_clients_failures_from_ours() {
    assert!(is_the_clients(&io::ErrorKind::ConnectionAborted.into()));
    // EMFILE: too many open files.
    assert!(!is_the_clients(&io::Error::from_raw_os_error(24)));
}
