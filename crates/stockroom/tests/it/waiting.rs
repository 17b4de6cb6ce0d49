//! Orders that wait: the settings arrive where they count, and a running server sweeps.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::copy::sabotage;
use crate::program::Place;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Puts the end of all orders that have one into the past, as if the time had passed while no server ran.
fn let_time_pass(place: &Place) {
    let url = format!("sqlite:{}", place.path().join("data/stockroom.sqlite").display());
    sabotage(&url, "UPDATE orders SET expires_at_us = 1 WHERE expires_at_us IS NOT NULL");
}

#[test]
fn orders_expire_while_a_server_runs_whatever_its_setting_is_by_then() {
    let place = Place::new();
    let server = Server::start(&place, &["--pending-order-minutes", "60", "--anonymous-role", "staff"]);
    let mut client = server.client();
    let product = json!({"name": "Tea", "price_cents": 100, "stock_quantity": 5});
    client.call("POST", "/api/v1/products", Some(&product)).expect(201);
    let order = json!({"items": [{"product_id": 1, "quantity": 3}]});
    let placed = client.call("POST", "/api/v1/orders", Some(&order)).expect(201);
    assert!(placed["expires_at"].is_string(), "{placed}");
    assert_eq!(server.stop(), 0);
    let_time_pass(&place);
    let server = Server::start(&place, &["--anonymous-role", "staff"]);
    let mut client = server.client();
    let patience = Instant::now() + PATIENCE;
    while client.get("/api/v1/orders/1")["status"] != "cancelled" {
        assert!(Instant::now() < patience, "the order is not swept away");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(client.get("/api/v1/products/1")["available"], 5);
    // Without the setting, orders wait for ever.
    let placed = client.call("POST", "/api/v1/orders", Some(&order)).expect(201);
    assert!(placed.get("expires_at").is_none(), "{placed}");
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
}

/// A shop that was emptied by orders which nobody pays is helped by the setting, though they were placed before it.
#[test]
fn orders_from_before_the_setting_get_an_end_when_a_server_starts_with_it() {
    let place = Place::new();
    let server = Server::start(&place, &["--anonymous-role", "staff"]);
    let mut client = server.client();
    let product = json!({"name": "Tea", "price_cents": 100, "stock_quantity": 5});
    client.call("POST", "/api/v1/products", Some(&product)).expect(201);
    let order = json!({"items": [{"product_id": 1, "quantity": 5}]});
    client.call("POST", "/api/v1/orders", Some(&order)).expect(201);
    assert_eq!(server.stop(), 0);
    let flags = ["--pending-order-minutes", "60", "--anonymous-role", "staff"];
    let wait_for = |what: &dyn Fn(&serde_json::Value) -> bool| {
        let server = Server::start(&place, &flags);
        let (mut client, patience) = (server.client(), Instant::now() + PATIENCE);
        while !what(&client.get("/api/v1/orders/1")) {
            assert!(Instant::now() < patience, "{}", client.get("/api/v1/orders/1"));
            sleep(Duration::from_millis(20));
        }
        let available = client.get("/api/v1/products/1")["available"].clone();
        assert_eq!(server.stop(), 0);
        available
    };
    assert_eq!(wait_for(&|order| order["expires_at"].is_string() && order["status"] == "pending"), 0);
    let_time_pass(&place);
    assert_eq!(wait_for(&|order| order["status"] == "cancelled"), 5);
    place.run(&["verify"]).succeeded();
}

#[test]
fn the_limits_of_customers_are_settings() {
    let place = Place::new();
    let flags = ["--max-open-orders-per-customer", "1", "--max-units-held-per-customer", "2"];
    let server = Server::start(&place, &flags);
    let mut root = server.client();
    let account = |name: &str| json!({"username": name, "password": "correct horse battery"});
    root.call("POST", "/api/v1/auth/register", Some(&account("root"))).expect(201);
    root.call("POST", "/api/v1/auth/register", Some(&account("ann"))).expect(201);
    let mut root = server.logged_in("root", "correct horse battery");
    let mut ann = server.logged_in("ann", "correct horse battery");
    let product = json!({"name": "Tea", "price_cents": 100, "stock_quantity": 5});
    root.call("POST", "/api/v1/products", Some(&product)).expect(201);
    let order = |quantity: i64| json!({"items": [{"product_id": 1, "quantity": quantity}]});
    let mut codes = Vec::new();
    for quantity in [3, 2, 1] {
        let answer = ann.call("POST", "/api/v1/orders", Some(&order(quantity)));
        let text: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        codes.push(text["code"].as_str().unwrap_or("placed").to_owned());
    }
    assert_eq!(codes, ["TOO_MANY_UNITS_HELD", "placed", "TOO_MANY_OPEN_ORDERS"]);
    assert_eq!(server.stop(), 0);
}
