//! Servers that start: at the same moment, beside one that works, and killed while they migrate.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::callers::{OPENING, furnish, look};
use crate::history::audit;
use crate::program::Place;
use crate::server::Server;
use crate::shopper::{Marks, Shopper, answers_of, history_of};
use crate::site::Site;

/// The versions that the servers of these places have migrated to, by their logs.
fn migrations(places: &[Place]) -> Vec<u32> {
    let logs = places.iter().map(|place| place.read(Server::LOG)).collect::<String>();
    let applied = logs.lines().filter(|line| line.contains("applied a migration"));
    let version = |line: &str| {
        let (_, rest) = line.split_once("version=").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let mut versions: Vec<u32> = applied.map(version).collect();
    versions.sort_unstable();
    versions
}

#[test]
fn two_servers_that_start_at_once_share_an_empty_database() {
    for _ in 0..3 {
        let site = Site::new();
        let places = [site.place(), site.place()];
        let servers = scope(|threads| {
            let starts = places.each_ref().map(|place| threads.spawn(|| Server::start(place, &["--demo"])));
            starts.map(|start| start.join().unwrap())
        });
        let versions = migrations(&places);
        assert_eq!(versions, (1..=u32::try_from(versions.len()).unwrap()).collect::<Vec<_>>());
        assert!(!versions.is_empty());

        let passwords = places.each_ref().map(|place| place.path().join("data/demo-password"));
        let mut passwords = passwords.into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
        let password = passwords.next().expect("one of them has added the sample data");
        assert_eq!(passwords.next(), None, "both have added sample data");
        let looks = servers.each_ref().map(|server| look(&mut server.logged_in("admin", password.trim())));
        assert_eq!((looks[0].stock.len(), &looks[0].stock), (24, &looks[1].stock));
        assert!((250..=450).contains(&looks[0].orders.len()), "{} orders", looks[0].orders.len());
        assert_eq!(looks[0].orders, looks[1].orders);
        places[0].run(&["verify"]).succeeded();
    }
}

#[test]
fn servers_that_start_at_once_add_the_stocks_of_orderflow_once() {
    for _ in 0..5 {
        let site = Site::new();
        let places = [site.place(), site.place(), site.place()];
        let flags = ["--compat-root", "orderflow", "--anonymous-role", "staff"];
        let servers = scope(|threads| {
            let starts = places.each_ref().map(|place| threads.spawn(|| Server::start(place, &flags)));
            starts.map(|start| start.join().unwrap())
        });
        for server in &servers {
            let found = server.client().get("/api/v1/products");
            let mut ids: Vec<_> = found["products"].as_array().unwrap().iter().map(|p| &p["id"]).collect();
            ids.sort_unstable_by_key(|id| id.as_i64());
            assert_eq!(ids, [1, 2, 3, 4, 5, 6], "{found}");
        }
        let logs = places.iter().map(|place| place.read(Server::LOG)).collect::<String>();
        assert_eq!(logs.matches("added sample stocks").count(), 1, "{logs}");
        places[0].run(&["verify"]).succeeded();
    }
}

#[test]
fn a_server_that_starts_does_not_disturb_one_that_works() {
    let site = Site::new();
    let place = site.place();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let marks = Marks::default();
    let mut shoppers = Shopper::crowd(4, &[server.address], &token);
    let is_over = AtomicBool::new(false);
    scope(|threads| {
        for shopper in &mut shoppers {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    shopper.act(&marks);
                }
            });
        }
        for _ in 0..4 {
            let other = site.place();
            let late = Server::start(&other, &["--demo"]);
            late.client().with_token(&token).get("/api/v1/orders?limit=1");
            assert_eq!(late.stop(), 0);
            other.run(&["migrate"]).succeeded();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let answers = answers_of(&shoppers);
    assert!(answers.wrong.is_empty() && answers.counts.keys().all(|status| *status < 300), "{answers:?}");
    let found = look(&mut server.client().with_token(&token));
    assert_eq!(audit(&history_of(&shoppers), &found, OPENING), Vec::<String>::new());
    place.run(&["verify"]).succeeded();
}

#[test]
fn a_migration_that_is_killed_is_completed_by_the_next_start() {
    let (mut killed, mut pause) = (0, 10);
    while killed < 8 {
        let site = Site::new();
        let place = site.place();
        let mut migration =
            place.command(&["migrate"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(pause));
        let has_ended = migration.try_wait().unwrap().is_some();
        migration.kill().unwrap();
        migration.wait().unwrap();
        // The next one is killed a little later in its life, until one outlives that.
        killed += usize::from(!has_ended);
        pause = if has_ended { 10 } else { pause * 3 / 2 };
        let server = Server::start(&place, &[]);
        assert_eq!(server.client().get("/readyz")["status"], "ok");
        assert_eq!(server.stop(), 0);
        assert!(place.run(&["migrate"]).succeeded().contains("up to date"));
        place.run(&["verify"]).succeeded();
    }
}

mod postgres_only {
    use super::{Place, Server, Site};

    /// The parts of `postgres://USER[:PASSWORD]@HOST:PORT/NAME?…schema=SCHEMA…`, under their old names.
    fn old_variables(url: &str) -> Vec<(&'static str, String)> {
        let (account, rest) = url.split_once("://").unwrap().1.split_once('@').unwrap();
        let (user, password) = account.split_once(':').unwrap_or((account, "any"));
        let (address, rest) = rest.split_once('/').unwrap();
        let (host, port) = address.split_once(':').unwrap_or((address, "5432"));
        let (name, parameters) = rest.split_once('?').unwrap();
        let schema = parameters.split('&').find_map(|parameter| parameter.strip_prefix("schema=")).unwrap();
        [
            ("DB_HOST", host),
            ("DB_PORT", port),
            ("DB_NAME", name),
            ("DB_USER", user),
            ("DB_PASSWORD", password),
            ("DB_SCHEMA", schema),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    #[test]
    fn old_variables_lead_to_the_same_database_as_a_url() {
        let site = Site::new();
        // Servers for tests are quick, and forgetful.
        let place = Place::new().variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true");
        let place =
            old_variables(site.url()).iter().fold(place, |place, (name, value)| place.variable(name, value));
        place.add_user("ada", "admin", "correct horse battery").succeeded();
        let server = Server::start(&place, &[]);
        server.logged_in("ada", "correct horse battery").get("/api/v1/products");
        assert_eq!(server.stop(), 0);
        assert!(place.read(Server::LOG).contains("deprecated, set STOCKROOM_DATABASE_URL instead"));

        let server = Server::start(&site.place(), &[]);
        server.logged_in("ada", "correct horse battery").get("/api/v1/products");
    }
}
