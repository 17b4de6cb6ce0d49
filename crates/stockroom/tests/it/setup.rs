//! The code with which a shop gets its first administrator.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::program::Place;
use crate::server::Server;

const PASSWORD: &str = "correct horse battery";
const REGISTER: &str = "/api/v1/auth/register";
/// Where the program keeps it.
const FILE: &str = "data/setup-code";

fn account(name: &str, code: &str) -> Value {
    json!({"username": name, "password": PASSWORD, "role": "admin", "setup_code": code})
}

#[test]
fn the_code_is_printed_and_kept_until_it_is_used() {
    let place = Place::with_shop();
    let server = Server::start(&place, &[]);
    let code = place.read(FILE).trim().to_owned();
    let mode = std::fs::metadata(place.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, code.len()), (0o600, 32));
    assert!(server.greeting().contains(&format!("Stockroom-Setup-Code: {code}")), "{}", server.greeting());
    assert!(!place.read(Server::LOG).contains(&code));
    assert_eq!(server.stop(), 0);

    // It stays the same until somebody uses it.
    let server = Server::start(&place, &["--registration", "closed"]);
    assert_eq!(place.read(FILE).trim(), code);
    let wrong = "0".repeat(32);
    server.client().call("POST", REGISTER, Some(&account("mallory", &wrong))).expect(403);
    server.client().call("POST", REGISTER, Some(&account("root", &code))).expect(201);
    assert!(!place.path().join(FILE).exists());
    server.client().call("POST", REGISTER, Some(&account("late", &code))).expect(403);
    server.logged_in("root", PASSWORD).get("/api/v1/users");
    assert_eq!(server.stop(), 0);

    let server = Server::start(&place, &[]);
    assert!(!server.greeting().contains("Setup-Code"), "{}", server.greeting());
    assert!(!place.path().join(FILE).exists());
}

#[test]
fn an_administrator_of_the_command_line_makes_it_worthless() {
    let place = Place::with_shop();
    let server = Server::start(&place, &[]);
    let code = place.read(FILE).trim().to_owned();
    place.add_user("ann", "admin", PASSWORD).succeeded();
    server.client().call("POST", REGISTER, Some(&account("late", &code))).expect(403);
    assert_eq!(server.stop(), 0);
    let server = Server::start(&place, &[]);
    assert!(!place.path().join(FILE).exists());
    drop(server);
}

#[test]
fn passwords_that_are_tried_first_are_refused_on_the_command_line() {
    let place = Place::with_shop();
    let refused = place.add_user("ann", "admin", "password123");
    assert!(refused.errors.contains("tried first"), "{}", refused.errors);
    assert!(!refused.errors.contains("password123"), "{}", refused.errors);
}
