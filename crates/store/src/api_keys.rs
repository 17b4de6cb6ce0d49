//! Writes what a batch decided about the keys of machines.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ApiKeyId, Change, NextIds, Snapshot, UserId};

use crate::StoreError;
use crate::driver::{Rows, Sets, Transaction};
use crate::tables::{INSERT_API_KEYS, UPDATE_API_KEY_USE, UPDATE_API_KEYS};

const REVOKE_ALL_OF: &str =
    "UPDATE api_keys SET revoked_at_us = ? WHERE maker_id = ? AND revoked_at_us IS NULL";

/// The first 63 bits of a digest as a number, by which a key is looked up: an integer is found together with those that
/// others ask for at the same time. 0, which is nobody's, for what is no digest.
#[must_use]
pub fn digest_head(digest: &str) -> i64 {
    let head = digest.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok());
    head.and_then(|head| i64::try_from(head >> 1).ok()).unwrap_or(0)
}

/// What becomes of keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    keys: BTreeSet<ApiKeyId>,
    /// Of whom all keys are revoked, and when.
    revoked_of: BTreeMap<UserId, i64>,
    used_us: BTreeMap<ApiKeyId, i64>,
}

impl Keyring {
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::PutApiKey(key) => drop(self.keys.insert(key.id)),
            Change::RevokeApiKeysOf { user_id, at_us } => {
                self.revoked_of.entry(*user_id).or_insert(*at_us);
            }
            Change::NoteApiKeyUse { id, at_us } => {
                let used_us = self.used_us.entry(*id).or_insert(*at_us);
                *used_us = (*used_us).max(*at_us);
            }
            _ => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.revoked_of.is_empty() && self.used_us.is_empty()
    }

    /// The time of the latest use.
    pub(crate) fn latest_us(&self) -> Option<i64> {
        self.used_us.values().copied().max()
    }

    /// Revokes what is stored already; a key made in this very batch is revoked in the snapshot.
    pub(crate) async fn revoke_all(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        for (user_id, at_us) in &self.revoked_of {
            transaction.execute(REVOKE_ALL_OF, &[(*at_us).into(), user_id.0.into()]).await?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, sets: &mut Sets, snapshot: &Snapshot, first: NextIds) {
        let (mut new, mut old) = (Rows::new(), Rows::new());
        for key in self.keys.iter().filter_map(|id| snapshot.api_key(*id)) {
            if key.id.0 < first.api_key {
                old.push([key.id.0.into(), key.revoked_at_us.into()]);
                continue;
            }
            let scopes = key.scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" ");
            new.push([
                key.id.0.into(),
                (&key.name).into(),
                (&key.digest).into(),
                digest_head(&key.digest).into(),
                key.role.word().into(),
                (&scopes).into(),
                key.maker_id.0.into(),
                key.created_at_us.into(),
                key.expires_at_us.into(),
                key.revoked_at_us.into(),
                key.last_used_at_us.into(),
            ]);
        }
        let mut used = Rows::new();
        for (id, at_us) in &self.used_us {
            used.push([id.0.into(), (*at_us).into()]);
        }
        sets.insert(&INSERT_API_KEYS, new);
        sets.update(&UPDATE_API_KEYS, old);
        sets.update(&UPDATE_API_KEY_USE, used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn keys_of_a_maker_are_found_by_index() {
        let step = "SEARCH api_keys USING INDEX api_keys_by_maker (maker_id=?)";
        Planner::new().await.check(REVOKE_ALL_OF, &[step]).await;
    }

    #[test]
    fn a_digest_begins_with_its_number() {
        let zeros = "0".repeat(48);
        for (head, number) in
            [("0000000000000002", 1), ("ffffffffffffffff", i64::MAX), ("8000000000000000", 1 << 62)]
        {
            assert_eq!(digest_head(&format!("{head}{zeros}")), number);
        }
        assert_eq!((digest_head(""), digest_head("zz"), digest_head(&"é".repeat(9))), (0, 0, 0));
    }
}
