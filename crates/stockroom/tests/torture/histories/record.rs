//! Recording what clients ask and are told, with the moments of both.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;

use domain::{Action, Actor, Role, UserId};
use serde_json::{Value, json};

use crate::callers::{Caller, PASSWORD};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

const CLIENTS: usize = 8;
const OPERATIONS: usize = 100;
const PRODUCTS: usize = 3;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// To place an order of products and quantities.
    Place(Vec<(i64, i64)>),
    /// To do something to an order.
    Act(i64, Action),
    /// To take pieces of a product in, or out if negative.
    Move(i64, i64),
    /// What there is of a product.
    Product(i64),
    /// How an order stands.
    Order(i64),
}

/// A question and its answer; the moments are numbers that grow.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) actor: Actor,
    pub(super) ask: Ask,
    pub(super) request_id: String,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) status: u16,
    pub(super) body: Value,
}

/// An event as the log has it.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) request_id: String,
    pub(super) kind: String,
}

/// A product as it was before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) id: i64,
    pub(super) on_hand: i64,
    pub(super) price_cents: i64,
}

/// All that happened to some products.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) products: Vec<Opening>,
    /// The number of the first order that was placed afterwards.
    pub(super) first_order: i64,
    pub(super) operations: Vec<Operation>,
    /// In the order of the log.
    pub(super) events: Vec<Logged>,
}

/// Accounts in a shop, and how far its log has been read.
pub(super) struct Recorder {
    accounts: Vec<(Actor, String)>,
    seen: i64,
    orders: i64,
}

impl Recorder {
    /// Makes two who work here, and two customers.
    pub(super) fn new(place: &Place) -> Self {
        let roles =
            [("ann", Role::Admin), ("bob", Role::Staff), ("cat", Role::Customer), ("dan", Role::Customer)];
        for (name, role) in roles {
            place.add_user(name, role.word(), PASSWORD).succeeded();
        }
        let server = Server::start(place, &[]);
        let account = |(name, role): (&str, Role)| {
            let token = server.token(name, PASSWORD);
            let me = server.client().with_token(&token).get("/api/v1/auth/me");
            (Actor { user_id: Some(UserId(me["id"].as_i64().unwrap())), role, key: None }, token)
        };
        let accounts = roles.map(account).to_vec();
        assert_eq!(server.stop(), 0);
        Self { accounts, seen: 0, orders: 0 }
    }

    /// Lets the clients work on products of their own, and reads what the log says about it.
    pub(super) fn record(&mut self, server: &Server, seed: u64) -> History {
        let mut client = server.client().with_token(&self.accounts[0].1);
        let products: Vec<Opening> = (0..PRODUCTS).map(|number| open_product(&mut client, number)).collect();
        self.read_log(&mut client);
        let (moments, known) = (AtomicU64::new(1), Mutex::new(Vec::new()));
        let operations: Vec<Operation> = scope(|threads| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (actor, token) = self.accounts[number % self.accounts.len()].clone();
                    let mut client = Worker {
                        chance: Caller::new(seed * 64 + u64::try_from(number).unwrap() * 2 + 1),
                        name: format!("h{seed}-{number}"),
                        client: server.client().with_token(&token),
                        actor,
                        products: &products,
                        moments: &moments,
                        orders: &known,
                    };
                    threads.spawn(move || (0..OPERATIONS).map(|nth| client.work(nth)).collect::<Vec<_>>())
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let first_order = self.orders + 1;
        let events = self.read_log(&mut client);
        self.orders +=
            i64::try_from(events.iter().filter(|event| event.kind == "order_placed").count()).unwrap();
        History { products, first_order, operations, events }
    }

    /// What the log has that was not read before.
    fn read_log(&mut self, client: &mut Client) -> Vec<Logged> {
        let mut events = Vec::new();
        loop {
            let page = client.get(&format!("/api/v1/events?after={}&limit=1000", self.seen));
            let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
            let logged = |event| Logged { request_id: text(event, "request_id"), kind: text(event, "kind") };
            let more: Vec<Logged> = page["events"].as_array().unwrap().iter().map(logged).collect();
            self.seen = page["next_after"].as_i64().unwrap();
            if more.is_empty() {
                return events;
            }
            events.extend(more);
        }
    }
}

/// A product of which there is too little for everybody.
fn open_product(client: &mut Client, number: usize) -> Opening {
    let (price_cents, on_hand) = (i64::try_from(number).unwrap() * 100 + 7, 25);
    let body =
        json!({"name": format!("Product {number}"), "price_cents": price_cents, "stock_quantity": on_hand});
    let id = client.call("POST", "/api/v1/products", Some(&body)).expect(201)["id"].as_i64().unwrap();
    Opening { id, on_hand, price_cents }
}

/// One client.
struct Worker<'a> {
    chance: Caller,
    name: String,
    client: Client,
    actor: Actor,
    products: &'a [Opening],
    moments: &'a AtomicU64,
    /// Orders that anybody has heard of.
    orders: &'a Mutex<Vec<i64>>,
}

