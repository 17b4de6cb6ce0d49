//! What the three databases call the same thing.
//!
//! SQL above the driver is one text with `?` placeholders and these macros:
//!
//! | macro | meaning |
//! |---|---|
//! | `{rows:a int, b text}` | rows that travel as one JSON parameter ([`Rows`](super::Rows)), or written out for servers that cannot read it; the caller gives the alias |
//! | `{for update}` | lock what is selected (nothing on SQLite, where the whole transaction holds the lock) |
//! | `{id}` | a 64-bit primary key |
//! | `{int}` `{text}` | the two types |
//! | `{key N}` | a text of at most N characters that may be indexed |
//! | `{prefix N}` | behind a column in an index: so many characters of a `{text}` are enough (all of it on databases that index whole texts) |
//! | `{and id}` | the last column of an index that ends with the primary key; SQLite puts it there by itself |
//! | `{end}` | what follows the closing parenthesis of a table |
//! | `{generated}` | behind the expression of a generated column: kept in the row where no index could have it otherwise (PostgreSQL) or its index could not be relied on (MariaDB), computed where no column can be kept that is added later (SQLite) or need not be (MySQL) |
//! | `{via NAME}` | behind the alias of a table: its rows are found by the index of this name, or by `id` (SQLite and MySQL; PostgreSQL has statistics and takes no advice) |
//! | `{straight join}` | a join that begins with the table on its left (likewise) |
//! | `{div}` | between two integers: their quotient, rounded towards 0 |
//! | `{clustered}` | the same for a table whose primary key is the order of its rows |
//! | `{as text}` | behind the parameter that an id is compared with in a pair: lets SQLite see in the index of the other column, which it ends with the id, a stretch by both |
//! | `{mysql}` `{not mysql}` `{sqlite}` | before a statement of a migration: only on MySQL and MariaDB, only on the others, or only on SQLite |

use super::lexer::{Piece, pieces};
use crate::StoreError;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The language a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, in a file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A 64-bit integer.
    Int,
    /// A text.
    Text,
}

/// How rows reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowSource {
    /// As one parameter, which the server takes apart.
    Json,
    /// Written into the text, for servers of MySQL's language that have no `JSON_TABLE`. The macro stays in the text
    /// until the rows are known (see `mysql/script.rs`).
    Literals,
}

/// Texts compare by code point, and a space at their end counts as on the other databases: `utf8mb4_bin` would take
/// `'a'` and `'a '` for the same key. The collation that does so has a name in MySQL and another in MariaDB. Each reads
/// its own: `/*!50717` is code for MySQL from 5.7.17 on, but not for MariaDB, which passes over 5.7 to 5.9; `/*M!` is
/// code for MariaDB alone.
const MYSQL_TABLE: &str = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
     /*!50717 COLLATE=utf8mb4_0900_bin */ /*M!100200 COLLATE=utf8mb4_nopad_bin */";

/// MariaDB would give texts in rows the character set of the database, MySQL gives them that of the connection.
const MYSQL_ROW_TEXT: &str = "/*M!100600 CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin */";

/// What a row source begins with.
pub(super) const ROWS_MACRO: &str = "rows:";

impl Kind {
    /// The word a `{rows:…}` source uses for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Text => "text",
        }
    }
}

impl Dialect {
    /// SQL as this database wants it: macros expanded, placeholders numbered where it needs that.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] for an unknown or unfinished macro.
    pub fn expand<'a>(self, sql: &'a str) -> Result<Cow<'a, str>, StoreError> {
        self.expand_with(sql, RowSource::Json)
    }

    /// Whether a statement of a migration is for this database; see `{mysql}`.
    pub(super) fn wants(self, statement: &str) -> bool {
        let is_for = |word| statement.starts_with(word);
        match self {
            Self::Sqlite => !is_for("{mysql}"),
            Self::Postgres => !is_for("{mysql}") && !is_for("{sqlite}"),
            Self::MySql => !is_for("{not mysql}") && !is_for("{sqlite}"),
        }
    }

    /// The same for a server that rows reach in this way.
    pub(super) fn expand_with<'a>(
        self,
        sql: &'a str,
        row_source: RowSource,
    ) -> Result<Cow<'a, str>, StoreError> {
        if !sql.contains('{') && (self != Self::Postgres || !sql.contains('?')) {
            return Ok(Cow::Borrowed(sql));
        }
        let text = String::with_capacity(sql.len() * 2);
        let mut out = Expansion { dialect: self, row_source, text, parameters: 0 };
        for piece in pieces(sql) {
            match piece {
                Piece::Quoted(verbatim) | Piece::Comment(verbatim) => out.text.push_str(verbatim),
                Piece::Code(code) => out.code(code)?,
            }
        }
        Ok(Cow::Owned(out.text))
    }
}

