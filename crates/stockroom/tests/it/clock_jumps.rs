//! A wall clock that is set forwards and backwards by days while a server runs: nobody is kept waiting or turned away by it,
//! nothing is done twice, and what ends by the clock ends once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::callers::{Caller, OPENING, PASSWORD, check, furnish, look};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// Where Debian keeps the library; the system's loader knows what to put for `$LIB`.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

const DAY: i64 = 24 * 60 * 60;

/// How wrong the clock is, one after the other, in seconds.
const JUMPS: [i64; 7] = [DAY + 60, -DAY, 0, 2 * DAY, -2 * DAY, DAY + 60, 0];

const CALLERS: u64 = 3;

/// How long to wait for what the server does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clock of all programs of a place.
struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A place with a clock that can be set; `None` with a message where that cannot be had. With `all`, the clock that
    /// measures how long something takes jumps too, as no clock of a system does.
    fn with_place(all: bool) -> Option<(Place, Self)> {
        let place = Place::with_shop();
        let clock = Self { file: place.path().join("clock") };
        let place = place
            .variable("LD_PRELOAD", LIBRARY)
            .variable("FAKETIME_TIMESTAMP_FILE", clock.file.to_str().unwrap())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("NO_FAKE_STAT", "1")
            .variable("DONT_FAKE_MONOTONIC", if all { "0" } else { "1" });
        let seconds = |ahead: i64| {
            clock.set(ahead);
            let mut date = Command::new("date");
            date.envs(place.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
            let output = date.arg("+%s").output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
        };
        if seconds(10 * DAY) - seconds(0) > 9 * DAY {
            return Some((place, clock));
        }
        let advice = "a clock that jumps needs the Debian package faketime";
        assert!(std::env::var_os("CI").is_none(), "{advice}");
        println!("left out: {advice}");
        None
    }

    /// Sets it so many seconds ahead of the right time, at once and for all programs.
    fn set(&self, ahead: i64) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{ahead:+}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// Lets callers work while the clock jumps; gives them, and what they should not have met. An order from before all that is
/// repeated again and again.
fn work_while_it_jumps(server: Server, clock: &Clock) -> (Vec<Caller>, Vec<String>) {
    let mut callers: Vec<Caller> = (1..=CALLERS).map(|nth| Caller::new(nth * 2 + 1).patient()).collect();
    let (marks, turned_away, is_over) = (AtomicI64::new(10), AtomicUsize::new(0), AtomicBool::new(false));
    let address = server.address;
    let mut findings = Vec::new();
    let order = json!({"items": [{"product_id": 1, "quantity": 1}]});
    let mut client = server.client();
    client.call_with_key("POST", "/api/v1/orders", "before", Some(&order)).expect(201);
    scope(|threads| {
        for caller in &mut callers {
            threads.spawn(|| {
                caller.work(&mut Client::new(address), &marks);
                // Also one that is answered 408, 503 or 504 stops.
                if !is_over.load(Ordering::SeqCst) {
                    turned_away.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for ahead in JUMPS {
            clock.set(ahead);
            sleep(Duration::from_millis(150));
            match client.send("POST", "/api/v1/orders", Some("before"), Some(&order)) {
                Ok(answer) if answer.is_replayed => {}
                other => findings.push(format!("repeated {ahead} seconds ahead: {other:?}")),
            }
            if turned_away.load(Ordering::SeqCst) > 0 {
                findings.push(format!("a caller was turned away {ahead} seconds ahead"));
            }
            if !findings.is_empty() {
                break;
            }
        }
        is_over.store(true, Ordering::SeqCst);
        kill(server);
    });
    clock.set(0);
    (callers, findings)
}

/// Ends a server at once, and removes what the library leaves behind then.
fn kill(server: Server) {
    let pid = server.pid();
    server.kill();
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        // Where it is not, the library had no need of it.
        let _ = std::fs::remove_file(format!("/dev/shm/{name}{pid}"));
    }
}

/// All events, as they are numbered, by their times to the second.
fn times_of_events(client: &mut Client) -> Vec<String> {
    let (mut times, mut last) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/api/v1/events?after={last}&limit=1000"));
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            return times;
        }
        for event in events {
            assert_eq!(event["id"], last + 1);
            last += 1;
            times.push(event["at"].as_str().unwrap()[..19].to_owned());
        }
    }
}

const ANYBODY: [&str; 2] = ["--anonymous-role", "staff"];

#[test]
fn orders_go_on_and_none_is_doubled_when_the_clock_jumps() {
    let Some((place, clock)) = Clock::with_place(false) else { return };
    furnish(&place, &[]);
    let (mut callers, findings) = work_while_it_jumps(Server::start(&place, &ANYBODY), &clock);
    assert_eq!(findings, Vec::<String>::new());
    let server = Server::start(&place, &ANYBODY);
    let mut client = server.client();
    let found = |client: &mut Client| {
        let mut found = look(client);
        // The one that was repeated; its callers know nothing of it.
        let before = found.orders.iter().filter(|order| order.lines[0].1 == 1).count();
        assert_eq!(before, 1);
        found.orders.retain(|order| order.lines[0].1 != 1);
        found.stock.get_mut(&1).unwrap().1 -= 1;
        found
    };
    check(&callers, &found(&mut client), "before repeating");
    callers.iter_mut().for_each(|caller| caller.repeat(&mut client));
    check(&callers, &found(&mut client), "after repeating");
    let times = times_of_events(&mut client);
    let back = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    println!("{} events, {back} times set back", times.len());
    // As often as among the jumps.
    assert!(back >= 3, "the clock did not jump");
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
}

/// The control: a server whose timers believe the clock. It is one that lets the clock of its timers jump.
#[test]
fn a_server_whose_timers_jump_is_noticed() {
    let Some((place, clock)) = Clock::with_place(true) else { return };
    furnish(&place, &[]);
    let (_, findings) = work_while_it_jumps(Server::start(&place, &ANYBODY), &clock);
    println!("{findings:?}");
    assert!(!findings.is_empty());
}

#[test]
fn tokens_end_by_the_clock_and_are_not_good_before_their_time() {
    let Some((place, clock)) = Clock::with_place(false) else { return };
    furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let status = |token: &str| {
        let mut client = server.client().with_token(token);
        client.call("GET", "/api/v1/auth/me", None).status
    };
    // Each was made when the clock was so far ahead; it is good for an hour.
    let made_at = [0, DAY, -DAY, 2 * DAY];
    let mut tokens = Vec::new();
    for ahead in made_at {
        clock.set(ahead);
        tokens.push(server.token("ann", PASSWORD));
        let good: Vec<bool> = tokens.iter().map(|token| status(token) == 200).collect();
        let wanted: Vec<bool> = made_at[..tokens.len()].iter().map(|made| *made == ahead).collect();
        assert_eq!(good, wanted, "{ahead} seconds ahead");
    }
    clock.set(0);
    let all: Vec<u16> = tokens.iter().map(|token| status(token)).collect();
    assert_eq!(all, [200, 401, 401, 401]);
    // Clocks of servers may be a little apart.
    clock.set(-3);
    assert_eq!(status(&tokens[0]), 200);
    assert_eq!(server.stop(), 0);
}

#[test]
fn whoever_guesses_waits_as_long_as_ever_when_the_clock_jumps() {
    let Some((place, clock)) = Clock::with_place(false) else { return };
    furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let log_in = |password: &str| {
        let body = json!({"username": "ann", "password": password});
        server.client().call("POST", "/api/v1/auth/login", Some(&body))
    };
    for ahead in [0, -DAY, DAY] {
        clock.set(ahead);
        let waits = (0..20).find_map(|_| log_in("wrong horse battery").retry_after);
        assert!(waits.is_some_and(|seconds| seconds <= 60), "{waits:?} {ahead} seconds ahead");
    }
    clock.set(-DAY);
    let patience = Instant::now() + 2 * PATIENCE;
    loop {
        let answer = log_in(PASSWORD);
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 429, "{}", answer.text);
        assert!(Instant::now() < patience, "{answer:?}");
        sleep(Duration::from_secs(1));
    }
    assert_eq!(server.stop(), 0);
}

/// What there is of an order, in a shop where its product is in no other.
fn seen(client: &mut Client, id: i64) -> (Value, usize, Value) {
    let timeline = client.get(&format!("/api/v1/orders/{id}/timeline"));
    let events = timeline["events"].as_array().unwrap().len();
    let allocated = client.get("/api/v1/products/1")["allocated"].clone();
    (client.get(&format!("/api/v1/orders/{id}"))["status"].clone(), events, allocated)
}

#[test]
fn orders_expire_by_the_clock_and_once() {
    let Some((place, clock)) = Clock::with_place(false) else { return };
    furnish(&place, &[]);
    let server = Server::start(&place, &["--pending-order-minutes", "60", ANYBODY[0], ANYBODY[1]]);
    let mut client = server.client();
    let order = json!({"items": [{"product_id": 1, "quantity": 3}]});
    for (id, (placed_at, expires_at)) in (1..).zip([(0, DAY), (-DAY, 0), (-2 * DAY, 2 * DAY)]) {
        clock.set(placed_at);
        let placed = client.call("POST", "/api/v1/orders", Some(&order)).expect(201);
        assert_eq!(placed["order_id"], id);
        assert_eq!(seen(&mut client, id), (json!("pending"), 1, json!(3)));
        clock.set(expires_at);
        let patience = Instant::now() + PATIENCE;
        while seen(&mut client, id).0 == "pending" {
            assert!(Instant::now() < patience, "the order is not swept away");
            sleep(Duration::from_millis(20));
        }
        let expired = seen(&mut client, id);
        assert_eq!(expired, (json!("cancelled"), 2, json!(0)));
        // Neither does it come back with the time, nor expire again.
        for ahead in [placed_at, expires_at + DAY, 0] {
            clock.set(ahead);
            let confirm = format!("/api/v1/orders/{id}/confirm");
            assert_eq!(client.call("POST", &confirm, None).status, 409);
            assert_eq!(seen(&mut client, id), expired);
        }
    }
    assert_eq!(client.get("/api/v1/products/1")["on_hand"], OPENING);
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
}
