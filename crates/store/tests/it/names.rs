//! Names that must be a product's own, and counts beside an edit: what the rules say of them, kept by a database.

use crate::shop::{Batch, Shop, new_product};
use domain::{CreateProduct, DeleteProduct, Product, ProductId, Rejection, RestoreProduct, UpdateProduct};
use std::time::Duration;
use store::{Store, Verdict};
use tokio::time::Instant;

/// A product of this name, whatever others are called.
fn called(sku: &str, name: &str) -> CreateProduct {
    CreateProduct { name: name.to_owned(), ..new_product(sku, 0) }
}

/// A product that wants the name for itself.
fn only(sku: &str, name: &str) -> CreateProduct {
    CreateProduct { unique_name: true, ..called(sku, name) }
}

fn delete(product_id: ProductId) -> DeleteProduct {
    DeleteProduct { product_id, if_version: None }
}

/// An edit that changes nothing yet.
fn edit(product_id: ProductId) -> UpdateProduct {
    UpdateProduct::nothing(product_id)
}

fn rename(product_id: ProductId, name: &str) -> UpdateProduct {
    UpdateProduct { name: Some(name.to_owned()), ..edit(product_id) }
}

fn taken<T>(name: &str) -> Result<T, Rejection> {
    Err(Rejection::NameTaken(name.to_owned()))
}

async fn add(shop: &Shop, command: CreateProduct) -> Result<Product, Rejection> {
    shop.run(command).await.map(|made| made.product)
}

#[tokio::test]
async fn names_are_compared_code_point_by_code_point() {
    let shop = Shop::new().await;
    let long = "é🍏".repeat(100);
    // The last two differ behind all that an index may hold of them.
    let names = [
        "Gala",
        "gala",
        "Gala ",
        " Gala",
        "Gála",
        "Ga\u{301}la",
        "Ｇala",
        "龍",
        "竜",
        "'; --",
        "a\\",
        "{b}?",
        "%",
        "_",
        "",
        &long,
        &format!("{long}1"),
        &format!("{long}2"),
    ]
    .map(str::to_owned);
    for (index, name) in names.iter().enumerate() {
        add(&shop, only(&format!("A{index}"), name)).await.unwrap();
    }
    for name in &names {
        assert_eq!(add(&shop, only("B", name)).await, taken(name), "{name:?}");
    }
    // All at once, among names that nobody has.
    let mut batch = Batch::default();
    let mut tickets = Vec::new();
    for (index, name) in names.iter().enumerate() {
        tickets.push((batch.add(shop.context(), only(&format!("B{index}"), name)), Some(name)));
        tickets.push((batch.add(shop.context(), only(&format!("C{index}"), &format!("c{index}"))), None));
    }
    shop.decide(batch).await;
    for (ticket, name) in tickets {
        let refused = ticket.get().err();
        assert_eq!(refused, name.map(|name| Rejection::NameTaken(name.clone())));
    }
    // Who does not ask may be called like others.
    add(&shop, called("D", "Gala")).await.unwrap();
    shop.assert_sound().await;
}

#[tokio::test]
async fn a_name_is_free_when_the_last_product_of_it_has_left_the_catalogue() {
    let shop = Shop::new().await;
    let one = add(&shop, only("A", "Gala")).await.unwrap().id;
    let other = add(&shop, called("B", "Gala")).await.unwrap().id;
    shop.run(rename(one, "Elstar")).await.unwrap();
    assert_eq!(add(&shop, only("C", "Gala")).await, taken("Gala"));
    // Referred to by an order, so it is archived and not erased.
    shop.run(UpdateProduct { available: Some(5), ..edit(other) }).await.unwrap();
    shop.place(None, &[(other, 1)]).await;
    shop.run(delete(other)).await.unwrap();
    let third = add(&shop, only("C", "Gala")).await.unwrap().id;
    // Two of a name again: what comes back does not ask.
    shop.run(RestoreProduct { product_id: other, if_version: None }).await.unwrap();
    shop.run(delete(third)).await.unwrap();
    assert_eq!(add(&shop, only("D", "Gala")).await, taken("Gala"));
    let shop = shop.reopened().await;
    assert_eq!(add(&shop, only("D", "Elstar")).await, taken("Elstar"));
    shop.run(delete(one)).await.unwrap();
    add(&shop, only("D", "Elstar")).await.unwrap();
    shop.assert_sound().await;
}

