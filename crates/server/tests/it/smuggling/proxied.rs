//! The same through HAProxy, which shares its connections to the server among its callers: whatever it lets pass the two
//! understand alike, and nothing comes out of its connections that it has not put in as a request.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use server::settings::Settings;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{HIDDEN, unclear};
use crate::harness::TestApp;

/// The proxy tells the server what it has understood, and the caller which request it has answered. A body is told behind
/// a letter, or an empty one would not be told at all.
const CONFIGURATION: &str = "
defaults
    mode http
    timeout connect 10s
    timeout client 2s
    timeout server 10s
    timeout http-request 2s
    timeout http-keep-alive 500ms
    option http-buffer-request
    retries 0
frontend callers
    bind unix@DIRECTORY/front
    HABIT
    http-request set-var(txn.number) uuid()
    http-request set-header X-Seen-Number %[var(txn.number)]
    http-request set-header X-Seen-Method %[method]
    http-request set-header X-Seen-Path %[path]
    http-request set-header X-Seen-Host %[req.hdr(host)]
    http-request set-header X-Seen-Body e%[req.body,base64]
    http-response set-header X-Answered %[var(txn.number)]
    default_backend shop
backend shop
    http-reuse always
    server shop ADDRESS
";

/// How the proxy takes what is no proper HTTP: it refuses that, or lets through what it can.
const HABITS: [&str; 2] = ["", "option accept-invalid-http-request"];

/// A running HAProxy. Dropping it ends it.
struct Proxy {
    child: Child,
    directory: TempDir,
}

/// Where HAProxy is; `None` with a message when it is nowhere.
fn program() -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has it, which is not on everybody's path.
    let directories = std::env::split_paths(&directories).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|path| path.join("haproxy")).find(|path| path.is_file());
    if found.is_none() {
        let advice = "needs HAProxy (Debian package haproxy)";
        assert!(std::env::var_os("CI").is_none(), "{advice}");
        println!("left out: {advice}");
    }
    found
}

