//! Databases that are set up so that they forget what they have answered.

use std::thread::sleep;
use std::time::{Duration, Instant};

use testbed::Kind;

use crate::callers::furnish;
use crate::http::Client;
use crate::server::Server;
use crate::site::{Site, kind, own_database};

/// How long a change of settings may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A setting that gives durability away: how it is changed while the server runs, back again, and how it is named.
fn setting() -> ([&'static str; 2], [&'static str; 2], &'static str) {
    match kind() {
        Kind::Postgres => (
            ["ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()"],
            ["ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()"],
            "synchronous_commit is off",
        ),
        Kind::MariaDb => (
            ["SET GLOBAL innodb_flush_log_at_trx_commit = 2", "SELECT 1"],
            ["SET GLOBAL innodb_flush_log_at_trx_commit = 1", "SELECT 1"],
            "innodb_flush_log_at_trx_commit is 2",
        ),
    }
}

fn wait_until_ready_is(client: &mut Client, status: u16) -> String {
    let started = Instant::now();
    loop {
        let answer = client.call("GET", "/readyz", None);
        if answer.status == status {
            return answer.text;
        }
        assert!(started.elapsed() < PATIENCE, "{}", answer.text);
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_database_that_forgets_is_refused_unless_that_is_allowed() {
    let database = testbed::Server::start(kind(), false).expect("a database server");
    let site = Site::on(&database);
    let place = site.place();
    let refusal = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    let words = match kind() {
        Kind::Postgres => {
            ["fsync is off: set fsync = on", "full_page_writes is off", "synchronous_commit is off"]
        }
        Kind::MariaDb => [
            "innodb_flush_log_at_trx_commit is 0: SET GLOBAL innodb_flush_log_at_trx_commit = 1",
            "innodb_doublewrite is",
            "innodb_flush_method is nosync",
        ],
    };
    for words in words.into_iter().chain(["set allow_unsafe_database = true"]) {
        assert!(refusal.failed(1).contains(words), "{words} is not in {}", refusal.errors);
    }
    let server = Server::start(&place, &["--allow-unsafe-database"]);
    server.client().get("/readyz");
    assert!(place.read(Server::LOG).contains(words[0]), "{}", place.read(Server::LOG));
}

#[test]
fn a_setting_that_is_changed_underneath_is_told_by_readyz() {
    let database = own_database();
    let site = Site::on(&database);
    let place = site.place();
    furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let mut client = server.client();
    let (worse, better, words) = setting();
    client.get("/readyz");
    for sql in worse {
        database.query("stockroom", sql).unwrap();
    }
    let problem = wait_until_ready_is(&mut client, 503);
    assert!(problem.contains("UNSAFE_DATABASE") && !problem.contains(words), "{problem}");
    assert!(place.read(Server::LOG).contains(words), "{}", place.read(Server::LOG));
    for sql in better {
        database.query("stockroom", sql).unwrap();
    }
    wait_until_ready_is(&mut client, 200);
}
