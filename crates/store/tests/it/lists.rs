//! Every list against a naive one: all rows, filtered and sorted in memory.

use crate::random_shop::{DAY, PRODUCTS, Truth, random_shop};
use crate::shop::Shop;
use domain::{Action, Fulfilment, OrderState, Payment, ProductId, Role, Status, UserId};
use std::cmp::Ordering;
use std::sync::Arc;
use store::{
    Listing, OrderQuery, OrderSort, OrderView, Page, ProductQuery, ProductSort, ProductView, Scope,
    SortValue, Start, StoreError, UserQuery,
};

fn first(limit: u32) -> Page {
    Page { limit, start: Start::Offset(0) }
}

fn all_products() -> ProductQuery {
    ProductQuery::catalogue(first(1000))
}

fn all_orders() -> OrderQuery {
    OrderQuery::all(Scope::All, first(1000))
}

fn ordering(one: &(SortValue, i64), other: &(SortValue, i64)) -> Ordering {
    let values = match (&one.0, &other.0) {
        (SortValue::Int(one), SortValue::Int(other)) => one.cmp(other),
        (SortValue::Text(one), SortValue::Text(other)) => one.cmp(other),
        _ => panic!("values of two types"),
    };
    values.then(one.1.cmp(&other.1))
}

/// Sorts as the list should be.
fn sorted<T: Clone>(rows: &[T], descending: bool, value: impl Fn(&T) -> (SortValue, i64)) -> Vec<T> {
    let mut rows = rows.to_vec();
    rows.sort_by(|one, other| ordering(&value(one), &value(other)));
    if descending {
        rows.reverse();
    }
    rows
}

/// Walks a list by cursor and by offset, in pages of several sizes, and compares with all of it.
async fn check_walks<T: PartialEq>(
    expected: &[T],
    value: impl Fn(&T) -> (SortValue, i64),
    list: impl AsyncFn(Page) -> Listing<T>,
) {
    for limit in [1, 7, 20, 1000] {
        let (mut by_cursor, mut by_offset) = (Vec::new(), Vec::new());
        let mut start = Start::Offset(0);
        loop {
            let page = list(Page { limit, start }).await;
            by_cursor.extend(page.rows);
            if !page.more {
                break;
            }
            let (value, id) = value(by_cursor.last().unwrap());
            start = Start::After { value, id };
            assert!(by_cursor.len() <= expected.len(), "the walk does not end");
        }
        assert!(by_cursor == expected, "by cursor, {limit} a page");
        loop {
            let start = Start::Offset(i64::try_from(by_offset.len()).unwrap());
            let page = list(Page { limit, start }).await;
            by_offset.extend(page.rows);
            if !page.more {
                break;
            }
        }
        assert!(by_offset == expected, "by offset, {limit} a page");
    }
}

fn product_value(sort: ProductSort, row: &ProductView) -> (SortValue, i64) {
    let product = &row.product;
    let value = match sort {
        ProductSort::Id => SortValue::Int(product.id.0),
        ProductSort::Name => SortValue::Text(product.name.clone()),
        ProductSort::Sku => SortValue::Text(product.sku.clone()),
        ProductSort::Price => SortValue::Int(product.price_cents),
        ProductSort::Available => SortValue::Int(row.level.available()),
        ProductSort::CreatedAt => SortValue::Int(product.created_at_us),
    };
    (value, product.id.0)
}

fn order_value(sort: OrderSort, row: &OrderView) -> (SortValue, i64) {
    let order = &row.order;
    let value = match sort {
        OrderSort::Id => order.id.0,
        OrderSort::PlacedAt => order.placed_at_us,
        OrderSort::TotalAmount => order.total_amount_cents,
    };
    (SortValue::Int(value), order.id.0)
}

