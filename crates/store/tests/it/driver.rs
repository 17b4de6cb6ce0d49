//! The driver: transactions, readers, set statements, errors and the schema.

use crate::toys::{Fixture, TOY_KEYS, TOY_NUMBERS, TOYS, rows, toy};
use std::time::Duration;
use store::driver::{AddRows, Cell, Kind, Options, Rows, Sets, TableRows, Value};
use store::{StoreError, Violation};

#[tokio::test]
async fn set_statements_do_what_they_say() {
    check_set_statements(true).await;
    check_set_statements(false).await;
}

async fn check_set_statements(set_statements: bool) {
    let fixture = Fixture::with(Options { set_statements, ..Options::default() }).await;
    let mut transaction = fixture.database.begin().await.unwrap();
    let inserted = rows([toy(1, 1, "a", 1), toy(1, 2, "123", 2), toy(2, 1, "c", i64::MAX)]);
    assert_eq!(transaction.insert_rows(&TOYS, &inserted).await.unwrap(), 3);
    let changed = rows([[1.into(), 2.into(), 20.into()], [9.into(), 9.into(), 0.into()]]);
    assert_eq!(transaction.update_rows(&TOY_NUMBERS, &changed).await.unwrap(), 1);
    let replaced = rows([[1.into(), 1.into(), Cell::Null, 10.into()], toy(3, 3, "new", 3)]);
    transaction.upsert_rows(&TOYS, &replaced).await.unwrap();
    let gone = rows([[2.into(), 1.into()], [7.into(), 7.into()]]);
    assert_eq!(transaction.delete_rows(&TOY_KEYS, &gone).await.unwrap(), 1);
    assert_eq!(transaction.insert_rows(&TOYS, &Rows::new()).await.unwrap(), 0);
    let wrong = transaction.insert_rows(&TOYS, &gone).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Misuse { .. }), "{wrong}");
    transaction.commit().await.unwrap();
    let expected = [
        (1, 1, None, 10),
        // A text that looks like a number stays a text.
        (1, 2, Some("123".to_owned()), 20),
        (3, 3, Some("new".to_owned()), 3),
    ];
    assert_eq!(fixture.toys().await, expected);
}

#[tokio::test]
async fn numbers_are_added_to_what_is_there() {
    static TALLY: AddRows = AddRows {
        rows: &TableRows {
            table: "tally",
            columns: &[
                ("a", Kind::Int),
                ("word", Kind::Text),
                ("n", Kind::Int),
                ("least", Kind::Int),
                ("most", Kind::Int),
            ],
            key: &["a", "word"],
        },
        least: &["least"],
        greatest: &["most"],
        count: "n",
    };
    for set_statements in [false, true] {
        let fixture = Fixture::with(Options { set_statements, ..Options::default() }).await;
        let mut transaction = fixture.database.begin().await.unwrap();
        let create = "CREATE TABLE tally (a {int} NOT NULL, word {key 9} NOT NULL, n {int} NOT NULL, \
             least {int} NOT NULL, most {int} NOT NULL, PRIMARY KEY (a, word)) {clustered}";
        transaction.execute(create, &[]).await.unwrap();
        // Alone, and with others in one go.
        for beside in [Rows::new(), rows([toy(1, 1, "a", 1)])] {
            let mut sets = Sets::new();
            let line = |a: i64, n: i64, id: i64| [a.into(), "x".into(), n.into(), id.into(), id.into()];
            sets.add(&TALLY, rows([line(1, 5, 7), line(2, -3, 9)]));
            sets.insert(&TOYS, beside);
            transaction.write(&sets).await.unwrap();
            let mut sets = Sets::new();
            sets.add(&TALLY, rows([line(1, -2, 4), line(3, i64::MAX / 4, 1), line(2, 1, 10)]));
            transaction.write(&sets).await.unwrap();
        }
        // One that counts nothing goes, the others stay.
        let mut sets = Sets::new();
        sets.add(&TALLY, rows([[4.into(), "x".into(), 0.into(), 1.into(), 1.into()]]));
        let keys = rows([1, 4, 5].map(|a: i64| [a.into(), "x".into()]));
        sets.clear(&TALLY, keys);
        transaction.write(&sets).await.unwrap();
        let found = transaction.query("SELECT a, n, least, most FROM tally ORDER BY a", &[]).await.unwrap();
        let found: Vec<_> = found.iter().map(|row| [0, 1, 2, 3].map(|at| row.int(at).unwrap())).collect();
        assert_eq!(found, [[1, 6, 4, 7], [2, -4, 9, 10], [3, i64::MAX / 4 * 2, 1, 1]]);
    }
}

