//! `stockroom backup` and `restore`: one moment of a shop that goes on, and nothing less.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::Duration;

use super::rounds;
use crate::callers::{Caller, check, furnish, look};
use crate::history::Found;
use crate::http::Client;
use crate::program::{Place, Ran};
use crate::server::Server;

fn backup(place: &Place, file: &Path) -> Ran {
    place.run(&["backup", file.to_str().unwrap()])
}

fn restore(place: &Place, file: &Path, more: &[&str]) -> Ran {
    place.run(&[&["restore", file.to_str().unwrap()], more].concat())
}

/// What is in a backup, by way of another place.
fn restored(file: &Path) -> (Place, Found) {
    let place = Place::new();
    restore(&place, file, &[]).succeeded();
    place.run(&["verify"]).succeeded();
    place.add_user("bob", "admin", "correct horse battery").succeeded();
    let server = Server::start(&place, &[]);
    let found = look(&mut server.logged_in("bob", "correct horse battery"));
    assert_eq!(server.stop(), 0);
    (place, found)
}

/// What a backup lacks of what was there before it was asked for, and what it has that was never there.
fn compare(before: &Found, backup: &Found, after: &Found) -> Vec<String> {
    let mut findings = Vec::new();
    let has = |found: &Found, id| found.orders.iter().find(|order| order.id == id).cloned();
    for order in &before.orders {
        if has(backup, order.id).is_none() {
            findings.push(format!("the backup lacks order {}", order.id));
        }
    }
    for order in &backup.orders {
        if has(after, order.id).is_none_or(|later| later.lines != order.lines) {
            findings.push(format!("order {} of the backup was never there", order.id));
        }
    }
    findings
}