struct Expansion {
    dialect: Dialect,
    row_source: RowSource,
    text: String,
    parameters: u32,
}

impl Expansion {
    fn code(&mut self, mut code: &str) -> Result<(), StoreError> {
        while let Some(at) = code.find(['?', '{']) {
            let (before, found) = code.split_at(at);
            self.text.push_str(before);
            code = &found[1..];
            if found.starts_with('?') {
                self.placeholder();
            } else {
                let Some((name, after)) = code.split_once('}') else {
                    return Err(StoreError::misuse("a macro in SQL is not closed"));
                };
                self.expand_macro(name.trim())?;
                code = after;
            }
        }
        self.text.push_str(code);
        Ok(())
    }

    fn placeholder(&mut self) {
        self.parameters += 1;
        if self.dialect == Dialect::Postgres {
            // Writing into a String cannot fail.
            let _ = write!(self.text, "${}", self.parameters);
        } else {
            self.text.push('?');
        }
    }

    fn expand_macro(&mut self, name: &str) -> Result<(), StoreError> {
        use Dialect::{MySql, Postgres, Sqlite};
        let text = match (name, self.dialect) {
            ("id", Sqlite) => "INTEGER PRIMARY KEY",
            ("id", Postgres | MySql) => "BIGINT PRIMARY KEY",
            ("int", Sqlite) => "INTEGER",
            ("int", Postgres | MySql) => "BIGINT",
            ("text", Sqlite) => "TEXT",
            // Texts compare by code point everywhere.
            ("text", Postgres) => "TEXT COLLATE \"C\"",
            ("text", MySql) => "LONGTEXT",
            ("end", Sqlite) => "STRICT",
            ("clustered", Sqlite) => "WITHOUT ROWID, STRICT",
            ("end" | "clustered", Postgres) | ("for update", Sqlite) => "",
            ("end" | "clustered", MySql) => MYSQL_TABLE,
            ("for update", Postgres | MySql) => "FOR UPDATE",
            ("generated", Sqlite) => "VIRTUAL",
            ("generated", Postgres) => "STORED",
            // MariaDB (10.11), reading along an index of a virtual column while others write, leaves rows out. To the others,
            // who read this as a comment, it is a virtual one: TiDB can add no other.
            ("generated", MySql) => "/*M!100200 STORED */",
            ("straight join", Sqlite) => "CROSS JOIN",
            ("straight join", Postgres) => "JOIN",
            ("straight join", MySql) => "STRAIGHT_JOIN",
            ("via id", Sqlite) => "NOT INDEXED",
            ("via id", MySql) => "FORCE INDEX (PRIMARY)",
            ("div", Sqlite | Postgres) => "/",
            // There, / makes a decimal number.
            ("div", MySql) => "DIV",
            ("and id", Sqlite) => "",
            ("and id", Postgres | MySql) => ", id",
            // Otherwise it finds that id and parameter compare by no collation, unlike the columns of an index.
            ("as text", Sqlite) => " COLLATE BINARY",
            ("as text", Postgres | MySql) => "",
            ("mysql", MySql) | ("not mysql", Sqlite | Postgres) | ("sqlite", Sqlite) => "",
            _ => return self.macro_with_argument(name),
        };
        self.text.push_str(text);
        Ok(())
    }

    fn macro_with_argument(&mut self, name: &str) -> Result<(), StoreError> {
        if self.row_source == RowSource::Literals && name.starts_with(ROWS_MACRO) {
            let _ = write!(self.text, "{{{name}}}");
            return Ok(());
        }
        if let Some(columns) = name.strip_prefix(ROWS_MACRO) {
            return self.rows(columns);
        }
        if let Some(index) = name.strip_prefix("via ") {
            let _ = match self.dialect {
                Dialect::Sqlite => write!(self.text, "INDEXED BY {index}"),
                Dialect::Postgres => Ok(()),
                Dialect::MySql => write!(self.text, "FORCE INDEX ({index})"),
            };
            return Ok(());
        }
        let unknown = || StoreError::misuse(format!("there is no SQL macro {name:?}"));
        let (word, length) = name.split_once(' ').ok_or_else(unknown)?;
        let length: u32 = length.trim().parse().map_err(|_| unknown())?;
        let _ = match (word, self.dialect) {
            ("key", Dialect::Sqlite) => write!(self.text, "TEXT"),
            ("key", Dialect::Postgres) => write!(self.text, "VARCHAR({length}) COLLATE \"C\""),
            ("key", Dialect::MySql) => write!(self.text, "VARCHAR({length})"),
            ("prefix", Dialect::Sqlite | Dialect::Postgres) => Ok(()),
            ("prefix", Dialect::MySql) => write!(self.text, "({length})"),
            _ => return Err(unknown()),
        };
        Ok(())
    }

