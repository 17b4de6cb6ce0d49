//! A shop is moved: all of it, as it was, whatever happens on the way.

mod sqlite_only;

use crate::place::Place;
use crate::random_shop::random_shop;
use crate::shop::{Batch, Shop, actor, new_order, new_product};
use domain::{Action, CreateProduct, OpenShop, PlaceOrder, ProductId};
use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;
use std::time::Duration;
use store::copy::{Copied, CopyError, CopySource, PortionLimit, Progress};
use store::driver::{Options, Row, Value};
use store::{IdempotencyKey, Verdict};
use tokio::sync::Notify;

/// All tables that hold something of a shop, with their keys.
const TABLES: [(&str, &str); 17] = [
    ("meta", "name"),
    ("counters", "name"),
    ("locations", "id"),
    ("users", "id"),
    ("api_keys", "id"),
    ("products", "id"),
    ("product_grams", "gram, product_id"),
    ("product_counts", "shelf"),
    ("stock_levels", "product_id, location_id"),
    ("orders", "id"),
    ("order_items", "order_id, id"),
    ("order_sums", "product_id, day, status"),
    ("customer_holds", "user_id"),
    ("stock_movements", "product_id, id"),
    ("events", "id"),
    ("audit", "id"),
    ("idempotency_keys", "principal, idem_key"),
];

/// Portions so small that a little shop has many of them.
const SMALL: PortionLimit = PortionLimit { rows: 23, bytes: 4_000 };

/// The shop that is moved, in a database of the kind under test.
async fn source() -> Shop {
    let (shop, truth) = random_shop().await;
    shop.run(OpenShop { currency: "JPY".to_owned() }).await.unwrap();
    crate::audit::be_busy(&shop).await;
    // An order with a key: its answer moves, too.
    let mut batch = Batch::default();
    for (number, user) in truth.users.iter().enumerate() {
        let key = IdempotencyKey {
            principal: user.id.0,
            key: format!("key {number}"),
            fingerprint: "f".repeat(64),
            earliest_us: 5_000_000,
            latest_us: 5_000_000,
        };
        let order = new_order(Some(user.id), &[(ProductId(1), 1)]);
        batch.add_keyed(shop.context_of(actor(user)), Some(key), order);
    }
    shop.decide(batch).await;
    shop
}

/// Where it is moved to: another database of the kind under test, migrated and empty.
async fn target() -> Shop {
    Shop::new().await
}

async fn copy_with(
    source: &Shop,
    target: &Shop,
    limit: PortionLimit,
    told: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    let source = CopySource::open(source.database.clone()).await?;
    source.copy_to(&target.database, limit, 7, told).await
}

async fn copy(source: &Shop, target: &Shop, limit: PortionLimit) -> Result<Copied, CopyError> {
    copy_with(source, target, limit, &mut |_| {}).await
}

/// Begins or goes on, and breaks off the moment so many portions have arrived. Whether it came to its end before.
async fn copy_interrupted(source: &Shop, target: &Shop, limit: PortionLimit, portions: usize) -> bool {
    let mut left = portions;
    let mut told = |progress| {
        if matches!(progress, Progress::Portion { .. }) {
            left -= 1;
            if left == 0 {
                resume_unwind(Box::new("enough"));
            }
        }
    };
    let mut copy = Box::pin(copy_with(source, target, limit, &mut told));
    // As a process that dies: nothing runs after the portion but what tidies up.
    let outcome = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| copy.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(copied)) => Poll::Ready(Some(copied)),
        Err(_enough) => Poll::Ready(None),
    });
    outcome.await.map(Result::unwrap).is_some()
}

/// Every row of every table.
async fn contents(shop: &Shop) -> BTreeMap<&'static str, Vec<Row>> {
    let mut all = BTreeMap::new();
    for (table, key) in TABLES {
        all.insert(table, shop.query(&format!("SELECT * FROM {table} ORDER BY {key}")).await);
    }
    all
}

