//! The commands of a generated history, as the store's writer takes them.

use domain::{
    AdjustStock, ChangeOrder, Command, Context, CreateProduct, CreateUser, DeleteProduct, Effects, Keys,
    PlaceOrder, Snapshot, ToggleProduct, UpdateProduct,
};
use store::{IdempotencyKey, Job, KeptAnswer};

/// Something that happens in the shop.
pub(crate) enum Deed {
    Join(CreateUser),
    Add(CreateProduct),
    Edit(UpdateProduct),
    Toggle(ToggleProduct),
    Retire(DeleteProduct),
    Stock(AdjustStock),
    Place(PlaceOrder),
    /// Of an order that was placed earlier in the same batch.
    Change(ChangeOrder),
}

/// A deed with its time and its actor.
pub(crate) struct Work {
    pub(super) deed: Deed,
    pub(super) context: Context,
    /// The number that what it makes must get, for later deeds name it. Another one means that somebody else writes, too.
    pub(super) id: Option<i64>,
    /// Why it was refused. A history that was planned well is not.
    pub(crate) refusal: Option<String>,
}

impl Work {
    /// Decides a command; `id` tells the number of what it has made.
    fn carry_out<C: Command>(
        &self,
        command: &C,
        snapshot: &Snapshot,
        id: impl Fn(&C::Outcome) -> Option<i64>,
    ) -> Result<Effects, String> {
        let decision = command.decide(snapshot, &self.context);
        let decision = decision.map_err(|rejection| format!("{rejection:?}"))?;
        let made = id(&decision.outcome);
        if self.id.is_some() && made != self.id {
            return Err(format!("number {:?} was expected and {made:?} given", self.id));
        }
        Ok(decision.effects)
    }
}

impl Job for Work {
    fn context(&self) -> &Context {
        &self.context
    }

    fn word(&self) -> &'static str {
        match &self.deed {
            Deed::Join(command) => command.word(),
            Deed::Add(command) => command.word(),
            Deed::Edit(command) => command.word(),
            Deed::Toggle(command) => command.word(),
            Deed::Retire(command) => command.word(),
            Deed::Stock(command) => command.word(),
            Deed::Place(command) => command.word(),
            Deed::Change(command) => command.word(),
        }
    }

    fn keys(&self) -> Keys {
        match &self.deed {
            Deed::Join(command) => command.keys(&self.context),
            Deed::Add(command) => command.keys(&self.context),
            Deed::Edit(command) => command.keys(&self.context),
            Deed::Toggle(command) => command.keys(&self.context),
            Deed::Retire(command) => command.keys(&self.context),
            Deed::Stock(command) => command.keys(&self.context),
            Deed::Place(command) => command.keys(&self.context),
            // The database does not know the order yet, and what belongs to it was named when it was placed.
            Deed::Change(_) => Keys::default(),
        }
    }

    fn decide(&mut self, snapshot: &Snapshot) -> Option<Effects> {
        let decided = match &self.deed {
            Deed::Join(command) => self.carry_out(command, snapshot, |user| Some(user.id.0)),
            Deed::Add(command) => self.carry_out(command, snapshot, |added| Some(added.product.id.0)),
            Deed::Edit(command) => self.carry_out(command, snapshot, |_| None),
            Deed::Toggle(command) => self.carry_out(command, snapshot, |_| None),
            Deed::Retire(command) => self.carry_out(command, snapshot, |_| None),
            Deed::Stock(command) => self.carry_out(command, snapshot, |_| None),
            Deed::Place(command) => self.carry_out(command, snapshot, |placed| Some(placed.order.id.0)),
            Deed::Change(command) => self.carry_out(command, snapshot, |_| None),
        };
        match decided {
            Ok(effects) => {
                self.refusal = None;
                Some(effects)
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                None
            }
        }
    }

    fn idempotency(&self) -> Option<&IdempotencyKey> {
        None
    }

    /// Asked of nobody without a key.
    fn answer(&mut self) -> KeptAnswer {
        KeptAnswer { status: 0, etag: None, location: None, body: String::new() }
    }
}
