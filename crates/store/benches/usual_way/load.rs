//! Clients that place one order after the other through a pool of connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::Failure;

/// Names one order and the rows that belong to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// The number of the order, and of its item, its line in the ledger and its event.
    pub(crate) id: i64,
    pub(crate) user: i64,
    pub(crate) product: i64,
    /// When, microseconds since 1970 UTC.
    pub(crate) at_us: i64,
}

/// Pieces that each order takes.
pub(crate) const QUANTITY: i64 = 1;

/// Why an order was not placed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Others were in the way (a deadlock, say), and the transaction is rolled back: once more.
    Again,
    /// Anything else.
    Broken(Failure),
}

/// A connection whose statements are prepared.
pub(crate) trait Connection: Send + Sized + 'static {
    /// Connects and prepares.
    fn open(url: &str) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Places one order in one transaction.
    fn place(&mut self, order: &Order) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// How much of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    /// Each order takes one of these products, drawn anew each time.
    pub(crate) products: i64,
    /// How many place orders at the same time.
    pub(crate) clients: i64,
    /// How many connections they share.
    pub(crate) connections: usize,
    pub(crate) length: Duration,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) orders: i64,
    orders_per_second: f64,
    /// Of the latencies, the wait for a connection included.
    p50_ms: f64,
    p99_ms: f64,
    /// Transactions that were run again.
    retries: u64,
}

impl Measured {
    pub(crate) fn json(&self) -> String {
        let Self { orders, orders_per_second, p50_ms, p99_ms, retries } = self;
        format!(
            "{{\"orders\":{orders},\"orders_per_second\":{orders_per_second:.1},\"p50_ms\":{p50_ms:.3},\
             \"p99_ms\":{p99_ms:.3},\"retries\":{retries}}}"
        )
    }

    /// Of one run's latencies in microseconds.
    fn of(mut latencies_us: Vec<u32>, lasted: Duration, retries: u64) -> Self {
        latencies_us.sort_unstable();
        let orders = i64::try_from(latencies_us.len()).unwrap_or(i64::MAX);
        Self {
            orders,
            orders_per_second: latencies_us.len() as f64 / lasted.as_secs_f64(),
            p50_ms: percentile_ms(&latencies_us, 50),
            p99_ms: percentile_ms(&latencies_us, 99),
            retries,
        }
    }
}

/// So many of a hundred took no longer; of none, zero.
fn percentile_ms(sorted_us: &[u32], percent: usize) -> f64 {
    let rank = (sorted_us.len() * percent).div_ceil(100);
    sorted_us.get(rank.saturating_sub(1)).map_or(0.0, |us| f64::from(*us) / 1000.0)
}

/// What all clients share.
struct Shared<C> {
    /// One permit for each connection that is free. Whoever has waited longest is next.
    permits: Semaphore,
    free: Mutex<VecDeque<C>>,
    next_id: AtomicI64,
    retries: AtomicU64,
}

impl Load {
    /// Runs the clients. The first order gets the number `first_id`.
    pub(crate) async fn measure<C: Connection>(&self, url: &str, first_id: i64) -> Result<Measured, Failure> {
        let mut free = VecDeque::new();
        for _ in 0..self.connections {
            free.push_back(C::open(url).await?);
        }
        let shared = Arc::new(Shared {
            permits: Semaphore::new(self.connections),
            free: Mutex::new(free),
            next_id: AtomicI64::new(first_id),
            retries: AtomicU64::new(0),
        });
        let began = Instant::now();
        let clients: Vec<_> = (1..=self.clients)
            .map(|user| tokio::spawn(client(Arc::clone(&shared), self.clone(), user, began)))
            .collect();
        let mut latencies_us = Vec::new();
        for client in clients {
            latencies_us.extend(client.await.map_err(|error| format!("a client died: {error}"))??);
        }
        Ok(Measured::of(latencies_us, began.elapsed(), shared.retries.load(Ordering::Relaxed)))
    }
}

/// Places orders until the time is over; answers with what each of them took, in microseconds.
async fn client<C: Connection>(
    shared: Arc<Shared<C>>,
    load: Load,
    user: i64,
    began: Instant,
) -> Result<Vec<u32>, Failure> {
    let mut latencies_us = Vec::new();
    let mut random = Random::new(user);
    while began.elapsed() < load.length {
        let asked = Instant::now();
        let _permit = shared.permits.acquire().await.map_err(|error| error.to_string())?;
        let connection = shared.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let mut connection = connection.ok_or("there are more permits than connections")?;
        let order = Order {
            id: shared.next_id.fetch_add(1, Ordering::Relaxed),
            user,
            product: 1 + random.below(load.products),
            at_us: 1_780_000_000_000_000 + i64::try_from(began.elapsed().as_micros()).unwrap_or(0),
        };
        loop {
            match connection.place(&order).await {
                Ok(()) => break,
                Err(Fault::Again) => {
                    shared.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_micros(500 + random.below(1500).unsigned_abs())).await;
                }
                Err(Fault::Broken(failure)) => return Err(failure),
            }
        }
        shared.free.lock().unwrap_or_else(PoisonError::into_inner).push_back(connection);
        latencies_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies_us)
}

/// Numbers without a pattern that matters here: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new(seed: i64) -> Self {
        Self(seed.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 up to, but not including, the limit.
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from((self.0 >> 16) % limit.unsigned_abs().max(1)).unwrap_or(0)
    }
}

/// Without a database: what is told of a run is right.
pub(crate) fn check() -> Result<(), Failure> {
    let measured = Measured::of((1..=1000).rev().collect(), Duration::from_secs(2), 3).json();
    let wanted =
        "{\"orders\":1000,\"orders_per_second\":500.0,\"p50_ms\":0.500,\"p99_ms\":0.990,\"retries\":3}";
    if measured != wanted {
        return Err(format!("a run is told as {measured}"));
    }
    let mut random = Random::new(1);
    let mut drawn = [0; 10];
    for _ in 0..10_000 {
        let slot = usize::try_from(random.below(10)).ok().and_then(|at| drawn.get_mut(at));
        *slot.ok_or("a number is out of range")? += 1;
    }
    let is_even = drawn.iter().all(|times| (800..1200).contains(times));
    if is_even { Ok(()) } else { Err(format!("products are not drawn evenly: {drawn:?}")) }
}
