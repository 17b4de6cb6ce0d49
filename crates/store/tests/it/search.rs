//! What is kept for searches and counts follows each change of a product, and is made up for where it is missing.

use crate::random_shop::random_shop;
use crate::shop::{Batch, Shop, new_product};
use domain::{
    CreateProduct, DeleteProduct, Product, ProductId, RestoreProduct, ToggleProduct, UpdateProduct,
};
use store::driver::Database;
use store::{Page, ProductQuery, Start, UserQuery};

fn called(sku: &str, name: &str) -> CreateProduct {
    CreateProduct { name: name.to_owned(), ..new_product(sku, 5) }
}

fn rename(product: &Product, sku: &str, name: &str) -> UpdateProduct {
    UpdateProduct {
        product_id: product.id,
        if_version: None,
        sku: Some(sku.to_owned()),
        name: Some(name.to_owned()),
        description: None,
        price_cents: None,
        is_active: None,
        low_stock_threshold: None,
        auto_deactivate: None,
        available: None,
    }
}

const PAGE: Page = Page { limit: 100, start: Start::Offset(0) };

/// The products that a search finds, by id.
async fn found(shop: &Shop, text: &str) -> Vec<i64> {
    let query = ProductQuery { text: Some(text.to_owned()), ..ProductQuery::catalogue(PAGE) };
    let found = shop.store.counted_products(&query).await.unwrap();
    let ids: Vec<_> = found.listing.rows.iter().map(|row| row.product.id.0).collect();
    assert_eq!(i64::try_from(ids.len()).unwrap(), found.total, "{text}");
    ids
}

/// The grams of a product.
async fn grams(shop: &Shop, id: ProductId) -> Vec<String> {
    let sql = format!("SELECT gram FROM product_grams WHERE product_id = {} ORDER BY gram", id.0);
    shop.query(&sql).await.into_iter().map(|mut row| row.text(0).unwrap()).collect()
}

async fn counts(shop: &Shop) -> Vec<i64> {
    shop.ints("SELECT products FROM product_counts ORDER BY shelf").await
}

#[tokio::test]
async fn a_product_is_found_by_any_spelling_of_any_part_of_its_name() {
    let shop = Shop::new().await;
    for (sku, name) in [
        ("CAF-01", "Café crème"),
        ("TEE-02", "Thé vert, 50% Ｍｅｈｒ"),
        ("K_3", "Ёлка зелёная"),
        ("J-4", "日本茶セット"),
        ("G-5", "Ο ΔΡΟΜΟΣ"),
    ] {
        shop.run(called(sku, name)).await.unwrap();
    }
    for (text, expected) in [
        ("café", &[1][..]),
        ("CAFE", &[1]),
        ("cafe\u{301} CRE", &[1]),
        ("af-", &[1]),
        ("THE", &[2]),
        ("thé", &[2]),
        ("mehr", &[2]),
        ("50%", &[2]),
        ("5%", &[]),
        ("k_3", &[3]),
        ("елка", &[3]),
        ("ЗЕЛЕНАЯ", &[3]),
        ("日本茶", &[4]),
        ("本茶", &[4]),
        ("茶", &[4]),
        ("δρομος", &[5]),
        ("δρόμοσ", &[5]),
        ("e", &[1, 2]),
        ("cafe vert", &[]),
        ("crème caf", &[]),
        ("xyz", &[]),
        ("", &[1, 2, 3, 4, 5]),
    ] {
        assert_eq!(found(&shop, text).await, expected, "{text}");
    }
    shop.assert_sound().await;
}

#[tokio::test]
async fn users_are_found_alike() {
    let shop = Shop::new().await;
    let named =
        domain::CreateUser { full_name: Some("Zoë Müller".to_owned()), ..crate::shop::new_user("zm") };
    shop.run(named).await.unwrap();
    shop.user("other").await;
    for text in ["zoe", "ZOË MU", "müll", "ZM@EXAMPLE"] {
        let query = UserQuery { text: Some(text.to_owned()), role: None, active: None, page: PAGE };
        assert_eq!(shop.store.users(&query).await.unwrap().rows.len(), 1, "{text}");
    }
}