impl Proxy {
    fn start(program: &PathBuf, server: SocketAddr, habit: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = CONFIGURATION
            .replace("DIRECTORY", directory.path().to_str().unwrap())
            .replace("HABIT", habit)
            .replace("ADDRESS", &server.to_string());
        let file = directory.path().join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.args(["-db", "-f"]).arg(file).stdin(Stdio::null()).stdout(log.try_clone().unwrap());
        let mut proxy = Self { child: command.stderr(log).spawn().unwrap(), directory };
        let patience = Instant::now() + Duration::from_secs(60);
        while UnixStream::connect(proxy.front()).is_err() {
            let status = proxy.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(proxy.directory.path().join("log")).unwrap();
            assert!(status.is_none() && Instant::now() < patience, "HAProxy does not start: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
        proxy
    }

    fn front(&self) -> PathBuf {
        self.directory.path().join("front")
    }

    /// Sends this, and reads all that comes back until nothing more does.
    fn say(&self, text: &str) -> String {
        let mut stream = UnixStream::connect(self.front()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut answer = Vec::new();
        // Who is refused early may find the connection closed.
        _ = stream.write_all(text.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A request as the server took it.
#[derive(Debug, Clone, Default)]
struct Taken {
    method: String,
    path: String,
    host: String,
    body: Vec<u8>,
    /// What the proxy has said about it: number, method, path, host and body.
    seen: [Vec<String>; 5],
    /// How it was answered.
    status: u16,
}

const SEEN: [&str; 5] = ["x-seen-number", "x-seen-method", "x-seen-path", "x-seen-host", "x-seen-body"];

impl Taken {
    fn of(method: &str, path: &str, body: &[u8], headers: &HeaderMap) -> Self {
        let values = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            host: values("host").join(" and "),
            body: body.to_vec(),
            seen: SEEN.map(values),
            status: 0,
        }
    }

    /// Whether the proxy has sent this, and sent it so.
    fn is_what_was_sent(&self) -> bool {
        let body = format!("e{}", STANDARD.encode(&self.body));
        let taken = [&self.method, &self.path, &self.host, &body];
        let is_one = self.seen.iter().all(|values| values.len() == 1);
        is_one && self.seen[1..].iter().zip(taken).all(|(seen, taken)| seen[0] == *taken)
    }
}

type Record = Arc<Mutex<Vec<Taken>>>;

/// Notes each request that comes to the server.
async fn note(State(record): State<Record>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_else(|error| Bytes::from(format!("none: {error}")));
    let mut taken = Taken::of(parts.method.as_str(), parts.uri.path(), &bytes, &parts.headers);
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    taken.status = response.status().as_u16();
    if let Ok(number) = taken.seen[0].concat().parse() {
        response.headers_mut().insert("x-taken", number);
    }
    record.lock().unwrap().push(taken);
    response
}

/// What came of everything that was sent.
#[derive(Default)]
struct Outcome {
    sent: usize,
    taken: Vec<Taken>,
    /// How many answers told which request they were for, and those that told of somebody else's.
    told: usize,
    crossed: Vec<String>,
}

impl Outcome {
    /// What came out of the proxy's connections and was not put in as a request, or only once; and what was not refused
    /// although the server took it for something else than the proxy did.
    fn smuggled(&self) -> Vec<&Taken> {
        let is_again =
            |at: usize| self.taken[..at].iter().any(|before| before.seen[0] == self.taken[at].seen[0]);
        let all = self.taken.iter().enumerate();
        let wrong = all.filter(|(at, taken)| {
            let is_own = taken.seen[0].len() == 1 && !is_again(*at);
            !is_own || taken.status != 400 && !taken.is_what_was_sent()
        });
        wrong.map(|(_, taken)| taken).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.taken.iter().filter(|taken| taken.status == 400).count();
        let came = self.taken.len();
        write!(out, "{} sent, {came} came to the server, which refused {refused} of them", self.sent)
    }
}

/// Everything that is unclear, with a hidden request behind what could be the body, and with one within.
fn attacks() -> Vec<String> {
    let bodies = [format!("0\r\n\r\n{HIDDEN}"), format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len())];
    let heads = unclear();
    let of = |body| heads.iter().map(move |head| format!("{head}\r\n\r\n{body}"));
    let all: Vec<String> = bodies.iter().flat_map(of).collect();
    // The same where a body is usual.
    let posts: Vec<String> = all.iter().map(|text| text.replacen("GET", "POST", 1)).collect();
    all.into_iter().chain(posts).collect()
}

/// Whether this holds an answer to another request than the proxy says.
fn is_crossed(text: &str) -> bool {
    text.split("HTTP/1.1 ").any(|answer| {
        let values =
            ["x-taken: ", "x-answered: "].map(|name| Some(answer.split_once(name)?.1.lines().next()));
        values[0].is_some() && values[0] != values[1]
    })
}

/// Sends all of that through a proxy to a server, and something proper after each.
async fn attack(program: &PathBuf, habit: &str, server: SocketAddr, record: &Record) -> Outcome {
    let proxy = Proxy::start(program, server, habit);
    let attacks = attacks();
    let sent = attacks.len();
    let answers = tokio::task::spawn_blocking(move || {
        let (next, told, crossed) = (Mutex::new(attacks.iter()), AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let Some(text) = next.lock().unwrap().next() else { break };
                let proper = HIDDEN.replace("Host", "Connection: close\r\nHost");
                let answers = [proxy.say(text), proxy.say(&proper)];
                told.fetch_add(answers.concat().matches("x-taken: ").count(), Ordering::Relaxed);
                crossed.lock().unwrap().extend(answers.into_iter().filter(|text| is_crossed(text)));
            }
        };
        // A few at a time, so that they do meet on the same connections.
        std::thread::scope(|threads| (0..24).for_each(|_| _ = threads.spawn(work)));
        (told.into_inner(), crossed.into_inner().unwrap())
    });
    let (told, crossed) = answers.await.unwrap();
    Outcome { sent, taken: std::mem::take(&mut record.lock().unwrap()), told, crossed }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_no_request_is_two() {
    let Some(program) = program() else { return };
    let record = Record::default();
    let wrap = |router: Router| router.layer(from_fn_with_state(Arc::clone(&record), note));
    let app = TestApp::start_wrapped(Settings::default(), wrap).await;
    for habit in HABITS {
        let outcome = attack(&program, habit, app.address, &record).await;
        println!("{outcome}; {habit}");
        assert!(outcome.smuggled().is_empty(), "{:#?}", outcome.smuggled());
        assert!(outcome.crossed.is_empty(), "{:#?}", outcome.crossed);
        // The proxy is no wall behind which nothing could be seen.
        assert!(outcome.taken.len().min(outcome.told) > outcome.sent / 2, "{} told, {outcome}", outcome.told);
    }
}

/// A server that believes lengths and knows nothing of chunks.
async fn naive(listener: TcpListener, record: Record) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let record = Arc::clone(&record);
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            while stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
                while let Some((taken, length)) = naively_taken(&bytes) {
                    bytes.drain(..length);
                    record.lock().unwrap().push(taken);
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

/// The first request in there, if it is whole, and how long it is.
fn naively_taken(bytes: &[u8]) -> Option<(Taken, usize)> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        let name: Result<axum::http::HeaderName, _> = name.parse();
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            headers.append(name, value);
        }
    }
    let length =
        headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let body = bytes.get(head.len() + 4..head.len() + 4 + length)?;
    // What is left of chunks is passed over.
    let line = head.lines().find(|line| line.contains(" HTTP/1.")).unwrap_or_default();
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Some((Taken::of(&method, &path, body, &headers), head.len() + 4 + length))
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_server_that_knows_no_chunks_is_noticed_behind_a_proxy() {
    let Some(program) = program() else { return };
    let record = Record::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(naive(listener, Arc::clone(&record)));
    let outcome = attack(&program, HABITS[0], address, &record).await;
    println!("{outcome}");
    // What it takes for a request is what was hidden.
    let is_hidden = |taken: &&&Taken| taken.path == "/healthz" && taken.seen[0].is_empty();
    let hidden = outcome.smuggled().iter().filter(is_hidden).count();
    assert!(hidden > 0, "{outcome}");
}

/// Answers that went to somebody else are noticed.
#[test]
fn control_answers_that_are_crossed_are_noticed() {
    let answer = |taken: &str, answered: &str| format!("HTTP/1.1 200 OK\r\n{taken}{answered}\r\n");
    let of = ["x-taken: a\r\n", "x-answered: a\r\n", "x-answered: b\r\n"];
    assert!(!is_crossed(&answer(of[0], of[1])) && !is_crossed(&answer("", of[1])));
    assert!(is_crossed(&answer(of[0], of[2])));
    assert!(is_crossed(&format!("{}{}", answer(of[0], of[1]), answer(of[0], of[2]))));
}
