//! Lists of orders: whose, which, in which order, and how they are paged.

use std::sync::Arc;

use domain::{Actor, AllocateAt, Context, OrderLine, PlaceOrder, ProductId, Role, Status, UserId};
use serde_json::{Value, json};
use server::wire::paging::{ByNumber, Cursor, Key};

use crate::harness::{Caller, TestApp};

const ORDERS: &str = "/api/v1/orders";

/// 2024-01-01T00:00:00Z.
const NEW_YEAR_US: i64 = 1_704_067_200_000_000;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Places an order at a given time.
async fn place(app: &TestApp, user: i64, lines: &[(i64, i64)], status: Status, at_us: i64) {
    let line = |&(id, quantity): &(i64, i64)| OrderLine { product_id: ProductId(id), quantity };
    let command = PlaceOrder {
        user_id: Some(UserId(user)),
        lines: lines.iter().map(line).collect(),
        allocate_at: AllocateAt::Creation,
        status,
        customs: domain::PlacingCustoms::default(),
        terms: domain::PlacingTerms::default(),
    };
    let actor = Actor { user_id: None, role: Role::Admin, key: None };
    let context = Context { actor, now_us: at_us, request_id: Arc::from("test"), source: None };
    let answered = app.app.execute(command, context, None).await.unwrap();
    assert!(matches!(answered, server::app::Answered::Decided(Ok(_))));
}

struct Shop<'a> {
    root: Caller<'a>,
    john: Caller<'a>,
    mary: Caller<'a>,
    tea: i64,
    pot: i64,
}

/// Six orders, two a day from the new year on:
/// 1 John 1 tea (100) pending, 2 Mary 2 tea (200) paid, 3 John 1 pot (1000) paid,
/// 4 Mary tea and pot (1100) confirmed, 5 John 2 tea (200) pending, 6 John 3 tea (300) cancelled.
async fn shop(app: &TestApp) -> Shop<'_> {
    let root = app.admin().await;
    let john = app.user(&root, "john", "customer").await;
    let mary = app.user(&root, "mary", "customer").await;
    let tea = app.product(&root, "Tea", 100, 100).await;
    let pot = app.product(&root, "Pot", 1_000, 100).await;
    let (first, second, third) = (NEW_YEAR_US, NEW_YEAR_US + DAY_US, NEW_YEAR_US + 2 * DAY_US);
    place(app, john.id, &[(tea, 1)], Status::Pending, first).await;
    place(app, mary.id, &[(tea, 2)], Status::Paid, second - 1).await;
    place(app, john.id, &[(pot, 1)], Status::Paid, second).await;
    place(app, mary.id, &[(tea, 1), (pot, 1)], Status::Confirmed, second).await;
    place(app, john.id, &[(tea, 2)], Status::Pending, third).await;
    place(app, john.id, &[(tea, 3)], Status::Pending, third + 1).await;
    root.post("/api/v1/orders/6/cancel", json!({})).await.expect(200);
    Shop { root, john, mary, tea, pot }
}

fn ids(list: &Value) -> Vec<i64> {
    list["orders"].as_array().unwrap().iter().map(|order| order["order_id"].as_i64().unwrap()).collect()
}

