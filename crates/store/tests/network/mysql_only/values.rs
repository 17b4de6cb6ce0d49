//! Numbers, sums and counts as the server writes them, and packets.

use super::{Toys, one};
use crate::toys::{TOY_NUMBERS, TOYS, rows, toy};
use store::StoreError;
use store::driver::Sets;

#[tokio::test]
async fn an_update_that_changes_nothing_has_found_its_row() {
    let toys = Toys::new().await;
    toys.fixture.insert(&rows([toy(1, 1, "a", 1), toy(2, 2, "b", 2)])).await.unwrap();
    let mut transaction = toys.database().begin().await.unwrap();
    let same = rows([[1.into(), 1.into(), 1.into()], [2.into(), 2.into(), 2.into()]]);
    assert_eq!(transaction.update_rows(&TOY_NUMBERS, &same).await.unwrap(), 2);
    assert_eq!(transaction.execute("UPDATE toys SET n = n", &[]).await.unwrap(), 2);
}

#[tokio::test]
async fn whole_numbers_are_read_whatever_their_type() {
    let toys = Toys::new().await;
    toys.fixture.insert(&rows([toy(1, 1, "a", i64::MAX), toy(2, 2, "b", 0)])).await.unwrap();
    let mut reader = toys.database().reader().await.unwrap();
    for (sql, expected) in [
        // A sum is a decimal number, a comparison a small one, a bitwise operation one without a sign.
        ("SELECT SUM(n) FROM toys", i64::MAX),
        ("SELECT COALESCE(SUM(n >> 32), 0) FROM toys", i64::MAX >> 32),
        ("SELECT -SUM(n) - 1 FROM toys", i64::MIN),
        ("SELECT MAX(n = 0) FROM toys", 1),
        ("SELECT n & 4294967295 FROM toys WHERE a = 1", 0xffff_ffff),
        ("SELECT SUM(a) / 3 FROM toys", 1),
        ("SELECT CAST(7 AS DECIMAL(30, 5))", 7),
    ] {
        // Prepared, and as a text.
        assert_eq!(reader.query(sql, &[]).await.unwrap()[0].int(0).unwrap(), expected, "{sql}");
        let found = reader.query_dynamic_long(sql, &[]).await.unwrap();
        assert_eq!(found[0].int(0).unwrap(), expected, "{sql}");
    }
    for sql in [
        "SELECT SUM(n) + 1 FROM toys",
        "SELECT SUM(a) / 2 FROM toys",
        "SELECT 1e0",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT CAST('a' AS BINARY)",
    ] {
        for error in [
            reader.query(sql, &[]).await.unwrap_err(),
            reader.query_dynamic_long(sql, &[]).await.unwrap_err(),
        ] {
            assert!(
                matches!(&error, StoreError::Decode { what } if what.contains("column 0")),
                "{sql}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_into_a_column_is_a_violation() {
    let toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.execute("CREATE TABLE words (word {key 4}, n {int}) {end}", &[]).await.unwrap();
    for params in [["12345".into(), 1.into()], ["1".into(), "secret".into()]] {
        let error = transaction.execute("INSERT INTO words VALUES (?, ?)", &params).await.unwrap_err();
        assert!(matches!(error, StoreError::Constraint { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn what_the_server_does_not_take_at_once_is_refused_before_it_is_sent() {
    let toys = Toys::new().await;
    let limit = usize::try_from(one(toys.database(), "SELECT @@max_allowed_packet", &[]).await).unwrap();
    let mut transaction = toys.database().begin().await.unwrap();
    let large = "x".repeat(limit);
    let error = transaction.query("SELECT LENGTH(?)", &[large.as_str().into()]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unsupported { what } if what.contains("max_allowed_packet")),
        "{error:?}"
    );
    let error = transaction.insert_rows(&TOYS, &rows([toy(1, 1, &large, 1)])).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
    // Each fits, but not both.
    let half = &large[..limit / 3 * 2];
    let mut sets = Sets::new();
    sets.insert(&TOYS, rows([toy(1, 1, half, 1)]));
    sets.insert(&TOYS, rows([toy(2, 2, half, 2)]));
    transaction.write(&sets).await.unwrap();
    transaction.commit().await.unwrap();
    let stored = one(toys.database(), "SELECT SUM(LENGTH(name)) FROM toys", &[]).await;
    assert_eq!(usize::try_from(stored).unwrap(), half.len() * 2);
}
