//! A slow disk: what does not fit is refused at once, so that who is let in has few before them; reads go on, and nothing
//! is lost or doubled.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use super::trace::{Effect, Fault, let_go, strace, under};
use crate::callers::{OPENING, furnish, look};
use crate::history::{Ask, Sent, audit};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// Of each sync.
const SLOW: Fault = Fault { call: "fsync,fdatasync", effect: Effect::Delay(200_000), nth: 1, for_good: true };

/// Commands in one transaction, and how many may wait for the next one.
const BATCH: usize = 8;
const QUEUE: usize = 8;

/// Many more than fit, and how many orders each of them places.
const CALLERS: usize = 64;
const ORDERS: usize = 2;

/// A pause that is shorter than callers are asked for.
const PAUSE: Duration = Duration::from_millis(50);

/// What callers know of each other: how many orders somebody was told of, and the highest number among them.
#[derive(Default)]
struct Told {
    orders: AtomicUsize,
    highest: AtomicI64,
}

/// What came of it.
#[derive(Default)]
struct Crowd {
    history: Vec<Sent>,
    /// For each order how many others went first, of which nobody knew when it was asked for.
    before: Vec<usize>,
    /// Refusals, and those of them that waited for no sync: nobody was told of an order meanwhile.
    refused: usize,
    refused_at_once: usize,
    /// The same about reads.
    reads: usize,
    reads_at_once: usize,
    /// Answers that should not be.
    wrong: Vec<String>,
}

impl Crowd {
    /// What there is to say against the server.
    fn findings(&self) -> Vec<String> {
        let mut findings = self.wrong.clone();
        if self.refused == 0 {
            findings.push("nobody was refused".to_owned());
        }
        // Of half of them, for somebody may get the processor late. There is one batch that is being written, one that is
        // being answered, and the queue.
        let mut before = self.before.clone();
        before.sort_unstable();
        let middle = before[before.len() / 2];
        if middle > 2 * BATCH + QUEUE {
            findings.push(format!("half of them had {middle} or more before them"));
        }
        if 2 * self.refused_at_once < self.refused {
            findings.push(format!("only {} of {} refused at once", self.refused_at_once, self.refused));
        }
        if 2 * self.reads_at_once < self.reads || self.reads == 0 {
            findings.push(format!("only {} of {} read at once", self.reads_at_once, self.reads));
        }
        findings
    }
}

/// One caller's orders, each asked for until it is there.
fn place_orders(client: &mut Client, marks: &AtomicI64, told: &Told, crowd: &Mutex<Crowd>) {
    for _ in 0..ORDERS {
        let mark = marks.fetch_add(1, Ordering::Relaxed);
        let mut sent = Sent { key: format!("key-{mark}"), ask: Ask::Place(vec![(1, mark)]), done: None };
        let (path, body) = sent.ask.request();
        while sent.done.is_none() {
            let known = (told.orders.load(Ordering::SeqCst), told.highest.load(Ordering::SeqCst));
            let answer = client.call_with_key("POST", &path, &sent.key, body.as_ref());
            if answer.status == 201 {
                let done = answer.expect(201);
                let id = done["order_id"].as_i64().unwrap();
                told.orders.fetch_add(1, Ordering::SeqCst);
                told.highest.fetch_max(id, Ordering::SeqCst);
                crowd.lock().unwrap().before.push(usize::try_from(id - known.1 - 1).unwrap());
                sent.done = Some(done);
                continue;
            }
            let mut crowd = crowd.lock().unwrap();
            crowd.refused += 1;
            crowd.refused_at_once += usize::from(told.orders.load(Ordering::SeqCst) == known.0);
            let is_right = answer.status == 503 && answer.text.contains("OVERLOADED");
            if !is_right || answer.retry_after.is_none() {
                crowd.wrong.push(format!("{answer:?}"));
            }
            drop(crowd);
            sleep(PAUSE);
        }
        crowd.lock().unwrap().history.push(sent);
    }
}

/// Reads what is not answered from memory, until the orders are there.
fn read_on(client: &mut Client, told: &Told, crowd: &Mutex<Crowd>, is_over: &AtomicBool) {
    for path in ["/api/v1/orders?limit=5", "/api/v1/products"].iter().cycle() {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let known = told.orders.load(Ordering::SeqCst);
        let answer = client.send_with("GET", path, &[("Cache-Control", "no-cache")], None).unwrap();
        let mut crowd = crowd.lock().unwrap();
        crowd.reads += 1;
        crowd.reads_at_once += usize::from(told.orders.load(Ordering::SeqCst) == known);
        if answer.status != 200 {
            crowd.wrong.push(format!("{answer:?}"));
        }
        drop(crowd);
        sleep(PAUSE);
    }
}

/// Ends the reading, also when a caller panics.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sends all callers to a server.
fn crowd_in(server: &Server, token: &str, marks: &AtomicI64) -> Crowd {
    let (told, crowd, is_over) = (Told::default(), Mutex::default(), AtomicBool::new(false));
    let client = || server.client().with_token(token);
    let placed = client().get("/api/v1/orders?limit=1&sort=-id");
    told.highest.store(placed["orders"][0]["order_id"].as_i64().unwrap_or(0), Ordering::SeqCst);
    scope(|threads| {
        let _end = End(&is_over);
        threads.spawn(|| read_on(&mut client(), &told, &crowd, &is_over));
        scope(|callers| {
            for _ in 0..CALLERS {
                callers.spawn(|| place_orders(&mut client(), marks, &told, &crowd));
            }
        });
    });
    crowd.into_inner().unwrap()
}

/// A shop on a slow disk that becomes quick again in the end; what came of the slow time.
fn look_at(strace: &Path, queue_limit: &str) -> Crowd {
    let place = Place::new();
    let token = furnish(&place, &[]);
    let flags = ["--max-batch", &BATCH.to_string(), "--queue-limit", queue_limit];
    let command = place.command(&Server::arguments(&flags));
    let server = Server::start_by(&place, under(strace, &place, &command, SLOW)).unwrap();
    let marks = AtomicI64::new(1);
    let crowd = crowd_in(&server, &token, &marks);
    println!(
        "queue of {queue_limit}: {} orders, {} of {} refused at once, {} of {} read at once, {:?}",
        crowd.history.len(),
        crowd.refused_at_once,
        crowd.refused,
        crowd.reads_at_once,
        crowd.reads,
        crowd.findings(),
    );
    let_go(&server);
    let mut client = server.client().with_token(&token);
    let after = crowd_in(&server, &token, &marks);
    assert_eq!(after.wrong, Vec::<String>::new());
    let history: Vec<Sent> = crowd.history.iter().chain(&after.history).cloned().collect();
    assert_eq!(history.len(), 2 * CALLERS * ORDERS);
    assert_eq!(audit(&history, &look(&mut client), OPENING), Vec::<String>::new());
    client.get("/readyz");
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    crowd
}

#[test]
fn what_does_not_fit_on_a_slow_disk_is_refused_at_once() {
    let Some(strace) = strace() else { return };
    let crowd = look_at(&strace, &QUEUE.to_string());
    assert_eq!(crowd.findings(), Vec::<String>::new());
}

/// The control: a server that lets everybody wait.
#[test]
fn a_server_where_everybody_may_wait_is_noticed() {
    let Some(strace) = strace() else { return };
    let findings = look_at(&strace, "1000000").findings();
    let has = |words: &str| findings.iter().any(|finding| finding.contains(words));
    assert!(has("nobody was refused") && has("or more before them"), "{findings:?}");
}
