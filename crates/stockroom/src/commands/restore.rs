//! `stockroom restore`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use server::clock;
use store::StoreError;
use store::driver::settle_file;
use tempfile::NamedTempFile;

use super::backup::{open, require_embedded, sync_directory, unfinished_beside, verify_all};
use super::shop;
use crate::cli::RestoreArgs;
use crate::config::Config;
use crate::lock::{self, Use};
use crate::output;

/// Puts a backup in the place of the database, once it is known to be good.
pub(crate) async fn run(arguments: &RestoreArgs, config: &Config) -> anyhow::Result<()> {
    let backup = arguments.file.as_path();
    // Where a link leads to: the link itself stays.
    let target = &lock::real_path(require_embedded(&config.database_url)?);
    shop::make_data_dir(config)?;
    let lock = lock::take(target, Use::Restoring)?;
    require_backup(backup)?;
    if std::fs::metadata(target).is_ok_and(|found| found.len() > 0) && !arguments.replace {
        anyhow::bail!(
            "there is a database at {}; with --replace it is kept beside the restored one",
            target.display()
        );
    }
    let coming =
        prepare(backup, target).await.with_context(|| format!("cannot restore {}", backup.display()))?;
    let aside = put_aside(target)?;
    let cannot = || format!("cannot put {} in its place", target.display());
    coming.persist(target).map_err(|error| error.error).with_context(cannot)?;
    sync_directory(target).with_context(cannot)?;
    drop(lock);
    let kept =
        aside.map_or_else(String::new, |aside| format!("\nwhat was there is kept in {}", aside.display()));
    output::print(&format!("restored {} from {}{kept}", target.display(), backup.display()))
}

/// Refuses what is no finished backup.
fn require_backup(backup: &Path) -> anyhow::Result<()> {
    if !backup.is_file() {
        anyhow::bail!("there is no backup at {}", backup.display());
    }
    if std::fs::metadata(with(backup, "-wal")).is_ok_and(|log| log.len() > 0) {
        anyhow::bail!(
            "{} has a log beside it, so it is a database and no backup; `stockroom backup` makes one",
            backup.display()
        );
    }
    Ok(())
}

/// Copies the backup to where the database will be, brings the copy up to this version, and looks whether it is good. It
/// is on the disk then.
async fn prepare(backup: &Path, target: &Path) -> anyhow::Result<NamedTempFile> {
    let mut coming = unfinished_beside(target)?;
    std::io::copy(&mut std::fs::File::open(backup)?, coming.as_file_mut())?;
    let database = open(coming.path()).await?;
    database.check_file().await?;
    database.migrate(clock::now_us()).await?;
    let findings = verify_all(&database).await?;
    database.checkpoint().await?;
    drop(database);
    if !findings.is_empty() {
        output::print(&findings.join("\n"))?;
        anyhow::bail!("it does not add up, differences found: {}", findings.len());
    }
    coming.as_file().sync_all()?;
    Ok(coming)
}

/// Gives what is in the place another name, too, with its log, which would otherwise be taken for that of the new file.
/// The place itself is empty at no moment.
fn put_aside(target: &Path) -> anyhow::Result<Option<PathBuf>> {
    let cannot = || format!("cannot put {} aside", target.display());
    let aside = if std::fs::metadata(target).is_ok() {
        match settle_file(target) {
            Err(StoreError::Conflict(_)) => {
                anyhow::bail!("{} is in use by another process; stop it first", target.display());
            }
            // Whatever is wrong with it may be why there is something to restore.
            Ok(()) | Err(_) => Some(give_another_name(target).with_context(cannot)?),
        }
    } else {
        None
    };
    for companion in ["-wal", "-shm", "-journal"] {
        let old = with(target, companion);
        // Without its file a log is of no use to anybody.
        let moved = match &aside {
            Some(aside) => std::fs::rename(&old, with(aside, companion)),
            None => std::fs::remove_file(&old),
        };
        match moved {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cannot),
            _ => {}
        }
    }
    sync_directory(target).with_context(cannot)?;
    Ok(aside)
}

fn give_another_name(target: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let aside = with(target, &format!(".before-restore-{number}"));
        match std::fs::hard_link(target, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The path with something at its end.
fn with(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    PathBuf::from(path)
}
