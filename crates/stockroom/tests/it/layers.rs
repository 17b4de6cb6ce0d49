//! Which layer wins, and where a value is said to come from.

use crate::program::Place;

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn each_layer_gives_way_to_the_one_above() {
    let place = Place::new();
    assert_eq!(place.run(&["config"]).shown("listen"), pair("127.0.0.1:8000", "default"));

    let place = place.file("stockroom.toml", "listen = '127.0.0.1:8001'\n");
    assert_eq!(place.run(&["config"]).shown("listen"), pair("127.0.0.1:8001", "stockroom.toml"));

    let place = place.file(".env", "export STOCKROOM_LISTEN=127.0.0.1:8002 # mine\n");
    assert_eq!(place.run(&["config"]).shown("listen"), pair("127.0.0.1:8002", "STOCKROOM_LISTEN in .env"));

    let place = place.variable("STOCKROOM_LISTEN", "127.0.0.1:8003");
    assert_eq!(place.run(&["config"]).shown("listen"), pair("127.0.0.1:8003", "STOCKROOM_LISTEN"));

    let flagged = place.run(&["config", "--listen", "127.0.0.1:8004"]);
    assert_eq!(flagged.shown("listen"), pair("127.0.0.1:8004", "--listen"));
    // What the layers do not mention stays what it was.
    assert_eq!(flagged.shown("currency"), pair("USD", "default"));
}

#[test]
fn the_facade_at_the_root_gives_way_likewise() {
    let shown = |place: &Place, flags: &[&str]| {
        let ran = place.run(&[&["config"], flags].concat());
        (ran.shown("compat_root"), ran.shown("mini_order_min_password"))
    };
    let place = Place::new();
    assert_eq!(shown(&place, &[]), (pair("none", "default"), pair("4", "default")));

    let place = place.file("stockroom.toml", "compat_root = 'orderflow'\nmini_order_min_password = 5\n");
    assert_eq!(shown(&place, &[]), (pair("orderflow", "stockroom.toml"), pair("5", "stockroom.toml")));

    let dot_env = "STOCKROOM_COMPAT_ROOT=mini-order\nSTOCKROOM_MINI_ORDER_MIN_PASSWORD=1\n";
    let place = place.file(".env", dot_env);
    let from_dot_env = (
        pair("mini-order", "STOCKROOM_COMPAT_ROOT in .env"),
        pair("1", "STOCKROOM_MINI_ORDER_MIN_PASSWORD in .env"),
    );
    assert_eq!(shown(&place, &[]), from_dot_env);

    let place = place.variable("STOCKROOM_COMPAT_ROOT", "leafcraft");
    let place = place.variable("STOCKROOM_MINI_ORDER_MIN_PASSWORD", "128");
    let from_variables =
        (pair("leafcraft", "STOCKROOM_COMPAT_ROOT"), pair("128", "STOCKROOM_MINI_ORDER_MIN_PASSWORD"));
    assert_eq!(shown(&place, &[]), from_variables);

    let flags = ["--compat-root", "inventory", "--mini-order-min-password", "12"];
    let from_flags = (pair("inventory", "--compat-root"), pair("12", "--mini-order-min-password"));
    assert_eq!(shown(&place, &flags), from_flags);
    // What a weaker layer has asked for can be taken back.
    assert_eq!(shown(&place, &["--compat-root=none"]).0, pair("none", "--compat-root"));
}

#[test]
fn settings_of_every_command_stand_before_or_after_its_name() {
    let place = Place::new();
    for arguments in [["--data-dir", "elsewhere", "config"], ["config", "--data-dir", "elsewhere"]] {
        let ran = place.run(&arguments);
        assert_eq!(ran.shown("data_dir"), pair("elsewhere", "--data-dir"));
        // The default database follows the data directory.
        assert_eq!(ran.shown("database_url"), pair("sqlite:elsewhere/stockroom.sqlite", "default"));
    }
    let ran = place.run(&[
        "config",
        "--database",
        "sqlite:other.sqlite",
        "--log-format=json",
        "--log-level",
        "warn",
    ]);
    assert_eq!(ran.shown("database_url"), pair("sqlite:other.sqlite", "--database"));
    assert_eq!(ran.shown("log_format"), pair("json", "--log-format"));
    assert_eq!(ran.shown("log_level"), pair("warn", "--log-level"));
}

