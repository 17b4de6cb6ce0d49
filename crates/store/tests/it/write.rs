//! The write path: many commands, one transaction.

use crate::shop::{Batch, Shop, act, actor, new_order, new_product, new_user};
use domain::{
    Action, AdjustStock, DeleteProduct, Deleted, Goal, OpenShop, OrderId, ProductId, Rejection, Shortage,
    Status, StockChange, StockLine, UpdateProduct, UpdateUser, UserId,
};
use store::Verdict;
use store::driver::Options;

fn rename(product_id: ProductId, sku: &str) -> UpdateProduct {
    UpdateProduct { sku: Some(sku.to_owned()), ..UpdateProduct::nothing(product_id) }
}

fn adjust(product_id: ProductId, change: StockChange) -> AdjustStock {
    let line = StockLine { product_id, change, reason: Some("because".to_owned()), note: None };
    AdjustStock { lines: vec![line] }
}

#[tokio::test]
async fn commands_of_a_batch_see_one_another() {
    let shop = Shop::new().await;
    let mut batch = Batch::default();
    let ann = batch.add(shop.context(), new_user("Ann"));
    let product = batch.add(shop.context(), new_product("A", 10));
    let orders: Vec<_> =
        (0..4).map(|_| batch.add(shop.context(), new_order(Some(UserId(1)), &[(ProductId(1), 3)]))).collect();
    let cancelled = batch.add(shop.context(), act(OrderId(2), Action::Cancel));
    let late = batch.add(shop.context(), new_order(None, &[(ProductId(1), 4)]));
    let shipped = batch.add(shop.context(), act(OrderId(1), Action::Pay));
    let parcel = batch.add(shop.context(), act(OrderId(1), Action::Ship));
    shop.decide(batch).await;

    assert_eq!(ann.get().unwrap().id, UserId(1));
    assert_eq!(product.get().unwrap().product.id, ProductId(1));
    let placed: Vec<_> = orders.iter().map(|ticket| ticket.get().map(|placed| placed.order.id)).collect();
    let short = Shortage { product_id: ProductId(1), requested: 3, available: 1 };
    let refused = Rejection::InsufficientStock(vec![short]);
    assert_eq!(placed, [Ok(OrderId(1)), Ok(OrderId(2)), Ok(OrderId(3)), Err(refused)]);
    assert_eq!(cancelled.get().unwrap().order.status(), Status::Cancelled);
    assert_eq!(late.get().unwrap().order.id, OrderId(4), "a refusal leaves no gap");
    assert_eq!(shipped.get().unwrap().order.status(), Status::Paid);
    assert_eq!(parcel.get().unwrap().order.status(), Status::Shipped);
    // Of ten, three have left, three and four are held.
    assert_eq!(shop.level(ProductId(1)).await, (7, 7));
    assert_eq!(shop.ints("SELECT id FROM order_items ORDER BY id").await, [1, 2, 3, 4]);
    let lines = "SELECT id FROM stock_movements ORDER BY id";
    assert_eq!(shop.ints(lines).await, (1..=7).collect::<Vec<_>>());
    let events = shop.ints("SELECT id FROM events ORDER BY id").await;
    assert_eq!(events, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let first = shop.store.order(OrderId(1)).await.unwrap().unwrap();
    assert_eq!(first.order.version, 3);
    assert_eq!(first.order.items[0].allocated, 0);
    shop.assert_sound().await;
}

#[tokio::test]
async fn a_large_batch_is_written_at_once() {
    for set_statements in [true, false] {
        write_a_large_batch(Shop::with(Options { set_statements, ..Options::default() }).await).await;
    }
}

async fn write_a_large_batch(shop: Shop) {
    let mut batch = Batch::default();
    for index in 1..=40 {
        batch.add(shop.context(), new_product(&format!("P{index}"), 1000));
    }
    let orders: Vec<_> = (0..500)
        .map(|index| {
            let lines = [(ProductId(index % 40 + 1), 2), (ProductId((index * 7 + 1) % 40 + 1), 3)];
            batch.add(shop.context(), new_order(None, &lines))
        })
        .collect();
    shop.decide(batch).await;
    for (ticket, id) in orders.iter().zip(1..) {
        let order = ticket.get().unwrap().order;
        assert_eq!(order.id, OrderId(id));
        assert_eq!(shop.store.order(order.id).await.unwrap().unwrap().order, order);
    }
    let mut batch = Batch::default();
    for id in 1..=500 {
        batch.add(shop.context(), act(OrderId(id), if id % 2 == 0 { Action::Cancel } else { Action::Pay }));
    }
    shop.decide(batch).await;
    let report = shop.verify().await;
    assert_eq!((report.products, report.orders), (40, 500));
    assert!(report.discrepancies.is_empty(), "{:?}", report.discrepancies);
}

#[tokio::test]
async fn a_refused_command_changes_nothing() {
    let shop = Shop::new().await;
    let product = shop.product("A", 5).await;
    let before = (shop.level(product.id).await, shop.ints("SELECT next FROM counters ORDER BY name").await);
    assert!(shop.run(new_order(None, &[(product.id, 6)])).await.is_err());
    assert!(shop.run(new_order(None, &[(product.id, 1), (ProductId(99), 1)])).await.is_err());
    assert!(shop.run(new_order(Some(UserId(9)), &[(product.id, 1)])).await.is_err());
    let after = (shop.level(product.id).await, shop.ints("SELECT next FROM counters ORDER BY name").await);
    assert_eq!(before, after);
    assert_eq!(shop.place(None, &[(product.id, 5)]).await.id, OrderId(1));
    shop.assert_sound().await;
}

#[tokio::test]
async fn cancelling_gives_back_what_is_held() {
    let shop = Shop::new().await;
    let product = shop.product("A", 10).await;
    let order = shop.place(None, &[(product.id, 4), (product.id, 3)]).await;
    assert_eq!(shop.level(product.id).await, (10, 7));
    shop.run(adjust(product.id, StockChange::Increment(5))).await.unwrap();
    shop.act(order.id, Action::Cancel).await;
    assert_eq!(shop.level(product.id).await, (15, 0));
    shop.act(order.id, Action::Cancel).await;
    assert_eq!(shop.level(product.id).await, (15, 0));
    shop.assert_sound().await;
}

#[tokio::test]
async fn swapped_skus_split_the_batch() {
    let shop = Shop::new().await;
    let (a, b) = (shop.product("A", 1).await.id, shop.product("B", 1).await.id);
    let mut batch = Batch::default();
    let other = batch.add(shop.context(), new_product("C", 1));
    let steps = [rename(a, "T"), rename(b, "A"), rename(a, "B")].map(|step| batch.add(shop.context(), step));
    let last = batch.add(shop.context(), new_order(None, &[(a, 1)]));
    shop.decide(batch).await;
    for step in steps {
        step.get().unwrap();
    }
    assert_eq!(other.get().unwrap().product.id, ProductId(3));
    assert_eq!(last.get().unwrap().order.id, OrderId(1));
    let skus = [shop.store.product(a).await, shop.store.product(b).await];
    assert_eq!(skus.map(|product| product.unwrap().unwrap().product.sku), ["B", "A"]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn what_the_rules_did_not_foresee_is_refused_alone() {
    let shop = Shop::new().await;
    let a = shop.product("A", 5).await.id;
    // A rule that the database alone knows, as a later version's schema might.
    let one_name = format!("CREATE UNIQUE INDEX one_name ON users ({})", shop.place.indexed("full_name"));
    shop.sabotage(&one_name).await;
    let named = |name: &str| domain::CreateUser { full_name: Some("Same".to_owned()), ..new_user(name) };
    let mut batch = Batch::default();
    let placed = batch.add(shop.context(), new_order(None, &[(a, 1)]));
    let first = batch.add(shop.context(), named("one"));
    batch.add(shop.context(), named("two"));
    let third = batch.add(shop.context(), new_user("three"));
    let verdicts = shop.write(&mut batch).await;
    let failed: Vec<_> = verdicts
        .iter()
        .map(|verdict| matches!(verdict, Verdict::Failed(error) if error.duplicate().is_some()))
        .collect();
    assert_eq!(failed, [false, false, true, false], "{verdicts:?}");
    assert!(placed.get().is_ok());
    assert_eq!((first.get().unwrap().id, third.get().unwrap().id), (UserId(1), UserId(2)));
    shop.assert_sound().await;
}

#[tokio::test]
async fn what_cannot_be_stored_or_read_fails_alone() {
    let shop = Shop::new().await;
    let (a, b) = (shop.product("A", 5).await.id, shop.product("B", 5).await.id);
    let order = shop.place(None, &[(b, 1)]).await.id;
    shop.sabotage("UPDATE orders SET state = 'lost' WHERE id = 1").await;
    let mut batch = Batch::default();
    batch.add(shop.context(), new_product("nul\0", 1));
    let placed = batch.add(shop.context(), new_order(None, &[(a, 1)]));
    batch.add(shop.context(), act(order, Action::Cancel));
    let made = batch.add(shop.context(), new_product("C", 1));
    let verdicts = shop.write(&mut batch).await;
    let failed: Vec<_> = verdicts.iter().map(|verdict| matches!(verdict, Verdict::Failed(_))).collect();
    assert_eq!(failed, [true, false, true, false], "{verdicts:?}");
    assert_eq!(placed.get().unwrap().order.id, OrderId(2));
    assert_eq!(made.get().unwrap().product.id, ProductId(3));
}

#[tokio::test]
async fn a_product_may_come_and_go_within_a_batch() {
    let shop = Shop::new().await;
    let mut batch = Batch::default();
    batch.add(shop.context(), new_product("A", 5));
    let gone = batch.add(shop.context(), DeleteProduct { product_id: ProductId(1), if_version: None });
    let again = batch.add(shop.context(), new_product("A", 6));
    shop.decide(batch).await;
    assert_eq!(gone.get().unwrap(), Deleted::Erased);
    assert_eq!(again.get().unwrap().product.id, ProductId(2));
    assert!(shop.store.product(ProductId(1)).await.unwrap().is_none());
    let ledger =
        shop.ints("SELECT on_hand_delta FROM stock_movements WHERE product_id = 1 ORDER BY id").await;
    assert_eq!(ledger, [5, -5]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn deleting_erases_or_archives_and_frees_the_sku() {
    let shop = Shop::new().await;
    let (a, b) = (shop.product("A", 5).await.id, shop.product("B", 5).await.id);
    let mut batch = Batch::default();
    batch.add(shop.context(), new_order(None, &[(b, 1)]));
    let erased = batch.add(shop.context(), DeleteProduct { product_id: a, if_version: None });
    let archived = batch.add(shop.context(), DeleteProduct { product_id: b, if_version: None });
    let reuse = batch.add(shop.context(), new_product("A", 1));
    let taken = batch.add(shop.context(), new_product("B", 1));
    shop.decide(batch).await;
    assert_eq!(erased.get().unwrap(), Deleted::Erased);
    assert!(matches!(archived.get().unwrap(), Deleted::Archived(_)));
    assert_eq!(reuse.get().unwrap().product.id, ProductId(3));
    assert_eq!(taken.get().unwrap_err(), Rejection::SkuTaken("B".to_owned()));
    assert!(shop.store.product(a).await.unwrap().is_none());
    assert!(shop.store.product(b).await.unwrap().unwrap().product.archived_at_us.is_some());
    shop.assert_sound().await;
}

#[tokio::test]
async fn the_currency_is_kept() {
    let shop = Shop::new().await;
    let open = |currency: &str| OpenShop { currency: currency.to_owned() };
    shop.run(open("EUR")).await.unwrap();
    shop.run(open("EUR")).await.unwrap();
    let shop = shop.reopened().await;
    assert_eq!(
        shop.run(open("USD")).await.unwrap_err(),
        Rejection::CurrencyMismatch { shop: "EUR".to_owned() }
    );
}

#[tokio::test]
async fn everything_survives_reopening() {
    let shop = Shop::new().await;
    let ann = shop.user("Ann").await;
    let product = shop.product("A", 10).await;
    let order = shop.place(Some(ann.id), &[(product.id, 2)]).await;
    let shop = shop.reopened().await;
    assert_eq!(shop.store.user(ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(shop.store.product(product.id).await.unwrap().unwrap().product, product);
    assert_eq!(shop.store.order(order.id).await.unwrap().unwrap().order, order);
    assert_eq!(shop.place(Some(ann.id), &[(product.id, 8)]).await.id, OrderId(2));
    assert_eq!(shop.level(product.id).await, (10, 10));
    shop.assert_sound().await;
}

#[tokio::test]
async fn users_are_updated_and_addresses_change_hands() {
    let shop = Shop::new().await;
    let (ann, bob) = (shop.user("Ann").await, shop.user("Bob").await);
    let email = |user_id, email: Option<&str>| UpdateUser {
        user_id,
        if_version: None,
        email: Some(email.map(str::to_owned)),
        full_name: None,
        role: None,
        is_active: None,
    };
    let mut batch = Batch::default();
    batch.add(shop.context_of(actor(&ann)), email(ann.id, None));
    let taken = batch.add(shop.context_of(actor(&bob)), email(bob.id, Some("ann@example.com")));
    let back = batch.add(shop.context_of(actor(&ann)), email(ann.id, Some("ann@example.com")));
    shop.decide(batch).await;
    assert_eq!(taken.get().unwrap().email.as_deref(), Some("ann@example.com"));
    assert_eq!(back.get().unwrap_err(), Rejection::EmailTaken("ann@example.com".to_owned()));
    assert_eq!(shop.store.user(ann.id).await.unwrap().unwrap().email, None);
    assert_eq!(shop.store.user_by_login("Ann@Example.com").await.unwrap().unwrap().id, bob.id);
}

#[tokio::test]
async fn an_order_goes_its_way_over_many_batches() {
    let shop = Shop::new().await;
    let product = shop.product("A", 3).await;
    let order = shop.place(None, &[(product.id, 2)]).await;
    for (action, status) in [
        (Action::Confirm, Status::Confirmed),
        (Action::Ship, Status::Shipped),
        (Action::Pay, Status::Shipped),
        (Action::Deliver, Status::Delivered),
    ] {
        let written = shop.act(order.id, action).await;
        assert_eq!(written.status(), status);
        assert_eq!(shop.store.order(order.id).await.unwrap().unwrap().order, written);
    }
    let back = domain::ChangeOrder {
        order_id: order.id,
        goal: Goal::Reach(Status::Paid),
        if_version: None,
        customs: domain::Customs::default(),
    };
    assert!(shop.run(back).await.is_err());
    assert_eq!(shop.level(product.id).await, (1, 0));
    let kinds: Vec<_> =
        shop.store.timeline(order.id).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["order_placed", "order_confirmed", "order_shipped", "order_paid", "order_delivered"]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn a_damaged_file_is_not_written_to() {
    let shop = Shop::new().await;
    let product = shop.product("A", 3).await;
    for (damage, repair) in [
        ("DELETE FROM counters WHERE name = 'order'", "INSERT INTO counters VALUES ('order', 1)"),
        (
            "DELETE FROM stock_levels WHERE product_id = 1",
            "INSERT INTO stock_levels (product_id, location_id, on_hand, allocated, version) VALUES (1, 1, 3, 0, 1)",
        ),
    ] {
        shop.sabotage(damage).await;
        let mut batch = Batch::default();
        batch.add(shop.context(), adjust(product.id, StockChange::Increment(1)));
        let verdicts = shop.write(&mut batch).await;
        assert!(matches!(verdicts[..], [Verdict::Failed(_)]), "{damage}: {verdicts:?}");
        shop.sabotage(repair).await;
        shop.assert_sound().await;
    }
}
