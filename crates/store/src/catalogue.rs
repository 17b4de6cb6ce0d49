//! What is kept about all products: the grams that searches go through, and how many there are. Only what a batch
//! changed of it is written.

use std::collections::BTreeMap;

use domain::{Product, ProductId, Snapshot};

use crate::driver::{Rows, Sets};
use crate::fold::product_grams;
use crate::tables::{ADD_PRODUCT_COUNTS, DELETE_GRAMS, UPSERT_GRAMS};

/// How many shelves there are; see [`shelf`].
pub(crate) const SHELVES: usize = 4;

/// Where a product is listed, as the column `shelf` has it: 0 in the catalogue and active, 1 inactive, 2 archived and
/// active, 3 inactive.
fn shelf(product: &Product) -> usize {
    usize::from(!product.is_active) + if product.archived_at_us.is_some() { 2 } else { 0 }
}

/// What matters here of the products that a batch changes, as they were before it; `None` for new ones.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    before: BTreeMap<ProductId, Option<Before>>,
}

#[derive(Debug)]
struct Before {
    sku: String,
    name: String,
    shelf: usize,
}

impl Before {
    fn of(product: &Product) -> Self {
        Self { sku: product.sku.clone(), name: product.name.clone(), shelf: shelf(product) }
    }
}

impl Catalogue {
    /// A product is about to be changed in the snapshot. Only the first time counts.
    pub(crate) fn note(&mut self, id: ProductId, snapshot: &Snapshot) {
        // Not by `Snapshot::product`, which knows only what was loaded: a new product was not.
        let before = || snapshot.products.get(&id).and_then(Option::as_ref).map(Before::of);
        self.before.entry(id).or_insert_with(before);
    }

    /// The changed products, before and after.
    fn changes<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (ProductId, Option<&'a Before>, Option<&'a Product>)> {
        self.before
            .iter()
            .map(|(id, before)| (*id, before.as_ref(), snapshot.products.get(id).and_then(Option::as_ref)))
    }

    /// Writes the grams that products have got, and deletes those they have lost.
    pub(crate) fn grams(&self, sets: &mut Sets, snapshot: &Snapshot) {
        let (mut got, mut lost) = (Vec::new(), Rows::new());
        for (id, before, after) in self.changes(snapshot) {
            if let (Some(before), Some(after)) = (before, after)
                && (&before.sku, &before.name) == (&after.sku, &after.name)
            {
                continue;
            }
            let before = before.map(|before| product_grams(&before.sku, &before.name)).unwrap_or_default();
            let after = after.map(|after| product_grams(&after.sku, &after.name)).unwrap_or_default();
            for gram in before.difference(&after) {
                lost.push([gram.into(), id.0.into()]);
            }
            got.extend(after.into_iter().filter(|gram| !before.contains(gram)).map(|gram| (gram, id.0)));
        }
        // As they lie: many new products have grams in common, and so pages.
        got.sort_unstable();
        let mut new = Rows::new();
        for (gram, id) in &got {
            new.push([gram.into(), (*id).into()]);
        }
        sets.delete(&DELETE_GRAMS, lost);
        sets.insert(&UPSERT_GRAMS, new);
    }

    /// Counts the products that came, went, or changed their shelf.
    pub(crate) fn count(&self, sets: &mut Sets, snapshot: &Snapshot) {
        let mut more = [0_i64; SHELVES];
        for (_, before, after) in self.changes(snapshot) {
            if let Some(before) = before {
                more[before.shelf] -= 1;
            }
            if let Some(after) = after {
                more[shelf(after)] += 1;
            }
        }
        let mut rows = Rows::new();
        for (shelf, more) in (0_i64..).zip(more).filter(|(_, more)| *more != 0) {
            rows.push([shelf.into(), more.into()]);
        }
        sets.add(&ADD_PRODUCT_COUNTS, rows);
    }
}
