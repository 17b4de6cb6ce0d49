//! The connection is cut at every point of a batch, and every batch is stored once.

use crate::lane::{Findings, Lane, Work};
use crate::place::run;
use crate::proxy::{Cut, Door, How, Outcome, Recording, Spot, When};
use crate::wire::Direction;
use std::sync::Arc;
use std::time::Duration;

/// What came of many cuts.
#[derive(Debug, Default)]
struct Tally {
    batches: usize,
    cuts: usize,
    /// Batches whose COMMIT had been sent when their connection was cut.
    in_doubt: usize,
    /// Those of them that turned out to be committed.
    found: usize,
    findings: Findings,
}

impl Tally {
    /// Writes batches one after the other, each while these orders are carried out.
    async fn of(lane: &mut Lane, all: impl IntoIterator<Item = Vec<Cut>>) -> Self {
        let commit = lane.recording.lengths(Direction::ToServer).len();
        let found_before = lane.writer_counts().found_committed;
        let mut tally = Self::default();
        for orders in all {
            let (outcome, findings) = lane.suffer(orders.iter().copied()).await;
            tally.note(outcome, commit);
            let what = findings.into_iter().map(|finding| format!("after {orders:?}: {finding}"));
            tally.findings.extend(what);
            assert!(tally.findings.len() < 10, "{:#?}", tally.findings);
            if tally.batches.is_multiple_of(50) {
                lane.direct.assert_sound().await;
            }
        }
        lane.direct.assert_sound().await;
        tally.found = usize::try_from(lane.writer_counts().found_committed - found_before).unwrap();
        println!(
            "{:?}: {} batches, {} cuts, {} batches in doubt, {} of them found committed",
            lane.proxy.protocol(),
            tally.batches,
            tally.cuts,
            tally.in_doubt,
            tally.found
        );
        assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
        tally
    }

    fn note(&mut self, outcome: Outcome, commit: usize) {
        self.batches += 1;
        self.cuts += outcome.cuts;
        self.in_doubt += usize::from(outcome.cuts > 0 && outcome.sent >= commit);
    }
}

/// The cut that leaves the answer to COMMIT unread.
pub(crate) fn after_commit(lane: &Lane, how: How, door: Door) -> Cut {
    let spot = Spot { messages: lane.recording.answered_before_last(), bytes: 0 };
    Cut { direction: Direction::ToClient, spot, when: When::Exceeded, how, door }
}

/// The cut at which COMMIT is on its way and has not arrived.
pub(crate) fn before_commit(lane: &Lane, how: How, door: Door) -> Cut {
    let messages = lane.recording.lengths(Direction::ToServer).len() - 1;
    let spot = Spot { messages, bytes: 0 };
    Cut { direction: Direction::ToServer, spot, when: When::Exceeded, how, door }
}

/// Cuts at the boundaries of all messages, before and after the answer to what has passed by then can come, and
/// somewhere within each message.
pub(crate) fn everywhere(recording: &Recording) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for direction in [Direction::ToServer, Direction::ToClient] {
        for (messages, length) in recording.lengths(direction).into_iter().enumerate() {
            let within = (1..length).step_by((length / 4).max(1)).take(4);
            let spots = [0].into_iter().chain(within).map(|bytes| (Spot { messages, bytes }, When::Exceeded));
            let end = (Spot { messages: messages + 1, bytes: 0 }, When::Reached);
            for ((spot, when), how) in spots.chain([end]).zip([How::HangUp, How::Reset].into_iter().cycle()) {
                cuts.push(Cut { direction, spot, when, how, door: Door::Open });
            }
        }
    }
    cuts
}

/// About so many of the cuts, of all kinds and from all parts.
pub(crate) fn some(cuts: &[Cut], wanted: usize) -> impl Iterator<Item = Cut> {
    let wanted = wanted.min(cuts.len());
    (0..wanted).map(move |nth| cuts[nth * cuts.len() / wanted])
}

/// Cuts at every byte of COMMIT and of its answer.
fn around_commit(lane: &Lane) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for (direction, first) in [
        (Direction::ToServer, lane.recording.lengths(Direction::ToServer).len() - 1),
        (Direction::ToClient, lane.recording.answered_before_last()),
    ] {
        let lengths = lane.recording.lengths(direction);
        for (messages, length) in lengths.into_iter().enumerate().skip(first) {
            for (bytes, how) in (0..length).zip([How::HangUp, How::Reset].into_iter().cycle()) {
                let spot = Spot { messages, bytes };
                cuts.push(Cut { direction, spot, when: When::Exceeded, how, door: Door::Open });
            }
        }
    }
    cuts
}

async fn cut_everywhere(work: Work) {
    let mut lane = Lane::of(work).await;
    let all = everywhere(&lane.recording);
    let cuts: Vec<_> = some(&all, 190).chain(around_commit(&lane)).collect();
    let tally = Tally::of(&mut lane, cuts.into_iter().map(|cut| vec![cut])).await;
    assert!(tally.cuts >= 200, "{tally:?}");
    // Every kind: too early to matter, on the way to a commit that never was, and after it.
    assert!(tally.in_doubt < tally.cuts && tally.found < tally.in_doubt && tally.found > 0, "{tally:?}");
}

