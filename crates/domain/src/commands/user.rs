//! Commands on accounts.

use super::{require_person, require_version};
use crate::{
    Change, Command, Context, Decision, Denial, Draft, Event, Keys, Rejection, Role, Snapshot, User, UserId,
    username_key,
};

/// What somebody who makes an account has shown of being the one who sets the shop up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Founding {
    /// Nothing: they are one of the customers.
    #[default]
    Nothing,
    /// To sit at the machine on which the shop was just set up: the first account is theirs to give a role to.
    FirstAccount,
    /// To hold the code for it: theirs to give a role to is any account until there is an administrator.
    Code,
}

/// Makes an account: for oneself, or as an administrator for anybody.
#[derive(Clone)]
pub struct CreateUser {
    /// Login name.
    pub username: String,
    /// E-mail address in lower case.
    pub email: Option<String>,
    /// Name for display.
    pub full_name: Option<String>,
    /// Role asked for. Absent: administrator for whoever sets the shop up, customer for all others.
    pub role: Option<Role>,
    /// What the caller has shown of being the one who does.
    pub founding: Founding,
    /// Whether nobody but administrators makes accounts.
    pub by_invitation: bool,
    /// Password hash in PHC form.
    pub password_hash: String,
}

impl Command for CreateUser {
    type Outcome = User;

    fn word(&self) -> &'static str {
        "user.create"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys {
            usernames: vec![username_key(&self.username)],
            emails: self.email.iter().cloned().collect(),
            census: true,
            ..Keys::default()
        }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<User>, Rejection> {
        let census = snapshot.census();
        let founds = match self.founding {
            Founding::Nothing => false,
            Founding::FirstAccount => census.users == 0,
            Founding::Code => census.active_admins == 0,
        };
        let is_in_charge = founds || context.actor.is_admin();
        if self.by_invitation && !is_in_charge {
            return Err(Rejection::RegistrationClosed);
        }
        let role = self.role.unwrap_or(if founds { Role::Admin } else { Role::Customer });
        // A machine that could make an administrator could have a key for more made by them.
        let may_grant = is_in_charge && context.actor.key.is_none();
        if role != Role::Customer && !may_grant {
            return Err(Rejection::Forbidden(Denial::GrantRole));
        }
        if snapshot.username_owner(&username_key(&self.username)).is_some() {
            return Err(Rejection::UsernameTaken(self.username.clone()));
        }
        if let Some(email) = self.email.as_ref().filter(|email| snapshot.email_owner(email).is_some()) {
            return Err(Rejection::EmailTaken(email.clone()));
        }
        let user = User {
            id: UserId(snapshot.next.user),
            username: self.username.clone(),
            email: self.email.clone(),
            full_name: self.full_name.clone(),
            role,
            password_hash: self.password_hash.clone(),
            token_generation: 1,
            is_active: true,
            version: 1,
            created_at_us: context.now_us,
            updated_at_us: context.now_us,
        };
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::PutUser(user.clone()));
        draft.record(Event::UserCreated { user_id: user.id, role });
        Ok(draft.decide(user))
    }
}

/// Changes an account; what is `None` stays. Users change their own name and address, administrators all.
#[derive(Debug, Clone)]
pub struct UpdateUser {
    /// The user.
    pub user_id: UserId,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
    /// New e-mail address in lower case, or none any more.
    pub email: Option<Option<String>>,
    /// New name for display, or none any more.
    pub full_name: Option<Option<String>>,
    /// New role; ends all sessions.
    pub role: Option<Role>,
    /// Activate or deactivate; the latter ends all sessions.
    pub is_active: Option<bool>,
}

impl Command for UpdateUser {
    type Outcome = User;

