//! Values, prepared statements and errors.

use super::{Toys, own_server, process};
use crate::toys::{TOY_NUMBERS, TOYS, rows, toy};
use store::driver::{Database, Options, Sets, Value};
use store::{StoreError, Violation};

#[tokio::test]
async fn every_type_of_integer_and_text_is_read_and_no_other() {
    let toys = Toys::new().await;
    let mut reader = toys.database().reader().await.unwrap();
    let sql = "SELECT CAST(7 AS SMALLINT), CAST(-8 AS INTEGER), 1 = 1, 1 = 2, \
         SUM(CAST(n AS BIGINT)), CAST(12345678901234567 AS NUMERIC(20, 2)), CAST('n' AS NAME), CAST('c' AS CHAR(3)), \
         'unknown', CAST(NULL AS DOUBLE PRECISION), SUM(n) IS NULL \
         FROM (VALUES (9223372036854775807), (-9223372036854775808), (-9223372036854775807)) AS t (n)";
    let mut row = reader.query(sql, &[]).await.unwrap().remove(0);
    let ints: Vec<_> = (0..6).map(|column| row.int(column).unwrap()).collect();
    assert_eq!(ints, [7, -8, 1, 0, i64::MIN, 12_345_678_901_234_567]);
    let texts: Vec<_> = (6..9).map(|column| row.text(column).unwrap()).collect();
    assert_eq!(texts, ["n", "c  ", "unknown"]);
    assert_eq!((row.opt_int(9).unwrap(), row.flag(10).unwrap()), (None, false));
    for (sql, told) in [
        ("SELECT 1, SUM(n) FROM (VALUES (9223372036854775807), (1)) AS t (n)", "column 1 is beyond 64 bits"),
        ("SELECT 1, 2, 3.25", "column 2 is not a whole number"),
        ("SELECT CAST('NaN' AS NUMERIC)", "column 0 is not a finite number"),
        ("SELECT CAST(1 AS REAL)", "column 0 is neither an integer nor a text"),
        ("SELECT CURRENT_TIMESTAMP", "column 0 is neither an integer nor a text"),
    ] {
        let error = reader.query_dynamic_long(sql, &[]).await.unwrap_err();
        assert_eq!(error.to_string(), format!("a stored value cannot be understood: {told}"), "{sql}");
    }
}

#[tokio::test]
async fn parameters_are_taken_for_what_the_statement_wants() {
    let toys = Toys::new().await;
    let mut reader = toys.database().reader().await.unwrap();
    let sql = "SELECT CAST(? AS SMALLINT), CAST(? AS INTEGER), CAST(? AS NUMERIC), CAST(? AS VARCHAR(9)), ?";
    let given = [1.into(), i64::from(i32::MIN).into(), i64::MIN.into(), "v".into(), "t".into()];
    let mut row = reader.query(sql, &given).await.unwrap().remove(0);
    assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (1, i64::from(i32::MIN)));
    assert_eq!(
        (row.int(2).unwrap(), row.text(3).unwrap(), row.text(4).unwrap()),
        (i64::MIN, "v".into(), "t".into())
    );
    let nulls = vec![Value::Null; 5];
    assert_eq!(reader.query(sql, &nulls).await.unwrap()[0].opt_int(2).unwrap(), None);
    // Too large a number is refused by the server, and its message, which would repeat it, is not passed on.
    let error = reader.query("SELECT CAST(? AS SMALLINT)", &[70_123.into()]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Statement(_)) && !format!("{error:?}").contains("70123"),
        "{error:?}"
    );
    for (sql, params) in [
        ("SELECT CAST(? AS BIGINT)", vec![Value::from("secret")]),
        ("SELECT CAST(? AS TEXT)", vec![1.into()]),
        ("SELECT CAST(? AS TEXT)", vec![]),
    ] {
        let error = reader.query(sql, &params).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Misuse { .. }) && !format!("{error:?}").contains("secret"),
            "{error:?}"
        );
    }
    // None of this has harmed the connection.
    assert_eq!(reader.query("SELECT 7", &[]).await.unwrap()[0].int(0).unwrap(), 7);
}

