//! Damage is found and named; what is sound is left alone.

use crate::shop::{Shop, new_order};
use domain::{Action, AllocateAt, DeleteProduct, OrderId, PlaceOrder};
use store::driver::Options;

/// One order of each kind over three products, and an erased product.
async fn shop() -> Shop {
    let shop = Shop::new().await;
    let ann = shop.user("Ann").await.id;
    let (a, b) = (shop.product("A", 50).await.id, shop.product("B", 50).await.id);
    let erased = shop.product("C", 5).await.id;
    shop.run(DeleteProduct { product_id: erased, if_version: None }).await.unwrap();
    shop.product("D", 0).await;
    for actions in [
        &[][..],
        &[Action::Confirm],
        &[Action::Pay, Action::Ship],
        &[Action::Ship, Action::Deliver],
        &[Action::Pay, Action::Ship, Action::Deliver],
        &[Action::Cancel],
        &[Action::Pay, Action::Cancel],
    ] {
        let order = shop.place(Some(ann), &[(a, 2), (b, 1)]).await;
        for action in actions {
            // Two of the ways begin with a parcel, which a pending order may not be.
            if *action == Action::Ship {
                shop.act(order.id, Action::Confirm).await;
            }
            shop.act(order.id, *action).await;
        }
    }
    let later = || PlaceOrder { allocate_at: AllocateAt::Confirmation, ..new_order(Some(ann), &[(a, 2)]) };
    shop.run(later()).await.unwrap();
    let confirmed = shop.run(later()).await.unwrap().order.id;
    shop.act(confirmed, Action::Confirm).await;
    shop
}

#[tokio::test]
async fn a_sound_shop_is_clean() {
    let shop = Shop::new().await;
    shop.assert_sound().await;
    let shop = self::shop().await;
    let report = shop.verify().await;
    assert!(report.discrepancies.is_empty(), "{:#?}", report.discrepancies);
    assert_eq!((report.products, report.orders), (3, 9));
    assert_eq!(vec![report.movements], shop.ints("SELECT COUNT(*) FROM stock_movements").await);
}

/// What is done to the file, and the check and the words that name it.
const DAMAGES: &[(&str, &str, &str)] = &[
    ("UPDATE stock_levels SET on_hand = on_hand + 1 WHERE product_id = 1", "ledger_sum", "product 1 has 4"),
    (
        "UPDATE stock_movements SET on_hand_delta = 7 WHERE product_id = 2 AND id = 2",
        "ledger_sum",
        "product 2",
    ),
    (
        "DELETE FROM stock_movements WHERE product_id = 3 AND on_hand_delta > 0",
        "ledger_sum",
        "product 3 has 0",
    ),
    ("DELETE FROM stock_levels WHERE product_id = 2", "ledger_sum", "product 2 has 0"),
    ("UPDATE stock_movements SET allocated_after = 9 WHERE id = 2", "ledger_chain", "line 2"),
    ("UPDATE stock_movements SET id = 5 WHERE product_id = 2 AND id = 2", "movement_numbers", "number 5"),
    ("UPDATE stock_levels SET allocated = -1 WHERE product_id = 4", "level_range", "product 4"),
    ("UPDATE stock_levels SET allocated = 1 WHERE product_id = 4", "level_range", "product 4"),
    ("DELETE FROM stock_levels WHERE product_id = 4", "level_presence", "product 4 has no"),
    (
        "INSERT INTO stock_levels (product_id, location_id, on_hand, allocated, version) VALUES (9, 1, 0, 0, 0)",
        "level_presence",
        "product 9, but no",
    ),
    (
        "UPDATE order_items SET allocated = 1 WHERE order_id = 1 AND product_id = 1",
        "allocation_sum",
        "product 1",
    ),
    ("UPDATE order_items SET allocated = 0 WHERE order_id = 2", "item_allocation", "order 2 holds 0"),
    ("UPDATE order_items SET allocated = 1 WHERE order_id = 6", "item_allocation", "order 6 holds 1"),
    ("UPDATE order_items SET allocated = 1 WHERE order_id = 3", "item_allocation", "order 3 holds 1"),
    ("UPDATE order_items SET allocated = 2 WHERE order_id = 8", "item_allocation", "order 8 holds 2"),
    ("UPDATE order_items SET allocated = 0 WHERE order_id = 9", "item_allocation", "order 9 holds 0"),
    ("UPDATE order_items SET id = 1 WHERE order_id = 3 AND product_id = 1", "item_numbers", "number 1"),
    ("DELETE FROM orders WHERE id = 7", "item_references", "order 7"),
    ("DELETE FROM products WHERE id = 2", "item_references", "product 2"),
    ("UPDATE orders SET state = 'pending' WHERE id = 3", "order_facts", "order 3"),
    ("UPDATE orders SET state = 'lost' WHERE id = 1", "order_facts", "order 1"),
    ("UPDATE orders SET allocate_at = 'never' WHERE id = 1", "order_facts", "order 1"),
    ("UPDATE orders SET total_amount_cents = 1 WHERE id = 4", "order_totals", "order 4 says 3"),
    ("UPDATE orders SET total_quantity = 1 WHERE id = 4", "order_totals", "order 4 says 1"),
    (
        "UPDATE order_items SET price_cents = 9223372036854775807 WHERE order_id = 4",
        "order_totals",
        "order 4",
    ),
    ("DELETE FROM order_items WHERE order_id = 6", "order_totals", "order 6"),
    ("UPDATE order_items SET product_id = 1 WHERE order_id = 3", "order_products", "order 3 has more"),
    ("DELETE FROM orders WHERE id = 7", "order_sums", "orders that were placed on day 0 and are cancelled"),
    ("DELETE FROM order_sums WHERE product_id = 2 AND status = 'shipped'", "order_sums", "product 2"),
    ("UPDATE order_sums SET orders = orders + 1 WHERE product_id = 1", "order_sums", "they count 2"),
    ("UPDATE order_sums SET amount_low = 1 WHERE status = 'delivered'", "order_sums", "are delivered"),
    ("UPDATE order_sums SET quantity_high = 1 WHERE status = 'confirmed'", "order_sums", "are confirmed"),
    ("UPDATE order_sums SET first_id = last_id + 1 WHERE product_id = 0", "order_sums", "orders that were"),
    ("UPDATE order_sums SET last_id = 1 WHERE status = 'cancelled'", "order_sums", "are cancelled"),
    ("UPDATE order_sums SET amount_low = 1 WHERE product_id = -1", "order_sums", "kept for orders that are"),
    ("DELETE FROM order_sums WHERE product_id = -1", "order_sums", "they count 0"),
    (
        "UPDATE order_sums SET day = 1 WHERE product_id = 2",
        "order_sums",
        "product 2 that were placed on day 1",
    ),
    ("UPDATE order_sums SET product_id = 9 WHERE product_id = 2", "order_sums", "product 9"),
    ("UPDATE orders SET expires_at_us = 1 WHERE id = 3", "order_expiry", "order 3"),
    ("DELETE FROM customer_holds", "customer_holds", "have 0 open orders of 0 pieces, but has 4 of 10"),
    ("UPDATE customer_holds SET orders = 9", "customer_holds", "user 1 is said to have 9 open orders"),
    ("UPDATE customer_holds SET units = 9", "customer_holds", "of 9 pieces"),
    ("INSERT INTO customer_holds (user_id, orders, units) VALUES (7, 1, 1)", "customer_holds", "user 7"),
    ("DELETE FROM users", "order_users", "user 1"),
    ("UPDATE counters SET next = 9 WHERE name = 'order'", "counters", "\"order\" would hand out 9"),
    ("UPDATE counters SET next = 4 WHERE name = 'product'", "counters", "\"product\""),
    ("UPDATE counters SET next = 1 WHERE name IN ('user')", "counters", "\"user\""),
    ("UPDATE counters SET next = 3 WHERE name = 'item'", "counters", "\"item\""),
    ("UPDATE counters SET next = 3 WHERE name = 'movement'", "counters", "\"movement\""),
    ("DELETE FROM counters WHERE name = 'event'", "counters", "\"event\" is missing"),
];

