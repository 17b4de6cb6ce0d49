//! Statements over many rows at once: one constant text per table and database, whatever the number of rows.

use super::dialect::RowSource;
use super::{Dialect, Kind, Rows};
use crate::StoreError;

/// A column and its type.
pub type Column = (&'static str, Kind);

/// Rows to be inserted into a table, or to replace what has the same key.
#[derive(Debug)]
pub struct TableRows {
    /// The table.
    pub table: &'static str,
    /// The columns of the rows, in their order.
    pub columns: &'static [Column],
    /// The columns of the primary key, as many as it has. Only an upsert asks for them.
    pub key: &'static [&'static str],
}

/// Rows to be updated. A row holds the key columns first and the new values after them.
#[derive(Debug)]
pub struct UpdateRows {
    /// The table.
    pub table: &'static str,
    /// What identifies a row: the primary key, or what begins with it.
    pub key: &'static [Column],
    /// The columns that are set.
    pub set: &'static [Column],
}

/// Rows to be deleted, given by their keys.
#[derive(Debug)]
pub struct DeleteRows {
    /// The table.
    pub table: &'static str,
    /// The columns of a key.
    pub key: &'static [Column],
}

/// Rows whose numbers are added to those of the row with the same key. All columns are numbers but those of the key.
#[derive(Debug)]
pub struct AddRows {
    /// The table.
    pub rows: &'static TableRows,
    /// The columns of which the smaller value is kept.
    pub least: &'static [&'static str],
    /// The columns of which the greater value is kept.
    pub greatest: &'static [&'static str],
    /// The column that counts what was added: at 0 the row tells nothing any more.
    pub count: &'static str,
}

impl AddRows {
    /// The columns of the key, in the order of the columns.
    fn key(&self) -> impl Iterator<Item = &'static Column> {
        self.rows.columns.iter().filter(|(name, _)| self.rows.key.contains(name))
    }

    /// What a column is set to where the key exists, given the name of the new value.
    fn merged(&self, name: &str, new: &str, dialect: Dialect) -> String {
        let old = format!("{}.{name}", self.rows.table);
        let (least, greatest) =
            if dialect == Dialect::Sqlite { ("MIN", "MAX") } else { ("LEAST", "GREATEST") };
        if self.least.contains(&name) {
            format!("{name} = {least}({old}, {new})")
        } else if self.greatest.contains(&name) {
            format!("{name} = {greatest}({old}, {new})")
        } else {
            format!("{name} = {old} + {new}")
        }
    }
}

