//! Sample stocks for the façade `orderflow`: the service that it stands for came with some on its first run.

use domain::{Command, Context, CreateProduct, Decision, Effects, Keys, NextIds, Rejection, Snapshot};

use super::catalogue;

/// Adds the sample stocks to a shop that nobody has ever used.
///
/// One command: servers that start at once add them once, and one that is killed leaves all of them or none.
#[derive(Debug)]
pub(crate) struct AddSampleStocks;

impl Command for AddSampleStocks {
    /// How many were added.
    type Outcome = usize;

    fn word(&self) -> &'static str {
        "shop.add_samples"
    }

    fn keys(&self, context: &Context) -> Keys {
        let mut keys = Keys::default();
        for stock in stocks() {
            keys.absorb(stock.keys(context));
        }
        keys
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<usize>, Rejection> {
        let mut effects = Effects::default();
        // Numbers are never given twice: they tell of products, users and orders that are gone, too.
        if snapshot.next != NextIds::default() {
            return Ok(Decision { outcome: 0, effects });
        }
        let mut snapshot = snapshot.clone();
        let stocks = stocks();
        for stock in &stocks {
            let added = stock.decide(&snapshot, context)?.effects;
            for change in &added.changes {
                snapshot.apply(change);
            }
            effects.changes.extend(added.changes);
            effects.movements.extend(added.movements);
            effects.events.extend(added.events);
        }
        Ok(Decision { outcome: stocks.len(), effects })
    }
}

/// Some of what the sample shop sells, as that service kept it: out of sale when nothing is left. Their SKUs are free for
/// the sample shop, which may still open here.
fn stocks() -> Vec<CreateProduct> {
    let stock = |command| CreateProduct { sku: None, auto_deactivate: true, ..command };
    catalogue::handful().map(stock).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Actor, Change, Command as _, Context, NextIds, Snapshot};

    use super::AddSampleStocks;

    fn added_to(next: NextIds) -> (usize, Vec<Change>) {
        let context =
            Context { actor: Actor::SYSTEM, now_us: 1, request_id: Arc::from("test"), source: None };
        let snapshot = Snapshot { next, ..Snapshot::default() };
        let decision = AddSampleStocks.decide(&snapshot, &context).unwrap();
        (decision.outcome, decision.effects.changes)
    }

    #[test]
    fn a_shop_that_nobody_has_used_gets_stocks() {
        let (count, changes) = added_to(NextIds::default());
        let ids = changes.iter().filter_map(|change| match change {
            Change::PutProduct(product) => {
                assert!(product.is_active && product.auto_deactivate && product.price_cents > 0);
                Some(product.id.0)
            }
            _ => None,
        });
        assert_eq!(ids.collect::<Vec<_>>(), (1..=6).collect::<Vec<_>>());
        assert_eq!(count, 6);
    }

    #[test]
    fn a_shop_that_was_ever_used_gets_none() {
        let fresh = NextIds::default();
        for used in [
            NextIds { product: 2, ..fresh },
            NextIds { user: 2, ..fresh },
            NextIds { order: 2, item: 2, ..fresh },
        ] {
            assert_eq!(added_to(used), (0, Vec::new()), "{used:?}");
        }
    }
}
