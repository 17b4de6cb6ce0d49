//! Lists that are read while others write.
//!
//! Writers work on pairs of orders, one of a single piece and one of three, of the same user, time and product, and do to
//! both in one batch whatever they do. So in every state that there ever was, and by whatever filter, there are two
//! pieces to an order, and a list that tells anything else shows a state that never was.

use crate::queries::{ORDER_SORTS, OrderFilters, PRODUCT_SORTS, order_queries};
use crate::random_shop::DAY;
use crate::shop::{Batch, Shop, act, new_order, new_product};
use domain::{Action, OrderId, ProductId, Status, UpdateProduct, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::{
    OrderListing, OrderQuery, OrderSort, OrderView, Page, ProductQuery, ProductSort, ProductView, Scope,
    SortValue, Start,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What [`new_product`] costs.
const PRICE_CENTS: i64 = 250;
const ANN: UserId = UserId(1);
/// What is ordered.
const SOLD: [ProductId; 2] = [ProductId(1), ProductId(2)];
/// What is edited, so that it moves in every list.
const EDITED: std::ops::Range<i64> = 3..9;
const PRODUCTS: i64 = 30;
/// More than the writers place.
const UNCUT: u32 = 100_000;
const WRITERS: i64 = 2;
/// What becomes of one pair after the other.
const LIVES: [&[Action]; 6] = [
    &[],
    &[Action::Cancel],
    &[Action::Confirm],
    &[Action::Pay],
    &[Action::Confirm, Action::Pay, Action::Ship],
    &[Action::Pay, Action::Ship, Action::Deliver],
];

/// A shop whose writers take a step each whenever a list is read.
struct Busy {
    shop: Arc<Shop>,
    steps: Arc<Semaphore>,
    writers: JoinSet<()>,
}

impl Busy {
    async fn new() -> Self {
        let shop = Arc::new(pair_shop().await);
        let (steps, pairs) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicI64::new(100)));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (shop, steps, pairs) = (Arc::clone(&shop), Arc::clone(&steps), Arc::clone(&pairs));
            writers.spawn(async move {
                while write_pair(&shop, pairs.fetch_add(1, Ordering::Relaxed), Some(&steps)).await {}
            });
        }
        Self { shop, steps, writers }
    }

    /// The shop, which is about to be written to.
    fn shop(&self) -> &Shop {
        self.steps.add_permits(usize::try_from(WRITERS).unwrap());
        &self.shop
    }

    /// Waits for the writers to end what they are at.
    async fn quiet(mut self) -> Arc<Shop> {
        self.steps.close();
        while let Some(ended) = self.writers.join_next().await {
            ended.unwrap();
        }
        self.shop.assert_sound().await;
        self.shop
    }
}

/// A shop with products and a few pairs in every status.
async fn pair_shop() -> Shop {
    let shop = Shop::new().await;
    shop.user("Ann").await;
    let mut batch = Batch::default();
    for index in 1..=PRODUCTS {
        batch.add(shop.context(), new_product(&format!("A{index:02}"), 1_000_000 + index % 7));
    }
    shop.decide(batch).await;
    for pair in 0..30 {
        assert!(write_pair(&shop, pair, None).await);
    }
    shop
}

/// The whole life of a pair, of which each step, a batch, is waited for; false when there are to be no more steps.
async fn write_pair(shop: &Shop, number: i64, steps: Option<&Semaphore>) -> bool {
    let kind = usize::try_from(number).unwrap();
    let mut context = shop.context();
    // A quarter of a day between two pairs.
    context.now_us = number * DAY / 4;
    let (user_id, sold) = ((number % 2 == 0).then_some(ANN), SOLD[kind / 2 % 2]);
    let mut placed = Batch::default();
    let pair = [1, 3].map(|pieces| placed.add(context.clone(), new_order(user_id, &[(sold, pieces)])));
    if !step(shop, placed, steps).await {
        return false;
    }
    let pair = pair.map(|ticket| ticket.get().unwrap().order.id);
    for (at, action) in (number..).zip(LIVES[kind / 4 % LIVES.len()]) {
        let mut batch = Batch::default();
        let moved = pair.map(|id| batch.add(context.clone(), act(id, *action)));
        let edited = ProductId(EDITED.start + at % (EDITED.end - EDITED.start));
        batch.add(
            context.clone(),
            UpdateProduct {
                name: Some(format!("Name of {}", number * 7919 % 100)),
                price_cents: Some(1 + number * 7919 % 1_000),
                available: Some(1_000_000 + number * 7919 % 10),
                ..UpdateProduct::nothing(edited)
            },
        );
        if !step(shop, batch, steps).await {
            return false;
        }
        for ticket in moved {
            ticket.get().unwrap();
        }
    }
    true
}

async fn step(shop: &Shop, batch: Batch, steps: Option<&Semaphore>) -> bool {
    if let Some(steps) = steps {
        let Ok(permit) = steps.acquire().await else { return false };
        permit.forget();
    }
    shop.decide(batch).await;
    true
}

