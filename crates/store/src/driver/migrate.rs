//! The schema, in numbered steps, under a lock that is a row: several servers may start at once.
//!
//! SQLite and PostgreSQL undo definitions with the transaction in which they were made, so all steps and the lock are
//! one transaction. MySQL commits with each definition, which would also let go of the lock. There, one connection
//! holds it while others work, and a step that was interrupted is carried out once more: what is there already counts
//! as done. Therefore each statement of a step creates something, or inserts rows with keys. The nodes of a Galera
//! cluster do not see each other's lock; they carry out definitions in one order, and what one of them did counts as
//! done for the other.

use super::lexer::statements;
use super::{Database, Dialect, Row, Transaction, mysql};
use crate::StoreError;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait for another server that is migrating, or for a table that is in use.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// The pause before trying again.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a connection may break, or the table of migrations be made by somebody else at the same moment.
const MISFORTUNES: u32 = 3;

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
    Migration {
        version: 3,
        name: "products_by_name",
        script: include_str!("../../migrations/0003_products_by_name.sql"),
    },
    Migration {
        version: 4,
        name: "orders_at_scale",
        script: include_str!("../../migrations/0004_orders_at_scale.sql"),
    },
    Migration {
        version: 5,
        name: "product_search",
        script: include_str!("../../migrations/0005_product_search.sql"),
    },
    Migration {
        version: 6,
        name: "sums_of_the_shop",
        script: include_str!("../../migrations/0006_sums_of_the_shop.sql"),
    },
    Migration { version: 7, name: "api_keys", script: include_str!("../../migrations/0007_api_keys.sql") },
    Migration { version: 8, name: "audit", script: include_str!("../../migrations/0008_audit.sql") },
    Migration {
        version: 9,
        name: "holds_and_expiry",
        script: include_str!("../../migrations/0009_holds_and_expiry.sql"),
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
const SELECT_APPLIED: &str =
    "SELECT m.version, m.checksum FROM schema_migrations m WHERE m.version > 0 ORDER BY m.version";
const INSERT_APPLIED: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at_us) VALUES (?, ?, ?, ?)";

/// The row that is locked has a version that no step has. SQLite does not need it: there is one writer.
const TAKE_LOCK: &str = "SELECT m.version FROM schema_migrations m WHERE m.version = 0 {for update}";
const INSERT_LOCK: &str = "INSERT INTO schema_migrations (version, name, checksum, applied_at_us) \
     VALUES (0, 'lock', '', 0)";
const INSERT_LOCK_ONCE: &str = "INSERT INTO schema_migrations (version, name, checksum, applied_at_us) \
     VALUES (0, 'lock', '', 0) ON CONFLICT (version) DO NOTHING";
/// MySQL: the connection with the lock is silent for as long as a definition takes.
const HOLD_LOCK: &str = "SET SESSION wait_timeout = 3600 /*M!100600 , idle_transaction_timeout = 3600, \
     idle_write_transaction_timeout = 3600 */";
const COUNT_NOTES: &str = "SELECT COUNT(*) FROM schema_migrations";

/// Whether there is a table of migrations: 1 or 0.
fn find_notes(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT COUNT(*) FROM sqlite_master s WHERE s.type = 'table' AND s.name = 'schema_migrations'"
        }
        Dialect::Postgres => "SELECT COUNT(to_regclass('schema_migrations'))",
        Dialect::MySql => {
            "SELECT COUNT(*) FROM information_schema.tables t \
             WHERE t.table_schema = DATABASE() AND t.table_name = 'schema_migrations'"
        }
    }
}

