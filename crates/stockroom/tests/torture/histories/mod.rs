//! What several clients asked at the same time and were told, held against the rules: the event log says in which order
//! things were done, and in that order the rules must decide each of them as it was answered. What changed nothing must be
//! right at some moment between question and answer.

mod judge;
mod record;

use std::time::Instant;

use serde_json::Value;

use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;
use judge::judge;
use record::{Ask, History, Recorder};

/// Histories of one shop; each has products of its own.
const IN_A_SHOP: usize = 100;

#[test]
fn histories_are_what_the_rules_say_in_the_order_of_the_log() {
    let started = Instant::now();
    let wanted = rounds(2);
    let (mut done, mut operations, mut refused, mut effects) = (0, 0, 0, 0);
    while done < wanted {
        let place = Place::with_shop();
        let mut recorder = Recorder::new(&place);
        let server = Server::start(&place, &[]);
        for _ in 0..IN_A_SHOP.min(wanted - done) {
            let history = recorder.record(&server, u64::try_from(done).unwrap());
            let findings = judge(&history);
            assert!(findings.is_empty(), "history {done}: {findings:#?}");
            done += 1;
            operations += history.operations.len();
            refused += history.operations.iter().filter(|it| it.status >= 400).count();
            effects += history.events.len();
        }
        assert_eq!(server.stop(), 0);
        place.run(&["verify"]).succeeded();
    }
    println!("{effects} events, {refused} refused, {:?}", started.elapsed());
    println!("torture histories: {done} histories, {operations} operations, 0 out of order");
    assert!(refused > done && effects > done, "hardly anything happened");
}

/// The same history, told otherwise.
#[test]
fn a_history_that_is_not_right_is_noticed() {
    let place = Place::with_shop();
    let mut recorder = Recorder::new(&place);
    let server = Server::start(&place, &[]);
    let right = recorder.record(&server, 7);
    assert_eq!(judge(&right), Vec::<String>::new());
    let unnoticed = |what: &str, change: fn(&mut History)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(!judge(&wrong).is_empty(), "{what} went unnoticed");
    };
    unnoticed("an order that is lost", |history| {
        let order =
            history.events.iter().find(|event| event.kind == "order_placed").unwrap().request_id.clone();
        history.events.retain(|event| event.request_id != order);
    });
    unnoticed("an order that was placed twice", |history| {
        let order = history.events.iter().position(|event| event.kind == "order_placed").unwrap();
        let again = history.events[order].clone();
        history.events.insert(order + 1, again);
    });
    unnoticed("more sold than there is", |history| history.products[0].on_hand = 1);
    unnoticed("a refusal without a reason", |history| {
        let first =
            history.operations.iter().filter(|it| it.status == 201).min_by_key(|it| it.ended).unwrap();
        let request = first.request_id.clone();
        history.events.retain(|event| event.request_id != request);
        let refused = history.operations.iter_mut().find(|it| it.request_id == request).unwrap();
        refused.status = 409;
        refused.body = serde_json::json!({"code": "INSUFFICIENT_STOCK"});
    });
    unnoticed("an old answer", |history| {
        let reads = |it: &&mut record::Operation| matches!(it.ask, Ask::Product(_)) && it.status == 200;
        let last = history.operations.iter_mut().filter(reads).max_by_key(|it| it.began).unwrap();
        last.body["on_hand"] = Value::from(1_000_000);
    });
    unnoticed("a log in another order", |history| history.events.reverse());
    unnoticed("a cancellation that gave nothing back", |history| {
        let cancelled = history.events.iter().find(|event| event.kind == "order_cancelled").unwrap();
        let request = cancelled.request_id.clone();
        let answer = history.operations.iter_mut().find(|it| it.request_id == request).unwrap();
        answer.body["status"] = Value::from("pending");
    });
}