#[tokio::test]
async fn products_are_sorted_and_paged() {
    let (shop, truth) = random_shop().await;
    let here: Vec<_> =
        truth.products.into_iter().filter(|row| row.product.archived_at_us.is_none()).collect();
    use ProductSort::{Available, CreatedAt, Id, Name, Price, Sku};
    for sort in [Id, Name, Sku, Price, Available, CreatedAt] {
        for descending in [false, true] {
            let value = |row: &ProductView| product_value(sort, row);
            let list = async |page| {
                let query = ProductQuery { sort, descending, page, ..all_products() };
                shop.store.products(&query).await.unwrap()
            };
            check_walks(&sorted(&here, descending, value), value, list).await;
        }
    }
}

#[tokio::test]
async fn orders_are_sorted_and_paged() {
    let (shop, truth) = random_shop().await;
    for sort in [OrderSort::Id, OrderSort::PlacedAt, OrderSort::TotalAmount] {
        for descending in [false, true] {
            let value = |row: &OrderView| order_value(sort, row);
            let list = async |page| {
                let query = OrderQuery { sort, descending, page, ..all_orders() };
                shop.store.orders(&query).await.unwrap().listing
            };
            let expected = sorted(&truth.orders, descending, value);
            check_walks(&expected, value, list).await;
            let list = async |page| {
                let query = OrderQuery { sort, descending, page, ..all_orders() };
                shop.store.order_rows(&query).await.unwrap()
            };
            check_walks(&expected, value, list).await;
        }
    }
}

fn number<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap()
}

async fn check_products(shop: &Shop, truth: &Truth, query: ProductQuery) -> usize {
    let matches = |row: &&ProductView| {
        let product = &row.product;
        let found = |text: &String| {
            let text = text.to_lowercase();
            product.name.to_lowercase().contains(&text) || product.sku.to_lowercase().contains(&text)
        };
        let low = row.level.available() <= product.low_stock_threshold;
        product.archived_at_us.is_some() == query.archived
            && query.active.is_none_or(|active| product.is_active == active)
            && query.low_stock.is_none_or(|wanted| low == wanted)
            && query.text.as_ref().is_none_or(found)
    };
    let expected: Vec<_> = truth.products.iter().filter(matches).cloned().collect();
    let listing = shop.store.products(&query).await.unwrap();
    assert!(listing.rows == expected, "{query:?}");
    let counted = shop.store.counted_products(&query).await.unwrap();
    assert!(counted.listing == listing, "{query:?}");
    assert_eq!(counted.total, number(&expected), "{query:?}");
    // All are counted, whatever the page.
    let page = Page { limit: 2, start: Start::Offset(1) };
    let part = shop.store.counted_products(&ProductQuery { page, ..query }).await.unwrap();
    assert!(part.listing.rows.iter().eq(expected.iter().skip(1).take(2)));
    assert_eq!((part.listing.more, part.total), (expected.len() > 3, number(&expected)));
    expected.len()
}

#[tokio::test]
async fn products_are_filtered() {
    let (shop, truth) = random_shop().await;
    let mut found = 0;
    for archived in [false, true] {
        for active in [None, Some(false), Some(true)] {
            for low_stock in [None, Some(false), Some(true)] {
                for text in [
                    "", "apple", "APPLE P", "ärm", "ÄRM", "50%", "%", "_", "a_b", "!", "x_-", "龍", "sku-",
                    "'",
                ] {
                    let text = (!text.is_empty()).then(|| text.to_owned());
                    let query = ProductQuery { text, active, low_stock, archived, ..all_products() };
                    found += check_products(&shop, &truth, query).await;
                }
            }
        }
    }
    assert!(found > 300, "{found}");
    for text in ["%", "_", "!"] {
        let query = ProductQuery { text: Some(text.to_owned()), ..all_products() };
        let some = check_products(&shop, &truth, query).await;
        assert!(some > 0 && some < 50, "{text}: {some}");
    }
    let query = ProductQuery { text: Some("nul\0".to_owned()), ..all_products() };
    assert!(shop.store.products(&query).await.unwrap().rows.is_empty());
    let query = ProductQuery { text: Some("%".repeat(100_000)), ..all_products() };
    assert!(shop.store.products(&query).await.unwrap().rows.is_empty());
}