#[test]
fn a_backup_under_load_is_one_moment_of_the_shop() {
    let place = Place::new();
    let token = furnish(&place, &[]);
    let marks = AtomicI64::new(1);
    let mut callers: Vec<Caller> = (1..=4).map(|nth| Caller::new(0xbac * nth)).collect();
    let server = Server::start(&place, &[]);
    let address = server.address;
    let mut client = server.client().with_token(&token);
    let mut taken: Vec<(PathBuf, Found)> = Vec::new();
    scope(|threads| {
        for caller in &mut callers {
            threads.spawn(|| caller.work(&mut Client::new(address).with_token(&token), &marks));
        }
        for nth in 1..=rounds(4) {
            sleep(Duration::from_millis(150));
            // Restoring all of them takes longer than making them.
            let file = place.path().join(format!("backup-{nth}.sqlite"));
            let before = look(&mut client);
            backup(&place, &file).succeeded();
            taken.push((file, before));
        }
        assert_eq!(server.stop(), 0);
    });
    callers.iter_mut().for_each(|caller| caller.sent.retain(|sent| sent.done.is_some()));
    let server = Server::start(&place, &[]);
    let after = look(&mut server.client().with_token(&token));
    check(&callers, &after, "after the backups");
    let mut grown = 0;
    for (file, before) in &taken {
        let (_, found) = restored(file);
        assert_eq!(compare(before, &found, &after), Vec::<String>::new());
        grown += usize::from(found.orders.len() > before.orders.len());
    }
    println!(
        "{} backups, {grown} with orders that came meanwhile, {} orders",
        taken.len(),
        after.orders.len()
    );
    // The control: half of the shop, and another shop, would have been noticed.
    let (mut half, whole) = (taken[0].1.clone(), taken[0].1.clone());
    half.orders.truncate(half.orders.len() / 2);
    assert!(!compare(&whole, &half, &after).is_empty());
    assert!(!compare(&half, &whole, &half).is_empty());
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_nothing_half_done() {
    let place = Place::new();
    furnish(&place, &[]);
    let file = place.path().join("kept.sqlite");
    std::fs::write(&file, "precious").unwrap();
    assert!(backup(&place, &file).failed(1).contains("exists already"));
    assert_eq!(place.read("kept.sqlite"), "precious");
    let nowhere = place.path().join("no/such/directory.sqlite");
    assert!(backup(&place, &nowhere).failed(1).contains("cannot write into"));
    let network = place.run(&["backup", "other.sqlite", "--database", "postgres://h/shop"]);
    assert!(network.failed(1).contains("pg_dump"), "{}", network.errors);
    let empty = Place::new();
    assert!(backup(&empty, &empty.path().join("x.sqlite")).failed(1).contains("there is no database"));
    let mut left: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data", "greeting", "kept.sqlite", "log"]);
}

#[test]
fn a_restore_takes_the_place_of_a_shop_only_when_told_and_keeps_it() {
    let place = Place::new();
    let token = furnish(&place, &[]);
    let file = place.path().join("kept.sqlite");
    backup(&place, &file).succeeded();
    let server = Server::start(&place, &[]);
    let refusal = restore(&place, &file, &["--replace"]);
    assert!(refusal.failed(1).contains("is serving"), "{}", refusal.errors);
    assert!(restore(&place, &place.path().join("none"), &["--replace"]).code == 1);
    let product = serde_json::json!({"name": "New", "price_cents": 5, "stock_quantity": 7});
    server.client().with_token(&token).call("POST", "/api/v1/products", Some(&product)).expect(201);
    // Killed: what was added last is in the log alone.
    server.kill();
    assert!(restore(&place, &file, &[]).failed(1).contains("--replace"));
    let said = restore(&place, &file, &["--replace"]);
    let aside = place.path().join("data/stockroom.sqlite.before-restore-1");
    assert!(said.succeeded().contains("before-restore-1"), "{}", said.answer);
    let products = |place: &Place| {
        let server = Server::start(place, &[]);
        let found = look(&mut server.client().with_token(&token)).stock.len();
        assert_eq!(server.stop(), 0);
        found
    };
    assert_eq!(products(&place), 4);
    restore(&place, &aside, &["--replace"]).succeeded();
    assert_eq!(products(&place), 5);
    place.run(&["verify"]).succeeded();
}

#[test]
fn a_backup_that_is_damaged_or_does_not_add_up_is_not_restored() {
    let place = Place::new();
    furnish(&place, &[]);
    let file = place.path().join("kept.sqlite");
    backup(&place, &file).succeeded();
    let into = |file: &Path| {
        let other = Place::new();
        let ran = restore(&other, file, &[]);
        assert_eq!(other.path().join("data/stockroom.sqlite").exists(), ran.code == 0);
        ran
    };
    into(&file).succeeded();
    let damaged = place.path().join("damaged.sqlite");
    std::fs::copy(&file, &damaged).unwrap();
    let mut bytes = OpenOptions::new().write(true).open(&damaged).unwrap();
    for page in 3..30 {
        bytes.seek(SeekFrom::Start(4096 * page + 100)).unwrap();
        bytes.write_all(&[0xff; 64]).unwrap();
    }
    assert_eq!(into(&damaged).code, 1);
    let cut = place.path().join("cut.sqlite");
    let mut half = vec![0; usize::try_from(file.metadata().unwrap().len() / 2).unwrap()];
    File::open(&file).unwrap().read_exact(&mut half).unwrap();
    std::fs::write(&cut, half).unwrap();
    assert_eq!(into(&cut).code, 1);
    let url = format!("sqlite:{}", file.display());
    crate::copy::sabotage(&url, "UPDATE stock_levels SET on_hand = on_hand + 1 WHERE product_id = 1");
    let refusal = into(&file);
    assert!(refusal.errors.contains("does not add up"), "{}", refusal.errors);
    // What does not add up is backed up all the same, and said.
    let lopsided = Place::new().variable("STOCKROOM_DATABASE_URL", &url);
    let ran = backup(&lopsided, &place.path().join("again.sqlite"));
    assert!(ran.code == 1 && place.path().join("again.sqlite").exists(), "{}", ran.errors);
}
