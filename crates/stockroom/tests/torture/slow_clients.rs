//! Clients who are slow on purpose, who never end, who dig, and far more of them than there are connections to the
//! database: the server stays small, and who behaves is served all the same.
//!
//! How long a good client waits is printed, and judged by `cargo xtask torture` alone: a busy machine is no failure of a test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, scope, sleep};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::callers::furnish;
use crate::http::Client;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// Most memory that the server may have taken at any moment.
const MEMORY_MB: u64 = 256;
/// Clients of a plain test run.
const FEW: usize = 40;
/// Enough for a blocking client, hundreds of which there are.
const STACK: usize = 256 * 1024;

/// How somebody misbehaves, or does not.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// Sends a byte of a head now and then.
    Trickle,
    /// Sends a body that does not end.
    Endless,
    /// Sends a hundred thousand brackets.
    Deep,
    /// Orders and reads without a pause.
    Busy,
}

impl Habit {
    fn of(number: usize) -> Self {
        [Self::Busy, Self::Trickle, Self::Busy, Self::Endless, Self::Busy, Self::Deep][number % 6]
    }

    /// One attempt; what the server answered, if it should not have.
    fn attempt(self, address: SocketAddr, token: &str, is_over: &AtomicBool) -> Option<String> {
        match self {
            Self::Trickle => trickle(address, is_over),
            Self::Endless => endless(address, token, usize::MAX, is_over),
            Self::Deep => return deep(address, token),
            Self::Busy => return busy(address, token),
        }
        None
    }
}

/// A head that never ends, until the server has had enough.
fn trickle(address: SocketAddr, is_over: &AtomicBool) {
    let Ok(mut connection) = TcpStream::connect(address) else { return };
    if connection.write_all(b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").is_err() {
        return;
    }
    while !is_over.load(Ordering::Relaxed) && connection.write_all(b"a").is_ok() {
        sleep(Duration::from_millis(100));
    }
}

/// A body in chunks, of so many bytes if the server takes that many.
fn endless(address: SocketAddr, token: &str, bytes: usize, is_over: &AtomicBool) {
    let Ok(mut connection) = TcpStream::connect(address) else { return };
    let head = format!(
        "POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let mut sent = connection.write_all(head.as_bytes());
    let mut left = bytes;
    while sent.is_ok() && left > 0 && !is_over.load(Ordering::Relaxed) {
        sent = connection.write_all(chunk.as_bytes());
        left = left.saturating_sub(0x4000);
    }
    if sent.is_ok() && left == 0 {
        // Leaves the server with what it has.
        while !is_over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(10));
        }
    }
}

/// Nests deeper than anybody reads; must be told that it is wrong.
fn deep(address: SocketAddr, token: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    let body = "[".repeat(100_000);
    let request = format!(
        "POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    // Too many at once may be cut off or sent away, but a fault of the server's own is one.
    connection.write_all(request.as_bytes()).and_then(|()| connection.read_to_string(&mut answer)).ok()?;
    let right = ["HTTP/1.1 400", "HTTP/1.1 408", "HTTP/1.1 503"];
    let is_right = answer.is_empty() || right.iter().any(|line| answer.starts_with(line));
    (!is_right).then_some(answer)
}

/// What honest clients do in a hurry. To be told to come again is right.
fn busy(address: SocketAddr, token: &str) -> Option<String> {
    let mut client = Client::new(address).with_token(token);
    let order = json!({"items": [{"product_id": 1, "quantity": 1}]});
    let asks = [("POST", "/api/v1/orders", Some(&order)), ("GET", "/api/v1/orders?limit=20", None)];
    for (method, path, body) in asks.into_iter().cycle().take(20) {
        let answer = client.send(method, path, None, body).ok()?;
        if !matches!(answer.status, 200 | 201 | 503) {
            return Some(format!("{method} {path}: {} {}", answer.status, answer.text));
        }
    }
    None
}

/// What was seen of the server.
#[derive(Debug)]
struct Seen {
    memory_mb: u64,
    /// How long a good client waited, all but the slowest hundredth of its requests.
    p99: Duration,
    good: usize,
    refused: usize,
    /// What should not have been answered.
    wrong: Vec<String>,
}

/// Lets so many loose on a server for a while, beside one who behaves.
fn loose(server: &Server, token: &str, clients: usize, time: Duration) -> Seen {
    let (is_over, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let address = server.address;
    let mut good = Client::new(address).with_token(token);
    good.get("/api/v1/products/1");
    let (mut waits, mut refused) = (Vec::new(), 0);
    scope(|threads| {
        for number in 0..clients {
            let (is_over, wrong) = (&is_over, &wrong);
            let run = move || {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = Habit::of(number).attempt(address, token, is_over);
                    wrong.lock().unwrap().extend(answer);
                }
            };
            Builder::new().stack_size(STACK).spawn_scoped(threads, run).unwrap();
        }
        let end = Instant::now() + time;
        let order = json!({"items": [{"product_id": 2, "quantity": 1}]});
        while waits.is_empty() || Instant::now() < end {
            let asked = Instant::now();
            let status = good.call("POST", "/api/v1/orders", Some(&order)).status;
            waits.push(asked.elapsed());
            assert!(matches!(status, 201 | 503), "{status}");
            refused += usize::from(status == 503);
            sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    Seen { memory_mb: memory_mb(server), p99, good: waits.len(), refused, wrong: wrong.into_inner().unwrap() }
}

/// The most memory that the server has had at any moment.
fn memory_mb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn slow_endless_and_deep_clients_do_not_make_the_server_large() {
    let clients = rounds(FEW);
    let is_whole = clients > FEW;
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &["--database-connections", "2", "--header-timeout-seconds", "2"]);
    let time = Duration::from_secs(if is_whole { 60 } else { 1 });
    let seen = loose(&server, &token, clients, time);
    println!("{:?} over {} good requests, {} wrong answers", seen.p99, seen.good, seen.wrong.len());
    let Seen { memory_mb, p99, refused, .. } = seen;
    assert!(seen.wrong.is_empty(), "answered as nobody should be: {:#?}", &seen.wrong[..1]);
    assert!(memory_mb <= MEMORY_MB, "{memory_mb} MB");
    assert!(refused < seen.good, "the good client was always sent away");
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    println!(
        "torture slow-clients: {clients} clients, {memory_mb} MB, p99 {} ms, {refused} refused",
        p99.as_millis()
    );
    assert!(!is_whole || p99 <= Duration::from_secs(1), "a good client waited for {p99:?}");
}

/// A server that takes whatever is sent grows, and is noticed.
#[test]
fn a_server_that_takes_everything_is_noticed() {
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &["--max-body-bytes", "67108864"]);
    let is_over = AtomicBool::new(false);
    let patience = Instant::now() + Duration::from_secs(60);
    scope(|threads| {
        for _ in 0..6 {
            threads.spawn(|| endless(server.address, &token, 60 * 1024 * 1024, &is_over));
        }
        while memory_mb(&server) <= MEMORY_MB && Instant::now() < patience {
            sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(memory_mb(&server) > MEMORY_MB, "{} MB", memory_mb(&server));
}
