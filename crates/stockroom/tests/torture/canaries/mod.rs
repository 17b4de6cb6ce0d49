//! Passwords, tokens, keys and codes in every place of every request, with logs that tell everything: what was secret is
//! found in no log, no answer to anybody, no metric, no file or table of the database and no backup.
//!
//! What a request is named (`X-Request-Id`, `Idempotency-Key`) is no secret: it is there to be found again, and so proves that
//! the look finds what there is.

mod places;
mod secrets;
mod stored;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::place::run;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;
use places::{Operation, PLACES, Request, Spot, operations};
use secrets::{Needles, Secret, mint};

/// Secrets of a plain test run.
const FEW: usize = 50;
/// Fewest places that each secret is put into.
const TRIES: usize = 20;

/// Sends a request and reads all that comes back.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let mut answer = Vec::new();
    // Who is refused early may find the connection closed.
    let _ = connection.write_all(request).and_then(|()| connection.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// What was found, and where.
#[derive(Default)]
struct Found {
    places: BTreeMap<String, usize>,
    requests: usize,
}

impl Found {
    fn look(&mut self, needles: &Needles, place: &str, text: &[u8]) {
        for kind in needles.all_in(text) {
            *self.places.entry(format!("{kind} in {place}")).or_default() += 1;
        }
    }

    /// Looks at everything that the server has left behind.
    fn look_at_all(&mut self, needles: &Needles, place: &Place) {
        let all = stored::everything(place);
        // The hash of each password is there, so the look has seen where the others would be.
        assert!(all.iter().any(|(_, text)| text.windows(9).any(|part| part == b"$argon2id")));
        for (name, text) in all {
            // These hand the code out.
            if name != "greeting" && name != "data/setup-code" {
                self.look(needles, &name, &text);
            }
        }
    }
}

/// Puts the secrets into places, each into some and all of them into all.
///
/// In each round through all of them half are asked by the administrator, and in the next, or in a session of another
/// `turn`, the other half.
fn spread(
    server: &Server,
    secrets: &[Secret],
    admin: &str,
    (needles, turn): (&Needles, usize),
    found: &mut Found,
) {
    let operations = operations();
    let combinations = operations.len() * PLACES.len();
    let tries = TRIES.max(combinations.div_ceil(secrets.len()));
    let mut at = 0;
    for secret in secrets {
        for _ in 0..tries {
            let (operation, place) =
                (&operations[at / PLACES.len() % operations.len()], PLACES[at % PLACES.len()]);
            let half = at / PLACES.len() + at % PLACES.len() + at / combinations + turn;
            let admin = (half % 2 == 1).then_some(admin);
            at += 1;
            let request = Request { operation, place, secret: &secret.text, admin, number: at };
            let answer = exchange(server.address, &request.bytes());
            let status = answer.split(' ').nth(1).unwrap_or_default();
            let told =
                format!("the answer {status} of {} {} to one in {place:?}", operation.method, operation.path);
            assert!(!status.starts_with('5'), "{told}: {answer}");
            if is_told_back(operation, place, status) {
                assert!(answer.contains("cache-control: no-store"), "{told}: {answer}");
            } else {
                found.look(needles, &told, answer.as_bytes());
            }
            found.requests += 1;
        }
    }
    let metrics =
        exchange(server.address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(metrics.contains("# EOF"), "{metrics}");
    found.look(needles, "metrics", metrics.as_bytes());
}

/// Whether the answer may hold what its own request held: a name that nobody knows is told, and the façades repeat what
/// they refuse, as their contracts have it. Neither where passwords and tokens are expected.
fn is_told_back(operation: &Operation, place: Spot, status: &str) -> bool {
    let repeats =
        matches!(place, Spot::Path | Spot::BehindThePath | Spot::WrongField | Spot::Text | Spot::Form);
    let is_facade = operation.path.starts_with("/compat/");
    place == Spot::Name || is_facade && repeats && status == "422" && !operation.takes_secrets()
}

/// A server that logs like this, so many secrets, and what is found of them.
fn session(format: &str, turn: usize, count: usize) -> Found {
    let mut found = Found::default();
    let secret = secrets::random("server-secret");
    let place = Place::with_shop().variable("STOCKROOM_SECRET", &secret.text);
    let flags = ["--log-format", format, "--log-level", "trace", "--login-attempts-per-account", "0"];
    let server = Server::start(&place, &[&flags[..], &["--login-attempts-per-source", "0"]].concat());
    let code = Secret::of("setup code", place.read("data/setup-code").trim());
    let (admin, mut secrets) = mint(&place, &server, count - 2);
    secrets.extend([secret, code]);
    let needles = Needles::of(&secrets);
    spread(&server, &secrets, &admin, (&needles, turn), &mut found);
    if place.is_embedded() {
        found.look(&needles, "what backup says", place.run(&["backup", "copy.db"]).succeeded().as_bytes());
    }
    found.look(&needles, "what config says", place.run(&["config"]).succeeded().as_bytes());
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    found.look_at_all(&needles, &place);
    let log = place.read(Server::LOG);
    // But of those that are no requests at all, and of those whose operation was refused before it began.
    let told = log.matches("answered").count();
    assert!(told > found.requests * 4 / 5, "{told} of {} requests are told of", found.requests);
    assert!(log.contains("named-request-1"), "what was named so that it is found");
    // The control: a line with one of them is found.
    for one in secrets.iter().take(FEW) {
        let line = format!("DEBUG login{{password={}}}", one.text);
        assert_eq!(needles.all_in(line.as_bytes()), [one.kind]);
    }
    // And one that is stored, however the database does that.
    let leak = format!("UPDATE users SET full_name = '{}' WHERE id = 1", secrets[1].text);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&place.database_url(), &[&leak]));
    let mut leaked = Found::default();
    leaked.look_at_all(&needles, &place);
    assert!(!leaked.places.is_empty(), "a secret that was stored went unnoticed");
    found
}

