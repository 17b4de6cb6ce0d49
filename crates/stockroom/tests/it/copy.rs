//! `stockroom copy`: a shop that has moved is the same shop, and half of one is served by nobody.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use store::driver::Options;

use crate::demo::all;
use crate::http::Client;
use crate::place::Place as Database;
use crate::program::{Place, Ran};
use crate::server::Server;

/// A shop with the sample data, and where it is copied to.
struct Move {
    place: Place,
    /// The database that is copied.
    from: String,
    /// A database that does not exist, or is empty.
    to: String,
    /// An administrator's token.
    token: String,
    /// What the URLs lead to, unless it is files. Dropped last.
    _databases: Vec<Database>,
}

impl Move {
    fn new() -> Self {
        // Servers for tests are quick, and forgetful.
        let place = Place::new().variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true");
        let mut databases = Vec::new();
        let [from, to] = ["data/stockroom.sqlite", "moved.sqlite"].map(|file| match Database::elsewhere() {
            None => format!("sqlite:{}", place.path().join(file).display()),
            Some(database) => {
                let url = database.url().to_owned();
                databases.push(database);
                url
            }
        });
        let server = Server::start(&place, &["--demo", "--database", &from]);
        let token = server.token("admin", place.read("data/demo-password").trim());
        assert_eq!(server.stop(), 0);
        Self { place, from, to, token, _databases: databases }
    }
}

fn copy(place: &Place, from: &str, to: &str) -> Ran {
    place.run(&["copy", "--from", from, "--to", to])
}

/// Changes a database by an SQL statement, as no command would.
pub(crate) fn sabotage(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = store::driver::Database::open(url, Options::default()).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        transaction.execute_dynamic(sql, &[]).await.unwrap();
        transaction.commit().await.unwrap();
    });
}

/// Everything that an administrator can see.
pub(crate) fn everything(client: &mut Client) -> Vec<Value> {
    let mut found = Vec::new();
    for list in ["products", "orders", "users"] {
        let rows = all(client, list);
        assert!(!rows.is_empty(), "{list}");
        found.extend(rows);
    }
    for product in all(client, "products") {
        let movements = client.get(&format!("/api/v1/products/{}/stock/movements?limit=100", product["id"]));
        assert!(!movements["movements"].as_array().unwrap().is_empty());
        found.push(movements);
    }
    let mut after = 0;
    loop {
        let page = client.get(&format!("/api/v1/events?limit=1000&after={after}"));
        let events = page["events"].as_array().unwrap();
        let Some(last) = events.last() else { return found };
        after = last["id"].as_i64().unwrap();
        found.extend(events.iter().cloned());
    }
}

#[test]
fn a_shop_that_has_moved_is_the_same_shop() {
    let Move { place, from, to, token, _databases } = Move::new();
    let copied = copy(&place, &from, &to);
    let summary = copied.succeeded();
    assert!(
        summary.starts_with("copied ") && summary.contains(&format!("from {from} to {to}\n")),
        "{summary}"
    );
    assert!(summary.contains("the same secret"), "{summary}");
    for table in ["users", "products", "orders", "events", "counters"] {
        assert!(summary.lines().any(|line| line.trim().starts_with(table)), "{table} in {summary}");
        let lines = copied.errors.lines().filter(|line| line.starts_with(&format!("copied {table}: ")));
        assert_eq!(lines.count(), 1, "{table} in {}", copied.errors);
    }
    assert!(!copied.errors.contains('\u{1b}') && !copied.errors.contains('\r'), "{:?}", copied.errors);
    assert_eq!(place.run(&["verify", "--database", &to]).succeeded(), "everything adds up\n");

    // One of the two at a time, with the same secret: the session goes on.
    let [before, after] = [&from, &to].map(|url| {
        let server = Server::start(&place, &["--database", url]);
        let found = everything(&mut server.client().with_token(&token));
        assert_eq!(server.stop(), 0);
        found
    });
    assert!(before.len() > 1_000, "{}", before.len());
    assert!(before == after);

    // With another one it does not, but the password is still known.
    let server = Server::start(&place, &["--database", &to, "--data-dir", "elsewhere"]);
    let answer = server.client().with_token(&token).call("GET", "/api/v1/users", None);
    assert_eq!(answer.status, 401);
    server.logged_in("admin", place.read("data/demo-password").trim()).get("/api/v1/users");
}

