//! Commands on the keys of machines. Keys never manage keys: all of this takes a person.

use super::{require_person, require_range};
use crate::{
    ApiKey, ApiKeyId, Change, Command, Context, Decision, Denial, Draft, Event, Keys, MAX_API_KEY_LIFE_DAYS,
    Rejection, Role, Scope, Snapshot,
};

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Makes a key for a machine. It works for the shop, never for a customer.
#[derive(Clone)]
pub struct CreateApiKey {
    /// What it is for.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal digits.
    pub digest: String,
    /// What the machine may do at most.
    pub role: Role,
    /// What it is good for within that role, at least one.
    pub scopes: Vec<Scope>,
    /// How long it is good.
    pub life_days: i64,
}

impl Command for CreateApiKey {
    type Outcome = ApiKey;

    fn word(&self) -> &'static str {
        "api_key.create"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys::default()
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<ApiKey>, Rejection> {
        require_keeper(context)?;
        // Whoever is nobody can lose no rights, and the key would live for ever.
        let Some(maker_id) = context.actor.user_id else { return Err(Rejection::Forbidden(Denial::Role)) };
        if self.role == Role::Customer {
            return Err(Rejection::Forbidden(Denial::Machine));
        }
        require_range("expires_in_days", None, self.life_days, (1, MAX_API_KEY_LIFE_DAYS))?;
        let mut scopes = self.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        let known = (1, i64::try_from(Scope::ALL.len()).unwrap_or(i64::MAX));
        require_range("scopes", None, i64::try_from(scopes.len()).unwrap_or(i64::MAX), known)?;
        let key = ApiKey {
            id: ApiKeyId(snapshot.next.api_key),
            name: self.name.clone(),
            digest: self.digest.clone(),
            role: self.role,
            scopes,
            maker_id,
            created_at_us: context.now_us,
            expires_at_us: context.now_us.saturating_add(self.life_days.saturating_mul(DAY_US)),
            revoked_at_us: None,
            last_used_at_us: None,
        };
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::PutApiKey(key.clone()));
        draft.record(Event::ApiKeyCreated { api_key_id: key.id });
        Ok(draft.decide(key))
    }
}

/// Makes a key worthless, at once and for good. One that is so already stays as it is.
#[derive(Debug, Clone)]
pub struct RevokeApiKey {
    /// The key.
    pub id: ApiKeyId,
}

impl Command for RevokeApiKey {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "api_key.revoke"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { api_keys: vec![self.id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        require_keeper(context)?;
        let before = snapshot.api_key(self.id).ok_or(Rejection::ApiKeyNotFound(self.id))?;
        let mut draft = Draft::new(snapshot, context);
        if before.revoked_at_us.is_none() {
            draft.put(Change::PutApiKey(ApiKey { revoked_at_us: Some(context.now_us), ..before.clone() }));
            draft.record(Event::ApiKeyRevoked { api_key_id: self.id });
        }
        Ok(draft.decide(()))
    }
}

/// Notes that a key was used. Housekeeping: the shop itself does it, once in a while.
#[derive(Debug, Clone)]
pub struct NoteApiKeyUse {
    /// The key.
    pub id: ApiKeyId,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}

impl Command for NoteApiKeyUse {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "api_key.note_use"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys::default()
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::NoteApiKeyUse { id: self.id, at_us: self.at_us });
        Ok(draft.decide(()))
    }
}

/// Refuses everybody but administrators, and machines whatever their role.
fn require_keeper(context: &Context) -> Result<(), Rejection> {
    require_person(context)?;
    if context.actor.is_admin() { Ok(()) } else { Err(Rejection::Forbidden(Denial::Role)) }
}
