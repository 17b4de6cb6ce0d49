//! One node after the other is killed and comes back, under load.
//!
//! Galera may lose what a node has answered when nodes die; Stockroom promises no overselling there, and books that add
//! up. What is lost is counted and told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use testbed::Galera;

use crate::callers::OPENING;
use crate::cluster::{NODES, open};
use crate::crowd::{Crowd, await_answers, await_ready, commands_answered};
use crate::follower::{check_followed, follow};
use crate::history::audit;
use crate::sale::Sale;
use crate::server::Server;
use crate::shopper::history_of;

/// From one kill to the next, at least.
const PERIOD: Duration = Duration::from_secs(10);
/// How long a killed node stays away, at least; longer than callers wait.
const AWAY: Duration = Duration::from_secs(4);
/// Patience of the servers.
const WAIT: [&str; 2] = ["--database-wait-seconds", "2"];

/// Kills a node and starts it again; its server must notice, and go on by itself.
#[track_caller]
fn kill(galera: &mut Galera, servers: &[Server], node: usize) {
    let began = Instant::now();
    galera.nodes_mut()[node].kill().unwrap();
    sleep(AWAY);
    await_answers(&servers[node], &[503, 504], 1);
    galera.start_again(node).unwrap_or_else(|failure| panic!("{failure}"));
    let back = began.elapsed();
    await_ready(&servers[node]);
    await_answers(&servers[node], &[200, 201], 1);
    println!("node {node} was back after {back:?}, answers so far {:?}", commands_answered(&servers[node]));
    sleep(PERIOD.saturating_sub(began.elapsed()));
}

#[test]
fn books_add_up_while_nodes_are_killed() {
    let (shop, mut galera) = open(&WAIT);
    let mut crowd = Crowd::new(32, &shop.all(), &shop.token);
    let is_over = AtomicBool::new(false);
    let seen = scope(|threads| {
        let follower = threads.spawn(|| follow(&mut shop.client(1), &is_over));
        crowd.work(|| {
            sleep(Duration::from_secs(2));
            (0..2 * NODES).for_each(|nth| kill(&mut galera, &shop.servers, nth % NODES));
        });
        is_over.store(true, Ordering::Relaxed);
        follower.join().unwrap()
    });
    println!("{}; {}", crowd.summary(), shop.summary());
    crowd.assert_no_wrong_answer();
    let (history, found) = (history_of(&crowd.shoppers), shop.look());
    let (lost, wrong): (Vec<_>, Vec<_>) =
        audit(&history, &found, OPENING).into_iter().partition(|finding| finding.ends_with("is lost"));
    println!("{} answered orders are lost, {} are there", lost.len(), found.orders.len());
    if lost.is_empty() {
        assert!(wrong.is_empty(), "{wrong:#?}");
        check_followed(&seen, &follow(&mut shop.client(0), &AtomicBool::new(true)));
    }
}

#[test]
fn nothing_is_oversold_while_nodes_are_killed() {
    let (shop, mut galera) = open(&WAIT);
    let sale = Sale::of(&shop, 200);
    sale.hold(32, || {
        for nth in 0..2 * NODES {
            sale.restock(400, &format!("restock-{nth}"));
            kill(&mut galera, &shop.servers, nth % NODES);
        }
        sale.await_refusals(50);
    });
    println!("{}", shop.summary());
    println!("{} answered orders are lost", sale.check());
    shop.look();
}
