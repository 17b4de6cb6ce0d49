//! What only an embedded database lets a test do: damage that is done behind everybody's back.

use super::*;
use std::time::Instant;
use store::StoreError;
use store::driver::Database;

#[tokio::test]
async fn a_portion_arrives_whole_or_not_at_all() {
    let source = source().await;
    for table in
        ["users", "products", "order_items", "stock_movements", "events", "idempotency_keys", "counters"]
    {
        let target = target().await;
        // Fails within a portion, after some rows of it.
        let rows = source.ints(&format!("SELECT COUNT(*) FROM {table}")).await[0];
        target.sabotage(&format!(
            "CREATE TRIGGER stop BEFORE INSERT ON {table} WHEN (SELECT COUNT(*) FROM {table}) >= {rows} * 2 / 3 \
             BEGIN SELECT RAISE(ABORT, 'stop'); END"
        )).await;
        let error = copy(&source, &target, SMALL).await.unwrap_err();
        assert!(matches!(error, CopyError::Write { table: found, .. } if found == table), "{error:?}");
        let arrived = contents(&target).await[table].clone();
        let wanted = contents(&source).await[table].clone();
        assert!(arrived.len() < wanted.len() && wanted.starts_with(&arrived), "{table}");
        target.sabotage("DROP TRIGGER stop").await;
        copy(&source, &target, SMALL).await.unwrap();
        assert_alike(&source, &target).await;
    }
}

#[tokio::test]
async fn what_arrives_otherwise_is_noticed() {
    let source = source().await;
    for (damage, words) in [
        ("AFTER INSERT ON users WHEN NEW.id = 3 BEGIN DELETE FROM users WHERE id = 3; END", "FOREIGN KEY"),
        (
            "AFTER INSERT ON events WHEN NEW.id = 9 BEGIN DELETE FROM events WHERE id = 9; END",
            "rows of the table events",
        ),
        (
            "AFTER INSERT ON counters WHEN NEW.name = 'order' BEGIN UPDATE counters SET next = next + 1 \
             WHERE name = 'order'; END",
            "counter order",
        ),
        (
            "AFTER INSERT ON stock_levels WHEN NEW.product_id = 2 BEGIN UPDATE stock_levels SET on_hand = on_hand + 1 \
             WHERE product_id = 2; END",
            "does not add up",
        ),
    ] {
        let target = target().await;
        target.sabotage(&format!("CREATE TRIGGER damage {damage}")).await;
        let error = copy(&source, &target, PortionLimit::default()).await.unwrap_err();
        let mut chain = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(one) = cause {
            chain += &format!(": {one}");
            cause = one.source();
        }
        assert!(chain.contains(words), "{chain}");
        if let CopyError::Unsound { findings } = &error {
            assert!(findings.iter().all(|one| one.finding.contains("product 2")), "{findings:?}");
        }
        assert!(target.store.is_unfinished_copy().await.unwrap(), "{chain}");
    }
}

#[tokio::test]
async fn a_source_that_does_not_add_up_says_so() {
    let shop = source().await;
    let source = CopySource::open(shop.database.clone()).await.unwrap();
    assert_eq!(source.verify().await.unwrap(), []);
    shop.sabotage("UPDATE stock_levels SET on_hand = on_hand + 1 WHERE product_id = 2").await;
    let findings = source.verify().await.unwrap();
    assert!(!findings.is_empty() && findings.iter().all(|one| one.finding.contains("product 2")));
}

#[tokio::test]
async fn a_text_that_only_sqlite_can_hold_is_refused_and_named() {
    let (source, target) = (source().await, target().await);
    source.sabotage("UPDATE orders SET payment = 'un' || char(0) || 'paid' WHERE id = 1").await;
    let error = copy(&source, &target, SMALL).await.unwrap_err();
    let CopyError::Write { table: "orders", source: cause } = &error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("U+0000"), "{cause}");
}

