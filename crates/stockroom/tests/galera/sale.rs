//! A sale: one product of which more are wanted than there are, sold at all servers at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Shop;
use crate::crowd::PATIENCE;
use crate::http::{Answer, Client};

/// One product that everybody wants.
pub(crate) struct Sale<'a> {
    shop: &'a Shop,
    product: i64,
    told: Mutex<Told>,
}

/// What buyers and staff were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pieces: i64,
    /// Orders that were placed and not cancelled, and those that were cancelled.
    live: BTreeSet<i64>,
    cancelled: BTreeSet<i64>,
    /// How often there were no pieces left.
    refused: usize,
    /// Orders that were answered and could not be found afterwards.
    lost: BTreeSet<i64>,
}

impl<'a> Sale<'a> {
    /// Puts so many pieces on sale.
    #[track_caller]
    pub(crate) fn of(shop: &'a Shop, pieces: i64) -> Self {
        let product = json!({"name": "Hot", "price_cents": 100, "stock_quantity": pieces});
        let made = settle(&mut shop.clients(0), "/api/v1/products", "the-hot-product", Some(&product));
        let product = made.expect(201)["id"].as_i64().unwrap();
        Self { shop, product, told: Mutex::new(Told { pieces, ..Told::default() }) }
    }

    /// Has so many buyers order one piece again and again, each time at the next server, and cancel one order of four,
    /// while `meanwhile` happens.
    pub(crate) fn hold(&self, buyers: usize, meanwhile: impl FnOnce()) {
        let is_over = &AtomicBool::new(false);
        scope(|threads| {
            for buyer in 0..buyers {
                threads.spawn(move || {
                    let mut clients = self.shop.clients(buyer);
                    let mut time = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        clients.rotate_left(1);
                        self.buy(&mut clients, &format!("{buyer}-{time}"), time % 4 == 3);
                        time += 1;
                    }
                });
            }
            let _guard = Over(is_over);
            meanwhile();
        });
    }

    /// One order, and perhaps its end.
    fn buy(&self, clients: &mut [Client], key: &str, then_cancel: bool) {
        let order = json!({"items": [{"product_id": self.product, "quantity": 1}]});
        let answer = settle(clients, "/api/v1/orders", &format!("buy-{key}"), Some(&order));
        if answer.status == 409 {
            assert!(answer.text.contains("INSUFFICIENT_STOCK"), "{}", answer.text);
            self.told().refused += 1;
            // Whoever finds nothing looks around before coming back.
            sleep(Duration::from_millis(50));
            return;
        }
        let id = answer.expect(201)["order_id"].as_i64().unwrap();
        let is_new = |orders: &mut BTreeSet<i64>| assert!(orders.insert(id), "order {id} was given twice");
        if !then_cancel {
            return is_new(&mut self.told().live);
        }
        // At the next server, which must know of it.
        clients.rotate_left(1);
        let path = format!("/api/v1/orders/{id}/cancel");
        let answer = settle(clients, &path, &format!("cancel-{key}"), None);
        if answer.status == 404 {
            is_new(&mut self.told().lost);
        } else {
            answer.expect(200);
            is_new(&mut self.told().cancelled);
        }
    }

    /// Adds pieces.
    #[track_caller]
    pub(crate) fn restock(&self, pieces: i64, key: &str) {
        let path = format!("/api/v1/products/{}/stock/increment", self.product);
        settle(&mut self.shop.clients(0), &path, key, Some(&json!({"quantity": pieces}))).expect(200);
        self.told().pieces += pieces;
    }

    /// Waits until so many more buyers were told that there are no pieces left.
    #[track_caller]
    pub(crate) fn await_refusals(&self, more: usize) {
        let (began, before) = (Instant::now(), self.told().refused);
        while self.told().refused < before + more {
            assert!(began.elapsed() < PATIENCE, "there is no end of pieces: {:?}", self.told());
            sleep(Duration::from_millis(20));
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// That no more was sold than there was, and that the books say on every node what the buyers were told. Answers with
    /// the number of orders that were answered and are lost.
    #[track_caller]
    pub(crate) fn check(&self) -> usize {
        let mut told = self.told();
        let Told { pieces, live, cancelled, refused, mut lost } = std::mem::take(&mut *told);
        assert!(live.is_disjoint(&cancelled), "an order was given twice");
        assert!(refused > 0, "nobody wanted more than there was");
        for (orders, status) in [(&live, "pending"), (&cancelled, "cancelled")] {
            for order in orders {
                let found = self.shop.client(0).call("GET", &format!("/api/v1/orders/{order}"), None);
                if found.status == 404 || found.expect(200)["status"] != status {
                    lost.insert(*order);
                }
            }
        }
        let live = i64::try_from(live.difference(&lost).count()).unwrap();
        println!("{pieces} pieces: {live} sold, {} cancelled, {refused} refused", cancelled.len());
        assert!(live <= pieces, "{live} of {pieces} pieces were sold");
        for node in 0..self.shop.servers.len() {
            let found = self.shop.client(node).get(&format!("/api/v1/products/{}", self.product));
            let number = |name: &str| found[name].as_i64().unwrap();
            assert_eq!(number("available"), number("on_hand") - number("allocated"), "{found}");
            assert!(number("available") >= 0, "{found}");
            let as_told = number("on_hand") == pieces && number("allocated") == live;
            assert!(as_told || !lost.is_empty(), "{pieces} pieces, {live} sold, node {node} has {found}");
        }
        lost.len()
    }
}

/// Says that something is over, also when it ends with a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a command under a key to one server after the other until there is an answer for good.
#[track_caller]
pub(crate) fn settle(clients: &mut [Client], path: &str, key: &str, body: Option<&Value>) -> Answer {
    let began = Instant::now();
    loop {
        let answer = clients[0].send("POST", path, Some(key), body).unwrap();
        let is_in_progress = answer.status == 409 && answer.text.contains("IDEMPOTENCY_IN_PROGRESS");
        if !is_in_progress && !matches!(answer.status, 503 | 504) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
        clients.rotate_left(1);
        sleep(Duration::from_millis(20));
    }
}
