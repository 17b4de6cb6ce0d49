//! A crowd that wants one product whose row is held by somebody who is no server of ours: a report that was forgotten, a
//! colleague at a console.
//!
//! All orders go through one connection, so that is all that can wait for the row. The writes of others wait with it; what
//! must not happen is that anybody waits for longer than was promised, or that reads find no connection left.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use store::driver::{Database, Options};
use testbed::Kind;

use crate::callers::{furnish, look};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;
use crate::shopper::Answers;
use crate::site::{Site, WAIT_SECONDS, kind};

/// Who orders the product that is held, and some who order another one.
const CROWD: usize = 64;
const OTHERS: usize = 4;
/// For so long that everybody is told to come again meanwhile.
const HELD: Duration = Duration::from_secs(4 * WAIT_SECONDS);
/// Sessions that may wait for the row: the writer's, and those that it has given up and of which the database has not
/// noticed that yet.
const MOST_WAITERS: i64 = 4;
/// How long all go on after it was let go.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Counts who waits for a session, or for one of those who do.
fn waiters() -> &'static str {
    match kind() {
        Kind::Postgres => {
            "WITH RECURSIVE w(pid) AS (SELECT pg_backend_pid() UNION SELECT l.pid FROM pg_locks l \
             JOIN w ON w.pid = ANY(pg_blocking_pids(l.pid)) WHERE NOT l.granted) SELECT COUNT(*) - 1 FROM w"
        }
        Kind::MariaDb => {
            "WITH RECURSIVE w(id) AS (SELECT t.trx_id FROM information_schema.innodb_trx t \
             WHERE t.trx_mysql_thread_id = CONNECTION_ID() UNION SELECT l.requesting_trx_id \
             FROM information_schema.innodb_lock_waits l JOIN w ON l.blocking_trx_id = w.id) SELECT COUNT(*) - 1 FROM w"
        }
    }
}

/// Holds the stock of the first product from the moment at which `begun` is reached by all. Answers how many sessions
/// waited for it at most.
fn hold(url: &str, begun: &Barrier, ended: &AtomicBool) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(url, Options::default()).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        let lock = "SELECT s.product_id FROM stock_levels s WHERE s.product_id = 1 {for update}";
        assert_eq!(transaction.query_dynamic(lock, &[]).await.unwrap().len(), 1);
        begun.wait();
        let (began, mut most) = (Instant::now(), 0);
        while began.elapsed() < HELD {
            let count = transaction.query_dynamic(waiters(), &[]).await.unwrap()[0].int(0).unwrap();
            most = most.max(count);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ended.store(true, Ordering::SeqCst);
        transaction.rollback().await.unwrap();
        most
    })
}

/// When it is over.
#[derive(Default)]
struct Times {
    /// Nobody holds the row any more.
    let_go: AtomicBool,
    /// Whoever has an order may leave.
    over: AtomicBool,
}

/// How one who orders was answered while the row was held and afterwards, and how many orders they have.
#[derive(Debug, Default, Clone)]
struct Told {
    meanwhile: Answers,
    afterwards: Answers,
    orders: usize,
}

/// Orders one piece after the other until there is one after the end. What was refused is not asked for again.
fn order(client: &mut Client, who: usize, times: &Times) -> Told {
    let product = if who < CROWD { 1 } else { 2 };
    let body = json!({"items": [{"product_id": product, "quantity": 1}]});
    let (mut told, mut number) = (Told::default(), 0);
    loop {
        let (key, asked) = (format!("{who}-{number}"), Instant::now());
        let answer = client.send("POST", "/api/v1/orders", Some(&key), Some(&body)).ok();
        let answers =
            if times.let_go.load(Ordering::SeqCst) { &mut told.afterwards } else { &mut told.meanwhile };
        answers.note("an order", answer.as_ref(), asked.elapsed());
        match answer.map(|answer| answer.status) {
            Some(201) => {
                told.orders += 1;
                number += 1;
                if times.over.load(Ordering::SeqCst) {
                    return told;
                }
            }
            Some(503) => number += 1,
            // Not known, so asked again under the same key.
            _ => sleep(Duration::from_millis(20)),
        }
    }
}

/// What is read while the row is held.
const READS: [&str; 4] = ["/api/v1/products/1", "/api/v1/products/2", "/api/v1/orders?limit=5", "/readyz"];