#[tokio::test]
async fn each_kind_of_damage_is_found() {
    let sound = shop().await;
    for (damage, check, words) in DAMAGES {
        let shop = match sound.place.copied() {
            Some(copy) => Shop::open(copy, Options::default()).await,
            None => shop().await,
        };
        shop.sabotage(damage).await;
        let found = shop.verify().await.discrepancies;
        let named = found.iter().any(|one| one.check == *check && one.finding.contains(words));
        assert!(named, "{damage}\n{found:#?}");
    }
}

#[tokio::test]
async fn an_erased_product_counts_for_the_counter() {
    let shop = Shop::new().await;
    let product = shop.product("A", 0).await;
    shop.run(DeleteProduct { product_id: product.id, if_version: None }).await.unwrap();
    shop.assert_sound().await;
    shop.sabotage("UPDATE counters SET next = 1 WHERE name = 'product'").await;
    let found = shop.verify().await.discrepancies;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].finding, "the counter \"product\" would hand out 1 next, but 1 is in use");
}

#[tokio::test]
async fn much_damage_is_told_in_few_words() {
    let shop = Shop::new().await;
    let product = shop.product("A", 1000).await;
    for _ in 0..60 {
        shop.place(None, &[(product.id, 1)]).await;
    }
    shop.sabotage("UPDATE orders SET total_quantity = 2").await;
    let found = shop.verify().await.discrepancies;
    let of_orders = found.iter().filter(|one| one.check == "order_totals").count();
    assert_eq!((of_orders, found.len()), (50, 53), "and the sums of the shop, the day, and the product");
    assert!(shop.store.order(OrderId(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn damage_to_what_is_kept_for_reading_is_found() {
    let shop = shop().await;
    for damage in [
        "UPDATE products SET name = 'another' WHERE id = 2",
        "UPDATE products SET search_text = 'x', is_active = 0 WHERE id = 4",
        "DELETE FROM product_grams WHERE gram = 'ame' AND product_id = 1",
        "INSERT INTO product_grams (gram, product_id) VALUES ('xyz', 3)",
        "UPDATE users SET username = 'Bob'",
        "UPDATE product_counts SET products = 7 WHERE shelf = 0",
        "DELETE FROM product_counts WHERE shelf = 1",
    ] {
        shop.sabotage(damage).await;
    }
    let found = shop.verify().await.discrepancies;
    let found: Vec<_> = found.iter().map(|one| (one.check, one.finding.as_str())).collect();
    let unfit = |id: i64| format!("product {id} is not found by its name and SKU, or by something else");
    assert_eq!(
        found,
        [
            ("product_counts", "7 products are counted on shelf 0, but there are 2"),
            ("product_counts", "0 products are counted on shelf 1, but there are 1"),
            ("product_search", &unfit(1)),
            ("product_search", &unfit(2)),
            ("product_search", &unfit(4)),
            ("product_search", "product 3 is found by searches, but does not exist"),
            ("user_search", "user 1 is not found by name and e-mail address"),
        ]
    );
    // A gram too many.
    let shop = self::shop().await;
    shop.sabotage("INSERT INTO product_grams (gram, product_id) VALUES ('xyz', 2)").await;
    assert_eq!(shop.verify().await.discrepancies.len(), 1);
}
