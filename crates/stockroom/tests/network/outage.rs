//! The database stops, dies and hangs under load; Stockroom tells its callers in time, goes on by itself, and has lost
//! and doubled nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::callers::{OPENING, furnish, look, the_audit_would_have_noticed};
use crate::history::{Ask, audit};
use crate::http::Client;
use crate::server::Server;
use crate::shopper::{Answers, Marks, Shopper, answers_of, history_of};
use crate::site::{Site, WAIT_SECONDS, own_database};

const WAIT: Duration = Duration::from_secs(WAIT_SECONDS);
/// What an answer may take longer than the wait: whoever has waited for the account of its caller waits anew for its
/// turn, and a machine may be busy.
const MARGIN: Duration = Duration::from_secs(8);
const SHOPPERS: u64 = 8;
/// How long the load goes on after the database has come back.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// What was seen while the database was away.
#[derive(Debug, Default)]
struct Seen {
    writes: Answers,
    reads: Answers,
    health: Answers,
    /// Answers of `/readyz`, in order, each other than the one before.
    ready: Vec<u16>,
}

/// A working server, its callers and its database.
struct Scene {
    server: Server,
    token: String,
    marks: Marks,
    shoppers: Vec<Shopper>,
    database: testbed::Server,
}

fn read(address: SocketAddr, token: &str, is_over: &AtomicBool) -> Answers {
    let paths =
        ["/api/v1/products/1", "/api/v1/orders?limit=5", "/api/v1/events?limit=5", "/api/v1/orders/1"];
    Answers::of_reads(&mut Client::new(address).with_token(token), paths, is_over)
}

fn watch_health(address: SocketAddr, is_over: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    while !is_over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = Client::new(address).send("GET", "/healthz", None, None).ok();
        answers.note("/healthz", answer.as_ref(), asked.elapsed());
        sleep(Duration::from_millis(50));
    }
    answers
}

fn watch_readiness(address: SocketAddr, is_over: &AtomicBool) -> Vec<u16> {
    let mut ready = Vec::new();
    let mut client = Client::new(address);
    while !is_over.load(Ordering::Relaxed) {
        ready.push(client.call("GET", "/readyz", None).status);
        sleep(Duration::from_millis(20));
    }
    ready.dedup();
    ready
}

impl Scene {
    /// Does something to the database while there is load, and looks at how that was taken.
    fn disturb(&mut self, what: &str, disturbance: impl FnOnce(&mut testbed::Server)) -> Seen {
        let (address, is_over) = (self.server.address, AtomicBool::new(false));
        let (marks, token, is_over) = (&self.marks, &self.token, &is_over);
        let mut seen = Seen::default();
        scope(|threads| {
            for shopper in &mut self.shoppers {
                shopper.answers = Answers::default();
                threads.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        shopper.act(marks);
                    }
                });
            }
            let readers = [(); 2].map(|()| threads.spawn(move || read(address, token, is_over)));
            let health = threads.spawn(move || watch_health(address, is_over));
            let ready = threads.spawn(move || watch_readiness(address, is_over));
            sleep(Duration::from_millis(300));
            disturbance(&mut self.database);
            sleep(AFTERWARDS);
            is_over.store(true, Ordering::Relaxed);
            readers.into_iter().for_each(|reader| seen.reads.add(&reader.join().unwrap()));
            (seen.health, seen.ready) = (health.join().unwrap(), ready.join().unwrap());
        });
        seen.writes = answers_of(&self.shoppers);
        println!("{what}: {seen:?}");
        self.check(what, &seen);
        seen
    }

    /// What must be so after every disturbance.
    fn check(&mut self, what: &str, seen: &Seen) {
        for answers in [&seen.writes, &seen.reads, &seen.health] {
            assert_eq!((answers.wrong.as_slice(), answers.count(0)), (&[][..], 0), "{what}: {seen:?}");
            assert!(answers.longest < WAIT + MARGIN, "{what}: {seen:?}");
        }
        assert_eq!(seen.health.counts.keys().collect::<Vec<_>>(), [&200], "{what}: {seen:?}");
        assert_eq!(seen.reads.count(504), 0, "{what}: {seen:?}");
        assert_eq!(seen.ready.last(), Some(&200), "{what}: {seen:?}");
        let history = history_of(&self.shoppers);
        let found = look(&mut self.server.client().with_token(&self.token));
        let findings = audit(&history, &found, OPENING);
        assert!(findings.is_empty(), "{what}: {findings:#?}");
    }
}

/// What must be so when the database was away for longer than anybody waits.
fn check_refusals(what: &str, seen: &Seen) {
    assert!(seen.writes.count(503) + seen.writes.count(504) > 0, "{what}: {seen:?}");
    assert!(seen.reads.count(503) > 0, "{what}: {seen:?}");
    assert!(seen.ready.contains(&503), "{what}: {seen:?}");
}

#[test]
fn a_database_may_stop_die_and_hang() {
    let database = own_database();
    let site = Site::on(&database);
    let place = site.impatient_place();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let shoppers = Shopper::crowd(SHOPPERS, &[server.address], &token);
    let mut scene = Scene { server, token, marks: Marks::default(), shoppers, database };

    // So that there is an order to be read.
    scene.shoppers[0].act(&scene.marks);
    while scene.shoppers[0].sent.iter().all(|sent| !matches!(sent.ask, Ask::Place(_))) {
        scene.shoppers[0].act(&scene.marks);
    }
    scene.disturb("stopped and started", |database| {
        for _ in 0..3 {
            database.stop().unwrap();
            database.start_again().unwrap();
            sleep(Duration::from_millis(300));
        }
    });
    let seen = scene.disturb("stopped for long", |database| {
        database.stop().unwrap();
        sleep(WAIT * 2);
        database.start_again().unwrap();
    });
    check_refusals("stopped for long", &seen);
    scene.disturb("killed", |database| {
        for _ in 0..2 {
            database.kill().unwrap();
            database.start_again().unwrap();
            sleep(Duration::from_millis(300));
        }
    });
    let seen = scene.disturb("hung", |database| {
        database.pause().unwrap();
        sleep(WAIT * 2);
        database.resume().unwrap();
    });
    check_refusals("hung", &seen);
    place.run(&["verify"]).succeeded();
    let found = look(&mut scene.server.client().with_token(&scene.token));
    the_audit_would_have_noticed(&history_of(&scene.shoppers), &found);
    // All of that without a word of a fault of our own.
    let log = place.read(Server::LOG);
    assert!(!log.contains("panic"), "{log}");
    assert_eq!(scene.server.stop(), 0);
}