impl Worker<'_> {
    fn work(&mut self, nth: usize) -> Operation {
        let ask = self.think();
        let (method, path, body) = request(&ask);
        let request_id = format!("{}-{nth}", self.name);
        let began = self.moments.fetch_add(1, Ordering::SeqCst);
        let answer =
            self.client.send_with(method, &path, &[("X-Request-Id", &request_id)], body.as_ref()).unwrap();
        let ended = self.moments.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        if let (Ask::Place(_), Some(order)) = (&ask, body["order_id"].as_i64()) {
            self.orders.lock().unwrap().push(order);
        }
        Operation { actor: self.actor, ask, request_id, began, ended, status: answer.status, body }
    }

    /// What to ask next. Customers place, cancel and look.
    fn think(&mut self) -> Ask {
        let product = self.product();
        let order = {
            let orders = self.orders.lock().unwrap();
            let count = i64::try_from(orders.len()).unwrap();
            // Mostly one of the latest, so that several want something of it.
            let back = self.chance.below(6.min(count.max(1)));
            usize::try_from(count - 1 - back).ok().map(|at| orders[at])
        };
        let staff = self.actor.is_staff();
        match (self.chance.below(20), order) {
            (0..=6, _) | (_, None) => {
                let mut lines = vec![(product, 1 + self.chance.below(4))];
                let other = self.product();
                if other != product {
                    lines.push((other, 1 + self.chance.below(2)));
                }
                Ask::Place(lines)
            }
            (7 | 8, Some(order)) if staff => Ask::Act(order, Action::Confirm),
            (9, Some(order)) if staff => Ask::Act(order, Action::Pay),
            (10 | 11, Some(order)) if staff => Ask::Act(order, Action::Ship),
            (12, _) if staff => Ask::Move(product, 1 + self.chance.below(4)),
            (13, _) if staff => Ask::Move(product, -1 - self.chance.below(3)),
            (7..=15, Some(order)) => Ask::Act(order, Action::Cancel),
            (16 | 17, Some(order)) => Ask::Order(order),
            _ => Ask::Product(product),
        }
    }

    fn product(&mut self) -> i64 {
        let count = i64::try_from(self.products.len()).unwrap();
        self.products[usize::try_from(self.chance.below(count)).unwrap()].id
    }
}

fn request(ask: &Ask) -> (&'static str, String, Option<Value>) {
    match ask {
        Ask::Place(lines) => {
            let item = |(id, quantity): &(i64, i64)| json!({"product_id": id, "quantity": quantity});
            let body = json!({"items": lines.iter().map(item).collect::<Vec<_>>()});
            ("POST", "/api/v1/orders".to_owned(), Some(body))
        }
        Ask::Act(order, action) => ("POST", format!("/api/v1/orders/{order}/{}", action.word()), None),
        Ask::Move(id, quantity) => {
            let verb = if *quantity > 0 { "increment" } else { "decrement" };
            let body = json!({"quantity": quantity.abs()});
            ("POST", format!("/api/v1/products/{id}/stock/{verb}"), Some(body))
        }
        Ask::Product(id) => ("GET", format!("/api/v1/products/{id}"), None),
        Ask::Order(id) => ("GET", format!("/api/v1/orders/{id}"), None),
    }
}
