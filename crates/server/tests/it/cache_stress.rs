//! Writers and readers at once, through several contracts: whoever asks after a change was answered sees it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use server::settings::Settings;
use tokio::time::sleep;

use crate::harness::{Caller, TestApp};

/// Changes that each writer makes.
const CHANGES: i64 = 60;

const READERS: usize = 4;

/// What has been answered so far. All of it only grows.
#[derive(Debug, Default)]
struct Answered {
    price: AtomicI64,
    name: AtomicI64,
    order: AtomicI64,
    step: AtomicI64,
    is_over: AtomicBool,
}

/// Asks for something and finds in the answer how far the shop has come.
struct Look<'a> {
    caller: &'a Caller<'a>,
    path: String,
    pointer: &'static str,
    read: fn(&Value) -> i64,
    answered: &'a AtomicI64,
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value}"))
}

/// An amount of money as a decimal.
fn cents(value: &Value) -> i64 {
    let text = value.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{part:0<2}").parse().unwrap()
}

fn name(value: &Value) -> i64 {
    value.as_str().unwrap().trim_start_matches("Name ").parse().unwrap()
}

fn length(value: &Value) -> i64 {
    i64::try_from(value.as_array().unwrap().len()).unwrap()
}

fn step(value: &Value) -> i64 {
    let words = ["pending", "confirmed", "paid", "shipped", "delivered"];
    i64::try_from(words.iter().position(|word| value == word).unwrap()).unwrap()
}

impl Look<'_> {
    /// Looks until the writers are done, and once more.
    async fn repeat(&self, over: &AtomicBool) {
        loop {
            let was_over = over.load(Ordering::SeqCst);
            let known = self.answered.load(Ordering::SeqCst);
            let answer = self.caller.get(&self.path).await;
            if answer.status == 503 {
                // On a busy machine one or another does not get a connection in time, and was shown nothing.
                continue;
            }
            let answer = answer.expect(200);
            let found = (self.read)(answer.pointer(self.pointer).unwrap());
            assert!(found >= known, "{}: {found}, where {known} had been answered", self.path);
            if was_over {
                return;
            }
        }
    }
}

async fn change_prices(staff: &Caller<'_>, product: i64, answered: &Answered) {
    for price in 100..100 + CHANGES {
        let body = json!({"price_cents": price});
        staff.patch(&format!("/api/v1/products/{product}"), body).await.expect(200);
        answered.price.store(price, Ordering::SeqCst);
    }
}

async fn change_names(user: &Caller<'_>, answered: &Answered) {
    for number in 1..=CHANGES {
        let body = json!({"full_name": format!("Name {number}")});
        user.patch(&format!("/api/v1/users/{}", user.id), body).await.expect(200);
        answered.name.store(number, Ordering::SeqCst);
    }
}

async fn place_orders(user: &Caller<'_>, product: i64, answered: &Answered) {
    let body = json!({"items": [{"product_id": product, "quantity": 1}]});
    for turn in 0..CHANGES {
        let (path, id) = match turn % 2 {
            0 => ("/api/v1/orders", "order_id"),
            _ => ("/compat/leafcraft/orders/create_order", "id"),
        };
        let placed = user.post(path, body.clone()).await.expect(201);
        answered.order.store(placed[id].as_i64().unwrap(), Ordering::SeqCst);
    }
}

async fn advance(staff: &Caller<'_>, order: i64, answered: &Answered) {
    for (number, action) in (1..).zip(["confirm", "pay", "ship", "deliver"]) {
        sleep(Duration::from_millis(20)).await;
        staff.post(&format!("/api/v1/orders/{order}/{action}"), json!({})).await.expect(200);
        answered.step.store(number, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_after_a_change_was_answered_sees_it() {
    // Nothing but the committer's marks makes an answer go out of date here.
    let settings = Settings { cache_refresh: Duration::from_secs(3600), ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let admin = app.admin().await;
    let user = app.user(&admin, "alice", "customer").await;
    let product = app.product(&admin, "Tea", 99, 1_000_000).await;
    user.patch(&format!("/api/v1/users/{}", user.id), json!({"full_name": "Name 0"})).await.expect(200);
    let body = json!({"items": [{"product_id": product, "quantity": 1}]});
    let first = number(&user.post("/api/v1/orders", body).await.expect(201)["order_id"]);

    let answered = Answered::default();
    let Answered { price, name: named, order, step: stepped, is_over } = &answered;
    let look = |caller, path: &str, pointer, read, answered| {
        let path = path.replace("{product}", &product.to_string()).replace("{order}", &first.to_string());
        Look { caller, path, pointer, read, answered }
    };
    let looks = [
        look(&user, "/api/v1/products/{product}", "/price_cents", number, price),
        look(&user, "/api/v1/products?limit=5", "/products/0/price_cents", number, price),
        look(&user, "/compat/leafcraft/products/", "/0/price", cents, price),
        look(&user, "/api/v1/orders/{order}", "/user_name", name, named),
        look(&admin, "/api/v1/orders/{order}", "/status", step, stepped),
        look(&admin, "/api/v1/orders", "/orders/0/order_id", number, order),
        look(&admin, "/api/v1/orders?sort=id", "/orders/0/user_name", name, named),
        look(&user, "/api/v1/orders?sort=id", "/orders/0/user_name", name, named),
        look(&user, "/api/v1/orders?limit=3", "/orders/0/order_id", number, order),
        look(&user, "/api/v1/orders", "/total_quantity", number, order),
        look(&user, "/compat/leafcraft/orders/", "", length, order),
        look(&admin, "/compat/leafcraft/orders/", "", length, order),
    ];
    let writers = async {
        tokio::join!(
            change_prices(&admin, product, &answered),
            change_names(&user, &answered),
            place_orders(&user, product, &answered),
            advance(&admin, first, &answered),
        );
        is_over.store(true, Ordering::SeqCst);
    };
    let readers = (0..READERS).flat_map(|_| &looks).map(|look| look.repeat(is_over));
    tokio::join!(writers, futures_util::future::join_all(readers));
    assert!(app.metric("stockroom_cache_hits_total") > 0);
    app.verify().await;
}
