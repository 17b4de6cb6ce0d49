//! Asked to stop under load, the server answers what it has accepted, in full, and does nothing else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::callers::{Caller, OPENING, furnish, history_of, look};
use crate::history::audit;
use crate::http::Client;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// An embedded database slow enough that requests are under way whenever the signal comes.
const SLOW_DISK: [&str; 2] = ["--test-sync-delay-us", "5000"];

const CALLERS: u64 = 8;
const READERS: usize = 2;

/// Reads pages until the server is gone. Gives the number of whole answers, and the beginnings of those that were cut.
fn read_pages(address: SocketAddr, token: &str) -> (usize, Vec<String>) {
    let ask = format!(
        "GET /api/v1/orders?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let (mut whole, mut cut) = (0, Vec::new());
    while let Ok(mut connection) = TcpStream::connect(address) {
        let mut answer = Vec::new();
        let sent = connection.write_all(ask.as_bytes()).and_then(|()| connection.read_to_end(&mut answer));
        match (is_whole(&answer), answer.is_empty()) {
            (true, _) => whole += 1,
            // Never accepted: nobody promised to answer.
            (false, true) => break,
            (false, false) => {
                cut.push(format!("{sent:?} {}", String::from_utf8_lossy(&answer[..answer.len().min(200)])));
            }
        }
    }
    (whole, cut)
}

/// Whether an answer has as many bytes as its head says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length == Some(body.len())
}

/// Stops a server under load, and gives what was cut off, or carried out without an answer; and how many were answered.
fn stop_under_load(
    place: &Place,
    token: &str,
    flags: &[&str],
    load: Duration,
    seed: u64,
) -> (usize, Vec<String>) {
    let server = Server::start(place, flags);
    let before = look(&mut server.client().with_token(token));
    let marks = AtomicI64::new(1 + before.orders.iter().map(|order| order.lines[0].1).max().unwrap_or(0));
    let mut callers: Vec<Caller> = (1..=CALLERS).map(|nth| Caller::new(seed * 64 + nth * 2)).collect();
    let address = server.address;
    let (whole, mut findings) = scope(|threads| {
        for caller in &mut callers {
            threads.spawn(|| caller.work(&mut Client::new(address).with_token(token), &marks));
        }
        let readers = [(); READERS].map(|()| threads.spawn(|| read_pages(address, token)));
        sleep(load);
        assert_eq!(server.stop(), 0);
        let read = readers.map(|reader| reader.join().unwrap());
        (
            read.iter().map(|read| read.0).sum::<usize>(),
            read.into_iter().flat_map(|read| read.1).collect::<Vec<_>>(),
        )
    });
    // What stayed without an answer never began: so the shop must be as if it had not been sent.
    callers.iter_mut().for_each(|caller| caller.sent.retain(|sent| sent.done.is_some()));
    let server = Server::start(place, &[]);
    let mut found = look(&mut server.client().with_token(token));
    assert_eq!(server.stop(), 0);
    // Levels are what this round made of them, and so are the orders.
    found.orders.retain(|order| before.orders.iter().all(|known| known.id != order.id));
    for (product, level) in &mut found.stock {
        let (on_hand, allocated) = before.stock[product];
        *level = (level.0 - on_hand + OPENING, level.1 - allocated);
    }
    findings.extend(audit(&history_of(&callers), &found, OPENING));
    (callers.iter().map(|caller| caller.sent.len()).sum::<usize>() + whole, findings)
}

#[test]
fn a_server_that_is_asked_to_stop_cuts_nobody_off() {
    let started = Instant::now();
    let wanted = rounds(3);
    let (mut stops, mut answered) = (0, 0);
    while stops < wanted {
        let place = Place::with_shop();
        let token = furnish(&place, &[]);
        let flags: &[&str] = if place.is_embedded() { &SLOW_DISK } else { &[] };
        for _ in 0..10.min(wanted - stops) {
            let load = Duration::from_millis(u64::try_from(30 + 37 * stops % 200).unwrap());
            let seed = 0x5eed + u64::try_from(stops).unwrap();
            let (answers, findings) = stop_under_load(&place, &token, flags, load, seed);
            assert!(findings.is_empty(), "stop {stops}: {findings:#?}");
            answered += answers;
            stops += 1;
        }
        place.run(&["verify"]).succeeded();
    }
    println!("{answered} answers, {:?}", started.elapsed());
    println!("torture sigterm: {stops} stops, {answered} answers, 0 cut");
    assert!(answered > stops, "hardly any load");
}

mod sqlite_only {
    use super::*;

    /// A server that does not wait for what it has accepted is noticed.
    #[test]
    fn a_server_that_does_not_wait_is_noticed() {
        let place = Place::new();
        let token = furnish(&place, &[]);
        let flags = [&SLOW_DISK[..], &["--shutdown-grace-seconds", "0"]].concat();
        let stop = |seed| stop_under_load(&place, &token, &flags, Duration::from_millis(60), seed).1;
        assert!((1..=20).any(|seed| !stop(seed).is_empty()), "nothing was cut");
    }
}