#[tokio::test]
async fn a_row_source_joins_by_keys_and_every_text_survives() {
    let fixture = Fixture::new().await;
    let all: Vec<char> = ('\u{1}'..=char::MAX).collect();
    let texts: Vec<String> = all.chunks(4096).map(|part| part.iter().collect()).collect();
    let mut written = Rows::new();
    for (text, id) in texts.iter().zip(1_i64..) {
        written.push([id.into(), 0.into(), text.into(), 0.into()]);
    }
    fixture.insert(&written).await.unwrap();
    assert!(fixture.toys().await.into_iter().map(|toy| toy.2.unwrap()).eq(texts));

    let mut reader = fixture.database.reader().await.unwrap();
    let keys = Rows::of_ints([3, 1, 99_999]).to_value().unwrap();
    let sql = "SELECT r.a FROM {rows:a int} r JOIN toys t ON t.a = r.a WHERE t.n = ? ORDER BY r.a";
    let found = reader.query(sql, &[keys, 0.into()]).await.unwrap();
    assert_eq!(found.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [1, 3]);
}

/// Two texts are the same when their characters are, and sort by them: also those with a space at the end.
#[tokio::test]
async fn texts_compare_by_character() {
    static WORDS: TableRows =
        TableRows { table: "words", columns: &[("word", Kind::Text), ("text", Kind::Text)], key: &["word"] };
    const CREATE: &str = "CREATE TABLE words (word {key 16} NOT NULL, text {text} NOT NULL, PRIMARY KEY (word), \
         CONSTRAINT words_word UNIQUE (word)) {clustered}";
    let sorted = ["", " ", "A", "a", "a\t", "a ", "a  ", "a!", "aa", "b", "\u{e1}", "\u{ffff}", "\u{1f600}"];
    let fixture = Fixture::new().await;
    let mut transaction = fixture.database.begin().await.unwrap();
    transaction.execute(CREATE, &[]).await.unwrap();
    let mut all = Rows::new();
    for word in sorted.iter().rev() {
        all.push([Cell::Text(word), Cell::Text(word)]);
    }
    transaction.insert_rows(&WORDS, &all).await.unwrap();
    for column in ["word", "text"] {
        let found =
            transaction.query_dynamic(&format!("SELECT word FROM words ORDER BY {column}"), &[]).await;
        let found: Vec<_> = found.unwrap().iter_mut().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(found, sorted, "{column}");
        for word in sorted {
            let found = format!("SELECT COUNT(*) FROM words WHERE {column} = ?");
            let found = transaction.query_dynamic(&found, &[word.into()]).await.unwrap();
            assert_eq!(found[0].int(0).unwrap(), 1, "{column} = {word:?}");
            let found =
                format!("SELECT word FROM words w JOIN {{rows:asked text}} r ON w.{column} = r.asked");
            let mut key = Rows::new();
            key.push([Cell::Text(word)]);
            let found = transaction.query_dynamic(&found, &[key.to_value().unwrap()]).await.unwrap();
            assert_eq!(found.len(), 1, "{column} = {word:?}");
            assert_eq!(found[0].as_text(0).unwrap(), word);
        }
    }
    let again = rows([[Cell::Text("a "), Cell::Text("")]]);
    assert_eq!(transaction.insert_rows(&WORDS, &again).await.unwrap_err().duplicate(), Some("words_word"));
}

