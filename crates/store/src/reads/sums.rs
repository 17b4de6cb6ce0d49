//! What the kept sums of orders say about a query.

use super::aggregate;
use super::filter::Select;
use super::paths::{self, Owner, Path, Way};
use crate::OrderQuery;
use crate::StoreError;
use crate::driver::{Reader, Row, Value};
use crate::sums::{ALL_PRODUCTS, DAY_US, NO_DAY, WHOLE_SHOP, day_of};

/// Of a product: orders of any status on the days that the query touches, and the bounds of their ids; the same for
/// those in its status; and sums over the days of which it wants every moment.
macro_rules! facts {
    ($status:literal) => {
        concat!(
            "SELECT SUM(t.orders), SUM(t.orders * t.fits), MIN(CASE WHEN t.fits = 1 THEN t.first_id END), \
             MAX(CASE WHEN t.fits = 1 THEN t.last_id END), SUM(t.orders * t.counts), \
             SUM(t.amount_high * t.counts), SUM(t.amount_low * t.counts), \
             SUM(t.quantity_high * t.counts), SUM(t.quantity_low * t.counts), \
             (SELECT MAX(o.id) FROM orders o) FROM ( \
             SELECT s.orders, s.first_id, s.last_id, s.amount_high, s.amount_low, s.quantity_high, \
             s.quantity_low, CASE WHEN ",
            $status,
            " THEN 1 ELSE 0 END AS fits, CASE WHEN ",
            $status,
            " AND s.day >= ? AND s.day < ? THEN 1 ELSE 0 END AS counts FROM order_sums s \
             WHERE s.product_id = ? AND s.day >= ? AND s.day <= ?) t"
        )
    };
}
const OF_ANY_STATUS: &str = facts!("1 = 1");
const OF_STATUS: &str = facts!("s.status = ?");

/// The same where every order counts.
const WHOLE: &str = "SELECT SUM(s.orders), SUM(s.orders), MIN(s.first_id), MAX(s.last_id), SUM(s.orders), \
     SUM(s.amount_high), SUM(s.amount_low), SUM(s.quantity_high), SUM(s.quantity_low), \
     (SELECT MAX(o.id) FROM orders o) FROM order_sums s WHERE s.product_id = ?";

/// Between which ids the orders of a product lie that were placed on one day.
const IDS_OF_DAY: &str = "SELECT MIN(s.first_id), MAX(s.last_id) FROM order_sums s \
     WHERE s.product_id = ? AND s.day = ?";

/// Each sum in two halves of 32 bits, neither of which can overflow.
const TOTALS: &str = "SELECT COUNT(*), COALESCE(SUM(o.total_amount_cents >> 32), 0), \
     COALESCE(SUM(o.total_amount_cents & 4294967295), 0), COALESCE(SUM(o.total_quantity >> 32), 0), \
     COALESCE(SUM(o.total_quantity & 4294967295), 0)";

/// With so few there is nothing to choose: they are looked at one by one.
const FEW: i64 = 1_000;
/// No more than 20,000 are counted beforehand.
const OWNED: &str = "SELECT COUNT(*) FROM (SELECT o.id FROM orders o {via orders_by_user} \
     WHERE o.user_id = ? LIMIT 20000) t";
const OWNED_BY_NOBODY: &str = "SELECT COUNT(*) FROM (SELECT o.id FROM orders o {via orders_by_user} \
     WHERE o.user_id IS NULL LIMIT 20000) t";

/// How many orders match, and what they add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) orders: i64,
    pub(super) amount_cents: i128,
    pub(super) quantity: i128,
}

impl Totals {
    /// Reads the number and the four halves that begin at `at`.
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        let half = |at| row.int(at).map(i128::from);
        Ok(Self {
            orders: row.int(at)?,
            amount_cents: (half(at + 1)? << 32) + half(at + 2)?,
            quantity: (half(at + 3)? << 32) + half(at + 4)?,
        })
    }

    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.amount_cents += other.amount_cents;
        self.quantity += other.quantity;
    }
}

/// Orders of all products, or of one, on the days that a query touches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// Orders in any status.
    pub(super) orders: i64,
    /// Those in the status that is asked for.
    pub(super) matching: i64,
    /// Between which ids those lie.
    ids: Option<(i64, i64)>,
    /// What they add up to on whole days.
    totals: Totals,
}

/// What is known of a query before any order is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) all: Group,
    /// Of the product that is asked for.
    pub(super) product: Option<Group>,
    /// Ids have no gaps, so there are as many orders.
    pub(super) newest_id: i64,
}

/// The days of a range of times: those that it touches, and those that it holds from their first moment to their last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Days {
    first: i64,
    last: i64,
    whole_from: i64,
    /// The first day after them.
    whole_before: i64,
}

impl Days {
    /// Those of the sums of the whole shop, which have one row for all of them.
    const NONE: Self = Self { first: NO_DAY, last: NO_DAY, whole_from: NO_DAY, whole_before: NO_DAY + 1 };