async fn check_orders(shop: &Shop, truth: &Truth, query: &OrderQuery) -> usize {
    let matches = |row: &&OrderView| {
        let order = &row.order;
        let in_scope = match query.scope {
            Scope::All => true,
            Scope::Of(owner) => order.user_id == owner,
        };
        in_scope
            && query.user_id.is_none_or(|id| order.user_id == Some(id))
            && query.status.is_none_or(|status| order.status() == status)
            && query.product_id.is_none_or(|id| order.items.iter().any(|item| item.product_id == id))
            && query.placed_from_us.is_none_or(|from| order.placed_at_us >= from)
            && query.placed_before_us.is_none_or(|before| order.placed_at_us < before)
    };
    let expected: Vec<_> = truth.orders.iter().filter(matches).cloned().collect();
    let amount: i128 = expected.iter().map(|row| i128::from(row.order.total_amount_cents)).sum();
    let quantity: i128 = expected.iter().map(|row| i128::from(row.order.total_quantity)).sum();
    let found = shop.store.orders(query).await.unwrap();
    assert!(found.listing.rows == expected, "{query:?}");
    assert_eq!((found.total_amount_cents, found.total_quantity), (amount, quantity), "{query:?}");
    assert_eq!(found.orders, number(&expected), "{query:?}");
    assert!(shop.store.order_rows(query).await.unwrap() == found.listing, "{query:?}");
    let counted = shop.store.counted_orders(query).await.unwrap();
    assert!(counted.listing == found.listing, "{query:?}");
    assert_eq!(counted.total, number(&expected), "{query:?}");
    // Sums and number are those of all that match, whatever the page.
    let query = OrderQuery { page: Page { limit: 2, start: Start::Offset(1) }, ..query.clone() };
    let part = shop.store.orders(&query).await.unwrap();
    assert!(shop.store.order_rows(&query).await.unwrap() == part.listing);
    let counted = shop.store.counted_orders(&query).await.unwrap();
    assert!(counted.listing == part.listing && counted.total == number(&expected));
    assert!(part.listing.rows.iter().eq(expected.iter().skip(1).take(2)));
    assert_eq!(part.listing.more, expected.len() > 3);
    assert_eq!((part.total_amount_cents, part.total_quantity), (amount, quantity));
    expected.len()
}

#[tokio::test]
async fn orders_are_filtered_and_summed() {
    let (shop, truth) = random_shop().await;
    let scopes = [Scope::All, Scope::Of(None), Scope::Of(Some(UserId(2))), Scope::Of(Some(UserId(99)))];
    let mut found = 0;
    for scope in scopes {
        for user_id in [None, Some(UserId(2)), Some(UserId(3))] {
            let statuses: Vec<_> = Status::ALL.iter().copied().map(Some).chain([None]).collect();
            for status in statuses {
                for product_id in [None, Some(ProductId(7)), Some(ProductId(999))] {
                    let query = OrderQuery { scope, user_id, status, product_id, ..all_orders() };
                    found += check_orders(&shop, &truth, &query).await;
                }
            }
        }
    }
    assert!(found > 300, "{found}");
    for id in 1..=PRODUCTS {
        let query = OrderQuery { product_id: Some(ProductId(id)), ..all_orders() };
        check_orders(&shop, &truth, &query).await;
    }
    for (from, before) in
        [(Some(2010), None), (None, Some(2010)), (Some(2010), Some(2030)), (Some(5), Some(5))]
    {
        let query = OrderQuery { placed_from_us: from, placed_before_us: before, ..all_orders() };
        check_orders(&shop, &truth, &query).await;
    }
    for status in Status::ALL {
        let query = OrderQuery { status: Some(*status), ..all_orders() };
        assert!(check_orders(&shop, &truth, &query).await > 0, "no order is {status:?}");
    }
}