#[test]
fn no_secret_is_told_to_anybody() {
    let count = rounds(FEW);
    let (mut places, mut requests) = (BTreeMap::new(), 0);
    for (turn, format) in ["text", "json"].into_iter().enumerate() {
        let found = session(format, turn, count / 2);
        places.extend(found.places);
        requests += found.requests;
    }
    assert!(places.is_empty(), "{places:#?}");
    println!("torture canaries: {count} secrets, {requests} requests, 0 found");
}

/// The address of a database holds a password, of which nothing is said when it cannot be reached or read.
#[test]
fn the_address_of_a_database_is_told_without_its_password() {
    for scheme in ["postgres", "mysql"] {
        for (tail, commands) in [
            ("127.0.0.1:1/shop", &["config", "migrate"][..]),
            ("127.0.0.1:1/shop?sslmode=nonsense", &["config", "verify"]),
            ("127.0.0.1:x/shop", &["config", "verify"]),
            ("127.0.0.1", &["config", "verify"]),
            ("/a/b?c", &["config", "verify"]),
        ] {
            let secret = secrets::random("database password");
            let needles = Needles::of(std::slice::from_ref(&secret));
            let url = format!("{scheme}://shop:{}@{tail}", secret.text);
            let place = Place::new().variable("STOCKROOM_DATABASE_URL", &url);
            for (command, format) in commands.iter().zip(["text", "json"]) {
                let ran = place.run(&[command, "--log-level", "trace", "--log-format", format]);
                let told = format!("{}{}", ran.answer, ran.errors);
                assert!(needles.all_in(told.as_bytes()).is_empty(), "{command} {url}: {told}");
                assert!(!told.is_empty(), "{command} {url}");
            }
            assert_eq!(needles.all_in(url.as_bytes()), [secret.kind], "the control");
        }
    }
}