#[tokio::test]
async fn names_change_hands_within_a_batch() {
    let shop = Shop::new().await;
    let pear = add(&shop, called("P", "pear")).await.unwrap().id;
    let mut batch = Batch::default();
    let mut expect = Vec::new();
    let mut ask = |batch: &mut Batch, name: &str, is_free: bool| {
        let sku = format!("N{}", expect.len());
        expect.push((batch.add(shop.context(), only(&sku, name)), name.to_owned(), is_free));
    };
    ask(&mut batch, "pear", false);
    batch.add(shop.context(), rename(pear, "apple"));
    ask(&mut batch, "apple", false);
    ask(&mut batch, "pear", true);
    ask(&mut batch, "pear", false);
    batch.add(shop.context(), delete(ProductId(2)));
    ask(&mut batch, "pear", true);
    batch.add(shop.context(), delete(pear));
    ask(&mut batch, "apple", true);
    shop.decide(batch).await;
    for (ticket, name, is_free) in expect {
        assert_eq!(ticket.get().err(), (!is_free).then_some(Rejection::NameTaken(name)));
    }
    let mut left: Vec<_> = shop
        .query("SELECT name FROM products ORDER BY id")
        .await
        .into_iter()
        .map(|mut row| row.text(0).unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["apple", "pear"]);
    shop.assert_sound().await;
}

/// The lock that batches take in turns covers what is not there yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_one_gets_the_name() {
    let shop = Shop::new().await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let servers: Vec<_> = (0..4)
        .map(|server| {
            let store = Store::new(shop.database.clone());
            let contexts: Vec<_> = (0..20).map(|_| shop.context()).collect();
            tokio::spawn(async move {
                let mut won = 0;
                for (turn, context) in contexts.into_iter().enumerate() {
                    let mut batch = Batch::default();
                    let sku = format!("S{server}-{turn}");
                    let ticket = batch.add(context, only(&sku, &format!("name {turn}")));
                    let verdicts = store.write(&mut batch.jobs, |_| (), deadline).await.verdicts;
                    assert!(matches!(verdicts[..], [Verdict::Decided]), "{verdicts:?}");
                    won += usize::from(ticket.get().is_ok());
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for server in servers {
        won += server.await.unwrap();
    }
    assert_eq!(won, 20);
    assert_eq!(shop.ints("SELECT COUNT(DISTINCT name) FROM products").await, [20]);
    assert_eq!(shop.ints("SELECT COUNT(*) FROM products").await, [20]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn names_are_known_to_those_who_come_late() {
    let shop = Shop::new().await;
    add(&shop, called("A", "apple")).await.unwrap();
    let (mut batch, mut late) = (Batch::default(), Batch::default());
    let first = batch.add(shop.context(), only("B", "pear"));
    let tickets =
        ["apple", "pear", "fig"].map(|name| late.add(shop.context(), only(&format!("L-{name}"), name)));
    let join = |jobs: &mut Vec<_>| jobs.append(&mut late.jobs);
    let another = Store::new(shop.database.clone());
    let deadline = Instant::now() + Duration::from_secs(20);
    assert_eq!(another.write(&mut batch.jobs, join, deadline).await.verdicts.len(), 4);
    first.get().unwrap();
    let refused = tickets.map(|ticket| ticket.get().err().map(|rejection| rejection.code()));
    assert_eq!(refused, [Some("NAME_TAKEN"), Some("NAME_TAKEN"), None]);
}

#[tokio::test]
async fn an_edit_may_count() {
    let shop = Shop::new().await;
    let made = CreateProduct { auto_deactivate: true, ..new_product("A", 10) };
    let id = add(&shop, made).await.unwrap().id;
    shop.place(None, &[(id, 4)]).await;
    let command = UpdateProduct { price_cents: Some(7), available: Some(9), ..edit(id) };
    let shown = shop.run(command).await.unwrap();
    assert_eq!(shop.store.product(id).await.unwrap().unwrap(), shown);
    assert_eq!((shop.level(id).await, shown.product.version), ((13, 4), 2));
    // The edit puts it on sale, and the last piece takes it off: two versions, one row.
    let command = UpdateProduct { name: Some("B".to_owned()), available: Some(0), ..edit(id) };
    let shown = shop.run(command).await.unwrap();
    assert_eq!(shop.store.product(id).await.unwrap().unwrap(), shown);
    assert_eq!((shop.level(id).await, shown.product.version), ((4, 4), 4));
    assert!(!shown.product.is_active && shown.product.name == "B");
    let kinds = "SELECT COUNT(*) FROM stock_movements WHERE kind = 'counted'";
    assert_eq!(shop.ints(kinds).await, [2]);
    shop.assert_sound().await;
}
