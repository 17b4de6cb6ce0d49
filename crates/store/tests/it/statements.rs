//! How many queries a list takes: as many for a page of sixty rows as for a page of three.

use crate::queries::{OrderFilters, order_queries, product_queries};
use crate::shop::{Batch, Shop, new_order, new_user};
use domain::{Actor, AllocateAt, CreateProduct, DeleteProduct, PlaceOrder, ProductId, Role, Status, UserId};
use store::driver::Overheard;
use store::{AuditQuery, Page, Scope, Start, Store, UserQuery};

/// Which way to go (orders of the owner; sums of all orders and of the product), the page, its items.
const MOST_FOR_ORDER_ROWS: usize = 5;
/// The same, and both ends of a range of times order by order: for each, where the product's orders of that day are,
/// and their sums.
const MOST_FOR_ORDERS: usize = MOST_FOR_ORDER_ROWS + 4;
/// How many rows there are; the end of a walk that may be given up, the walk, and what is read when it was.
const MOST_FOR_PRODUCTS: usize = 4;
/// The same, and how many match.
const MOST_FOR_COUNTED_PRODUCTS: usize = MOST_FOR_PRODUCTS + 1;

/// No page is cut.
const LIMIT: u32 = 1_000;
const DAY: i64 = 86_400_000_000;
/// What every order has.
const COMMON: ProductId = ProductId(1);
const ROOT: Actor = Actor { user_id: Some(UserId(1)), role: Role::Admin, key: None };
const ANN: UserId = UserId(2);

/// A shop in which every list has so many rows, or a multiple of it, or none.
struct Scaled {
    shop: Shop,
    store: Store,
    overheard: Overheard,
}

impl Scaled {
    async fn new(size: i64) -> Self {
        let shop = Shop::new().await;
        fill_users(&shop, size).await;
        fill_keys(&shop, size).await;
        let archived = fill_products(&shop, size).await;
        fill_orders(&shop, size, &archived).await;
        shop.assert_sound().await;
        let (database, overheard) = shop.database.overhear();
        Self { store: Store::new(database), shop, overheard }
    }

    /// What was asked since the last time.
    fn count(&self) -> usize {
        self.overheard.take().len()
    }
}

async fn fill_users(shop: &Shop, size: i64) {
    let mut batch = Batch::default();
    let names = ["root".to_owned(), "Ann".to_owned()].into_iter();
    for name in names.chain((0..size).map(|index| format!("user{index}"))) {
        let role = (name != "root").then_some(Role::Customer);
        batch.add(shop.context(), domain::CreateUser { role, ..new_user(&name) });
    }
    shop.decide(batch).await;
}

async fn fill_keys(shop: &Shop, size: i64) {
    let mut batch = Batch::default();
    for index in 0..size {
        let digest = format!("{:016x}", 2 * index);
        batch.add(shop.context_of(ROOT), domain::CreateApiKey { digest, ..crate::audit::new_key() });
    }
    shop.decide(batch).await;
}

/// Products of every kind; tells those that are to be archived.
async fn fill_products(shop: &Shop, size: i64) -> Vec<ProductId> {
    let mut batch = Batch::default();
    let mut ids = Vec::new();
    for index in 0..=8 * size {
        let kind = index % 8;
        let (is_low, is_inactive, is_archived) = (kind & 1 == 1, kind & 2 == 2, kind & 4 == 4);
        let product = CreateProduct {
            sku: Some(format!("ART-{index}")),
            name: format!("Apple {index}"),
            description: String::new(),
            price_cents: 100 + index,
            // It is ordered before it is archived, which an inactive one could not be.
            is_active: is_archived || !is_inactive,
            low_stock_threshold: 5,
            auto_deactivate: false,
            opening_stock: if is_low { 3 } else { 10_000 },
            unique_name: false,
        };
        ids.push((is_archived, batch.add(shop.context(), product)));
    }
    shop.decide(batch).await;
    let archived = ids.into_iter().filter(|(archived, _)| *archived);
    archived.map(|(_, ticket)| ticket.get().unwrap().product.id).collect()
}

/// As many orders of Ann as of nobody, each with the common product and some that are archived afterwards.
async fn fill_orders(shop: &Shop, size: i64, archived: &[ProductId]) {
    let mut batch = Batch::default();
    let mut parts = archived.chunks(4);
    let mut tickets = Vec::new();
    for index in 0..2 * size {
        let others = parts.next().unwrap_or_default().iter().map(|id| (*id, 1));
        let lines: Vec<_> = [(COMMON, 2)].into_iter().chain(others).collect();
        let owner = (index % 2 == 0).then_some(ANN);
        let order = PlaceOrder {
            allocate_at: AllocateAt::Creation,
            status: Status::Pending,
            ..new_order(owner, &lines)
        };
        let mut context = shop.context();
        context.now_us = DAY + 1_000 + index;
        tickets.push(batch.add(context, order));
    }
    for (index, id) in archived.iter().enumerate() {
        let is_active = Some(index % 4 < 2);
        batch.add(
            shop.context_from(ROOT, "192.0.2.1"),
            domain::UpdateProduct { is_active, ..domain::UpdateProduct::nothing(*id) },
        );
        batch.add(shop.context(), DeleteProduct { product_id: *id, if_version: None });
    }
    shop.decide(batch).await;
    for ticket in tickets {
        ticket.get().unwrap();
    }
}