/// Why a list shows a state that never was.
fn fault(query: &OrderQuery, found: &OrderListing) -> Option<String> {
    let (rows, orders) = (&found.listing.rows, i128::from(found.orders));
    let sums = (found.total_quantity, found.total_amount_cents);
    let of_pairs = (2 * orders, 2 * orders * i128::from(PRICE_CENTS));
    let sum = |of: fn(&OrderView) -> i64| rows.iter().map(|row| i128::from(of(row))).sum::<i128>();
    let of_rows = (sum(|row| row.order.total_quantity), sum(|row| row.order.total_amount_cents));
    let is_all = query.page.start == Start::Offset(0) && !found.listing.more;
    let is_stray = |row: &&OrderView| query.status.is_some_and(|status| row.order.status() != status);
    if orders % 2 != 0 || sums != of_pairs {
        Some(format!("half of a batch: {orders} orders, {sums:?}"))
    } else if is_all && (i128::try_from(rows.len()).unwrap(), of_rows) != (orders, sums) {
        Some(format!("{} rows with {of_rows:?}, but {orders} orders with {sums:?}", rows.len()))
    } else {
        rows.iter().find(is_stray).map(|row| format!("order {} is {:?}", row.order.id.0, row.order.status()))
    }
}

/// Why a walk is not what it should be: something came twice, or something that was there all the time did not come.
fn fault_of_walk(walked: &[i64], lasting: &BTreeSet<i64>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let twice = walked.iter().find(|id| !seen.insert(**id));
    let missing = lasting.iter().find(|id| !seen.contains(id));
    twice.map(|id| format!("{id} came twice")).or_else(|| missing.map(|id| format!("{id} is missing")))
}

fn order_value(sort: OrderSort, row: &OrderView) -> SortValue {
    SortValue::Int(match sort {
        OrderSort::Id => row.order.id.0,
        OrderSort::PlacedAt => row.order.placed_at_us,
        OrderSort::TotalAmount => row.order.total_amount_cents,
    })
}

fn product_value(sort: ProductSort, row: &ProductView) -> SortValue {
    match sort {
        ProductSort::Id => SortValue::Int(row.product.id.0),
        ProductSort::Name => SortValue::Text(row.product.name.clone()),
        ProductSort::Sku => SortValue::Text(row.product.sku.clone()),
        ProductSort::Price => SortValue::Int(row.product.price_cents),
        ProductSort::Available => SortValue::Int(row.level.available()),
        ProductSort::CreatedAt => SortValue::Int(row.product.created_at_us),
    }
}

/// Walks a list of orders by cursor, its pages with sums and without them by turns.
async fn walk_orders(busy: &Busy, query: &OrderQuery) -> Vec<i64> {
    let (mut walked, mut query) = (Vec::new(), query.clone());
    loop {
        let listing = if walked.len() % 2 == 0 {
            busy.shop().store.order_rows(&query).await.unwrap()
        } else {
            let found = busy.shop().store.orders(&query).await.unwrap();
            assert_eq!(fault(&query, &found), None, "{query:?}");
            found.listing
        };
        walked.extend(listing.rows.iter().map(|row| row.order.id.0));
        let Some(last) = listing.rows.last().filter(|_| listing.more) else { return walked };
        query.page.start = Start::After { value: order_value(query.sort, last), id: last.order.id.0 };
    }
}

async fn walk_products(busy: &Busy, query: &ProductQuery) -> Vec<i64> {
    let (mut walked, mut query) = (Vec::new(), query.clone());
    loop {
        let listing = busy.shop().store.products(&query).await.unwrap();
        walked.extend(listing.rows.iter().map(|row| row.product.id.0));
        let Some(last) = listing.rows.last().filter(|_| listing.more) else { return walked };
        query.page.start = Start::After { value: product_value(query.sort, last), id: last.product.id.0 };
    }
}

fn all_orders(limit: u32) -> OrderQuery {
    OrderQuery::all(Scope::All, Page { limit, start: Start::Offset(0) })
}

