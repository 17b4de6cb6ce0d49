//! The same request many times at once: it is carried out once, and everybody is told the same. The same key of somebody
//! else, or with another body, is another matter.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::callers::{PASSWORD, furnish, look};
use crate::http::{Answer, Client};
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// Who sends the copies of one key.
const COPIES: usize = 20;

/// What one of them sends: whose request it is, and which of two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    user: &'static str,
    quantity: i64,
}

/// Most send the same; three another body, three are somebody else.
fn copy(number: usize) -> Copy {
    let user = if number % 7 == 3 { "bob" } else { "ann" };
    let quantity = if number % 7 == 5 { 2 } else { 1 };
    Copy { user, quantity }
}

/// What one of them was told: an order, or that the key belongs to another request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Placed { order: i64, quantity: i64, is_replayed: bool },
    KeyReused,
}

/// Orders under a key until there is an answer.
fn order(client: &mut Client, key: Option<&str>, quantity: i64) -> Told {
    let body = json!({"items": [{"product_id": 1, "quantity": quantity}]});
    loop {
        let answer = client.send("POST", "/api/v1/orders", key, Some(&body)).unwrap();
        match (answer.status, code(&answer).as_str()) {
            (409, "IDEMPOTENCY_IN_PROGRESS") => sleep(Duration::from_millis(1)),
            (422, "IDEMPOTENCY_KEY_REUSED") => return Told::KeyReused,
            _ => {
                let order = answer.expect(201);
                let number = |value: &Value| value.as_i64().unwrap();
                return Told::Placed {
                    order: number(&order["order_id"]),
                    quantity: number(&order["total_quantity"]),
                    is_replayed: answer.is_replayed,
                };
            }
        }
    }
}

fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

/// Every way in which these answers to one key are not what they must be.
fn judge(told: &[(Copy, Told)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut orders = BTreeSet::new();
    for user in ["ann", "bob"] {
        let placed: Vec<(i64, i64, bool)> = told
            .iter()
            .filter(|(copy, _)| copy.user == user)
            .filter_map(|(_, told)| match told {
                Told::Placed { order, quantity, is_replayed } => Some((*order, *quantity, *is_replayed)),
                Told::KeyReused => None,
            })
            .collect();
        let Some(&(order, quantity, _)) = placed.first() else {
            findings.push(format!("{user} has no order"));
            continue;
        };
        if placed.iter().any(|other| (other.0, other.1) != (order, quantity)) {
            findings.push(format!("{user} was told of different orders: {placed:?}"));
        }
        if placed.iter().filter(|other| !other.2).count() != 1 {
            findings.push(format!("not one answer to {user} was the first: {placed:?}"));
        }
        for (copy, told) in told.iter().filter(|(copy, _)| copy.user == user) {
            if (copy.quantity == quantity) == (*told == Told::KeyReused) {
                findings.push(format!("{copy:?} was told {told:?}, but the order is of {quantity}"));
            }
        }
        if !orders.insert(order) {
            findings.push(format!("{user} was given somebody else's order {order}"));
        }
    }
    findings
}

/// Sends all copies of so many keys, each key's at the same time; what each was told, key by key.
fn send_copies(server: &Server, keys: usize, is_keyed: bool) -> Vec<Vec<(Copy, Told)>> {
    let tokens = ["ann", "bob"].map(|user| (user, server.token(user, PASSWORD)));
    let begin = Barrier::new(COPIES);
    let told: Vec<Vec<(Copy, Told)>> = scope(|threads| {
        let senders: Vec<_> = (0..COPIES)
            .map(|number| {
                let (tokens, begin, copy) = (&tokens, &begin, copy(number));
                threads.spawn(move || {
                    let token = &tokens.iter().find(|(user, _)| *user == copy.user).unwrap().1;
                    let mut client = server.client().with_token(token);
                    let send = |key| {
                        begin.wait();
                        let key = format!("key-{key}");
                        (copy, order(&mut client, is_keyed.then_some(key.as_str()), copy.quantity))
                    };
                    (0..keys).map(send).collect()
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    (0..keys).map(|key| told.iter().map(|sender| sender[key].clone()).collect()).collect()
}

fn shop() -> Place {
    let place = Place::with_shop();
    furnish(&place, &[]);
    place.add_user("bob", "staff", PASSWORD).succeeded();
    place
}

#[test]
fn a_key_has_one_effect_however_often_it_is_sent() {
    let started = Instant::now();
    let keys = rounds(40);
    let place = shop();
    let server = Server::start(&place, &[]);
    let told = send_copies(&server, keys, true);
    for (key, told) in told.iter().enumerate() {
        let findings = judge(told);
        assert!(findings.is_empty(), "key {key}: {findings:#?}");
    }
    let found = look(&mut server.logged_in("ann", PASSWORD));
    assert_eq!(found.orders.len(), 2 * keys, "orders of {keys} keys of two users");
    let reused = told.iter().flatten().filter(|(_, told)| *told == Told::KeyReused).count();
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    println!("{reused} were refused for another body, {:?}", started.elapsed());
    println!("torture keys: {keys} keys, {COPIES} copies each, 0 doubled");
    assert!(reused >= keys, "hardly any other bodies");
}

/// The same without keys, and answers that are not right, are noticed.
#[test]
fn a_second_effect_and_a_wrong_answer_are_noticed() {
    let place = shop();
    let server = Server::start(&place, &[]);
    let told = send_copies(&server, 3, false);
    assert!(told.iter().all(|told| !judge(told).is_empty()), "{told:?}");

    let right = send_copies(&server, 1, true).remove(0);
    assert_eq!(judge(&right), Vec::<String>::new());
    let unnoticed = |what: &str, change: fn(&mut Vec<(Copy, Told)>)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(!judge(&wrong).is_empty(), "{what} went unnoticed");
    };
    unnoticed("another body answered like the first", |told| {
        let first = told.iter().find(|(_, told)| *told != Told::KeyReused).unwrap().1.clone();
        told.iter_mut().find(|(_, told)| *told == Told::KeyReused).unwrap().1 = first;
    });
    unnoticed("somebody else's order", |told| {
        let anns = told
            .iter()
            .find(|(copy, told)| copy.user == "ann" && *told != Told::KeyReused)
            .unwrap()
            .1
            .clone();
        told.iter_mut().filter(|(copy, _)| copy.user == "bob").for_each(|(_, told)| *told = anns.clone());
    });
    unnoticed("two first answers", |told| {
        for (_, told) in told {
            if let Told::Placed { is_replayed, .. } = told {
                *is_replayed = false;
            }
        }
    });
}
