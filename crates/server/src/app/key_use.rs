//! When a machine's key was last used. Noted once a minute at most, behind the back of the request that uses it: who
//! calls waits for nothing, and a database that is away costs a note and no answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::{Actor, ApiKey, ApiKeyId, Context, NoteApiKeyUse};

use super::App;

/// Uses within so long of a noted one are not noted.
const APART_US: i64 = 60_000_000;

/// When the use of a key was noted by this server, for the time until others can read it. As many entries as there are
/// keys in use.
#[derive(Debug, Default)]
pub(super) struct KeyUses(Mutex<HashMap<ApiKeyId, i64>>);

impl KeyUses {
    /// Whether a use is worth a note, which is then as good as made.
    fn is_due(&self, key: &ApiKey, now_us: i64) -> bool {
        let is_fresh = |noted_us: i64| now_us.saturating_sub(noted_us) < APART_US;
        if key.last_used_at_us.is_some_and(is_fresh) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&key.id).copied().is_some_and(is_fresh) {
            return false;
        }
        noted.insert(key.id, now_us);
        true
    }
}

impl App {
    /// Notes that a key was used, unless that was noted a moment ago. Returns at once.
    pub fn note_key_use(&self, key: &ApiKey, now_us: i64) {
        if !self.0.key_uses.is_due(key, now_us) {
            return;
        }
        let (app, id) = (self.clone(), key.id);
        tokio::spawn(async move {
            let context =
                Context { actor: Actor::SYSTEM, now_us, request_id: "key-use".into(), source: None };
            if let Err(failure) = app.execute(NoteApiKeyUse { id, at_us: now_us }, context, None).await {
                tracing::debug!(%failure, key = id.0, "the use of an API key was not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use domain::{Role, UserId};

    use super::*;

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let key = |last_used_at_us| ApiKey {
            id: ApiKeyId(1),
            name: String::new(),
            digest: String::new(),
            role: Role::Staff,
            scopes: Vec::new(),
            maker_id: UserId(1),
            created_at_us: 0,
            expires_at_us: 0,
            revoked_at_us: None,
            last_used_at_us,
        };
        let uses = KeyUses::default();
        assert!(uses.is_due(&key(None), 1));
        // Not yet to be read, but noted.
        assert!(!uses.is_due(&key(None), APART_US));
        assert!(uses.is_due(&key(Some(1)), APART_US + 1));
        // Another server has noted it.
        assert!(!uses.is_due(&key(Some(2 * APART_US)), 2 * APART_US + 5));
    }
}