/// Ranges of times: whole days, parts of one, both, none at all, and up to the ends of time.
const RANGES: [(Option<i64>, Option<i64>); 11] = [
    (None, Some(DAY)),
    (Some(DAY), Some(2 * DAY)),
    (Some(DAY), Some(4 * DAY)),
    (Some(2_020), Some(3 * DAY + 2_010)),
    (Some(DAY + 2_010), Some(DAY + 2_020)),
    (Some(2 * DAY + 2_005), None),
    (None, Some(DAY + 2_005)),
    (Some(3 * DAY), Some(DAY)),
    (Some(3 * DAY + 5), Some(3 * DAY + 5)),
    (Some(i64::MIN), Some(i64::MAX)),
    (Some(100 * DAY), None),
];

#[tokio::test]
async fn orders_are_filtered_by_everything_at_once() {
    let (shop, truth) = random_shop().await;
    let mut found = 0;
    for (placed_from_us, placed_before_us) in RANGES {
        for status in [None, Some(Status::Pending), Some(Status::Paid), Some(Status::Cancelled)] {
            for (user_id, product_id) in [(None, None), (None, Some(7)), (Some(3), None), (Some(2), Some(9))]
            {
                let query = OrderQuery {
                    status,
                    user_id: user_id.map(UserId),
                    product_id: product_id.map(ProductId),
                    placed_from_us,
                    placed_before_us,
                    ..all_orders()
                };
                found += check_orders(&shop, &truth, &query).await;
            }
        }
    }
    assert!(found > 500, "{found}");
}

#[tokio::test]
async fn filtered_orders_are_sorted_and_paged() {
    let (shop, truth) = random_shop().await;
    let of_day = OrderQuery { placed_from_us: Some(2_010), placed_before_us: Some(2 * DAY), ..all_orders() };
    let of_status = OrderQuery { status: Some(Status::Pending), ..all_orders() };
    let of_product = OrderQuery { product_id: Some(ProductId(7)), ..all_orders() };
    let of_both = OrderQuery { product_id: Some(ProductId(9)), ..of_status.clone() };
    for filter in [of_day, of_status, of_product, of_both] {
        let all = shop.store.order_rows(&filter).await.unwrap().rows;
        assert!(all.len() < truth.orders.len());
        for sort in [OrderSort::Id, OrderSort::PlacedAt, OrderSort::TotalAmount] {
            for descending in [false, true] {
                let value = |row: &OrderView| order_value(sort, row);
                let list = async |page| {
                    let query = OrderQuery { sort, descending, page, ..filter.clone() };
                    shop.store.orders(&query).await.unwrap().listing
                };
                check_walks(&sorted(&all, descending, value), value, list).await;
            }
        }
    }
}

/// The database derives the word as the rules do, in every position there could be.
#[tokio::test]
async fn the_status_of_an_order_is_that_of_the_rules() {
    let shop = Shop::new().await;
    let product = shop.product("A", 10).await;
    shop.place(None, &[(product.id, 1)]).await;
    for state in OrderState::ALL {
        for payment in Payment::ALL {
            for fulfilment in Fulfilment::ALL {
                let (one, two, three) = (state.word(), payment.word(), fulfilment.word());
                let set =
                    format!("UPDATE orders SET state = '{one}', payment = '{two}', fulfilment = '{three}'");
                shop.sabotage(&set).await;
                let found = shop.query("SELECT status FROM orders").await.remove(0).text(0).unwrap();
                assert_eq!(found, Status::of(*state, *payment, *fulfilment).word(), "{set}");
            }
        }
    }
}