#[tokio::test]
async fn of_many_statements_the_first_error_is_told_and_the_connection_goes_on() {
    let toys = Toys::with(Options { writers: 1, ..Options::default() }).await;
    toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
    let database = toys.database();
    let mut transaction = database.begin().await.unwrap();
    let first = process(&mut transaction).await;
    let mut sets = Sets::new();
    sets.insert(&TOYS, rows([toy(2, 2, "b", 2)]));
    sets.insert(&TOYS, rows([toy(1, 1, "secret", 2)]));
    sets.insert(&TOYS, rows([toy(3, 3, "c", -1)]));
    sets.update(&TOY_NUMBERS, rows([[1.into(), 1.into(), 7.into()]]));
    let error = transaction.write(&sets).await.unwrap_err();
    assert_eq!(error.duplicate(), Some("toys_a_b"));
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    transaction.rollback().await.unwrap();

    let mut transaction = database.begin().await.unwrap();
    assert_eq!(process(&mut transaction).await, first, "the connection was worth keeping");
    let queries = [
        ("SELECT 1", vec![]),
        ("SELECT 1 / (n - 1) FROM toys", vec![]),
        ("SELECT CAST(name AS BIGINT) FROM toys", vec![]),
    ];
    let error = transaction.query_all(&queries).await.unwrap_err();
    assert!(format!("{error:?}").contains("22012"), "{error:?}");
    transaction.rollback().await.unwrap();

    let mut transaction = database.begin().await.unwrap();
    let queries = [("SELECT 1", vec![]), ("SELECT nonsense", vec![]), ("SELECT 2", vec![])];
    let error = transaction.query_all(&queries).await.unwrap_err();
    assert!(format!("{error:?}").contains("42703"), "{error:?}");
    // What has failed cannot be committed, though the server would answer COMMIT with a friendly ROLLBACK.
    let error = transaction.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");

    let mut transaction = database.begin().await.unwrap();
    transaction.write(&sets).await.unwrap_err();
    let error = transaction.query("SELECT 1", &[]).await.unwrap_err();
    assert!(format!("{error:?}").contains("25P02"), "{error:?}");
    assert!(matches!(transaction.commit().await, Err(StoreError::Misuse { .. })));
    assert_eq!(toys.fixture.toys().await.len(), 1);
    let mut transaction = database.begin().await.unwrap();
    assert_eq!(process(&mut transaction).await, first);
}

#[tokio::test]
async fn transactions_without_statements_never_begin() {
    let toys = Toys::new().await;
    let database = toys.database();
    database.begin().await.unwrap().commit().await.unwrap();
    database.begin().await.unwrap().rollback().await.unwrap();
    let mut reader = database.reader().await.unwrap();
    reader.begin_snapshot().await.unwrap();
    reader.end_snapshot().await.unwrap();
    assert!(reader.query("DELETE FROM toys", &[]).await.is_err(), "a reader does not write");
    reader.begin_snapshot().await.unwrap();
    let level =
        reader.query("SHOW transaction_isolation", &[]).await.unwrap()[0].as_text(0).unwrap().to_owned();
    assert_eq!(level, "repeatable read");
}

#[tokio::test]
async fn constraints_are_called_as_on_sqlite() {
    let toys = Toys::new().await;
    let mut transaction = toys.database().begin().await.unwrap();
    let missing =
        transaction.execute("INSERT INTO toys (a, b) VALUES (1, ?)", &[1.into()]).await.unwrap_err();
    let StoreError::Constraint { violation, detail, .. } = missing else { panic!("{missing:?}") };
    assert_eq!((violation, &*detail), (Violation::NotNull, "toys_n"));
}

/// How many statements the connection of a transaction keeps prepared.
async fn prepared(database: &Database) -> i64 {
    let mut transaction = database.begin().await.unwrap();
    let kept = transaction.query("SELECT COUNT(*) FROM pg_prepared_statements", &[]).await.unwrap()[0]
        .int(0)
        .unwrap();
    transaction.rollback().await.unwrap();
    kept
}

