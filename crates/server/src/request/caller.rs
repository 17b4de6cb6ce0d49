//! Who calls. Tokens are checked against the user as it is now, so a withdrawn one is dead at once.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use domain::{Actor, Context, Role, UserId};

use super::origin;
use super::scope::{EVERYTHING, Need, of_key};
use super::source::Source;
use crate::app::views::Session;
use crate::app::{App, Failure};
use crate::auth::api_keys;
use crate::auth::tokens::TokenKind;
use crate::clock;
use crate::http::host::names_this_machine;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;

/// Who asks, as far as it is known. No extractor: what a machine's key must be good for is part of those below, so that no
/// operation is without a decision.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is and what they may do.
    pub actor: Actor,
    /// The request.
    pub request_id: RequestId,
    /// Where it comes from.
    pub source: Source,
}

impl Caller {
    fn new(actor: Actor, parts: &Parts, app: &App) -> Self {
        let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(RequestId::new);
        let source = Source::of(parts, &app.settings().trusted_proxies);
        Self { actor, request_id, source }
    }

    /// What surrounds a command of this caller, now.
    #[must_use]
    pub fn context(&self) -> Context {
        Context {
            actor: self.actor,
            now_us: clock::now_us(),
            request_id: Arc::from(self.request_id.as_str()),
            source: Some(self.source.text()),
        }
    }

    /// The account behind the call.
    ///
    /// # Errors
    /// 401 for the anonymous principal, which has none.
    pub fn user_id(&self) -> Result<UserId, Problem> {
        self.actor.user_id.ok_or_else(Problem::unauthenticated)
    }
}

/// A caller with a role: by token, by a key that is good for what is needed, or the anonymous principal where it has been
/// given one.
#[derive(Debug, Clone)]
pub struct Someone<const NEED: Need>(pub Caller);

/// Staff or an administrator; otherwise as [`Someone`].
#[derive(Debug, Clone)]
pub struct Staff<const NEED: Need>(pub Caller);

/// An administrator; otherwise as [`Someone`].
#[derive(Debug, Clone)]
pub struct Admin<const NEED: Need>(pub Caller);

/// Anybody, with or without a token; a token or key that is sent must be good.
#[derive(Debug, Clone)]
pub struct Anyone<const NEED: Need>(pub Caller);

/// The token of an `Authorization: Bearer …` header; `None` when there is no such header.
fn bearer(parts: &Parts) -> Result<Option<&str>, Problem> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    let text = header.to_str().map_err(|_| Problem::invalid_token())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && headers.next().is_none() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Problem::invalid_token()),
    }
}

/// The caller behind the token or key, if one was sent, who must have what is needed.
async fn by_token(parts: &Parts, app: &App, need: Need) -> Result<Option<Caller>, Problem> {
    let Some(token) = bearer(parts)? else { return Ok(None) };
    let (actor, held) = if api_keys::is_key(token) {
        by_key(app, token).await?
    } else {
        let (user_id, session) = session(app, TokenKind::Access, token).await?;
        (Actor { user_id: Some(user_id), role: session.role, key: None }, EVERYTHING)
    };
    if held & need != need {
        return Err(Problem::scope_missing());
    }
    Ok(Some(Caller::new(actor, parts, app)))
}

/// The machine behind a key, and what the key is good for.
///
/// # Errors
/// 401 when it is none of ours, has expired or was revoked, or its maker is no active administrator any more.
async fn by_key(app: &App, token: &str) -> Result<(Actor, Need), Problem> {
    let digest = api_keys::digest(token).ok_or_else(Problem::invalid_token)?;
    let found = app.reads().key_session(&digest).await.map_err(Failure::from)?;
    let now_us = clock::now_us();
    let live = found.filter(|found| {
        let is_current = found.key.revoked_at_us.is_none() && now_us < found.key.expires_at_us;
        is_current && found.maker_is_active && found.maker_role == Role::Admin
    });
    let key = live.ok_or_else(Problem::invalid_token)?.key;
    app.note_key_use(&key, now_us);
    // Never more than its maker may do now: who is behind a live key may do everything.
    Ok((Actor { user_id: None, role: key.role, key: Some(key.id) }, of_key(&key.scopes)))
}

/// Whose token this is, and what they may do now.
///
/// # Errors
/// 401 when it is none of ours, has expired or was withdrawn, or the account is deactivated.
pub async fn session(app: &App, kind: TokenKind, token: &str) -> Result<(UserId, Session), Problem> {
    let claims = app.tokens().verify(kind, token, clock::now_us()).map_err(|_| Problem::invalid_token())?;
    let user_id = UserId(claims.user_id);
    let found = app.reads().session(user_id).await.map_err(Failure::from)?;
    let live = found.filter(|now| now.is_active && now.token_generation == claims.generation);
    live.map(|session| (user_id, session)).ok_or_else(Problem::invalid_token)
}

/// The anonymous principal. Nothing that the caller holds tells it from the web page of somebody else, which a browser on
/// this machine shows and which asks from there; so that is looked at.
///
/// # Errors
/// 403 for a change that a page of another site asks for, and for anything under a name that may be such a page's when
/// the role could do harm.
fn anonymous(parts: &Parts, app: &App, role: Role) -> Result<Caller, Problem> {
    let settings = app.settings();
    let is_harmful = role != Role::Customer && !settings.allow_privileged_anonymous;
    if !origin::is_our_own(parts, &settings.cors_origins) || is_harmful && !names_this_machine(&parts.headers)
    {
        return Err(Problem::foreign_page());
    }
    Ok(Caller::new(Actor { user_id: None, role, key: None }, parts, app))
}

impl<const NEED: Need> FromRequestParts<App> for Someone<NEED> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match (by_token(parts, app, NEED).await?, app.settings().anonymous_role) {
            (Some(caller), _) => Ok(Self(caller)),
            (None, Some(role)) => anonymous(parts, app, role).map(Self),
            (None, None) => Err(Problem::unauthenticated()),
        }
    }
}

impl<const NEED: Need> FromRequestParts<App> for Staff<NEED> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Someone(caller) = Someone::<NEED>::from_request_parts(parts, app).await?;
        if caller.actor.is_staff() { Ok(Self(caller)) } else { Err(Problem::forbidden()) }
    }
}

impl<const NEED: Need> FromRequestParts<App> for Admin<NEED> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Someone(caller) = Someone::<NEED>::from_request_parts(parts, app).await?;
        if caller.actor.is_admin() { Ok(Self(caller)) } else { Err(Problem::forbidden()) }
    }
}

impl<const NEED: Need> FromRequestParts<App> for Anyone<NEED> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let role = app.settings().anonymous_role.unwrap_or(Role::Customer);
        match by_token(parts, app, NEED).await? {
            Some(caller) => Ok(Self(caller)),
            None => anonymous(parts, app, role).map(Self),
        }
    }
}
