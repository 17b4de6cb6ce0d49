//! `stockroom backup`

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use store::Store;
use store::driver::{Database, Options};
use tempfile::NamedTempFile;

use super::{shop, verify};
use crate::cli::BackupArgs;
use crate::config::{Config, DatabaseUrl};
use crate::output;

/// What an unfinished file is called.
const UNFINISHED: &str = ".stockroom-unfinished-";

/// Copies the database while it is in use, looks at the copy, and gives it its name.
pub(crate) async fn run(arguments: &BackupArgs, config: &Config) -> anyhow::Result<()> {
    let file = arguments.file.as_path();
    require_embedded(&config.database_url)?;
    shop::require_file(&config.database_url)?;
    refuse_existing(file)?;
    let source = shop::open_database(config).await?;
    let copy = unfinished_beside(file)?;
    source.back_up(copy.path(), |_, _| {}).await.context("cannot copy the database")?;
    drop(source);
    let findings = examine(copy.path()).await.context("the copy is of no use")?;
    finish(copy, file)?;
    output::print(&format!("backed {} up to {}", config.database_url, file.display()))?;
    if findings.is_empty() {
        return Ok(());
    }
    output::print(&findings.join("\n"))?;
    // A faithful copy of a shop that does not add up is still better than none.
    Err(anyhow::anyhow!(
        "the backup is complete, but what it holds does not add up, differences found: {}",
        findings.len()
    ))
}

/// The file of the database, or a hint at what serves others.
pub(super) fn require_embedded(url: &DatabaseUrl) -> anyhow::Result<&Path> {
    url.file().ok_or_else(|| {
        anyhow::anyhow!(
            "{url} is no file: use the database's own tools (pg_dump or pg_basebackup for PostgreSQL, mariadb-dump or \
             mariadb-backup for MariaDB, mysqldump for MySQL)"
        )
    })
}

fn refuse_existing(file: &Path) -> anyhow::Result<()> {
    if file.symlink_metadata().is_ok() {
        anyhow::bail!("{} exists already; a backup never overwrites anything", file.display());
    }
    Ok(())
}

/// A file for this user alone in the directory of another one, whose name it takes when it is finished. It is removed
/// when it is not.
pub(super) fn unfinished_beside(file: &Path) -> anyhow::Result<NamedTempFile> {
    let directory = directory_of(file);
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(directory)
        .with_context(|| format!("cannot write into {}", directory.display()))
}

/// Whether the file is whole, and what in it does not add up. Of a shop of an older version, only the former.
async fn examine(file: &Path) -> anyhow::Result<Vec<String>> {
    let copy = open(file).await?;
    copy.check_file().await?;
    let findings = match copy.missing_migrations().await? {
        0 => verify_all(&copy).await?,
        _ => Vec::new(),
    };
    // Its log must not be a file of its own.
    copy.checkpoint().await?;
    Ok(findings)
}

/// Opens a copy that nobody else uses.
pub(super) async fn open(file: &Path) -> anyhow::Result<Database> {
    let file = file.to_str().context("the path is not UTF-8")?;
    Ok(Database::open(&format!("sqlite:{file}"), Options::default()).await?)
}

/// What in a database does not add up, one line each.
pub(super) async fn verify_all(database: &Database) -> anyhow::Result<Vec<String>> {
    let report = Store::new(database.clone()).verify().await?;
    Ok(report.discrepancies.iter().map(verify::line).collect())
}

/// Makes the copy durable and gives it its name, which nobody may have taken meanwhile.
fn finish(copy: NamedTempFile, file: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    copy.as_file().sync_all().with_context(cannot)?;
    copy.persist_noclobber(file).map_err(|error| error.error).with_context(cannot)?;
    sync_directory(file).with_context(cannot)
}

/// Makes the name of a file durable.
pub(super) fn sync_directory(file: &Path) -> std::io::Result<()> {
    File::open(directory_of(file))?.sync_all()
}

fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
