//! Orders that wait for confirmation or money: for how long, and how many of one customer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::Method;
use domain::OrderId;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Caller, TestApp};
use crate::races::{CLIENTS, level, order, race};

const ORDERS: &str = "/api/v1/orders";

/// Orders are over as soon as they are placed.
fn over_at_once() -> Settings {
    Settings { pending_order_life: Duration::from_micros(1), ..Settings::default() }
}

async fn place(caller: &Caller<'_>, product: i64, quantity: i64) -> i64 {
    caller.post(ORDERS, order(&[(product, quantity)])).await.expect(201)["order_id"].as_i64().unwrap()
}

async fn status(caller: &Caller<'_>, order: i64) -> String {
    caller.get(&format!("{ORDERS}/{order}")).await.expect(200)["status"].as_str().unwrap().to_owned()
}

async fn verb(caller: &Caller<'_>, order: i64, verb: &str) -> crate::harness::Answer {
    caller.send(Method::POST, &format!("{ORDERS}/{order}/{verb}"), &[], None::<Vec<u8>>).await
}

#[tokio::test]
async fn an_order_says_until_when_it_waits() {
    let settings = Settings { pending_order_life: Duration::from_secs(3600), ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 5).await;
    let placed = ann.post(ORDERS, order(&[(tea, 1)])).await.expect(201);
    let micros = |name: &str| -> i64 {
        let text = placed[name].as_str().unwrap_or_else(|| panic!("{name} in {placed}"));
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    };
    assert_eq!(micros("expires_at") - micros("created_at"), 3_600_000_000);
    let id = placed["order_id"].as_i64().unwrap();
    let shown = ann.get(&format!("{ORDERS}/{id}")).await.expect(200);
    assert_eq!(shown["expires_at"], placed["expires_at"]);
    assert_eq!(ann.get(ORDERS).await.expect(200)["orders"][0]["expires_at"], placed["expires_at"]);
    let confirmed = verb(&root, id, "confirm").await.expect(200);
    assert!(confirmed.get("expires_at").is_none(), "{confirmed}");
    assert_eq!(app.app.sweep(i64::MAX).await.unwrap(), 0);
    app.verify().await;
}

#[tokio::test]
async fn nobody_is_refused_for_want_of_what_an_expired_order_holds() {
    let app = TestApp::start_with(over_at_once()).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 3).await;
    let first = place(&ann, tea, 3).await;
    // Kept answers are not sent again afterwards.
    assert_eq!(status(&ann, first).await, "pending");
    assert_eq!(root.get(&format!("/api/v1/products/{tea}")).await.expect(200)["available"], 0);
    let second = place(&ann, tea, 2).await;
    assert_eq!(status(&ann, first).await, "cancelled");
    assert_eq!(root.get(&format!("/api/v1/products/{tea}")).await.expect(200)["available"], 1);
    assert_eq!(status(&ann, second).await, "pending");
    // What is never there is still refused, whatever is over.
    let refused = ann.post(ORDERS, order(&[(tea, 4)])).await.problem(409, "INSUFFICIENT_STOCK");
    assert_eq!(refused["products"], json!([{"product_id": tea, "requested": 4, "available": 3}]));
    assert_eq!(status(&ann, second).await, "cancelled");
    let told = ann.get(&format!("{ORDERS}/{first}/timeline")).await.expect(200).to_string();
    assert!(told.contains("\"reason\":\"expired\""), "{told}");
    app.verify().await;
}

