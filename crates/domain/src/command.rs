//! A command is data: it names the rows it needs, is handed them as they are, and answers with changes, or refuses.

use std::sync::Arc;

use crate::{ApiKeyId, Decision, Keys, Rejection, Role, Snapshot, UserId};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The account; `None` for the anonymous principal, for a machine with a key, and for the system itself.
    pub user_id: Option<UserId>,
    /// What the actor may do.
    pub role: Role,
    /// The key of a machine, which acts for the shop and for no user.
    pub key: Option<ApiKeyId>,
}

impl Actor {
    /// The system itself: the command line, sample data, housekeeping.
    pub const SYSTEM: Self = Self { user_id: None, role: Role::Admin, key: None };

    /// Whether the actor works here (staff or administrator).
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self.role, Role::Staff | Role::Admin)
    }

    /// Whether it is known who this is: an account, or a machine with a key.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.user_id.is_some() || self.key.is_some()
    }

    /// Under which number the actor's idempotency keys are kept: the user's, the key's below zero, or 0 for callers
    /// that nobody knows.
    #[must_use]
    pub const fn principal(&self) -> i64 {
        match (self.key, self.user_id) {
            (Some(key), _) => -key.0,
            (None, Some(user)) => user.0,
            (None, None) => 0,
        }
    }

    /// Whether the actor is an administrator.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        matches!(self.role, Role::Admin)
    }
}

/// What surrounds a command: who asks, when, in which request.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// When, microseconds since 1970 UTC. The only clock that the rules know.
    pub now_us: i64,
    /// The request, for the ledger and the events.
    pub request_id: Arc<str>,
    /// From where the request came, for the audit log: an address, or the command line. `None` is the shop itself:
    /// housekeeping and made-up data, which nobody answers for.
    pub source: Option<Arc<str>>,
}

impl Context {
    /// Whether the audit log tells of what is done here: of all that staff, administrators and machines do, and of
    /// nothing that customers do.
    #[must_use]
    pub const fn is_audited(&self) -> bool {
        self.actor.key.is_some() || (self.actor.is_staff() && self.source.is_some())
    }
}

/// Something that can be asked of the shop.
pub trait Command {
    /// What the caller learns when it is done.
    type Outcome;

    /// What the audit log calls it: the kind of thing, a dot, and what is done to it.
    fn word(&self) -> &'static str;

    /// The rows that [`Command::decide`] may look at. It sees no others.
    fn keys(&self, context: &Context) -> Keys;

    /// Decides, as a pure function of its arguments.
    ///
    /// # Errors
    /// The [`Rejection`] that states why nothing changes.
    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Self::Outcome>, Rejection>;
}
