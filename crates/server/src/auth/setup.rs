//! The one-time code with which a shop gets its first administrator.
//!
//! Whoever can read the server's output or its data directory may be in charge of the shop anyhow. The code lets them say so
//! from elsewhere, through whatever proxies stand in between. It is worth something as long as the shop has no
//! administrator, and its file is removed when it has one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The name of the file in the data directory.
pub const FILE_NAME: &str = "setup-code";
/// The header in which the code travels.
pub const HEADER: &str = "stockroom-setup-code";

/// Random bytes in a code.
const BYTES: usize = 16;

/// The code of this server. Cloning costs a reference count.
#[derive(Clone)]
pub struct SetupCode(Arc<Inner>);

struct Inner {
    code: String,
    path: PathBuf,
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SetupCode([hidden])")
    }
}

impl SetupCode {
    /// Reads the code that was kept in the data directory, or makes one. What others could have read or written there is
    /// replaced.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub fn load_or_create(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE_NAME);
        if let Some(code) = load(&path) {
            return Ok(Self(Arc::new(Inner { code, path })));
        }
        forget(data_dir)?;
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let code: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&path)?;
        file.write_all(format!("{code}\n").as_bytes())?;
        file.sync_all()?;
        Ok(Self(Arc::new(Inner { code, path })))
    }

    /// The code itself, to be printed once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0.code
    }

    /// Where it is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether this is the code. Takes as long for one that begins well as for one that does not.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        Sha256::digest(given.trim().to_ascii_lowercase()) == Sha256::digest(&self.0.code)
    }

    /// Removes the file: there is an administrator. Logged if it cannot be, for it is worth nothing any more.
    pub fn retire(&self) {
        let gone = self.0.path.parent().map_or(Ok(()), forget);
        if let Err(error) = gone {
            tracing::warn!(path = %self.0.path.display(), %error, "the used setup code could not be removed");
        }
    }
}

/// Removes the code of a shop that has an administrator, if there still is one.
///
/// # Errors
/// When there is one and it cannot be removed.
pub fn forget(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(FILE_NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The code in the file; `None` if there is none, it is not whole, or others can read or write it.
fn load(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata().ok()?.permissions().mode() & 0o077 != 0 {
            return None;
        }
    }
    let mut text = String::new();
    file.take(256).read_to_string(&mut text).ok()?;
    let code = text.trim();
    let is_code = code.len() == 2 * BYTES && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_code.then(|| code.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let code = SetupCode::load_or_create(directory.path()).unwrap();
        let mode = fs::metadata(code.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = SetupCode::load_or_create(directory.path()).unwrap();
        assert_eq!(code.reveal(), again.reveal());
        assert!(code.is(again.reveal()) && code.is(&format!(" {} ", code.reveal().to_uppercase())));
        for wrong in ["", " ", "0", &code.reveal()[1..], &format!("{}0", code.reveal())] {
            assert!(!code.is(wrong), "{wrong}");
        }
        assert!(!format!("{code:?}").contains(code.reveal()));
        code.retire();
        assert!(!code.path().exists());
        code.retire();
        let next = SetupCode::load_or_create(directory.path()).unwrap();
        assert_ne!(code.reveal(), next.reveal());
    }

    #[test]
    fn what_others_could_have_seen_or_written_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let known = "0".repeat(32);
        for (text, mode) in [(known.as_str(), 0o644), (&known, 0o602), ("", 0o600), ("half", 0o600)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let code = SetupCode::load_or_create(directory.path()).unwrap();
            assert!(!code.is(&known) && !code.is(text), "{text} {mode:o}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