#[tokio::test]
async fn what_is_over_is_refused_as_cancelled_by_every_contract() {
    let app = TestApp::start_with(over_at_once()).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 9).await;
    let over = place(&ann, tea, 1).await;
    for what in ["confirm", "pay", "ship", "deliver"] {
        let refused = verb(&root, over, what).await.problem(409, "INVALID_TRANSITION");
        assert_eq!(refused["status_now"], "cancelled");
    }
    let confirm = |path: String| {
        let root = &root;
        async move {
            let answer = root.send(Method::PATCH, &path, &[], None::<Vec<u8>>).await;
            answer.expect(400)["detail"].clone()
        }
    };
    let mini = confirm(format!("/compat/mini-order/orders/{over}/confirm")).await;
    assert!(mini.to_string().contains("Cancelled order cannot be confirmed"), "{mini}");
    let lines = json!({"items": [{"product_id": tea, "quantity": 1}]});
    let late = ann.post("/compat/leafcraft/orders/create_order", lines).await.expect(201)["id"].clone();
    let leaf = confirm(format!("/compat/leafcraft/orders/{late}/confirm")).await;
    assert_eq!(leaf, "Only Orders with status can be confirmed");
    // Nobody has swept them yet; calling off does.
    assert_eq!(level(&app, tea).await, (9, 1));
    assert_eq!(verb(&ann, over, "cancel").await.expect(200)["status"], "cancelled");
    assert_eq!(level(&app, tea).await, (9, 0));
    app.verify().await;
}

#[tokio::test]
async fn orders_are_swept_away_whether_or_not_anybody_needs_them() {
    let app = TestApp::start_with(over_at_once()).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 300).await;
    for _ in 0..130 {
        place(&ann, tea, 2).await;
    }
    assert_eq!(app.app.sweep(0).await.unwrap(), 0, "nothing was over then");
    assert_eq!(app.app.sweep(i64::MAX).await.unwrap(), 130);
    assert_eq!(app.app.sweep(i64::MAX).await.unwrap(), 0);
    assert_eq!(level(&app, tea).await, (300, 0));
    // By itself, too.
    let order = place(&ann, tea, 1).await;
    let sweeper = tokio::spawn(app.app.clone().keep_swept());
    while status(&ann, order).await == "pending" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sweeper.abort();
    let _ = sweeper.await;
    assert_eq!(status(&ann, order).await, "cancelled");
    app.verify().await;
}

/// Somebody has emptied the shop without paying; then it sets a time, and one of its two servers is started anew.
#[tokio::test]
async fn orders_from_before_the_setting_get_the_whole_time_and_then_expire() {
    const HOUR_US: i64 = 3_600_000_000;
    let app = TestApp::start().await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 260).await;
    let mut ids = Vec::new();
    for _ in 0..130 {
        ids.push(place(&ann, tea, 2).await);
    }
    let (first, kept) = (ids[0], ids[1]);
    let path = format!("{ORDERS}/{first}");
    let before = ann.get(&path).await;
    assert!(before.expect(200).get("expires_at").is_none());
    verb(&root, kept, "confirm").await.expect(200);
    let settings = Settings { pending_order_life: Duration::from_secs(3600), ..Settings::default() };
    let other = app.beside(settings).await;
    let (now_us, mut seen) = (server::clock::now_us(), OrderId(0));
    // Time alone changes nothing: nobody would find these orders if they were not given an end.
    assert_eq!(other.app.sweep(i64::MAX).await.unwrap(), 0);
    assert_eq!(level(&app, tea).await, (260, 260));
    assert_eq!(app.app.limit_waits(&mut seen, now_us).await.unwrap(), 0, "a server without the setting");
    assert_eq!(other.app.limit_waits(&mut seen, now_us).await.unwrap(), 129);
    assert_eq!(seen, OrderId(*ids.last().unwrap()));
    // They have it by now, and nobody gives them another; a later one is found without looking at all of them again.
    assert_eq!(other.app.limit_waits(&mut OrderId(0), now_us + HOUR_US).await.unwrap(), 0);
    let late = place(&ann, app.product(&root, "Rye", 100, 1).await, 1).await;
    assert_eq!(other.app.limit_waits(&mut seen, now_us + 1).await.unwrap(), 1);
    assert_eq!(seen, OrderId(late));
    // Whoever has seen the order as it was asks anew, and everybody sees the end.
    let shown = other.as_seen_by(&ann).get(&path).await;
    let end = shown.expect(200)["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(end.as_microsecond(), now_us + HOUR_US);
    assert_ne!(shown.header("etag"), before.header("etag"));
    let steps = ann.get(&format!("{path}/timeline")).await.expect(200);
    let kinds: Vec<_> = steps["events"].as_array().unwrap().iter().map(|step| &step["kind"]).collect();
    assert_eq!(kinds, ["order_placed", "order_wait_limited"]);
    let audit = root.get("/api/v1/audit?action=order.limit_wait").await.expect(200);
    assert_eq!(audit["entries"], json!([]), "the system answers to nobody");
    assert_eq!(other.app.sweep(now_us + HOUR_US - 1).await.unwrap(), 0, "not a moment too early");
    assert_eq!(app.app.sweep(now_us + HOUR_US).await.unwrap(), 129);
    assert_eq!(other.app.sweep(now_us + HOUR_US).await.unwrap(), 0);
    assert_eq!(level(&app, tea).await, (260, 2));
    assert_eq!(status(&root, kept).await, "confirmed");
    app.verify().await;
}