async fn open(dir: &tempfile::TempDir, name: &str) -> Database {
    let url = format!("sqlite:{}/{name}", dir.path().display());
    let options = Options { busy_timeout: Duration::from_millis(5), ..Options::default() };
    Database::open(&url, options).await.unwrap()
}

#[tokio::test]
async fn what_is_no_shop_of_this_version_is_no_source() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = open(&dir, "nothing.sqlite").await;
    assert!(matches!(CopySource::open(nothing).await.unwrap_err(), CopyError::NoShop));
    let other = rusqlite::Connection::open(dir.path().join("other.sqlite")).unwrap();
    other
        .execute_batch("CREATE TABLE users (id INTEGER, name TEXT); INSERT INTO users VALUES (1, 'x')")
        .unwrap();
    let other = open(&dir, "other.sqlite").await;
    assert!(matches!(CopySource::open(other).await.unwrap_err(), CopyError::NoShop));

    let older = target().await;
    let latest = "(SELECT MAX(m.version) FROM schema_migrations m)";
    older.sabotage(&format!("DELETE FROM schema_migrations WHERE version = {latest}")).await;
    let refusal = CopySource::open(older.database.clone()).await.unwrap_err();
    assert!(matches!(refusal, CopyError::Outdated { missing: 1 }), "{refusal:?}");
    assert!(refusal.to_string().contains("`stockroom migrate`"), "{refusal}");

    let newer = target().await;
    newer.sabotage("INSERT INTO schema_migrations VALUES (99, 'ninety-nine', 'x', 1)").await;
    let refusal = CopySource::open(newer.database.clone()).await.unwrap_err();
    let CopyError::Source(StoreError::Migration { what, .. }) = &refusal else { panic!("{refusal:?}") };
    assert!(what.contains("version 99") || what.contains("is missing"), "{what}");
    // Nor is it a target.
    let refusal = copy(&source().await, &newer, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::Target(StoreError::Migration { .. })), "{refusal:?}");
}

#[tokio::test]
async fn a_target_without_a_schema_gets_one_and_a_shop_in_use_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let source = source().await;
    let bare = open(&dir, "bare.sqlite").await;
    let from = CopySource::open(source.database.clone()).await.unwrap();
    from.copy_to(&bare, SMALL, 77, &mut |_| {}).await.unwrap();
    let mut reader = bare.reader().await.unwrap();
    let rows = reader.query("SELECT m.applied_at_us FROM schema_migrations m", &[]).await.unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.int(0).unwrap() == 77));

    // As if this program knew one more migration: the refusal comes before it is applied, which would fail.
    let used = target().await;
    used.product("A", 1).await;
    used.sabotage(
        "DELETE FROM schema_migrations WHERE version = (SELECT MAX(m.version) FROM schema_migrations m)",
    )
    .await;
    let refusal = copy(&source, &used, SMALL).await.unwrap_err();
    assert!(matches!(refusal, CopyError::NotEmpty { .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_portion_waits_for_whoever_is_writing() {
    let dir = tempfile::tempdir().unwrap();
    let source = source().await;
    let target = open(&dir, "target.sqlite").await;
    target.migrate(1).await.unwrap();
    let other = rusqlite::Connection::open(dir.path().join("target.sqlite")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    let from = CopySource::open(source.database.clone()).await.unwrap();
    let (mut told, mut portions) = (0, Vec::new());
    let pause = Duration::from_millis(150);
    let started = Instant::now();
    let holder = std::thread::spawn(move || {
        // Far longer than a transaction of the copy waits by itself.
        for _ in 0..3 {
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::thread::sleep(pause);
            other.execute_batch("COMMIT").unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    std::thread::sleep(Duration::from_millis(20));
    let mut count = |one| {
        told += 1;
        if let Progress::Portion { rows, .. } = one {
            portions.push(rows);
        }
    };
    from.copy_to(&target, PortionLimit { rows: 100, ..SMALL }, 1, &mut count).await.unwrap();
    println!("{told} notices, {} portions, {:?}", portions.len(), started.elapsed());
    assert!(started.elapsed() > pause, "nobody was in the way");
    holder.join().unwrap();
}
