//! Power failures, as far as a process can have them: killed under load again and again, the server keeps what it said
//! it had done, does nothing twice and nothing by halves.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::callers::{Caller, check, furnish, history_of, look, the_audit_would_have_noticed};
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

const CYCLES: usize = 10;
const CALLERS: u64 = 4;

#[test]
fn what_was_answered_survives_ten_kills() {
    let started = Instant::now();
    let seed = RandomState::new().hash_one(0);
    println!("seed {seed:#x}");
    let place = Place::with_shop();
    let token = furnish(&place, &[]);
    let marks = AtomicI64::new(1);
    let mut callers: Vec<Caller> =
        (1..=CALLERS).map(|nth| Caller::new(seed.wrapping_mul(2 * nth + 1))).collect();
    let mut pauses = Caller::new(seed);
    let mut server = Server::start(&place, &[]);
    let mut unanswered = 0;
    for cycle in 1..=CYCLES {
        let address = server.address;
        scope(|threads| {
            for caller in &mut callers {
                threads.spawn(|| caller.work(&mut Client::new(address).with_token(&token), &marks));
            }
            sleep(Duration::from_millis(50 + u64::try_from(pauses.below(251)).unwrap()));
            server.kill();
        });
        unanswered +=
            callers.iter().flat_map(|caller| &caller.sent).filter(|sent| sent.done.is_none()).count();
        if cycle % 2 == 0 {
            // The journal of the killed server is also recovered by who comes to look.
            place.run(&["verify"]).succeeded();
        }
        server = Server::start(&place, &[]);
        let mut client = server.client().with_token(&token);
        check(&callers, &look(&mut client), &format!("after kill {cycle}"));
        callers.iter_mut().for_each(|caller| caller.repeat(&mut client));
        check(&callers, &look(&mut client), &format!("after repeating what kill {cycle} cut off"));
        place.run(&["verify"]).succeeded();
    }
    let found = look(&mut server.client().with_token(&token));
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
    println!(
        "{} orders, {} commands, {unanswered} cut off, of which {} had been done, {:?}",
        found.orders.len(),
        callers.iter().map(|caller| caller.sent.len()).sum::<usize>(),
        callers.iter().map(|caller| caller.replayed).sum::<usize>(),
        started.elapsed()
    );
    assert!(found.orders.len() > 30, "hardly any load");
    assert!(unanswered > 0, "no kill hit a request");
    the_audit_would_have_noticed(&history_of(&callers), &found);
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
