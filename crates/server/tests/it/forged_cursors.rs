//! Cursors that no server gave out, though their checksum is right.

use server::wire::paging::{ByNumber, Cursor, Key};

use crate::harness::TestApp;

const NUMBERS: &str = "price_cents -price_cents available -available created_at -created_at id -id";

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_the_wrong_kind_are_refused_by_every_list() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.product(&root, "Apple", 100, 1).await;
    let mut lists = Vec::new();
    for path in ["/products?sort=", "/products/low-stock?sort="] {
        lists.extend(NUMBERS.split(' ').map(|word| (format!("{path}{word}&"), word, true)));
        lists.extend(["name", "-name", "sku", "-sku"].map(|word| (format!("{path}{word}&"), word, false)));
    }
    for word in ["id", "-id", "created_at", "-created_at", "total_amount_cents", "-total_amount_cents"] {
        lists.push((format!("/orders?sort={word}&"), word, true));
    }
    lists.push(("/products?".to_owned(), "id", true));
    lists.push(("/products/low-stock?".to_owned(), "available", true));
    lists.push(("/orders?".to_owned(), "-id", true));
    lists.push(("/users?".to_owned(), "id", true));
    lists.push(("/products/1/stock/movements?".to_owned(), "-id", true));
    for (list, word, numbers) in lists {
        let (number, text) = (Key::Int(i64::MIN), Key::Text("9\u{7f}'\"".to_owned()));
        let (right, wrong) = if numbers { (number, text) } else { (text, number) };
        for (key, good) in [(right, true), (wrong, false)] {
            for id in [i64::MIN, 0, i64::MAX] {
                let cursor = Cursor { key: key.clone(), id }.encode(&ByNumber(word));
                let answer = root.get(&format!("/api/v1{list}cursor={cursor}")).await;
                if good {
                    answer.expect(200);
                } else {
                    answer.invalid(&["cursor"]);
                }
            }
        }
    }
    // Events go by number alone.
    root.get("/api/v1/events?cursor=x").await.invalid(&["cursor"]);
    for after in ["x", "-1", "9223372036854775808", ""] {
        root.get(&format!("/api/v1/events?after={after}")).await.invalid(&["after"]);
    }
    root.get("/api/v1/events?after=9223372036854775807").await.expect(200);
}
