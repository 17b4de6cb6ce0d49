//! A table of toys, for tests of the driver.

use crate::place::Place;
use store::StoreError;
use store::driver::{Cell, Database, DeleteRows, Kind, Options, Rows, TableRows, UpdateRows, Value};

pub(crate) const CREATE_TOYS: &str = "CREATE TABLE toys (a {int} NOT NULL, b {int} NOT NULL, name {text}, \
    n {int} NOT NULL, PRIMARY KEY (a, b), CONSTRAINT toys_n CHECK (n >= 0)) {clustered}";

pub(crate) static TOYS: TableRows = TableRows {
    table: "toys",
    columns: &[("a", Kind::Int), ("b", Kind::Int), ("name", Kind::Text), ("n", Kind::Int)],
    key: &["a", "b"],
};
pub(crate) static TOY_NUMBERS: UpdateRows =
    UpdateRows { table: "toys", key: &[("a", Kind::Int), ("b", Kind::Int)], set: &[("n", Kind::Int)] };
pub(crate) static TOY_KEYS: DeleteRows =
    DeleteRows { table: "toys", key: &[("a", Kind::Int), ("b", Kind::Int)] };

/// A database with a table of toys.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    // Dropped last.
    pub(crate) place: Place,
}

impl Fixture {
    pub(crate) async fn with(options: Options) -> Self {
        Self::at(Place::new().await, options).await
    }

    pub(crate) async fn at(place: Place, options: Options) -> Self {
        let database = Database::open(place.url(), options).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        transaction.execute(CREATE_TOYS, &[]).await.unwrap();
        transaction.commit().await.unwrap();
        Self { database, place }
    }

    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn toys(&self) -> Vec<(i64, i64, Option<String>, i64)> {
        let mut reader = self.database.reader().await.unwrap();
        let rows = reader.query("SELECT a, b, name, n FROM toys ORDER BY a, b", &[]).await.unwrap();
        rows.into_iter()
            .map(|mut row| {
                (row.int(0).unwrap(), row.int(1).unwrap(), row.opt_text(2).unwrap(), row.int(3).unwrap())
            })
            .collect()
    }

    /// What one statement in a transaction of its own is refused for.
    pub(crate) async fn refusal(&self, sql: &'static str, params: &[Value]) -> StoreError {
        let mut transaction = self.database.begin().await.unwrap();
        transaction.execute(sql, params).await.unwrap_err()
    }

    pub(crate) async fn insert(&self, rows: &Rows) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        transaction.insert_rows(&TOYS, rows).await?;
        transaction.commit().await
    }
}

pub(crate) fn toy(a: i64, b: i64, name: &str, n: i64) -> [Cell<'_>; 4] {
    [a.into(), b.into(), name.into(), n.into()]
}

pub(crate) fn rows<const N: usize, const WIDTH: usize>(all: [[Cell<'_>; WIDTH]; N]) -> Rows {
    let mut rows = Rows::new();
    all.into_iter().for_each(|row| rows.push(row));
    rows
}
