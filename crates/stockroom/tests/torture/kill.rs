//! Power failures, as far as a process can have them: killed under load again and again, the server keeps what it said
//! it had done, does nothing twice and nothing by halves.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::process::Stdio;
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::callers::{Caller, check, furnish, history_of, look, the_audit_would_have_noticed};
use crate::http::Client;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// Kills of one shop. Everything in it is looked at after each, so it must not grow for ever.
const CYCLES: usize = 25;
const CALLERS: u64 = 4;

/// What happened in one or many shops.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    orders: usize,
    commands: usize,
    /// Commands without an answer, and how many of them turned out to be done.
    cut_off: usize,
    done: usize,
    /// Starts that were killed before the server said that it was there.
    early: usize,
}

/// Kills a server so many times, and looks what is left each time.
fn torment(seed: u64, cycles: usize, tally: &mut Tally) {
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let marks = AtomicI64::new(1);
    let mut callers: Vec<Caller> =
        (1..=CALLERS).map(|nth| Caller::new(seed.wrapping_mul(2 * nth + 1))).collect();
    let mut chance = Caller::new(seed);
    let mut server = Server::start(&place, &[]);
    for cycle in 1..=cycles {
        let address = server.address;
        scope(|threads| {
            for caller in &mut callers {
                threads.spawn(|| caller.work(&mut Client::new(address).with_token(&token), &marks));
            }
            sleep(Duration::from_millis(u64::try_from(20 + chance.below(130)).unwrap()));
            server.kill();
        });
        let unanswered = |caller: &Caller| caller.sent.iter().filter(|sent| sent.done.is_none()).count();
        tally.cut_off += callers.iter().map(unanswered).sum::<usize>();
        if cycle % 4 == 0 {
            kill_early(&place, Duration::from_millis(u64::try_from(chance.below(30)).unwrap()));
            tally.early += 1;
        }
        if cycle % 2 == 0 {
            // The journal of the killed server is also recovered by who comes to look.
            place.run(&["verify"]).succeeded();
        }
        server = Server::start(&place, &[]);
        let mut client = server.client().with_token(&token);
        check(&callers, &look(&mut client), &format!("seed {seed:#x}, after kill {cycle}"));
        callers.iter_mut().for_each(|caller| caller.repeat(&mut client));
        check(
            &callers,
            &look(&mut client),
            &format!("seed {seed:#x}, after repeating what kill {cycle} cut off"),
        );
        place.run(&["verify"]).succeeded();
    }
    let found = look(&mut server.client().with_token(&token));
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    the_audit_would_have_noticed(&history_of(&callers), &found);
    tally.kills += cycles;
    tally.orders += found.orders.len();
    tally.commands += callers.iter().map(|caller| caller.sent.len()).sum::<usize>();
    tally.done += callers.iter().map(|caller| caller.replayed).sum::<usize>();
}

/// Kills a server while it starts, perhaps in the middle of recovering from the kill before.
fn kill_early(place: &Place, after: Duration) {
    let mut serve = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_was_answered_survives_every_kill() {
    let started = Instant::now();
    let seed = RandomState::new().hash_one(0);
    let wanted = rounds(10);
    let mut tally = Tally::default();
    while tally.kills < wanted {
        let seed = seed.wrapping_add(u64::try_from(tally.kills).unwrap());
        torment(seed, CYCLES.min(wanted - tally.kills), &mut tally);
    }
    println!("seed {seed:#x}, {tally:?}, {:?}", started.elapsed());
    println!("torture kill: {} kills, {} orders, 0 lost, 0 doubled", tally.kills, tally.orders);
    assert!(tally.orders > 0, "no load");
    assert!(tally.cut_off > 0, "no kill hit a request");
}

mod sqlite_only {
    use super::*;
    use crate::callers::OPENING;
    use crate::history::audit;

    /// A server that did not keep what it answered would not pass: here its journal is thrown away after the kill.
    #[test]
    fn a_lost_journal_is_noticed() {
        let place = Place::new();
        let token = furnish(&place, &[]);
        let mut callers = [Caller::new(7)];
        let server = Server::start(&place, &[]);
        let address = server.address;
        scope(|threads| {
            threads.spawn(|| {
                callers[0].work(&mut Client::new(address).with_token(&token), &AtomicI64::new(1));
            });
            sleep(Duration::from_millis(80));
            server.kill();
        });
        for companion in ["stockroom.sqlite-wal", "stockroom.sqlite-shm"] {
            std::fs::remove_file(place.path().join("data").join(companion)).unwrap();
        }
        let server = Server::start(&place, &[]);
        let found = look(&mut server.client().with_token(&token));
        let findings = audit(&history_of(&callers), &found, OPENING);
        assert!(findings.iter().any(|finding| finding.contains("was answered and is lost")), "{findings:?}");
    }
}
