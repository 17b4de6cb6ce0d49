//! What it costs that several nodes write: a table for docs/SCALING.md.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use testbed::Galera;

use crate::callers::PRODUCTS;
use crate::cluster::{NODES, SECRET, Shop, open};
use crate::program::Place;
use crate::server::Server;

/// How long each arrangement is measured.
const WHILE: Duration = Duration::from_secs(10);

/// What one server's callers saw.
struct Seen {
    callers: usize,
    /// How long each order took.
    took: Vec<Duration>,
}

impl Seen {
    fn percentile(&self, percent: usize) -> Duration {
        self.took[(self.took.len() - 1) * percent / 100]
    }
}

/// Orders two products at a time, in either order, at each server by so many callers.
fn order(servers: &[Server], token: &str, callers: &[usize]) -> Vec<Seen> {
    let is_over = &AtomicBool::new(false);
    scope(|threads| {
        let crowds: Vec<Vec<_>> = servers
            .iter()
            .zip(callers)
            .map(|(server, callers)| {
                let call = |caller: usize| {
                    threads.spawn(move || {
                        let (mut client, mut took) = (server.client().with_token(token), Vec::new());
                        for nth in caller.. {
                            if is_over.load(Ordering::Relaxed) {
                                break;
                            }
                            let lines = [nth, nth + 1 + nth / 7].map(|product| {
                                json!({"product_id": product % usize::try_from(PRODUCTS).unwrap() + 1, "quantity": 1})
                            });
                            let began = Instant::now();
                            client.call("POST", "/api/v1/orders", Some(&json!({"items": lines}))).expect(201);
                            took.push(began.elapsed());
                        }
                        took
                    })
                };
                (0..*callers).map(call).collect()
            })
            .collect();
        sleep(WHILE);
        is_over.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for (crowd, callers) in crowds.into_iter().zip(callers) {
            let mut took: Vec<_> = crowd.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
            took.sort_unstable();
            seen.push(Seen { callers: *callers, took });
        }
        seen
    })
}

/// Measures so many callers at a server on each of these nodes, one after the other a line of the table.
fn measure(what: &str, galera: &Galera, token: &str, nodes: &[usize], callers: &[usize]) {
    let urls = galera.urls("stockroom");
    let place = |node: &usize| {
        Place::new()
            .variable("STOCKROOM_DATABASE_URL", &urls[*node])
            .variable("STOCKROOM_SECRET", SECRET)
            .variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true")
    };
    let places: Vec<Place> = nodes.iter().map(place).collect();
    let servers: Vec<Server> = places.iter().map(|place| Server::start(place, &[])).collect();
    // Connections and statements are there when it counts.
    for server in &servers {
        server.client().with_token(token).get("/api/v1/products");
    }
    let seen = order(&servers, token, callers);
    let shop = Shop { servers, places, token: token.to_owned() };
    let batches: u64 = shop.count("stockroom_commit_batch_size_count").iter().sum();
    let conflicts: u64 = shop.conflicts().iter().sum();
    let orders: usize = seen.iter().map(|seen| seen.took.len()).sum();
    let rate = u128::try_from(orders).unwrap() * 1000 / WHILE.as_millis();
    let share = conflicts * 100 / (conflicts + batches).max(1);
    println!("{what}: {rate} orders/s; {batches} batches, {conflicts} conflicts ({share} % of attempts)");
    for Seen { callers, .. } in &seen {
        assert!(*callers > 0);
    }
    for seen in seen {
        let [half, most, all] = [50, 99, 100].map(|percent| seen.percentile(percent).as_millis());
        println!("    {} callers: {} orders, {half} / {most} / {all} ms", seen.callers, seen.took.len());
    }
}

#[test]
fn one_writing_node_and_three() {
    let (shop, galera) = open(&[]);
    let Shop { servers, token, .. } = shop;
    drop(servers);
    println!("median / 99 % / longest");
    for _ in 0..2 {
        measure("one server, one node", &galera, &token, &[0], &[36]);
        measure("three servers, one node", &galera, &token, &[0; NODES], &[12; NODES]);
        measure("three servers, three nodes", &galera, &token, &[0, 1, 2], &[12; NODES]);
        measure("a busy node beside two quiet ones", &galera, &token, &[0, 1, 2], &[34, 1, 1]);
    }
}