/// Applies what is missing. Where nothing is, nothing is locked or written, nor are rights to do so needed.
pub(super) async fn migrate(
    database: &Database,
    migrations: &[Migration],
    now_us: i64,
) -> Result<Vec<AppliedMigration>, StoreError> {
    let (give_up, mut misfortunes) = (Instant::now() + LONGEST_WAIT, 0);
    loop {
        let error = match attempt(database, migrations, now_us).await {
            Ok(applied) => return Ok(applied),
            Err(error) => error,
        };
        let may_pass = match error {
            StoreError::Conflict(_) => true,
            StoreError::ConnectionLost(_) | StoreError::Statement(_) => {
                misfortunes += 1;
                misfortunes <= MISFORTUNES
            }
            _ => false,
        };
        // SQLite has waited for the other process by itself.
        if database.dialect() == Dialect::Sqlite || !may_pass || Instant::now() > give_up {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
}

async fn attempt(
    database: &Database,
    migrations: &[Migration],
    now_us: i64,
) -> Result<Vec<AppliedMigration>, StoreError> {
    if missing(database, migrations).await? == 0 {
        return Ok(Vec::new());
    }
    match database.dialect() {
        Dialect::Sqlite | Dialect::Postgres => in_one_transaction(database, migrations, now_us).await,
        Dialect::MySql => beside_a_lock(database, migrations, now_us).await,
    }
}

/// How many of the migrations the database still lacks. Changes nothing.
pub(super) async fn missing(database: &Database, migrations: &[Migration]) -> Result<usize, StoreError> {
    let mut reader = database.reader().await?;
    let found = reader.query(find_notes(database.dialect()), &[]).await?;
    if count(&found)? == 0 {
        return Ok(migrations.len());
    }
    let rows = reader.query(SELECT_APPLIED, &[]).await?;
    Ok(migrations.len() - applied_before(&rows, migrations)?)
}

async fn in_one_transaction(
    database: &Database,
    migrations: &[Migration],
    now_us: i64,
) -> Result<Vec<AppliedMigration>, StoreError> {
    let mut transaction = database.begin_migration().await?;
    transaction.execute(CREATE_TABLE, &[]).await?;
    if database.dialect() == Dialect::Postgres {
        transaction.execute(INSERT_LOCK_ONCE, &[]).await?;
        transaction.query(TAKE_LOCK, &[]).await?;
    }
    let known = applied_before(&transaction.query(SELECT_APPLIED, &[]).await?, migrations)?;
    let mut applied = Vec::new();
    for migration in &migrations[known..] {
        let dialect = database.dialect();
        applied.extend(apply(&mut transaction, dialect, migration, now_us, |_| false).await?);
    }
    if applied.is_empty() {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(applied)
}

async fn beside_a_lock(
    database: &Database,
    migrations: &[Migration],
    now_us: i64,
) -> Result<Vec<AppliedMigration>, StoreError> {
    claim(database, migrations).await?;
    let mut lock = database.begin_migration().await?;
    lock.execute_dynamic(HOLD_LOCK, &[]).await?;
    lock.query(TAKE_LOCK, &[]).await?;
    let known = applied_before(&lock.query(SELECT_APPLIED, &[]).await?, migrations)?;
    let mut applied = Vec::new();
    for migration in &migrations[known..] {
        let mut transaction = database.begin_migration().await?;
        let dialect = database.dialect();
        let done = apply(&mut transaction, dialect, migration, now_us, mysql::is_done_already).await?;
        transaction.commit().await?;
        applied.extend(done);
        // Whoever has lost the lock meanwhile is no longer alone.
        lock.query(TAKE_LOCK, &[]).await?;
    }
    lock.rollback().await?;
    Ok(applied)
}

/// Makes the table of migrations and the row to be locked. From then on, whatever table is there counts as ours; so
/// before that, none may be there that is not.
async fn claim(database: &Database, migrations: &[Migration]) -> Result<(), StoreError> {
    let mut transaction = database.begin_migration().await?;
    transaction.execute(CREATE_TABLE, &[]).await?;
    if count(&transaction.query(COUNT_NOTES, &[]).await?)? > 0 {
        return transaction.rollback().await;
    }
    let mut found = transaction.query_dynamic(&find_tables(migrations), &[]).await?;
    // Another server makes the row first and then its tables, so the row is looked for once more, after the tables.
    let is_claimed = count(&transaction.query(COUNT_NOTES, &[]).await?)? > 0;
    if let (Some(table), false) = (found.first_mut(), is_claimed) {
        return Err(refused(format!(
            "there is a table {:?} already, which is not Stockroom's; give Stockroom a database of its own",
            table.text(0)?
        )));
    }
    match transaction.execute(INSERT_LOCK, &[]).await {
        Err(error) if mysql::is_done_already(&error) => transaction.rollback().await,
        Err(error) => Err(error),
        Ok(_) => transaction.commit().await,
    }
}

/// The tables that are there of those which the migrations create.
fn find_tables(migrations: &[Migration]) -> String {
    let created = migrations.iter().flat_map(|migration| statements(migration.script));
    let names: Vec<_> = created
        .filter_map(|statement| {
            let name = statement.strip_prefix("CREATE TABLE ")?.split_whitespace().next()?;
            Some(format!("'{name}'"))
        })
        .collect();
    format!(
        "SELECT t.table_name FROM information_schema.tables t \
         WHERE t.table_schema = DATABASE() AND t.table_name IN ({})",
        names.join(", ")
    )
}

fn count(rows: &[Row]) -> Result<i64, StoreError> {
    rows.first().ok_or_else(|| StoreError::decode("a count is missing"))?.int(0)
}

/// How many of the migrations are in the database already, after checking that they are the same ones.
fn applied_before(rows: &[Row], migrations: &[Migration]) -> Result<usize, StoreError> {
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

/// Carries out the statements of a step and notes that, unless somebody else has noted it. An error passes that means the
/// statement is not needed.
async fn apply(
    transaction: &mut Transaction,
    dialect: Dialect,
    migration: &Migration,
    now_us: i64,
    may_pass: fn(&StoreError) -> bool,
) -> Result<Option<AppliedMigration>, StoreError> {
    let failed = |error: StoreError| match error {
        // The whole attempt is repeated.
        StoreError::Conflict(_) | StoreError::ConnectionLost(_) => error,
        error => StoreError::Migration {
            what: format!("version {} ({}) failed", migration.version, migration.name),
            source: Some(error.into()),
        },
    };
    for statement in statements(migration.script).into_iter().filter(|statement| dialect.wants(statement)) {
        match transaction.execute_dynamic(&statement, &[]).await {
            Err(error) if !may_pass(&error) => return Err(failed(error)),
            _ => {}
        }
    }
    let note =
        [migration.version.into(), migration.name.into(), checksum(migration.script).into(), now_us.into()];
    match transaction.execute(INSERT_APPLIED, &note).await {
        Err(error) if may_pass(&error) => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(_) => Ok(Some(AppliedMigration { version: migration.version, name: migration.name })),
    }
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
                let all = [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql];
                for dialect in all.into_iter().filter(|dialect| dialect.wants(&statement)) {
                    assert!(!dialect.expand(&statement).unwrap().contains('{'));
                }
            }
        }
    }
}
