//! What the log tells and what it never tells.

use serde_json::{Value, json};

use crate::program::Place;
use crate::server::Server;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978";

/// Logs in and fails to in many ways, and returns every secret that took part.
fn session(server: &Server) -> Vec<String> {
    let mut secrets: Vec<String> = [
        "correct-horse-1",
        "wrong-horse-2",
        "new-horse-3",
        "form-horse-4",
        "short-5",
        "user-horse-6",
        "query-horse-7",
    ]
    .map(str::to_owned)
    .into();
    let mut client = server.client();
    let account = |name: &str, password: &str| json!({"username": name, "password": password});
    let mut post =
        |path: &str, body: &Value| client.call("POST", &format!("/api/v1/auth/{path}"), Some(body));
    assert_eq!(post("register", &account("ann", "correct-horse-1")).status, 201);
    assert_eq!(post("register", &account("ann", "correct-horse-1")).status, 409);
    assert_eq!(post("register", &json!({"username": "bob", "password": "short-5"})).status, 400);
    assert_eq!(post("register", &json!({"username": 1, "password": ["new-horse-3"]})).status, 400);
    assert_eq!(post("login", &account("ann", "wrong-horse-2")).status, 401);
    // People type passwords into the wrong field.
    assert_eq!(post("login", &account("user-horse-6", "wrong-horse-2")).status, 401);
    assert_eq!(post("login?password=query-horse-7", &account("ann", "wrong-horse-2")).status / 100, 4);
    let tokens = post("login", &account("ann", "correct-horse-1")).expect(200);
    let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (token("access_token"), token("refresh_token"));
    let renewed = post("refresh", &json!({"refresh_token": refresh})).expect(200);
    assert_eq!(post("refresh", &json!({"refresh_token": access})).status, 401);
    let mut caller = server.client().with_token(&access);
    caller.get("/api/v1/auth/me");
    let change = json!({"current_password": "correct-horse-1", "new_password": "new-horse-3"});
    assert_eq!(caller.call("POST", "/api/v1/auth/change-password", Some(&change)).status, 204);
    assert_eq!(caller.call("GET", "/api/v1/auth/me", None).status, 401);
    let broken = format!("{}x", &access[..access.len() - 4]);
    server.client().with_token(&broken).call("GET", "/api/v1/auth/me", None).expect(401);
    // Of a token the signature is what must not be known; the rest is the same for many.
    let renewed = renewed["access_token"].as_str().unwrap().to_owned();
    for token in [access, refresh, renewed] {
        secrets.push(token.rsplit('.').next().unwrap().to_owned());
    }
    secrets.push(SECRET.to_owned());
    secrets.push("argon2".to_owned());
    secrets
}

#[test]
fn logs_hold_no_secret() {
    for (format, level) in [("text", "debug"), ("json", "debug"), ("json", "trace")] {
        let place = Place::with_shop().variable("STOCKROOM_SECRET", SECRET);
        let server = Server::start(&place, &["--log-format", format, "--log-level", level]);
        let secrets = session(&server);
        assert_eq!(server.stop(), 0);
        let log = place.read(Server::LOG);
        for secret in &secrets {
            assert!(!log.contains(secret.as_str()), "{secret} in the {format} log:\n{log}");
        }
        // There was something to find it in.
        let logins =
            log.lines().filter(|line| line.contains("/api/v1/auth/login") && line.contains("answered"));
        assert!(logins.count() >= 4, "{log}");
        if format == "json" {
            for line in log.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
                if line["fields"]["message"] == "answered" {
                    assert!(line["fields"]["took_us"].is_u64(), "a number, to be added up: {line}");
                }
            }
        }
    }
}

#[test]
fn a_secret_that_was_made_is_not_told() {
    let place = Place::with_shop();
    let server = Server::start(&place, &["--demo", "--log-level", "trace"]);
    let key = place.read("data/secret.key");
    let password = place.read("data/demo-password");
    server.logged_in("alice", password.trim()).get("/api/v1/orders");
    let greeting = server.greeting();
    assert_eq!(server.stop(), 0);
    let log = place.read(Server::LOG);
    assert!(!log.contains(key.trim()) && !greeting.contains(key.trim()));
    assert!(!log.contains(password.trim()), "the greeting tells the password, the log does not");
}

#[test]
fn a_secret_that_differs_from_the_last_is_warned_of_once() {
    let warnings = |place: &Place| {
        assert_eq!(Server::start(place, &[]).stop(), 0);
        place.read(Server::LOG).matches("served with another secret before").count()
    };
    let place = Place::with_shop();
    assert_eq!((warnings(&place), warnings(&place)), (0, 0));
    let place = place.variable("STOCKROOM_SECRET", SECRET);
    assert_eq!((warnings(&place), warnings(&place)), (1, 1));
}

/// By its number, for people type passwords into the wrong field; and of no other account, or anybody could fill the log.
#[test]
fn a_wrong_password_for_an_account_of_staff_is_warned_of() {
    let place = Place::with_shop();
    let server = Server::start(&place, &[]);
    let mut client = server.client();
    let mut post = |path: &str, name: &str, password: &str, status: u16| {
        let body = json!({"username": name, "password": password});
        client.call("POST", &format!("/api/v1/auth/{path}"), Some(&body)).expect(status);
    };
    for name in ["ada", "ann"] {
        post("register", name, "correct horse battery", 201);
        post("login", name, "correct horse battery", 200);
    }
    for name in ["ada", "ann", "nobody"] {
        post("login", name, "a wrong password", 401);
    }
    assert_eq!(server.stop(), 0);
    let log = place.read(Server::LOG);
    let told: Vec<_> =
        log.lines().filter(|line| line.contains("a wrong password for an account of staff")).collect();
    let [line] = told[..] else { panic!("{log}") };
    assert!(line.contains("user_id=1 ") && line.contains("127.0.0.1") && !line.contains("ada"), "{line}");
}
