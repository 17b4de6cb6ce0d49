//! Rows that are written into statements, as for servers without `JSON_TABLE`. Others take them as well.

use super::one;
use crate::place::Place;
use crate::shop::{Batch, Shop, act, new_order, new_product, new_user};
use crate::toys::{Fixture, TOY_KEYS, TOY_NUMBERS, TOYS, rows, toy};
use domain::{Action, CreateProduct, DeleteProduct};
use store::driver::{Cell, Options, Rows, Sets, Transaction, Value};
use store::{StoreError, Verdict};

/// A database that is reached through literals.
async fn place() -> Place {
    let place = Place::mysql().await;
    if place.url().contains("row-source=") { place } else { place.with_parameter("row-source=literals") }
}

async fn toys() -> Fixture {
    Fixture::at(place().await, Options::default()).await
}

async fn found(transaction: &mut Transaction, sql: &'static str, rows: &Rows) -> Vec<Vec<Value>> {
    let found = transaction.query(sql, &[rows.to_value().unwrap()]).await.unwrap();
    found.iter().map(|row| row.values().to_vec()).collect()
}

#[tokio::test]
async fn a_shop_runs_on_literals() {
    let place = place().await;
    let shop = Shop::open(place, Options::default()).await;
    let mut batch = Batch::default();
    let user = batch.add(shop.context(), new_user("Ann"));
    let products: Vec<_> =
        ["it's", "\\", "a?{b}"].map(|sku| batch.add(shop.context(), new_product(sku, 10))).into();
    let verdicts = shop.write(&mut batch).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Decided)), "{verdicts:?}");
    let user = user.get().unwrap();
    let products: Vec<_> = products.into_iter().map(|ticket| ticket.get().unwrap().product).collect();
    assert_eq!(shop.run(new_product("a?{b}", 1)).await.unwrap_err().code(), "SKU_TAKEN");
    for sku in ["it's", "\\", "a?{b}"] {
        let named = CreateProduct { sku: None, unique_name: true, ..new_product(sku, 1) };
        assert_eq!(shop.run(named).await.unwrap_err().code(), "NAME_TAKEN");
    }

    let mut batch = Batch::default();
    let lines = [(products[0].id, 4), (products[1].id, 1)];
    let placed = [Some(user.id), None].map(|user| batch.add(shop.context(), new_order(user, &lines)));
    let refused = batch.add(shop.context(), new_order(None, &lines));
    shop.decide(batch).await;
    let placed = placed.map(|ticket| ticket.get().unwrap().order);
    assert!(refused.get().is_err(), "there are two left, not four");
    assert_eq!((shop.level(products[0].id).await, shop.level(products[1].id).await), ((10, 8), (10, 2)));

    let mut batch = Batch::default();
    let cancelled = batch.add(shop.context(), act(placed[0].id, Action::Cancel));
    let erased = batch.add(shop.context(), DeleteProduct { product_id: products[2].id, if_version: None });
    shop.decide(batch).await;
    cancelled.get().unwrap();
    erased.get().unwrap();
    assert_eq!(shop.level(products[0].id).await, (10, 4));
    assert!(shop.store.product(products[2].id).await.unwrap().is_none());
    let order = shop.store.order(placed[1].id).await.unwrap().unwrap();
    assert_eq!((order.order.id, order.order.items.len()), (placed[1].id, 2));
    shop.assert_sound().await;
}

#[tokio::test]
async fn values_arrive_as_they_were_sent() {
    let toys = toys().await;
    let mut transaction = toys.database.begin().await.unwrap();
    const ALL: &str = "SELECT r.a, r.b FROM {rows:a int, b text} r";
    // The type of a column does not depend on what happens to come first.
    let all = [
        [Cell::Null, Cell::Null],
        [i64::MIN.into(), "".into()],
        [i64::MAX.into(), "123".into()],
        [0.into(), Cell::Null],
        [Cell::Null, "\u{1}\u{10ffff}".into()],
    ];
    for first in 0..all.len() {
        let mut all = all;
        all.rotate_left(first);
        let expected: Vec<_> = all.iter().map(|row| row.map(value).to_vec()).collect();
        // In any order.
        let read = found(&mut transaction, ALL, &rows(all)).await;
        assert!(read.len() == 5 && expected.iter().all(|row| read.contains(row)), "{read:?}");
        assert_eq!(found(&mut transaction, ALL, &rows([all[0]])).await, expected[..1]);
    }
    assert!(found(&mut transaction, ALL, &Rows::new()).await.is_empty());
    // Where texts get no type from a column either, they compare by their characters.
    const SAME: &str = "SELECT COUNT(*) FROM {rows:a int, b text} r WHERE r.b = 'a'";
    let words = ["a", "A", "a ", "\u{e1}", "a\t"];
    let mut asked = Rows::new();
    words.iter().for_each(|word| asked.push([1.into(), (*word).into()]));
    assert_eq!(found(&mut transaction, SAME, &asked).await, [[1.into()]]);

    // Those of a table by theirs, whatever they are and however long.
    let all: String = ('\u{1}'..=char::MAX).collect();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, &all, 1), toy(2, 2, "", 1)])).await.unwrap();
    const JOIN: &str = "SELECT t.a FROM toys t WHERE t.name IN (SELECT r.b FROM {rows:a int, b text} r)";
    assert_eq!(found(&mut transaction, JOIN, &rows([[0.into(), all.as_str().into()]])).await, [[1.into()]]);
    assert_eq!(found(&mut transaction, JOIN, &rows([[0.into(), "".into()]])).await, [[2.into()]]);
    let none = rows([[0.into(), Cell::Null], [0.into(), " ".into()], [0.into(), all[1..].into()]]);
    assert!(found(&mut transaction, JOIN, &none).await.is_empty());
    let nul = [Value::from(r#"[[1,"\u0000"]]"#)];
    let error = transaction.query(ALL, &nul).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(value) => value.into(),
        Cell::Text(text) => text.into(),
    }
}

/// More than there may be parameters, and than a batch or a portion of a copy has.
#[tokio::test]
async fn many_rows_are_one_statement() {
    const MANY: i64 = 20_000;
    const CHANGED: i64 = 3_000;
    let toys = toys().await;
    let mut transaction = toys.database.begin().await.unwrap();
    let (mut all, mut changed, mut gone) = (Rows::new(), Rows::new(), Rows::new());
    for a in 0..MANY {
        all.push(toy(a, a, "x", 1));
    }
    for a in 0..CHANGED {
        changed.push([a.into(), a.into(), 2.into()]);
        gone.push([(MANY - a).into(), (MANY - a).into()]);
    }
    let mut sets = Sets::new();
    sets.insert(&TOYS, all.clone());
    sets.update(&TOY_NUMBERS, changed);
    sets.delete(&TOY_KEYS, gone);
    transaction.write(&sets).await.unwrap();
    transaction.upsert_rows(&TOYS, &rows([toy(0, 0, "y", 3), toy(-1, 0, "y", 3)])).await.unwrap();
    transaction.commit().await.unwrap();
    const SUM: &str = "SELECT SUM(n) FROM toys";
    assert_eq!(one(&toys.database, SUM, &[]).await, MANY + CHANGED - (CHANGED - 1) + (3 - 2) + 3);
}
