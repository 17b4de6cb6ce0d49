//! What a command decides, and the working copy in which it does so.

use std::sync::Arc;

use crate::{
    ApiKey, ApiKeyId, Context, Event, MovementKind, Order, OrderId, Product, ProductId, RecordedEvent,
    Rejection, Snapshot, StockLevel, User, UserId,
};

/// A row that takes the place of an older one, or is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The user as it is now.
    PutUser(User),
    /// The product as it is now.
    PutProduct(Product),
    /// The product and its level are gone; its ledger stays.
    EraseProduct(ProductId),
    /// The level as it is now. Made where the ledger is written, and for a new product that starts empty.
    PutLevel(StockLevel),
    /// The order and its items as they are now.
    PutOrder(Order),
    /// The shop keeps its prices in this currency from now on.
    OpenShop {
        /// ISO 4217 code.
        currency: String,
    },
    /// The servers of this shop sign with the secret that has this mark.
    NoteSecret {
        /// What the secret can be told by, and not be guessed from.
        mark: String,
    },
    /// The key as it is now.
    PutApiKey(ApiKey),
    /// All keys that this user has made are revoked, unless they are already.
    RevokeApiKeysOf {
        /// Their maker.
        user_id: UserId,
        /// Microseconds since 1970 UTC.
        at_us: i64,
    },
    /// The user logged in. Nothing is stored of it but what the audit log tells.
    NoteSession {
        /// The user.
        user_id: UserId,
    },
    /// The key was used.
    NoteApiKeyUse {
        /// The key.
        id: ApiKeyId,
        /// Microseconds since 1970 UTC.
        at_us: i64,
    },
    /// Answers kept for repeated requests before this time are forgotten.
    ForgetAnswers {
        /// Microseconds since 1970 UTC.
        before_us: i64,
    },
}

/// One line of the ledger: by how much a level changed, why, and what it was afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The product.
    pub product_id: ProductId,
    /// Why.
    pub kind: MovementKind,
    /// Difference in pieces on hand.
    pub on_hand_delta: i64,
    /// Difference in pieces held by orders.
    pub allocated_delta: i64,
    /// On hand afterwards.
    pub on_hand_after: i64,
    /// Held by orders afterwards.
    pub allocated_after: i64,
    /// The order that caused it, if one did.
    pub order_id: Option<OrderId>,
    /// Who caused it; `None` for the system and the anonymous principal.
    pub actor_id: Option<UserId>,
    /// Reason given by staff.
    pub reason: Option<String>,
    /// Note given by staff.
    pub note: Option<String>,
    /// The request in which it happened.
    pub request_id: Arc<str>,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}

/// Everything a decision does to the shop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Rows, in the order in which they change.
    pub changes: Vec<Change>,
    /// Lines for the ledger.
    pub movements: Vec<Movement>,
    /// What happened.
    pub events: Vec<RecordedEvent>,
}

/// What a command decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<O> {
    /// What the caller learns.
    pub outcome: O,
    /// What changes.
    pub effects: Effects,
}

/// Why and for what a level moves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cause<'a> {
    /// The order, if one is behind it.
    pub order_id: Option<OrderId>,
    /// Reason given by staff.
    pub reason: Option<&'a str>,
    /// Note given by staff.
    pub note: Option<&'a str>,
}

/// The working copy of one command: reads see its own writes, the snapshot stays untouched.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The rows as they were when the command's turn came.
    pub snapshot: &'a Snapshot,
    /// Who asks, when, in which request.
    pub context: &'a Context,
    effects: Effects,
}

