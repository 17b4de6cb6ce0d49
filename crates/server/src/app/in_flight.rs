//! The idempotency keys whose requests are being carried out on this server right now.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

type Entry = (i64, String);

/// The keys in flight. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<Entry>>>);

/// Holds one key until dropped. It travels with the job, so a client that goes away does not free its key early.
#[derive(Debug)]
pub(super) struct Claim {
    keys: InFlight,
    entry: Entry,
}

impl InFlight {
    /// Claims a key; `None` while another request holds it.
    pub(super) fn claim(&self, principal: i64, key: &str) -> Option<Claim> {
        let entry = (principal, key.to_owned());
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(entry.clone()).then(|| Claim { keys: self.clone(), entry })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_once_per_principal_until_dropped() {
        let keys = InFlight::default();
        let claim = keys.claim(1, "k").unwrap();
        assert!(keys.claim(1, "k").is_none());
        assert!(keys.claim(2, "k").is_some());
        drop(claim);
        assert!(keys.claim(1, "k").is_some());
    }
}
