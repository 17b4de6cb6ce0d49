//! One of two servers dies or hangs in the middle of its work, and the other goes on.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use store::driver::{Database, Options};

use crate::callers::{OPENING, furnish, look, the_audit_would_have_noticed};
use crate::history::audit;
use crate::program::Place;
use crate::server::Server;
use crate::shopper::{Marks, Shopper, answers_of, history_of};
use crate::site::{Site, WAIT_SECONDS};

/// Holds what all callers were told against what there is.
fn check(shoppers: &[Shopper], server: &Server, token: &str, place: &Place, when: &str) {
    let answers = answers_of(shoppers);
    assert!(answers.wrong.is_empty(), "{when}: {answers:?}");
    let (history, found) = (history_of(shoppers), look(&mut server.client().with_token(token)));
    let findings = audit(&history, &found, OPENING);
    assert!(findings.is_empty(), "{when}: {findings:#?}");
    place.run(&["verify"]).succeeded();
}

/// That [`check`] has had something to find.
fn control(shoppers: &[Shopper], server: &Server, token: &str) {
    let found = look(&mut server.client().with_token(token));
    the_audit_would_have_noticed(&history_of(shoppers), &found);
}

#[test]
fn one_of_two_servers_may_be_killed() {
    const KILLS: usize = 6;
    let site = Site::new();
    let places = [site.place(), site.place()];
    let token = furnish(&places[0], &[]);
    let mut servers = places.each_ref().map(|place| Server::start(place, &[]));
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(8, &servers.each_ref().map(|server| server.address), &token);
    for kill in 0..KILLS {
        let both = servers.each_ref().map(|server| server.address);
        let [first, second] = servers;
        let (victim, survivor) = if kill % 2 == 0 { (first, second) } else { (second, first) };
        let is_over = AtomicBool::new(false);
        scope(|threads| {
            for shopper in &mut shoppers {
                shopper.go_to(&both, &token);
                threads.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        shopper.act(&marks);
                    }
                });
            }
            sleep(Duration::from_millis(150 + 37 * u64::try_from(kill).unwrap()));
            victim.kill();
            sleep(Duration::from_millis(200));
            is_over.store(true, Ordering::Relaxed);
        });
        let answers = answers_of(&shoppers);
        let unanswered = answers.count(0);
        assert!(unanswered > 0 && answers.counts.keys().all(|status| *status < 500), "{answers:?}");
        check(&shoppers, &survivor, &token, &places[0], &format!("after kill {kill}"));
        let again = Server::start(&places[kill % 2], &[]);
        servers = if kill % 2 == 0 { [again, survivor] } else { [survivor, again] };
    }
    control(&shoppers, &servers[0], &token);
    let found_done: usize = shoppers.iter().map(|shopper| shopper.found_done).sum();
    println!("{:?}, {found_done} found done", answers_of(&shoppers));
}

/// Stops the server until it has done so in the middle of a transaction: the others make no progress then.
fn stop_in_a_transaction(server: &Server, progress: &AtomicUsize) {
    for attempt in 0..100 {
        server.signal("STOP");
        // What the other had begun by then is done by then.
        sleep(Duration::from_millis(200));
        let before = progress.load(Ordering::Relaxed);
        sleep(Duration::from_millis(800));
        if progress.load(Ordering::Relaxed) == before {
            println!("stopped in a transaction at attempt {}", attempt + 1);
            return;
        }
        server.signal("CONT");
        sleep(Duration::from_millis(20 + attempt * 7 % 50));
    }
    panic!("the server was never stopped in a transaction");
}