/// Quotes, backslashes and what LIKE and SQL make of them elsewhere are characters like any others.
#[tokio::test]
async fn no_character_is_special() {
    let odd = [
        r"\", r"\'", "'", "''", "\"", "`", "?", "{int}", ";--", "/* */", "%", "_", "!", "\\%", r"\n", "\n",
        ":a", "$1",
    ];
    let fixture = Fixture::new().await;
    let mut transaction = fixture.database.begin().await.unwrap();
    // Several statements at once, and one.
    let (mut one, mut sets) = (Rows::new(), Sets::new());
    for (text, a) in odd.iter().zip(1_i64..) {
        sets.insert(&TOYS, rows([toy(a, 1, text, 1)]));
        one.push(toy(a, 2, text, 1));
    }
    transaction.write(&sets).await.unwrap();
    transaction.insert_rows(&TOYS, &one).await.unwrap();
    const FIND: &str = "SELECT COUNT(*), MIN(a), MAX(a) FROM toys WHERE name = ?";
    const LIKE: &str = "SELECT COUNT(*), MIN(a), MAX(a) FROM toys WHERE name LIKE ? ESCAPE '!'";
    for (text, a) in odd.iter().zip(1_i64..) {
        let pattern: String = text
            .chars()
            .flat_map(|one| if "%_!".contains(one) { vec!['!', one] } else { vec![one] })
            .collect();
        let queries = [(FIND, vec![(*text).into()]), (LIKE, vec![pattern.as_str().into()])];
        let mut answers = transaction.query_all(&queries).await.unwrap();
        for (sql, params) in &queries {
            answers.push(transaction.query(sql, params).await.unwrap());
        }
        for found in answers {
            let found = (0..3).map(|column| found[0].int(column).unwrap()).collect::<Vec<_>>();
            assert_eq!(found, [2, a, a], "{text}");
        }
    }
    transaction.commit().await.unwrap();
    let found = fixture.toys().await.into_iter().map(|toy| toy.2.unwrap()).collect::<Vec<_>>();
    assert_eq!(found, odd.iter().flat_map(|text| [*text, *text]).collect::<Vec<_>>());
}

#[tokio::test]
async fn parameters_and_sums_go_to_the_ends_of_64_bits() {
    let fixture = Fixture::new().await;
    const INSERT: &str = "INSERT INTO toys (a, b, name, n) VALUES (?, ?, ?, ?)";
    let all: Vec<char> = ('\u{1}'..=char::MAX).collect();
    let texts: Vec<String> = all.chunks(65_536).map(|part| part.iter().collect()).collect();
    let mut transaction = fixture.database.begin().await.unwrap();
    for (text, b) in texts.iter().zip(1_i64..) {
        let params = [i64::MIN.into(), b.into(), Value::from(text.as_str()), i64::MAX.into()];
        assert_eq!(transaction.execute(INSERT, &params).await.unwrap(), 1);
    }
    let nothing = [i64::MAX.into(), i64::MIN.into(), Value::Null, 0.into()];
    assert_eq!(transaction.execute(INSERT, &nothing).await.unwrap(), 1);
    let refused = transaction.execute(INSERT, &[1.into(), 1.into(), "a\0b".into(), 1.into()]).await;
    assert!(matches!(refused, Err(StoreError::Unsupported { .. })), "{refused:?}");
    // It was refused on this side, so the transaction goes on.
    transaction.commit().await.unwrap();
    let toys = fixture.toys().await;
    for (toy, (text, b)) in toys.iter().zip(texts.iter().zip(1_i64..)) {
        assert_eq!((toy.0, toy.1, toy.3), (i64::MIN, b, i64::MAX));
        assert!(toy.2.as_ref() == Some(text), "text {b} came back as another one");
    }
    assert_eq!(toys.last(), Some(&(i64::MAX, i64::MIN, None, 0)));
    let mut reader = fixture.database.reader().await.unwrap();
    let sums = "SELECT SUM(a), SUM(n), SUM(n) IS NULL FROM toys WHERE b = ? OR a = ?";
    let row = reader.query(sums, &[i64::MIN.into(), i64::MAX.into()]).await.unwrap().remove(0);
    assert_eq!((row.int(0).unwrap(), row.int(1).unwrap(), row.flag(2).unwrap()), (i64::MAX, 0, false));
}

