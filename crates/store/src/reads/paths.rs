//! Along which index the orders of a list are found.
//!
//! SQLite keeps no statistics, and no database knows how a status, a product and a range of days go together. The sums
//! kept of orders do, exactly, so the way is chosen here, and SQLite and MySQL are told (`{via …}`). Measured in
//! docs/ARCHITECTURE.md.

use super::filter::{Order, Select};
use super::sums::Facts;
use crate::driver::Value;
use crate::{OrderQuery, OrderSort, Scope, SortValue, Start, StoreError};

/// Where a look at an order begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Ids,
    Status,
    Time,
    Amount,
    User,
    Product,
}

/// A way to the orders of a query, and the ids between which they all lie, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) path: Path,
    pub(super) ids: Option<(i64, i64)>,
}

impl Path {
    /// What follows the columns of a query. An order has one item of a product at most.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Ids => " FROM orders o {via id}",
            Self::Status => " FROM orders o {via orders_by_status}",
            Self::Time => " FROM orders o {via orders_by_time}",
            Self::Amount => " FROM orders o {via orders_by_amount}",
            Self::User => " FROM orders o {via orders_by_user}",
            Self::Product => {
                " FROM order_items f {via order_items_by_product} {straight join} orders o ON o.id = f.order_id"
            }
        }
    }

    /// The id of the order, as this path comes by it.
    pub(super) const fn id(self) -> &'static str {
        if matches!(self, Self::Product) { "f.order_id" } else { "o.id" }
    }

    /// Whether orders come in the order of this sort.
    const fn is_sorted_by(self, sort: OrderSort) -> bool {
        match sort {
            OrderSort::Id => !matches!(self, Self::Time | Self::Amount),
            OrderSort::PlacedAt => matches!(self, Self::Time),
            OrderSort::TotalAmount => matches!(self, Self::Amount),
        }
    }

    /// What one step costs, where a step along the orders themselves is 1: the others look up the row, and those that
    /// come from elsewhere whether the product is among its items.
    const fn step(self, seeks_product: bool) -> i64 {
        let row = if matches!(self, Self::Ids) { 1 } else { 2 };
        if seeks_product && !matches!(self, Self::Product) { row + 2 } else { row }
    }
}

/// Whose orders a query may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Anybody,
    One(Option<i64>),
    /// Those of one who are to be those of another.
    Nobody,
}

impl Owner {
    pub(super) fn of(query: &OrderQuery) -> Self {
        match (query.scope, query.user_id) {
            (Scope::All, None) => Self::Anybody,
            (Scope::All, Some(id)) => Self::One(Some(id.0)),
            (Scope::Of(id), None) => Self::One(id.map(|id| id.0)),
            (Scope::Of(Some(one)), Some(other)) if one == other => Self::One(Some(one.0)),
            (Scope::Of(_), Some(_)) => Self::Nobody,
        }
    }
}

/// Whether anything but the owner is asked for.
pub(super) const fn is_narrowed(query: &OrderQuery) -> bool {
    query.status.is_some()
        || query.product_id.is_some()
        || query.placed_from_us.is_some()
        || query.placed_before_us.is_some()
}

/// Whether the orders of an owner come as they are wanted.
pub(super) fn is_in_order(query: &OrderQuery) -> bool {
    Path::User.is_sorted_by(query.sort)
}

/// The way of a query of which nothing is known but its owner.
pub(super) fn plain_way(query: &OrderQuery) -> Way {
    let path = match (Owner::of(query), query.sort) {
        (Owner::One(_) | Owner::Nobody, _) => Path::User,
        (Owner::Anybody, OrderSort::Id) => Path::Ids,
        (Owner::Anybody, OrderSort::PlacedAt) => Path::Time,
        (Owner::Anybody, OrderSort::TotalAmount) => Path::Amount,
    };
    Way { path, ids: None }
}

/// The cheapest way to a page, or to all orders of a query, given how many orders the owner has.
pub(super) fn choose(query: &OrderQuery, facts: &Facts, owned: Option<i64>, wanted: Option<i64>) -> Way {
    let ids = facts.ids().filter(|_| is_narrowed(query));
    let cheapest = candidates(query, facts, owned)
        .into_iter()
        .flatten()
        .min_by_key(|(path, steps)| cost(query, facts, owned, wanted, *path, *steps));
    let path = cheapest.map_or_else(|| plain_way(query).path, |(path, _)| path);
    Way { path, ids: ids.filter(|_| !matches!(path, Path::Time | Path::Amount)) }
}

