//! Servers and rules that are wrong on purpose. Each must be found, or the search would be a decoration.

use domain::{Change, Context, OrderState, Rejection, Snapshot};

use crate::any::{Any, Verdict};

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Callers are answered as soon as their commands are decided.
    AnswersBeforeCommit,
    /// What was in doubt is carried out again, without a look whether it has happened.
    RetriesBlindly,
    /// What was in doubt is settled while the lost transaction may still be committed.
    SettlesWithoutTheLock,
    /// Who asked for what is in doubt is told that nothing happened.
    DoubtIsFailure,
    /// The answer for repetitions is stored after the effect, in a transaction of its own.
    KeepsAnswersLater,
    /// Only successes are kept for repetitions.
    ForgetsRefusals,
    /// Whoever uses a key is given the answer of whoever used it first.
    KeysAreEverybodys,
    /// Whatever is asked for under a key is answered as what was asked for first.
    BodiesAreNotCompared,
    /// The commands of a batch do not see what those before them did.
    BatchesDoNotEvolve,
    /// Nobody looks whether there is enough.
    SellsWhatIsNotThere,
    /// An order that was called off is called off again.
    GivesBackTwice,
}

/// The rules, or what is wrong instead of them.
pub(super) fn decide(
    wrong: Option<Wrong>,
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    match wrong {
        Some(Wrong::SellsWhatIsNotThere) => sell_what_is_not_there(command, snapshot, context),
        Some(Wrong::GivesBackTwice) => give_back_twice(command, snapshot, context),
        _ => command.decide(snapshot, context),
    }
}

/// More than anybody asks for.
const PLENTY: i64 = 1_000;

fn sell_what_is_not_there(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut rich = snapshot.clone();
    rich.levels.values_mut().flatten().for_each(|level| level.on_hand += PLENTY);
    let mut verdict = command.decide(&rich, context)?;
    for change in &mut verdict.effects.changes {
        if let Change::PutLevel(level) = change {
            level.on_hand -= PLENTY;
        }
    }
    Ok(verdict)
}

fn give_back_twice(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut forgetful = snapshot.clone();
    for order in forgetful.orders.values_mut().flatten() {
        if order.state == OrderState::Cancelled {
            order.state = OrderState::Pending;
            order.items.iter_mut().for_each(|item| item.allocated = item.quantity);
        }
    }
    command.decide(&forgetful, context)
}