/// Demands that a list takes as many queries in both shops, and no more than so many; its number of rows is told.
async fn check(
    shops: &[Scaled; 2],
    most: usize,
    what: &str,
    list: impl AsyncFn(&Store) -> usize,
) -> [usize; 2] {
    let mut rows = [0; 2];
    let mut queries = [0; 2];
    for (at, scaled) in shops.iter().enumerate() {
        scaled.count();
        rows[at] = list(&scaled.store).await;
        queries[at] = scaled.count();
    }
    assert_eq!(queries[0], queries[1], "{rows:?} rows of {what}");
    assert!((1..=most).contains(&queries[0]), "{} queries for {what}", queries[0]);
    assert!(rows[0] == 0 && rows[1] == 0 || rows[1] > 9 * rows[0], "{rows:?} rows of {what}");
    rows
}

async fn two_shops() -> [Scaled; 2] {
    [Scaled::new(3).await, Scaled::new(60).await]
}

#[tokio::test]
async fn lists_of_orders_take_as_many_queries_for_many_rows_as_for_few() {
    let shops = two_shops().await;
    let filters = OrderFilters {
        owners: &[
            (Scope::All, None),
            (Scope::All, Some(ANN)),
            (Scope::Of(None), None),
            (Scope::Of(None), Some(ANN)),
        ],
        statuses: &[None, Some(Status::Pending), Some(Status::Paid)],
        products: &[None, Some(COMMON), Some(ProductId(9_999))],
        ranges: &[(None, None), (Some(DAY + 500), None), (Some(500), Some(3 * DAY)), (Some(3 * DAY), None)],
    };
    let mut full = 0;
    for query in order_queries(&filters, LIMIT).into_iter().filter(|query| query.descending) {
        let what = format!("{query:?}");
        let rows = async |store: &Store| store.order_rows(&query).await.unwrap().rows.len();
        check(&shops, MOST_FOR_ORDER_ROWS, &what, rows).await;
        let counted = async |store: &Store| store.counted_orders(&query).await.unwrap().listing.rows.len();
        check(&shops, MOST_FOR_ORDERS, &what, counted).await;
        let orders = async |store: &Store| store.orders(&query).await.unwrap().listing.rows.len();
        let [few, many] = check(&shops, MOST_FOR_ORDERS, &what, orders).await;
        full += usize::from(few >= 3 && many >= 60);
    }
    assert!(full > 100, "{full}");
}

#[tokio::test]
async fn lists_of_products_take_as_many_queries_for_many_rows_as_for_few() {
    let shops = two_shops().await;
    let mut full = 0;
    for query in product_queries(&["", "ap", "appl", "art-", "qz", "nowhere"], LIMIT) {
        let what = format!("{query:?}");
        let rows = async |store: &Store| store.products(&query).await.unwrap().rows.len();
        let [few, many] = check(&shops, MOST_FOR_PRODUCTS, &what, rows).await;
        full += usize::from(few >= 3 && many >= 60);
        let counted = async |store: &Store| store.counted_products(&query).await.unwrap().listing.rows.len();
        check(&shops, MOST_FOR_COUNTED_PRODUCTS, &what, counted).await;
    }
    assert!(full > 100, "{full}");
}

#[tokio::test]
async fn the_other_lists_are_one_query_each() {
    let shops = two_shops().await;
    let page = || Page { limit: LIMIT, start: Start::Offset(0) };
    for text in [None, Some("user".to_owned()), Some("nowhere".to_owned())] {
        for (role, active) in [(None, None), (Some(Role::Customer), Some(true))] {
            let query = UserQuery { text: text.clone(), role, active, page: page() };
            let users = async |store: &Store| store.users(&query).await.unwrap().rows.len();
            check(&shops, 1, "users", users).await;
        }
    }
    for actor_id in [None, Some(UserId(1))] {
        let query = AuditQuery { actor_id, ..AuditQuery::all(page()) };
        let lines = async |store: &Store| store.audit(&query).await.unwrap().rows.len();
        check(&shops, 1, "the audit log", lines).await;
    }
    let keys = async |store: &Store| store.api_keys(&page()).await.unwrap().rows.len();
    check(&shops, 1, "keys", keys).await;
    let movements = async |store: &Store| store.movements(COMMON, &page()).await.unwrap().rows.len();
    check(&shops, 1, "movements", movements).await;
    let events = async |store: &Store| store.events(0, 10_000).await.unwrap().len();
    check(&shops, 1, "events", events).await;
    for scaled in &shops {
        let order = scaled.shop.store.orders(&store::OrderQuery::all(Scope::All, page())).await.unwrap();
        let id = order.listing.rows[0].order.id;
        scaled.count();
        scaled.store.order(id).await.unwrap().unwrap();
        scaled.store.timeline(id).await.unwrap();
        scaled.store.product(COMMON).await.unwrap().unwrap();
        assert_eq!(scaled.count(), 3);
    }
}
