//! How servers end, and who may start.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::callers::{Caller, check, furnish, look};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// An embedded database slow enough that requests are under way whenever the signal comes.
const SLOW_DISK: [&str; 2] = ["--test-sync-delay-us", "20000"];

#[test]
fn a_server_that_is_asked_to_stop_answers_what_it_accepted() {
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let marks = AtomicI64::new(1);
    let mut callers: Vec<Caller> = (1..=8).map(|nth| Caller::new(0x5eed * nth)).collect();
    let server = Server::start(&place, if place.is_embedded() { &SLOW_DISK } else { &[] });
    let address = server.address;
    let took = scope(|threads| {
        for caller in &mut callers {
            threads.spawn(|| caller.work(&mut Client::new(address).with_token(&token), &marks));
        }
        sleep(Duration::from_millis(400));
        let asked = Instant::now();
        assert_eq!(server.stop(), 0);
        asked.elapsed()
    });
    println!("stopped after {took:?}");
    // What stayed without an answer never began: so the shop must be as if it had not been sent.
    for caller in &mut callers {
        caller.sent.retain(|sent| sent.done.is_some());
        assert!(!caller.sent.is_empty());
    }
    let server = Server::start(&place, &[]);
    check(&callers, &look(&mut server.client().with_token(&token)), "after the stop");
    place.run(&["verify"]).succeeded();
}

#[test]
fn a_request_that_never_ends_is_cut_when_the_grace_period_is_over() {
    let place = Place::with_shop();
    let server = Server::start(&place, &["--shutdown-grace-seconds", "1"]);
    let mut stuck = TcpStream::connect(server.address).unwrap();
    stuck
        .write_all(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    // Answered on another connection: then the first has been read, too.
    sleep(Duration::from_millis(100));
    server.client().get("/healthz");
    let asked = Instant::now();
    assert_eq!(server.stop(), 0);
    let took = asked.elapsed();
    println!("stopped after {took:?}");
    assert!(place.read(Server::LOG).contains("cut"), "{}", place.read(Server::LOG));
    let mut rest = Vec::new();
    // Closed or reset, but not open.
    let _ = stuck.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn a_port_that_is_taken_leaves_no_trace() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = place.run(&["serve", "--demo", "--listen", &address]);
    assert!(ran.failed(1).contains(&format!("cannot listen on {address}")), "{}", ran.errors);
    assert!(!place.path().join("data/stockroom.sqlite").exists());
}

#[test]
fn an_interrupt_ends_a_server_like_a_termination() {
    let place = Place::with_shop();
    let server = Server::start(&place, &[]);
    server.client().get("/healthz");
    server.signal("INT");
    assert_eq!(server.wait(), 0);
    assert!(place.read(Server::LOG).trim_end().ends_with("stopped"), "{}", place.read(Server::LOG));
}

#[test]
fn commands_find_their_turn_beside_a_busy_server() {
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let marks = AtomicI64::new(1);
    // They expect 200 and 201 throughout, also while another process writes.
    let mut callers: Vec<Caller> = (1..=16).map(|nth| Caller::new(0xb05e * nth)).collect();
    let server = Server::start(&place, &[]);
    let address = server.address;
    scope(|threads| {
        for caller in &mut callers {
            threads.spawn(|| caller.work(&mut Client::new(address).with_token(&token), &marks));
        }
        for nth in 1..=5 {
            place.add_user(&format!("user{nth}"), "staff", "correct horse battery").succeeded();
            place.run(&["verify"]).succeeded();
            place.run(&["migrate"]).succeeded();
        }
        assert_eq!(server.stop(), 0);
    });
    place.run(&["verify"]).succeeded();
}

mod sqlite_only {
    use super::*;

    #[test]
    fn one_database_has_one_server() {
        let place = Place::new();
        let first = Server::start(&place, &[]);
        let second = place.run(&["serve", "--listen", "127.0.0.1:0"]);
        let refusal = second.failed(1);
        assert!(refusal.contains(&format!("process {} is serving", first.pid())), "{refusal}");
        assert!(refusal.contains("stop it first"), "{refusal}");
        // Looking and migrating do not need the lock.
        place.run(&["verify"]).succeeded();
        place.run(&["migrate"]).succeeded();
        first.kill();
        assert_eq!(Server::start(&place, &[]).stop(), 0);
    }
}
