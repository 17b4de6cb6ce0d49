//! Passwords, kept as argon2id hashes. Each hash costs 19 MiB and some ten milliseconds, so their number is bounded
//! and none is computed on a thread that serves requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use passwords::analyzer::is_common_password;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Threads of one hash.
const LANES: u32 = 1;

/// A hash of the same cost as every other, of no password: users who do not exist take as long as those who do.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c3RvY2tyb29tIG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password was neither hashed nor compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many others are waiting; try again in a moment.
    #[error("too many passwords are being checked")]
    Busy,
    /// A fault of ours: a hash in the database that is none, or no memory.
    #[error("password hashing failed: {0}")]
    Failed(String),
}

/// Hashes and compares passwords, so many at once and so many waiting.
#[derive(Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

/// All places for waiting taken; given back when dropped.
#[derive(Debug)]
pub struct Crowd {
    _places: OwnedSemaphorePermit,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Passwords").field("free", &self.running.available_permits()).finish()
    }
}

impl Passwords {
    /// At most `concurrency` hashes are computed at once (at least one) while at most `queue` wait.
    #[must_use]
    pub fn new(concurrency: usize, queue: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let admitted = concurrency.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self {
            running: Arc::new(Semaphore::new(concurrency)),
            admitted: Arc::new(Semaphore::new(admitted)),
            computed: Arc::default(),
        }
    }

    /// How many hashes have been computed so far. A login costs one, whoever tries it and whether or not it succeeds.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Takes every free place, so that whoever comes next is told that the queue is full.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when there is none to take.
    pub fn crowd(&self) -> Result<Crowd, PasswordError> {
        let free = u32::try_from(self.admitted.available_permits()).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.admitted).try_acquire_many_owned(free.max(1));
        places.map(|places| Crowd { _places: places }).map_err(|_| PasswordError::Busy)
    }

    /// Hashes a password, with a fresh salt, as PHC text for the database.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many wait, [`PasswordError::Failed`] when the computation fails.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.compute(move || hash_now(&password)).await
    }

    /// Compares a password with the hash of a user. Without a user it takes as long and answers `false`.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, PasswordError> {
        let password = password.to_owned();
        let hash = hash.map(str::to_owned);
        self.compute(move || {
            let equal = verify_now(&password, hash.as_deref().unwrap_or(NOBODY))?;
            Ok(equal && hash.is_some())
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The permits travel into the computation, since that goes on when its caller has left.
        let turn = (admitted, running);
        self.computed.fetch_add(1, Ordering::Relaxed);
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|error| PasswordError::Failed(error.to_string()))?
    }
}

/// Hashes a password on this thread; for the command line.
///
/// # Errors
/// [`PasswordError::Failed`] when the computation fails.
pub fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash = argon2()?.hash_password(password.as_bytes()).map_err(failed)?;
    Ok(hash.to_string())
}

/// Compares a password with PHC text on this thread, at the cost that the text names.
///
/// # Errors
/// [`PasswordError::Failed`] when the text is no hash.
pub fn verify_now(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(|error| PasswordError::Failed(error.to_string()))?;
    match argon2()?.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Whether this is one of the passwords that are tried first, in capitals or not.
///
/// There are 47,000 of 8 characters or more on the list, a multiple of what OWASP's ASVS asks for.
#[must_use]
pub fn is_common(password: &str) -> bool {
    is_common_password(password) || is_common_password(password.to_lowercase())
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: HashError) -> PasswordError {
    PasswordError::Failed(error.to_string())
}

#[cfg(test)]
mod tests;
