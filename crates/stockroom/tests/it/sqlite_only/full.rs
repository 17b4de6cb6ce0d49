//! A disk that is full: nothing is written, everything can be read, and it goes on by itself when there is room.

use std::fs::File;
use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use super::disk::Disk;
use super::rounds;
use super::wrong::{self, Manner};
use crate::callers::{OPENING, PASSWORD, furnish, look};
use crate::history::{Ask, Sent, audit};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// Small enough to be filled in no time, also by the log, which would grow to 64 MiB where there is room for that.
const MEBIBYTES: u64 = 64;

/// Orders that may still find room in the log before the disk counts as full.
const MOST_ORDERS: usize = 5_000;

/// How often what was refused is asked for again once there is room.
const ATTEMPTS: usize = 200;

/// Requests while the disk is full.
const REFUSED: usize = 200;

/// Takes all the room there is.
fn fill(disk: &Disk) {
    let mut file = File::create(disk.path().join("filler")).unwrap();
    for size in [1 << 20, 4096, 1] {
        let zeros = vec![0; size];
        while file.write(&zeros).is_ok_and(|written| written > 0) {}
    }
}

/// Sends what was not answered as done so far; whether it is now.
fn send(client: &mut Client, sent: &mut Sent) -> bool {
    let (path, body) = sent.ask.request();
    let answer = client.call_with_key("POST", &path, &sent.key, body.as_ref());
    match answer.status {
        201 => sent.done = Some(answer.expect(201)),
        503 => assert!(answer.text.contains("STORAGE_FAILED"), "{}", answer.text),
        504 => assert!(answer.text.contains("OUTCOME_UNKNOWN"), "{}", answer.text),
        _ => panic!("{} {}", answer.status, answer.text),
    }
    sent.done.is_some()
}

/// An order that nobody has asked for yet.
fn ask(marks: &mut i64) -> Sent {
    *marks += 1;
    let mark = *marks;
    Sent { key: format!("key-{mark}"), ask: Ask::Place(vec![(1, mark)]), done: None }
}

#[test]
fn a_full_disk_is_read_from_and_recovers_by_itself() {
    let Some(disk) = Disk::new("ext4", MEBIBYTES) else { return };
    let place = Place::new().variable("STOCKROOM_DATA_DIR", disk.path().join("data").to_str().unwrap());
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let mut client = server.client().with_token(&token);
    let bob = serde_json::json!({"username": "bob", "password": PASSWORD});
    client.call("POST", "/api/v1/auth/register", Some(&bob)).expect(201);
    let (mut history, mut marks) = (Vec::new(), 0);
    let rounds = rounds(3);
    for round in 1..=rounds {
        fill(&disk);
        loop {
            assert!(history.len() < round * MOST_ORDERS, "the disk does not fill");
            let mut sent = ask(&mut marks);
            let done = send(&mut client, &mut sent);
            history.push(sent);
            if !done {
                break;
            }
        }
        for nth in 0..REFUSED {
            let mut sent = ask(&mut marks);
            // The log may have been begun anew, and have room for some. Of the others half are never repeated, and so must
            // not exist.
            if send(&mut client, &mut sent) || nth % 2 == 0 {
                history.push(sent);
            }
        }
        client.get("/healthz");
        client.get("/api/v1/products");
        client.get("/api/v1/orders?limit=5");
        // Of a customer; a login of staff is written down, or refused.
        server.token("bob", PASSWORD);
        std::fs::remove_file(disk.path().join("filler")).unwrap();
        for sent in history.iter_mut().filter(|sent| sent.done.is_none()) {
            // The file system may give the room back only with its next commit.
            let done = (0..ATTEMPTS).any(|_| {
                let done = send(&mut client, sent);
                if !done {
                    sleep(Duration::from_millis(50));
                }
                done
            });
            assert!(done, "round {round}, there is room again: {}", place.read(Server::LOG));
        }
        client.get("/readyz");
        assert_eq!(audit(&history, &look(&mut client), OPENING), Vec::<String>::new());
    }
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    let lines = place.read(Server::LOG).lines().count();
    println!("{} orders, {lines} lines of log", history.len());
    println!("torture full: {rounds} times full, 0 lost, 0 doubled");
    assert!(lines < rounds * REFUSED, "{lines} lines of log");
}

/// Orders whose log would fill the disk, while the file hardly grows.
const ORDERS: usize = 2_000;

/// How many orders a server takes until it refuses one.
fn orders_before_it_is_full(server: &Server, token: &str) -> usize {
    let mut client = server.client().with_token(token);
    let mut marks = 0;
    (0..ORDERS).take_while(|_| send(&mut client, &mut ask(&mut marks))).count()
}

#[test]
fn the_log_of_a_small_disk_leaves_room_for_the_file() {
    for manner in [Manner::Right, Manner::NeverMovesTheLog] {
        let Some(disk) = Disk::new("ext4", MEBIBYTES) else { return };
        let place = Place::new().variable("STOCKROOM_DATA_DIR", disk.path().join("data").to_str().unwrap());
        let token = furnish(&place, &[]);
        let server = Server::start_by(&place, wrong::command(&place, manner)).unwrap();
        let orders = orders_before_it_is_full(&server, &token);
        println!("{manner:?}: {orders} orders");
        // The other one is the control.
        assert_eq!(orders == ORDERS, manner == Manner::Right);
    }
}