#[test]
fn a_copy_that_was_killed_goes_on_and_is_served_by_nobody_before() {
    let Move { place, from, to, token, _databases } = Move::new();
    let mut unfinished = 0;
    // Each attempt may carry one table more than the one before.
    for tables in 1.. {
        let mut child = place
            .command(&["copy", "--from", &from, "--to", &to])
            .env("STOCKROOM_TEST_SYNC_DELAY_US", "15000")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
            seen += &line;
            seen.push('\n');
            if seen.matches("copied ").count() == tables {
                child.kill().unwrap();
                break;
            }
        }
        if child.wait().unwrap().code().is_some() {
            assert!(seen.contains("comparing") && !seen.contains("error"), "{seen}");
            break;
        }
        let verify = place.run(&["verify", "--database", &to]);
        if verify.code == 0 {
            // It was killed in its last moment, when everything was done.
            assert!(copy(&place, &from, &to).failed(1).contains("holds this very shop already"));
            break;
        }
        unfinished += 1;
        let user = ["user", "passwd", "--username", "admin", "--password-stdin", "--database", &to];
        for refused in [
            verify,
            place.run(&["serve", "--listen", "127.0.0.1:0", "--database", &to]),
            place.run_with(&user, b"correct horse battery\n"),
            copy(&place, &to, &format!("{to}.again")),
        ] {
            let text = refused.failed(1);
            assert!(text.contains("unfinished copy") && text.lines().count() == 1, "{text}");
        }
    }
    println!("{unfinished} interruptions");
    assert!(unfinished > 2, "hardly a kill hit a copy");
    let [before, after] = [&from, &to].map(|url| {
        let server = Server::start(&place, &["--database", url]);
        let found = everything(&mut server.client().with_token(&token));
        assert_eq!(server.stop(), 0);
        found
    });
    assert!(before == after);
    place.run(&["verify", "--database", &to]).succeeded();
}

#[test]
fn a_copy_that_was_killed_at_any_moment_can_be_given_again() {
    let Move { place, from, to, _databases, .. } = Move::new();
    let (mut kills, mut patience) = (0, Duration::from_millis(3));
    loop {
        let mut child = place
            .command(&["copy", "--from", &from, "--to", &to])
            .env("STOCKROOM_TEST_SYNC_DELAY_US", "5000")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let killed_at = Instant::now() + patience;
        patience += Duration::from_millis(7);
        while child.try_wait().unwrap().is_none() && Instant::now() < killed_at {
            sleep(Duration::from_millis(1));
        }
        // It may have ended already.
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        if let Some(code) = output.status.code() {
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(code == 0 || errors.contains("holds this very shop already"), "{errors}");
            break;
        }
        kills += 1;
    }
    println!("{kills} kills");
    assert!(kills > 2, "hardly a kill");
    place.run(&["verify", "--database", &to]).succeeded();
    let again = copy(&place, &from, &to);
    assert!(again.failed(1).contains("holds this very shop already"), "{}", again.errors);
}

#[test]
fn passwords_in_urls_are_not_repeated() {
    let Move { place, from, _databases, .. } = Move::new();
    // Nobody is there, and nobody comes.
    let place = place.variable("STOCKROOM_DATABASE_WAIT_SECONDS", "1");
    for (from, to) in [
        ("postgres://ann:hush@127.0.0.1:1/db", "sqlite:moved.sqlite"),
        (&from, "mysql://ann:hush@127.0.0.1:1/db"),
        ("postgres://ann:hush@127.0.0.1:1", "oracle://ann:hush@h/db"),
        ("mysql://ann:hush@h/db", "mariadb://bob:hush@h/db"),
    ] {
        let refused = copy(&place, from, to);
        assert!(matches!(refused.code, 1 | 2), "{}", refused.errors);
        assert!(refused.errors.contains("error: ") && !refused.errors.contains("hush"), "{}", refused.errors);
    }
}

#[test]
fn a_source_that_does_not_add_up_is_told_and_not_copied() {
    let Move { place, from, to, _databases, .. } = Move::new();
    sabotage(&from, "UPDATE stock_levels SET on_hand = on_hand + 1 WHERE product_id = 2");
    let refused = copy(&place, &from, &to);
    assert_eq!(refused.code, 1);
    assert!(
        refused.answer.lines().any(|line| line.starts_with("ledger_sum: product 2")),
        "{}",
        refused.answer
    );
    assert!(refused.errors.contains("the source does not add up"), "{}", refused.errors);
    // The target was left alone: when the source is well again, it is empty.
    sabotage(&from, "UPDATE stock_levels SET on_hand = on_hand - 1 WHERE product_id = 2");
    copy(&place, &from, &to).succeeded();
}

