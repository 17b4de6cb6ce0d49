//! One server a file: an embedded database is served, or copied, by one process, and the second is told by whom.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What a process does with a database that no other may serve meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It answers requests.
    Serving,
    /// It copies the database, or into it.
    Copying,
    /// It makes a shop of generated data.
    Filling,
    /// It puts a backup in the place of the database.
    Restoring,
}

impl Use {
    fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Copying => "copying",
            Self::Filling => "filling",
            Self::Restoring => "restoring",
        }
    }
}

/// Held as long as the server runs, or the copy. The system lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _file: File,
}

/// Takes the lock of the embedded database in this file. The lock is a file beside it: SQLite would lose its own locks
/// on the database if this process opened and closed that a second time.
pub(crate) fn take(database: &Path, purpose: Use) -> anyhow::Result<ServerLock> {
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
            // Nobody writes more than a number and a word; what else stands there is cut off.
            let _ = (&mut file).take(40).read_to_string(&mut holder);
            let mut words = holder.split_whitespace();
            // Without a number it has the lock and is about to write.
            let holder =
                words.next().map_or("another process".to_owned(), |number| format!("process {number}"));
            let doing = words.next().unwrap_or(Use::Serving.word());
            anyhow::bail!(
                "{holder} is {doing} {} already; stop it first, or use another database",
                database.display()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    file.set_len(0).and_then(|()| file.rewind()).with_context(cannot)?;
    writeln!(file, "{} {}", std::process::id(), purpose.word()).with_context(cannot)?;
    Ok(ServerLock { _file: file })
}

/// The one path of a file that can be named in several ways. The file itself may not exist yet.
pub(crate) fn real_path(file: &Path) -> PathBuf {
    let in_real_directory = || {
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = std::fs::canonicalize(directory.unwrap_or(Path::new("."))).ok()?;
        Some(directory.join(file.file_name()?))
    };
    std::fs::canonicalize(file).ok().or_else(in_real_directory).unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Use, take};

    #[test]
    fn the_second_server_learns_who_was_first() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("shop.sqlite");
        let first = take(&database, Use::Serving).unwrap();
        let detour = place.path().join("..").join(place.path().file_name().unwrap()).join("shop.sqlite");
        for path in [&database, &detour] {
            let refusal = take(path, Use::Copying).unwrap_err().to_string();
            assert!(refusal.contains(&format!("process {} is serving", std::process::id())), "{refusal}");
        }
        drop(first);
        let copying = take(&database, Use::Copying).unwrap();
        let refusal = take(&database, Use::Serving).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {} is copying", std::process::id())), "{refusal}");
        drop(copying);
        assert!(take(&database, Use::Serving).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_database_is_that_database() {
        let place = tempfile::tempdir().unwrap();
        let (database, link) = (place.path().join("shop.sqlite"), place.path().join("link.sqlite"));
        std::fs::write(&database, "").unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _first = take(&database, Use::Serving).unwrap();
        assert!(take(&link, Use::Serving).is_err());
    }
}
