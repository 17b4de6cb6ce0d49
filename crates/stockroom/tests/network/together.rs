//! Two servers that work on one database at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::callers::{OPENING, PASSWORD, furnish, look, the_audit_would_have_noticed};
use crate::history::audit;
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;
use crate::shopper::{Marks, Shopper, answers_of, history_of};
use crate::site::Site;

/// Clients of each of the two servers.
const CLIENTS: usize = 32;

/// Two servers on one database, and an administrator's token.
struct Pair {
    servers: [Server; 2],
    token: String,
    places: [Place; 2],
    _site: Site,
}

impl Pair {
    fn new() -> Self {
        let site = Site::new();
        let places = [site.place(), site.place()];
        let token = furnish(&places[0], &[]);
        let servers = places.each_ref().map(|place| Server::start(place, &[]));
        Self { servers, token, places, _site: site }
    }

    fn client(&self, server: usize) -> Client {
        self.servers[server].client().with_token(&self.token)
    }
}

#[test]
fn a_hot_product_is_sold_exactly_as_often_as_there_are_pieces() {
    const PIECES: usize = 500;
    let pair = Pair::new();
    let product = json!({"name": "Hot", "price_cents": 100, "stock_quantity": PIECES});
    let id = pair.client(0).call("POST", "/api/v1/products", Some(&product)).expect(201)["id"].clone();
    let order = json!({"items": [{"product_id": id, "quantity": 1}]});
    let (sold, begin) = (Mutex::new(Vec::new()), Barrier::new(2 * CLIENTS));
    scope(|threads| {
        for number in 0..2 * CLIENTS {
            let (pair, order, sold, begin) = (&pair, &order, &sold, &begin);
            threads.spawn(move || {
                let mut client = pair.client(number % 2);
                begin.wait();
                // More than half of them again than there are.
                for _ in 0..12 {
                    let answer = client.call("POST", "/api/v1/orders", Some(order));
                    match answer.status {
                        201 => {
                            let order = answer.expect(201)["order_id"].as_i64().unwrap();
                            sold.lock().unwrap().push(order);
                        }
                        409 => assert!(answer.text.contains("INSUFFICIENT_STOCK"), "{}", answer.text),
                        status => panic!("{status} {}", answer.text),
                    }
                }
            });
        }
    });
    let sold = sold.into_inner().unwrap();
    let numbers: BTreeSet<i64> = sold.iter().copied().collect();
    assert_eq!((sold.len(), numbers.len()), (PIECES, PIECES));
    for server in 0..2 {
        let product = pair.client(server).get(&format!("/api/v1/products/{id}"));
        assert_eq!((&product["available"], &product["allocated"]), (&json!(0), &json!(PIECES)));
        let orders = pair.client(server).get("/api/v1/orders?limit=1");
        assert_eq!(orders["total_quantity"], json!(PIECES), "{orders}");
    }
    pair.places[1].run(&["verify"]).succeeded();
}

/// Reads all events from the first on, page after page, until it is told that no more come and has seen the last.
fn follow(client: &mut Client, is_over: &AtomicBool) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        // Asked before reading: what was written by then is in the answer.
        let is_last = is_over.load(Ordering::Relaxed);
        let page = client.get(&format!("/api/v1/events?after={after}&limit=100"));
        let events = page["events"].as_array().unwrap();
        seen.extend(events.iter().cloned());
        after = page["next_after"].as_i64().unwrap();
        if events.is_empty() {
            if is_last {
                return seen;
            }
            sleep(Duration::from_millis(1));
        }
    }
}

/// Whether a follower has seen what there is, each event once and in order.
fn followed(seen: &[Value], all: &[Value]) -> bool {
    let is_complete = seen.iter().zip(1..).all(|(event, id)| event["id"] == id);
    is_complete && seen == all
}

#[test]
fn crossed_orders_on_two_servers_are_exact_and_their_events_can_be_followed() {
    let pair = Pair::new();
    let both = pair.servers.each_ref().map(|server| server.address);
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(2 * u64::try_from(CLIENTS).unwrap(), &both, &pair.token);
    let is_over = AtomicBool::new(false);
    let seen = scope(|threads| {
        let followers = [0, 1, 1].map(|server| {
            let (mut client, is_over) = (pair.client(server), &is_over);
            threads.spawn(move || follow(&mut client, is_over))
        });
        scope(|threads| {
            for shopper in &mut shoppers {
                threads.spawn(|| (0..16).for_each(|_| shopper.act(&marks)));
            }
        });
        is_over.store(true, Ordering::Relaxed);
        followers.map(|follower| follower.join().unwrap())
    });
    let answers = answers_of(&shoppers);
    assert!(answers.counts.keys().all(|status| matches!(status, 200 | 201)), "{answers:?}");
    let (history, found) = (history_of(&shoppers), look(&mut pair.client(0)));
    assert_eq!(audit(&history, &found, OPENING), Vec::<String>::new());
    the_audit_would_have_noticed(&history, &found);

    let all = follow(&mut pair.client(0), &AtomicBool::new(true));
    assert!(all.len() > 500, "{} events", all.len());
    for seen in &seen {
        assert!(followed(seen, &all), "{} events were seen, and there are {}", seen.len(), all.len());
    }
    // A follower that missed one, or saw two of them in the wrong order, would be noticed.
    let mut wrong = all.clone();
    wrong.remove(all.len() / 2);
    assert!(!followed(&wrong, &all) && !followed(&wrong, &wrong));
    wrong.clone_from(&all);
    wrong.swap(7, 8);
    assert!(!followed(&wrong, &all) && !followed(&wrong, &wrong));
    pair.places[0].run(&["verify"]).succeeded();
}