fn statuses() -> Vec<Option<Status>> {
    Status::ALL.iter().copied().map(Some).chain([None]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_orders_show_states_that_were() {
    let busy = Busy::new().await;
    let filters = OrderFilters {
        owners: &[(Scope::All, None), (Scope::All, Some(ANN)), (Scope::Of(None), None)],
        statuses: &statuses(),
        products: &[None, Some(SOLD[0])],
        ranges: &[(None, None), (Some(3 * DAY + 5), Some(40 * DAY + 5))],
    };
    let mut found_some = 0;
    for query in order_queries(&filters, UNCUT).into_iter().filter(|query| query.descending) {
        let found = busy.shop().store.orders(&query).await.unwrap();
        assert_eq!(fault(&query, &found), None, "{query:?}");
        let counted = busy.shop().store.counted_orders(&query).await.unwrap();
        assert_eq!(i64::try_from(counted.listing.rows.len()).unwrap(), counted.total, "{query:?}");
        found_some += usize::from(found.orders > 0);
    }
    assert!(found_some > 200, "{found_some}");
    let shop = busy.quiet().await;
    assert!(statuses_are_all(&shop, &statuses()).await);
    // The same without one of them would be noticed.
    assert!(!statuses_are_all(&shop, &statuses()[1..]).await);
}

/// Whether the orders of these statuses, of which none is told twice, are all orders.
async fn statuses_are_all(shop: &Shop, statuses: &[Option<Status>]) -> bool {
    let (mut sums, mut all) = ((0, 0, 0), None);
    for status in statuses {
        let query = OrderQuery { status: *status, ..all_orders(1) };
        let found = shop.store.orders(&query).await.unwrap();
        let of = (found.orders, found.total_quantity, found.total_amount_cents);
        match status {
            None => all = Some(of),
            Some(_) => sums = (sums.0 + of.0, sums.1 + of.1, sums.2 + of.2),
        }
    }
    all == Some(sums)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walks_of_orders_miss_nothing_and_tell_nothing_twice() {
    let busy = Busy::new().await;
    // What is delivered or cancelled stays so; no order is placed anew at another time or for another sum.
    for (status, condition) in [(None, ""), (Some(Status::Delivered), " WHERE o.status = 'delivered'")] {
        for sort in ORDER_SORTS {
            for descending in [false, true] {
                let ids = busy.shop.ints(&format!("SELECT o.id FROM orders o{condition}")).await;
                let query = OrderQuery { status, sort, descending, ..all_orders(7) };
                let walked = walk_orders(&busy, &query).await;
                assert!(ids.len() >= 8 && walked.len() >= ids.len());
                let fault = fault_of_walk(&walked, &ids.into_iter().collect());
                assert_eq!(fault, None, "{query:?} {walked:?}");
            }
        }
    }
    busy.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walks_of_products_miss_nothing_that_stays() {
    let busy = Busy::new().await;
    let all: BTreeSet<i64> = (1..=PRODUCTS).collect();
    for sort in PRODUCT_SORTS {
        for (descending, text) in [(false, None), (true, None), (false, Some("ame")), (true, Some("of"))] {
            let page = Page { limit: 4, start: Start::Offset(0) };
            let text = text.map(str::to_owned);
            let query = ProductQuery { sort, descending, text, ..ProductQuery::catalogue(page) };
            let mut walked = walk_products(&busy, &query).await;
            let mut lasting = all.clone();
            if matches!(sort, ProductSort::Name | ProductSort::Price | ProductSort::Available) {
                // What moves may well come twice, or not at all.
                lasting.retain(|id| !EDITED.contains(id) && !SOLD.contains(&ProductId(*id)));
                walked.retain(|id| lasting.contains(id));
            }
            assert_eq!(fault_of_walk(&walked, &lasting), None, "{query:?} {walked:?}");
        }
    }
    busy.quiet().await;
}

/// Readings as they must not be, with a writer in between: what is demanded above is not met by them.
#[tokio::test]
async fn a_wrong_reading_is_noticed() {
    let shop = pair_shop().await;
    for query in [all_orders(UNCUT), OrderQuery { status: Some(Status::Pending), ..all_orders(UNCUT) }] {
        // Page and sums of two states.
        let page = shop.store.orders(&query).await.unwrap().listing;
        assert!(write_pair(&shop, 600, None).await);
        let found = shop.store.orders(&query).await.unwrap();
        assert_eq!(fault(&query, &found), None);
        assert!(fault(&query, &OrderListing { listing: page, ..found }).is_some(), "{query:?}");
    }
    // A walk by offset while orders are placed.
    let mut query = OrderQuery { descending: true, ..all_orders(7) };
    let mut walked = Vec::new();
    for offset in [0, 7] {
        query.page.start = Start::Offset(offset);
        let listing = shop.store.order_rows(&query).await.unwrap();
        walked.extend(listing.rows.iter().map(|row| row.order.id.0));
        assert!(write_pair(&shop, 600, None).await);
    }
    assert!(fault_of_walk(&walked, &BTreeSet::new()).is_some(), "{walked:?}");
    assert!(fault_of_walk(&[1, 3], &BTreeSet::from([1, 2, 3])).is_some());
    // Half of a batch: one of a pair has gone on without the other.
    let pending = OrderQuery { status: Some(Status::Pending), ..all_orders(1) };
    assert_eq!(fault(&pending, &shop.store.orders(&pending).await.unwrap()), None);
    let last = shop.ints("SELECT MAX(o.id) FROM orders o").await[0];
    shop.act(OrderId(last), Action::Cancel).await;
    let found = shop.store.orders(&pending).await.unwrap();
    assert!(fault(&pending, &found).is_some(), "{found:?}");
}