/// A set statement: what to do with which rows. Two with the same address of the description are the same.
#[derive(Debug, Clone, Copy)]
pub(super) enum SetStatement {
    Insert(&'static TableRows),
    Upsert(&'static TableRows),
    Add(&'static AddRows),
    Clear(&'static AddRows),
    Update(&'static UpdateRows),
    Delete(&'static DeleteRows),
}

impl SetStatement {
    /// What tells this statement from every other, without looking at its text.
    pub(super) fn identity(self) -> (usize, u8) {
        match self {
            Self::Insert(rows) => (std::ptr::from_ref(rows).addr(), 0),
            Self::Upsert(rows) => (std::ptr::from_ref(rows).addr(), 1),
            Self::Update(rows) => (std::ptr::from_ref(rows).addr(), 2),
            Self::Delete(rows) => (std::ptr::from_ref(rows).addr(), 3),
            Self::Add(rows) => (std::ptr::from_ref(rows).addr(), 4),
            Self::Clear(rows) => (std::ptr::from_ref(rows).addr(), 5),
        }
    }

    /// How many columns a row must have.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Insert(rows) | Self::Upsert(rows) => rows.columns.len(),
            Self::Add(rows) => rows.rows.columns.len(),
            Self::Clear(rows) => rows.rows.key.len(),
            Self::Update(rows) => rows.key.len() + rows.set.len(),
            Self::Delete(rows) => rows.key.len(),
        }
    }

    /// The statement in one dialect. Its only parameter is the rows.
    pub(super) fn sql(self, dialect: Dialect, row_source: RowSource) -> Result<String, StoreError> {
        let sql = match self {
            Self::Insert(rows) => insert(rows),
            Self::Upsert(rows) => upsert(rows, dialect),
            Self::Add(rows) => add(rows, dialect),
            Self::Clear(rows) => clear(rows, dialect),
            Self::Update(rows) => update(rows, dialect),
            Self::Delete(rows) => delete(rows, dialect),
        };
        Ok(dialect.expand_with(&sql, row_source)?.into_owned())
    }
}

/// Statements over rows, to be run in their order: on a database on a network in one round trip, if it can do that.
#[derive(Debug, Default)]
pub struct Sets {
    all: Vec<(SetStatement, Rows)>,
}

impl Sets {
    /// Nothing to do yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts the rows, in their order.
    pub fn insert(&mut self, table: &'static TableRows, rows: Rows) {
        self.push(SetStatement::Insert(table), rows);
    }

    /// Inserts the rows; one whose key exists already replaces the other columns there. A key may come once.
    pub fn upsert(&mut self, table: &'static TableRows, rows: Rows) {
        self.push(SetStatement::Upsert(table), rows);
    }

    /// Inserts the rows; the numbers of one whose key exists already are added to those there. A key may come once.
    pub fn add(&mut self, table: &'static AddRows, rows: Rows) {
        self.push(SetStatement::Add(table), rows);
    }

    /// Deletes those of the rows with these keys that count nothing any more.
    pub fn clear(&mut self, table: &'static AddRows, keys: Rows) {
        self.push(SetStatement::Clear(table), keys);
    }

    /// Updates the rows with these keys, which must all be there. A key may come once.
    pub fn update(&mut self, table: &'static UpdateRows, rows: Rows) {
        self.push(SetStatement::Update(table), rows);
    }

    /// Deletes the rows with these keys, as far as they are there.
    pub fn delete(&mut self, table: &'static DeleteRows, rows: Rows) {
        self.push(SetStatement::Delete(table), rows);
    }

    /// No rows, no statement.
    fn push(&mut self, statement: SetStatement, rows: Rows) {
        if !rows.is_empty() {
            self.all.push((statement, rows));
        }
    }

    pub(super) fn borrowed(&self) -> Vec<(SetStatement, &Rows)> {
        self.all.iter().map(|(statement, rows)| (*statement, rows)).collect()
    }

    /// Whether as many rows were updated as must have been: one that is missing is damage that must not grow.
    pub(super) fn check_affected(&self, affected: &[u64]) -> Result<(), StoreError> {
        for ((statement, rows), affected) in self.all.iter().zip(affected) {
            if let SetStatement::Update(UpdateRows { table, .. }) = statement
                && usize::try_from(*affected) != Ok(rows.len())
            {
                return Err(StoreError::decode(format!(
                    "{affected} rows of the table {table} are there, not {}",
                    rows.len()
                )));
            }
        }
        Ok(())
    }
}

/// The same for SQLite and one row at a time, whose values are the parameters 1, 2, … in their order.
pub(super) fn single_sql(statement: SetStatement) -> String {
    let placeholders = |columns: std::ops::Range<usize>| {
        columns.map(|index| format!("?{}", index + 1)).collect::<Vec<_>>().join(", ")
    };
    let equal = |columns: &'static [Column], first: usize, separator: &str| {
        let all: Vec<_> =
            names(columns).zip(first + 1..).map(|(name, at)| format!("{name} = ?{at}")).collect();
        all.join(separator)
    };
    let insert = |rows: &TableRows| {
        let columns = list(names(rows.columns), ", ", str::to_owned);
        format!("INSERT INTO {} ({columns}) VALUES ({})", rows.table, placeholders(0..rows.columns.len()))
    };
    match statement {
        SetStatement::Insert(rows) => insert(rows),
        SetStatement::Upsert(rows) => insert(rows) + &on_conflict(rows),
        SetStatement::Add(add) => insert(add.rows) + &on_conflict_add(add, Dialect::Sqlite),
        SetStatement::Update(rows) => format!(
            "UPDATE {} SET {} WHERE {}",
            rows.table,
            equal(rows.set, rows.key.len(), ", "),
            equal(rows.key, 0, " AND "),
        ),
        SetStatement::Delete(rows) => {
            format!("DELETE FROM {} WHERE {}", rows.table, equal(rows.key, 0, " AND "))
        }
        SetStatement::Clear(add) => {
            let key: Vec<_> = add.key().zip(1..).map(|((name, _), at)| format!("{name} = ?{at}")).collect();
            format!("DELETE FROM {} WHERE {} AND {} = 0", add.rows.table, key.join(" AND "), add.count)
        }
    }
}

/// What SQLite and PostgreSQL do with a row whose key exists.
fn on_conflict(rows: &TableRows) -> String {
    let key = rows.key.join(", ");
    let values: Vec<_> = values(rows).collect();
    if values.is_empty() {
        return format!(" ON CONFLICT ({key}) DO NOTHING");
    }
    let set = list(values, ", ", |name| format!("{name} = excluded.{name}"));
    format!(" ON CONFLICT ({key}) DO UPDATE SET {set}")
}

/// What SQLite and PostgreSQL do with a row whose numbers are to be added.
fn on_conflict_add(add: &AddRows, dialect: Dialect) -> String {
    let set = list(values(add.rows), ", ", |name| add.merged(name, &format!("excluded.{name}"), dialect));
    format!(" ON CONFLICT ({}) DO UPDATE SET {set}", add.rows.key.join(", "))
}

/// The columns that are not of the key.
fn values(rows: &TableRows) -> impl Iterator<Item = &'static str> {
    names(rows.columns).filter(|name| !rows.key.contains(name))
}

/// `{rows:a int, b text} r`
fn source<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let list: Vec<_> = columns.into_iter().map(|(name, kind)| format!("{name} {}", kind.word())).collect();
    format!("{{rows:{}}} r", list.join(", "))
}

/// The names, each in the frame `before…after`, separated.
fn list<'a>(
    names: impl IntoIterator<Item = &'a str>,
    separator: &str,
    frame: impl Fn(&str) -> String,
) -> String {
    let framed: Vec<_> = names.into_iter().map(frame).collect();
    framed.join(separator)
}

