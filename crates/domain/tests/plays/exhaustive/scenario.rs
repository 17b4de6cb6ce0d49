//! What a small world consists of: who asks for what, and what may go wrong.

use domain::{
    Action, Actor, AdjustStock, AllocateAt, ChangeOrder, Customs, Goal, OrderId, OrderLine, PlaceOrder,
    PlacingCustoms, PlacingTerms, ProductId, Role, Status, StockChange, StockLine, UserId,
};

use super::wrong::Wrong;
use crate::any::Any;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// So many pieces of a product, held from now on or from confirmation on.
    Place(i64, i64, AllocateAt),
    /// An action on the order with this number.
    Act(i64, Action),
    /// So many pieces of a product are taken out.
    Remove(i64, i64),
}

impl Ask {
    /// The real command.
    pub(super) fn command(self) -> Any {
        match self {
            Self::Place(product, quantity, allocate_at) => PlaceOrder {
                user_id: None,
                lines: vec![OrderLine { product_id: ProductId(product), quantity }],
                allocate_at,
                status: Status::Pending,
                terms: PlacingTerms::default(),
                customs: PlacingCustoms::default(),
            }
            .into(),
            Self::Act(order, action) => ChangeOrder {
                order_id: OrderId(order),
                goal: Goal::Act(action),
                if_version: None,
                customs: Customs::default(),
            }
            .into(),
            Self::Remove(product, quantity) => {
                let change = StockChange::Decrement(quantity);
                let product_id = ProductId(product);
                AdjustStock { lines: vec![StockLine { product_id, change, reason: None, note: None }] }.into()
            }
        }
    }
}

/// A request that a client sends, once or, if it has a key, more often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    /// Who asks; the first two are customers, the third is staff.
    pub(super) principal: i64,
    pub(super) key: Option<char>,
    pub(super) ask: Ask,
}

impl Errand {
    pub(super) fn actor(&self) -> Actor {
        let role = if self.principal == STAFF { Role::Staff } else { Role::Customer };
        Actor { user_id: Some(UserId(self.principal)), role, key: None }
    }
}

/// The principal who works in the shop.
pub(super) const STAFF: i64 = 3;

/// To place an order of the one product.
pub(super) fn place(principal: i64, key: Option<char>, quantity: i64) -> Errand {
    Errand { principal, key, ask: Ask::Place(1, quantity, AllocateAt::Creation) }
}

/// To do something to an order.
pub(super) fn act(principal: i64, key: Option<char>, order: i64, action: Action) -> Errand {
    Errand { principal, key, ask: Ask::Act(order, action) }
}

/// A small world. Everything in it is finite, so all that can happen in it can be looked at.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    /// Pieces on hand of each product at first.
    pub(super) opening: Vec<i64>,
    /// What each client asks for, one thing after the other.
    pub(super) clients: Vec<Vec<Errand>>,
    /// Servers on the one database.
    pub(super) servers: usize,
    /// How often a client sends a request that has a key.
    pub(super) attempts: u8,
    /// Clients go on without an answer, while copies of their request may still be on their way.
    pub(super) is_impatient: bool,
    /// How many commands a batch takes, and how many wait.
    pub(super) max_batch: usize,
    pub(super) queue_limit: usize,
    /// How often a server is killed.
    pub(super) crashes: u8,
    /// How often a connection to the database is lost during COMMIT.
    pub(super) losses: u8,
    /// What the servers do wrong.
    pub(super) wrong: Option<Wrong>,
}

impl Scenario {
    /// One server on a file: two customers want the last two pieces under the same key, and one of them calls off.
    pub(super) fn embedded() -> Self {
        Self {
            opening: vec![2],
            clients: vec![
                vec![place(1, Some('a'), 1), act(1, Some('b'), 1, Action::Cancel)],
                vec![place(2, Some('a'), 2)],
            ],
            servers: 1,
            attempts: 2,
            is_impatient: false,
            max_batch: 2,
            queue_limit: 2,
            crashes: 1,
            losses: 0,
            wrong: None,
        }
    }

    /// Staff take pieces out while customers order them, some of which are only held once they are confirmed.
    pub(super) fn shelf() -> Self {
        let late = Errand { ask: Ask::Place(1, 2, AllocateAt::Confirmation), ..place(1, Some('a'), 2) };
        Self {
            clients: vec![
                vec![late],
                vec![place(2, Some('a'), 1)],
                vec![act(STAFF, None, 1, Action::Pay)],
                vec![Errand { principal: STAFF, key: Some('a'), ask: Ask::Remove(1, 1) }],
            ],
            ..Self::embedded()
        }
    }

    /// Two servers on a database on a network, whose connections break in the worst moment.
    pub(super) fn network() -> Self {
        Self {
            opening: vec![1],
            clients: vec![vec![place(1, Some('a'), 1)], vec![place(2, None, 1)]],
            servers: 2,
            losses: 1,
            ..Self::embedded()
        }
    }

    /// One principal uses a key for two different requests, and another one the same key for the first of them.
    pub(super) fn reused_keys() -> Self {
        Self {
            clients: vec![
                vec![place(1, Some('a'), 1)],
                vec![place(1, Some('a'), 2)],
                vec![place(2, Some('a'), 1)],
            ],
            ..Self::embedded()
        }
    }

    /// Clients go on while old copies of their requests are still on their way: an order may be called off before it is
    /// placed once more.
    pub(super) fn late_copies() -> Self {
        Self {
            clients: vec![
                vec![place(1, Some('a'), 1), act(1, Some('b'), 1, Action::Cancel)],
                vec![place(2, None, 1), act(STAFF, None, 1, Action::Cancel)],
            ],
            is_impatient: true,
            crashes: 0,
            ..Self::embedded()
        }
    }

    /// The same with one more client, who does this.
    pub(super) fn and(mut self, errand: Errand) -> Self {
        self.clients.push(vec![errand]);
        self
    }

    pub(super) fn with(self, wrong: Wrong) -> Self {
        Self { wrong: Some(wrong), ..self }
    }

    /// All requests; their positions are their names.
    pub(super) fn errands(&self) -> impl Iterator<Item = &Errand> {
        self.clients.iter().flatten()
    }

    /// The first of the requests that share a key of a principal with this one: the place where their answer is kept.
    pub(super) fn slot(&self, errand: usize) -> Option<usize> {
        let wanted = self.errands().nth(errand)?;
        wanted.key?;
        let blind = self.wrong == Some(Wrong::KeysAreEverybodys);
        self.errands()
            .position(|other| other.key == wanted.key && (blind || other.principal == wanted.principal))
    }
}