#[test]
fn the_file_is_named_by_flag_variable_or_dot_env() {
    let place = Place::new().file("a.toml", "currency = 'EUR'").file("b.toml", "currency = 'JPY'");
    let place = place.file("stockroom.toml", "currency = 'CHF'").file(".env", "STOCKROOM_CONFIG=a.toml");
    assert_eq!(place.run(&["config"]).shown("currency"), pair("EUR", "a.toml"));
    let place = place.variable("STOCKROOM_CONFIG", "b.toml");
    assert_eq!(place.run(&["config"]).shown("currency"), pair("JPY", "b.toml"));
    assert_eq!(place.run(&["config", "--config", "a.toml"]).shown("currency"), pair("EUR", "a.toml"));
}

#[test]
fn a_switch_can_be_turned_off_again() {
    let place = Place::new().variable("STOCKROOM_DEMO", "1");
    assert_eq!(place.run(&["config"]).shown("demo"), pair("true", "STOCKROOM_DEMO"));
    assert_eq!(place.run(&["config", "--demo=false"]).shown("demo"), pair("false", "--demo"));
    assert_eq!(Place::new().run(&["config", "--demo"]).shown("demo"), pair("true", "--demo"));
}

#[test]
fn lists_come_repeated_separated_or_as_an_array() {
    let (a, b) = ("https://a.example", "http://localhost:5173");
    let both = format!("{a},{b}");
    let place = Place::new();
    let repeated = place.run(&["config", "--cors-origin", a, "--cors-origin", b]);
    assert_eq!(repeated.shown("cors_origin"), pair(&both, "--cors-origin"));
    assert_eq!(
        place.run(&["config", "--cors-origin", &both]).shown("cors_origin"),
        pair(&both, "--cors-origin")
    );
    let place = place.file("stockroom.toml", &format!("cors_origin = [{a:?}, {b:?}]"));
    assert_eq!(place.run(&["config"]).shown("cors_origin"), pair(&both, "stockroom.toml"));
    let place = place.variable("STOCKROOM_CORS_ORIGIN", "none");
    assert_eq!(place.run(&["config"]).shown("cors_origin"), pair("none", "STOCKROOM_CORS_ORIGIN"));
}

#[test]
fn every_setting_can_be_read_from_the_file() {
    let text = "data_dir = 'd'\ndatabase_url = 'sqlite:d.sqlite'\nlog_format = 'json'\nlog_level = 'error'\n\
                listen = '[::1]:9000'\ndemo = true\nanonymous_role = 'staff'\nallow_privileged_anonymous = true\n\
                allocate_at = 'confirmation'\ncurrency = 'EUR'\ncors_origin = '*'\naccess_token_minutes = 5\n\
                refresh_token_days = 2\nmax_batch = 1\nqueue_limit = 10\nmax_body_bytes = 1024\nmax_connections = 5\n\
                hash_concurrency = 1\nheader_timeout_seconds = 2\nrequest_timeout_seconds = 3\n\
                database_connections = 5\ndatabase_wait_seconds = 2\ndatabase_connect_timeout_seconds = 1\n\
                database_statement_timeout_seconds = 7\ndatabase_lock_timeout_seconds = 3\n\
                database_statement_cache = 0\ncompat_root = 'leafcraft'\nmini_order_min_password = 6\n\
                cache_bytes = 0\ncache_refresh_ms = 100\nshutdown_grace_seconds = 0\ntest_sync_delay_us = 3000\n";
    let ran = Place::new().file("stockroom.toml", text).run(&["config"]);
    for line in text.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        assert_eq!(ran.shown(key), pair(value.trim_matches('\''), "stockroom.toml"));
    }
}

