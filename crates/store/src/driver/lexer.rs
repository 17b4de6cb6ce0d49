//! Just enough of SQL's lexis to know what is code and what is a quoted text or a comment.

/// A stretch of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Neither quoted nor a comment.
    Code(&'a str),
    /// A literal or a quoted name with its quotes. A doubled quote makes two adjacent pieces of one literal.
    Quoted(&'a str),
    /// `-- …` without its line end, or `/* … */`.
    Comment(&'a str),
}

/// Cuts SQL into pieces that, put together, are the text again.
///
/// A backslash in a literal means itself, as in SQLite and PostgreSQL; MySQL reads it differently, so our SQL has none.
pub(super) fn pieces<'a>(sql: &'a str) -> impl Iterator<Item = Piece<'a>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (make, length): (fn(&'a str) -> Piece<'a>, usize) = match rest.as_bytes() {
            [quote @ (b'\'' | b'"' | b'`'), tail @ ..] => {
                (Piece::Quoted, tail.iter().position(|byte| byte == quote).map_or(rest.len(), |at| at + 2))
            }
            [b'-', b'-', ..] => (Piece::Comment, rest.find('\n').unwrap_or(rest.len())),
            [b'/', b'*', ..] => (Piece::Comment, rest[2..].find("*/").map_or(rest.len(), |at| at + 4)),
            _ => (Piece::Code, code_length(rest)),
        };
        let (piece, tail) = rest.split_at(length);
        rest = tail;
        Some(make(piece))
    })
}

fn code_length(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    bytes
        .iter()
        .enumerate()
        .position(|(at, byte)| match byte {
            b'\'' | b'"' | b'`' => true,
            b'-' => bytes.get(at + 1) == Some(&b'-'),
            b'/' => bytes.get(at + 1) == Some(&b'*'),
            _ => false,
        })
        .unwrap_or(bytes.len())
}

/// The statements of a script, without comments, empty ones left out.
pub(super) fn statements(script: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    let mut finish = |current: &mut String| {
        let statement = current.trim();
        if !statement.is_empty() {
            all.push(statement.to_owned());
        }
        current.clear();
    };
    for piece in pieces(script) {
        match piece {
            Piece::Comment(_) => current.push(' '),
            Piece::Quoted(text) => current.push_str(text),
            Piece::Code(code) => {
                let mut parts = code.split(';');
                current.push_str(parts.next().unwrap_or_default());
                for part in parts {
                    finish(&mut current);
                    current.push_str(part);
                }
            }
        }
    }
    finish(&mut current);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_tell_code_from_literals_and_comments() {
        let sql = "a ->> 'it''s; ?' -- note; 'x\n/* ; */ - \"n;\" / `m`";
        let found: Vec<_> = pieces(sql).collect();
        assert_eq!(
            found,
            [
                Piece::Code("a ->> "),
                Piece::Quoted("'it'"),
                Piece::Quoted("'s; ?'"),
                Piece::Code(" "),
                Piece::Comment("-- note; 'x"),
                Piece::Code("\n"),
                Piece::Comment("/* ; */"),
                Piece::Code(" - "),
                Piece::Quoted("\"n;\""),
                Piece::Code(" / "),
                Piece::Quoted("`m`"),
            ]
        );
    }

    #[test]
    fn what_is_not_closed_goes_to_the_end() {
        assert_eq!(pieces("'a;").collect::<Vec<_>>(), [Piece::Quoted("'a;")]);
        assert_eq!(pieces("/* a").collect::<Vec<_>>(), [Piece::Comment("/* a")]);
        assert_eq!(pieces("'é").collect::<Vec<_>>(), [Piece::Quoted("'é")]);
    }

    #[test]
    fn a_script_is_split_at_semicolons_that_are_code() {
        let script = "-- one; two\nSELECT ';', 'it''s'; ; /* ; */\nSELECT 2 -- last\n;\n";
        assert_eq!(statements(script), ["SELECT ';', 'it''s'", "SELECT 2"]);
        assert!(statements(" -- nothing\n").is_empty());
    }
}