#[tokio::test]
async fn users_are_filtered_and_paged() {
    let (shop, truth) = random_shop().await;
    let query = |page| UserQuery { text: None, role: None, active: None, page };
    let value = |row: &domain::User| (SortValue::Int(row.id.0), row.id.0);
    let list = async |page| shop.store.users(&query(page)).await.unwrap();
    check_walks(&truth.users, value, list).await;
    for role in [None, Some(Role::Admin), Some(Role::Customer), Some(Role::Staff)] {
        for active in [None, Some(true), Some(false)] {
            for text in [None, Some("AN"), Some("_"), Some("%"), Some("o'neill"), Some("@example")] {
                let matches = |user: &&domain::User| {
                    let found = |text: &str| {
                        let names = [Some(&user.username), user.full_name.as_ref(), user.email.as_ref()];
                        names
                            .into_iter()
                            .flatten()
                            .any(|name| name.to_lowercase().contains(&text.to_lowercase()))
                    };
                    role.is_none_or(|role| user.role == role)
                        && active.is_none_or(|active| user.is_active == active)
                        && text.is_none_or(found)
                };
                let expected: Vec<_> = truth.users.iter().filter(matches).cloned().collect();
                let query = UserQuery { text: text.map(str::to_owned), role, active, page: first(100) };
                assert_eq!(shop.store.users(&query).await.unwrap().rows, expected, "{query:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_sort_is_refused() {
    let (shop, _) = random_shop().await;
    let start = Start::After { value: SortValue::Int(3), id: 3 };
    let query = ProductQuery { sort: ProductSort::Name, page: Page { limit: 5, start }, ..all_products() };
    assert!(matches!(shop.store.products(&query).await, Err(StoreError::Misuse { .. })));
    assert!(matches!(shop.store.counted_products(&query).await, Err(StoreError::Misuse { .. })));
    let start = Start::After { value: SortValue::Text("3".to_owned()), id: 3 };
    let query = OrderQuery { sort: OrderSort::PlacedAt, page: Page { limit: 5, start }, ..all_orders() };
    assert!(matches!(shop.store.orders(&query).await, Err(StoreError::Misuse { .. })));
    assert!(matches!(shop.store.order_rows(&query).await, Err(StoreError::Misuse { .. })));
    assert!(matches!(shop.store.counted_orders(&query).await, Err(StoreError::Misuse { .. })));
    // The snapshot was ended all the same: every reader still answers.
    for _ in 0..8 {
        shop.store.orders(&all_orders()).await.unwrap();
    }
}

#[tokio::test]
async fn sums_are_exact_beyond_64_bits() {
    let shop = Shop::new().await;
    let product = shop.product("A", 10).await;
    for _ in 0..3 {
        shop.place(None, &[(product.id, 1)]).await;
    }
    let all = OrderQuery { placed_from_us: None, page: first(1), ..all_orders() };
    // One by one, as those of a part of a day are, and as they are kept.
    let some = OrderQuery { placed_from_us: Some(1), ..all.clone() };
    let amount = async |query| shop.store.orders(query).await.unwrap().total_amount_cents;
    shop.sabotage("UPDATE orders SET total_amount_cents = 9223372036854775807").await;
    assert_eq!(amount(&some).await, 3 * i128::from(i64::MAX));
    shop.sabotage("UPDATE order_sums SET amount_high = 6442450941, amount_low = 12884901885").await;
    assert_eq!(amount(&all).await, 3 * i128::from(i64::MAX));
    shop.sabotage("UPDATE orders SET total_amount_cents = 1 WHERE id = 3").await;
    assert_eq!(amount(&some).await, 2 * i128::from(i64::MAX) + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_sums_and_number_show_one_state() {
    let shop = Arc::new(Shop::new().await);
    let product = shop.product("A", 1000).await.id;
    let writer = {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            for index in 0..200 {
                let order = shop.place(None, &[(product, 1 + index % 5)]).await;
                if index % 3 == 0 {
                    shop.act(order.id, Action::Cancel).await;
                }
            }
        })
    };
    let mut looks = 0;
    while !writer.is_finished() || looks < 10 {
        let found = shop.store.orders(&all_orders()).await.unwrap();
        let quantity: i64 = found.listing.rows.iter().map(|row| row.order.total_quantity).sum();
        assert_eq!(i128::from(quantity), found.total_quantity);
        let counted = shop.store.counted_orders(&all_orders()).await.unwrap();
        assert_eq!(number(&counted.listing.rows), counted.total);
        shop.assert_sound().await;
        looks += 1;
    }
    writer.await.unwrap();
}
