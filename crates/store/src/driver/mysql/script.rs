//! Several statements as one text, which takes one round trip. Their parameters are written into it.
//!
//! A statement that is prepared spares the server some work, but not as much as waiting for its answer costs: a batch
//! of orders is a dozen statements.
//!
//! For a server without `JSON_TABLE` rows are written into the text, too: as literals that are selected one by one.

use super::super::Kind;
use super::super::dialect::{ROWS_MACRO, parse_column};
use super::super::lexer::{Piece, pieces};
use super::super::rows::nul_refused;
use super::super::set::{SetStatement, on_duplicate_key, on_duplicate_key_add};
use super::super::{Cell, Rows, Value};
use crate::StoreError;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Appends a statement with its parameters in the places of its `?`, and of the row sources that were left in it.
///
/// # Errors
/// [`StoreError::Misuse`] when there are more or fewer of one than of the other, or a row source gets no rows,
/// [`StoreError::Unsupported`] when a text has the character U+0000.
pub(super) fn append(script: &mut String, sql: &str, params: &[Value]) -> Result<(), StoreError> {
    let mismatch = || StoreError::misuse("a statement has another number of parameters than it wants");
    let mut params = params.iter();
    if !script.is_empty() {
        script.push_str(";\n");
    }
    for piece in pieces(sql) {
        match piece {
            Piece::Quoted(verbatim) | Piece::Comment(verbatim) => script.push_str(verbatim),
            Piece::Code(mut code) => {
                while let Some(at) = code.find(['?', '{']) {
                    let (before, found) = code.split_at(at);
                    script.push_str(before);
                    let param = params.next().ok_or_else(mismatch)?;
                    code = match found[1..].split_once('}') {
                        Some((source, after)) if found.starts_with('{') => {
                            push_rows(script, source, param)?;
                            after
                        }
                        _ => {
                            push_literal(script, param.into())?;
                            &found[1..]
                        }
                    };
                }
                script.push_str(code);
            }
        }
    }
    if params.next().is_some() { Err(mismatch()) } else { Ok(()) }
}

/// Writes the rows that a parameter holds as a table expression.
fn push_rows(out: &mut String, source: &str, param: &Value) -> Result<(), StoreError> {
    let Some(columns) = source.strip_prefix(ROWS_MACRO) else {
        return Err(StoreError::misuse(format!("{source:?} is not a row source")));
    };
    let columns: Vec<_> = columns.split(',').map(parse_column).collect::<Result<_, _>>()?;
    let Value::Text(json) = param else { return Err(StoreError::misuse("a row source wants rows")) };
    let rows: Vec<Vec<Json>> = serde_json::from_str(json)
        .map_err(|_| StoreError::misuse("a row source wants an array of arrays"))?;
    push_table(out, &columns, &rows)
}

/// `(SELECT CAST(1 AS SIGNED) AS id, 'x' AS name UNION ALL SELECT 2, 'y')`
///
/// The first row gives the columns their names and types. A text is compared as the session's collation wants it, which
/// is that of the tables (see `session.rs`).
fn push_table(out: &mut String, columns: &[(&str, Kind)], rows: &[Vec<Json>]) -> Result<(), StoreError> {
    const NO_ROW: &[Json] = &[];
    let first = rows.first().map_or(NO_ROW, Vec::as_slice);
    for (index, (name, kind)) in columns.iter().enumerate() {
        out.push_str(if index == 0 { "(SELECT " } else { ", " });
        let cell = cell(first.get(index))?;
        let wanted = match (kind, cell) {
            (Kind::Int, _) => Some("SIGNED"),
            (Kind::Text, Cell::Null) => Some("CHAR"),
            (Kind::Text, _) => None,
        };
        out.push_str(if wanted.is_some() { "CAST(" } else { "" });
        push_literal(out, cell)?;
        if let Some(wanted) = wanted {
            let _ = write!(out, " AS {wanted})");
        }
        let _ = write!(out, " AS {name}");
    }
    for row in rows.iter().skip(1) {
        for column in 0..columns.len() {
            out.push_str(if column == 0 { " UNION ALL SELECT " } else { ", " });
            push_literal(out, cell(row.get(column))?)?;
        }
    }
    out.push_str(if rows.is_empty() { " FROM DUAL WHERE 1 = 0)" } else { ")" });
    Ok(())
}

/// As `JSON_TABLE` reads it: what is not a single value is NULL.
fn cell(value: Option<&Json>) -> Result<Cell<'_>, StoreError> {
    match value {
        Some(Json::String(text)) => Ok(Cell::Text(text)),
        Some(Json::Number(number)) => {
            let number = number.as_i64();
            number.map(Cell::Int).ok_or_else(|| StoreError::misuse("rows hold a number beyond 64 bits"))
        }
        _ => Ok(Cell::Null),
    }
}