#[tokio::test]
async fn customers_have_a_limited_number_of_open_orders() {
    let settings = Settings { max_open_orders: 2, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let root = app.admin().await;
    let (ann, bob) = (app.user(&root, "ann", "customer").await, app.user(&root, "bob", "customer").await);
    let tea = app.product(&root, "Tea", 100, 50).await;
    let first = place(&ann, tea, 1).await;
    place(&ann, tea, 1).await;
    let refused = ann.post(ORDERS, order(&[(tea, 1)])).await.problem(409, "TOO_MANY_OPEN_ORDERS");
    assert_eq!((&refused["limit"], &refused["open"]), (&json!(2), &json!(2)));
    // The same in the words of the older contracts, which know the customer by the same token.
    let one = json!({"items": [{"product_id": tea, "quantity": 1}]});
    for (path, body) in [
        ("/compat/mini-order/orders", one.clone()),
        ("/compat/leafcraft/orders/create_order", one),
        ("/compat/orderflow/orders", json!({"stock_id": tea, "quantity": 1})),
    ] {
        let answer = ann.post(path, body).await;
        assert!(
            answer.expect(400)["detail"].to_string().contains("Too many open orders"),
            "{path}: {answer:?}"
        );
    }
    // Others have their own, and whoever works here is not bound: but what they place for Ann counts.
    place(&bob, tea, 1).await;
    let for_ann = json!({"user_id": ann.id, "items": [{"product_id": tea, "quantity": 1}]});
    root.post(ORDERS, for_ann).await.expect(201);
    verb(&root, first, "pay").await.expect(200);
    let refused = ann.post(ORDERS, order(&[(tea, 1)])).await.problem(409, "TOO_MANY_OPEN_ORDERS");
    assert_eq!(refused["open"], 2);
    assert_eq!(level(&app, tea).await, (50, 4));
    app.verify().await;
}

#[tokio::test]
async fn customers_hold_a_limited_number_of_pieces() {
    let settings = Settings { max_units_held: 10, ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 50).await;
    let first = place(&ann, tea, 7).await;
    let refused = ann.post(ORDERS, order(&[(tea, 4)])).await.problem(409, "TOO_MANY_UNITS_HELD");
    let told: Vec<_> = ["limit", "held", "requested"].iter().map(|name| refused[*name].clone()).collect();
    assert_eq!(told, [10, 7, 4].map(Value::from));
    place(&ann, tea, 3).await;
    verb(&ann, first, "cancel").await.expect(200);
    place(&ann, tea, 7).await;
    // Leafcraft takes no stock yet, but will when the order is confirmed.
    let late = json!({"items": [{"product_id": tea, "quantity": 1}]});
    let answer = ann.post("/compat/leafcraft/orders/create_order", late).await;
    assert_eq!(answer.expect(400)["detail"], "Too many units in open orders");
    app.verify().await;
}

/// Many connections of one customer, on two servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_customer_who_hurries_gets_no_more_than_the_limit() {
    let settings = Settings { max_open_orders: 10, ..Settings::default() };
    let app = TestApp::start_with(settings.clone()).await;
    let root = app.admin().await;
    let ann = app.user(&root, "ann", "customer").await;
    let tea = app.product(&root, "Tea", 100, 1000).await;
    let other = app.beside(settings).await;
    let seen = other.as_seen_by(&ann);
    let hurry = |caller| {
        race(caller, CLIENTS / 2, move |racer| async move {
            let told = racer.try_send(Method::POST, ORDERS, &[], &order(&[(tea, 2)])).await.unwrap();
            assert!(told.status == 201 || told.text.contains("TOO_MANY_OPEN_ORDERS"), "{}", told.text);
            usize::from(told.status == 201)
        })
    };
    let (here, there) = tokio::join!(hurry(&ann), hurry(&seen));
    assert_eq!(here.into_iter().chain(there).sum::<usize>(), 10);
    assert_eq!(level(&app, tea).await, (1000, 20));
    app.verify().await;
}

