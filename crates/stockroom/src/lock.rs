//! One server a file: an embedded database is served by one process, and the second is told by whom.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

/// Held as long as the server runs. The system lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _file: File,
}

/// Takes the lock of an embedded database; other databases serve many servers and need none.
pub(crate) fn take(database_url: &str) -> anyhow::Result<Option<ServerLock>> {
    let Some(path) = database_url.strip_prefix("sqlite:") else { return Ok(None) };
    let database = path.strip_prefix("//").unwrap_or(path);
    let path = PathBuf::from(format!("{database}.lock"));
    let cannot = || format!("cannot lock {}", path.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Nobody writes more than a number; what else stands there is cut off.
            let _ = (&mut file).take(20).read_to_string(&mut holder);
            anyhow::bail!(
                "process {} is serving {database} already; stop it first, or serve another database",
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    file.set_len(0).and_then(|()| file.rewind()).with_context(cannot)?;
    writeln!(file, "{}", std::process::id()).with_context(cannot)?;
    Ok(Some(ServerLock { _file: file }))
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn the_second_server_learns_who_was_first() {
        let place = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", place.path().join("shop.sqlite").display());
        let first = take(&url).unwrap();
        let refusal = take(&url).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(first);
        assert!(take(&url).unwrap().is_some());
        assert!(take("postgres://host/db").unwrap().is_none());
    }
}
