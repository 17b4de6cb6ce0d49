//! The accounts of the second model.

use domain::{Context, CreateUser, Founding, Role, UpdateUser};

use super::model::{News, seen};
use crate::any::Any;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) role: Role,
    pub(super) active: bool,
    pub(super) hash: String,
    pub(super) generation: i64,
    pub(super) version: i64,
}

/// Accounts are never removed: number n stands at position n - 1.
#[derive(Debug, Default)]
pub(super) struct People(pub(super) Vec<Person>);

impl People {
    fn position(&self, id: i64) -> Option<usize> {
        usize::try_from(id - 1).ok().filter(|position| *position < self.0.len())
    }

    /// The number of the newest account.
    fn last(&self) -> i64 {
        (1..).zip(&self.0).map(|(id, _)| id).last().unwrap_or(0)
    }

    /// Whether an account is active, if there is one.
    pub(super) fn active(&self, id: i64) -> Option<bool> {
        self.position(id).map(|position| self.0[position].active)
    }

    pub(super) fn play(&mut self, command: &Any, context: &Context) -> Result<News, &'static str> {
        let (id, seen_generation, hash, event) = match command {
            Any::CreateUser(command) => return self.create(command, context),
            Any::UpdateUser(command) => return self.update(command, context),
            Any::SetPassword(command) => {
                (command.user_id.0, command.seen_generation, Some(&command.password_hash), "password_changed")
            }
            Any::BeginSession(command) => {
                let id = command.user_id.0;
                if context.actor.user_id.is_none_or(|user| user.0 != id) {
                    return Err("USER_NOT_FOUND");
                }
                let person = self.visible(id, context)?;
                let is_same = person.active && person.generation == command.seen_generation;
                return if is_same { Ok(Vec::new()) } else { Err("CREDENTIALS_CHANGED") };
            }
            Any::RevokeSessions(command) => (command.user_id.0, None, None, "sessions_revoked"),
            other => panic!("{} is not about accounts", other.name()),
        };
        let person = self.visible(id, context)?;
        if seen_generation.is_some_and(|seen| seen != person.generation) {
            return Err("CREDENTIALS_CHANGED");
        }
        if let Some(hash) = hash {
            person.hash.clone_from(hash);
        }
        person.generation += 1;
        person.version += 1;
        Ok(vec![(event, id)])
    }

    fn visible(&mut self, id: i64, context: &Context) -> Result<&mut Person, &'static str> {
        let mine = context.actor.user_id.is_some_and(|user| user.0 == id);
        let position = self.position(id).filter(|_| mine || context.actor.role == Role::Admin);
        position.map(|position| &mut self.0[position]).ok_or("USER_NOT_FOUND")
    }

    fn create(&mut self, command: &CreateUser, context: &Context) -> Result<News, &'static str> {
        let led = self.0.iter().any(|person| person.active && person.role == Role::Admin);
        let founds = match command.founding {
            Founding::Nothing => false,
            Founding::FirstAccount => self.0.is_empty(),
            Founding::Code => !led,
        };
        let may_do_all = founds || context.actor.role == Role::Admin;
        if command.by_invitation && !may_do_all {
            return Err("REGISTRATION_CLOSED");
        }
        let role = match command.role {
            Some(role) => role,
            None if founds => Role::Admin,
            None => Role::Customer,
        };
        if !may_do_all && role != Role::Customer {
            return Err("FORBIDDEN");
        }
        let name = command.username.to_lowercase();
        if self.0.iter().any(|person| person.name.to_lowercase() == name) {
            return Err("USERNAME_TAKEN");
        }
        if command.email.is_some() && self.0.iter().any(|person| person.email == command.email) {
            return Err("EMAIL_TAKEN");
        }
        self.0.push(Person {
            name: command.username.clone(),
            email: command.email.clone(),
            full_name: command.full_name.clone(),
            role,
            active: true,
            hash: command.password_hash.clone(),
            generation: 1,
            version: 1,
        });
        Ok(vec![("user_created", self.last())])
    }

    fn update(&mut self, command: &UpdateUser, context: &Context) -> Result<News, &'static str> {
        let id = command.user_id.0;
        let old = self.visible(id, context)?.clone();
        let mut new = old.clone();
        if let Some(email) = &command.email {
            new.email.clone_from(email);
        }
        if let Some(full_name) = &command.full_name {
            new.full_name.clone_from(full_name);
        }
        new.role = command.role.unwrap_or(old.role);
        new.active = command.is_active.unwrap_or(old.active);
        let rights = new.role != old.role || new.active != old.active;
        if rights && context.actor.role != Role::Admin {
            return Err("FORBIDDEN");
        }
        seen(command.if_version, old.version)?;
        let clash = new.email.is_some() && new.email != old.email;
        if clash && self.0.iter().any(|person| person.email == new.email) {
            return Err("EMAIL_TAKEN");
        }
        if new == old {
            return Ok(Vec::new());
        }
        new.version += 1;
        new.generation += i64::from(rights);
        let Some(position) = self.position(id) else { return Err("USER_NOT_FOUND") };
        self.0[position] = new;
        let in_charge = |person: &Person| person.role == Role::Admin && person.active;
        if in_charge(&old) && !self.0.iter().any(in_charge) {
            self.0[position] = old;
            return Err("LAST_ADMIN");
        }
        Ok(vec![("user_updated", id)])
    }
}
