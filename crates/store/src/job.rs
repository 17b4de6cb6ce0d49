//! What the writer is handed: commands with the answers they owe, their types forgotten.

use std::sync::Arc;

use domain::{Context, Effects, Keys, Lack, Snapshot};

use crate::StoreError;

/// How long an answer is kept for repetitions of its request: 24 hours, in microseconds.
pub const ANSWER_LIFE_US: i64 = 24 * 60 * 60 * 1_000_000;

/// The key under which a request may be repeated without being carried out twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key it is: see [`domain::Actor::principal`]. Keys of different principals never meet.
    pub principal: i64,
    /// The key as the client chose it.
    pub key: String,
    /// What the request said, as a keyed hash; another fingerprint under the same key is another request.
    pub fingerprint: String,
    /// When the request came in, microseconds since 1970 UTC: no earlier than this. By it the age of a kept answer is told.
    pub earliest_us: i64,
    /// And no later than this: then the answer to it counts as given. The two differ only when the clock was set.
    pub latest_us: i64,
}

/// An answer as it was given the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Entity tag of the answer, if it had one.
    pub etag: Option<String>,
    /// Where the new thing is, if one was made.
    pub location: Option<String>,
    /// Body, JSON text.
    pub body: String,
}

impl KeptAnswer {
    /// Everything but the status, as it is stored.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!({ "etag": self.etag, "location": self.location, "body": self.body }).to_string()
    }

    /// Reads what [`KeptAnswer::to_json`] wrote.
    pub(crate) fn from_json(status: u16, text: &str) -> Result<Self, StoreError> {
        let damaged = || StoreError::decode("a kept answer cannot be read".to_owned());
        let value: serde_json::Value = serde_json::from_str(text).map_err(|_| damaged())?;
        let member = |name| value.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let body = member("body").ok_or_else(damaged)?;
        Ok(Self { status, etag: member("etag"), location: member("location"), body })
    }
}

/// A command on its way through the writer.
///
/// The writer may decide a job several times (a conflict means: once more from the start), so `decide` must
/// replace whatever an earlier call left behind.
pub trait Job: Send {
    /// Who asks, when, in which request.
    fn context(&self) -> &Context;

    /// What the audit log calls the command; see [`domain::Command::word`].
    fn word(&self) -> &'static str;

    /// The rows the command needs.
    fn keys(&self) -> Keys;

    /// Decides the command and keeps its outcome or rejection for later; `None` when it was refused.
    fn decide(&mut self, snapshot: &Snapshot) -> Option<Effects>;

    /// What the command lacked when it was refused just now, if orders that have expired may hold it, and what surrounds
    /// the command. Once they have given it back, the command is decided once more.
    fn lack(&self) -> Option<(Lack, Context)> {
        None
    }

    /// The key of a repeatable request.
    fn idempotency(&self) -> Option<&IdempotencyKey>;

    /// The answer to keep under that key, made of the latest decision. Asked for right after it, when there is a key.
    fn answer(&mut self) -> KeptAnswer;
}

/// What became of a job, once its batch is durable.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Decided, and where that changed anything, committed.
    Decided,
    /// The request had been carried out before; this was the answer.
    Replayed(KeptAnswer),
    /// The key belongs to another request.
    KeyReused,
    /// Not carried out: the storage failed.
    Failed(Arc<StoreError>),
}

impl Verdict {
    /// Whether nothing has happened because the database was away or others were in the way, so that the job may wait
    /// for another batch.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        matches!(self, Self::Failed(error)
            if matches!(**error, StoreError::ConnectionLost(_) | StoreError::Conflict(_)))
    }
}