#[tokio::test]
async fn what_is_not_committed_is_undone() {
    let fixture = Fixture::new().await;
    let one = rows([toy(1, 1, "a", 1)]);
    let mut transaction = fixture.database.begin().await.unwrap();
    transaction.insert_rows(&TOYS, &one).await.unwrap();
    assert!(fixture.toys().await.is_empty(), "readers do not see it yet");
    drop(transaction);
    let mut transaction = fixture.database.begin().await.unwrap();
    transaction.insert_rows(&TOYS, &one).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(fixture.toys().await.is_empty());
    fixture.insert(&one).await.unwrap();
    assert_eq!(fixture.toys().await.len(), 1);
}

#[tokio::test]
async fn a_cancelled_task_leaves_no_transaction() {
    let fixture = Fixture::new().await;
    let database = fixture.database.clone();
    let (inserted, until_inserted) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let mut transaction = database.begin().await.unwrap();
        transaction.insert_rows(&TOYS, &rows([toy(1, 1, "a", 1)])).await.unwrap();
        inserted.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    until_inserted.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    fixture.insert(&rows([toy(2, 2, "b", 2)])).await.unwrap();
    assert_eq!(fixture.toys().await.len(), 1);
}

#[tokio::test]
async fn violations_are_told_apart_and_show_no_values() {
    let fixture = Fixture::new().await;
    fixture.insert(&rows([toy(1, 1, "secret", 1)])).await.unwrap();
    let twice = fixture.insert(&rows([toy(1, 1, "secret", 1)])).await.unwrap_err();
    assert_eq!(twice.duplicate(), Some("toys_a_b"));
    assert_eq!(twice.to_string(), "the change violates the constraint \"toys_a_b\"");
    let check = fixture.insert(&rows([toy(2, 1, "secret", -1)])).await.unwrap_err();
    assert!(
        matches!(&check, StoreError::Constraint { violation: Violation::Check, detail, .. } if detail == "toys_n"),
        "{check:?}"
    );
    let error = fixture.refusal("INSERT INTO toys (a, b) VALUES (?, 1)", &[5.into()]).await;
    assert!(matches!(error, StoreError::Constraint { violation: Violation::NotNull, .. }), "{error:?}");
    let mut reader = fixture.database.reader().await.unwrap();
    let error = reader.query("SELECT nonsense", &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "the database refused a statement");
    let error = reader.query("SELECT ?", &["a\0b".into()]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
    let error = reader.query("SELECT 1.5", &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Decode { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_does_not_move_and_readers_cannot_write() {
    let fixture = Fixture::with(Options { readers: 2, ..Options::default() }).await;
    const COUNT: &str = "SELECT count(*) FROM toys";
    let mut reader = fixture.database.reader().await.unwrap();
    reader.begin_snapshot().await.unwrap();
    assert_eq!(reader.query(COUNT, &[]).await.unwrap()[0].int(0).unwrap(), 0);
    assert!(reader.begin_snapshot().await.is_err());
    fixture.insert(&rows([toy(1, 1, "a", 1)])).await.unwrap();
    assert_eq!(reader.query_long(COUNT, &[]).await.unwrap()[0].int(0).unwrap(), 0);
    reader.end_snapshot().await.unwrap();
    assert_eq!(reader.query_dynamic_long(COUNT, &[]).await.unwrap()[0].int(0).unwrap(), 1);
    assert!(reader.query_dynamic_long("DELETE FROM toys", &[]).await.is_err());

    // A snapshot ends with its reader, and a third reader waits for one of two.
    reader.begin_snapshot().await.unwrap();
    assert_eq!(reader.query(COUNT, &[]).await.unwrap()[0].int(0).unwrap(), 1);
    let mut second = fixture.database.reader().await.unwrap();
    second.query(COUNT, &[]).await.unwrap();
    // On a network the connection is taken when it is needed.
    let third = async { fixture.database.reader().await?.query(COUNT, &[]).await };
    let third = tokio::time::timeout(Duration::from_millis(20), third).await;
    assert!(third.is_err(), "all readers are in use");
    drop((reader, second));
    fixture.insert(&rows([toy(2, 2, "b", 2)])).await.unwrap();
    let mut both = [fixture.database.reader().await.unwrap(), fixture.database.reader().await.unwrap()];
    for reader in &mut both {
        assert_eq!(reader.query(COUNT, &[]).await.unwrap()[0].int(0).unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_queries_leave_a_reader_to_quick_ones() {
    let fixture = Fixture::with(Options { readers: 3, ..Options::default() }).await;
    let moment = Duration::from_millis(20);
    let _long =
        [fixture.database.long_reader().await.unwrap(), fixture.database.long_reader().await.unwrap()];
    assert!(tokio::time::timeout(moment, fixture.database.long_reader()).await.is_err(), "it waits");
    let mut quick = fixture.database.reader().await.unwrap();
    assert_eq!(quick.query("SELECT 7", &[]).await.unwrap()[0].int(0).unwrap(), 7);
}

#[tokio::test]
async fn the_schema_is_created_once_and_guards_the_rules() {
    let fixture = Fixture::new().await;
    let applied = fixture.database.migrate(1_000).await.unwrap();
    assert_eq!(
        applied.iter().map(|one| (one.version, one.name)).collect::<Vec<_>>(),
        [
            (1, "initial"),
            (2, "batch_sequence"),
            (3, "products_by_name"),
            (4, "orders_at_scale"),
            (5, "product_search"),
            (6, "sums_of_the_shop"),
            (7, "api_keys"),
            (8, "audit"),
            (9, "holds_and_expiry")
        ]
    );
    assert!(fixture.database.migrate(2_000).await.unwrap().is_empty());

    let mut transaction = fixture.database.begin().await.unwrap();
    let counters = transaction.query("SELECT name FROM counters WHERE next = 1", &[]).await.unwrap();
    assert_eq!(counters.len(), 8);
    const PRODUCT: &str = "INSERT INTO products (id, sku, name, description, search_text, price_cents, is_active, archived_at_us, low_stock_threshold, auto_deactivate, version, created_at_us, updated_at_us) VALUES (?, ?, 'n', '', 'n', ?, 1, NULL, 0, 0, 1, 5, 5)";
    transaction.execute(PRODUCT, &[1.into(), "S".into(), 100.into()]).await.unwrap();
    const LEVEL: &str = "INSERT INTO stock_levels (product_id, location_id, on_hand, allocated, version) VALUES (?, 1, ?, ?, 1)";
    transaction.execute(LEVEL, &[1.into(), 5.into(), 5.into()]).await.unwrap();

    transaction.commit().await.unwrap();

    let same_sku = fixture.refusal(PRODUCT, &[2.into(), "S".into(), 100.into()]).await;
    assert_eq!(same_sku.duplicate(), Some("products_sku"));
    let cheap = fixture.refusal(PRODUCT, &[2.into(), "T".into(), (-1).into()]).await;
    assert!(matches!(cheap, StoreError::Constraint { violation: Violation::Check, .. }), "{cheap:?}");
    const OVERSELL: &str = "UPDATE stock_levels SET allocated = ?, on_hand = ? WHERE product_id = 1";
    for (allocated, on_hand) in [(6, 5), (-1, 5), (0, -1)] {
        let error = fixture.refusal(OVERSELL, &[allocated.into(), on_hand.into()]).await;
        assert!(matches!(error, StoreError::Constraint { violation: Violation::Check, .. }), "{error:?}");
    }
    let orphan = fixture.refusal(LEVEL, &[9.into(), 0.into(), 0.into()]).await;
    assert!(matches!(orphan, StoreError::Constraint { violation: Violation::ForeignKey, .. }), "{orphan:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_writing_go_on_at_the_same_time_on_any_thread() {
    let fixture = Fixture::new().await;
    let writers = (0..8).map(|a| {
        let database = fixture.database.clone();
        tokio::spawn(async move {
            for b in 0..10 {
                let mut transaction = database.begin().await.unwrap();
                transaction.insert_rows(&TOYS, &rows([toy(a, b, "x", 1)])).await.unwrap();
                transaction.commit().await.unwrap();
            }
        })
    });
    let readers = (0..8).map(|_| {
        let database = fixture.database.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let mut reader = database.reader().await.unwrap();
                reader
                    .query("SELECT a FROM toys WHERE a = ? AND b = ?", &[1.into(), 2.into()])
                    .await
                    .unwrap();
                reader.query_long("SELECT sum(n) FROM toys", &[]).await.unwrap();
            }
        })
    });
    for task in writers.chain(readers).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(fixture.toys().await.len(), 80);
}
