//! The façade at `/`: what a start says about it, and the sample stocks that `orderflow` begins with.

use serde_json::{Value, json};

use crate::demo::all;
use crate::program::Place;
use crate::server::Server;

/// What an old client of `orderflow` needs: its API at `/`, without a login.
const ORDERFLOW: [&str; 4] = ["--compat-root", "orderflow", "--anonymous-role", "staff"];

/// The products of a server that trusts strangers.
fn products(server: &Server) -> Vec<Value> {
    all(&mut server.client(), "products")
}

#[test]
fn the_first_run_with_orderflow_brings_stocks() {
    let place = Place::with_shop();
    let server = Server::start(&place, &ORDERFLOW);
    let stocks = products(&server);
    let ids: Vec<_> = stocks.iter().map(|stock| stock["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.iter().min(), Some(&1), "the old examples order the stock number 1: {ids:?}");
    assert_eq!(ids.len(), 6);
    for stock in &stocks {
        assert_eq!((&stock["is_active"], &stock["auto_deactivate"]), (&json!(true), &json!(true)), "{stock}");
        assert!(stock["price_cents"].as_i64() > Some(0) && stock["available"].as_i64() > Some(0), "{stock}");
    }
    let first = stocks.iter().find(|stock| stock["id"] == 1).unwrap();
    assert!(first["available"].as_i64() >= Some(5), "they order five pieces: {first}");
    // The ledger tells where the pieces came from.
    let movements = server.client().get("/api/v1/products/1/stock/movements");
    assert_eq!(movements["movements"][0]["kind"], "opening", "{movements}");
    // Strangers may still make themselves administrators of a shop without users.
    assert!(server.greeting().contains("becomes administrator"));

    server.kill();
    let server = Server::start(&place, &ORDERFLOW);
    assert_eq!(products(&server), stocks);
    assert_eq!(server.stop(), 0);
    assert_eq!(place.read(Server::LOG).matches("added sample stocks").count(), 1);
    place.run(&["verify"]).succeeded();
}

#[test]
fn stocks_that_were_deleted_do_not_come_back() {
    let place = Place::with_shop();
    let server = Server::start(&place, &ORDERFLOW);
    let mut client = server.client();
    for stock in products(&server) {
        let deleted = client.call("DELETE", &format!("/api/v1/products/{}", stock["id"]), None);
        assert_eq!(deleted.status / 100, 2, "{}", deleted.text);
    }
    server.stop();
    let server = Server::start(&place, &ORDERFLOW);
    assert_eq!(products(&server), Vec::<Value>::new());
    assert!(!all(&mut server.client(), "events").is_empty(), "the shop has a past");
}

#[test]
fn only_a_shop_that_was_never_used_gets_stocks() {
    // Another façade at the root brings none, and neither does a start without one use the shop.
    let place = Place::with_shop();
    for root in ["none", "mini-order", "leafcraft", "inventory"] {
        let server = Server::start(&place, &["--compat-root", root, "--anonymous-role", "staff"]);
        assert_eq!(products(&server), Vec::<Value>::new(), "{root}");
        server.stop();
    }
    assert_eq!(products(&Server::start(&place, &ORDERFLOW)).len(), 6);

    let with_user = Place::with_shop();
    with_user.add_user("ada", "admin", "correct horse battery").succeeded();
    assert_eq!(products(&Server::start(&with_user, &ORDERFLOW)), Vec::<Value>::new());

    let with_product = Place::with_shop();
    let server = Server::start(&with_product, &["--anonymous-role", "staff"]);
    let cup = json!({"name": "Espresso cup", "price_cents": 1999});
    server.client().call("POST", "/api/v1/products", Some(&cup)).expect(201);
    server.stop();
    let found = products(&Server::start(&with_product, &ORDERFLOW));
    assert_eq!((found.len(), &found[0]["name"]), (1, &cup["name"]));
}

#[test]
fn a_demo_is_enough_to_begin_with_and_finds_room_beside_the_stocks() {
    let place = Place::with_shop();
    let both = [&ORDERFLOW[..], &["--demo"]].concat();
    assert_eq!(products(&Server::start(&place, &both)).len(), 24);

    let place = Place::with_shop();
    Server::start(&place, &ORDERFLOW).stop();
    let server = Server::start(&place, &both);
    assert_eq!(products(&server).len(), 6 + 24);
    assert!(server.greeting().contains("alice"));
    server.stop();
    place.run(&["verify"]).succeeded();
}

#[test]
fn a_start_tells_which_facade_is_at_the_root() {
    for root in ["none", "orderflow", "mini-order", "leafcraft", "inventory"] {
        let place = Place::with_shop();
        let server = Server::start(&place, &["--compat-root", root]);
        let greeting = server.greeting();
        let line = format!("{root}, as at http://{}/compat/{root}\n", server.address);
        assert_eq!(greeting.contains(&line), root != "none", "{greeting}");
        assert_eq!(greeting.contains("At /"), root != "none", "{greeting}");
        server.stop();
        let log = place.read(Server::LOG);
        let serving = log.lines().find(|line| line.contains("serving")).unwrap();
        assert!(serving.contains(&format!("compat_root=\"{root}\"")), "{serving}");
        // Who would only ever be answered 401 had better be told.
        let is_told = log.contains("WARN") && log.contains("set anonymous_role");
        assert_eq!(is_told, ["orderflow", "inventory"].contains(&root), "{log}");
    }
}