/// Appends a statement over rows, as far as the server has a form of it that needs no JSON; answers whether it has.
/// New rows as literals take a fourth less of its time than by `JSON_TABLE`; nobody prepares a script, so its text need
/// not be constant.
///
/// # Errors
/// [`StoreError::Unsupported`] when a text has the character U+0000.
pub(super) fn append_set(script: &mut String, set: SetStatement, rows: &Rows) -> Result<bool, StoreError> {
    let table = match set {
        SetStatement::Insert(table) | SetStatement::Upsert(table) => table,
        SetStatement::Add(add) => add.rows,
        SetStatement::Update(_) | SetStatement::Delete(_) | SetStatement::Clear(_) => return Ok(false),
    };
    script.push_str(if script.is_empty() { "INSERT INTO " } else { ";\nINSERT INTO " });
    script.push_str(table.table);
    for (index, (name, _)) in table.columns.iter().enumerate() {
        script.push_str(if index == 0 { " (" } else { ", " });
        script.push_str(name);
    }
    script.push_str(") VALUES ");
    for (row, cells) in rows.iter().enumerate() {
        script.push_str(if row == 0 { "(" } else { ",(" });
        for (column, cell) in cells.enumerate() {
            if column > 0 {
                script.push(',');
            }
            push_literal(script, cell)?;
        }
        script.push(')');
    }
    // `VALUES(…)` is the one word for the new value that all servers know.
    let then = match set {
        SetStatement::Upsert(table) => on_duplicate_key(table, |name| format!("{name} = VALUES({name})")),
        SetStatement::Add(add) => on_duplicate_key_add(add, |name| format!("VALUES({name})")),
        _ => return Ok(true),
    };
    script.push(' ');
    script.push_str(&then);
    Ok(true)
}

