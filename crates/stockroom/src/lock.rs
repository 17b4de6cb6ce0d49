//! One server a file: an embedded database is served by one process, and the second is told by whom.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Held as long as the server runs. The system lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _file: File,
}

/// Takes the lock of the embedded database in this file. The lock is a file beside it: SQLite would lose its own locks
/// on the database if this process opened and closed that a second time.
pub(crate) fn take(database: &Path) -> anyhow::Result<ServerLock> {
    let mut path = real_path(database).into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let cannot = || format!("cannot lock {}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Nobody writes more than a number; what else stands there is cut off.
            let _ = (&mut file).take(20).read_to_string(&mut holder);
            let holder = match holder.trim() {
                // It has the lock and is about to write.
                "" => "another process".to_owned(),
                number => format!("process {number}"),
            };
            anyhow::bail!(
                "{holder} is serving {} already; stop it first, or serve another database",
                database.display()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    file.set_len(0).and_then(|()| file.rewind()).with_context(cannot)?;
    writeln!(file, "{}", std::process::id()).with_context(cannot)?;
    Ok(ServerLock { _file: file })
}

/// The one path of a file that can be named in several ways. The file itself may not exist yet.
fn real_path(file: &Path) -> PathBuf {
    let in_real_directory = || {
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = std::fs::canonicalize(directory.unwrap_or(Path::new("."))).ok()?;
        Some(directory.join(file.file_name()?))
    };
    std::fs::canonicalize(file).ok().or_else(in_real_directory).unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn the_second_server_learns_who_was_first() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("shop.sqlite");
        let first = take(&database).unwrap();
        let detour = place.path().join("..").join(place.path().file_name().unwrap()).join("shop.sqlite");
        for path in [&database, &detour] {
            let refusal = take(path).unwrap_err().to_string();
            assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        }
        drop(first);
        assert!(take(&database).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_database_is_that_database() {
        let place = tempfile::tempdir().unwrap();
        let (database, link) = (place.path().join("shop.sqlite"), place.path().join("link.sqlite"));
        std::fs::write(&database, "").unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _first = take(&database).unwrap();
        assert!(take(&link).is_err());
    }
}
