//! Several who want different things of one order at the same time: one of them wins, the stock comes back once, and the
//! others are told so.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};
use std::thread::scope;
use std::time::Instant;

use serde_json::{Value, json};

use crate::callers::{OPENING, furnish};
use crate::http::Client;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// Orders that are raced for at the same time, and who races for each.
const LANES: usize = 4;
const RACERS: usize = 6;

/// Pieces in each order.
const PIECES: i64 = 3;

/// What is raced for, by turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Two confirm, four cancel: it is cancelled in the end.
    ConfirmOrCancel,
    /// All cancel.
    CancelTwice,
    /// Of a paid order: three ship, three cancel, and one side wins.
    ShipOrCancel,
}

impl Kind {
    fn of(order: i64) -> Self {
        match order % 3 {
            0 => Self::ConfirmOrCancel,
            1 => Self::CancelTwice,
            _ => Self::ShipOrCancel,
        }
    }

    fn verb(self, racer: usize) -> &'static str {
        match self {
            Self::ConfirmOrCancel if racer < 2 => "confirm",
            Self::ShipOrCancel if racer.is_multiple_of(2) => "ship",
            _ => "cancel",
        }
    }
}

/// What became of an order: its status, the answers by verb, and what the ledger says about it.
#[derive(Debug, Clone, Default)]
struct Race {
    status: String,
    answers: Vec<(&'static str, u16)>,
    /// Kinds of movements with what they changed of what is on hand and what is held.
    ledger: Vec<(String, i64, i64)>,
}

/// Every way in which a race did not end as it must.
fn judge(order: i64, race: &Race) -> Vec<String> {
    let kind = Kind::of(order);
    let mut findings = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            findings.push(format!("order {order}, {kind:?}: {what}: {race:?}"));
        }
    };
    let is_shipped = race.status == "shipped";
    must(is_shipped || race.status == "cancelled", "ended elsewhere");
    must(!is_shipped || kind == Kind::ShipOrCancel, "nobody asked for that");
    let mut ledger = race.ledger.clone();
    ledger.sort();
    let on_hand = if is_shipped { -PIECES } else { 0 };
    let left = if is_shipped { "shipped" } else { "released" };
    let expected = [("allocated".to_owned(), 0, PIECES), (left.to_owned(), on_hand, -PIECES)];
    must(ledger == expected, "the stock did not come back once");
    for (verb, status) in &race.answers {
        let right: &[u16] = match (*verb, is_shipped) {
            ("cancel", false) | ("ship", true) => &[200],
            // Who came before the cancellation confirmed it.
            ("confirm", _) => &[200, 409],
            _ => &[409],
        };
        must(right.contains(status), &format!("{verb} was answered {status}"));
    }
    must(race.answers.len() == RACERS, "not everybody was answered");
    findings
}

/// Places so many orders, those to be shipped paid.
fn place_orders(server: &Server, token: &str, count: usize) {
    let mut client = server.client().with_token(token);
    for order in 1..=i64::try_from(count).unwrap() {
        let status = if Kind::of(order) == Kind::ShipOrCancel { "paid" } else { "pending" };
        let body = json!({"status": status, "items": [{"product_id": 1, "quantity": PIECES}]});
        assert_eq!(client.call("POST", "/api/v1/orders", Some(&body)).expect(201)["order_id"], order);
    }
}

/// Lets everybody race for all orders.
fn race(server: &Server, token: &str, count: usize) -> BTreeMap<i64, Race> {
    let begin = Barrier::new(LANES * RACERS);
    let races: Mutex<BTreeMap<i64, Race>> = Mutex::default();
    scope(|threads| {
        for number in 0..LANES * RACERS {
            let (lane, racer, begin, races) = (number % LANES, number / LANES, &begin, &races);
            threads.spawn(move || {
                let mut client = server.client().with_token(token);
                for order in (lane..count).step_by(LANES) {
                    let order = i64::try_from(order).unwrap() + 1;
                    let verb = Kind::of(order).verb(racer);
                    begin.wait();
                    let answer = client.call("POST", &format!("/api/v1/orders/{order}/{verb}"), None);
                    races.lock().unwrap().entry(order).or_default().answers.push((verb, answer.status));
                }
            });
        }
    });
    let mut races = races.into_inner().unwrap();
    look(&mut server.client().with_token(token), &mut races);
    races
}

/// Reads what became of the orders.
fn look(client: &mut Client, races: &mut BTreeMap<i64, Race>) {
    for (order, race) in races.iter_mut() {
        client.get(&format!("/api/v1/orders/{order}"))["status"]
            .as_str()
            .unwrap()
            .clone_into(&mut race.status);
    }
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/products/1/stock/movements?limit=100{cursor}"));
        for line in page["movements"].as_array().unwrap() {
            let number = |name: &str| line[name].as_i64().unwrap();
            let Some(race) = line["order_id"].as_i64().and_then(|order| races.get_mut(&order)) else {
                continue;
            };
            let kind = line["kind"].as_str().unwrap().to_owned();
            race.ledger.push((kind, number("on_hand_delta"), number("allocated_delta")));
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn races_for_an_order_have_one_winner_and_give_back_once() {
    let started = Instant::now();
    let count = rounds(40).next_multiple_of(LANES);
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    place_orders(&server, &token, count);
    let races = race(&server, &token, count);
    let findings: Vec<String> = races.iter().flat_map(|(order, race)| judge(*order, race)).collect();
    assert!(findings.is_empty(), "{findings:#?}");
    assert_eq!(races.len(), count);
    let shipped = races.values().filter(|race| race.status == "shipped").count();
    let product: Value = server.client().with_token(&token).get("/api/v1/products/1");
    let left = OPENING - PIECES * i64::try_from(shipped).unwrap();
    assert_eq!((&product["on_hand"], &product["allocated"]), (&json!(left), &json!(0)));
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    let lost = races.values().flat_map(|race| &race.answers).filter(|answer| answer.1 == 409).count();
    println!("{shipped} shipped, {lost} were too late, {:?}", started.elapsed());
    println!("torture races: {count} races, 0 given back twice");
    the_judge_would_have_noticed(&races);
}

/// The same races, with an end that they must not have.
fn the_judge_would_have_noticed(races: &BTreeMap<i64, Race>) {
    let unnoticed = |what: &str, change: fn(&mut Race)| {
        for (order, right) in races.iter().take(12) {
            let mut wrong = right.clone();
            change(&mut wrong);
            assert!(!judge(*order, &wrong).is_empty(), "{what} went unnoticed: {order} {right:?}");
        }
    };
    unnoticed("stock that came back twice", |race| {
        race.ledger.push(("released".to_owned(), 0, -PIECES));
    });
    unnoticed("stock that did not come back", |race| race.ledger.retain(|line| line.0 == "allocated"));
    unnoticed("another end", |race| {
        let other = if race.status == "shipped" { "cancelled" } else { "shipped" };
        other.clone_into(&mut race.status);
    });
    unnoticed("a lie about a cancellation", |race| {
        for answer in race.answers.iter_mut().filter(|answer| answer.0 == "cancel") {
            answer.1 = if answer.1 == 200 { 409 } else { 200 };
        }
    });
    unnoticed("a lost answer", |race| race.answers.truncate(RACERS - 1));
}