    fn of(query: &OrderQuery) -> Self {
        let (from, before) = range(query);
        let last = day_of(before.saturating_sub(1));
        let first = day_of(from);
        // The ends of time are no moments in which a day begins, but there is nothing before or after them.
        let whole_from = if from == i64::MIN || from.rem_euclid(DAY_US) == 0 { first } else { first + 1 };
        let whole_before = if before == i64::MAX { last + 1 } else { day_of(before) };
        Self { first, last, whole_from, whole_before }
    }
}

/// From when, and before when.
fn range(query: &OrderQuery) -> (i64, i64) {
    (query.placed_from_us.unwrap_or(i64::MIN), query.placed_before_us.unwrap_or(i64::MAX))
}

impl Facts {
    pub(super) async fn read(reader: &mut Reader, query: &OrderQuery) -> Result<Self, StoreError> {
        let mut facts = Self::default();
        (facts.all, facts.newest_id) = group(reader, query, ALL_PRODUCTS).await?;
        if let Some(id) = query.product_id {
            facts.product = Some(group(reader, query, id.0).await?.0);
        }
        Ok(facts)
    }

    /// The smallest group that every order of the query belongs to.
    pub(super) fn narrowest(&self) -> &Group {
        self.product.as_ref().unwrap_or(&self.all)
    }

    /// Between which ids all orders of the query lie.
    pub(super) fn ids(&self) -> Option<(i64, i64)> {
        self.narrowest().ids
    }
}

/// The orders of a product, or all of them, and the id of the newest of all.
async fn group(reader: &mut Reader, query: &OrderQuery, product: i64) -> Result<(Group, i64), StoreError> {
    let (sql, params) = group_query(query, product);
    let found = reader.query_long(sql, &params).await?;
    let Some((row, orders)) = found.first().and_then(|row| Some((row, row.opt_int(0).ok()??))) else {
        return Ok((Group::default(), 0));
    };
    let ids = row.opt_int(2)?.zip(row.opt_int(3)?);
    let group = Group { orders, matching: row.int(1)?, ids, totals: Totals::read(row, 4)? };
    Ok((group, row.opt_int(9)?.unwrap_or(0)))
}

fn group_query(query: &OrderQuery, product: i64) -> (&'static str, Vec<Value>) {
    let is_dated = query.placed_from_us.is_some() || query.placed_before_us.is_some();
    let (product, days) = match product {
        ALL_PRODUCTS if !is_dated => (WHOLE_SHOP, Days::NONE),
        _ => (product, Days::of(query)),
    };
    if query.status.is_none() && !is_dated {
        return (WHOLE, vec![product.into()]);
    }
    let status = query.status.map(|status| Value::from(status.word()));
    let mut params: Vec<Value> = status.iter().chain(&status).cloned().collect();
    params.extend([days.whole_from, days.whole_before, product, days.first, days.last].map(Value::from));
    (if status.is_some() { OF_STATUS } else { OF_ANY_STATUS }, params)
}

/// What is known of a query, as far as it takes more than the query itself to choose a way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outlook {
    /// Orders of the owner, if there is one who has many. More than are counted are as many as are counted.
    owned: Option<i64>,
    facts: Option<Facts>,
}

impl Outlook {
    /// `sums` says whether totals are wanted, too.
    pub(super) async fn of(reader: &mut Reader, query: &OrderQuery, sums: bool) -> Result<Self, StoreError> {
        let is_plain = !paths::is_narrowed(query);
        let owned = match Owner::of(query) {
            Owner::Nobody => return Ok(Self::default()),
            Owner::Anybody if is_plain && !sums => return Ok(Self::default()),
            Owner::Anybody => None,
            Owner::One(_) if is_plain && paths::is_in_order(query) => return Ok(Self::default()),
            Owner::One(id) => match owned(reader, id).await? {
                0..=FEW => return Ok(Self::default()),
                many => Some(many),
            },
        };
        Ok(Self { owned, facts: Some(Facts::read(reader, query).await?) })
    }

    /// Whether it is known that nothing matches.
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_some_and(|facts| facts.narrowest().matching == 0)
    }

    pub(super) fn way_to_page(&self, query: &OrderQuery) -> Way {
        self.way(query, Some(paths::wanted(query)))
    }

    fn way(&self, query: &OrderQuery, wanted: Option<i64>) -> Way {
        match &self.facts {
            Some(facts) => paths::choose(query, facts, self.owned, wanted),
            None => paths::plain_way(query),
        }
    }

    /// Number and sums of all orders that match.
    pub(super) async fn totals(&self, reader: &mut Reader, query: &OrderQuery) -> Result<Totals, StoreError> {
        if self.is_empty() {
            return Ok(Totals::default());
        }
        match &self.facts {
            Some(facts) if Owner::of(query) == Owner::Anybody => of_days(reader, query, facts).await,
            _ => one_by_one(reader, query, self.way(query, None)).await,
        }
    }
}

