//! With all nodes up, everything is exact, and nobody is told of a fault.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;

use serde_json::json;

use crate::callers::{OPENING, the_audit_would_have_noticed};
use crate::cluster::{NODES, Shop, open};
use crate::crowd::{Crowd, await_answers, commands_answered};
use crate::follower::{check_followed, follow};
use crate::history::audit;
use crate::sale::{Sale, settle};
use crate::shopper::history_of;

const SHOPPERS: u64 = 36;

/// That no server told of a fault, and that all of them had to give way to others.
#[track_caller]
fn check_answers(shop: &Shop) {
    println!("{}", shop.summary());
    for server in &shop.servers {
        let answered = commands_answered(server);
        assert!(answered.keys().all(|status| *status < 500), "{answered:?}");
    }
    assert!(shop.conflicts().iter().all(|conflicts| *conflicts > 0), "{:?}", shop.conflicts());
}

#[test]
fn crossed_orders_and_cancellations_are_exact_and_their_events_can_be_followed() {
    let (shop, _galera) = open(&[]);
    let mut crowd = Crowd::new(SHOPPERS, &shop.all(), &shop.token);
    let is_over = AtomicBool::new(false);
    let seen = scope(|threads| {
        let follower = threads.spawn(|| follow(&mut shop.client(2), &is_over));
        crowd.work(|| await_answers(&shop.servers[0], &[200, 201], 1000));
        is_over.store(true, Ordering::Relaxed);
        follower.join().unwrap()
    });
    println!("{}", crowd.summary());
    crowd.assert_no_wrong_answer();
    check_answers(&shop);
    let (history, found) = (history_of(&crowd.shoppers), shop.look());
    assert_eq!(audit(&history, &found, OPENING), Vec::<String>::new());
    the_audit_would_have_noticed(&history, &found);
    check_followed(&seen, &follow(&mut shop.client(0), &AtomicBool::new(true)));
}

#[test]
fn a_hot_product_is_never_oversold() {
    let (shop, _galera) = open(&[]);
    let sale = Sale::of(&shop, 400);
    sale.hold(36, || {
        for round in 0..4 {
            sale.await_refusals(50);
            sale.restock(200, &format!("restock-{round}"));
        }
        sale.await_refusals(50);
    });
    check_answers(&shop);
    assert_eq!(sale.check(), 0, "answered orders are lost");
    shop.look();
}

#[test]
fn a_key_that_is_sent_to_all_servers_at_once_is_carried_out_once() {
    const KEYS: usize = 50;
    let (shop, _galera) = open(&[]);
    let begin = Barrier::new(NODES);
    let answers: Vec<Vec<(i64, bool)>> = scope(|threads| {
        let ask = |node| {
            let (shop, begin) = (&shop, &begin);
            threads.spawn(move || {
                let mut clients = [shop.client(node)];
                let mut order = |nth: usize| {
                    let body = json!({"items": [{"product_id": 1, "quantity": nth + 1}]});
                    begin.wait();
                    let answer = settle(&mut clients, "/api/v1/orders", &format!("key-{nth}"), Some(&body));
                    (answer.expect(201)["order_id"].as_i64().unwrap(), answer.is_replayed)
                };
                (0..KEYS).map(&mut order).collect()
            })
        };
        let callers: Vec<_> = (0..NODES).map(ask).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for key in 0..KEYS {
        let orders: BTreeSet<i64> = answers.iter().map(|caller| caller[key].0).collect();
        let first = answers.iter().filter(|caller| !caller[key].1).count();
        assert_eq!((orders.len(), first), (1, 1), "key {key}: {answers:?}");
    }
    check_answers(&shop);
    assert_eq!(shop.look().orders.len(), KEYS);
}
