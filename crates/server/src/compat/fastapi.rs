//! FastAPI's habits, which all façades share: who may call, how bodies and queries are read, `{"detail": …}`, and the
//! 422 that names each flaw by `type`, `loc`, `msg` and `input`.
//!
//! Kept apart from FastAPI: text is never taken for a number, nor `1.0` for an integer; keys given twice are refused;
//! passwords are not repeated in `input`.

use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use domain::{Action, ChangeOrder, Command, Customs, Goal, OrderChanged, OrderId, Rejection};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::flaws::{self, Echo, Place};
use crate::app::App;
use crate::http::problem::{Problem, Said};
use crate::http::reply::Reply;
use crate::request::{self, Need, carry_out, idempotency_key, mark};
use crate::wire::extract::{Format, format, read_body};
use crate::wire::idempotency::{self, Key};
use crate::wire::invalid::BodyError;

/// What one façade says in its own words.
pub(super) trait Contract: Send + Sync + 'static {
    /// To whoever sends no token where one is needed, or one that is not good.
    const UNAUTHENTICATED: &'static str = "Not authenticated";
    /// To whoever may not do this.
    const FORBIDDEN: &'static str = "Not enough permissions";

    /// To each refusal of the rules: the status, and the value of `detail`.
    fn refuse(rejection: &Rejection) -> (StatusCode, Said);
}

/// A refusal with this status and `detail`.
pub(super) fn refusal(status: StatusCode, code: &'static str, detail: impl Into<Said>) -> Problem {
    Problem::new(status, code, status.canonical_reason().unwrap_or_default().into()).say(detail)
}

/// What a contract makes of a rejection.
pub(super) fn rejected<C: Contract>(rejection: &Rejection) -> Problem {
    let (status, detail) = C::refuse(rejection);
    refusal(status, rejection.code(), detail)
}

/// The words of a contract for problems that have nothing to do with the shop.
fn in_words_of<C: Contract>(problem: Problem) -> Problem {
    match problem.status() {
        StatusCode::UNAUTHORIZED => problem.say(C::UNAUTHENTICATED),
        StatusCode::FORBIDDEN => problem.say(C::FORBIDDEN),
        _ => problem,
    }
}

/// Declares who may call: built on a caller of the canonical API, with a further condition on it. A machine's key must be
/// good for all that is needed.
macro_rules! callers {
    ($($(#[$meta:meta])* $name:ident: $base:ident $(, unless $refused:expr => $problem:expr)*;)+) => {$(
        $(#[$meta])*
        pub(super) struct $name<C, const NEED: Need>(pub(super) request::Caller, pub(super) PhantomData<C>);

        impl<C: Contract, const NEED: Need> FromRequestParts<App> for $name<C, NEED> {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
                let found = callers!(@found $base, parts, app);
                let caller = found.map_err(in_words_of::<C>)?;
                $(
                    let refused: fn(&request::Caller) -> bool = $refused;
                    if refused(&caller) {
                        return Err(in_words_of::<C>($problem));
                    }
                )*
                Ok(Self(caller, PhantomData))
            }
        }
    )+};
    (@found Anyone, $parts:ident, $app:ident) => {
        request::Anyone::<NEED>::from_request_parts($parts, $app).await.map(|caller| caller.0)
    };
    (@found Someone, $parts:ident, $app:ident) => {
        request::Someone::<NEED>::from_request_parts($parts, $app).await.map(|caller| caller.0)
    };
}

callers! {
    /// Anybody; a token that is sent must be good.
    Anyone: Anyone;
    /// Whoever has a token, and the anonymous principal if it has been given a role.
    Principal: Someone;
    /// A [`Principal`] who works here.
    StaffPrincipal: Someone, unless |caller| !caller.actor.is_staff() => Problem::forbidden();
    /// Whoever has a token.
    Holder: Someone, unless |caller| !caller.actor.is_known() => Problem::unauthenticated();
    /// A [`Holder`] who works here.
    StaffHolder: Someone, unless |caller| !caller.actor.is_known() => Problem::unauthenticated(),
        unless |caller| !caller.actor.is_staff() => Problem::forbidden();
    /// A [`Holder`] who is an administrator.
    AdminHolder: Someone, unless |caller| !caller.actor.is_known() => Problem::unauthenticated(),
        unless |caller| !caller.actor.is_admin() => Problem::forbidden();
}

/// Nobody is asked who they are: what is here is for everybody, also for whoever holds a token that is good no more.
pub(super) struct Public;

impl FromRequestParts<App> for Public {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// The integer at the end of a path. Zero and less are integers, too: nothing has such a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathInt(pub(super) i64);

impl FromRequestParts<App> for PathInt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text =
            Path::<String>::from_request_parts(parts, app).await.map_or_else(|_| String::new(), |it| it.0);
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            // What does not fit is the number of nothing, either.
            return Ok(Self(text.parse().unwrap_or(i64::MAX)));
        }
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let name = route.and_then(|route| route.rsplit_once('{')?.1.split('}').next()).unwrap_or("path");
        Err(flaws::one(&[json!("path"), json!(name)], flaws::INT_PARSING, &json!(flaws::echo(&text))))
    }
}

/// The query of an operation. Parameters that nobody asked for are passed over.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        flaws::read_pairs(parts.uri.query().unwrap_or_default(), Place::Query, Echo::Open).map(Self)
    }
}

/// What comes with a command: its body, and the key to repeat it under. Comes last among a handler's arguments, so that
/// permission is settled before the body is looked at.
pub(super) struct Body<T> {
    pub(super) value: T,
    key: Option<(Key, String)>,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        body(request, app, Echo::Open).await
    }
}