/// Asks for a list; gives the ids and the two totals.
async fn list(caller: &Caller<'_>, query: &str) -> (Vec<i64>, i64, i64) {
    let list = caller.get(&format!("{ORDERS}?{query}")).await.expect(200);
    (ids(&list), list["total_amount_cents"].as_i64().unwrap(), list["total_quantity"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_orders_exactly_as_documented() {
    let app = TestApp::start().await;
    let shop = shop(&app).await;
    let path = format!("{ORDERS}?status=paid&user_id={}&limit=20&offset=0", shop.john.id);
    let answer = shop.root.get(&path).await;
    let order = shop.root.get("/api/v1/orders/3").await.expect(200);
    let expected = json!({
        "orders": [order], "limit": 20, "offset": 0, "next_cursor": null,
        "total_amount_cents": 1_000, "total_quantity": 1,
    });
    assert_eq!(answer.expect(200), expected);
    assert_eq!(order["user_name"], "john Example");
    assert_eq!(order["created_at"], "2024-01-02T00:00:00Z");
    assert_eq!(order["items"][0]["product_name"], "Pot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_how_many_match_when_it_is_asked_to() {
    let app = TestApp::start().await;
    let shop = shop(&app).await;
    for (caller, query, total) in [
        (&shop.root, "limit=1", 6),
        (&shop.root, "limit=2&offset=5", 6),
        (&shop.root, "status=paid", 2),
        (&shop.root, "user_id=999", 0),
        (&shop.john, "limit=2&sort=-created_at", 4),
    ] {
        let list = caller.get(&format!("{ORDERS}?{query}&include=total")).await.expect(200);
        assert_eq!(list["total"], total, "{query}");
        let list = caller.get(&format!("{ORDERS}?{query}")).await.expect(200);
        assert!(list.get("total").is_none(), "{query}");
    }
    let refused = shop.root.get(&format!("{ORDERS}?include=everything")).await.expect(400);
    assert_eq!(refused["errors"][0]["field"], "include");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_shop_has_an_empty_list() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let expected = json!({
        "orders": [], "limit": 20, "offset": 0, "next_cursor": null, "total_amount_cents": 0, "total_quantity": 0,
    });
    assert_eq!(root.get(ORDERS).await.expect(200), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_see_and_add_up_their_own_orders_only() {
    let app = TestApp::start().await;
    let shop = shop(&app).await;
    assert_eq!(list(&shop.root, "").await, (vec![6, 5, 4, 3, 2, 1], 2_900, 11));
    assert_eq!(list(&shop.john, "").await, (vec![6, 5, 3, 1], 1_600, 7));
    assert_eq!(list(&shop.mary, "").await, (vec![4, 2], 1_300, 4));
    let john = shop.john.id;
    assert_eq!(list(&shop.john, &format!("user_id={john}")).await, (vec![6, 5, 3, 1], 1_600, 7));
    assert_eq!(list(&shop.mary, &format!("user_id={john}")).await, (vec![], 0, 0));
    assert_eq!(list(&shop.root, &format!("user_id={john}")).await.0, [6, 5, 3, 1]);
    assert_eq!(list(&shop.root, "user_id=999").await, (vec![], 0, 0));
    let staff = app.user(&shop.root, "sue", "staff").await;
    assert_eq!(list(&staff, "").await.0.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_by_status_and_product() {
    let app = TestApp::start().await;
    let Shop { root, john, tea, pot, .. } = shop(&app).await;
    for (status, expected) in [
        ("pending", vec![5, 1]),
        ("confirmed", vec![4]),
        ("paid", vec![3, 2]),
        ("shipped", vec![]),
        ("delivered", vec![]),
        ("cancelled", vec![6]),
    ] {
        assert_eq!(list(&root, &format!("status={status}")).await.0, expected, "{status}");
    }
    root.post("/api/v1/orders/4/ship", json!({})).await.expect(200);
    root.post("/api/v1/orders/3/ship", json!({})).await.expect(200);
    root.post("/api/v1/orders/3/deliver", json!({})).await.expect(200);
    assert_eq!(list(&root, "status=shipped").await, (vec![4], 1_100, 2));
    assert_eq!(list(&root, "status=delivered").await, (vec![3], 1_000, 1));
    assert_eq!(list(&root, "status=paid").await.0, [2]);
    // The totals are of whole orders, whichever item made them match.
    assert_eq!(list(&root, &format!("product_id={pot}")).await, (vec![4, 3], 2_100, 3));
    assert_eq!(list(&root, &format!("product_id={tea}&status=pending")).await, (vec![5, 1], 300, 3));
    assert_eq!(list(&john, &format!("product_id={pot}")).await.0, [3]);
    assert_eq!(list(&root, "product_id=999").await, (vec![], 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_by_time_from_the_first_to_the_last_instant() {
    let app = TestApp::start().await;
    let root = shop(&app).await.root;
    let cases: [(&str, &[i64]); 16] = [
        ("created_from=2024-01-02", &[6, 5, 4, 3]),
        ("created_from=2024-01-02T00:00:00Z", &[6, 5, 4, 3]),
        ("created_from=2024-01-01T23:59:59.999999Z", &[6, 5, 4, 3, 2]),
        ("created_from=2024-01-02T00:00:00.000001Z", &[6, 5]),
        // The whole day belongs to a bare date, the instant itself to a time.
        ("created_to=2024-01-01", &[2, 1]),
        ("created_to=2024-01-02", &[4, 3, 2, 1]),
        ("created_to=2024-01-02T00:00:00Z", &[4, 3, 2, 1]),
        ("created_to=2024-01-01T23:59:59.999999Z", &[2, 1]),
        ("created_to=2024-01-01T23:59:59.999998Z", &[1]),
        ("created_from=2024-01-02&created_to=2024-01-02", &[4, 3]),
        ("created_from=2024-01-02T00:00:00Z&created_to=2024-01-02T00:00:00Z", &[4, 3]),
        // Any offset, also where a browser left the plus as it was.
        ("created_from=2024-01-02T02:00:00%2B02:00", &[6, 5, 4, 3]),
        ("created_from=2024-01-02T02:00:00+02:00", &[6, 5, 4, 3]),
        ("start_date=2024-01-02&end_date=2024-01-02", &[4, 3]),
        ("start_date=2024-01-02&created_to=2024-01-02", &[4, 3]),
        ("created_from=0001-01-01&created_to=9999-12-31", &[6, 5, 4, 3, 2, 1]),
    ];
    for (query, expected) in cases {
        assert_eq!(list(&root, query).await.0, expected, "{query}");
    }
    assert_eq!(list(&root, "created_from=2024-01-02&created_to=2024-01-02").await, (vec![4, 3], 2_100, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_times_must_make_sense() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let cases: [(&str, &[&str]); 12] = [
        ("created_from=2024-01-02&created_to=2024-01-01", &["created_from"]),
        ("created_from=2024-01-02T00:00:00.000001Z&created_to=2024-01-02T00:00:00Z", &["created_from"]),
        ("start_date=2024-01-02&end_date=2024-01-01", &["start_date"]),
        ("start_date=2024-01-02&created_to=2024-01-01", &["start_date"]),
        ("created_from=2024-01-01&start_date=2024-01-01", &["start_date"]),
        ("created_to=2024-01-01&end_date=2024-01-01", &["end_date"]),
        (
            "created_from=2024-01-01&start_date=2024-01-01&created_to=2024-01-01&end_date=2024-01-01",
            &["start_date", "end_date"],
        ),
        ("created_from=yesterday", &["created_from"]),
        ("created_from=2024-02-30", &["created_from"]),
        ("created_to=2024-01-01T00:00:00", &["created_to"]),
        ("start_date=20240101", &["start_date"]),
        ("end_date=1704067200", &["end_date"]),
    ];
    for (query, fields) in cases {
        let answer = root.get(&format!("{ORDERS}?{query}")).await;
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        answer.invalid(fields);
    }
    let answer = root.get(&format!("{ORDERS}?created_from=2024-01-02&end_date=2024-01-01")).await;
    assert_eq!(answer.expect(400)["errors"][0]["message"], "must not be after end_date");
}

#[tokio::test(flavor = "multi_thread")]
async fn sorts_by_each_word_and_breaks_ties_by_id() {
    let app = TestApp::start().await;
    let root = shop(&app).await.root;
    for (sort, expected) in [
        ("id", [1, 2, 3, 4, 5, 6]),
        ("-id", [6, 5, 4, 3, 2, 1]),
        ("created_at", [1, 2, 3, 4, 5, 6]),
        ("-created_at", [6, 5, 4, 3, 2, 1]),
        ("total_amount_cents", [1, 2, 5, 6, 3, 4]),
        ("-total_amount_cents", [4, 3, 6, 5, 2, 1]),
    ] {
        assert_eq!(list(&root, &format!("sort={sort}")).await.0, expected, "{sort}");
        // Page by page it is the same list, with the same totals on each page.
        for limit in [1, 2, 3, 4, 6] {
            let mut seen = Vec::new();
            let mut next = format!("{ORDERS}?sort={sort}&limit={limit}");
            loop {
                let page = root.get(&next).await.expect(200);
                assert_eq!(
                    (&page["total_amount_cents"], &page["total_quantity"]),
                    (&json!(2_900), &json!(11))
                );
                assert_eq!(page["limit"], limit);
                assert_eq!(page["offset"], if seen.is_empty() { json!(0) } else { Value::Null });
                seen.extend(ids(&page));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                next = format!("{ORDERS}?sort={sort}&limit={limit}&cursor={cursor}");
            }
            assert_eq!(seen, expected, "{sort} {limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_offset_and_by_number() {
    let app = TestApp::start().await;
    let root = shop(&app).await.root;
    for (query, expected, offset, more) in [
        ("limit=4", vec![6, 5, 4, 3], 0, true),
        ("limit=4&offset=4", vec![2, 1], 4, false),
        ("limit=2&offset=1", vec![5, 4], 1, true),
        ("limit=4&page=2", vec![2, 1], 4, false),
        ("page=1", vec![6, 5, 4, 3, 2, 1], 0, false),
        ("offset=6", vec![], 6, false),
        ("offset=1000000000000", vec![], 1_000_000_000_000, false),
        ("page=10000000000&limit=100", vec![], 999_999_999_900, false),
    ] {
        let page = root.get(&format!("{ORDERS}?{query}")).await.expect(200);
        assert_eq!((ids(&page), page["offset"].as_i64()), (expected, Some(offset)), "{query}");
        assert_eq!(page["next_cursor"].is_string(), more, "{query}");
        assert_eq!(page["total_amount_cents"], 2_900, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_goes_on_where_the_page_ended_whatever_was_placed_since() {
    let app = TestApp::start().await;
    let Shop { root, john, tea, .. } = shop(&app).await;
    let first = root.get(&format!("{ORDERS}?limit=2&status=pending&sort=-id")).await.expect(200);
    assert_eq!((ids(&first), &first["next_cursor"]), (vec![5, 1], &Value::Null));
    let first = root.get(&format!("{ORDERS}?limit=3")).await.expect(200);
    assert_eq!(ids(&first), [6, 5, 4]);
    place(&app, john.id, &[(tea, 1)], Status::Pending, NEW_YEAR_US).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = root.get(&format!("{ORDERS}?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!((ids(&second), &second["offset"]), (vec![3, 2, 1], &Value::Null));
    assert_eq!(second["total_quantity"], 12);
    // It says where to go on, not what may be seen.
    assert_eq!(ids(&john.get(&format!("{ORDERS}?cursor={cursor}")).await.expect(200)), [3, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_every_bad_parameter() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let cursor = |key: Key, sort| format!("cursor={}", Cursor { key, id: 1 }.encode(&ByNumber(sort)));
    let mut cases: Vec<(String, Vec<&str>)> = vec![
        (cursor(Key::Int(1), "id"), vec!["cursor"]),
        (cursor(Key::Int(1), "-created_at"), vec!["cursor"]),
        // A cursor of the right list that starts at a text can only be forged.
        (cursor(Key::Text("x".to_owned()), "-id"), vec!["cursor"]),
        (format!("sort=created_at&{}", cursor(Key::Text("x".to_owned()), "created_at")), vec!["cursor"]),
        (format!("offset=0&{}", cursor(Key::Int(1), "-id")), vec!["cursor"]),
        (format!("page=1&{}", cursor(Key::Int(1), "-id")), vec!["cursor"]),
        (format!("cursor={}", "x".repeat(3_000)), vec!["cursor"]),
    ];
    for (query, field) in [
        ("status=Paid", "status"),
        ("status=completed", "status"),
        ("status=", "status"),
        ("status=paid&status=paid", "status"),
        ("status=%FF", "status"),
        ("status=%00", "status"),
        ("user_id=0", "user_id"),
        ("user_id=-1", "user_id"),
        ("user_id=x", "user_id"),
        ("user_id=1.5", "user_id"),
        ("user_id=9223372036854775808", "user_id"),
        ("product_id=0", "product_id"),
        ("product_id=1%20", "product_id"),
        ("product_id=%zz", "product_id"),
        ("sort=name", "sort"),
        ("sort=%2Bid", "sort"),
        ("sort=ID", "sort"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("offset=1000000000001", "offset"),
        ("page=0", "page"),
        ("page=1&offset=0", "page"),
        ("cursor=x", "cursor"),
        ("colour=red", "colour"),
        ("userid=1", "userid"),
    ] {
        cases.push((query.to_owned(), vec![field]));
    }
    cases.push(("limit=0&status=x&sort=y".to_owned(), vec!["status", "sort", "limit"]));
    for (query, fields) in cases {
        let answer = root.get(&format!("{ORDERS}?{query}")).await;
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        answer.invalid(&fields);
    }
}
