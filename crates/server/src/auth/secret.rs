//! The server's one secret, from which the keys for its several purposes are derived.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The name of the file in the data directory.
pub const FILE_NAME: &str = "secret.key";

/// Bytes of a generated secret.
const GENERATED_BYTES: usize = 32;
/// The fewest characters of a secret that somebody chose.
const SHORTEST_TEXT: usize = 32;
/// The fewest different characters of a secret that somebody chose.
const FEWEST_DISTINCT: usize = 10;
/// A file larger than this is no key.
const LARGEST_FILE: u64 = 4096;
/// What the examples of the world put where a secret belongs.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "yoursecret",
    "yoursupersecret",
    "supersecret",
    "mysecret",
    "replaceme",
    "replacethis",
    "placeholder",
    "insecure",
    "secretkeyhere",
    "examplesecret",
    "defaultsecret",
    "donotuse",
];

/// Why there is no usable secret. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can be read by others than its owner.
    #[error("{} can be read or written by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "{} does not hold at least 64 hexadecimal digits; restore it from a backup, or delete it to have a new \
         secret made (everybody must log in again)",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The given text can be guessed.
    #[error("the given secret {0}; make one with: openssl rand -hex 32")]
    Weak(&'static str),
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system has no random bytes to give.
    #[error("the system's random number generator failed: {0}")]
    Random(getrandom::Error),
}

/// The server's secret. Never shown, never sent; only keys derived from it are used.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret([hidden])")
    }
}

/// A key for one purpose.
#[derive(Clone)]
pub struct SubKey([u8; 32]);

impl SubKey {
    /// The key itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SubKey([hidden])")
    }
}

impl Secret {
    /// Reads the secret of a data directory, and makes both if they are missing.
    ///
    /// Several processes may do so at once: one file is made, and all return its content.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be read or made, is open to others or holds no key.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        let path = data_dir.join(FILE_NAME);
        match Self::load(&path) {
            Err(SecretError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        make_directory(data_dir).map_err(failed("create", data_dir))?;
        create(data_dir, &path)?;
        // Read back instead of returned: another process may have been faster.
        Self::load(&path)
    }

    /// Takes a secret that was configured.
    ///
    /// # Errors
    /// [`SecretError::Weak`] when it is shorter than 32 characters, repetitive, or a well-known placeholder.
    pub fn from_text(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.len() < SHORTEST_TEXT {
            return Err(SecretError::Weak("is shorter than 32 characters"));
        }
        let letters: String =
            text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
        if PLACEHOLDERS.iter().any(|placeholder| letters.contains(placeholder)) {
            return Err(SecretError::Weak("is a placeholder that everybody knows"));
        }
        let mut distinct: Vec<u8> = text.bytes().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < FEWEST_DISTINCT {
            return Err(SecretError::Weak("is too repetitive"));
        }
        Ok(Self(text.as_bytes().to_vec()))
    }

    /// The key that signs tokens.
    #[must_use]
    pub fn token_key(&self) -> SubKey {
        self.derive(b"stockroom token v1")
    }

    /// The key of [fingerprints](crate::wire::idempotency::fingerprint).
    #[must_use]
    pub fn fingerprint_key(&self) -> SubKey {
        self.derive(b"stockroom idempotency fingerprint v1")
    }

    /// Tells this secret from others, and nothing about it.
    #[must_use]
    pub fn mark(&self) -> String {
        hex(&self.derive(b"stockroom secret mark v1").0[..8])
    }

    /// A key that reveals neither the secret nor the key of another purpose.
    fn derive(&self, label: &[u8]) -> SubKey {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(label);
        SubKey(mac.finalize().into_bytes().into())
    }

    fn load(path: &Path) -> Result<Self, SecretError> {
        let file = File::open(path).map_err(failed("open", path))?;
        refuse_exposed(&file, path)?;
        let mut text = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut text).map_err(failed("read", path))?;
        let malformed = || SecretError::Malformed { path: path.to_owned() };
        let digits = text.trim_ascii();
        if u64::try_from(text.len()).is_ok_and(|len| len > LARGEST_FILE)
            || digits.len() < 2 * GENERATED_BYTES
            || digits.len() % 2 != 0
        {
            return Err(malformed());
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let bytes: Option<Vec<u8>> =
            digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect();
        bytes.map(Self).ok_or_else(malformed)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    move |source| SecretError::Io { action, path, source }
}

#[cfg(unix)]
fn refuse_exposed(file: &File, path: &Path) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(failed("inspect", path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &File, _: &Path) -> Result<(), SecretError> {
    Ok(())
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Writes the whole file under another name first and links it into place, so that nobody ever reads half of it
/// and nobody's file is replaced.
fn create(data_dir: &Path, path: &Path) -> Result<(), SecretError> {
    let mut bytes = [0_u8; GENERATED_BYTES + 8];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    let (secret, unique) = bytes.split_at(GENERATED_BYTES);
    let draft = data_dir.join(format!(".{FILE_NAME}.{}", hex(unique)));
    let placed = write_new(&draft, secret).and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links; there a file is made in place, by exactly one process.
        Err(_) => match write_new(path, secret) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        },
        Ok(()) => Ok(()),
    });
    // The draft has served its purpose; if it cannot be removed it is a harmless leftover with mode 0600.
    _ = std::fs::remove_file(&draft);
    placed.map_err(failed("create", path))?;
    // Makes the new name itself durable; not every file system can.
    _ = File::open(data_dir).and_then(|directory| directory.sync_all());
    Ok(())
}

fn write_new(path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(format!("{}\n", hex(secret)).as_bytes())?;
    file.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