mod sqlite_only {
    use super::*;

    #[test]
    fn what_cannot_be_copied_is_refused_in_one_line() {
        let Move { place, from, to, _databases, .. } = Move::new();
        let (foreign, text) =
            (format!("{to}.foreign"), format!("sqlite:{}", place.path().join("text").display()));
        sabotage(&foreign, "CREATE TABLE users (id INTEGER)");
        std::fs::write(place.path().join("text"), "Dear diary, ".repeat(100)).unwrap();
        let nothing = format!("sqlite:{}", place.path().join("nothing.sqlite").display());
        let directory = format!("sqlite:{}", place.path().join("data").display());
        let used = format!("{to}.used");
        let here = "sqlite:data/stockroom.sqlite".to_owned();
        copy(&place, &from, &used).succeeded();
        place.run_with(
            &["user", "passwd", "--username", "admin", "--password-stdin", "--database", &used],
            b"correct horse battery\n",
        );
        for (from, to, code, words) in [
            (&nothing, &to, 1, "there is no database at"),
            (&directory, &to, 1, "there is no database at"),
            (&foreign, &to, 1, "the source holds no shop"),
            (&text, &to, 1, "is not a database"),
            (&from, &used, 1, "the target is not empty"),
            (&from, &text, 1, "is not a database"),
            (&from, &here, 2, "are the same database"),
            (&from, &from, 2, "are the same database"),
            (&from, &"oracle://h/db".to_owned(), 2, "--to: write sqlite:PATH"),
            (&"shop.sqlite".to_owned(), &to, 2, "--from: write sqlite:PATH"),
        ] {
            let refused = copy(&place, from, to);
            let lines: Vec<_> =
                refused.failed(code).lines().filter(|line| line.starts_with("error: ")).collect();
            assert!(lines.len() == 1 && lines[0].contains(words), "{from} {to}: {}", refused.errors);
            assert!(refused.errors.lines().last() == lines.first().copied(), "{}", refused.errors);
        }
        assert!(!place.path().join("nothing.sqlite").exists(), "a source is not made by being asked for");
        assert!(!place.path().join("moved.sqlite").exists(), "nor a target for no source");
        // The shop itself was left alone throughout.
        copy(&place, &from, &to).succeeded();
    }

    #[test]
    fn neither_database_may_be_in_use() {
        let Move { place, from, to, _databases, .. } = Move::new();
        for url in [&from, &to] {
            let server = Server::start(&place, &["--database", url]);
            let refused = copy(&place, &from, &to);
            let wanted = format!("process {} is serving", server.pid());
            assert!(refused.failed(1).contains(&wanted), "{}", refused.errors);
            assert_eq!(server.stop(), 0);
        }
        let to = format!("{to}.other");
        let mut child = place
            .command(&["copy", "--from", &from, "--to", &to])
            .env("STOCKROOM_TEST_SYNC_DELAY_US", "300000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It locks both before it makes the target.
        let patience = Instant::now() + Duration::from_secs(30);
        while !place.path().join("moved.sqlite.other").exists() {
            assert!(Instant::now() < patience, "the copy does not begin");
            sleep(Duration::from_millis(1));
        }
        for url in [&from, &to] {
            let refused = place.run(&["serve", "--listen", "127.0.0.1:0", "--database", url]);
            let wanted = format!("process {} is copying", child.id());
            assert!(refused.failed(1).contains(&wanted), "{}", refused.errors);
        }
        // A server is what the lock keeps away; another command that writes is noticed in the end.
        let add = ["user", "add", "--username", "late", "--email", "late@shop.example", "--role", "staff"];
        let add = [&add[..], &["--password-stdin", "--database", &from]].concat();
        place.run_with(&add, b"correct horse battery\n").succeeded();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let unfinished = place.run(&["verify", "--database", &to]);
        assert!(unfinished.failed(1).contains("is an unfinished copy"), "{}", unfinished.errors);
        let refused = copy(&place, &from, &to);
        assert!(refused.failed(1).contains("before it moved on"), "{}", refused.errors);
    }
}