/// How many rows a page asks for, those that it skips included.
pub(super) fn wanted(query: &OrderQuery) -> i64 {
    let skipped = match query.page.start {
        Start::Offset(offset) => offset.max(0),
        Start::After { .. } => 0,
    };
    skipped.saturating_add(i64::from(query.page.limit)).saturating_add(1)
}

/// The paths that lead there, each with the number of its steps from one end to the other.
fn candidates(query: &OrderQuery, facts: &Facts, owned: Option<i64>) -> [Option<(Path, i64)>; 6] {
    let is_dated = query.placed_from_us.is_some() || query.placed_before_us.is_some();
    let span = facts.ids().map_or(0, |(first, last)| last.saturating_sub(first).saturating_add(1));
    let by = |sort| query.sort == sort;
    [
        by(OrderSort::Id).then_some((Path::Ids, span)),
        query.status.is_some().then_some((Path::Status, facts.all.matching)),
        facts.product.as_ref().map(|product| (Path::Product, product.orders)),
        (is_dated || by(OrderSort::PlacedAt)).then_some((Path::Time, facts.all.orders)),
        by(OrderSort::TotalAmount).then_some((Path::Amount, facts.newest_id)),
        owned.map(|owned| (Path::User, owned)),
    ]
}

/// Roughly what a path costs: all of its steps, or those until the page is full where it is in the order of the page.
fn cost(
    query: &OrderQuery,
    facts: &Facts,
    owned: Option<i64>,
    wanted: Option<i64>,
    path: Path,
    steps: i64,
) -> i64 {
    // Products are dear or cheap, so that the orders with one of them are not spread evenly over all sums.
    const UNEVEN: i64 = 10;
    let narrowest = facts.narrowest();
    let matching = match owned {
        // The owner's share, as if everybody ordered alike.
        Some(owned) => narrowest.matching.saturating_mul(owned) / facts.newest_id.max(1),
        None => narrowest.matching,
    };
    let step = path.step(query.product_id.is_some());
    let taken = match wanted {
        Some(wanted) if path.is_sorted_by(query.sort) => {
            let unevenly = path == Path::Amount && query.product_id.is_some();
            let spread = if unevenly { UNEVEN } else { 1 };
            (wanted.saturating_mul(steps) / matching.max(1)).saturating_mul(spread).min(steps)
        }
        _ => steps,
    };
    taken.saturating_mul(step)
}

/// Keeps the orders of a query, found in this way.
pub(super) fn restrict(select: &mut Select, query: &OrderQuery, way: Way) {
    match Owner::of(query) {
        Owner::Anybody => {}
        Owner::One(Some(id)) => select.filter("o.user_id = ?", [id.into()]),
        Owner::One(None) => select.filter("o.user_id IS NULL", []),
        Owner::Nobody => select.filter("1 = 0", []),
    }
    select.filter_some("o.status = ?", query.status.map(|status| status.word().into()));
    let product = query.product_id.map(|id| Value::from(id.0));
    select.filter_some(
        if way.path == Path::Product {
            "f.product_id = ?"
        } else {
            // Counted, because a database might turn EXISTS round and begin with the product.
            "(SELECT COUNT(*) FROM order_items f WHERE f.product_id = ? AND f.order_id = o.id) > 0"
        },
        product,
    );
    select.filter_some("o.placed_at_us >= ?", query.placed_from_us.map(Into::into));
    select.filter_some("o.placed_at_us < ?", query.placed_before_us.map(Into::into));
    if let Some((first, last)) = way.ids {
        let between = if way.path == Path::Product {
            "f.order_id >= ? AND f.order_id <= ?"
        } else {
            "o.id >= ? AND o.id <= ?"
        };
        select.filter(between, [first.into(), last.into()]);
    }
}

