//! A database that stays away for longer than anybody waits: whoever asked is told what is known, and learns the rest
//! by asking again under the same key.

use crate::cuts::{after_commit, before_commit};
use crate::lane::{Counts, Lane, Work};
use crate::proxy::{Cut, Door, How, Spot, When};
use crate::wire::{Direction, Protocol};
use std::time::Duration;
use store::driver::{Database, Options};
use store::{Store, StoreError, Verdict};

/// How long the callers wait.
const PATIENCE: Duration = Duration::from_millis(400);

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing has happened.
    Lost,
    /// Nobody knows.
    Unknown,
}

/// Where to cut.
type Place = fn(&Lane, How, Door) -> Cut;

/// A cut before anything that matters.
fn at_once(_: &Lane, how: How, door: Door) -> Cut {
    let spot = Spot { messages: 0, bytes: 0 };
    Cut { direction: Direction::ToServer, spot, when: When::Exceeded, how, door }
}

/// Cuts, and lets nobody through before the caller has given up. Then the same key settles it.
async fn give_up(lane: &mut Lane, cut: Place, how: How, door: Door, told: Told, was_stored: bool) {
    let cut = cut(lane, how, door);
    let what = format!("{cut:?}");
    let before = lane.direct.counts().await;
    let mut errand = lane.errand();
    lane.proxy.order([cut]);
    let verdicts = lane.write_within(&mut errand, PATIENCE).await;
    assert_eq!(lane.proxy.outcome().cuts, 1, "{what}");
    let [Verdict::Failed(error)] = &verdicts[..] else { panic!("{what}: {verdicts:?}") };
    let right = match told {
        Told::Lost => matches!(**error, StoreError::ConnectionLost(_)),
        Told::Unknown => matches!(**error, StoreError::OutcomeUnknown(_)),
    };
    assert!(right, "{what}: {error:?}");
    assert_eq!(verdicts[0].may_wait(), told == Told::Lost, "{what}");

    // What is frozen would hold its locks until the database loses patience.
    if cut.how == How::Freeze {
        lane.proxy.hang_up();
    }
    let (key, answer) = errand.keyed.expect("the order has a key");
    match lane.again(&key).await {
        Verdict::Replayed(kept) => assert!(was_stored && kept == answer, "{what}: {kept:?}"),
        Verdict::Decided => assert!(!was_stored, "{what}: stored again"),
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(lane.direct.counts().await.since(before), lane.growth, "{what}");
    lane.proxy.set_door(Door::Open);
    // The store goes on as if nothing had been, and its next batch is not taken for the one in doubt. The first one
    // after a break is to run in full on its new connection.
    for _ in 0..2 {
        let (_, findings) = lane.suffer([]).await;
        assert!(findings.is_empty(), "{what}: {findings:?}");
    }
}

#[tokio::test]
async fn whoever_gives_up_is_told_what_is_known_and_the_key_settles_the_rest() {
    let mut lane = Lane::of(Work::Keyed).await;
    for door in [Door::Refusing, Door::Waiting] {
        for how in [How::HangUp, How::Freeze] {
            give_up(&mut lane, at_once, how, door, Told::Lost, false).await;
            give_up(&mut lane, before_commit, how, door, Told::Unknown, false).await;
            give_up(&mut lane, after_commit, how, door, Told::Unknown, true).await;
        }
        // It arrives when nobody waits for it any more.
        let late = How::Late(PATIENCE * 2);
        give_up(&mut lane, before_commit, late, door, Told::Unknown, true).await;
    }
    lane.direct.assert_sound().await;
}

/// A database that is away when the store begins, and comes in time.
#[tokio::test]
async fn a_database_that_comes_back_in_time_is_not_noticed() {
    let mut lane = Lane::of(Work::Several).await;
    for (cut, door) in [(after_commit as Place, Door::Refusing), (before_commit, Door::Waiting)] {
        let cut = cut(&lane, How::HangUp, door);
        let proxy = std::sync::Arc::clone(&lane.proxy);
        let returning = async move {
            proxy.next_cut().await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            proxy.set_door(Door::Open);
        };
        let (outcome, findings) = lane.suffer_beside([cut], returning).await;
        assert_eq!((outcome.cuts, findings), (1, Vec::new()));
    }
    assert!(lane.writer_counts().found_committed == 1 && lane.writer_counts().lost_connections >= 2);
    lane.direct.assert_sound().await;
}

/// Reads are asked again until they are answered, or fail when patience ends; they never answer with half of it.
#[tokio::test]
async fn reads_survive_cuts_and_fail_in_time() {
    let mut lane = Lane::of(Work::Several).await;
    let (_, findings) = lane.suffer([]).await;
    assert!(findings.is_empty(), "{findings:?}");
    let options = Options { patience: PATIENCE, connect_timeout: PATIENCE, ..Options::default() };
    let store = Store::new(Database::open(&lane.proxy.url(), options).await.unwrap());
    let (wanted, id) = (lane.direct.counts().await, domain::OrderId(1));
    let order = lane.direct.store.order(id).await.unwrap();
    // Once for the statements to be prepared, and once to see what goes through.
    for _ in 0..2 {
        lane.proxy.order([]);
        assert_eq!(store.order(id).await.unwrap(), order);
    }
    let recording = lane.proxy.recording();
    for direction in [Direction::ToServer, Direction::ToClient] {
        for (messages, length) in recording.lengths(direction).into_iter().enumerate() {
            for bytes in [0, length / 2] {
                let spot = Spot { messages, bytes };
                let cut = Cut { direction, spot, when: When::Exceeded, how: How::HangUp, door: Door::Open };
                lane.proxy.order([cut]);
                assert_eq!(store.order(id).await.unwrap(), order, "{cut:?}");
                assert_eq!(lane.proxy.outcome().cuts, 1, "{cut:?}");
                // A report is of one state of the database, so it is not begun anew on another connection.
                lane.proxy.order([cut]);
                match store.verify().await {
                    Ok(report) => assert_eq!(report.discrepancies.len(), 0, "{cut:?}"),
                    Err(error) => {
                        assert!(matches!(error, StoreError::ConnectionLost(_)), "{cut:?}: {error:?}");
                    }
                }
                assert_eq!(store.order(id).await.unwrap(), order, "{cut:?}");
            }
        }
    }
    for door in [Door::Refusing, Door::Waiting] {
        lane.proxy.set_door(door);
        lane.proxy.hang_up();
        let asked = tokio::time::Instant::now();
        let error = store.order(id).await.unwrap_err();
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{door:?}: {error:?}");
        assert!(asked.elapsed() < PATIENCE * 20, "{door:?}: {:?}", asked.elapsed());
        lane.proxy.set_door(Door::Open);
        assert_eq!(store.order(id).await.unwrap(), order);
    }
    let counts: Counts = lane.direct.counts().await;
    assert_eq!(counts, wanted);
}

/// A database that hangs is not waited for as long as one that works.
#[tokio::test]
async fn a_database_that_hangs_is_told_from_one_that_takes_its_time() {
    let lane = Lane::of(Work::One).await;
    let options = Options { patience: PATIENCE, ..Options::default() };
    let statement_timeout = options.statement_timeout;
    let database = Database::open(&lane.proxy.url(), options).await.unwrap();
    let (store, id) = (Store::new(database.clone()), domain::OrderId(1));
    let slow = match lane.proxy.protocol() {
        Protocol::Postgres => "SELECT COUNT(pg_sleep(1.5))",
        Protocol::MySql => "SELECT SLEEP(1.5)",
    };
    assert_eq!(database.long_reader().await.unwrap().query_dynamic_long(slow, &[]).await.unwrap().len(), 1);

    for door in [Door::Waiting, Door::Refusing] {
        let hang = async || {
            lane.proxy.set_door(Door::Open);
            // There is a connection before all goes silent.
            assert!(store.order(id).await.unwrap().is_some());
            lane.proxy.order([at_once(&lane, How::Freeze, door)]);
            tokio::time::Instant::now()
        };
        let asked = hang().await;
        let error = store.order(id).await.unwrap_err();
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
        assert!(asked.elapsed() < statement_timeout / 2, "{:?}", asked.elapsed());
        let asked = hang().await;
        let error = store.session(domain::UserId(1)).await.unwrap_err();
        assert!(
            error.is_outage() && asked.elapsed() < statement_timeout / 2,
            "{error:?} {:?}",
            asked.elapsed()
        );
        // Whoever refuses others is there: this query has all the time that a query may have.
        let asked = hang().await;
        let mut reader = database.long_reader().await.unwrap();
        let long = tokio::time::timeout(PATIENCE * 6, reader.query_dynamic_long("SELECT 1", &[]));
        match (door, long.await) {
            (Door::Waiting, Ok(Err(error))) => {
                assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
            }
            (Door::Refusing, Err(_)) => {}
            (_, other) => panic!("{door:?}: {other:?} after {:?}", asked.elapsed()),
        }
        lane.proxy.hang_up();
        lane.proxy.set_door(Door::Open);
        drop(reader);
        assert!(store.order(id).await.unwrap().is_some());
    }
}