fn names(columns: &[Column]) -> impl Iterator<Item = &'static str> {
    columns.iter().map(|(name, _)| *name)
}

fn insert(rows: &TableRows) -> String {
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM {}",
        rows.table,
        list(names(rows.columns), ", ", str::to_owned),
        list(names(rows.columns), ", ", |name| format!("r.{name}")),
        source(rows.columns),
    )
}

fn upsert(rows: &TableRows, dialect: Dialect) -> String {
    let insert = insert(rows);
    if dialect != Dialect::MySql {
        // Without WHERE, SQLite would read ON as part of a join.
        return format!("{insert} WHERE true{}", on_conflict(rows));
    }
    format!("{insert} {}", on_duplicate_key(rows, |name| format!("{name} = r.{name}")))
}

fn add(add: &AddRows, dialect: Dialect) -> String {
    let insert = insert(add.rows);
    if dialect != Dialect::MySql {
        return format!("{insert} WHERE true{}", on_conflict_add(add, dialect));
    }
    format!("{insert} {}", on_duplicate_key_add(add, |name| format!("r.{name}")))
}

/// What MySQL does with a row whose numbers are to be added, given what it calls a new value.
pub(super) fn on_duplicate_key_add(add: &AddRows, new: impl Fn(&str) -> String) -> String {
    on_duplicate_key(add.rows, |name| add.merged(name, &new(name), Dialect::MySql))
}

