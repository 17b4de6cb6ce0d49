//! Lists of products: filters, sorts and pages.

use serde_json::{Value, json};

use crate::harness::{Caller, TestApp};

const PRODUCTS: &str = "/api/v1/products";

/// The ids of a list's products.
fn ids(list: &Value) -> Vec<i64> {
    list["products"].as_array().unwrap().iter().map(|product| product["id"].as_i64().unwrap()).collect()
}

/// Asserts that a list answers with these products.
async fn lists(caller: &Caller<'_>, query: &str, expected: &[i64]) {
    let list = caller.get(&format!("{PRODUCTS}{query}")).await.expect(200);
    assert_eq!(ids(&list), expected, "{query}");
}

/// Seven products, some alike: id, SKU, name, price, stock, threshold, active.
async fn stocked(staff: &Caller<'_>) {
    for (sku, name, price, stock, threshold, active) in [
        ("B-2", "Green tea", 300, 5, 5, true),
        ("A-1", "Black tea", 100, 6, 5, true),
        ("b_3", "Cup 100%", 300, 0, 0, true),
        ("C-4", "cup", 200, 9, 1, false),
        ("Ä-5", "Éclair", 300, 9, 9, true),
        ("D-6", "Green tea", 100, 2, 7, false),
        ("E-7", "Zebra", 0, 9, 0, true),
    ] {
        let body = json!({
            "sku": sku, "name": name, "price_cents": price, "stock_quantity": stock,
            "low_stock_threshold": threshold, "is_active": active,
        });
        staff.post(PRODUCTS, body).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    stocked(&staff).await;
    for (query, expected) in [
        ("", &[1, 2, 3, 4, 5, 6, 7][..]),
        ("?q=TEA", &[1, 2, 6]),
        ("?q=b-2", &[1]),
        ("?q=%C3%A9clair", &[5]),
        ("?q=%C3%84-5", &[5]),
        ("?q=ECLA", &[5]),
        ("?q=a-5", &[5]),
        // What LIKE understands is looked for as it stands.
        ("?q=%25", &[3]),
        ("?q=_", &[3]),
        ("?q=green+tea", &[1, 6]),
        ("?q=tea&active=true", &[1, 2]),
        ("?active=false", &[4, 6]),
        ("?low_stock=true", &[1, 3, 5, 6]),
        ("?low_stock=false", &[2, 4, 7]),
        ("?low_stock=true&active=false&q=green", &[6]),
        ("?q=nothing", &[]),
        ("?archived=true", &[]),
        ("/low-stock", &[3, 6, 1, 5]),
        ("/low-stock?active=true", &[3, 1, 5]),
        ("/low-stock?sort=-available", &[5, 1, 6, 3]),
        ("/low-stock?sort=name&limit=2", &[3, 1]),
    ] {
        lists(&staff, query, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sort_can_be_paged_in_three_ways() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    stocked(&staff).await;
    for (sort, expected) in [
        ("id", [1, 2, 3, 4, 5, 6, 7]),
        ("name", [2, 3, 1, 6, 7, 4, 5]),
        ("sku", [2, 1, 4, 6, 7, 3, 5]),
        ("price_cents", [7, 2, 6, 4, 1, 3, 5]),
        ("available", [3, 6, 1, 2, 4, 5, 7]),
        ("created_at", [1, 2, 3, 4, 5, 6, 7]),
    ] {
        for descending in [false, true] {
            let word = if descending { format!("-{sort}") } else { sort.to_owned() };
            let mut expected = expected;
            if descending {
                expected.reverse();
            }
            lists(&staff, &format!("?sort={word}"), &expected).await;
            let mut cursor = String::new();
            for (number, chunk) in expected.chunks(3).enumerate() {
                let offset = number * 3;
                lists(&staff, &format!("?sort={word}&limit=3&offset={offset}"), chunk).await;
                lists(&staff, &format!("?sort={word}&limit=3&page={}", number + 1), chunk).await;
                let list = staff.get(&format!("{PRODUCTS}?sort={word}&limit=3{cursor}")).await.expect(200);
                assert_eq!(ids(&list), chunk, "{word} {cursor}");
                assert_eq!(list["limit"], 3);
                assert_eq!(list["offset"], if number == 0 { json!(0) } else { Value::Null });
                cursor = match list["next_cursor"].as_str() {
                    Some(next) => format!("&cursor={next}"),
                    None => String::new(),
                };
                assert_eq!(cursor.is_empty(), number == 2, "{word}: {list}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_what_it_is() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    let list = staff.get(PRODUCTS).await.expect(200);
    assert_eq!(list, json!({"products": [], "limit": 20, "offset": 0, "next_cursor": null}));
    stocked(&staff).await;
    let list = staff.get(&format!("{PRODUCTS}?limit=7")).await.expect(200);
    assert_eq!(list["next_cursor"], Value::Null, "a full page may be the last");
    let list = staff.get(&format!("{PRODUCTS}?limit=2&page=3&q=a")).await.expect(200);
    assert_eq!((&list["limit"], &list["offset"]), (&json!(2), &json!(4)));
    lists(&staff, "?offset=1000000000000", &[]).await;
    lists(&staff, "?limit=100&page=10000000000", &[]).await;
    // Products that are added before the cursor do not shift the pages after it.
    let first = staff.get(&format!("{PRODUCTS}?sort=sku&limit=3")).await.expect(200);
    app.product(&staff, "New", 1, 1).await;
    staff.patch(&format!("{PRODUCTS}/8"), json!({"sku": "A-0"})).await.expect(200);
    let next = first["next_cursor"].as_str().unwrap();
    lists(&staff, &format!("?sort=sku&limit=3&cursor={next}"), &[6, 7, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_wrong_is_refused_by_parameter() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    stocked(&staff).await;
    let next = staff.get(&format!("{PRODUCTS}?sort=name&limit=3")).await.expect(200)["next_cursor"].clone();
    let next = next.as_str().unwrap();
    let long = "x".repeat(101);
    for (query, fields) in [
        ("?limit=0".to_owned(), &["limit"][..]),
        ("?limit=101&offset=-1".to_owned(), &["limit", "offset"]),
        ("?limit=ten".to_owned(), &["limit"]),
        ("?limit=99999999999999999999".to_owned(), &["limit"]),
        ("?limit=".to_owned(), &["limit"]),
        ("?page=0".to_owned(), &["page"]),
        ("?page=1&offset=0".to_owned(), &["page"]),
        ("?page=1&cursor=x".to_owned(), &["cursor"]),
        (format!("?offset=0&sort=name&cursor={next}"), &["cursor"]),
        ("?cursor=x".to_owned(), &["cursor"]),
        (format!("?cursor={next}"), &["cursor"]),
        (format!("?sort=-name&cursor={next}"), &["cursor"]),
        (format!("?sort=name&cursor={}", &next[1..]), &["cursor"]),
        ("?sort=price".to_owned(), &["sort"]),
        ("?sort=ID".to_owned(), &["sort"]),
        ("?sort=--id".to_owned(), &["sort"]),
        ("?sort=id&sort=name".to_owned(), &["sort"]),
        ("?active=yes&low_stock=1&archived=TRUE".to_owned(), &["active", "low_stock", "archived"]),
        (format!("?q={long}"), &["q"]),
        ("?q=".to_owned(), &["q"]),
        ("?q=a%00b".to_owned(), &["q"]),
        ("?q=%ff".to_owned(), &["q"]),
        ("?q=%zz".to_owned(), &["q"]),
        ("?Q=tea".to_owned(), &["Q"]),
    ] {
        staff.get(&format!("{PRODUCTS}{query}")).await.invalid(fields);
    }
    for (query, fields) in [("?q=x", &["q"][..]), ("?low_stock=true", &["low_stock"]), ("?sort=x", &["sort"])]
    {
        staff.get(&format!("{PRODUCTS}/low-stock{query}")).await.invalid(fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_how_many_there_are_if_it_is_asked() {
    let app = TestApp::start().await;
    let staff = app.admin().await;
    stocked(&staff).await;
    for (query, total) in [
        ("?limit=2&include=total", json!(7)),
        ("?limit=2&page=2&include=total&active=false", json!(2)),
        ("?limit=1&include=total&q=tea", json!(3)),
        ("?include=total&low_stock=false", json!(3)),
        ("?include=total&archived=true", json!(0)),
        ("/low-stock?include=total&limit=1", json!(4)),
        ("?limit=2", Value::Null),
        ("/low-stock", Value::Null),
    ] {
        let list = staff.get(&format!("{PRODUCTS}{query}")).await.expect(200);
        assert_eq!(list["total"], total, "{query}");
        assert_eq!(list.as_object().unwrap().contains_key("total"), !total.is_null(), "{query}");
    }
    staff.get(&format!("{PRODUCTS}?include=sum")).await.expect(400);
}
