//! The secret of an installation that was given none: made on the first run and kept in the data directory.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;

use super::secret::Secret;

/// The file in the data directory.
const FILE: &str = "secret";
/// Random bytes in a new secret: as many as HMAC-SHA256 can use.
const BYTES: usize = 32;

/// Reads the secret kept in the directory. Where there is none, makes one, together with the directory.
pub(super) fn read_or_make(directory: &Path) -> anyhow::Result<Secret> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Secret::read(&text)
            .map_err(|hint| {
                anyhow::anyhow!("{hint}; or remove the file to have a new one made, which logs everybody out")
            })
            .with_context(|| format!("the secret in {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => make(directory, &path).with_context(|| {
            format!(
                "cannot make {}; STOCKROOM_SECRET or secret_file can hold the secret instead",
                path.display()
            )
        }),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn make(directory: &Path, path: &Path) -> anyhow::Result<Secret> {
    fs::create_dir_all(directory)?;
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The file gets its name when it is complete and on the disk, so that no crash leaves half a secret, and by a
    // link, which unlike a rename cannot replace what another process made in the meantime.
    let draft = directory.join(format!("{FILE}.{}", std::process::id()));
    write_privately(&draft, &text)?;
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft); // What is left behind harms nobody.
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    sync_directory(directory)?;
    Secret::read(&fs::read_to_string(path)?).map_err(anyhow::Error::msg)
}

fn write_privately(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FILE, read_or_make};

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new/data");
        let first = read_or_make(&directory).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert!(read_or_make(&directory).unwrap() == first);
        assert!(read_or_make(&place.path().join("other")).unwrap() != first);
        let names: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(directory.join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_secret_is_not_replaced_silently() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(FILE), "hush").unwrap();
        let error = format!("{:#}", read_or_make(place.path()).unwrap_err());
        assert!(error.contains("too short") && !error.contains("hush"), "{error}");
        assert_eq!(std::fs::read_to_string(place.path().join(FILE)).unwrap(), "hush");
    }

    #[test]
    fn several_processes_agree_on_one_secret() {
        let place = tempfile::tempdir().unwrap();
        let winner = read_or_make(place.path()).unwrap();
        // The loser of the race finds the name taken after it looked in vain.
        let loser = super::make(place.path(), &place.path().join(FILE)).unwrap();
        assert!(loser == winner);
    }
}