/// What MySQL does with a row whose key exists.
pub(super) fn on_duplicate_key(rows: &TableRows, assignment: impl Fn(&str) -> String) -> String {
    let mut values: Vec<_> = values(rows).collect();
    if values.is_empty() {
        // MySQL has no DO NOTHING; setting the key to itself changes nothing.
        values = rows.key.to_vec();
    }
    format!("ON DUPLICATE KEY UPDATE {}", list(values, ", ", assignment))
}

fn update(rows: &UpdateRows, dialect: Dialect) -> String {
    let table = rows.table;
    let source = source(rows.key.iter().chain(rows.set));
    let same_key = list(names(rows.key), " AND ", |name| format!("{table}.{name} = r.{name}"));
    match dialect {
        Dialect::Sqlite | Dialect::Postgres => {
            let set = list(names(rows.set), ", ", |name| format!("{name} = r.{name}"));
            format!("UPDATE {table} SET {set} FROM {source} WHERE {same_key}")
        }
        // Row by row, each looked up by its key: a table that was filled just now looks small to the optimizer, which
        // would then go through the table, and through the rows anew for each of its rows.
        Dialect::MySql => {
            let set = list(names(rows.set), ", ", |name| format!("{table}.{name} = r.{name}"));
            format!("UPDATE {source} STRAIGHT_JOIN {table} ON {same_key} SET {set}")
        }
    }
}

fn clear(add: &AddRows, dialect: Dialect) -> String {
    let key: Vec<Column> = add.key().copied().collect();
    let table = add.rows.table;
    let deletion = delete_by(table, &key, dialect);
    let its = if dialect == Dialect::Sqlite { String::new() } else { format!("{table}.") };
    format!("{deletion} AND {its}{} = 0", add.count)
}

fn delete(rows: &DeleteRows, dialect: Dialect) -> String {
    delete_by(rows.table, rows.key, dialect)
}

fn delete_by(table: &str, key: &[Column], dialect: Dialect) -> String {
    let source = source(key);
    let same_key = list(names(key), " AND ", |name| format!("{table}.{name} = r.{name}"));
    match dialect {
        // SQLite deletes from one table alone; IN makes it look each key up in the index.
        Dialect::Sqlite => format!(
            "DELETE FROM {table} WHERE ({}) IN (SELECT {} FROM {source})",
            list(names(key), ", ", str::to_owned),
            list(names(key), ", ", |name| format!("r.{name}")),
        ),
        Dialect::Postgres => format!("DELETE FROM {table} USING {source} WHERE {same_key}"),
        Dialect::MySql => format!("DELETE {table} FROM {source} STRAIGHT_JOIN {table} ON {same_key}"),
    }
}

/// Rows to be added, for tests of each way of writing them.
#[cfg(test)]
pub(super) static TALLY: AddRows = AddRows {
    rows: &TableRows {
        table: "tally",
        columns: &[("a", Kind::Int), ("n", Kind::Int), ("least", Kind::Int), ("most", Kind::Int)],
        key: &["a"],
    },
    least: &["least"],
    greatest: &["most"],
    count: "n",
};

#[cfg(test)]
mod tests {
    use super::*;

    static STOCK: TableRows = TableRows {
        table: "stock",
        columns: &[("a", Kind::Int), ("b", Kind::Int), ("note", Kind::Text)],
        key: &["a", "b"],
    };
    static KEYS: TableRows = TableRows { table: "seen", columns: &[("a", Kind::Int)], key: &["a"] };
    static CHANGE: UpdateRows = UpdateRows {
        table: "stock",
        key: &[("a", Kind::Int)],
        set: &[("b", Kind::Int), ("note", Kind::Text)],
    };
    static GONE: DeleteRows = DeleteRows { table: "stock", key: &[("a", Kind::Int), ("b", Kind::Int)] };

    const SQLITE_ROWS: &str =
        "(SELECT value->>0 AS a, value->>1 AS b, value->>2 AS note FROM jsonb_each(?)) r";
    const POSTGRES_ROWS: &str = "(SELECT (e->>0)::bigint AS a, (e->>1)::bigint AS b, e->>2 AS note \
                                 FROM jsonb_array_elements($1::jsonb) e) r";
    const MYSQL_ROWS: &str = "JSON_TABLE(?, '$[*]' COLUMNS(a BIGINT PATH '$[0]', b BIGINT PATH '$[1]', \
                              note LONGTEXT /*M!100600 CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin */ \
                              PATH '$[2]')) r";