#[tokio::test]
async fn an_order_is_stored_once_wherever_the_connection_is_cut() {
    cut_everywhere(Work::One).await;
}

#[tokio::test]
async fn several_commands_are_stored_once_wherever_the_connection_is_cut() {
    cut_everywhere(Work::Several).await;
}

/// Here each batch opens its connection and prepares its statements first.
#[tokio::test]
async fn a_batch_is_stored_once_when_its_connection_is_cut_as_it_is_opened() {
    let mut lane = Lane::of(Work::One).await;
    lane.is_cold = true;
    let (_, findings) = lane.suffer([]).await;
    assert_eq!(findings, Findings::new());
    lane.recording = lane.proxy.recording();
    let all = everywhere(&lane.recording);
    let mut tally = Tally::default();
    for cut in some(&all, 70) {
        let (outcome, findings) = lane.suffer([cut]).await;
        tally.note(outcome, usize::MAX);
        assert!(findings.is_empty(), "after {cut:?}: {findings:?}");
    }
    lane.direct.assert_sound().await;
    println!("{:?}: {} cuts while a connection was opened", lane.proxy.protocol(), tally.cuts);
    assert!(tally.cuts * 10 >= tally.batches * 9, "{tally:?}");
}

/// The connection on which the store looks for a lost commit is cut, too, wherever that may be.
#[tokio::test]
async fn a_batch_is_stored_once_when_the_search_for_it_is_cut() {
    let mut lane = Lane::of(Work::One).await;
    for first in [
        after_commit(&lane, How::HangUp, Door::Open),
        // Here the batch is run again after the search.
        before_commit(&lane, How::HangUp, Door::Open),
    ] {
        let (_, findings) = lane.suffer([first]).await;
        assert_eq!(findings, Findings::new());
        let all = everywhere(&lane.proxy.recording());
        let orders = some(&all, 60).map(|second| vec![first, second]);
        let tally = Tally::of(&mut lane, orders).await;
        assert!(tally.cuts * 10 >= tally.batches * 19, "{tally:?}");
    }
    // Again and again.
    let first = after_commit(&lane, How::Reset, Door::Open);
    let (_, findings) = lane.suffer([first]).await;
    assert_eq!(findings, Findings::new());
    let last = lane.proxy.recording().lengths(Direction::ToServer).len() - 1;
    let many = (0..=last).step_by(1 + last / 8).map(|messages| {
        let spot = Spot { messages, bytes: 0 };
        Cut { direction: Direction::ToServer, spot, when: When::Exceeded, how: How::Reset, door: Door::Open }
    });
    let orders: Vec<_> = [first].into_iter().chain(many).collect();
    let wanted = orders.len();
    let tally = Tally::of(&mut lane, [orders]).await;
    assert_eq!((tally.cuts, tally.found), (wanted, 1));
}

/// The COMMIT of a lost connection arrives while the store already looks for it: once in time, once so late that the
/// search has given up waiting for its locks and begun anew.
#[tokio::test]
async fn a_commit_that_arrives_late_is_found() {
    for work in [Work::Several, Work::New] {
        let mut lane = Lane::of(work).await;
        for late in [1, 20, 200, 1500].map(Duration::from_millis) {
            let cut = before_commit(&lane, How::Late(late), Door::Open);
            let tally = Tally::of(&mut lane, [vec![cut]]).await;
            assert_eq!((tally.cuts, tally.in_doubt, tally.found), (1, 1, 1), "{work:?} {late:?}");
        }
        assert!(lane.writer_counts().conflicts > 0, "{:?}", lane.writer_counts());
    }
}

/// Cuts, and changes the database before the store can look.
async fn meddled(lane: &mut Lane, cut: fn(&Lane, How, Door) -> Cut, change: Option<&str>) -> Findings {
    let cut = cut(lane, How::HangUp, Door::Waiting);
    let proxy = Arc::clone(&lane.proxy);
    let url = lane.direct.place.url().to_owned();
    let has_cut = proxy.next_cut();
    let meddle = async move {
        has_cut.await;
        if let Some(change) = change {
            run(&url, &[change]).await;
        }
        proxy.set_door(Door::Open);
    };
    let (outcome, findings) = lane.suffer_beside([cut], meddle).await;
    assert_eq!(outcome.cuts, 1);
    findings
}

/// The checks of this file would see a batch that is stored twice, or not at all: here are some.
#[tokio::test]
async fn a_store_that_is_misled_about_a_commit_is_caught() {
    let mut lane = Lane::of(Work::One).await;
    for change in ["DELETE FROM batches", "UPDATE batches SET sequence = sequence - 1"] {
        let findings = meddled(&mut lane, after_commit, Some(change)).await;
        assert!(findings.iter().any(|finding| finding.contains("were added instead of")), "{findings:?}");
        // Stored twice it is as sound as if two had been asked for: counting is what finds it.
        lane.direct.assert_sound().await;
        assert_eq!(meddled(&mut lane, after_commit, None).await, Findings::new());
    }
    let lost = "UPDATE batches SET sequence = sequence + 1";
    let findings = meddled(&mut lane, before_commit, Some(lost)).await;
    assert!(findings.iter().any(|finding| finding.contains("were added instead of")), "{findings:?}");
    assert_eq!(meddled(&mut lane, before_commit, None).await, Findings::new());
}