impl<'a> Draft<'a> {
    /// An empty working copy.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, context: &'a Context) -> Self {
        Self { snapshot, context, effects: Effects::default() }
    }

    /// The product as this command left it.
    #[must_use]
    pub fn product(&self, id: ProductId) -> Option<&Product> {
        let own = self.effects.changes.iter().rev().find_map(|change| match change {
            Change::PutProduct(product) if product.id == id => Some(product),
            _ => None,
        });
        own.or_else(|| self.snapshot.product(id))
    }

    /// The stock level as this command left it; a product without one has nothing.
    #[must_use]
    pub fn level(&self, id: ProductId) -> StockLevel {
        let own = self.effects.changes.iter().rev().find_map(|change| match change {
            Change::PutLevel(level) if level.product_id == id => Some(*level),
            _ => None,
        });
        let found = if own.is_some() || self.is_new(id) { own } else { self.snapshot.level(id) };
        found.unwrap_or(StockLevel { product_id: id, on_hand: 0, allocated: 0, version: 0 })
    }

    /// Whether this very command creates the product.
    fn is_new(&self, id: ProductId) -> bool {
        id.0 >= self.snapshot.next.product
    }

    /// Records a change of a row.
    pub fn put(&mut self, change: Change) {
        self.effects.changes.push(change);
    }

    /// Records what happened.
    pub fn record(&mut self, event: Event) {
        self.effects.events.push(RecordedEvent {
            event,
            actor_id: self.context.actor.user_id,
            request_id: Arc::clone(&self.context.request_id),
            at_us: self.context.now_us,
        });
    }

    /// Moves a stock level, notices when the product runs low, and deactivates it at zero available if it
    /// asks for that.
    ///
    /// # Errors
    /// [`Rejection::OutOfRange`] when the level would leave `0 <= allocated <= on_hand <= MAX_STOCK`.
    pub fn move_stock(
        &mut self,
        id: ProductId,
        kind: MovementKind,
        deltas: (i64, i64),
        cause: Cause<'_>,
    ) -> Result<StockLevel, Rejection> {
        let before = self.level(id);
        let after = self.shift(before, kind, deltas, cause)?;
        self.watch_availability(before.available(), after);
        Ok(after)
    }

    /// Writes the remaining stock of a product off that is about to be erased.
    ///
    /// # Errors
    /// [`Rejection::OutOfRange`] when open orders hold some of it.
    pub fn write_off(&mut self, level: StockLevel) -> Result<(), Rejection> {
        self.shift(level, MovementKind::Erased, (-level.on_hand, 0), Cause::default())?;
        Ok(())
    }

    /// The one function that changes a stock level, and therefore the one that writes the ledger.
    fn shift(
        &mut self,
        before: StockLevel,
        kind: MovementKind,
        (on_hand_delta, allocated_delta): (i64, i64),
        cause: Cause<'_>,
    ) -> Result<StockLevel, Rejection> {
        let id = before.product_id;
        let in_range = |value: &i64| (0..=crate::MAX_STOCK).contains(value);
        let on_hand = before.on_hand.checked_add(on_hand_delta).filter(in_range);
        let allocated = before.allocated.checked_add(allocated_delta).filter(in_range);
        let (Some(on_hand), Some(allocated)) = (on_hand, allocated) else {
            return Err(stock_out_of_range());
        };
        if allocated > on_hand {
            return Err(stock_out_of_range());
        }
        let after = StockLevel { product_id: id, on_hand, allocated, version: before.version + 1 };
        self.put(Change::PutLevel(after));
        self.effects.movements.push(Movement {
            product_id: id,
            kind,
            on_hand_delta,
            allocated_delta,
            on_hand_after: on_hand,
            allocated_after: allocated,
            order_id: cause.order_id,
            actor_id: self.context.actor.user_id,
            reason: cause.reason.map(str::to_owned),
            note: cause.note.map(str::to_owned),
            request_id: Arc::clone(&self.context.request_id),
            at_us: self.context.now_us,
        });
        Ok(after)
    }

    /// Low stock is an event when the threshold is crossed, not while it stays crossed.
    fn watch_availability(&mut self, before: i64, after: StockLevel) {
        let available = after.available();
        let Some(product) = self.product(after.product_id) else { return };
        let threshold = product.low_stock_threshold;
        let runs_out = product.auto_deactivate && available == 0 && before > 0;
        if before > threshold && available <= threshold {
            self.record(Event::StockRanLow { product_id: after.product_id, available, threshold });
        }
        if runs_out {
            self.deactivate_sold_out(after.product_id);
        }
    }

    /// Deactivates a product, unless it is inactive already or some of it is available.
    pub fn deactivate_sold_out(&mut self, id: ProductId) {
        let Some(product) = self.product(id) else { return };
        if !product.is_active || self.level(id).available() > 0 {
            return;
        }
        let now_us = self.context.now_us;
        let version = product.version + 1;
        let product = Product { is_active: false, version, updated_at_us: now_us, ..product.clone() };
        self.record(Event::ProductDeactivated { product_id: id, automatic: true });
        self.put(Change::PutProduct(product));
    }

    /// Ends the work.
    pub fn decide<O>(self, outcome: O) -> Decision<O> {
        Decision { outcome, effects: self.effects }
    }
}

fn stock_out_of_range() -> Rejection {
    Rejection::OutOfRange { field: "stock", line: None, min: 0, max: crate::MAX_STOCK }
}
