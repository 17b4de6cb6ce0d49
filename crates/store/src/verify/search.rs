//! Whether what searches look into is what products and users are called.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::driver::{Reader, Row, Value};
use crate::fold::product_grams;
use crate::rows::{search_text, user_search_text};
use crate::{Discrepancy, StoreError};

const PRODUCTS: &str = "SELECT p.id, p.sku, p.name, p.search_text FROM products p WHERE p.id > ? \
     ORDER BY p.id LIMIT ?";
const USERS: &str = "SELECT u.id, u.username, u.email, u.full_name, u.search_text FROM users u WHERE u.id > ? \
     ORDER BY u.id LIMIT ?";
/// Those behind a gram, and those of that gram behind a product: each is one stretch of the key on every database.
const GRAMS: &str = "SELECT g.gram, g.product_id FROM product_grams g WHERE g.gram > ? \
     ORDER BY g.gram, g.product_id LIMIT ?";
const GRAMS_OF_ONE: &str = "SELECT g.gram, g.product_id FROM product_grams g WHERE g.gram = ? AND g.product_id > ? \
     ORDER BY g.product_id LIMIT ?";

const PORTION: i64 = 10_000;
/// Most findings of one kind.
const MOST: usize = 50;

/// The grams of a product in any order: their number, and the sum of their hashes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    grams: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, gram: &str) {
        let mut hasher = DefaultHasher::new();
        gram.hash(&mut hasher);
        self.grams += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }
}

/// Adds what does not fit. Of a million grams, no more is kept in memory than a number for each product.
pub(super) async fn examine(reader: &mut Reader, found: &mut Vec<Discrepancy>) -> Result<(), StoreError> {
    let mut sums = stored_sums(reader).await?;
    let mut unfit = Vec::new();
    walk(reader, PRODUCTS, |row| {
        let (id, sku, name) = (row.int(0)?, row.as_text(1)?, row.as_text(2)?);
        let mut expected = Sum::default();
        product_grams(sku, name).iter().for_each(|gram| expected.add(gram));
        let stored = sums.remove(&id).unwrap_or_default();
        if stored != expected || row.as_text(3)? != search_text(sku, name) {
            unfit.push(format!("product {id} is not found by its name and SKU, or by something else"));
        }
        Ok(())
    })
    .await?;
    let mut lost: Vec<_> = sums.into_keys().collect();
    lost.sort_unstable();
    unfit.extend(lost.into_iter().map(|id| format!("product {id} is found by searches, but does not exist")));
    tell(found, "product_search", unfit);
    let mut unfit = Vec::new();
    walk(reader, USERS, |row| {
        let opt_text = |at: usize| match row.values().get(at) {
            Some(Value::Null) => Ok(None),
            _ => row.as_text(at).map(Some),
        };
        if row.as_text(4)? != user_search_text(row.as_text(1)?, opt_text(2)?, opt_text(3)?) {
            unfit.push(format!("user {} is not found by name and e-mail address", row.int(0)?));
        }
        Ok(())
    })
    .await?;
    tell(found, "user_search", unfit);
    Ok(())
}

fn tell(found: &mut Vec<Discrepancy>, check: &'static str, findings: Vec<String>) {
    found.extend(findings.into_iter().take(MOST).map(|finding| Discrepancy { check, finding }));
}

/// All rows of a table, whose ids stand first.
async fn walk(
    reader: &mut Reader,
    sql: &'static str,
    mut look: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = i64::MIN;
    loop {
        let rows = reader.query_long(sql, &[after.into(), PORTION.into()]).await?;
        rows.iter().try_for_each(&mut look)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.int(0)?;
    }
}

/// What is stored of each product.
async fn stored_sums(reader: &mut Reader) -> Result<HashMap<i64, Sum>, StoreError> {
    let mut sums: HashMap<i64, Sum> = HashMap::new();
    let (mut gram, mut rest) = (String::new(), false);
    let mut after = 0;
    loop {
        let rows = if rest {
            let params = [gram.as_str().into(), after.into(), PORTION.into()];
            reader.query_long(GRAMS_OF_ONE, &params).await?
        } else {
            reader.query_long(GRAMS, &[gram.as_str().into(), PORTION.into()]).await?
        };
        for row in &rows {
            sums.entry(row.int(1)?).or_default().add(row.as_text(0)?);
        }
        match rows.last() {
            // A portion may end within a gram, whose rest comes first.
            Some(last) => {
                gram = last.as_text(0)?.to_owned();
                after = last.int(1)?;
                rest = true;
            }
            None if rest => rest = false,
            None => return Ok(sums),
        }
    }
}
