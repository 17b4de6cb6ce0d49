//! Sweeps orders away that nobody has confirmed or paid in time.
//!
//! Nobody depends on how soon that is: what is refused for want of what such an order holds is decided once more without
//! it, in the store. Several servers of a shop may sweep at once; each order is looked at again before it expires.

use std::sync::Arc;
use std::time::Duration;

use domain::{Actor, Context, ExpireOrders};
use tokio::time::{MissedTickBehavior, interval};

use super::{Answered, App, Failure};
use crate::clock;

/// How often it is looked whether any order has expired: one look into an index that holds none but those that may.
const INTERVAL: Duration = Duration::from_secs(1);
/// So many expire in one command; others have their turn between two.
const PORTION: i64 = 100;

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

    /// Lets all orders expire whose time is up at `now_us`, in portions; tells how many that were.
    ///
    /// # Errors
    /// [`Failure`] when it was not carried out to the end.
    pub async fn sweep(&self, now_us: i64) -> Result<usize, Failure> {
        let mut swept = 0;
        loop {
            let order_ids = self.reads().expired_orders(now_us, PORTION).await?;
            if order_ids.is_empty() {
                return Ok(swept);
            }
            let request_id = Arc::from("sweep");
            let context = Context { actor: Actor::SYSTEM, now_us, request_id, source: None };
            match self.execute(ExpireOrders { order_ids }, context, None).await? {
                Answered::Decided(Ok(expired)) if !expired.is_empty() => swept += expired.len(),
                // Somebody else was faster. What is left is seen at the next look, so that two never chase each other.
                _ => return Ok(swept),
            }
        }
    }
}
