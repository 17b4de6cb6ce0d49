//! The shop itself: its currency, and its housekeeping.

use crate::{Change, Command, Context, Decision, Draft, Keys, Rejection, Snapshot};

/// Opens the shop with a currency, once; later openings must name the same.
///
/// Every amount is stored in minor units, so another currency would silently reprice the shop.
#[derive(Debug, Clone)]
pub struct OpenShop {
    /// ISO 4217 code.
    pub currency: String,
}

impl Command for OpenShop {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "shop.open"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { currency: true, ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        match snapshot.currency.as_ref().and_then(Option::as_ref) {
            Some(shop) if *shop != self.currency => {
                return Err(Rejection::CurrencyMismatch { shop: shop.clone() });
            }
            Some(_) => {}
            None => draft.put(Change::OpenShop { currency: self.currency.clone() }),
        }
        Ok(draft.decide(()))
    }
}

/// Notes with which secret a server of this shop signs, so that one with another secret is noticed: its tokens are worth
/// nothing on the others.
#[derive(Debug, Clone)]
pub struct NoteSecret {
    /// What the secret can be told by, and not be guessed from.
    pub mark: String,
}

impl Command for NoteSecret {
    /// Whether another secret was noted before.
    type Outcome = bool;

    fn word(&self) -> &'static str {
        "shop.note_secret"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { secret_mark: true, ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<bool>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        let noted = snapshot.secret_mark.as_ref().and_then(Option::as_ref);
        if noted != Some(&self.mark) {
            draft.put(Change::NoteSecret { mark: self.mark.clone() });
        }
        Ok(draft.decide(noted.is_some_and(|noted| *noted != self.mark)))
    }
}

/// Forgets the answers kept for repeated requests once they are too old to be asked for: the oldest first, and no more
/// at once than others can wait for.
#[derive(Debug, Clone)]
pub struct ForgetAnswers {
    /// Everything before this time goes, microseconds since 1970 UTC.
    pub before_us: i64,
}

impl Command for ForgetAnswers {
    type Outcome = ();

    fn word(&self) -> &'static str {
        "shop.forget_answers"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys::default()
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<()>, Rejection> {
        let mut draft = Draft::new(snapshot, context);
        draft.put(Change::ForgetAnswers { before_us: self.before_us });
        Ok(draft.decide(()))
    }
}