/// The last pieces are wanted by more than can have them, while their orders expire, are confirmed, are called off and are
/// swept away, on two servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_pieces_are_sold_once_while_orders_expire() {
    const PIECES: i64 = 20;
    let settings = Settings { pending_order_life: Duration::from_millis(15), ..Settings::default() };
    let app = TestApp::start_with(settings.clone()).await;
    let root = app.admin().await;
    let tea = app.product(&root, "Tea", 100, PIECES).await;
    // There, orders live to be confirmed, however slow the machine is.
    let patient = Settings { pending_order_life: Duration::from_secs(3600), ..settings };
    let other = app.beside(patient).await;
    let (is_over, servers) = (Arc::new(AtomicBool::new(false)), [app.app.clone(), other.app.clone()]);
    let sweepers = servers.map(|server| {
        let is_over = Arc::clone(&is_over);
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                server.sweep(server::clock::now_us()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        })
    });
    let buy = |caller| {
        race(caller, CLIENTS / 2, move |racer| async move {
            let mut confirmed = Vec::new();
            for turn in 0..6 {
                let told = racer.try_send(Method::POST, ORDERS, &[], &order(&[(tea, 1)])).await.unwrap();
                if told.status == 409 {
                    assert!(told.text.contains("INSUFFICIENT_STOCK"), "{}", told.text);
                    continue;
                }
                assert_eq!(told.status, 201, "{}", told.text);
                let id = told.json()["order_id"].as_i64().unwrap();
                // At once, about when it expires, or long after.
                tokio::time::sleep(Duration::from_millis([0, 15, 40][(racer.number + turn) % 3])).await;
                let what = if (racer.number + turn) % 4 == 0 { "cancel" } else { "confirm" };
                let path = format!("{ORDERS}/{id}/{what}");
                let told = racer.try_send(Method::POST, &path, &[], &json!({})).await.unwrap();
                match (told.status, what) {
                    (200, "confirm") => confirmed.push(id),
                    (200, _) => {}
                    _ => assert!(told.text.contains("INVALID_TRANSITION"), "{}", told.text),
                }
            }
            confirmed
        })
    };
    let seen = other.as_seen_by(&root);
    let (here, there) = tokio::join!(buy(&root), buy(&seen));
    is_over.store(true, Ordering::Relaxed);
    for sweeper in sweepers {
        sweeper.await.unwrap();
    }
    let confirmed: Vec<_> = here.into_iter().chain(there).flatten().collect();
    for id in &confirmed {
        assert_eq!(status(&root, *id).await, "confirmed", "order {id}");
    }
    app.app.sweep(i64::MAX).await.unwrap();
    let sold = i64::try_from(confirmed.len()).unwrap();
    assert!((1..=PIECES).contains(&sold), "{sold}");
    assert_eq!(level(&app, tea).await, (PIECES, sold));
    app.verify().await;
}
