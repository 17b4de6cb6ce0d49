//! Commands on a shop, with and without a server beside them.

use serde_json::{Value, json};

use crate::program::Place;
use crate::server::Server;

const PASSWORD: &str = "correct horse battery";

#[test]
fn a_database_is_migrated_once() {
    let place = Place::with_shop();
    let first = place.run(&["migrate"]);
    assert!(first.succeeded().starts_with("applied 0001 "), "{}", first.answer);
    assert_eq!(place.run(&["migrate"]).succeeded(), "the database is up to date\n");
    assert_eq!(place.run(&["verify"]).succeeded(), "everything adds up\n");
}

#[test]
fn there_is_nothing_to_verify_where_there_is_no_database() {
    let place = Place::new();
    let missing = place.run(&["verify", "--database", "sqlite:shpo.sqlite"]);
    assert_eq!(missing.failed(1), "error: there is no database at shpo.sqlite\n");
    assert!(!place.path().join("shpo.sqlite").exists());
    let foreign = Place::new().file("shop.sqlite", &"This is no database. ".repeat(100));
    let ran = foreign.run(&["verify", "--database", "sqlite:shop.sqlite"]);
    assert!(ran.failed(1).contains("damaged or is not a database"), "{}", ran.errors);
    // It looks, and leaves the schema to `migrate`.
    let empty = Place::new().file("shop.sqlite", "");
    for _ in 0..2 {
        let ran = empty.run(&["verify", "--database", "sqlite:shop.sqlite"]);
        assert!(ran.failed(1).contains("stockroom migrate"), "{}", ran.errors);
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let place = Place::new().variable("STOCKROOM_DATABASE_WAIT_SECONDS", "1");
    for scheme in ["postgres", "mysql"] {
        // Nobody listens there.
        let ran = place.run(&["migrate", "--database", &format!("{scheme}://shop:hush@127.0.0.1:1/db")]);
        let refusal = ran.failed(1);
        assert!(refusal.contains(&format!("{scheme}://shop:***@127.0.0.1:1/db")), "{refusal}");
        assert!(refusal.contains("connection to the database was lost"), "{refusal}");
        assert!(!refusal.contains("hush"), "{refusal}");
    }
}

#[test]
fn users_made_on_the_command_line_can_log_in() {
    let place = Place::with_shop();
    let created = place.add_user("ann", "admin", PASSWORD);
    assert_eq!(created.succeeded(), "created user ann (admin) with id 1\n");
    let server = Server::start(&place, &[]);
    let me = server.logged_in("ann", PASSWORD).get("/api/v1/auth/me");
    assert_eq!(
        (&me["username"], &me["role"], &me["email"]),
        (&json!("ann"), &json!("admin"), &json!("ann@shop.example"))
    );

    // Beside a running server, too, which knows the new user at once.
    assert_eq!(place.add_user("bob", "staff", PASSWORD).succeeded(), "created user bob (staff) with id 2\n");
    server.logged_in("bob@shop.example", PASSWORD).get("/api/v1/events");

    // The audit log tells of both, and of how they were made.
    let told = server.logged_in("ann", PASSWORD).get("/api/v1/audit?action=user.create");
    for (entry, id) in told["entries"].as_array().unwrap().iter().zip([2, 1]) {
        let by = (&entry["action"], &entry["target_id"], &entry["actor_id"], &entry["source"]);
        assert_eq!(by, (&json!("user.create"), &json!(id), &Value::Null, &json!("command line")));
    }
    assert_eq!(told["entries"].as_array().unwrap().len(), 2, "{told}");

    assert_eq!(place.add_user("ANN", "staff", PASSWORD).failed(1), "error: the username ANN is taken\n");
    let same_address = [
        "user",
        "add",
        "--username",
        "carl",
        "--email",
        "ann@shop.example",
        "--role",
        "staff",
        "--password-stdin",
    ];
    let same_address = place.run_with(&same_address, PASSWORD.as_bytes());
    assert_eq!(same_address.failed(1), "error: ann@shop.example belongs to another user\n");
}

#[test]
fn what_cannot_be_a_user_is_a_usage_error() {
    let place = Place::new();
    let add = |username, email, role, password: &str| {
        let add =
            ["user", "add", "--username", username, "--email", email, "--role", role, "--password-stdin"];
        place.run_with(&add, password.as_bytes())
    };
    for (ran, words) in [
        (add("ann", "ann", "admin", PASSWORD), "--email must"),
        (add("a b", "ann@shop.example", "admin", PASSWORD), "--username must"),
        (add("ann", "ann@shop.example", "boss", PASSWORD), "customer, staff, admin"),
        (add("ann", "ann@shop.example", "admin", "short"), "the password must have at least 8 characters"),
        (
            add("ann", "ann@shop.example", "admin", &"x".repeat(129)),
            "the password must have at most 128 characters",
        ),
    ] {
        assert!(ran.failed(2).contains(words), "{}", ran.errors);
    }
    // Nothing was made for the sake of a refusal.
    assert!(!place.path().join("data").exists());
}

#[test]
fn a_new_password_ends_the_sessions_of_a_running_server() {
    let place = Place::with_shop();
    place.add_user("ann", "admin", PASSWORD).succeeded();
    let server = Server::start(&place, &[]);
    let mut session = server.logged_in("ann", PASSWORD);
    session.get("/api/v1/auth/me");
    let set = |name| {
        place.run_with(&["user", "passwd", "--username", name, "--password-stdin"], b"battery staple\n")
    };
    assert_eq!(set("ann").succeeded(), "set the password of ann; their sessions have ended\n");
    let refused = session.call("GET", "/api/v1/auth/me", None).expect(401);
    assert_eq!(refused["code"], "INVALID_TOKEN");
    let old = json!({"username": "ann", "password": PASSWORD});
    server.client().call("POST", "/api/v1/auth/login", Some(&old)).expect(401);
    server.logged_in("ann", "battery staple").get("/api/v1/auth/me");
    assert_eq!(set("nobody").failed(1), "error: there is no user nobody\n");
}

#[test]
fn the_document_printed_is_the_document_served() {
    let place = Place::with_shop();
    let printed = place.run(&["openapi"]);
    let printed: Value = serde_json::from_str(printed.succeeded()).unwrap();
    let server = Server::start(&place, &[]);
    assert_eq!(printed, server.client().get("/openapi.json"));
}

#[test]
fn a_shop_keeps_its_currency() {
    let place = Place::with_shop();
    // An account is no price: it settles no currency, and needs none later.
    place.add_user("ann", "admin", PASSWORD).succeeded();
    assert_eq!(Server::start(&place, &["--currency", "EUR"]).stop(), 0);
    place.add_user("bob", "staff", PASSWORD).succeeded();
    let other = place.run(&["serve", "--listen", "127.0.0.1:0", "--currency", "JPY"]);
    let refusal = "error: this shop keeps its prices in EUR; start it with currency = \"EUR\", not JPY\n";
    assert!(other.failed(1).ends_with(refusal), "{}", other.errors);
    assert_eq!(Server::start(&place, &["--currency", "EUR"]).stop(), 0);
}

#[test]
fn the_greeting_tells_how_to_get_in() {
    let place = Place::with_shop();
    let server = Server::start(&place, &[]);
    let address = format!("http://{}", server.address);
    let greeting = server.greeting();
    assert!(greeting.starts_with("Stockroom "), "{greeting}");
    for line in [&format!("{address}/docs"), &format!("{address}/redoc"), "becomes administrator"] {
        assert!(greeting.contains(line), "{line} not in {greeting}");
    }
    let account = json!({"username": "ann", "password": PASSWORD});
    server.client().call("POST", "/api/v1/auth/register", Some(&account)).expect(201);
    server.stop();
    let again = Server::start(&place, &[]).greeting();
    assert!(again.contains("/api/v1/auth/login") && !again.contains("administrator"), "{again}");
    // A shop with users of its own is no demo, and its greeting does not claim that it were.
    let with_demo = Server::start(&place, &["--demo"]).greeting();
    assert!(!with_demo.contains("password"), "{with_demo}");
    assert!(!place.path().join("data/demo-password").exists());
    assert!(!again.contains("No login"), "{again}");
}

#[test]
fn who_needs_no_login_is_told_at_the_start() {
    let place = Place::with_shop();
    let open = Server::start(&place, &["--anonymous-role", "customer"]);
    assert!(
        open.greeting().contains("callers without a token have the role customer"),
        "{}",
        open.greeting()
    );
    open.stop();
    let log = place.read(Server::LOG);
    // But for what is said of the databases that tests run on.
    let warnings = log.lines().filter(|line| line.contains("WARN") && !line.contains("may forget"));
    assert_eq!(warnings.count(), 0, "{log}");
    let wide_open = Server::start(&place, &["--anonymous-role", "admin"]);
    assert!(
        wide_open.greeting().contains("callers without a token have the role admin"),
        "{}",
        wide_open.greeting()
    );
    wide_open.stop();
    let log = place.read(Server::LOG);
    assert!(
        log.contains("WARN") && log.contains("callers without a token may do whatever that role may"),
        "{log}"
    );
}
