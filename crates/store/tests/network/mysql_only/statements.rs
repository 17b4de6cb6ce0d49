//! What is prepared, kept and forgotten.

use super::{Toys, one};
use crate::toys::{TOY_NUMBERS, TOYS, rows, toy};
use store::StoreError;
use store::driver::{Options, Sets, Transaction};

/// How often a session has prepared and closed a statement.
async fn counts(transaction: &mut Transaction) -> (u64, u64) {
    let mut counts = Vec::new();
    for name in ["Com_stmt_prepare", "Com_stmt_close"] {
        let sql = format!("SHOW SESSION STATUS LIKE '{name}'");
        let mut rows = transaction.query_dynamic(&sql, &[]).await.unwrap();
        counts.push(rows[0].text(1).unwrap().parse().unwrap());
    }
    (counts[0], counts[1])
}

#[tokio::test]
async fn statements_put_together_at_run_time_are_kept_as_long_as_there_is_room() {
    for (statement_cache, prepared, closed) in [(3, 6, 3), (5, 5, 0), (0, 10, 10)] {
        let options = Options { statement_cache, ..Options::default() };
        let toys = Toys::with(options).await;
        let mut transaction = toys.database().begin().await.unwrap();
        let before = counts(&mut transaction).await;
        // The last three are the ones that were used last.
        for number in [0, 1, 2, 3, 4, 2, 3, 4, 2, 0] {
            let sql = format!("SELECT {number} + ?");
            let found = transaction.query_dynamic(&sql, &[5.into()]).await.unwrap();
            assert_eq!(found[0].int(0).unwrap(), number + 5);
        }
        let after = counts(&mut transaction).await;
        assert_eq!((after.0 - before.0, after.1 - before.1), (prepared, closed), "{statement_cache}");
    }
}

#[tokio::test]
async fn statements_of_the_code_are_prepared_once() {
    let toys = Toys::with(Options { statement_cache: 1, ..Options::default() }).await;
    let mut transaction = toys.database().begin().await.unwrap();
    let before = counts(&mut transaction).await;
    for n in 0..5 {
        transaction.insert_rows(&TOYS, &rows([toy(n, n, "a", n)])).await.unwrap();
        transaction.query("SELECT COUNT(*) FROM toys WHERE a = ?", &[n.into()]).await.unwrap();
    }
    let after = counts(&mut transaction).await;
    // Rows that are written into a statement make another one of it each time, which is not prepared.
    let prepared = if toys.fixture.place.url().contains("row-source=literals") { 1 } else { 2 };
    assert_eq!((after.0 - before.0, after.1 - before.1), (prepared, 0));
}

#[tokio::test]
async fn a_table_may_change_under_a_prepared_statement() {
    let toys = Toys::new().await;
    let select = "SELECT * FROM toys WHERE a = ?";
    toys.fixture.insert(&rows([toy(1, 1, "a", 7)])).await.unwrap();
    let mut reader = toys.database().reader().await.unwrap();
    assert_eq!(reader.query(select, &[1.into()]).await.unwrap()[0].int(3).unwrap(), 7);
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.execute("ALTER TABLE toys ADD COLUMN more BIGINT NOT NULL DEFAULT 9", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(reader.query(select, &[1.into()]).await.unwrap()[0].int(4).unwrap(), 9);
}

#[tokio::test]
async fn of_several_statements_the_one_at_fault_is_told() {
    let toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    let mut sets = Sets::new();
    sets.insert(&TOYS, rows([toy(2, 2, "b", 2)]));
    sets.insert(&TOYS, rows([toy(1, 1, "c", 3)]));
    sets.insert(&TOYS, rows([toy(3, 3, "d", 4)]));
    let error = transaction.write(&sets).await.unwrap_err();
    assert_eq!(error.duplicate(), Some("toys_a_b"));
    transaction.rollback().await.unwrap();

    let mut transaction = toys.database().begin().await.unwrap();
    transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
    let mut sets = Sets::new();
    sets.update(&TOY_NUMBERS, rows([[1.into(), 1.into(), 1.into()]]));
    sets.update(&TOY_NUMBERS, rows([[9.into(), 9.into(), 1.into()]]));
    let error = transaction.write(&sets).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Decode { what } if what.starts_with("0 rows of the table toys")),
        "{error:?}"
    );
    transaction.rollback().await.unwrap();

    let mut transaction = toys.database().begin().await.unwrap();
    let wrong = [("SELECT 1", Vec::new()), ("SELECT nonsense", Vec::new()), ("SELECT 2", Vec::new())];
    assert!(matches!(transaction.query_all(&wrong).await, Err(StoreError::Statement(_))));
    let few = [("SELECT 1", Vec::new()), ("SELECT ?", Vec::new())];
    assert!(matches!(transaction.query_all(&few).await, Err(StoreError::Misuse { .. })));
    let right =
        [("SELECT 1", Vec::new()), ("SELECT ? WHERE 1 = 0", vec![5.into()]), ("SELECT ?", vec!["x".into()])];
    let answers = transaction.query_all(&right).await.unwrap();
    assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(answers[2][0].as_text(0).unwrap(), "x");
    assert_eq!(one(toys.database(), "SELECT COUNT(*) FROM toys", &[]).await, 0);
}
