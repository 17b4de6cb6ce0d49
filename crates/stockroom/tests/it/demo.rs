//! The shop that `--demo` makes.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use serde_json::Value;

use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// Every page of a list.
pub(crate) fn all(client: &mut Client, list: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/{list}?limit=100{cursor}"));
        found.extend(page[list].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// How many there are of each.
pub(crate) fn count<'a>(words: impl Iterator<Item = &'a Value>) -> BTreeMap<&'a str, usize> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word.as_str().unwrap()).or_default() += 1;
        counts
    })
}

#[test]
fn a_demo_is_a_shop_with_a_past() {
    let place = Place::with_shop();
    let started = Instant::now();
    let server = Server::start(&place, &["--demo"]);
    server.client().get("/healthz");
    println!("first answer of a new demo after {:?}", started.elapsed());
    let password = place.read("data/demo-password").trim().to_owned();
    let greeting = server.greeting();
    assert!(greeting.contains(&password) && greeting.contains("alice"), "{greeting}");

    let mut staff = server.logged_in("staff", &password);
    let products = all(&mut staff, "products");
    assert_eq!(products.len(), 24);
    let is = |name: &str| products.iter().filter(|product| product[name] == true).count();
    assert_eq!(products.len() - is("is_active"), 1, "one product has sold out and left the shop");
    assert!((2..=8).contains(&is("is_low_stock")), "{}", is("is_low_stock"));
    assert!(products.iter().any(|product| product["available"] == 0 && product["is_active"] == true));

    let orders = all(&mut staff, "orders");
    assert!((250..=450).contains(&orders.len()), "{}", orders.len());
    let statuses = count(orders.iter().map(|order| &order["status"]));
    println!("{statuses:?}");
    for status in ["pending", "confirmed", "paid", "shipped", "delivered", "cancelled"] {
        assert!(statuses.get(status).is_some_and(|count| *count >= 5), "{status} in {statuses:?}");
    }
    // Newest first, in order of time: 120 days, each with an order or two.
    let days: Vec<&str> = orders.iter().map(|order| &order["created_at"].as_str().unwrap()[..10]).collect();
    assert!(days.is_sorted_by(|later, earlier| later >= earlier));
    let different: std::collections::BTreeSet<&str> = days.into_iter().collect();
    assert!((110..=121).contains(&different.len()), "{}", different.len());
    let events = staff.get("/api/v1/events?limit=500");
    let times: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.len() > 100 && times.is_sorted(), "events are numbered in order of time");

    let mut alice = server.logged_in("alice", &password);
    let own = all(&mut alice, "orders");
    assert!((20..orders.len()).contains(&own.len()));
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
}

#[test]
fn starting_again_adds_nothing_and_ends_no_session() {
    let place = Place::with_shop();
    let server = Server::start(&place, &["--demo"]);
    let password = place.read("data/demo-password").trim().to_owned();
    let token = server.token("admin", &password);
    let counts = |server: &Server| {
        let mut client = server.client().with_token(&token);
        ["orders", "products"].map(|list| all(&mut client, list).len())
    };
    let before = counts(&server);
    // The secret makes the tokens: the same after a crash as after a stop.
    server.kill();
    let started = Instant::now();
    let server = Server::start(&place, &["--demo"]);
    server.client().get("/healthz");
    println!("first answer of a known shop after {:?}", started.elapsed());
    assert_eq!(counts(&server), before);
    assert!(server.greeting().contains(&password));
    assert_eq!(place.read("data/demo-password").trim(), password);

    let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    let made: Vec<_> = std::fs::read_dir(place.path().join("data")).unwrap().collect();
    for entry in &made {
        let name = entry.as_ref().unwrap().file_name();
        assert_eq!(mode(&format!("data/{}", name.display())), 0o600, "{name:?}");
    }
    assert!(made.len() >= 2, "the password and the key, and what the database needs: {made:?}");
}

#[test]
fn a_short_queue_is_long_enough_for_a_demo() {
    let place = Place::with_shop();
    let server = Server::start(&place, &["--demo", "--queue-limit", "1", "--hash-concurrency", "1"]);
    server.client().get("/readyz");
}

#[test]
fn half_a_demo_is_not_passed_off_as_one() {
    let place = Place::with_shop();
    // As a kill leaves it between the first account and the last order.
    place.add_user("admin", "admin", "correct horse battery").succeeded();
    std::fs::write(place.path().join("data/demo-password.unfinished"), "0123456789ab\n").unwrap();
    let refusal = place.run(&["serve", "--demo", "--listen", "127.0.0.1:0"]);
    let text = refusal.failed(1);
    assert!(text.contains("interrupted") && !text.contains("0123456789ab"), "{text}");
    // The shop itself is sound.
    Server::start(&place, &[]).client().get("/readyz");
}
