//! Every list that can be asked for, as a product of its filters and sorts.

use domain::{ProductId, Status, UserId};
use store::{OrderQuery, OrderSort, Page, ProductQuery, ProductSort, Scope, Start};

pub(crate) const ORDER_SORTS: [OrderSort; 3] = [OrderSort::Id, OrderSort::PlacedAt, OrderSort::TotalAmount];

pub(crate) const PRODUCT_SORTS: [ProductSort; 6] = [
    ProductSort::Id,
    ProductSort::Name,
    ProductSort::Sku,
    ProductSort::Price,
    ProductSort::Available,
    ProductSort::CreatedAt,
];

/// Times from which, and before which, orders were placed.
pub(crate) type Range = (Option<i64>, Option<i64>);

/// What a list of orders is filtered by.
pub(crate) struct OrderFilters<'a> {
    pub(crate) owners: &'a [(Scope, Option<UserId>)],
    pub(crate) statuses: &'a [Option<Status>],
    pub(crate) products: &'a [Option<ProductId>],
    pub(crate) ranges: &'a [Range],
}

/// First pages with every combination of these filters, in every order.
pub(crate) fn order_queries(filters: &OrderFilters<'_>, limit: u32) -> Vec<OrderQuery> {
    let mut all = vec![OrderQuery::all(Scope::All, Page { limit, start: Start::Offset(0) })];
    all = each(all, filters.owners, |query, (scope, user_id)| OrderQuery { scope, user_id, ..query });
    all = each(all, filters.statuses, |query, status| OrderQuery { status, ..query });
    all = each(all, filters.products, |query, product_id| OrderQuery { product_id, ..query });
    all = each(all, filters.ranges, |query, (placed_from_us, placed_before_us)| OrderQuery {
        placed_from_us,
        placed_before_us,
        ..query
    });
    all = each(all, &ORDER_SORTS, |query, sort| OrderQuery { sort, ..query });
    each(all, &[false, true], |query, descending| OrderQuery { descending, ..query })
}

/// First pages with every combination of filters, in every order.
pub(crate) fn product_queries(texts: &[&str], limit: u32) -> Vec<ProductQuery> {
    let mut all = vec![ProductQuery::catalogue(Page { limit, start: Start::Offset(0) })];
    all = each(all, texts, |query, text| ProductQuery {
        text: (!text.is_empty()).then(|| text.to_owned()),
        ..query
    });
    all = each(all, &[None, Some(false), Some(true)], |query, active| ProductQuery { active, ..query });
    all = each(all, &[None, Some(false), Some(true)], |query, low_stock| ProductQuery { low_stock, ..query });
    all = each(all, &[false, true], |query, archived| ProductQuery { archived, ..query });
    all = each(all, &PRODUCT_SORTS, |query, sort| ProductQuery { sort, ..query });
    each(all, &[false, true], |query, descending| ProductQuery { descending, ..query })
}

/// Each query with each of the values.
fn each<Q: Clone, V: Copy>(queries: Vec<Q>, values: &[V], with: impl Fn(Q, V) -> Q) -> Vec<Q> {
    let with_each = |query: Q| values.iter().map(move |value| (query.clone(), *value));
    queries.into_iter().flat_map(with_each).map(|(query, value)| with(query, value)).collect()
}