    fn check(statement: SetStatement, sqlite: &str, postgres: &str, mysql: &str) {
        for (dialect, sql) in
            [(Dialect::Sqlite, sqlite), (Dialect::Postgres, postgres), (Dialect::MySql, mysql)]
        {
            assert_eq!(statement.sql(dialect, RowSource::Json).unwrap(), sql);
        }
    }

    #[test]
    fn insert_in_three_dialects() {
        let text = "INSERT INTO stock (a, b, note) SELECT r.a, r.b, r.note FROM";
        check(
            SetStatement::Insert(&STOCK),
            &format!("{text} {SQLITE_ROWS}"),
            &format!("{text} {POSTGRES_ROWS}"),
            &format!("{text} {MYSQL_ROWS}"),
        );
    }

    #[test]
    fn upsert_in_three_dialects() {
        let text = "INSERT INTO stock (a, b, note) SELECT r.a, r.b, r.note FROM";
        let conflict = "WHERE true ON CONFLICT (a, b) DO UPDATE SET note = excluded.note";
        check(
            SetStatement::Upsert(&STOCK),
            &format!("{text} {SQLITE_ROWS} {conflict}"),
            &format!("{text} {POSTGRES_ROWS} {conflict}"),
            &format!("{text} {MYSQL_ROWS} ON DUPLICATE KEY UPDATE note = r.note"),
        );
    }

    #[test]
    fn adding_in_three_dialects() {
        let text = "INSERT INTO tally (a, n, least, most) SELECT r.a, r.n, r.least, r.most FROM";
        let set = |new: &str, least: &str, greatest: &str| {
            format!(
                "n = tally.n + {new}.n, least = {least}(tally.least, {new}.least), \
                 most = {greatest}(tally.most, {new}.most)"
            )
        };
        let conflict = "ON CONFLICT (a) DO UPDATE SET";
        check(
            SetStatement::Add(&TALLY),
            &format!(
                "{text} (SELECT value->>0 AS a, value->>1 AS n, value->>2 AS least, value->>3 AS most \
                 FROM jsonb_each(?)) r WHERE true {conflict} {}",
                set("excluded", "MIN", "MAX")
            ),
            &format!(
                "{text} (SELECT (e->>0)::bigint AS a, (e->>1)::bigint AS n, (e->>2)::bigint AS least, \
                 (e->>3)::bigint AS most FROM jsonb_array_elements($1::jsonb) e) r WHERE true {conflict} {}",
                set("excluded", "LEAST", "GREATEST")
            ),
            &format!(
                "{text} JSON_TABLE(?, '$[*]' COLUMNS(a BIGINT PATH '$[0]', n BIGINT PATH '$[1]', \
                 least BIGINT PATH '$[2]', most BIGINT PATH '$[3]')) r ON DUPLICATE KEY UPDATE {}",
                set("r", "LEAST", "GREATEST")
            ),
        );
        assert_eq!(
            single_sql(SetStatement::Add(&TALLY)),
            format!(
                "INSERT INTO tally (a, n, least, most) VALUES (?1, ?2, ?3, ?4) {conflict} {}",
                set("excluded", "MIN", "MAX")
            )
        );
    }

    #[test]
    fn what_counts_nothing_is_deleted_in_three_dialects() {
        check(
            SetStatement::Clear(&TALLY),
            "DELETE FROM tally WHERE (a) IN (SELECT r.a FROM (SELECT value->>0 AS a FROM jsonb_each(?)) r) AND n = 0",
            "DELETE FROM tally USING (SELECT (e->>0)::bigint AS a FROM jsonb_array_elements($1::jsonb) e) r \
             WHERE tally.a = r.a AND tally.n = 0",
            "DELETE tally FROM JSON_TABLE(?, '$[*]' COLUMNS(a BIGINT PATH '$[0]')) r STRAIGHT_JOIN tally \
             ON tally.a = r.a AND tally.n = 0",
        );
        assert_eq!(single_sql(SetStatement::Clear(&TALLY)), "DELETE FROM tally WHERE a = ?1 AND n = 0");
    }