/// The session takes UTF-8, where the bytes of quote and backslash are never part of another character, and knows
/// escapes (see `session.rs`).
fn push_literal(out: &mut String, value: Cell<'_>) -> Result<(), StoreError> {
    match value {
        Cell::Null => out.push_str("NULL"),
        // Writing into a String cannot fail. The parentheses keep a minus from following another one.
        // The smallest number has no positive one to be the negative of: as a literal it would be a decimal number.
        Cell::Int(i64::MIN) => _ = write!(out, "({} - 1)", i64::MIN + 1),
        Cell::Int(value) if value < 0 => _ = write!(out, "({value})"),
        Cell::Int(value) => _ = write!(out, "{value}"),
        Cell::Text(text) => {
            out.push('\'');
            let mut copied = 0;
            for (at, byte) in text.bytes().enumerate() {
                match byte {
                    b'\'' | b'\\' => {
                        out.push_str(&text[copied..at]);
                        out.push('\\');
                        copied = at;
                    }
                    0 => return Err(nul_refused()),
                    _ => {}
                }
            }
            out.push_str(&text[copied..]);
            out.push('\'');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::TableRows;
    use super::super::super::set::TALLY;
    use super::*;

    static STOCK: TableRows =
        TableRows { table: "stock", columns: &[("a", Kind::Int), ("note", Kind::Text)], key: &["a"] };
    static NOTES: TableRows = TableRows {
        table: "t",
        columns: &[("id", Kind::Int), ("name", Kind::Text), ("note", Kind::Text)],
        key: &["id"],
    };
    static SEEN: TableRows = TableRows { table: "seen", columns: &[("a", Kind::Int)], key: &["a"] };

    #[test]
    fn numbers_are_added_as_literals() {
        let mut rows = Rows::new();
        rows.push([1.into(), (-2).into(), 3.into(), 4.into()]);
        let mut script = String::new();
        assert!(append_set(&mut script, SetStatement::Add(&TALLY), &rows).unwrap());
        assert_eq!(
            script,
            "INSERT INTO tally (a, n, least, most) VALUES (1,(-2),3,4) ON DUPLICATE KEY UPDATE \
             n = tally.n + VALUES(n), least = LEAST(tally.least, VALUES(least)), \
             most = GREATEST(tally.most, VALUES(most))"
        );
    }

    #[test]
    fn new_rows_are_literals() {
        let mut rows = Rows::new();
        rows.push([(-1).into(), Cell::Null]);
        rows.push([2.into(), "it's \\".into()]);
        let mut script = String::new();
        assert!(append_set(&mut script, SetStatement::Insert(&STOCK), &rows).unwrap());
        assert!(append_set(&mut script, SetStatement::Upsert(&STOCK), &rows).unwrap());
        assert!(append_set(&mut script, SetStatement::Upsert(&SEEN), &Rows::of_ints([7])).unwrap());
        let insert = "INSERT INTO stock (a, note) VALUES ((-1),NULL),(2,'it\\'s \\\\')";
        assert_eq!(
            script,
            format!(
                "{insert};\n{insert} ON DUPLICATE KEY UPDATE note = VALUES(note);\n\
                 INSERT INTO seen (a) VALUES (7) ON DUPLICATE KEY UPDATE a = VALUES(a)"
            )
        );
        let mut rows = Rows::new();
        rows.push([1.into(), "secret\0".into()]);
        assert!(append_set(&mut String::new(), SetStatement::Insert(&STOCK), &rows).is_err());
    }

    #[test]
    fn parameters_are_written_in_their_places() {
        let mut script = String::new();
        append(&mut script, "SELECT '?', ? /* ? */ FROM t WHERE a = ?-- ?\n", &["x".into(), 5.into()])
            .unwrap();
        append(&mut script, "SELECT ?, ?", &[Value::Null, (-5).into()]).unwrap();
        append(&mut script, "COMMIT", &[]).unwrap();
        assert_eq!(script, "SELECT '?', 'x' /* ? */ FROM t WHERE a = 5-- ?\n;\nSELECT NULL, (-5);\nCOMMIT");
        for (sql, params) in
            [("SELECT ?", &[][..]), ("SELECT ?", &[1.into(), 2.into()]), ("SELECT 1", &[3.into()])]
        {
            assert!(
                matches!(append(&mut String::new(), sql, params), Err(StoreError::Misuse { .. })),
                "{sql}"
            );
        }
    }

    fn written(sql: &str, rows: &Rows) -> String {
        let mut script = String::new();
        append(&mut script, sql, &[rows.to_value().unwrap()]).unwrap();
        script
    }

    #[test]
    fn rows_are_written_out() {
        let mut rows = Rows::new();
        rows.push([Cell::Null, "it's {?}".into(), Cell::Null]);
        rows.push([i64::MIN.into(), Cell::Null, "\\".into()]);
        rows.push([7.into(), "é\n".into(), "\"".into()]);
        let sql = "SELECT r.id FROM {rows:id int, name text, note text} r -- {x}\nWHERE r.id > 0";
        assert_eq!(
            written(sql, &rows),
            "SELECT r.id FROM (SELECT CAST(NULL AS SIGNED) AS id, 'it\\'s {?}' AS name, CAST(NULL AS CHAR) AS note \
             UNION ALL SELECT (-9223372036854775807 - 1), NULL, '\\\\' \
             UNION ALL SELECT 7, 'é\n', '\"') r -- {x}\nWHERE r.id > 0"
        );
        let mut script = String::new();
        assert!(append_set(&mut script, SetStatement::Insert(&NOTES), &rows).unwrap());
        assert_eq!(
            script,
            "INSERT INTO t (id, name, note) VALUES (NULL,'it\\'s {?}',NULL),\
             ((-9223372036854775807 - 1),NULL,'\\\\'),(7,'é\n','\"')"
        );
        assert_eq!(
            written("SELECT r.id FROM {rows:id int, name text} r", &Rows::new()),
            "SELECT r.id FROM (SELECT CAST(NULL AS SIGNED) AS id, CAST(NULL AS CHAR) AS name \
             FROM DUAL WHERE 1 = 0) r"
        );
        let mut script = String::new();
        append(
            &mut script,
            "SELECT ? FROM {rows:id int} r WHERE r.id < ?",
            &[1.into(), Rows::of_ints([2, 3]).to_value().unwrap(), 4.into()],
        )
        .unwrap();
        assert_eq!(
            script,
            "SELECT 1 FROM (SELECT CAST(2 AS SIGNED) AS id UNION ALL SELECT 3) r WHERE r.id < 4"
        );
    }

    #[test]
    fn what_are_no_rows_is_not_written() {
        let sql = "SELECT 1 FROM {rows:id int} r";
        for params in [
            vec![],
            vec![1.into()],
            vec!["x".into()],
            vec!["[1]".into()],
            vec!["[[18446744073709551615]]".into()],
        ] {
            let error = append(&mut String::new(), sql, &params).unwrap_err();
            assert!(matches!(error, StoreError::Misuse { .. }), "{params:?}: {error:?}");
        }
        let rows = Value::from("[]");
        for sql in ["{int}", "{rows:id}", "SELECT 1"] {
            let error = append(&mut String::new(), sql, std::slice::from_ref(&rows)).unwrap_err();
            assert!(matches!(error, StoreError::Misuse { .. }), "{sql}: {error:?}");
        }
        let error =
            append(&mut String::new(), "{rows:name text} r", &[r#"[["\u0000"]]"#.into()]).unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
    }

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        for (text, literal) in [
            ("", "''"),
            ("it's", r"'it\'s'"),
            (r"\", r"'\\'"),
            (r"\' OR 1=1; --", r"'\\\' OR 1=1; --'"),
            ("é'\u{10ffff}\\\n", "'é\\'\u{10ffff}\\\\\n'"),
            (r#"["a\"?"]"#, r#"'["a\\"?"]'"#),
        ] {
            let mut script = String::new();
            append(&mut script, "?", &[text.into()]).unwrap();
            assert_eq!(script, literal);
        }
        assert!(matches!(
            append(&mut String::new(), "?", &["\0".into()]),
            Err(StoreError::Unsupported { .. })
        ));
    }
}