/// What came of it.
#[derive(Clone)]
struct Seen {
    told: Vec<Told>,
    reads: Answers,
    /// Most sessions of the database that waited for the row at once.
    waiters: i64,
    /// Orders that there are.
    found: usize,
}

/// Lets the crowd loose while the row is held.
fn scene(site: &Site, place: &Place) -> Seen {
    let token = furnish(place, &[]);
    // Were a connection taken by each who waits, there would soon be none.
    let server = Server::start(place, &["--database-connections", "2"]);
    let client = || server.client().with_token(&token);
    let (begun, times) = (Barrier::new(2), Times::default());
    let (told, reads, waiters) = scope(|threads| {
        let holder = threads.spawn(|| hold(site.url(), &begun, &times.let_go));
        begun.wait();
        let (client, times) = (&client, &times);
        let callers: Vec<_> =
            (0..CROWD + OTHERS).map(|who| threads.spawn(move || order(&mut client(), who, times))).collect();
        let reads = Answers::of_reads(&mut client(), READS, &times.let_go);
        sleep(AFTERWARDS);
        times.over.store(true, Ordering::SeqCst);
        let told: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        (told, reads, holder.join().unwrap())
    });
    let found = look(&mut client()).orders.len();
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    Seen { told, reads, waiters, found }
}

/// What should not be so. That everybody has an order in the end is what ended the scene.
fn judge(seen: &Seen) -> Vec<String> {
    let mut findings = Vec::new();
    for (who, told) in seen.told.iter().enumerate() {
        if told.meanwhile.count(503) + told.meanwhile.count(504) == 0 {
            findings.push(format!("caller {who} was told nothing while the row was held: {told:?}"));
        }
        for answers in [&told.meanwhile, &told.afterwards] {
            if !answers.wrong.is_empty() || answers.count(0) > 0 {
                findings.push(format!("caller {who} was told what nobody should be: {answers:?}"));
            }
        }
        if who < CROWD && told.meanwhile.count(201) > 0 {
            findings.push(format!("caller {who} got what was held: {told:?}"));
        }
    }
    if seen.reads.counts.keys().ne([&200]) || seen.reads.count(200) < 20 {
        findings.push(format!("reads were kept from what they need: {:?}", seen.reads));
    }
    if seen.waiters > MOST_WAITERS {
        findings.push(format!("{} sessions waited for the row", seen.waiters));
    }
    let orders: usize = seen.told.iter().map(|told| told.orders).sum();
    if orders != seen.found {
        findings.push(format!("{orders} orders were answered, and {} are there", seen.found));
    }
    findings
}

#[test]
fn a_crowd_for_one_row_that_is_held_takes_nothing_from_readers() {
    let site = Site::new();
    let seen = scene(&site, &site.impatient_place());
    let (mut meanwhile, mut afterwards) = (Answers::default(), Answers::default());
    for told in &seen.told {
        meanwhile.add(&told.meanwhile);
        afterwards.add(&told.afterwards);
    }
    println!(
        "orders {meanwhile:?}, afterwards {afterwards:?}; reads {:?}; {} waited",
        seen.reads, seen.waiters
    );
    assert_eq!(judge(&seen), Vec::<String>::new());

    // The same look finds orders that came of what was refused, sessions that pile up, and reads that were turned away.
    let control = |what: &str, change: fn(&mut Seen)| {
        let mut wrong = seen.clone();
        change(&mut wrong);
        assert_eq!(judge(&wrong).len(), 1, "{what} went unnoticed");
    };
    control("a ghost", |seen| seen.found += 1);
    control("a pile", |seen| seen.waiters = i64::try_from(CROWD).unwrap());
    control("a refusal", |seen| *seen.reads.counts.entry(503).or_default() += 1);
}

/// A server that waits for the row as long as it takes is noticed: its callers are told nothing.
#[test]
fn a_server_that_waits_for_ever_is_noticed() {
    let site = Site::new();
    let mut place = site.place();
    for (name, seconds) in
        [("DATABASE_LOCK_TIMEOUT", "60"), ("DATABASE_WAIT", "60"), ("REQUEST_TIMEOUT", "100")]
    {
        place = place.variable(&format!("STOCKROOM_{name}_SECONDS"), seconds);
    }
    let findings = judge(&scene(&site, &place));
    let untold = findings.iter().filter(|finding| finding.contains("was told nothing")).count();
    assert_eq!(untold, CROWD + OTHERS, "{findings:#?}");
}
