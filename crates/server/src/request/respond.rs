//! From a command to an answer.

use axum::response::{IntoResponse, Response};
use domain::{Command, Rejection};
use store::IdempotencyKey;

use super::caller::Caller;
use super::params::Again;
use super::write::Conditions;
use crate::app::{Answered, App, Asked, Failure, Keyed, Slot};
use crate::clock;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::{Ready, Reply};
use crate::wire::idempotency::Key;
use crate::wire::invalid::{BodyError, Invalid};

/// Answers with what was found: by another request a moment ago, or now by `read`, which says on what it depends. Whoever
/// calls this has settled that the caller may ask.
///
/// # Errors
/// Those of `read`.
pub async fn found<const N: usize>(
    app: &App,
    asked: Option<Asked>,
    again: &Again,
    read: impl Future<Output = Result<(Ready, [Slot; N]), Problem>>,
) -> Result<Response, Problem> {
    let ready = match app.cache().look_up(asked, again.past_cache) {
        Ok(ready) => ready,
        Err(ticket) => {
            // Futures do nothing before they are awaited, so the ticket is older than what is read.
            let (ready, shows) = read.await?;
            if let Some(ticket) = ticket {
                app.cache().keep(ticket, ready.clone(), shows);
            }
            ready
        }
    };
    Ok(again.answer(ready))
}

/// Carries a command out and answers with what `render` makes of its outcome, or with the problem.
///
/// # Errors
/// The [`Problem`] of a refusal or failure.
pub async fn run<C>(
    app: &App,
    caller: &Caller,
    conditions: Conditions,
    command: C,
    render: impl Fn(&C::Outcome) -> Reply + Send + 'static,
) -> Result<Response, Problem>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    let Conditions { key, lines } = conditions;
    let render = move |outcome: Result<&C::Outcome, &Rejection>| match outcome {
        Ok(outcome) => Ok(render(outcome)),
        Err(rejection) => Err(Problem::refusal(rejection, lines)),
    };
    carry_out(app, caller, key, command, render).await
}

/// As [`run`], where `render` words the refusals, too.
///
/// # Errors
/// The [`Problem`] of a refusal or failure.
pub async fn carry_out<C>(
    app: &App,
    caller: &Caller,
    key: Option<(Key, String)>,
    command: C,
    render: impl Fn(Result<&C::Outcome, &Rejection>) -> Result<Reply, Problem> + Send + 'static,
) -> Result<Response, Problem>
where
    C: Command + Send + 'static,
    C::Outcome: Send + 'static,
{
    let context = caller.context();
    let Some((key, fingerprint)) = key else {
        return match app.execute(command, context, None).await? {
            Answered::Decided(outcome) => Ok(render(outcome.as_ref())?.into_response()),
            // Only keyed commands have kept answers.
            Answered::Kept { .. } => Err(Failure::Dropped.into()),
        };
    };
    let clock::Between { earliest_us, latest_us } = clock::between();
    let key = IdempotencyKey {
        principal: caller.actor.principal(),
        key: key.as_str().to_owned(),
        fingerprint,
        earliest_us,
        latest_us,
    };
    let request_id = caller.request_id.clone();
    let render = Box::new(move |outcome: Result<&C::Outcome, &Rejection>| match render(outcome) {
        Ok(reply) => reply,
        Err(problem) => Reply::of_problem(&problem, request_id.as_str()),
    });
    match app.execute(command, context, Some(Keyed { key, render })).await? {
        Answered::Kept { reply, replayed: true, .. } => Ok(reply.replayed()),
        Answered::Kept { reply, replayed: false, refused } => {
            // Other refusals are problems still, which the middleware counts.
            if let Some(code) = refused {
                app.metrics().count_refusal(code);
            }
            Ok(reply.into_response())
        }
        Answered::Decided(_) => Err(Failure::Dropped.into()),
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let errors = invalid.errors.into_iter();
        Self::validation(errors.map(|error| FieldError::new(error.field, error.message)).collect())
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Invalid(invalid) => invalid.into(),
            BodyError::TooLarge { limit } => Self::payload_too_large(limit),
            BodyError::UnsupportedMediaType { accepted } => Self::unsupported_media_type(accepted),
            BodyError::Incomplete => Self::invalid("body", "did not arrive completely"),
        }
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        Failure::from(error).into()
    }
}