#[test]
fn a_key_that_is_sent_to_both_servers_at_once_is_carried_out_once() {
    const KEYS: usize = 30;
    let pair = Pair::new();
    let begin = Barrier::new(4);
    let answers: Vec<Vec<(i64, bool)>> = scope(|threads| {
        let callers: Vec<_> = (0..4)
            .map(|number| {
                let (pair, begin) = (&pair, &begin);
                threads.spawn(move || {
                    let mut client = pair.client(number % 2);
                    (0..KEYS)
                        .map(|key| {
                            begin.wait();
                            order_under(&mut client, &format!("key-{key}"), i64::try_from(key).unwrap() + 1)
                        })
                        .collect()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for key in 0..KEYS {
        let orders: BTreeSet<i64> = answers.iter().map(|caller| caller[key].0).collect();
        let first = answers.iter().filter(|caller| !caller[key].1).count();
        assert_eq!((orders.len(), first), (1, 1), "key {key}: {answers:?}");
    }
    let found = look(&mut pair.client(0));
    assert_eq!(found.orders.len(), KEYS);
    // Another order under a key that was used on the other server is refused there.
    let body = json!({"items": [{"product_id": 1, "quantity": 77}]});
    for server in 0..2 {
        let answer = pair.client(server).send("POST", "/api/v1/orders", Some("key-3"), Some(&body)).unwrap();
        assert!(answer.expect(422)["code"] == "IDEMPOTENCY_KEY_REUSED", "{}", answer.text);
    }
    pair.places[0].run(&["verify"]).succeeded();
}

/// Orders under a key, again and again while the same key is being worked on; the number of the order, and whether it was
/// the repetition of an earlier answer.
fn order_under(client: &mut Client, key: &str, quantity: i64) -> (i64, bool) {
    let body = json!({"items": [{"product_id": 1, "quantity": quantity}]});
    loop {
        let answer = client.send("POST", "/api/v1/orders", Some(key), Some(&body)).unwrap();
        if answer.status == 409 {
            assert!(answer.text.contains("IDEMPOTENCY_IN_PROGRESS"), "{}", answer.text);
            sleep(Duration::from_millis(2));
            continue;
        }
        return (answer.expect(201)["order_id"].as_i64().unwrap(), answer.is_replayed);
    }
}

/// Of those who confirm and cancel an order at the same time, on both servers, some win; its stock comes back once.
#[test]
fn an_order_that_is_confirmed_and_cancelled_at_once_gives_its_stock_back_once() {
    const RACES: i64 = 40;
    let pair = Pair::new();
    let body = json!({"items": [{"product_id": 1, "quantity": 3}, {"product_id": 2, "quantity": 5}]});
    for _ in 0..RACES {
        pair.client(0).call("POST", "/api/v1/orders", Some(&body)).expect(201);
    }
    let begin = Barrier::new(6);
    scope(|threads| {
        for number in 0..6 {
            let (pair, begin) = (&pair, &begin);
            threads.spawn(move || {
                let mut client = pair.client(number % 2);
                let action = if number < 2 { "confirm" } else { "cancel" };
                for order in 1..=RACES {
                    begin.wait();
                    let answer = client.call("POST", &format!("/api/v1/orders/{order}/{action}"), None);
                    assert!(matches!(answer.status, 200 | 409), "{} {}", answer.status, answer.text);
                }
            });
        }
    });
    let found = look(&mut pair.client(1));
    assert!(found.orders.iter().all(|order| order.status == "cancelled"), "{found:?}");
    assert_eq!(found.stock[&1], (OPENING, 0));
    assert_eq!(found.stock[&2], (OPENING, 0));
    let movements = pair.client(0).get("/api/v1/products/1/stock/movements?limit=100");
    let back = movements["movements"].as_array().unwrap().iter();
    assert_eq!(back.filter(|line| line["allocated_delta"] == -3).count(), 40, "{movements}");
    pair.places[0].run(&["verify"]).succeeded();
}

#[test]
fn sessions_are_one_thing_on_both_servers() {
    let pair = Pair::new();
    for (here, there) in [(0, 1), (1, 0)] {
        let token = pair.servers[here].token("ann", PASSWORD);
        let mut elsewhere = pair.servers[there].client().with_token(&token);
        elsewhere.get("/api/v1/auth/me");
        let mut client = pair.servers[here].client().with_token(&token);
        assert!(client.call("POST", "/api/v1/auth/logout-everywhere", None).status < 300);
        for client in [&mut client, &mut elsewhere] {
            let answer = client.call("GET", "/api/v1/auth/me", None);
            assert_eq!(answer.status, 401, "{}", answer.text);
        }
    }
    // And an account that is new on one server is known on the other.
    let customer =
        json!({"username": "bob", "email": "bob@shop.example", "password": "battery staple horse"});
    assert_eq!(pair.servers[0].client().call("POST", "/api/v1/auth/register", Some(&customer)).status, 201);
    pair.servers[1].logged_in("bob", "battery staple horse").get("/api/v1/auth/me");
}