    #[test]
    fn upsert_of_mere_keys_keeps_what_is_there() {
        let text = "INSERT INTO seen (a) SELECT r.a FROM";
        let conflict = "WHERE true ON CONFLICT (a) DO NOTHING";
        check(
            SetStatement::Upsert(&KEYS),
            &format!("{text} (SELECT value->>0 AS a FROM jsonb_each(?)) r {conflict}"),
            &format!(
                "{text} (SELECT (e->>0)::bigint AS a FROM jsonb_array_elements($1::jsonb) e) r {conflict}"
            ),
            &format!(
                "{text} JSON_TABLE(?, '$[*]' COLUMNS(a BIGINT PATH '$[0]')) r ON DUPLICATE KEY UPDATE a = r.a"
            ),
        );
    }

    #[test]
    fn update_in_three_dialects() {
        check(
            SetStatement::Update(&CHANGE),
            &format!("UPDATE stock SET b = r.b, note = r.note FROM {SQLITE_ROWS} WHERE stock.a = r.a"),
            &format!("UPDATE stock SET b = r.b, note = r.note FROM {POSTGRES_ROWS} WHERE stock.a = r.a"),
            &format!(
                "UPDATE {MYSQL_ROWS} STRAIGHT_JOIN stock ON stock.a = r.a SET stock.b = r.b, stock.note = r.note"
            ),
        );
    }

    #[test]
    fn rows_may_be_written_out_for_mysql() {
        for (statement, sql) in [
            (
                SetStatement::Update(&CHANGE),
                "UPDATE {rows:a int, b int, note text} r STRAIGHT_JOIN stock ON stock.a = r.a \
                 SET stock.b = r.b, stock.note = r.note",
            ),
            (
                SetStatement::Delete(&GONE),
                "DELETE stock FROM {rows:a int, b int} r STRAIGHT_JOIN stock \
                 ON stock.a = r.a AND stock.b = r.b",
            ),
        ] {
            assert_eq!(statement.sql(Dialect::MySql, RowSource::Literals).unwrap(), sql);
        }
    }

    #[test]
    fn one_row_at_a_time_on_sqlite() {
        for (statement, sql) in [
            (SetStatement::Insert(&STOCK), "INSERT INTO stock (a, b, note) VALUES (?1, ?2, ?3)"),
            (
                SetStatement::Upsert(&STOCK),
                "INSERT INTO stock (a, b, note) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (a, b) DO UPDATE SET note = excluded.note",
            ),
            (SetStatement::Update(&CHANGE), "UPDATE stock SET b = ?2, note = ?3 WHERE a = ?1"),
            (SetStatement::Delete(&GONE), "DELETE FROM stock WHERE a = ?1 AND b = ?2"),
        ] {
            assert_eq!(single_sql(statement), sql);
        }
    }

    #[test]
    fn delete_in_three_dialects() {
        check(
            SetStatement::Delete(&GONE),
            "DELETE FROM stock WHERE (a, b) IN (SELECT r.a, r.b FROM \
             (SELECT value->>0 AS a, value->>1 AS b FROM jsonb_each(?)) r)",
            "DELETE FROM stock USING (SELECT (e->>0)::bigint AS a, (e->>1)::bigint AS b \
             FROM jsonb_array_elements($1::jsonb) e) r WHERE stock.a = r.a AND stock.b = r.b",
            "DELETE stock FROM JSON_TABLE(?, '$[*]' COLUMNS(a BIGINT PATH '$[0]', b BIGINT PATH '$[1]')) r \
             STRAIGHT_JOIN stock ON stock.a = r.a AND stock.b = r.b",
        );
    }
}