#[tokio::test]
async fn grams_and_counts_follow_each_change() {
    let shop = Shop::new().await;
    let product = shop.run(called("A-1", "Pear")).await.unwrap().product;
    assert_eq!(grams(&shop, product.id).await, ["a-1", "ear", "pea"]);
    assert_eq!(counts(&shop).await, [1, 0, 0, 0]);
    shop.run(rename(&product, "A-12", "Pearl")).await.unwrap();
    assert_eq!(grams(&shop, product.id).await, ["-12", "a-1", "arl", "ear", "pea"]);
    shop.run(rename(&product, "A", "pEAr")).await.unwrap();
    assert_eq!(grams(&shop, product.id).await, ["ear", "pea"]);
    // Several times in one batch, there and back; and one that never was.
    let mut batch = Batch::default();
    batch.add(shop.context(), rename(&product, "A", "Fig tree"));
    batch.add(shop.context(), rename(&product, "A", "Pear"));
    batch.add(shop.context(), rename(&product, "A", "Peas"));
    batch.add(shop.context(), called("B", "Apple"));
    batch.add(shop.context(), DeleteProduct { product_id: ProductId(2), if_version: None });
    batch.add(shop.context(), called("C", "Plum"));
    batch.add(shop.context(), ToggleProduct { product_id: ProductId(3), if_version: None });
    shop.decide(batch).await;
    assert_eq!(grams(&shop, product.id).await, ["eas", "pea"]);
    assert_eq!(grams(&shop, ProductId(2)).await, [""; 0]);
    assert_eq!(counts(&shop).await, [1, 1, 0, 0]);
    shop.place(None, &[(product.id, 1)]).await;
    shop.run(DeleteProduct { product_id: product.id, if_version: None }).await.unwrap();
    assert_eq!(counts(&shop).await.iter().sum::<i64>(), 2);
    shop.assert_sound().await;
    shop.run(RestoreProduct { product_id: product.id, if_version: None }).await.unwrap();
    shop.run(DeleteProduct { product_id: ProductId(3), if_version: None }).await.unwrap();
    assert_eq!(counts(&shop).await.iter().sum::<i64>(), 1);
    assert_eq!(shop.ints("SELECT COUNT(*) FROM product_grams").await, [2]);
    shop.assert_sound().await;
}

/// As an older version leaves a shop, or a step that was killed half-way.
async fn forget_searches(database: &Database, mark: Option<&str>) {
    let mut transaction = database.begin().await.unwrap();
    for sql in [
        "DELETE FROM product_grams WHERE product_id > 10",
        "UPDATE products SET search_text = 'x' WHERE id > 10",
        "UPDATE users SET search_text = 'y' WHERE id > 2",
        "DELETE FROM meta WHERE name = 'search_fold'",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    if let Some(mark) = mark {
        let sql = "INSERT INTO meta (name, value) VALUES ('search_fold', ?)";
        transaction.execute(sql, &[mark.into()]).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn what_an_older_version_left_is_made_up_for() {
    let (shop, _) = random_shop().await;
    for mark in [None, Some("1 users 2"), Some("another version")] {
        forget_searches(&shop.database, mark).await;
        assert!(!shop.verify().await.discrepancies.is_empty());
        assert_eq!(shop.database.missing_migrations().await.unwrap(), 1);
        assert!(shop.database.migrate(5).await.unwrap().is_empty());
        assert_eq!(shop.database.missing_migrations().await.unwrap(), 0);
        shop.assert_sound().await;
    }
    // From where the step was killed, and no earlier.
    forget_searches(&shop.database, Some("1 products 11")).await;
    shop.database.migrate(5).await.unwrap();
    let found = shop.verify().await.discrepancies;
    assert!(found.iter().any(|one| one.check == "product_search" && one.finding.contains("product 11 ")));
    assert!(found.iter().all(|one| one.check == "user_search" || one.finding.contains("product 11 ")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_make_up_together() {
    let (shop, _) = random_shop().await;
    forget_searches(&shop.database, None).await;
    let servers: Vec<_> = (0..4)
        .map(|now_us| {
            let database = shop.database.clone();
            tokio::spawn(async move { database.migrate(now_us).await.unwrap() })
        })
        .collect();
    for server in servers {
        server.await.unwrap();
    }
    shop.assert_sound().await;
}