/// The same page, where the range of times or ids ends with the row that it starts after. Of two bounds on one side a
/// database takes one, and from the wrong one it would walk to where the page begins.
fn cut_short(query: &OrderQuery, way: Way) -> (OrderQuery, Way) {
    let (mut query, mut way) = (query.clone(), way);
    let Start::After { value, id } = &query.page.start else { return (query, way) };
    match (query.sort, value) {
        (OrderSort::Id, _) => {
            let bound = |(first, last): (i64, i64)| match query.descending {
                true => (first, last.min(*id)),
                false => (first.max(*id), last),
            };
            way.ids = way.ids.map(bound);
        }
        (OrderSort::PlacedAt, SortValue::Int(at_us)) if query.descending => {
            let before = at_us.saturating_add(1);
            query.placed_before_us = query.placed_before_us.map(|known| known.min(before));
        }
        (OrderSort::PlacedAt, SortValue::Int(at_us)) => {
            query.placed_from_us = query.placed_from_us.map(|known| known.max(*at_us));
        }
        _ => {}
    }
    (query, way)
}

/// A page of orders, without their items.
pub(super) fn page(
    columns: &'static str,
    beside: &'static str,
    query: &OrderQuery,
    way: Way,
) -> Result<Select, StoreError> {
    let mut select = Select::new(columns);
    select.source(way.path.source());
    select.source(beside);
    let (query, way) = &cut_short(query, way);
    restrict(&mut select, query, *way);
    let by = match query.sort {
        OrderSort::Id => None,
        OrderSort::PlacedAt => Some("o.placed_at_us"),
        OrderSort::TotalAmount => Some("o.total_amount_cents"),
    };
    let order = Order { by, textual: false, id: way.path.id(), descending: query.descending };
    select.page(order, &query.page)?;
    Ok(select)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::reads::{orders, sums};
    use crate::{Page, SortValue};
    use domain::{ProductId, Status, UserId};

    const SORTS: [OrderSort; 3] = [OrderSort::Id, OrderSort::PlacedAt, OrderSort::TotalAmount];

    fn query(sort: OrderSort) -> OrderQuery {
        OrderQuery {
            sort,
            descending: true,
            ..OrderQuery::all(
                Scope::All,
                Page { limit: 20, start: Start::After { value: SortValue::Int(9), id: 9 } },
            )
        }
    }

    fn all_filters(sort: OrderSort) -> OrderQuery {
        OrderQuery {
            status: Some(Status::Paid),
            user_id: Some(UserId(3)),
            product_id: Some(ProductId(4)),
            placed_from_us: Some(5),
            placed_before_us: Some(6),
            ..query(sort)
        }
    }

    /// The step that a path begins with, where the page is in its order.
    fn step(path: Path) -> &'static str {
        match path {
            Path::Ids => "SEARCH o USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            Path::Status => "SEARCH o USING INDEX orders_by_status (status=? AND id>? AND id<?)",
            Path::Time => "SEARCH o USING INDEX orders_by_time (placed_at_us>? AND placed_at_us<?)",
            Path::Amount => "SEARCH o USING INDEX orders_by_amount ((total_amount_cents,rowid)<(?,?))",
            Path::User => "SEARCH o USING INDEX orders_by_user (user_id=? AND id>? AND id<?)",
            Path::Product => {
                "SEARCH f USING COVERING INDEX order_items_by_product (product_id=? AND order_id>? AND order_id<?)"
            }
        }
    }

    #[tokio::test]
    async fn every_path_is_gone_along_its_index() {
        use Path::{Amount, Ids, Product, Status, Time, User};
        let planner = Planner::new().await;
        for path in [Ids, Status, Time, Amount, User, Product] {
            for sort in SORTS {
                let query = all_filters(sort);
                let way = Way { path, ids: (!matches!(path, Time | Amount)).then_some((1, 9)) };
                let select = page(orders::ORDERS, orders::WITH_USERS, &query, way).unwrap();
                if path.is_sorted_by(sort) {
                    planner.check(select.parts().0, &[step(path)]).await;
                } else if path != Amount {
                    // Gathered and sorted.
                    let plan = planner.plan(select.parts().0).await;
                    assert!(!plan.iter().any(|line| line.starts_with("SCAN")), "{plan:#?}");
                }
                if path != Amount {
                    planner.check(sums::totals(&query, way).parts().0, &[]).await;
                }
            }
        }
    }

    #[test]
    fn a_range_ends_where_the_page_starts() {
        let ids = Some((1, 90));
        let way = Way { path: Path::Time, ids };
        let dated = |sort, descending, at| OrderQuery {
            descending,
            placed_from_us: Some(10),
            placed_before_us: Some(100),
            page: Page { limit: 20, start: Start::After { value: SortValue::Int(at), id: 60 } },
            ..query(sort)
        };
        for (sort, descending, at, times, ids) in [
            (OrderSort::PlacedAt, true, 50, (10, 51), (1, 90)),
            (OrderSort::PlacedAt, true, 200, (10, 100), (1, 90)),
            (OrderSort::PlacedAt, false, 50, (50, 100), (1, 90)),
            (OrderSort::PlacedAt, false, 5, (10, 100), (1, 90)),
            (OrderSort::Id, true, 60, (10, 100), (1, 60)),
            (OrderSort::Id, false, 60, (10, 100), (60, 90)),
            (OrderSort::TotalAmount, true, 50, (10, 100), (1, 90)),
        ] {
            let (query, way) = cut_short(&dated(sort, descending, at), way);
            let found = (query.placed_from_us.unwrap(), query.placed_before_us.unwrap());
            assert_eq!((found, way.ids), (times, Some(ids)), "{sort:?} {descending} {at}");
        }
    }

    #[tokio::test]
    async fn pages_of_plain_lists_walk_an_index() {
        let planner = Planner::new().await;
        for (sort, step) in SORTS.into_iter().zip([
            "SEARCH o USING INTEGER PRIMARY KEY (rowid<?)",
            "SEARCH o USING INDEX orders_by_time ((placed_at_us,rowid)<(?,?))",
            "SEARCH o USING INDEX orders_by_amount ((total_amount_cents,rowid)<(?,?))",
        ]) {
            let all = query(sort);
            let select = page(orders::ORDERS, orders::WITH_USERS, &all, plain_way(&all)).unwrap();
            planner.check(select.parts().0, &[step]).await;
        }
        let own = OrderQuery { scope: Scope::Of(Some(UserId(1))), ..query(OrderSort::Id) };
        let select = page(orders::ORDERS, orders::WITH_USERS, &own, plain_way(&own)).unwrap();
        planner.check(select.parts().0, &["SEARCH o USING INDEX orders_by_user (user_id=? AND id<?)"]).await;
    }

    fn chosen(query: &OrderQuery, facts: &Facts, owned: Option<i64>) -> Path {
        choose(query, facts, owned, Some(wanted(query))).path
    }

    /// A shop of a million orders, of which the product has 50,000.
    fn facts(matching: i64, of_product: Option<i64>) -> Facts {
        sums::facts_for_tests(1_000_000, matching, of_product.map(|fits| (50_000, fits)))
    }

    #[test]
    fn the_way_is_that_of_the_fewest_steps() {
        let by = |sort| query(sort);
        let paid = |sort| OrderQuery { status: Some(Status::Paid), ..by(sort) };
        let sold = |sort| OrderQuery { product_id: Some(ProductId(1)), ..by(sort) };
        let both = |sort| OrderQuery { product_id: Some(ProductId(1)), ..paid(sort) };
        let dated = |sort| OrderQuery { placed_from_us: Some(0), ..by(sort) };
        use OrderSort::{Id, PlacedAt, TotalAmount};
        for (query, facts, owned, path) in [
            (by(TotalAmount), facts(1_000_000, None), None, Path::Amount),
            (dated(Id), facts(1_000, None), None, Path::Ids),
            (paid(Id), facts(100, None), None, Path::Status),
            (paid(Id), facts(990_000, None), None, Path::Ids),
            (paid(PlacedAt), facts(100, None), None, Path::Status),
            (paid(PlacedAt), facts(500_000, None), None, Path::Time),
            (sold(Id), facts(1_000_000, Some(50_000)), None, Path::Product),
            (both(Id), facts(100, Some(3)), None, Path::Status),
            (both(Id), facts(900_000, Some(40_000)), None, Path::Product),
            (both(TotalAmount), facts(900_000, Some(10)), None, Path::Product),
            (by(TotalAmount), facts(1_000_000, None), Some(1_500), Path::User),
            (paid(PlacedAt), facts(100, None), Some(20_000), Path::Status),
        ] {
            assert_eq!(chosen(&query, &facts, owned), path, "{query:?}");
        }
    }
}
