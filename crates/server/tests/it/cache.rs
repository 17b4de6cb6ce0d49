//! Answers that are sent again: to whom, until when, and how they show what other servers change.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use server::settings::Settings;
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, Caller, TestApp};

/// Longer than anything here takes.
const GENEROUS: Duration = Duration::from_secs(20);

/// The follower looks once, at the start, and what it saw then counts for a long time.
fn patient() -> Settings {
    Settings { cache_refresh: Duration::from_secs(3600), ..Settings::default() }
}

/// Waits until the follower has looked, after which answers are sent again.
async fn started(settings: Settings) -> TestApp {
    let app = TestApp::start_with(settings).await;
    followed(&app).await;
    app
}

async fn followed(app: &TestApp) {
    let deadline = Instant::now() + GENEROUS;
    let hits = app.metric("stockroom_cache_hits_total");
    while app.metric("stockroom_cache_hits_total") == hits {
        app.stranger().get("/compat/leafcraft/products/").await.expect(200);
        assert!(Instant::now() < deadline, "the follower never looked");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the answer to this request came from memory.
async fn is_kept(app: &TestApp, ask: impl Future<Output = Answer>) -> bool {
    let before = app.metric("stockroom_cache_hits_total");
    ask.await.expect(200);
    app.metric("stockroom_cache_hits_total") > before
}

async fn asking(caller: &Caller<'_>, path: &str, header: (&str, &str)) -> Answer {
    caller.send(Method::GET, path, &[header], None::<String>).await
}

fn order_of(product: i64, quantity: i64) -> Value {
    json!({"items": [{"product_id": product, "quantity": quantity}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_again_is_sent_again() {
    let app = started(patient()).await;
    let admin = app.admin().await;
    let product = app.product(&admin, "Tea", 100, 50).await;
    let order = admin.post("/api/v1/orders", order_of(product, 1)).await.expect(201)["order_id"].clone();
    for path in [
        format!("/api/v1/products/{product}"),
        format!("/api/v1/orders/{order}"),
        "/api/v1/products".to_owned(),
        "/api/v1/products?q=tea&sort=-name&page=1".to_owned(),
        "/api/v1/products/low-stock".to_owned(),
        "/api/v1/orders?limit=5".to_owned(),
        "/compat/leafcraft/orders/".to_owned(),
    ] {
        let first = admin.get(&path).await;
        first.expect(200);
        let misses = app.metric("stockroom_cache_misses_total");
        assert!(is_kept(&app, admin.get(&path)).await, "{path}");
        assert_eq!(app.metric("stockroom_cache_misses_total"), misses, "{path}");
        let second = admin.get(&path).await;
        assert_eq!((&second.text, second.header("etag")), (&first.text, first.header("etag")), "{path}");
        assert_eq!(second.header("content-type"), first.header("content-type"), "{path}");
        // Whoever wants it made anew gets it so, and refreshes what others get.
        let anew = ("cache-control", "max-age=60, No-Cache");
        assert!(!is_kept(&app, asking(&admin, &path, anew)).await, "{path}");
        if path.starts_with("/api/v1") {
            let again = asking(&admin, &path, ("if-none-match", first.header("etag"))).await;
            again.expect(304);
            assert_eq!(again.header("etag"), first.header("etag"), "{path}");
            let other = asking(&admin, &path, ("if-none-match", "\"another\"")).await;
            assert_eq!(other.text, first.text, "{path}");
        }
    }
    assert!(app.metric("stockroom_cache_bytes") > 0);
    // Further pages are asked for once.
    for path in ["/api/v1/products?page=2", "/api/v1/products?offset=20", "/api/v1/orders?offset=1"] {
        admin.get(path).await.expect(200);
        assert!(!is_kept(&app, admin.get(path)).await, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_keep_their_tags_while_they_are_the_same_and_not_longer() {
    for bytes in [0, 1 << 20] {
        let app = TestApp::start_with(Settings { cache_bytes: bytes, ..patient() }).await;
        let admin = app.admin().await;
        let product = app.product(&admin, "Tea", 100, 50).await;
        for (path, change) in
            [("/api/v1/products", json!({"name": "Green tea"})), ("/api/v1/orders", Value::Null)]
        {
            let first = admin.get(path).await.header("etag").to_owned();
            assert!(first.starts_with("W/\""), "{first}");
            asking(&admin, path, ("if-none-match", &first)).await.expect(304);
            if change.is_null() {
                admin.post("/api/v1/orders", order_of(product, 1)).await.expect(201);
            } else {
                admin.patch(&format!("/api/v1/products/{product}"), change).await.expect(200);
            }
            let changed = asking(&admin, path, ("if-none-match", &first)).await;
            changed.expect(200);
            assert_ne!(changed.header("etag"), first);
        }
        assert_eq!(app.metric("stockroom_cache_bytes") > 0, bytes > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let bytes = 64 * 1024;
    let app = started(Settings { cache_bytes: bytes, ..patient() }).await;
    let admin = app.admin().await;
    for number in 0..20 {
        app.product(&admin, &format!("Tea {number}"), 100, 50).await;
    }
    for limit in 1..=100 {
        admin.get(&format!("/api/v1/products?limit={limit}")).await.expect(200);
        assert!(app.metric("stockroom_cache_bytes") <= bytes as u64);
    }
    assert!(is_kept(&app, admin.get("/api/v1/products?limit=100")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_what_only_others_may_see() {
    let app = started(patient()).await;
    let admin = app.admin().await;
    let (alice, bob) =
        (app.user(&admin, "alice", "customer").await, app.user(&admin, "bob", "customer").await);
    let product = app.product(&admin, "Tea", 100, 50).await;
    let order = alice.post("/api/v1/orders", order_of(product, 1)).await.expect(201)["order_id"].clone();
    bob.post("/api/v1/orders", order_of(product, 2)).await.expect(201);
    let path = format!("/api/v1/orders/{order}");
    for caller in [&admin, &alice, &admin, &alice] {
        caller.get(&path).await.expect(200);
        bob.get(&path).await.problem(404, "ORDER_NOT_FOUND");
        app.stranger().get(&path).await.problem(401, "UNAUTHENTICATED");
    }
    for path in ["/api/v1/orders", "/api/v1/orders?sort=id", "/compat/leafcraft/orders/"] {
        for _ in 0..2 {
            let count = |answer: Value| answer.get("orders").unwrap_or(&answer).as_array().unwrap().len();
            assert_eq!(count(admin.get(path).await.expect(200)), 2, "{path}");
            for caller in [&alice, &bob] {
                let found = caller.get(path).await.expect(200);
                assert_eq!(count(found), 1, "{path}");
            }
            app.stranger().get(path).await.expect(401);
        }
    }
    // An archived product is there for staff, under the same address.
    admin.delete(&format!("/api/v1/products/{product}")).await.expect(200);
    for _ in 0..2 {
        admin.get(&format!("/api/v1/products/{product}")).await.expect(200);
        alice.get(&format!("/api/v1/products/{product}")).await.problem(404, "PRODUCT_NOT_FOUND");
        admin.get("/api/v1/products?archived=true").await.expect(200);
        alice.get("/api/v1/products?archived=true").await.problem(403, "FORBIDDEN");
        admin.get("/api/v1/products/low-stock").await.expect(200);
        alice.get("/api/v1/products/low-stock").await.problem(403, "FORBIDDEN");
    }
    // Staff who are staff no longer see what customers see.
    let carol = app.user(&admin, "carol", "staff").await;
    assert!(is_kept(&app, async { carol.get(&path).await }).await);
    admin.patch(&format!("/api/v1/users/{}", carol.id), json!({"role": "customer"})).await.expect(200);
    carol.get(&path).await.problem(401, "INVALID_TOKEN");
    app.log_in("carol").await.get(&path).await.problem(404, "ORDER_NOT_FOUND");
}

/// What two servers show, and how one of them changes it.
struct Two<'a> {
    here: Caller<'a>,
    there: Caller<'a>,
    product: i64,
    order: i64,
    price: i64,
    round: i64,
}

impl Two<'_> {
    /// What of the shop the other server can change, as this one shows it.
    async fn shown(&self) -> [Value; 8] {
        let product = self.here.get(&format!("/api/v1/products/{}", self.product)).await.expect(200);
        let products = self.here.get("/api/v1/products").await.expect(200);
        let plain = self.here.get("/compat/leafcraft/products/").await.expect(200);
        let order = self.here.get(&format!("/api/v1/orders/{}", self.order)).await.expect(200);
        let orders = self.here.get("/api/v1/orders").await.expect(200);
        [
            product["price_cents"].clone(),
            product["allocated"].clone(),
            products["products"][0]["available"].clone(),
            plain[0]["stock_quantity"].clone(),
            order["status"].clone(),
            order["user_name"].clone(),
            orders["orders"][0]["order_id"].clone(),
            orders["orders"][0]["user_name"].clone(),
        ]
    }

    /// Changes all of that on the other server; gives what is to be shown then.
    async fn change(&mut self) -> [Value; 8] {
        self.price += 1;
        self.round += 1;
        let name = format!("Name {}", self.round);
        let there = &self.there;
        let product = format!("/api/v1/products/{}", self.product);
        there.patch(&product, json!({"price_cents": self.price})).await.expect(200);
        let order = there.post("/api/v1/orders", order_of(self.product, 1)).await.expect(201);
        there.patch(&format!("/api/v1/users/{}", there.id), json!({"full_name": name})).await.expect(200);
        there.post(&format!("/api/v1/orders/{}/confirm", self.order), json!({})).await.expect(200);
        let (allocated, available) = (1 + self.round, 1000 - 1 - self.round);
        [
            json!(self.price),
            json!(allocated),
            json!(available),
            json!(available),
            json!("confirmed"),
            json!(name),
            order["order_id"].clone(),
            json!(name),
        ]
    }
}

async fn two<'a>(here: &'a TestApp, there: &'a TestApp) -> Two<'a> {
    let admin = here.admin().await;
    let product = here.product(&admin, "Tea", 100, 1000).await;
    let order = admin.post("/api/v1/orders", order_of(product, 1)).await.expect(201);
    let there = there.as_seen_by(&admin);
    Two { here: admin, there, product, order: order["order_id"].as_i64().unwrap(), price: 100, round: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_changes_shows_soon() {
    let here = started(Settings::default()).await;
    let there = here.beside(Settings::default()).await;
    let mut two = two(&here, &there).await;
    for _ in 0..3 {
        two.shown().await;
        let expected = two.change().await;
        let deadline = Instant::now() + GENEROUS;
        loop {
            let shown = two.shown().await;
            if shown == expected {
                break;
            }
            assert!(Instant::now() < deadline, "{shown:?} instead of {expected:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_changes_shows_after_the_time_that_is_set_at_the_latest() {
    let refresh = Duration::from_millis(100);
    let here = started(Settings { cache_refresh: refresh, ..Settings::default() }).await;
    let there = here.beside(Settings::default()).await;
    let mut two = two(&here, &there).await;
    for _ in 0..8 {
        two.shown().await;
        let expected = two.change().await;
        // However slow this machine is: what was sent again after this would be older than permitted.
        sleep(refresh + Duration::from_millis(1)).await;
        assert_eq!(two.shown().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_two_looks_an_old_answer_may_be_sent() {
    // Without this the test above would hold for a server that keeps nothing.
    let here = started(patient()).await;
    let there = here.beside(Settings::default()).await;
    let mut two = two(&here, &there).await;
    let before = two.shown().await;
    let after = two.change().await;
    assert_eq!(two.shown().await, before);
    // What this server changes itself shows at once, and more than that: the product that another one changed is read
    // anew with it.
    two.here
        .patch(&format!("/api/v1/products/{}", two.product), json!({"description": "x"}))
        .await
        .expect(200);
    assert_eq!(two.shown().await[..4], after[..4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_before_the_first_look_is_not_missed() {
    let first = TestApp::start().await;
    let admin = first.admin().await;
    let product = first.product(&admin, "Tea", 100, 50).await;
    let path = format!("/api/v1/products/{product}");
    for price in 1..=5 {
        // Looks when it starts, and never again while this test runs.
        let second = first.beside(patient()).await;
        let here = second.as_seen_by(&admin);
        here.get(&path).await.expect(200);
        admin.patch(&path, json!({"price_cents": price})).await.expect(200);
        let anew = asking(&here, &path, ("cache-control", "no-cache")).await.expect(200);
        assert_eq!(anew["price_cents"], price);
        assert_eq!(here.get(&path).await.expect(200)["price_cents"], price);
        second.stop().await;
    }
}
