//! Callers who know what they were told, and a look at what became of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use crate::history::{Ask, Found, FoundOrder, Sent, audit};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// Products there are, with the numbers from 1 on.
pub(crate) const PRODUCTS: i64 = 4;
/// Pieces of each product at first: more than all that is ordered.
pub(crate) const OPENING: i64 = 100_000_000_000;
/// Of the administrator ann.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// One caller with what it was told.
#[derive(Default)]
pub(crate) struct Caller {
    random: u64,
    is_patient: bool,
    /// Its orders that are not cancelled: mark and number.
    open: Vec<(i64, i64)>,
    pub(crate) sent: Vec<Sent>,
    /// How many repeated commands turned out to be done already.
    pub(crate) replayed: usize,
}

impl Caller {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: seed | 1, ..Self::default() }
    }

    /// Takes 408, 503 and 504 for no answer: a command to be repeated later.
    pub(crate) fn patient(self) -> Self {
        Self { is_patient: true, ..self }
    }

    /// A number from 0 to `limit - 1`; xorshift.
    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random >> 1).unwrap() % limit
    }

    /// What to do next.
    fn think(&mut self, marks: &AtomicI64) -> Ask {
        let product = 2 + self.below(PRODUCTS - 1);
        let quantity = 1 + self.below(9);
        let one = usize::try_from(self.below(i64::try_from(self.open.len()).unwrap().max(1))).unwrap();
        match (self.below(10), self.open.get(one).copied()) {
            (5 | 6, Some((mark, id))) => Ask::Confirm(mark, id),
            (7, Some((mark, id))) => Ask::Cancel(mark, id),
            (8, _) => Ask::Increment(product, quantity),
            (9, _) => Ask::Decrement(product, quantity),
            _ => {
                let mut lines = vec![(1, marks.fetch_add(1, Ordering::Relaxed))];
                lines.extend((2..=product).map(|id| (id, quantity)));
                Ask::Place(lines)
            }
        }
    }

    /// Places, confirms, cancels and adjusts until a request stays without an answer.
    pub(crate) fn work(&mut self, client: &mut Client, marks: &AtomicI64) {
        loop {
            let ask = self.think(marks);
            self.open.retain(|order| !matches!(ask, Ask::Cancel(mark, _) if mark == order.0));
            let key = format!("{:x}-{}", self.random, self.sent.len());
            self.sent.push(Sent { key, ask, done: None });
            if !self.deliver(client, self.sent.len() - 1) {
                return;
            }
        }
    }

    /// Sends a command, for the first time or again, and notes its answer. `false` if there was none.
    fn deliver(&mut self, client: &mut Client, at: usize) -> bool {
        let Sent { key, ask, .. } = &self.sent[at];
        let (path, body) = ask.request();
        let Ok(answer) = client.send("POST", &path, Some(key), body.as_ref()) else { return false };
        if self.is_patient && matches!(answer.status, 408 | 503 | 504) {
            return false;
        }
        self.replayed += usize::from(answer.is_replayed);
        let done = answer.expect(if matches!(ask, Ask::Place(_)) { 201 } else { 200 });
        if let Ask::Place(lines) = ask {
            self.open.push((lines[0].1, done["order_id"].as_i64().unwrap()));
        }
        self.sent[at].done = Some(done);
        true
    }

    /// Repeats what was answered last, which must be answered alike, and then what stayed without an answer.
    pub(crate) fn repeat(&mut self, client: &mut Client) {
        let unanswered = self.sent.iter().position(|sent| sent.done.is_none());
        if let Some(Sent { key, ask, done }) = self.sent.iter().rfind(|sent| sent.done.is_some()) {
            let (path, body) = ask.request();
            let answer = client.send("POST", &path, Some(key), body.as_ref()).unwrap();
            assert!(answer.is_replayed, "{key}: {}", answer.text);
            assert_eq!(serde_json::from_str::<Value>(&answer.text).ok(), *done, "{key}");
        }
        if let Some(at) = unanswered {
            assert!(self.deliver(client, at));
        }
    }
}

/// A place with an administrator and the products; returns the administrator's token.
pub(crate) fn furnish(place: &Place, flags: &[&str]) -> String {
    place.add_user("ann", "admin", PASSWORD).succeeded();
    let server = Server::start(place, flags);
    let token = server.token("ann", PASSWORD);
    let mut client = server.client().with_token(&token);
    for number in 1..=PRODUCTS {
        let product =
            json!({"name": format!("Product {number}"), "price_cents": 100, "stock_quantity": OPENING});
        client.call("POST", "/api/v1/products", Some(&product)).expect(201);
    }
    assert_eq!(server.stop(), 0);
    token
}

/// Everything there is in the shop, read over HTTP. The totals of the list must be those of its orders.
pub(crate) fn look(client: &mut Client) -> Found {
    let mut found = Found::default();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/orders?limit=100&sort=id{cursor}"));
        found.orders.extend(page["orders"].as_array().unwrap().iter().map(FoundOrder::read));
        let Some(next) = page["next_cursor"].as_str() else {
            let sum: i64 = found.orders.iter().flat_map(|order| &order.lines).map(|line| line.1).sum();
            assert_eq!(page["total_quantity"], sum, "the totals are not those of the orders");
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let products = client.get("/api/v1/products?limit=100");
    let number = |value: &Value| value.as_i64().unwrap();
    let level = |product: &Value| {
        (number(&product["id"]), (number(&product["on_hand"]), number(&product["allocated"])))
    };
    found.stock = products["products"].as_array().unwrap().iter().map(level).collect::<BTreeMap<_, _>>();
    found
}

/// All that was sent, by whomever; the commands of one order are its caller's and so in order.
pub(crate) fn history_of(callers: &[Caller]) -> Vec<Sent> {
    callers.iter().flat_map(|caller| caller.sent.iter().cloned()).collect()
}

/// Holds what the callers were told against what there is.
#[track_caller]
pub(crate) fn check(callers: &[Caller], found: &Found, when: &str) {
    let findings = audit(&history_of(callers), found, OPENING);
    assert!(findings.is_empty(), "{when}: {findings:#?}");
}

/// The same history against a shop that has lost, doubled, halved or forgotten something.
pub(crate) fn the_audit_would_have_noticed(history: &[Sent], right: &Found) {
    let unnoticed = |what: &str, change: fn(&mut Found)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(!audit(history, &wrong, OPENING).is_empty(), "{what} went unnoticed");
    };
    unnoticed("a lost order", |found| found.orders.truncate(found.orders.len() - 1));
    unnoticed("a doubled order", |found| {
        let copy = found.orders[found.orders.len() / 2].clone();
        found.orders.push(FoundOrder { id: 1_000_000, ..copy });
    });
    unnoticed("half an order", |found| {
        let whole = found.orders.iter_mut().find(|order| order.lines.len() > 1).unwrap();
        whole.lines.truncate(1);
    });
    unnoticed("a forgotten confirmation", |found| {
        let confirmed = found.orders.iter_mut().find(|order| order.status == "confirmed").unwrap();
        confirmed.status = "pending".to_owned();
    });
    unnoticed("a doubled adjustment", |found| found.stock.get_mut(&2).unwrap().0 += 1);
}
