//! Several statements as one text, which takes one round trip. Their parameters are written into it.
//!
//! A statement that is prepared spares the server some work, but not as much as waiting for its answer costs: a batch
//! of orders is a dozen statements.

use super::super::lexer::{Piece, pieces};
use super::super::rows::nul_refused;
use super::super::set::SetStatement;
use super::super::{Cell, Rows, TableRows, Value};
use crate::StoreError;
use std::fmt::Write as _;

/// Appends a statement with its parameters in the places of its `?`.
///
/// # Errors
/// [`StoreError::Misuse`] when there are more or fewer of one than of the other, [`StoreError::Unsupported`] when a
/// text has the character U+0000.
pub(super) fn append(script: &mut String, sql: &str, params: &[Value]) -> Result<(), StoreError> {
    let mismatch = || StoreError::misuse("a statement has another number of parameters than it wants");
    let mut params = params.iter();
    if !script.is_empty() {
        script.push_str(";\n");
    }
    for piece in pieces(sql) {
        match piece {
            Piece::Quoted(verbatim) | Piece::Comment(verbatim) => script.push_str(verbatim),
            Piece::Code(code) => {
                let mut parts = code.split('?');
                script.push_str(parts.next().unwrap_or_default());
                for part in parts {
                    push_literal(script, params.next().ok_or_else(mismatch)?.into())?;
                    script.push_str(part);
                }
            }
        }
    }
    if params.next().is_some() { Err(mismatch()) } else { Ok(()) }
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
        SetStatement::Update(_) | SetStatement::Delete(_) => return Ok(false),
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
    if let SetStatement::Upsert(table) = set {
        push_replacement(script, table);
    }
    Ok(true)
}

/// What becomes of a row whose key is there already. `VALUES(…)` is the one spelling that all servers know.
fn push_replacement(script: &mut String, table: &TableRows) {
    let mut names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    names.retain(|name| !table.key.contains(name));
    if names.is_empty() {
        // Setting the key to itself changes nothing.
        names = table.key.to_vec();
    }
    for (index, name) in names.into_iter().enumerate() {
        script.push_str(if index == 0 { " ON DUPLICATE KEY UPDATE " } else { ", " });
        let _ = write!(script, "{name} = VALUES({name})");
    }
}

/// The session takes UTF-8, where the bytes of quote and backslash are never part of another character, and knows
/// escapes (see `session.rs`).
fn push_literal(out: &mut String, value: Cell<'_>) -> Result<(), StoreError> {
    match value {
        Cell::Null => out.push_str("NULL"),
        // Writing into a String cannot fail. The parentheses keep a minus from following another one.
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
    use super::super::super::Kind;
    use super::*;

    static STOCK: TableRows =
        TableRows { table: "stock", columns: &[("a", Kind::Int), ("note", Kind::Text)], key: &["a"] };
    static SEEN: TableRows = TableRows { table: "seen", columns: &[("a", Kind::Int)], key: &["a"] };

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