    fn word(&self) -> &'static str {
        "user.update"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys {
            users: vec![self.user_id],
            emails: self.email.iter().flatten().cloned().collect(),
            census: true,
            ..Keys::default()
        }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<User>, Rejection> {
        let before = visible(snapshot, context, self.user_id)?;
        self.check_permission(context, before)?;
        require_version(self.if_version, before.version)?;
        if let Some(Some(email)) = &self.email {
            match snapshot.email_owner(email) {
                Some(other) if other != before.id => return Err(Rejection::EmailTaken(email.clone())),
                _ => {}
            }
        }
        let mut after = User {
            email: self.email.clone().unwrap_or_else(|| before.email.clone()),
            full_name: self.full_name.clone().unwrap_or_else(|| before.full_name.clone()),
            role: self.role.unwrap_or(before.role),
            is_active: self.is_active.unwrap_or(before.is_active),
            ..before.clone()
        };
        let mut draft = Draft::new(snapshot, context);
        if after == *before {
            return Ok(draft.decide(after));
        }
        let rights_changed = after.role != before.role || after.is_active != before.is_active;
        let was_admin = before.is_active && before.role == Role::Admin;
        if rights_changed && was_admin && snapshot.census().active_admins <= 1 {
            return Err(Rejection::LastAdmin);
        }
        after.token_generation += i64::from(rights_changed);
        let loses_rights = was_admin && !(after.is_active && after.role == Role::Admin);
        touch(&mut after, context);
        draft.put(Change::PutUser(after.clone()));
        if loses_rights {
            // For good: what leaked once must not come back to life with its maker's rights.
            draft.put(Change::RevokeApiKeysOf { user_id: after.id, at_us: context.now_us });
        }
        draft.record(Event::UserUpdated { user_id: after.id, version: after.version });
        Ok(draft.decide(after))
    }
}

impl UpdateUser {
    fn check_permission(&self, context: &Context, before: &User) -> Result<(), Rejection> {
        if before.role != Role::Customer || self.role.is_some_and(|role| role != before.role) {
            require_person(context)?;
        }
        if context.actor.is_admin() {
            return Ok(());
        }
        if self.role.is_some_and(|role| role != before.role) {
            return Err(Rejection::Forbidden(Denial::GrantRole));
        }
        if self.is_active.is_some_and(|is_active| is_active != before.is_active) {
            return Err(Rejection::Forbidden(Denial::SetActive));
        }
        Ok(())
    }
}

/// Sets a new password and ends all sessions.
#[derive(Clone)]
pub struct SetPassword {
    /// The user.
    pub user_id: UserId,
    /// The token generation in which the caller proved to know the old password; refused if it has passed.
    pub seen_generation: Option<i64>,
    /// Hash of the new password in PHC form.
    pub password_hash: String,
}

impl Command for SetPassword {
    type Outcome = User;

    fn word(&self) -> &'static str {
        "user.set_password"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { users: vec![self.user_id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<User>, Rejection> {
        require_person(context)?;
        let before = visible(snapshot, context, self.user_id)?;
        if self.seen_generation.is_some_and(|seen| seen != before.token_generation) {
            return Err(Rejection::CredentialsChanged);
        }
        let mut after = User { password_hash: self.password_hash.clone(), ..before.clone() };
        after.token_generation += 1;
        touch(&mut after, context);
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::PutUser(after.clone()));
        draft.record(Event::PasswordChanged { user_id: after.id });
        Ok(draft.decide(after))
    }
}

/// Notes that somebody has logged in, for the audit log: tokens are given out after this.
#[derive(Debug, Clone)]
pub struct BeginSession {
    /// The user, who is the one who asks.
    pub user_id: UserId,
    /// The token generation of which the tokens will be, and in which the password was right.
    pub seen_generation: i64,
}

impl Command for BeginSession {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "user.begin_session"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { users: vec![self.user_id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        let id = self.user_id;
        let own = snapshot.user(id).filter(|_| context.actor.user_id == Some(id));
        let user = own.ok_or(Rejection::UserNotFound(id))?;
        if !user.is_active || user.token_generation != self.seen_generation {
            return Err(Rejection::CredentialsChanged);
        }
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::NoteSession { user_id: id });
        Ok(draft.decide(()))
    }
}

/// Ends all sessions of a user: every token given out so far is dead.
#[derive(Debug, Clone)]
pub struct RevokeSessions {
    /// The user.
    pub user_id: UserId,
}

impl Command for RevokeSessions {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "user.end_sessions"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { users: vec![self.user_id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        require_person(context)?;
        let mut after = visible(snapshot, context, self.user_id)?.clone();
        after.token_generation += 1;
        touch(&mut after, context);
        let mut draft = Draft::new(snapshot, context);
        draft.record(Event::SessionsRevoked { user_id: after.id });
        draft.put(Change::PutUser(after));
        Ok(draft.decide(()))
    }
}

/// The user, if the caller is that user or an administrator.
fn visible<'a>(snapshot: &'a Snapshot, context: &Context, id: UserId) -> Result<&'a User, Rejection> {
    let own = context.actor.user_id == Some(id);
    snapshot.user(id).filter(|_| own || context.actor.is_admin()).ok_or(Rejection::UserNotFound(id))
}

fn touch(user: &mut User, context: &Context) {
    user.version += 1;
    user.updated_at_us = context.now_us;
}