    /// A table expression over the array of arrays in the next parameter.
    fn rows(&mut self, columns: &str) -> Result<(), StoreError> {
        self.text.push_str(match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => "(SELECT ",
            Dialect::MySql => "JSON_TABLE(",
        });
        if self.dialect == Dialect::MySql {
            self.placeholder();
            self.text.push_str(", '$[*]' COLUMNS(");
        }
        for (index, column) in columns.split(',').enumerate() {
            let (name, kind) = parse_column(column)?;
            if index > 0 {
                self.text.push_str(", ");
            }
            let _ = match (self.dialect, kind) {
                (Dialect::Sqlite, _) => write!(self.text, "value->>{index} AS {name}"),
                (Dialect::Postgres, Kind::Int) => write!(self.text, "(e->>{index})::bigint AS {name}"),
                (Dialect::Postgres, Kind::Text) => write!(self.text, "e->>{index} AS {name}"),
                (Dialect::MySql, Kind::Int) => write!(self.text, "{name} BIGINT PATH '$[{index}]'"),
                (Dialect::MySql, Kind::Text) => {
                    write!(self.text, "{name} LONGTEXT {MYSQL_ROW_TEXT} PATH '$[{index}]'")
                }
            };
        }
        match self.dialect {
            // The binary form: json_each would print each row as JSON again for every column (twice as slow).
            Dialect::Sqlite => {
                self.text.push_str(" FROM jsonb_each(");
                self.placeholder();
                self.text.push_str("))");
            }
            Dialect::Postgres => {
                self.text.push_str(" FROM jsonb_array_elements(");
                self.placeholder();
                self.text.push_str("::jsonb) e)");
            }
            Dialect::MySql => self.text.push_str("))"),
        }
        Ok(())
    }
}

