//! `stockroom generate`: a shop of the size that was asked for, the same for the same seed, and never half of one.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::copy::everything;
use crate::demo::{all, count};
use crate::program::{Place, Ran};
use crate::server::Server;

/// Makes a shop with these numbers of products, users and orders.
fn generate(place: &Place, [products, users, orders]: [&str; 3], seed: &str) -> Ran {
    place.run(&["generate", "--products", products, "--users", users, "--orders", orders, "--seed", seed])
}

fn password(place: &Place) -> String {
    place.read("data/demo-password").trim().to_owned()
}

#[test]
fn a_generated_shop_is_as_large_as_was_asked_and_lives() {
    let place = Place::with_shop();
    let made = generate(&place, ["120", "90", "1500"], "7");
    let summary = made.succeeded();
    assert!(summary.starts_with("made 120 products, 90 users and 1,500 orders in "), "{summary}");
    assert!(summary.contains(" a second, in ") && summary.contains(&password(&place)), "{summary}");
    assert!(!made.errors.contains('\u{1b}') && !made.errors.contains('\r'), "{:?}", made.errors);
    place.run(&["verify"]).succeeded();

    let server = Server::start(&place, &["--demo"]);
    assert!(server.greeting().contains(&password(&place)), "{}", server.greeting());
    let mut admin = server.logged_in("admin", &password(&place));
    assert_eq!(all(&mut admin, "users").len(), 90);
    let products = all(&mut admin, "products");
    let archived = admin.get("/api/v1/products?archived=true&limit=100");
    let archived = archived["products"].as_array().unwrap().len();
    let is = |name: &str| products.iter().filter(|product| product[name] == true).count();
    assert_eq!(products.len() + archived, 120);
    assert!(archived > 0 && is("is_active") < products.len(), "some products have left");
    assert!((1..60).contains(&is("is_low_stock")), "{}", is("is_low_stock"));
    let found = admin.get("/api/v1/products?q=keyboard");
    assert!(found["products"].as_array().is_some_and(|found| !found.is_empty()));

    let orders = all(&mut admin, "orders");
    assert_eq!(orders.len(), 1_500);
    let statuses = count(orders.iter().map(|order| &order["status"]));
    println!("{statuses:?}");
    for status in ["pending", "confirmed", "paid", "shipped", "delivered", "cancelled"] {
        assert!(statuses.contains_key(status), "{status} in {statuses:?}");
    }
    assert!(statuses["delivered"] > 1_000, "{statuses:?}");
    let times: Vec<&str> = orders.iter().map(|order| order["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "numbered in order of time");
    let lines = orders.iter().map(|order| order["items"].as_array().unwrap().len());
    assert!(lines.clone().min() == Some(1) && lines.max() == Some(5));

    let mut alice = server.logged_in("alice", &password(&place));
    assert!(all(&mut alice, "orders").len() < 1_500);
}

#[test]
fn a_seed_is_a_shop() {
    let shop = |seed| {
        let place = Place::with_shop();
        generate(&place, ["60", "50", "300"], seed).succeeded();
        let server = Server::start(&place, &[]);
        let found = everything(&mut server.logged_in("admin", &password(&place)));
        assert_eq!(server.stop(), 0);
        found
    };
    let (first, mut again, other) = (shop("11"), shop("11"), shop("12"));
    assert!(first.len() > 1_500 && first != other);
    if first != again {
        // A midnight lay between them: shops end with the last one.
        again = shop("11");
    }
    assert!(first == again || again == shop("11"));
}

#[test]
fn the_smallest_shops_are_shops() {
    for numbers in [["1", "3", "0"], ["1", "3", "1"], ["2", "4", "60"]] {
        let place = Place::with_shop();
        generate(&place, numbers, "0").succeeded();
        place.run(&["verify"]).succeeded();
    }
}

#[test]
fn a_database_that_was_used_is_refused_and_left_alone() {
    let place = Place::with_shop();
    place.add_user("ann", "admin", "correct horse battery").succeeded();
    let refused = generate(&place, ["10", "10", "10"], "1");
    assert!(refused.failed(1).contains("was used already"), "{}", refused.errors);
    assert!(!place.path().join("data/demo-password").exists());
    let server = Server::start(&place, &[]);
    let mut ann = server.logged_in("ann", "correct horse battery");
    assert_eq!(all(&mut ann, "users").len(), 1);
    if place.is_embedded() {
        let refused = generate(&place, ["10", "10", "10"], "1");
        let wanted = format!("process {} is serving", server.pid());
        assert!(refused.failed(1).contains(&wanted), "{}", refused.errors);
    }
}

#[test]
fn a_generated_shop_is_not_generated_again() {
    let place = Place::with_shop();
    generate(&place, ["5", "5", "20"], "1").succeeded();
    let kept = password(&place);
    let refused = generate(&place, ["5", "5", "20"], "1");
    assert!(refused.failed(1).contains("was used already"), "{}", refused.errors);
    assert_eq!(password(&place), kept);
}

#[test]
fn half_a_shop_is_served_by_nobody_and_says_so() {
    let place = Place::with_shop();
    let mut command =
        place.command(&["generate", "--products", "500", "--users", "500", "--orders", "20000"]);
    if place.is_embedded() {
        // A database on a network is slow enough.
        command.env("STOCKROOM_TEST_SYNC_DELAY_US", "100000");
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        seen.push(line);
        if seen.last().is_some_and(|line| line.starts_with("generating ")) {
            child.kill().unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().code(), None, "it was not interrupted: {seen:?}");
    for refused in [
        place.run(&["verify"]),
        place.run(&["serve", "--listen", "127.0.0.1:0"]),
        place.add_user("ann", "admin", "correct horse battery"),
        generate(&place, ["5", "5", "20"], "1"),
    ] {
        let text = refused.failed(1);
        assert!(text.contains("unfinished shop of `stockroom generate`"), "{text}");
    }
    assert!(!place.path().join("data/demo-password").exists());
}

#[test]
fn nonsense_is_a_usage_error() {
    let place = Place::new();
    for argument in [
        "--products=0",
        "--products=many",
        "--users=2",
        "--orders=-1",
        "--orders=100000001",
        "--seed=-1",
        "--listen=127.0.0.1:1",
    ] {
        let refused = place.run(&["generate", argument]);
        let flag = argument.split('=').next().unwrap();
        assert!(refused.failed(2).contains(flag), "{}", refused.errors);
    }
    assert!(!place.path().join("data").exists());
}