async fn assert_alike(source: &Shop, target: &Shop) {
    let (wanted, found) = (contents(source).await, contents(target).await);
    for (table, _) in TABLES {
        assert_eq!(wanted[table].len(), found[table].len(), "{table}");
        for (wanted, found) in wanted[table].iter().zip(&found[table]) {
            assert!(wanted == found, "{table}\n{wanted:?}\n{found:?}");
        }
    }
    assert!(!target.store.is_unfinished_copy().await.unwrap());
    target.assert_sound().await;
}

async fn insert(shop: &Shop, table: &str, rows: Vec<Vec<Value>>) {
    let mut transaction = shop.database.begin().await.unwrap();
    for row in rows {
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!("INSERT INTO {table} VALUES ({places})");
        transaction.execute_dynamic(&sql, &row).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// Rows with the largest and smallest numbers, every character there is, very long texts, and nothing at all. No
/// command would make them, but they are what the columns can hold.
async fn add_strange_rows(shop: &Shop) {
    let every: Vec<char> = ('\u{1}'..=char::MAX).collect();
    let mut texts: Vec<String> = every.chunks(30_000).map(|part| part.iter().collect()).collect();
    texts.extend([String::new(), " ".to_owned(), "x".repeat(1_500_000), "\u{1f}\"\\".repeat(200_000)]);
    texts.extend(
        ["NULL", "it's", "?", "{rows:a int} r", "\r\n\t", "\\u0000", "𝔘 e\u{301} é ﷽ 🏴‍☠️", "1"]
            .map(str::to_owned),
    );
    let (least, most) = (Value::Int(i64::MIN), Value::Int(i64::MAX));
    let event = |(id, text): (i64, &String)| {
        let [order, product] = [Value::Null, Value::Null];
        let user = if id % 2 == 0 { least.clone() } else { most.clone() };
        let actor = if id % 3 == 0 { Value::Null } else { Value::Int(0) };
        let text = || Value::from(text.as_str());
        let at = if id % 2 == 0 { most.clone() } else { least.clone() };
        vec![id.into(), "strange".into(), order, product, user, text(), actor, text(), at]
    };
    insert(shop, "events", (1_000_000..).zip(&texts).map(event).collect()).await;
    let answer = |principal: &Value, key: &str| {
        vec![principal.clone(), key.into(), "".into(), least.clone(), key.into(), most.clone()]
    };
    let mut answers = Vec::new();
    for principal in [least.clone(), Value::Int(-1), Value::Int(0), most.clone()] {
        for key in ["", "'", "\"", "\\", "a", "A", "ä", "\u{10ffff}", "🏴‍☠️", &"𝔘".repeat(255)] {
            answers.push(answer(&principal, key));
        }
    }
    insert(shop, "idempotency_keys", answers).await;
    let movement = |product: &Value, id: &Value| {
        let nothing = [0, 0, 0, 0].map(Value::Int);
        let tail = [most.clone(), least.clone(), Value::Null, "".into(), "r".into(), least.clone()];
        [product.clone(), id.clone(), 1.into(), "strange".into()]
            .into_iter()
            .chain(nothing)
            .chain(tail)
            .collect()
    };
    let movements = vec![movement(&least, &least), movement(&Value::Int(-5), &Value::Int(i64::MIN + 1))];
    insert(shop, "stock_movements", movements).await;
    insert(shop, "meta", vec![vec!["".into(), texts[3].as_str().into()]]).await;
    insert(shop, "locations", vec![vec![least.clone(), "far".into()], vec![most.clone(), "".into()]]).await;
    let mut transaction = shop.database.begin().await.unwrap();
    for sql in [
        "UPDATE counters SET next = 9223372036854775807 WHERE name IN ('item', 'event')",
        "UPDATE locations SET name = 'the renamed one' WHERE id = 1",
        "UPDATE users SET full_name = NULL, email = NULL WHERE id = 2",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    let search = "UPDATE users SET search_text = ? WHERE id = 2";
    transaction.execute(search, &["ann\n\n".into()]).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn everything_arrives_as_it_was() {
    let (source, target) = (source().await, target().await);
    let before = contents(&source).await;
    assert!(before.values().all(|rows| !rows.is_empty()), "a table without rows proves nothing");
    let mut told = Vec::new();
    let copied =
        copy_with(&source, &target, PortionLimit::default(), &mut |one| told.push(one)).await.unwrap();
    assert_alike(&source, &target).await;
    assert!(contents(&source).await == before, "the source stays as it is");

    let counted: BTreeMap<_, _> =
        before.iter().map(|(table, rows)| (*table, i64::try_from(rows.len()).unwrap())).collect();
    assert_eq!(copied.tables.iter().copied().collect::<BTreeMap<_, _>>(), counted);
    assert_eq!(copied.carried_before, 0);
    let rows = counted.values().sum();
    assert_eq!(told.first(), Some(&Progress::Begun { rows, carried: 0 }));
    assert_eq!(told.last(), Some(&Progress::Comparing));
    let complete = told.iter().filter_map(|one| match one {
        Progress::Table { table, rows } => Some((*table, *rows)),
        _ => None,
    });
    assert_eq!(complete.collect::<BTreeMap<_, _>>(), counted);
    let carried: i64 =
        told.iter().map(|one| if let Progress::Portion { rows, .. } = one { *rows } else { 0 }).sum();
    assert_eq!(carried, rows);
}

#[tokio::test]
async fn life_goes_on_as_it_would_have() {
    let (source, target) = (source().await, target().await);
    copy(&source, &target, SMALL).await.unwrap();
    target.now_us.store(
        source.now_us.load(std::sync::atomic::Ordering::Relaxed),
        std::sync::atomic::Ordering::Relaxed,
    );
    // The same numbers, events and ledger lines in both.
    for shop in [&source, &target] {
        let product = shop.product("NEW", 10).await;
        let order = shop.place(None, &[(product.id, 3)]).await;
        shop.act(order.id, Action::Confirm).await;
        shop.user("newcomer").await;
    }
    assert_alike(&source, &target).await;
    // A repeated request is known.
    let mut batch = Batch::default();
    let key = IdempotencyKey {
        principal: 1,
        key: "key 0".to_owned(),
        fingerprint: "f".repeat(64),
        earliest_us: 6_000_000,
        latest_us: 6_000_000,
    };
    let ticket = batch.add_keyed(target.context(), Some(key), new_order(None, &[(ProductId(1), 1)]));
    let verdicts = target.write(&mut batch).await;
    assert!(matches!(verdicts[0], Verdict::Replayed(_)), "{verdicts:?}");
    assert!(ticket.is_untouched());
}

#[tokio::test]
async fn what_no_command_would_write_arrives_too() {
    let (source, target) = (source().await, target().await);
    add_strange_rows(&source).await;
    source.assert_sound().await;
    copy(&source, &target, PortionLimit::default()).await.unwrap();
    assert_alike(&source, &target).await;
    let longest = "SELECT MAX(OCTET_LENGTH(e.payload)) FROM events e";
    assert!(target.ints(longest).await[0] >= 1_500_000, "the strange rows were there");
}

#[tokio::test]
async fn a_shop_moves_to_sqlite_and_back() {
    let (source, target) = (source().await, target().await);
    add_strange_rows(&source).await;
    let between = Shop::open(Place::sqlite(), Options::default()).await;
    copy(&source, &between, SMALL).await.unwrap();
    assert_alike(&source, &between).await;
    copy(&between, &target, PortionLimit::default()).await.unwrap();
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn portions_are_bounded_by_rows_and_by_bytes() {
    let source = source().await;
    for limit in [PortionLimit { rows: 1, bytes: 1 }, PortionLimit { rows: 7, bytes: 1_000_000 }, SMALL] {
        let target = target().await;
        let mut portions = Vec::new();
        let mut told = |progress| {
            if let Progress::Portion { table, rows } = progress {
                portions.push((table, rows));
            }
        };
        copy_with(&source, &target, limit, &mut told).await.unwrap();
        assert_alike(&source, &target).await;
        assert!(portions.iter().all(|(_, rows)| (1..=limit.rows).contains(rows)), "{portions:?}");
        let events = portions.iter().filter(|(table, _)| *table == "events");
        let fullest = events.map(|(_, rows)| *rows).max().unwrap();
        // An event takes some three hundred bytes.
        assert_eq!(fullest < limit.rows, limit == SMALL, "{fullest}");
        // The levels of products have keys of two columns of which the first is always another, the ledger's of which
        // it seldom is: neither makes portions smaller than need be.
        if limit.rows == 7 {
            for table in ["stock_levels", "stock_movements", "order_items"] {
                let sizes: Vec<_> = portions.iter().filter(|one| one.0 == table).map(|one| one.1).collect();
                let (_, full) = sizes.split_last().unwrap();
                assert!(full.iter().all(|rows| *rows == 7), "{table} {sizes:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_long_row_is_a_portion_of_its_own() {
    let (source, target) = (target().await, target().await);
    for (sku, length) in [("A", 10), ("B", 10), ("C", 50_000), ("D", 50_000), ("E", 10), ("F", 10)] {
        let product = CreateProduct { description: "d".repeat(length), ..new_product(sku, 0) };
        source.run(product).await.unwrap();
    }
    let mut portions = Vec::new();
    let mut told = |progress| {
        if let Progress::Portion { table: "products", rows } = progress {
            portions.push(rows);
        }
    };
    let limit = PortionLimit { rows: 100, bytes: 10_000 };
    copy_with(&source, &target, limit, &mut told).await.unwrap();
    assert_eq!(portions, [2, 1, 1, 2]);
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn a_copy_goes_on_after_every_portion_where_it_stopped() {
    let (source, target) = (source().await, target().await);
    let mut all = 0;
    copy_with(&source, &self::target().await, SMALL, &mut |one| {
        all += usize::from(matches!(one, Progress::Portion { .. }));
    })
    .await
    .unwrap();
    assert!(all > 50, "{all} portions are hardly an occasion");
    let (mut interruptions, mut carried) = (0, Vec::new());
    while !copy_interrupted(&source, &target, SMALL, 1).await {
        interruptions += 1;
        assert!(target.store.is_unfinished_copy().await.unwrap());
        let mut rows = 0;
        for (table, _) in TABLES {
            rows += target.ints(&format!("SELECT COUNT(*) FROM {table}")).await[0];
        }
        carried.push(rows);
    }
    assert_eq!(interruptions, all, "each attempt carried one portion");
    assert!(carried.is_sorted_by(|earlier, later| earlier < later), "{carried:?}");
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn a_copy_may_be_dropped_whatever_it_is_waiting_for() {
    let (source, target) = (source().await, target().await);
    let mut attempts = 0;
    let mut patience = Duration::ZERO;
    loop {
        let copied = tokio::time::timeout(patience, copy(&source, &target, SMALL)).await;
        attempts += 1;
        patience += Duration::from_micros(500);
        if let Ok(copied) = copied {
            copied.unwrap();
            break;
        }
    }
    println!("{attempts} attempts");
    assert!(attempts > 3, "hardly an interruption");
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn another_attempt_says_what_is_there_and_may_take_other_portions() {
    let (source, target) = (source().await, target().await);
    assert!(!copy_interrupted(&source, &target, SMALL, 30).await);
    let mut told = Vec::new();
    let copied =
        copy_with(&source, &target, PortionLimit::default(), &mut |one| told.push(one)).await.unwrap();
    assert_alike(&source, &target).await;
    let Some(Progress::Begun { rows, carried }) = told.first().copied() else { panic!("{told:?}") };
    assert_eq!(carried, copied.carried_before);
    assert!(carried > 100 && carried < rows, "{carried} of {rows}");
    let now: i64 =
        told.iter().map(|one| if let Progress::Portion { rows, .. } = one { *rows } else { 0 }).sum();
    assert_eq!(carried + now, rows);
}

#[tokio::test]
async fn a_copy_that_lacks_only_the_comparison_is_finished_by_that() {
    let (source, target) = (source().await, target().await);
    let limit = PortionLimit::default();
    let mut portions = 0;
    let count = &mut |one| portions += usize::from(matches!(one, Progress::Portion { .. }));
    copy_with(&source, &self::target().await, limit, count).await.unwrap();
    assert!(!copy_interrupted(&source, &target, limit, portions).await);
    assert!(target.store.is_unfinished_copy().await.unwrap());
    assert!(copy_interrupted(&source, &target, limit, 1).await, "there was no portion left");
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn a_target_with_anything_in_it_is_refused_and_left_alone() {
    let source = source().await;
    for (table, what) in [("users", 0), ("products", 1), ("meta", 2), ("events", 3), ("stock_movements", 4)] {
        let target = target().await;
        match what {
            0 => drop(target.user("Ann").await),
            1 => drop(target.product("A", 1).await),
            2 => target.run(OpenShop { currency: "JPY".to_owned() }).await.unwrap(),
            _ => {
                target.product("A", 1).await;
                let rest = if table == "events" { "stock_movements" } else { "events" };
                let mut transaction = target.database.begin().await.unwrap();
                for table in ["stock_levels", "product_grams", "products", rest] {
                    transaction.execute_dynamic(&format!("DELETE FROM {table}"), &[]).await.unwrap();
                }
                transaction.commit().await.unwrap();
            }
        }
        let before = contents(&target).await;
        let refusal = copy(&source, &target, SMALL).await.unwrap_err();
        assert!(matches!(refusal, CopyError::NotEmpty { table: found } if found == table), "{refusal:?}");
        assert!(contents(&target).await == before);
    }
    let target = target().await;
    copy(&source, &target, SMALL).await.unwrap();
    let refusal = copy(&source, &target, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::Complete), "{refusal:?}");
    // From its first change on it is a shop of its own.
    target.user("newcomer").await;
    let refusal = copy(&source, &target, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::NotEmpty { .. }), "{refusal:?}");
}

/// The unfinished copy in the target cannot be gone on with from this source, and is left alone.
async fn assert_other_copy(source: &Shop, target: &Shop) {
    let before = contents(target).await;
    let refusal = copy(source, target, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::OtherCopy), "{refusal:?}");
    assert!(contents(target).await == before);
}

#[tokio::test]
async fn an_unfinished_copy_is_gone_on_with_from_the_same_shop_in_the_same_state_alone() {
    let (source, target) = (source().await, target().await);
    assert!(!copy_interrupted(&source, &target, SMALL, 12).await);
    let (other, _) = random_shop().await;
    assert_other_copy(&other, &target).await;
    assert_other_copy(&self::target().await, &target).await;
    // A fact about the shop changes, without an event.
    let rename = async |from: &str, to: &str| {
        let sql = format!("UPDATE meta SET value = '{to}' WHERE name = 'currency' AND value = '{from}'");
        let mut transaction = source.database.begin().await.unwrap();
        assert_eq!(transaction.execute_dynamic(&sql, &[]).await.unwrap(), 1);
        transaction.commit().await.unwrap();
    };
    rename("JPY", "EUR").await;
    assert_other_copy(&source, &target).await;
    rename("EUR", "JPY").await;
    assert!(!copy_interrupted(&source, &target, SMALL, 1).await, "it is the same state again");
    // An answer is kept, without an event either: this is a refusal.
    let key = IdempotencyKey {
        principal: 0,
        key: "late".to_owned(),
        fingerprint: String::new(),
        earliest_us: 6_000_000,
        latest_us: 6_000_000,
    };
    let mut batch = Batch::default();
    let ticket = batch.add_keyed(
        source.context(),
        Some(key),
        PlaceOrder { lines: Vec::new(), ..new_order(None, &[]) },
    );
    source.decide(batch).await;
    assert!(ticket.get().is_err());
    assert_other_copy(&source, &target).await;
}

#[tokio::test]
async fn a_source_that_moves_on_is_noticed_and_its_copy_stays_unfinished() {
    let (source, target) = (source().await, target().await);
    let before = contents(&source).await;
    let begun = Notify::new();
    let mut told = |progress| {
        if matches!(progress, Progress::Portion { table: "users", .. }) {
            begun.notify_one();
        }
    };
    let (copied, ()) = tokio::join!(copy_with(&source, &target, SMALL, &mut told), async {
        begun.notified().await;
        source.product("LATE", 5).await;
    });
    let error = copied.unwrap_err();
    assert!(matches!(error, CopyError::SourceMoved { .. }), "{error:?}");
    assert!(target.store.is_unfinished_copy().await.unwrap());
    // It was read as it was when the copy began.
    let found = contents(&target).await;
    for (table, _) in TABLES {
        if table == "meta" {
            assert_eq!(found[table].len(), before[table].len() + 1, "with the record of the copy");
        } else {
            assert!(found[table] == before[table], "{table}");
        }
    }
    let refusal = copy(&source, &target, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::OtherCopy), "{refusal:?}");
}

#[tokio::test]
async fn two_copies_into_one_target_do_not_make_a_shop_of_two_halves() {
    let source = source().await;
    // Alike, they carry the same portions, each of them once.
    let target = target().await;
    let (one, other) = tokio::join!(copy(&source, &target, SMALL), copy(&source, &target, SMALL));
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    assert_alike(&source, &target).await;
    // With other portions, one of them notices and gives up.
    let target = self::target().await;
    let limit = PortionLimit { rows: 5, ..SMALL };
    let (one, other) = tokio::join!(copy(&source, &target, SMALL), copy(&source, &target, limit));
    let (done, given_up): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1, "{given_up:?}");
    assert!(matches!(given_up[0], Err(CopyError::Overtaken)), "{given_up:?}");
    assert_alike(&source, &target).await;
}

#[tokio::test]
async fn nobody_writes_into_an_unfinished_copy_or_copies_it() {
    let (source, target) = (source().await, target().await);
    assert!(!target.store.is_unfinished_copy().await.unwrap());
    assert!(!copy_interrupted(&source, &target, SMALL, 3).await);
    // As a server would that had opened the target before.
    let mut batch = Batch::default();
    let ticket = batch.add(target.context(), new_product("MINE", 1));
    let verdicts = target.write(&mut batch).await;
    assert!(matches!(verdicts[0], Verdict::Failed(_)), "{verdicts:?}");
    assert!(ticket.is_untouched());
    let refusal = copy(&target, &self::target().await, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::SourceUnfinished), "{refusal:?}");
    copy(&source, &target, SMALL).await.unwrap();
    assert_alike(&source, &target).await;
    target.product("MINE", 1).await;
}

#[tokio::test]
async fn what_an_interrupted_generate_has_left_is_neither_copied_nor_written_into() {
    let (source, target) = (target().await, target().await);
    let filling = source.store.begin_filling().await.unwrap().unwrap();
    let refusal = copy(&source, &target, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::HalfFilled("source")), "{refusal:?}");
    let refusal = copy(&target, &source, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::HalfFilled("target")), "{refusal:?}");
    filling.end().await.unwrap();
    copy(&source, &target, SMALL).await.unwrap();
}

#[tokio::test]
async fn an_empty_shop_can_be_moved() {
    let (source, target) = (target().await, target().await);
    copy(&source, &target, PortionLimit::default()).await.unwrap();
    assert_alike(&source, &target).await;
    assert_eq!(target.product("A", 1).await.id, ProductId(1));
}