/// Name and type out of `name int` or `name text`.
pub(super) fn parse_column(column: &str) -> Result<(&str, Kind), StoreError> {
    let mut words = column.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(name), Some("int"), None) => Ok((name, Kind::Int)),
        (Some(name), Some("text"), None) => Ok((name, Kind::Text)),
        _ => Err(StoreError::misuse(format!("{column:?} is not a column of a row source"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, sqlite: &str, postgres: &str, mysql: &str) {
        assert_eq!(Dialect::Sqlite.expand(sql).unwrap(), sqlite);
        assert_eq!(Dialect::Postgres.expand(sql).unwrap(), postgres);
        assert_eq!(Dialect::MySql.expand(sql).unwrap(), mysql);
    }

    #[test]
    fn placeholders_are_numbered_for_postgres_alone() {
        check(
            "SELECT '?', \"?\" FROM t WHERE a = ? /* ? */ AND b IN (?, ?) -- ?",
            "SELECT '?', \"?\" FROM t WHERE a = ? /* ? */ AND b IN (?, ?) -- ?",
            "SELECT '?', \"?\" FROM t WHERE a = $1 /* ? */ AND b IN ($2, $3) -- ?",
            "SELECT '?', \"?\" FROM t WHERE a = ? /* ? */ AND b IN (?, ?) -- ?",
        );
    }

    #[test]
    fn a_row_source_is_one_parameter() {
        check(
            "SELECT r.id FROM t JOIN {rows:id int, name text} r ON t.id = r.id WHERE t.x = ? {for update}",
            "SELECT r.id FROM t JOIN (SELECT value->>0 AS id, value->>1 AS name FROM jsonb_each(?)) r \
             ON t.id = r.id WHERE t.x = ? ",
            "SELECT r.id FROM t JOIN (SELECT (e->>0)::bigint AS id, e->>1 AS name \
             FROM jsonb_array_elements($1::jsonb) e) r ON t.id = r.id WHERE t.x = $2 FOR UPDATE",
            "SELECT r.id FROM t JOIN JSON_TABLE(?, '$[*]' COLUMNS(id BIGINT PATH '$[0]', \
             name LONGTEXT /*M!100600 CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin */ PATH '$[1]')) r ON t.id = r.id WHERE t.x = ? FOR UPDATE",
        );
    }

    #[test]
    fn rows_that_are_to_be_written_out_wait_for_their_values() {
        let expand = |sql| Dialect::MySql.expand_with(sql, RowSource::Literals).map(Cow::into_owned);
        let sql = "SELECT id FROM t WHERE id IN (SELECT r.id FROM { rows:id int } r) AND a = ? {for update}";
        assert_eq!(
            expand(sql).unwrap(),
            "SELECT id FROM t WHERE id IN (SELECT r.id FROM {rows:id int} r) AND a = ? FOR UPDATE"
        );
        assert!(matches!(expand("{nothing}"), Err(StoreError::Misuse { .. })));
    }

    #[test]
    fn tables_have_three_spellings() {
        check(
            "CREATE TABLE t (id {id}, k {key 16} NOT NULL, n {int}, x {text}) {end}",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT NOT NULL, n INTEGER, x TEXT) STRICT",
            "CREATE TABLE t (id BIGINT PRIMARY KEY, k VARCHAR(16) COLLATE \"C\" NOT NULL, n BIGINT, \
             x TEXT COLLATE \"C\") ",
            "CREATE TABLE t (id BIGINT PRIMARY KEY, k VARCHAR(16) NOT NULL, n BIGINT, x LONGTEXT) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             /*!50717 COLLATE=utf8mb4_0900_bin */ /*M!100200 COLLATE=utf8mb4_nopad_bin */",
        );
        check(
            "CREATE TABLE t (a {int}, PRIMARY KEY (a)) {clustered}",
            "CREATE TABLE t (a INTEGER, PRIMARY KEY (a)) WITHOUT ROWID, STRICT",
            "CREATE TABLE t (a BIGINT, PRIMARY KEY (a)) ",
            "CREATE TABLE t (a BIGINT, PRIMARY KEY (a)) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             /*!50717 COLLATE=utf8mb4_0900_bin */ /*M!100200 COLLATE=utf8mb4_nopad_bin */",
        );
    }

    #[test]
    fn an_index_has_a_part_of_a_text_where_it_cannot_have_all() {
        check(
            "CREATE INDEX i ON t (x {prefix 200})",
            "CREATE INDEX i ON t (x )",
            "CREATE INDEX i ON t (x )",
            "CREATE INDEX i ON t (x (200))",
        );
    }

    #[test]
    fn a_query_may_say_how_to_go_about_it() {
        check(
            "SELECT 1 FROM a x {via a_by_b} {straight join} c y {via id} ON x.b = y.id",
            "SELECT 1 FROM a x INDEXED BY a_by_b CROSS JOIN c y NOT INDEXED ON x.b = y.id",
            "SELECT 1 FROM a x  JOIN c y  ON x.b = y.id",
            "SELECT 1 FROM a x FORCE INDEX (a_by_b) STRAIGHT_JOIN c y FORCE INDEX (PRIMARY) ON x.b = y.id",
        );
    }

    #[test]
    fn what_is_computed_is_kept_where_it_must_be() {
        check(
            "ALTER TABLE t ADD COLUMN b {int} GENERATED ALWAYS AS (a {div} 2) {generated}",
            "ALTER TABLE t ADD COLUMN b INTEGER GENERATED ALWAYS AS (a / 2) VIRTUAL",
            "ALTER TABLE t ADD COLUMN b BIGINT GENERATED ALWAYS AS (a / 2) STORED",
            "ALTER TABLE t ADD COLUMN b BIGINT GENERATED ALWAYS AS (a DIV 2) /*M!100200 STORED */",
        );
    }

    #[test]
    fn an_index_ends_with_the_primary_key() {
        let with_id = "CREATE INDEX i ON t (a, id)";
        check("CREATE INDEX i ON t (a{and id})", "CREATE INDEX i ON t (a)", with_id, with_id);
    }

    #[test]
    fn a_statement_may_be_for_some_databases_alone() {
        let all = ["{mysql} DROP INDEX i ON t", "{not mysql} DROP INDEX i", "{sqlite} REINDEX i"];
        for (dialect, expected) in [
            (Dialect::Sqlite, &[" DROP INDEX i", " REINDEX i"][..]),
            (Dialect::Postgres, &[" DROP INDEX i"]),
            (Dialect::MySql, &[" DROP INDEX i ON t"]),
        ] {
            let wanted = all.into_iter().filter(|sql| dialect.wants(sql));
            let wanted: Vec<_> = wanted.map(|sql| dialect.expand(sql).unwrap()).collect();
            assert_eq!(wanted, expected);
        }
    }

    #[test]
    fn a_pair_is_compared_as_an_index_has_it() {
        let plain = "SELECT 1 FROM t WHERE (a, id) > (?, ?)";
        check(
            "SELECT 1 FROM t WHERE (a, id) > (?, ?{as text})",
            "SELECT 1 FROM t WHERE (a, id) > (?, ? COLLATE BINARY)",
            "SELECT 1 FROM t WHERE (a, id) > ($1, $2)",
            plain,
        );
    }

    #[test]
    fn braces_in_literals_are_text() {
        check("SELECT '{int}'", "SELECT '{int}'", "SELECT '{int}'", "SELECT '{int}'");
    }

    #[test]
    fn mistakes_are_told() {
        for sql in [
            "{nothing}",
            "{key}",
            "{key x}",
            "{prefix}",
            "{suffix 5}",
            "{rows:a}",
            "{rows:a float}",
            "{values:a int}",
            "SELECT {int",
        ] {
            assert!(matches!(Dialect::Sqlite.expand(sql), Err(StoreError::Misuse { .. })), "{sql}");
        }
    }
}
