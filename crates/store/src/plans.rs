//! How the database goes about a statement, for tests: what is asked for all the time must find its rows by key.

use crate::driver::{Database, Options, Value};

/// An empty shop whose database tells its plans.
pub(crate) struct Planner {
    database: Database,
    _dir: tempfile::TempDir,
}

impl Planner {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/plans.sqlite", dir.path().display());
        let database = Database::open(&url, Options::default()).await.unwrap();
        database.migrate(1).await.unwrap();
        Self { database, _dir: dir }
    }

    /// Demands that the plan has these steps, and walks through no table, makes no index for the occasion and sorts
    /// nothing.
    pub(crate) async fn check(&self, sql: &str, steps: &[&str]) {
        let plan = self.plan(sql).await;
        for step in steps {
            assert!(plan.iter().any(|line| line.starts_with(step)), "{step}\n{sql}\n{plan:#?}");
        }
        for line in &plan {
            let walks = line.starts_with("SCAN") && !line.contains("VIRTUAL TABLE");
            let makes = line.contains("AUTOMATIC") || line.contains("TEMP B-TREE");
            assert!(!walks && !makes, "{line}\n{sql}\n{plan:#?}");
        }
    }

    /// The first column of an answer: names.
    pub(crate) async fn names(&self, sql: &str) -> std::collections::BTreeSet<String> {
        let mut transaction = self.database.begin().await.unwrap();
        let found = transaction.query_dynamic(sql, &[]).await.unwrap();
        found.into_iter().map(|mut row| row.text(0).unwrap()).collect()
    }

    /// The steps of a statement.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        // A `?`, or the rows of a source; the other macros take none.
        let count = sql.matches('?').count() + sql.matches("{rows:").count();
        let params = vec![Value::from("[]"); count];
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut transaction = self.database.begin().await.unwrap();
        let steps = transaction.query_dynamic(&sql, &params).await.unwrap();
        steps.into_iter().map(|mut step| step.text(3).unwrap()).collect()
    }
}