#[tokio::test]
async fn no_more_statements_are_kept_than_there_is_room_for() {
    let options = Options { writers: 1, statement_cache: 3, ..Options::default() };
    let toys = Toys::with(options).await;
    let database = toys.database();
    let before = prepared(database).await;
    let mut transaction = database.begin().await.unwrap();
    for number in [1, 2, 3, 4, 1, 5, 1, 6, 1, 7] {
        let found = transaction.query_dynamic(&format!("SELECT {number}"), &[]).await.unwrap();
        assert_eq!(found[0].int(0).unwrap(), number);
    }
    let sql = "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1'";
    assert_eq!(
        transaction.query(sql, &[]).await.unwrap()[0].int(0).unwrap(),
        1,
        "the one that is used stays"
    );
    transaction.execute_dynamic("INSERT INTO toys (a, b, n) VALUES (1, 2, 3)", &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    // One of them is the question above.
    assert_eq!(prepared(database).await, before + 1 + 3);
}

/// Another server may migrate the database while this one holds statements prepared for the tables as they were.
#[tokio::test]
async fn statements_are_prepared_anew_when_the_tables_have_changed() {
    let toys = Toys::with(Options { writers: 1, readers: 1, ..Options::default() }).await;
    let database = toys.database();
    toys.fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
    const NUMBERS: &str = "SELECT n FROM toys";
    let mut reader = database.reader().await.unwrap();
    assert_eq!(reader.query(NUMBERS, &[]).await.unwrap()[0].int(0).unwrap(), 1);
    let mut transaction = database.begin().await.unwrap();
    assert_eq!(transaction.query(NUMBERS, &[]).await.unwrap()[0].int(0).unwrap(), 1);
    transaction.rollback().await.unwrap();
    toys.fixture.place.sabotage("ALTER TABLE toys ALTER COLUMN n TYPE NUMERIC").await;

    assert_eq!(
        reader.query(NUMBERS, &[]).await.unwrap()[0].int(0).unwrap(),
        1,
        "the reader tries again by itself"
    );
    let mut transaction = database.begin().await.unwrap();
    let error = transaction.query(NUMBERS, &[]).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    transaction.rollback().await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    assert_eq!(transaction.query(NUMBERS, &[]).await.unwrap()[0].int(0).unwrap(), 1);
}

/// As a pooler wants it that hands out a connection for each transaction.
#[tokio::test]
async fn it_works_without_prepared_statements_and_settings() {
    let server = own_server(false);
    let options = Options { statement_cache: 0, writers: 1, readers: 1, ..Options::default() };
    let database = Database::open(&server.url(""), options.clone()).await.unwrap();
    database.migrate(1).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(crate::toys::CREATE_TOYS, &[]).await.unwrap();
    let mut sets = Sets::new();
    sets.insert(&TOYS, rows([toy(1, 1, "é", i64::MAX), toy(2, 2, "", 0)]));
    sets.update(&TOY_NUMBERS, rows([[2.into(), 2.into(), 5.into()]]));
    transaction.write(&sets).await.unwrap();
    transaction.commit().await.unwrap();
    let mut reader = database.reader().await.unwrap();
    let sql = "SELECT t.name, t.n FROM toys t WHERE t.a IN (SELECT r.a FROM {rows:a int} r) AND t.name = ? AND t.b = ?";
    let keys = store::driver::Rows::of_ints([1, 2]).to_value().unwrap();
    for _ in 0..2 {
        let mut found = reader.query(sql, &[keys.clone(), "é".into(), 1.into()]).await.unwrap();
        assert_eq!((found[0].text(0).unwrap(), found[0].int(1).unwrap()), ("é".to_owned(), i64::MAX));
        let found = reader.query_dynamic_long("SELECT ?", &[7.into()]).await.unwrap();
        assert_eq!(found[0].int(0).unwrap(), 7);
    }
    assert_eq!(prepared(&database).await, 0);
    let setting = reader.query("SHOW default_transaction_read_only", &[]).await.unwrap()[0]
        .as_text(0)
        .unwrap()
        .to_owned();
    assert_eq!(setting, "off", "what is set would reach others");
    let mut transaction = database.begin().await.unwrap();
    let limit = transaction.query("SHOW lock_timeout", &[]).await.unwrap()[0].as_text(0).unwrap().to_owned();
    assert_eq!(limit, "5s");
    let with_schema = format!("{}?schema=shop", server.url(""));
    let error = Database::open(&with_schema, options).await.unwrap_err();
    assert!(error.to_string().contains("ALTER ROLE"), "{error}");
}
