//! Several statements as one text, which takes one round trip. Their parameters are written into it.
//!
//! A statement that is prepared spares the server some work, but not as much as waiting for its answer costs: a batch
//! of orders is a dozen statements.

use super::super::lexer::{Piece, pieces};
use super::super::rows::nul_refused;
use super::super::{Cell, Value};
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
    use super::*;

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
