//! Commands on stock levels.

use super::{ProductWithStock, require_range, require_staff};
use crate::{
    Cause, Command, Context, Decision, Draft, Event, Keys, MAX_ADJUSTMENT_LINES, MAX_STOCK, MovementKind,
    ProductId, Rejection, Shortage, Snapshot,
};

/// What staff do to a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockChange {
    /// Goods came in: at least 1.
    Increment(i64),
    /// Goods go out: at least 1, at most what is available.
    Decrement(i64),
    /// Somebody counted: this many are on hand, never fewer than open orders hold.
    Set {
        /// Pieces on hand.
        on_hand: i64,
        /// Refuse unless this many were on hand.
        expected: Option<i64>,
    },
}

/// A change of one product's level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLine {
    /// The product.
    pub product_id: ProductId,
    /// The change.
    pub change: StockChange,
    /// Why, in a word or two.
    pub reason: Option<String>,
    /// What else there is to say.
    pub note: Option<String>,
}

/// Changes the levels of one or many products, all or nothing, in the order given.
#[derive(Debug, Clone)]
pub struct AdjustStock {
    /// The changes.
    pub lines: Vec<StockLine>,
}

impl Command for AdjustStock {
    type Outcome = Vec<ProductWithStock>;

    fn word(&self) -> &'static str {
        "stock.adjust"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { products: self.lines.iter().map(|line| line.product_id).collect(), ..Keys::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<Vec<ProductWithStock>>, Rejection> {
        require_staff(context)?;
        self.check(snapshot)?;
        let mut draft = Draft::new(snapshot, context);
        let mut shortages = Vec::new();
        for (position, line) in self.lines.iter().enumerate() {
            match adjust(&mut draft, position, line) {
                // Every short product is named, not just the first.
                Err(Rejection::InsufficientStock(short)) => shortages.extend(short),
                other => other?,
            }
        }
        if !shortages.is_empty() {
            return Err(Rejection::InsufficientStock(shortages));
        }
        let outcome = self.outcome(&draft);
        Ok(draft.decide(outcome))
    }
}

impl AdjustStock {
    fn check(&self, snapshot: &Snapshot) -> Result<(), Rejection> {
        if self.lines.is_empty() {
            return Err(Rejection::NoLines);
        }
        if self.lines.len() > MAX_ADJUSTMENT_LINES {
            return Err(Rejection::TooManyLines { limit: MAX_ADJUSTMENT_LINES });
        }
        let ids = self.lines.iter().map(|line| line.product_id);
        let mut unknown = Vec::new();
        for id in ids.clone().filter(|id| snapshot.product(*id).is_none()) {
            if !unknown.contains(&id) {
                unknown.push(id);
            }
        }
        if !unknown.is_empty() {
            return Err(Rejection::ProductsNotFound(unknown));
        }
        let archived =
            |id: &ProductId| snapshot.product(*id).is_some_and(|product| product.archived_at_us.is_some());
        match ids.clone().find(archived) {
            Some(id) => Err(Rejection::ProductArchived(id)),
            None => Ok(()),
        }
    }

    /// Each product once, in the order of its first line.
    fn outcome(&self, draft: &Draft<'_>) -> Vec<ProductWithStock> {
        let mut seen: Vec<ProductWithStock> = Vec::new();
        for line in &self.lines {
            if seen.iter().any(|known| known.product.id == line.product_id) {
                continue;
            }
            if let Some(product) = draft.product(line.product_id) {
                let level = draft.level(line.product_id);
                seen.push(ProductWithStock { product: product.clone(), level });
            }
        }
        seen
    }
}

fn adjust(draft: &mut Draft<'_>, position: usize, line: &StockLine) -> Result<(), Rejection> {
    let product_id = line.product_id;
    let before = draft.level(product_id);
    let (kind, delta) = match line.change {
        StockChange::Increment(quantity) => {
            // What still fits, so that the refusal names the field of the line and the largest value it can have.
            let room = MAX_STOCK - before.on_hand;
            require_range("quantity", Some(position), quantity, (1, room))?;
            (MovementKind::Received, quantity)
        }
        StockChange::Decrement(quantity) => {
            require_range("quantity", Some(position), quantity, (1, MAX_STOCK))?;
            if quantity > before.available() {
                let available = before.available();
                let short = Shortage { product_id, requested: quantity, available };
                return Err(Rejection::InsufficientStock(vec![short]));
            }
            (MovementKind::Removed, -quantity)
        }
        StockChange::Set { on_hand, expected } => {
            require_range("on_hand", Some(position), on_hand, (0, MAX_STOCK))?;
            if let Some(expected) = expected.filter(|expected| *expected != before.on_hand) {
                return Err(Rejection::StockChanged { product_id, expected, actual: before.on_hand });
            }
            if on_hand < before.allocated {
                let allocated = before.allocated;
                return Err(Rejection::StockAllocated { product_id, requested: on_hand, allocated });
            }
            (MovementKind::Counted, on_hand - before.on_hand)
        }
    };
    let cause = Cause { order_id: None, reason: line.reason.as_deref(), note: line.note.as_deref() };
    let after = draft.move_stock(product_id, kind, (delta, 0), cause)?;
    if delta != 0 {
        draft.record(Event::StockAdjusted { product_id, from: before.on_hand, to: after.on_hand });
    }
    Ok(())
}
