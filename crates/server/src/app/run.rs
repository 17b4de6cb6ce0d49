//! Carrying one command out: into the queue, through the committer, back to the caller.

use std::sync::Arc;

use domain::{Command, Context, Effects, Keys, Lack, Rejection, Snapshot};
use store::{IdempotencyKey, Job, KeptAnswer, StoreError, Verdict};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::App;
use super::committer::{Errand, QueueError};
use super::in_flight::Claim;
use crate::http::reply::Reply;

/// How an outcome becomes an answer.
pub(super) type Render<O> = Box<dyn Fn(Result<&O, &Rejection>) -> Reply + Send>;

/// What makes a request repeatable.
pub struct Keyed<O> {
    /// The key and what it stands for.
    pub key: IdempotencyKey,
    /// The answer to give now and to every repetition. Made anew whenever the batch is run again.
    pub render: Render<O>,
}

/// What a command came to.
pub enum Answered<O> {
    /// It was decided; a rejection changed nothing.
    Decided(Result<O, Rejection>),
    /// It was decided under a key, and this is the answer that every repetition will get, too.
    Kept {
        /// The answer.
        reply: Reply,
        /// Whether this is a repetition.
        replayed: bool,
        /// The code of the refusal that was decided just now, if it was one.
        refused: Option<&'static str>,
    },
}

/// Why a command was not carried out, or not knowably.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// Too many commands wait.
    #[error("the queue is full")]
    Overloaded,
    /// The command had no turn before its deadline.
    #[error("no turn in time")]
    Late,
    /// The same key is being carried out right now.
    #[error("a request with this key is being carried out")]
    KeyInProgress,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The storage failed.
    #[error("the storage failed: {}", chain(.0))]
    Storage(Arc<StoreError>),
    /// The database may forget what it has answered.
    #[error("the database may forget what it has answered: {0}")]
    Unsafe(Arc<str>),
    /// The server is shutting down, or its committer has died.
    #[error("the committer has ended")]
    Stopped,
    /// The command ran into a fault of ours.
    #[error("the command was dropped")]
    Dropped,
}

/// An error with all its sources, for the log.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl App {
    /// Carries a command out and returns when its effect is durable.
    ///
    /// # Errors
    /// [`Failure`] when it was not carried out; nothing has happened then, unless the storage says otherwise.
    pub async fn execute<C>(
        &self,
        command: C,
        context: Context,
        keyed: Option<Keyed<C::Outcome>>,
    ) -> Result<Answered<C::Outcome>, Failure>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        let claim = match &keyed {
            Some(Keyed { key, .. }) => {
                Some(self.0.in_flight.claim(key.principal, &key.key).ok_or(Failure::KeyInProgress)?)
            }
            None => None,
        };
        let (sender, receiver) = oneshot::channel();
        let deadline = Instant::now() + self.0.settings.patience;
        let errand = Box::new(Pending {
            command,
            context,
            keyed,
            decided: None,
            reply: None,
            deadline,
            sender,
            claim,
        });
        self.0.queue.push(errand).map_err(|error| match error {
            QueueError::Full => Failure::Overloaded,
            QueueError::Closed => Failure::Stopped,
        })?;
        receiver.await.unwrap_or(Err(Failure::Dropped))
    }
}

/// A command in the queue.
struct Pending<C: Command> {
    command: C,
    context: Context,
    keyed: Option<Keyed<C::Outcome>>,
    decided: Option<Result<C::Outcome, Rejection>>,
    reply: Option<Reply>,
    deadline: Instant,
    /// Before `sender`: should a panic drop all this, the key is free before the caller knows, here as in `settle`.
    claim: Option<Claim>,
    sender: oneshot::Sender<Result<Answered<C::Outcome>, Failure>>,
}

impl<C> Job for Pending<C>
where
    C: Command + Send,
    C::Outcome: Send,
{
    fn context(&self) -> &Context {
        &self.context
    }

    fn word(&self) -> &'static str {
        self.command.word()
    }

    fn keys(&self) -> Keys {
        self.command.keys(&self.context)
    }

    fn decide(&mut self, snapshot: &Snapshot) -> Option<Effects> {
        match self.command.decide(snapshot, &self.context) {
            Ok(decision) => {
                self.decided = Some(Ok(decision.outcome));
                Some(decision.effects)
            }
            Err(rejection) => {
                self.decided = Some(Err(rejection));
                None
            }
        }
    }

    fn lack(&self) -> Option<(Lack, Context)> {
        let rejection = self.decided.as_ref()?.as_ref().err()?;
        rejection.lack().map(|lack| (lack, self.context.clone()))
    }

    fn idempotency(&self) -> Option<&IdempotencyKey> {
        self.keyed.as_ref().map(|keyed| &keyed.key)
    }

    fn answer(&mut self) -> KeptAnswer {
        let reply = match (&self.keyed, &self.decided) {
            (Some(keyed), Some(decided)) => (keyed.render)(decided.as_ref()),
            // The writer asks keyed jobs only, and after deciding them.
            _ => Reply::no_content(),
        };
        self.reply = Some(reply.clone());
        reply.into()
    }
}

impl<C> Errand for Pending<C>
where
    C: Command + Send,
    C::Outcome: Send,
{
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn expire(self: Box<Self>) {
        let Self { sender, claim, .. } = *self;
        drop(claim);
        let _ = sender.send(Err(Failure::Late));
    }

    fn settle(self: Box<Self>, verdict: Verdict) {
        let Self { decided, reply, sender, claim, .. } = *self;
        let answer = match verdict {
            Verdict::Decided => match (reply, decided) {
                (Some(reply), decided) => {
                    let refused = decided.and_then(Result::err).map(|rejection| rejection.code());
                    Ok(Answered::Kept { reply, replayed: false, refused })
                }
                (None, Some(decided)) => Ok(Answered::Decided(decided)),
                (None, None) => Err(Failure::Dropped),
            },
            Verdict::Replayed(kept) => {
                Ok(Answered::Kept { reply: kept.into(), replayed: true, refused: None })
            }
            Verdict::KeyReused => Err(Failure::KeyReused),
            Verdict::Failed(error) => Err(Failure::Storage(error)),
        };
        // The key is free before the caller knows, so that an immediate repetition is not told to wait.
        drop(claim);
        // A caller that went away has its effect all the same.
        let _ = sender.send(answer);
    }
}