async fn owned(reader: &mut Reader, owner: Option<i64>) -> Result<i64, StoreError> {
    let found = match owner {
        Some(id) => reader.query_long(OWNED, &[id.into()]).await?,
        None => reader.query_long(OWNED_BY_NOBODY, &[]).await?,
    };
    found.first().map_or(Ok(0), |row| row.int(0))
}

/// Whole days as they were kept, and the days at both ends order by order.
async fn of_days(reader: &mut Reader, query: &OrderQuery, facts: &Facts) -> Result<Totals, StoreError> {
    let mut totals = facts.narrowest().totals;
    for part in parts(query) {
        let way = match query.product_id {
            None => Way { path: Path::Time, ids: None },
            Some(id) => {
                let day = day_of(part.placed_from_us.unwrap_or(i64::MIN));
                let found = reader.query_long(IDS_OF_DAY, &[id.0.into(), day.into()]).await?;
                let Some(row) = found.first() else { continue };
                let Some(ids) = row.opt_int(0)?.zip(row.opt_int(1)?) else { continue };
                Way { path: Path::Product, ids: Some(ids) }
            }
        };
        totals.add(one_by_one(reader, &part, way).await?);
    }
    Ok(totals)
}

/// What is left of a query when the whole days are taken out: parts of one day each.
fn parts(query: &OrderQuery) -> Vec<OrderQuery> {
    let (days, (from, before)) = (Days::of(query), range(query));
    let mut ends = vec![days.first];
    if days.last != days.first {
        ends.push(days.last);
    }
    ends.retain(|day| !(days.whole_from..days.whole_before).contains(day));
    let part = |day: i64| {
        let begins = day.saturating_mul(DAY_US).max(from);
        let ends = day.saturating_add(1).saturating_mul(DAY_US).min(before);
        OrderQuery { placed_from_us: Some(begins), placed_before_us: Some(ends), ..query.clone() }
    };
    if from < before { ends.into_iter().map(part).collect() } else { Vec::new() }
}

/// Facts of a shop with so many orders, of which some are in the status that is asked for; the same of a product.
#[cfg(test)]
pub(super) fn facts_for_tests(orders: i64, matching: i64, product: Option<(i64, i64)>) -> Facts {
    let group =
        |orders, matching| Group { orders, matching, ids: Some((1, 1_000_000)), totals: Totals::default() };
    let product = product.map(|(orders, matching)| group(orders, matching));
    Facts { all: group(orders, matching), product, newest_id: orders }
}

pub(super) fn totals(query: &OrderQuery, way: Way) -> Select {
    let mut select = Select::new(TOTALS);
    select.source(way.path.source());
    paths::restrict(&mut select, query, way);
    select
}

async fn one_by_one(reader: &mut Reader, query: &OrderQuery, way: Way) -> Result<Totals, StoreError> {
    Totals::read(&aggregate(reader, &totals(query, way)).await?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::{Page, Scope, Start};

    #[tokio::test]
    async fn what_is_kept_is_found_by_key() {
        let planner = Planner::new().await;
        let days = "SEARCH s USING PRIMARY KEY (product_id=? AND day>? AND day<?)";
        planner.check(OF_ANY_STATUS, &[days]).await;
        planner.check(OF_STATUS, &[days]).await;
        planner.check(WHOLE, &["SEARCH s USING PRIMARY KEY (product_id=?)"]).await;
        planner.check(IDS_OF_DAY, &["SEARCH s USING PRIMARY KEY (product_id=? AND day=?)"]).await;
        for sql in [OWNED, OWNED_BY_NOBODY] {
            let plan = planner.plan(sql).await;
            assert!(plan[1] == "SEARCH o USING COVERING INDEX orders_by_user (user_id=?)", "{plan:#?}");
        }
    }

    #[test]
    fn a_range_is_whole_days_and_parts_of_others() {
        let day = DAY_US;
        for (from, before, whole, rest) in [
            (None, None, (i64::MIN / day - 1, i64::MAX / day + 1), vec![]),
            (Some(0), Some(day), (0, 1), vec![]),
            (Some(-day), Some(2 * day), (-1, 2), vec![]),
            (Some(5), Some(day), (1, 1), vec![(5, day)]),
            (Some(0), Some(day + 5), (0, 1), vec![(day, day + 5)]),
            (Some(5), Some(9), (1, 0), vec![(5, 9)]),
            (Some(-5), Some(3 * day + 5), (0, 3), vec![(-5, 0), (3 * day, 3 * day + 5)]),
            (Some(9), Some(5), (1, 0), vec![]),
            (Some(0), Some(0), (0, 0), vec![]),
        ] {
            let all = OrderQuery::all(Scope::All, Page { limit: 1, start: Start::Offset(0) });
            let query = OrderQuery { placed_from_us: from, placed_before_us: before, ..all };
            let days = Days::of(&query);
            assert_eq!((days.whole_from, days.whole_before), whole, "{from:?} {before:?}");
            let parts: Vec<_> = parts(&query).iter().map(range).collect();
            assert_eq!(parts, rest, "{from:?} {before:?}");
        }
    }
}
