//! Reads from a database whose connections break, that is away, or that hangs.

use crate::away::at_once;
use crate::lane::{Findings, Lane, Work};
use crate::proxy::{Cut, Door, How, Spot, When};
use crate::wire::{Direction, Protocol};
use domain::{OrderId, UserId};
use std::fmt::Debug;
use std::time::Duration;
use store::driver::{Database, Options};
use store::{OrderQuery, OrderSort, Page, Scope, Start, Store, StoreError};
use tokio::time::{Instant, timeout};

/// How long the callers wait where the database is away, or hangs.
const PATIENCE: Duration = Duration::from_secs(1);

const ID: OrderId = OrderId(1);

fn all_orders() -> OrderQuery {
    OrderQuery {
        scope: Scope::All,
        status: None,
        user_id: None,
        product_id: None,
        placed_from_us: None,
        placed_before_us: None,
        sort: OrderSort::PlacedAt,
        descending: true,
        page: Page { limit: 10, start: Start::Offset(0) },
    }
}

async fn store_at(lane: &Lane, options: Options) -> Store {
    Store::new(Database::open(&lane.proxy.url(), options).await.unwrap())
}

/// Reads while the connection is cut at the boundaries of all messages and within them. Returns how many cuts there were.
async fn cut_reads<T: Debug + PartialEq>(
    lane: &Lane,
    wanted: &T,
    read: impl AsyncFn() -> Result<T, StoreError>,
) -> usize {
    // Once for the statements to be prepared, and once to see what goes through.
    for _ in 0..2 {
        lane.proxy.order([]);
        assert_eq!(read().await.unwrap(), *wanted);
    }
    let recording = lane.proxy.recording();
    let mut cuts = 0;
    for direction in [Direction::ToServer, Direction::ToClient] {
        for (messages, length) in recording.lengths(direction).into_iter().enumerate() {
            for bytes in [0, length / 2] {
                let spot = Spot { messages, bytes };
                let cut = Cut { direction, spot, when: When::Exceeded, how: How::HangUp, door: Door::Open };
                lane.proxy.order([cut]);
                assert_eq!(read().await.unwrap(), *wanted, "{cut:?}");
                assert_eq!(lane.proxy.outcome().cuts, 1, "{cut:?}");
                cuts += 1;
            }
        }
    }
    cuts
}

#[tokio::test]
async fn reads_do_not_notice_that_their_connection_is_cut() {
    let mut lane = Lane::of(Work::Several).await;
    let (_, findings) = lane.suffer([]).await;
    assert_eq!(findings, Findings::new());
    let store = store_at(&lane, Options::default()).await;
    let direct = &lane.direct.store;
    let order = direct.order(ID).await.unwrap();
    let mut cuts = cut_reads(&lane, &order, async || store.order(ID).await).await;
    let session = direct.session(UserId(1)).await.unwrap();
    cuts += cut_reads(&lane, &session, async || store.session(UserId(1)).await).await;
    // A page and its sums are of one state, so the whole list is read anew.
    let list = direct.orders(&all_orders()).await.unwrap();
    cuts += cut_reads(&lane, &list, async || store.orders(&all_orders()).await).await;
    let counted = direct.counted_orders(&all_orders()).await.unwrap();
    cuts += cut_reads(&lane, &counted, async || store.counted_orders(&all_orders()).await).await;
    println!("{:?}: {cuts} cuts of reads", lane.proxy.protocol());
}

#[tokio::test]
async fn reads_fail_in_time_when_the_database_is_away() {
    let lane = Lane::of(Work::One).await;
    let options = Options { patience: PATIENCE, connect_timeout: PATIENCE, ..Options::default() };
    let store = store_at(&lane, options).await;
    let order = store.order(ID).await.unwrap();
    for door in [Door::Refusing, Door::Waiting] {
        lane.proxy.set_door(door);
        lane.proxy.hang_up();
        let asked = Instant::now();
        let error = store.order(ID).await.unwrap_err();
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{door:?}: {error:?}");
        let error = store.orders(&all_orders()).await.unwrap_err();
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{door:?}: {error:?}");
        assert!(asked.elapsed() < PATIENCE * 20, "{door:?}: {:?}", asked.elapsed());
        lane.proxy.set_door(Door::Open);
        assert_eq!(store.order(ID).await.unwrap(), order);
    }
}

/// A database that hangs is not waited for as long as one that works.
#[tokio::test]
async fn a_database_that_hangs_is_told_from_one_that_takes_its_time() {
    let lane = Lane::of(Work::One).await;
    let options = Options { patience: PATIENCE, ..Options::default() };
    let statement_timeout = options.statement_timeout;
    let database = Database::open(&lane.proxy.url(), options).await.unwrap();
    let store = Store::new(database.clone());
    let slow = match lane.proxy.protocol() {
        Protocol::Postgres => "SELECT COUNT(pg_sleep(2.5))",
        Protocol::MySql => "SELECT SLEEP(2.5)",
    };
    assert_eq!(database.long_reader().await.unwrap().query_dynamic_long(slow, &[]).await.unwrap().len(), 1);

    for door in [Door::Waiting, Door::Refusing] {
        let hang = async || {
            lane.proxy.set_door(Door::Open);
            // There is a connection before all goes silent, and no other that would say good-bye.
            lane.proxy.hang_up();
            assert!(store.order(ID).await.unwrap().is_some());
            lane.proxy.order([at_once(&lane, How::Freeze, door)]);
            Instant::now()
        };
        let asked = hang().await;
        let error = store.order(ID).await.unwrap_err();
        assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
        assert!(asked.elapsed() < statement_timeout / 2, "{:?}", asked.elapsed());
        let asked = hang().await;
        let error = store.session(UserId(1)).await.unwrap_err();
        assert!(
            error.is_outage() && asked.elapsed() < statement_timeout / 2,
            "{error:?} {:?}",
            asked.elapsed()
        );
        // Whoever refuses others is there: this query has all the time that a query may have.
        let asked = hang().await;
        let mut reader = database.long_reader().await.unwrap();
        let long = timeout(PATIENCE * 3, reader.query_dynamic_long("SELECT 1", &[]));
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
        assert!(store.order(ID).await.unwrap().is_some());
    }
}