async fn body<T: DeserializeOwned>(request: Request, app: &App, shown: Echo) -> Result<Body<T>, Problem> {
    let (parts, bytes, key) = arrived(request, app).await?;
    match format(&parts.headers, false) {
        Ok(_) => Ok(Body { value: flaws::read_json(&bytes, shown)?, key }),
        Err(_) => Err(not_json(&bytes, shown)),
    }
}

/// What of an account may be repeated.
const ACCOUNT: Echo = Echo::Only(&["username", "role"]);

/// The [`Body`] of an account to be made, of which little is repeated.
pub(super) struct AccountBody<T>(pub(super) Body<T>);

impl<T: DeserializeOwned> FromRequest<App> for AccountBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        body(request, app, ACCOUNT).await.map(Self)
    }
}

/// Name and password, as a form or as JSON.
pub(super) struct Form<T>(pub(super) T);

/// Nothing of a login is repeated: even its name may be a password in the wrong place.
const NOTHING: Echo = Echo::Only(&[]);

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, bytes, _) = arrived(request, app).await?;
        match format(&parts.headers, true) {
            // What curl sends when nobody told it that this is JSON.
            Ok(Format::Form) if !bytes.trim_ascii_start().starts_with(b"{") => {
                let text = std::str::from_utf8(&bytes).map_err(|_| not_json(&bytes, NOTHING))?;
                flaws::read_pairs(text, Place::Body, NOTHING).map(Self)
            }
            Ok(_) => flaws::read_json(&bytes, NOTHING).map(Self),
            Err(_) => Err(not_json(&bytes, NOTHING)),
        }
    }
}

/// The key of a command whose body nobody looks at.
pub(super) struct NoBody {
    key: Option<(Key, String)>,
}

impl FromRequest<App> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (_, _, key) = arrived(request, app).await?;
        Ok(Self { key })
    }
}

async fn arrived(request: Request, app: &App) -> Result<(Parts, Bytes, Option<(Key, String)>), Problem> {
    let (parts, body) = request.into_parts();
    let key = idempotency_key(&parts.headers).map_err(|invalid| {
        let message = invalid.errors.first().map_or("", |error| error.message.as_str());
        let flaw = ("value_error", format!("Value error, {message}"));
        flaws::one(&[json!("header"), json!(idempotency::HEADER)], (flaw.0, &flaw.1), &Value::Null)
    })?;
    let bytes = read_body(body, app.settings().max_body_bytes).await.map_err(|error| match error {
        BodyError::TooLarge { limit } => Problem::payload_too_large(limit),
        _ => refusal(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "There was an error parsing the body"),
    })?;
    let key = key.map(|key| {
        let mark = mark(app, &parts, &whole_path(&parts, app), &bytes);
        (key, mark)
    });
    Ok((parts, bytes, key))
}

/// The path below `/compat/`, however it was asked for: the paths of one façade may be those of another, or of the
/// canonical API, and a slash at the end makes no other request.
fn whole_path(parts: &Parts, app: &App) -> String {
    let (path, query) = (parts.uri.path().trim_end_matches('/'), parts.uri.query().unwrap_or_default());
    let prefix = match app.settings().compat_root {
        Some(facade) if !path.starts_with("/compat/") => facade.prefix(),
        _ => "",
    };
    format!("{prefix}{path}?{query}")
}

/// The body calls itself something else, or is no text. Repeated by its beginning.
fn not_json(bytes: &[u8], shown: Echo) -> Problem {
    let input = match shown {
        Echo::Open => flaws::echo(&String::from_utf8_lossy(&bytes[..bytes.len().min(256)])),
        Echo::Only(_) => flaws::HIDDEN.to_owned(),
    };
    flaws::one(&[json!("body")], flaws::NO_OBJECT, &input.into())
}

/// Carries a command out and answers with what `render` makes of its outcome, or with the contract's refusal.
///
/// # Errors
/// The [`Problem`] of a refusal or failure.
pub(super) async fn run<C, Q>(
    app: &App,
    caller: &request::Caller,
    key: impl Into<KeyOf>,
    command: Q,
    render: impl Fn(&Q::Outcome) -> Result<Reply, Problem> + Send + 'static,
) -> Result<Response, Problem>
where
    C: Contract,
    Q: Command + Send + 'static,
    Q::Outcome: Send + 'static,
{
    let render = move |outcome: Result<&Q::Outcome, &Rejection>| match outcome {
        Ok(outcome) => render(outcome),
        Err(rejection) => Err(rejected::<C>(rejection)),
    };
    carry_out(app, caller, key.into().0, command, render).await
}

/// Confirms or cancels an order. What stands already is refused with `again`, for these contracts want it done once.
///
/// # Errors
/// As [`run`].
pub(super) async fn change_order<C: Contract>(
    app: &App,
    caller: &request::Caller,
    (id, action, customs): (i64, Action, Customs),
    key: NoBody,
    again: &'static str,
    done: impl Fn(&OrderChanged) -> Reply + Send + 'static,
) -> Result<Response, Problem> {
    let command = ChangeOrder { order_id: OrderId(id), goal: Goal::Act(action), if_version: None, customs };
    run::<C, _>(app, caller, key, command, move |outcome: &OrderChanged| {
        if outcome.changed {
            Ok(done(outcome))
        } else {
            Err(refusal(StatusCode::BAD_REQUEST, "INVALID_TRANSITION", again))
        }
    })
    .await
}

/// The key of a request, if it has one.
pub(super) struct KeyOf(Option<(Key, String)>);

impl<T> Body<T> {
    /// The value and the key apart.
    pub(super) fn parts(self) -> (T, KeyOf) {
        (self.value, KeyOf(self.key))
    }
}

impl From<NoBody> for KeyOf {
    fn from(body: NoBody) -> Self {
        Self(body.key)
    }
}
