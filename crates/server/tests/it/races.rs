//! Many clients at once, over real connections: nothing is sold twice, nothing is lost, nobody is told otherwise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use domain::{OrderId, ProductId};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use server::settings::Settings;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::harness::{Caller, TestApp};

const ORDERS: &str = "/api/v1/orders";
pub(crate) const CLIENTS: usize = 64;

/// A client with a connection of its own.
pub(crate) struct Racer {
    pub(crate) number: usize,
    address: SocketAddr,
    pub(crate) token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What it was told.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Racer {
    fn new(caller: &Caller<'_>, number: usize) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { number, address: caller.app.address, token: caller.token.clone(), client }
    }

    /// Posts, or says that the connection did not carry it through.
    async fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<Told> {
        self.try_send(Method::POST, path, headers, body).await
    }

    /// Sends, or says that the connection did not carry it through.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<Told> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
        let (parts, body) = self.client.request(request).await.ok()?.into_parts();
        let text = String::from_utf8(body.collect().await.ok()?.to_bytes().to_vec()).unwrap();
        Some(Told { status: parts.status.as_u16(), headers: parts.headers, text })
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Told {
        self.try_post(path, headers, body).await.unwrap()
    }

    /// Asks for an order: true when it was placed, false when there was too little; anything else is a failure.
    async fn order(&self, lines: &[(i64, i64)]) -> bool {
        let told = self.post(ORDERS, &[], &order(lines)).await;
        match told.status {
            201 => true,
            409 if told.code() == "INSUFFICIENT_STOCK" => false,
            status => panic!("{status}: {}", told.text),
        }
    }
}

pub(crate) fn order(lines: &[(i64, i64)]) -> Value {
    let line = |(id, quantity): &(i64, i64)| json!({"product_id": id, "quantity": quantity});
    json!({"items": lines.iter().map(line).collect::<Vec<_>>()})
}

/// Lets so many clients run at the same time, each with a connection of its own; gives what each came to.
pub(crate) async fn race<T, F>(caller: &Caller<'_>, clients: usize, run: impl Fn(Racer) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(clients));
    let mut running = JoinSet::new();
    for number in 0..clients {
        let racer = Racer::new(caller, number);
        let (start, run) = (Arc::clone(&start), run(racer));
        running.spawn(async move {
            start.wait().await;
            run.await
        });
    }
    running.join_all().await
}

/// Pieces on hand and held by orders.
pub(crate) async fn level(app: &TestApp, product: i64) -> (i64, i64) {
    let level = app.store.product(ProductId(product)).await.unwrap().unwrap().level;
    (level.on_hand, level.allocated)
}

/// How many pieces all orders ask for.
async fn pieces_sold(caller: &Caller<'_>) -> i64 {
    caller.get(ORDERS).await.expect(200)["total_quantity"].as_i64().unwrap()
}

async fn hot(settings: Settings) {
    let app = TestApp::start_with(settings).await;
    let root = app.admin().await;
    let product = app.product(&root, "Hot", 100, 100).await;
    let placed = race(&root, CLIENTS, |racer| async move {
        let mut placed = 0;
        for _ in 0..4 {
            placed += i64::from(racer.order(&[(product, 1)]).await);
        }
        placed
    });
    assert_eq!(placed.await.iter().sum::<i64>(), 100);
    assert_eq!(level(&app, product).await, (100, 100));
    assert_eq!(pieces_sold(&root).await, 100);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hundred_pieces_of_one_product_are_sold_once() {
    hot(Settings::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hundred_pieces_are_sold_once_also_one_command_at_a_time() {
    hot(Settings { max_batch: 1, ..Settings::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hundred_pieces_of_twenty_products_are_sold_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let mut products = Vec::new();
    for number in 0..20 {
        products.push(app.product(&root, &format!("Spread {number}"), 100, 5).await);
    }
    let products: Arc<[i64]> = products.into();
    let shelf = Arc::clone(&products);
    let placed = race(&root, CLIENTS, move |racer| {
        let shelf = Arc::clone(&shelf);
        async move {
            let mut placed = 0;
            for attempt in 0..10 {
                let product = shelf[(racer.number * 7 + attempt * 3) % shelf.len()];
                placed += i64::from(racer.order(&[(product, 1)]).await);
            }
            placed
        }
    });
    assert_eq!(placed.await.iter().sum::<i64>(), 100);
    for product in products.iter() {
        assert_eq!(level(&app, *product).await, (5, 5));
    }
    assert_eq!(pieces_sold(&root).await, 100);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_name_products_in_opposite_order_do_not_lock_each_other_out() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let mut products = Vec::new();
    for name in ["A", "B", "C", "D", "E", "F", "G", "H"] {
        products.push(app.product(&root, name, 100, 100).await);
    }
    let products: Arc<[i64]> = products.into();
    let shelf = Arc::clone(&products);
    let placed = race(&root, CLIENTS, move |racer| {
        let shelf = Arc::clone(&shelf);
        async move {
            let mut placed = 0;
            for attempt in 0..3 {
                let mut lines: Vec<_> = shelf.iter().map(|product| (*product, 1)).collect();
                lines.rotate_left((racer.number + attempt) % shelf.len());
                if racer.number % 2 == 1 {
                    lines.reverse();
                }
                placed += i64::from(racer.order(&lines).await);
            }
            placed
        }
    });
    assert_eq!(placed.await.iter().sum::<i64>(), 100);
    for product in products.iter() {
        assert_eq!(level(&app, *product).await, (100, 100));
    }
    assert_eq!(pieces_sold(&root).await, 800);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crossed_orders_of_unequal_size_take_all_or_nothing() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let mut products = Vec::new();
    for name in ["A", "B", "C", "D", "E", "F", "G", "H"] {
        products.push(app.product(&root, name, 100, 100).await);
    }
    let products: Arc<[i64]> = products.into();
    let shelf = Arc::clone(&products);
    let sold = race(&root, CLIENTS, move |racer| {
        let shelf = Arc::clone(&shelf);
        async move {
            let mut sold = vec![0; shelf.len()];
            for attempt in 0..6 {
                let (one, other) = ((racer.number + attempt) % 8, (racer.number * 3 + 5 * attempt + 1) % 8);
                let lines = [(one, [1, 2, 3, 4, 5][(racer.number + attempt) % 5]), (other, 3)];
                if one != other && racer.order(&lines.map(|(at, quantity)| (shelf[at], quantity))).await {
                    lines.iter().for_each(|(at, quantity)| sold[*at] += quantity);
                }
            }
            sold
        }
    });
    let sold = sold.await;
    for (at, product) in products.iter().enumerate() {
        let sum: i64 = sold.iter().map(|sold| sold[at]).sum();
        assert!(sum <= 100, "{sum}");
        assert_eq!(level(&app, *product).await, (100, sum));
    }
    assert_eq!(pieces_sold(&root).await, sold.iter().flatten().sum::<i64>());
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_without_effect() {
    let app = TestApp::start_with(Settings { queue_limit: 1, max_batch: 1, ..Settings::default() }).await;
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 1_000).await;
    let placed = race(&root, CLIENTS, |racer| async move {
        let mut placed = 0;
        for _ in 0..8 {
            let told = racer.post(ORDERS, &[], &order(&[(product, 1)])).await;
            match told.status {
                201 => placed += 1,
                503 => assert_eq!(
                    (told.code().as_str(), &told.headers["retry-after"]),
                    ("OVERLOADED", &"1".parse().unwrap())
                ),
                status => panic!("{status}: {}", told.text),
            }
        }
        placed
    });
    let placed = placed.await.iter().sum::<i64>();
    assert!(placed > 0);
    assert_eq!(level(&app, product).await, (1_000, placed));
    assert_eq!(pieces_sold(&root).await, placed);
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_clients_with_one_key_place_one_order() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 1_000).await;
    for round in 0..10 {
        let key = format!("round-{round}");
        let bodies = race(&root, 20, move |racer| {
            let key = key.clone();
            async move {
                loop {
                    let told =
                        racer.post(ORDERS, &[("idempotency-key", &key)], &order(&[(product, 2)])).await;
                    match told.status {
                        201 => return (told.headers.contains_key("idempotency-replayed"), told.text),
                        409 if told.code() == "IDEMPOTENCY_IN_PROGRESS" => {
                            assert_eq!(told.headers["retry-after"], "1");
                        }
                        status => panic!("{status}: {}", told.text),
                    }
                }
            }
        });
        let bodies = bodies.await;
        assert!(bodies.iter().all(|(_, body)| *body == bodies[0].1));
        assert_eq!(bodies.iter().filter(|(replayed, _)| !replayed).count(), 1);
        assert_eq!(level(&app, product).await, (1_000, (round + 1) * 2));
    }
    app.verify().await;
}

/// How often an event happened to an order.
async fn times(app: &TestApp, id: i64, kind: &str) -> usize {
    let events = app.store.timeline(OrderId(id)).await.unwrap();
    events.iter().filter(|event| event.kind == kind).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_and_cancelling_one_version_has_one_winner() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 100).await;
    for id in 1..=20 {
        root.post(ORDERS, order(&[(product, 5)])).await.expect(201);
        let told = race(&root, 16, move |racer| async move {
            let verb = if racer.number % 2 == 0 { "confirm" } else { "cancel" };
            let told =
                racer.post(&format!("{ORDERS}/{id}/{verb}"), &[("if-match", "\"1\"")], &json!({})).await;
            (verb, told)
        });
        let told = told.await;
        let order = root.get(&format!("{ORDERS}/{id}")).await.expect(200);
        assert_eq!(order["version"], 2);
        let (winner, loser, refusal) = match order["status"].as_str() {
            Some("confirmed") => ("confirm", "cancel", "PRECONDITION_FAILED"),
            Some("cancelled") => ("cancel", "confirm", "INVALID_TRANSITION"),
            _ => panic!("{order}"),
        };
        for (verb, told) in told {
            if verb == winner {
                // What stands already is not done twice.
                assert_eq!((told.status, told.json()), (200, order.clone()));
            } else {
                assert_eq!((verb, told.code().as_str()), (loser, refusal), "{}", told.text);
            }
        }
        let (confirmed, cancelled) =
            (times(&app, id, "order_confirmed").await, times(&app, id, "order_cancelled").await);
        assert_eq!(confirmed + cancelled, 1);
        assert_eq!(level(&app, product).await, (100, if winner == "confirm" { 5 } else { 0 }));
        root.post(&format!("{ORDERS}/{id}/cancel"), json!({})).await.expect(200);
        assert_eq!(level(&app, product).await, (100, 0));
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipping_and_cancelling_have_one_winner_and_stock_comes_back_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 1_000).await;
    let mut on_hand = 1_000;
    for id in 1..=20 {
        root.post(ORDERS, json!({"status": "paid", "items": [{"product_id": product, "quantity": 5}]}))
            .await
            .expect(201);
        let told = race(&root, 16, move |racer| async move {
            let verb = if racer.number % 2 == 0 { "ship" } else { "cancel" };
            (verb, racer.post(&format!("{ORDERS}/{id}/{verb}"), &[], &json!({})).await)
        });
        let told = told.await;
        let order = root.get(&format!("{ORDERS}/{id}")).await.expect(200);
        let winner = if order["status"] == "shipped" { "ship" } else { "cancel" };
        for (verb, told) in told {
            match verb == winner {
                true => assert_eq!((told.status, told.json()), (200, order.clone())),
                false => assert_eq!((told.status, told.code().as_str()), (409, "INVALID_TRANSITION")),
            }
        }
        on_hand -= if winner == "ship" { 5 } else { 0 };
        let (shipped, cancelled) =
            (times(&app, id, "order_shipped").await, times(&app, id, "order_cancelled").await);
        assert_eq!((shipped, cancelled), if winner == "ship" { (1, 0) } else { (0, 1) });
        assert_eq!(level(&app, product).await, (on_hand, 0));
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_under_load_answers_what_it_accepted_and_keeps_what_it_answered() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let product = app.product(&root, "Tea", 100, 1_000_000).await;
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        let racer = Racer::new(&root, number);
        running.spawn(async move {
            let mut placed = Vec::new();
            while let Some(told) = racer.try_post(ORDERS, &[], &order(&[(product, 1)])).await {
                assert_eq!(told.status, 201, "{}", told.text);
                placed.push(told.json()["order_id"].as_i64().unwrap());
            }
            placed
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let app = app.restart(Settings::default()).await;
    let mut placed: Vec<i64> = running.join_all().await.into_iter().flatten().collect();
    placed.sort_unstable();
    assert!(placed.len() > CLIENTS, "{}", placed.len());
    // Every order that is stored was answered, and every one that was answered is stored.
    let root = app.log_in("root").await;
    let count = i64::try_from(placed.len()).unwrap();
    assert_eq!(placed, (1..=count).collect::<Vec<_>>());
    assert_eq!(pieces_sold(&root).await, count);
    assert_eq!(level(&app, product).await, (1_000_000, count));
    app.verify().await;
}