#[test]
fn a_server_that_hangs_in_a_transaction_does_not_stop_the_other_for_ever() {
    let site = Site::new();
    // What the database's patience with a silent transaction is derived from.
    let places = [(); 2]
        .map(|()| site.impatient_place().variable("STOCKROOM_DATABASE_STATEMENT_TIMEOUT_SECONDS", "1"));
    let token = furnish(&places[0], &[]);
    let [hanging, other] = places.each_ref().map(|place| Server::start(place, &[]));
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(4, &[hanging.address], &token);
    shoppers.extend(Shopper::crowd(8, &[other.address], &token).into_iter().skip(4));
    let (is_over, progress) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (began, resumed) = scope(|threads| {
        for (number, shopper) in shoppers.iter_mut().enumerate() {
            let (marks, is_over, progress) = (&marks, &is_over, &progress);
            threads.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let before = shopper.sent.len();
                    shopper.act(marks);
                    let done = shopper.sent.len() - before;
                    progress.fetch_add(if number < 4 { 0 } else { done }, Ordering::Relaxed);
                }
            });
        }
        sleep(Duration::from_millis(300));
        stop_in_a_transaction(&hanging, &progress);
        let (began, before) = (Instant::now(), progress.load(Ordering::Relaxed));
        while progress.load(Ordering::Relaxed) == before && began.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(20));
        }
        let resumed = progress.load(Ordering::Relaxed) > before;
        hanging.signal("CONT");
        sleep(Duration::from_secs(1));
        is_over.store(true, Ordering::Relaxed);
        (began, resumed)
    });
    assert!(resumed, "a server that hangs has stopped the other for a minute");
    println!("{:?} with {:?}", began.elapsed(), answers_of(&shoppers));
    check(&shoppers, &other, &token, &places[1], "after a server hung");
    check(&shoppers, &hanging, &token, &places[0], "at the server that hung");
    control(&shoppers, &other, &token);
}

/// Holds the rows that every batch locks first, from the moment at which `begun` is reached by all.
fn hold_locks(url: &str, begun: &Barrier, time: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(url, Options::default()).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        let lock = "SELECT c.name FROM counters c ORDER BY c.name {for update}";
        assert!(!transaction.query_dynamic(lock, &[]).await.unwrap().is_empty());
        begun.wait();
        tokio::time::sleep(time).await;
        transaction.rollback().await.unwrap();
    });
}

#[test]
fn whoever_holds_a_lock_delays_writes_and_nothing_else() {
    let site = Site::new();
    let place = site.impatient_place();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(4, &[server.address], &token);
    let held = Duration::from_secs(2 * WAIT_SECONDS);
    let (begun, is_over) = (Barrier::new(2), AtomicBool::new(false));
    let reads = scope(|threads| {
        threads.spawn(|| hold_locks(site.url(), &begun, held));
        begun.wait();
        for shopper in &mut shoppers {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    shopper.act(&marks);
                }
            });
        }
        let (began, mut reads) = (Instant::now(), 0);
        let mut client = server.client().with_token(&token);
        while began.elapsed() < held - Duration::from_secs(1) {
            client.get("/api/v1/products/1");
            client.get("/api/v1/orders?limit=5");
            assert_eq!(client.call("GET", "/readyz", None).status, 200);
            reads += 1;
            sleep(Duration::from_millis(10));
        }
        sleep(Duration::from_secs(2));
        is_over.store(true, Ordering::Relaxed);
        reads
    });
    let answers = answers_of(&shoppers);
    println!("{reads} reads beside {answers:?}");
    assert!(reads > 5 && answers.count(503) > 0 && answers.count(201) > 0, "{answers:?}");
    check(&shoppers, &server, &token, &place, "after somebody held the locks");
}

/// Few connections and many who ask: they wait for each other, and who asks for little is served meanwhile.
#[test]
fn many_readers_share_few_connections() {
    let site = Site::new();
    let place = site.place();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &["--database-connections", "2"]);
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(4, &[server.address], &token);
    shoppers.iter_mut().for_each(|shopper| (0..20).for_each(|_| shopper.act(&marks)));
    let (is_over, begin) = (AtomicBool::new(false), Barrier::new(41));
    scope(|threads| {
        for _ in 0..40 {
            threads.spawn(|| {
                let mut client = server.client().with_token(&token);
                begin.wait();
                while !is_over.load(Ordering::Relaxed) {
                    client.get("/api/v1/orders?limit=100");
                }
            });
        }
        begin.wait();
        let mut client = server.client().with_token(&token);
        for _ in 0..10 {
            assert_eq!(client.call("GET", "/readyz", None).status, 200);
            client.get("/api/v1/products/1");
            shoppers[0].act(&marks);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    check(&shoppers, &server, &token, &place, "after many have read");
}
