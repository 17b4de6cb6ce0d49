//! What a refusal says: which setting, where it came from, what was found, and what to write instead.

use crate::program::Place;

#[test]
fn all_mistakes_are_named_at_once() {
    let place = Place::new()
        .variable("STOCKROOM_LISTEN", "8000")
        .file(".env", "STOCKROOM_MAX_BATCH=0\nSTOCKROOM_CURENCY=USD\n")
        .file("stockroom.toml", "queue_limit = -1\nmax_bacht = 3\ndemo = 1.5\n");
    place.run(&["serve", "--anonymous-role", "boss", "--currency", "usd"]).refused(&[
        "STOCKROOM_LISTEN: listen = \"8000\": write ADDR:PORT, for example 127.0.0.1:8000",
        "STOCKROOM_MAX_BATCH in .env: max_batch = \"0\": write a whole number from 1 to 4096",
        "STOCKROOM_CURENCY in .env: unknown variable: did you mean STOCKROOM_CURRENCY?",
        "stockroom.toml: queue_limit = \"-1\": write a whole number from 1 to 1000000",
        "stockroom.toml: unknown setting \"max_bacht\": did you mean max_batch?",
        "stockroom.toml: demo: found float: write a string, a whole number or true/false",
        "--anonymous-role: anonymous_role = \"boss\": write one of none, customer, staff, admin",
        "--currency: currency = \"usd\": write USD",
    ]);
}

#[test]
fn each_setting_says_what_to_write() {
    for (flag, value, hint) in [
        ("listen", "localhost:8000", "write ADDR:PORT, for example 127.0.0.1:8000"),
        ("currency", "DOLLAR", "write an ISO 4217 code, for example USD, EUR or JPY"),
        ("currency", "XAU", "this is not money to pay with; write a currency, for example USD"),
        ("allocate-at", "shipping", "write one of creation, confirmation"),
        ("log-format", "xml", "write one of text, json"),
        (
            "log-level",
            "loud",
            "write off, error, warn, info, debug or trace, also per part of the program: info,store=debug",
        ),
        ("compat-root", "order-flow", "write one of orderflow, mini-order, leafcraft, inventory, none"),
        ("compat-root", "Orderflow", "write one of orderflow, mini-order, leafcraft, inventory, none"),
        ("compat-root", "", "write one of orderflow, mini-order, leafcraft, inventory, none"),
        ("mini-order-min-password", "0", "write a whole number from 1 to 128"),
        ("mini-order-min-password", "129", "write a whole number from 1 to 128"),
        ("max-batch", "4097", "write a whole number from 1 to 4096"),
        ("max-body-bytes", "1", "write a whole number from 1024 to 67108864"),
        ("refresh-token-days", "0.5", "write a whole number from 1 to 365"),
        ("hash-concurrency", "0", "write a whole number from 1 to 256"),
        ("test-sync-delay-us", "x", "write a whole number from 0 to 1000000"),
        ("data-dir", "", "write a path"),
    ] {
        let key = flag.replace('-', "_");
        Place::new()
            .run(&["config", &format!("--{flag}"), value])
            .refused(&[&format!("--{flag}: {key} = {value:?}: {hint}")]);
    }
}

#[test]
fn unknown_names_are_answered_with_the_closest_known_one() {
    Place::new()
        .variable("STOCKROOM_LISTN", "127.0.0.1:1")
        .variable("STOCKROOM_DATABASE", "x")
        .run(&["config"])
        .refused(&[
            "STOCKROOM_LISTN: unknown variable: did you mean STOCKROOM_LISTEN?",
            "STOCKROOM_DATABASE: unknown variable: did you mean STOCKROOM_DATABASE_URL?",
        ]);
    Place::new()
        .file("stockroom.toml", "cors_origins = 'x'\n[server]\nlisten = 'x'\n")
        .run(&["config"])
        .refused(&[
            "stockroom.toml: unknown setting \"cors_origins\": did you mean cors_origin?",
            "stockroom.toml: [server]: write settings at the top of the file, not in sections",
        ]);
    let unknown = Place::new().run(&["config", "--lisen", "x"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.errors.contains("--listen"), "{}", unknown.errors);
}

#[test]
fn a_privileged_stranger_stays_on_this_machine() {
    let place = Place::new();
    for role in ["staff", "admin"] {
        let open = ["config", "--anonymous-role", role, "--listen", "0.0.0.0:8000"];
        place.run(&open).refused(&[&format!(
            "--anonymous-role, --listen: anonymous_role = \"{role}\" with listen = \"0.0.0.0:8000\" makes everybody who \
             can reach that address {role}: listen on 127.0.0.1, or write allow_privileged_anonymous = true if that is meant"
        )]);
        let serving = place.run(&["serve", "--anonymous-role", role, "--listen", "0.0.0.0:0"]);
        assert!(serving.failed(2).contains("listen on 127.0.0.1"), "{}", serving.errors);
        // A façade without a login is no excuse.
        let facade = [&open[..], &["--compat-root", "inventory"]].concat();
        assert!(place.run(&facade).failed(2).contains("listen on 127.0.0.1"));
        let allowed = [&open[..], &["--allow-privileged-anonymous"]].concat();
        assert_eq!(place.run(&allowed).code, 0);
        for loopback in ["127.0.0.2:8000", "[::1]:8000", "[::ffff:127.0.0.1]:8000"] {
            assert_eq!(place.run(&["config", "--anonymous-role", role, "--listen", loopback]).code, 0);
        }
    }
    assert_eq!(place.run(&["config", "--anonymous-role", "customer", "--listen", "[::]:8000"]).code, 0);
}

#[test]
fn combinations_without_sense_are_refused() {
    let place = Place::new();
    place.run(&["config", "--allow-privileged-anonymous"]).refused(&[
        "--allow-privileged-anonymous: allow_privileged_anonymous = true has no effect with anonymous_role = \"none\": \
         write anonymous_role = staff or admin, or remove the permission",
    ]);
    place.run(&["config", "--access-token-minutes", "1440", "--refresh-token-days", "1"]).refused(&[
        "--access-token-minutes, --refresh-token-days: a refresh token must outlive an access token: write fewer \
         access_token_minutes or more refresh_token_days",
    ]);
    place.run(&["config", "--test-sync-delay-us", "3000", "--database", "mysql://h/db"]).refused(&[
        "--test-sync-delay-us, --database: test_sync_delay_us slows the embedded database alone: write a sqlite: URL \
         or remove it",
    ]);
    place
        .run(&["config", "--cors-origin", "*,https://a.example"])
        .refused(&["--cors-origin: cors_origin = \"*,https://a.example\": * must stand alone"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let ran = Place::new().run(&["config", "--config", "nowhere.toml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.errors.starts_with("error: nowhere.toml: cannot be read: "), "{}", ran.errors);
    let place = Place::new();
    std::fs::create_dir(place.path().join(".env")).unwrap();
    let ran = place.run(&["config"]);
    assert_eq!(ran.code, 2);
    assert!(ran.errors.starts_with("error: .env: cannot be read: "), "{}", ran.errors);
}
