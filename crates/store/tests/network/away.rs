//! A database that stays away for longer than anybody waits: whoever asked is told what is known, and learns the rest
//! by asking again under the same key.

use crate::cuts::{after_commit, before_commit};
use crate::lane::{Lane, Work};
use crate::proxy::{Cut, Door, How, Spot, When};
use crate::wire::Direction;
use std::time::Duration;
use store::{StoreError, Verdict};

/// How long the callers wait.
const PATIENCE: Duration = Duration::from_millis(600);

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
pub(crate) fn at_once(_: &Lane, how: How, door: Door) -> Cut {
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