#[test]
fn empty_variables_count_as_not_set_and_service_links_are_ignored() {
    let place = Place::new()
        .variable("STOCKROOM_LISTEN", "")
        .variable("STOCKROOM_DATABASE_URL", "")
        .variable("STOCKROOM_PORT", "tcp://10.0.0.1:8000")
        .variable("STOCKROOM_SERVICE_HOST", "10.0.0.1")
        .file(".env", "STOCKROOM_CURRENCY=\nUNRELATED=whatever\n");
    let ran = place.run(&["config"]);
    assert_eq!(ran.shown("listen"), pair("127.0.0.1:8000", "default"));
    assert_eq!(ran.shown("currency"), pair("USD", "default"));
}

#[test]
fn the_example_file_is_a_valid_dot_env() {
    let example = include_str!("../../../../.env.example");
    assert_eq!(Place::new().file(".env", example).run(&["config"]).shown("listen").1, "default");
    // Uncommented as it stands, it changes nothing: the values it shows are the defaults.
    let uncommented = example.replace("# STOCKROOM_", "STOCKROOM_");
    let ran = Place::new().file(".env", &uncommented).run(&["config"]);
    assert_eq!(ran.shown("listen"), pair("127.0.0.1:8000", "STOCKROOM_LISTEN in .env"));
    let values = |text: &str| {
        let rows = text.lines().skip(1).filter(|row| !row.starts_with("test_"));
        rows.map(|row| row.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(values(&ran.answer), values(&Place::new().run(&["config"]).answer));
}

#[test]
fn old_names_of_the_database_still_work() {
    let old = "DB_HOST=db.example\nDB_PORT=5433\nDB_NAME=shop\nDB_USER=tony\nDB_PASSWORD='p@ss/word'\nDB_SCHEMA=tony\n\
               API_V1_PREFIX=/api/v1\nDEBUG=False\nLOG_LEVEL=INFO\n";
    let place = Place::new().file(".env", old);
    let ran = place.run(&["config"]);
    let shown = pair(
        "postgres://tony:***@db.example:5433/shop?schema=tony",
        "DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SCHEMA (deprecated)",
    );
    assert_eq!(ran.shown("database_url"), shown);
    assert!(ran.errors.contains("deprecated, set STOCKROOM_DATABASE_URL instead"), "{}", ran.errors);
    assert!(!ran.errors.contains("p@ss") && !ran.errors.contains("p%40ss"), "{}", ran.errors);

    // Any layer that names a database wins over the old names.
    let place = place.file("stockroom.toml", "database_url = 'sqlite:new.sqlite'");
    let ran = place.run(&["config"]);
    assert_eq!(ran.shown("database_url"), pair("sqlite:new.sqlite", "stockroom.toml"));
    assert_eq!(ran.errors, "");

    let place = Place::new()
        .variable("database_hostname", "localhost")
        .variable("database_port", "5432")
        .variable("database_username", "postgres")
        .variable("database_password", "hush")
        .variable("database_name", "inventory_db");
    let (url, _) = place.run(&["config"]).shown("database_url");
    assert_eq!(url, "postgres://postgres:***@localhost:5432/inventory_db");
    place
        .variable("database_port", "x")
        .run(&["config"])
        .refused(&["database_port: database port = \"x\": write a number from 1 to 65535"]);
}

#[test]
fn requests_with_little_time_wait_less_for_the_database() {
    let place = Place::new();
    assert_eq!(place.run(&["config"]).shown("database_wait_seconds"), pair("10", "default"));
    let short = ["config", "--request-timeout-seconds", "6"];
    assert_eq!(place.run(&short).shown("database_wait_seconds"), pair("4", "default"));
    let refused = place.run(&["config", "--request-timeout-seconds", "6", "--database-wait-seconds", "6"]);
    assert!(refused.failed(2).contains("fewer database_wait_seconds"), "{}", refused.errors);
}
