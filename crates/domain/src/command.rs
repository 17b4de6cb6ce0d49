//! A command is data: it names the rows it needs, is handed them as they are, and answers with changes, or refuses.

use std::sync::Arc;

use crate::{Decision, Keys, Rejection, Role, Snapshot, UserId};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The account; `None` for the anonymous principal and for the system itself.
    pub user_id: Option<UserId>,
    /// What the actor may do.
    pub role: Role,
}

impl Actor {
    /// The system itself: the command line, sample data, housekeeping.
    pub const SYSTEM: Self = Self { user_id: None, role: Role::Admin };

    /// Whether the actor works here (staff or administrator).
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self.role, Role::Staff | Role::Admin)
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
}

/// Something that can be asked of the shop.
pub trait Command {
    /// What the caller learns when it is done.
    type Outcome;

    /// The rows that [`Command::decide`] may look at. It sees no others.
    fn keys(&self, context: &Context) -> Keys;

    /// Decides, as a pure function of its arguments.
    ///
    /// # Errors
    /// The [`Rejection`] that states why nothing changes.
    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Self::Outcome>, Rejection>;
}
