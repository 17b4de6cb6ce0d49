//! Sweeps orders away that nobody has confirmed or paid in time, and gives those an end that were placed without one.
//!
//! Nobody depends on how soon that is: what is refused for want of what such an order holds is decided once more without
//! it, in the store. Several servers of a shop may sweep at once; each order is looked at again before it expires, or gets
//! an end.

use std::sync::Arc;
use std::time::Duration;

use domain::{Actor, Command, Context, ExpireOrders, LimitWaits, OrderId};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Answered, App, Failure};
use crate::clock;

/// How often it is looked whether any order has expired: one look into an index that holds none but those that may.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether any order has come without an end. None does where all servers have the same setting.
const LIMITING_INTERVAL: Duration = Duration::from_secs(60);
/// So many expire, or get an end, in one command; others have their turn between two.
const PORTION: usize = 100;
/// So many orders that wait are looked at in one query.
const LOOK: i64 = 1_000;

impl App {
    /// Sweeps for as long as it is let.
    pub async fn keep_swept(self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            ticks.tick().await;
            match self.sweep(clock::now_us()).await {
                Ok(0) => is_failing = false,
                Ok(orders) => {
                    is_failing = false;
                    tracing::info!(orders, "orders expired that nobody had confirmed or paid in time");
                }
                // Once, and not each second that the database is away.
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "expired orders cannot be swept away for now");
                    }
                }
            }
        }
    }

    /// Sees to it for as long as it is let that no order waits for ever, if the shop sets a time.
    ///
    /// Orders that were placed before it did are all found at once, after the start; later there are none but those of a
    /// server that is not told of the setting yet.
    pub async fn keep_waits_limited(self) {
        if self.settings().placing_terms().pending_life_us.is_none() {
            return;
        }
        let (mut seen, mut is_failing) = (OrderId(0), false);
        loop {
            match self.limit_waits(&mut seen, clock::now_us()).await {
                Ok(orders) => {
                    is_failing = false;
                    if orders > 0 {
                        tracing::info!(orders, "pending orders that might wait for ever have an end now");
                    }
                    sleep(LIMITING_INTERVAL).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "pending orders cannot be given an end for now");
                    }
                    // A database that was away may have forgotten its last orders, and given their numbers to others.
                    seen = OrderId(0);
                    sleep(INTERVAL).await;
                }
            }
        }
    }

    /// Lets all orders expire whose time is up at `now_us`, in portions; tells how many that were.
    ///
    /// # Errors
    /// [`Failure`] when it was not carried out to the end.
    pub async fn sweep(&self, now_us: i64) -> Result<usize, Failure> {
        let mut swept = 0;
        loop {
            let limit = i64::try_from(PORTION).unwrap_or(i64::MAX);
            let order_ids = self.reads().expired_orders(now_us, limit).await?;
            if order_ids.is_empty() {
                return Ok(swept);
            }
            match self.housekeep(ExpireOrders { order_ids }, now_us).await? {
                // Somebody else was faster. What is left is seen at the next look, so that two never chase each other.
                0 => return Ok(swept),
                expired => swept += expired,
            }
        }
    }

    /// Gives all pending orders behind `seen` that have no end one: as long after `now_us` as the setting says, so that
    /// whoever placed one has all of that time. Tells how many that were, and moves `seen` on.
    ///
    /// # Errors
    /// [`Failure`] when it was not carried out to the end; `seen` is how far.
    pub async fn limit_waits(&self, seen: &mut OrderId, now_us: i64) -> Result<usize, Failure> {
        let Some(life_us) = self.settings().placing_terms().pending_life_us else { return Ok(0) };
        let mut limited = 0;
        loop {
            let waiting = self.reads().pending_orders(*seen, LOOK).await?;
            let Some(last) = waiting.last else { return Ok(limited) };
            for portion in waiting.endless.chunks(PORTION) {
                let order_ids = portion.to_vec();
                limited += self.housekeep(LimitWaits { order_ids, life_us }, now_us).await?;
            }
            *seen = last;
        }
    }

    /// Carries out what nobody asked for, and tells how many orders it changed.
    async fn housekeep<C>(&self, command: C, now_us: i64) -> Result<usize, Failure>
    where
        C: Command<Outcome = Vec<OrderId>> + Send + 'static,
    {
        let request_id = Arc::from("sweep");
        let context = Context { actor: Actor::SYSTEM, now_us, request_id, source: None };
        match self.execute(command, context, None).await? {
            Answered::Decided(Ok(changed)) => Ok(changed.len()),
            _ => Ok(0),
        }
    }
}
