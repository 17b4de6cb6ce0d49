//! The schema, in numbered steps.

use super::lexer::statements;
use super::{Database, Transaction};
use crate::StoreError;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// Steps are applied in ascending order, from 1, without gaps.
    pub(super) version: i64,
    pub(super) name: &'static str,
    /// SQL with macros, for all dialects.
    pub(super) script: &'static str,
}

/// All steps this program knows. One that has been released is never edited.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", script: include_str!("../../migrations/0001_initial.sql") },
    Migration {
        version: 2,
        name: "batch_sequence",
        script: include_str!("../../migrations/0002_batch_sequence.sql"),
    },
];

/// A migration that was applied just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
}

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version {id}, name {key 64} NOT NULL, checksum {key 16} NOT NULL, applied_at_us {int} NOT NULL) {end}";
const SELECT_APPLIED: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";
const INSERT_APPLIED: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at_us) VALUES (?, ?, ?, ?)";

/// Applies what is missing, all of it in one transaction, which also keeps two processes from doing so at once.
pub(super) async fn migrate(
    database: &Database,
    migrations: &[Migration],
    now_us: i64,
) -> Result<Vec<AppliedMigration>, StoreError> {
    let mut transaction = database.begin().await?;
    transaction.execute(CREATE_TABLE, &[]).await?;
    let known = applied_before(&mut transaction, migrations).await?;
    let mut applied = Vec::new();
    for migration in &migrations[known..] {
        apply(&mut transaction, migration, now_us).await?;
        applied.push(AppliedMigration { version: migration.version, name: migration.name });
    }
    if applied.is_empty() {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(applied)
}

/// How many of the migrations the database still lacks. Changes nothing.
pub(super) async fn missing(database: &Database, migrations: &[Migration]) -> Result<usize, StoreError> {
    let mut transaction = database.begin().await?;
    // So that there is something to read; rolled back.
    transaction.execute(CREATE_TABLE, &[]).await?;
    let known = applied_before(&mut transaction, migrations).await?;
    transaction.rollback().await?;
    Ok(migrations.len() - known)
}

/// How many of the migrations are in the database already, after checking that they are the same ones.
async fn applied_before(
    transaction: &mut Transaction,
    migrations: &[Migration],
) -> Result<usize, StoreError> {
    let rows = transaction.query(SELECT_APPLIED, &[]).await?;
    for (index, row) in rows.iter().enumerate() {
        let version = row.int(0)?;
        let Some(migration) = migrations.get(index) else {
            return Err(refused(format!(
                "the database has version {version}, but this program knows only up to {}; \
                 it was written by a newer Stockroom, so use that one or restore a backup",
                migrations.len()
            )));
        };
        if migration.version != version {
            return Err(refused(format!("version {} is missing before {version}", migration.version)));
        }
        if row.as_text(1)? != checksum(migration.script) {
            return Err(refused(format!(
                "version {version} was applied with another content than this program has"
            )));
        }
    }
    Ok(rows.len())
}

async fn apply(transaction: &mut Transaction, migration: &Migration, now_us: i64) -> Result<(), StoreError> {
    for statement in statements(migration.script) {
        transaction.execute_dynamic(&statement, &[]).await.map_err(|error| StoreError::Migration {
            what: format!("version {} ({}) failed", migration.version, migration.name),
            source: Some(error.into()),
        })?;
    }
    let note =
        [migration.version.into(), migration.name.into(), checksum(migration.script).into(), now_us.into()];
    transaction.execute(INSERT_APPLIED, &note).await.map(drop)
}

fn refused(what: String) -> StoreError {
    StoreError::Migration { what, source: None }
}

/// FNV-1a, 64 bits, in hexadecimal: it detects an edit by mistake, which is all it is for.
fn checksum(script: &str) -> String {
    let hash = script.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Dialect, Options};

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        script: "CREATE TABLE a (id {id}, x {text} NOT NULL) {end};\n-- it's; a note\nINSERT INTO a VALUES (1, 'x;?');",
    };
    const TWO: Migration = Migration { version: 2, name: "two", script: "ALTER TABLE a ADD COLUMN y {int}" };

    async fn open(dir: &tempfile::TempDir) -> Database {
        let url = format!("sqlite:{}", dir.path().join("m.sqlite").display());
        Database::open(&url, Options::default()).await.unwrap()
    }

    #[tokio::test]
    async fn applies_what_is_missing_and_only_that() {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        let names = |applied: Vec<AppliedMigration>| applied.iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(missing(&database, &[ONE, TWO]).await.unwrap(), 2);
        assert_eq!(names(migrate(&database, &[ONE], 5).await.unwrap()), ["one"]);
        assert_eq!(missing(&database, &[ONE, TWO]).await.unwrap(), 1);
        assert_eq!(names(migrate(&database, &[ONE, TWO], 6).await.unwrap()), ["two"]);
        assert!(migrate(&database, &[ONE, TWO], 7).await.unwrap().is_empty());
        assert_eq!(missing(&database, &[ONE, TWO]).await.unwrap(), 0);
        let mut reader = database.reader().await.unwrap();
        let mut rows = reader.query("SELECT x, y FROM a", &[]).await.unwrap();
        assert_eq!((rows[0].text(0).unwrap().as_str(), rows[0].opt_int(1).unwrap()), ("x;?", None));
        let rows = reader.query("SELECT applied_at_us FROM schema_migrations", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [5, 6]);
    }

    #[tokio::test]
    async fn refuses_what_is_newer_edited_or_broken() {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        migrate(&database, &[ONE, TWO], 1).await.unwrap();
        let newer = migrate(&database, &[ONE], 1).await.unwrap_err().to_string();
        assert!(newer.contains("has version 2") && newer.contains("only up to 1"), "{newer}");
        let edited = Migration { script: "SELECT 1", ..TWO };
        let error = migrate(&database, &[ONE, edited], 1).await.unwrap_err().to_string();
        assert!(error.contains("another content"), "{error}");
        // The good statement before the broken one leaves nothing behind either.
        let broken =
            Migration { version: 3, name: "three", script: "CREATE TABLE b (id {id}) {end}; NONSENSE" };
        let error = migrate(&database, &[ONE, TWO, broken], 1).await.unwrap_err().to_string();
        assert_eq!(error, "the schema cannot be migrated: version 3 (three) failed");
        let mut reader = database.reader().await.unwrap();
        assert!(reader.query("SELECT 1 FROM b", &[]).await.is_err());
    }

    #[test]
    fn the_list_is_in_order_and_speaks_every_dialect() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), index + 1);
            for statement in statements(migration.script) {
                for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql] {
                    assert!(!dialect.expand(&statement).unwrap().contains('{'));
                }
            }
        }
    }
}
