//! Clients, a network that delays, doubles and loses, servers that die, and a database that is told to commit by
//! connections that break. What the servers do is what `store::write` and the committer do; the rules are the real ones.

use domain::{Action, Payment, Status};
use stateright::{Model, Property};

use super::books::{Books, Reply};
use super::scenario::{Ask, Errand, Scenario};
use super::wrong::Wrong;
use crate::any::Any;

/// What is said to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Told {
    /// What the request came to, and whether this repeats an earlier answer. The reply itself is in [`World::promised`].
    Done { replayed: bool },
    /// The key belongs to another request.
    KeyReused,
    /// The key is being worked on.
    InProgress,
    /// Nothing has happened, and nothing will.
    NothingHappened,
    /// Nobody knows; the same key will tell.
    Unknown,
}

/// What became of one request of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Decided(Reply),
    Replayed(Reply),
    KeyReused,
}

/// How far a batch has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Decided and written in a transaction, which holds the lock: this is what others will see once it is committed.
    Open(Box<Books>),
    /// The connection was lost during COMMIT.
    Doubt,
    /// Durable, and nobody knows yet.
    Committed,
}

/// What a server is writing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Batch {
    pub(super) errands: Vec<usize>,
    pub(super) fates: Vec<Fate>,
    pub(super) phase: Phase,
    /// The number that it leaves behind when it is committed.
    pub(super) number: bool,
}

/// A server process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) is_up: bool,
    pub(super) queue: Vec<usize>,
    pub(super) batch: Option<Batch>,
}

/// Somebody with a list of errands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Client {
    /// Which of them is next, or waits for its answer.
    pub(super) at: usize,
    /// How often that was sent.
    pub(super) sent: u8,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) books: Books,
    /// A transaction whose COMMIT may or may not have arrived, and which holds the lock until it has ended.
    pub(super) lingering: Option<Box<Books>>,
    pub(super) servers: Vec<Server>,
    pub(super) clients: Vec<Client>,
    /// Copies of each request that are on their way. One that is lost is one that never arrives.
    pub(super) requests: Vec<u8>,
    /// Answers on their way to somebody who waits for them, sorted.
    pub(super) answers: Vec<(usize, Told)>,
    /// What each client believes in the end, by errand.
    pub(super) told: Vec<Option<Told>>,
    /// What was ever said to have been done.
    pub(super) promised: Vec<Option<Reply>>,
    /// Somebody was told two different things.
    pub(super) contradiction: bool,
    pub(super) crashes_left: u8,
    pub(super) losses_left: u8,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happens {
    /// A client sends what is next, or sends it again.
    Send(usize),
    /// A client stops waiting.
    GoOn(usize),
    /// A copy of a request arrives at a server.
    Arrive {
        errand: usize,
        server: usize,
    },
    /// An answer arrives.
    Receive(usize),
    /// A server takes what waits, or settles what is in doubt: a transaction begins and everything in it is decided.
    Begin(usize),
    /// The transaction is committed.
    Commit(usize),
    /// The connection is lost during COMMIT.
    Lose(usize),
    /// The database ends the transaction that nobody is connected to any more.
    End {
        committed: bool,
    },
    /// The time of those who wait for what is in doubt is up.
    Despair(usize),
    /// Callers are answered.
    Answer(usize),
    Crash(usize),
    Restart(usize),
}

/// A scenario made ready.
pub(super) struct Play {
    pub(super) scenario: Scenario,
    pub(super) errands: Vec<Errand>,
    pub(super) commands: Vec<Any>,
    pub(super) slots: Vec<Option<usize>>,
    /// The errands of each client.
    pub(super) lists: Vec<Vec<usize>>,
}

impl Play {
    pub(super) fn new(scenario: Scenario) -> Self {
        let errands: Vec<Errand> = scenario.errands().copied().collect();
        let mut next = 0..;
        let lists = scenario.clients.iter().map(|list| next.by_ref().take(list.len()).collect()).collect();
        Self {
            commands: errands.iter().map(|errand| errand.ask.command()).collect(),
            slots: (0..errands.len()).map(|errand| scenario.slot(errand)).collect(),
            lists,
            errands,
            scenario,
        }
    }

    pub(super) fn does(&self, wrong: Wrong) -> bool {
        self.scenario.wrong == Some(wrong)
    }

    /// What a client is about to send or waits for.
    fn current(&self, world: &World, client: usize) -> Option<usize> {
        self.lists[client].get(world.clients[client].at).copied()
    }

    /// The client who waits for the answer to a request.
    pub(super) fn waiting(&self, world: &World, errand: usize) -> Option<usize> {
        let mut clients = 0..world.clients.len();
        clients.find(|client| self.current(world, *client) == Some(errand) && world.clients[*client].sent > 0)
    }

    fn client_actions(&self, world: &World, client: usize, actions: &mut Vec<Happens>) {
        let Some(errand) = self.current(world, client) else { return };
        let most = if self.errands[errand].key.is_some() { self.scenario.attempts } else { 1 };
        let sent = world.clients[client].sent;
        if sent < most {
            actions.push(Happens::Send(client));
        } else if self.scenario.is_impatient {
            actions.push(Happens::GoOn(client));
        }
    }

    /// The client has heard what it will believe.
    fn believe(&self, world: &mut World, client: usize, told: Told) {
        let Some(errand) = self.current(world, client) else { return };
        world.told[errand] = Some(told);
        world.answers.retain(|answer| answer.0 != errand);
        world.clients[client].at += 1;
        world.clients[client].sent = 0;
    }

    fn receive(&self, world: &mut World, answer: usize) {
        let (errand, told) = world.answers.remove(answer);
        let Some(client) = self.waiting(world, errand) else { return };
        let is_only_copy = world.clients[client].sent == 1;
        match told {
            Told::Done { .. } | Told::KeyReused => self.believe(world, client, told),
            Told::NothingHappened if is_only_copy => self.believe(world, client, told),
            Told::Unknown if self.errands[errand].key.is_none() => self.believe(world, client, told),
            // Sends it again, if it has not done so too often.
            Told::NothingHappened | Told::Unknown | Told::InProgress => {}
        }
    }
}

impl Model for Play {
    type State = World;
    type Action = Happens;

    fn init_states(&self) -> Vec<World> {
        let server = Server { is_up: true, queue: Vec::new(), batch: None };
        vec![World {
            books: Books::new(&self.scenario),
            lingering: None,
            servers: vec![server; self.scenario.servers],
            clients: vec![Client { at: 0, sent: 0 }; self.lists.len()],
            requests: vec![0; self.errands.len()],
            answers: Vec::new(),
            told: vec![None; self.errands.len()],
            promised: vec![None; self.errands.len()],
            contradiction: false,
            crashes_left: self.scenario.crashes,
            losses_left: self.scenario.losses,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Happens>) {
        for client in 0..world.clients.len() {
            self.client_actions(world, client, actions);
        }
        actions.extend((0..world.answers.len()).map(Happens::Receive));
        for server in 0..world.servers.len() {
            for (errand, copies) in world.requests.iter().enumerate() {
                if *copies > 0 && world.servers[server].is_up {
                    actions.push(Happens::Arrive { errand, server });
                }
            }
            self.server_actions(world, server, actions);
        }
        if world.lingering.is_some() {
            actions.extend([true, false].map(|committed| Happens::End { committed }));
        }
    }

    fn next_state(&self, world: &World, action: Happens) -> Option<World> {
        let mut next = world.clone();
        match action {
            Happens::Send(client) => {
                next.requests[self.current(world, client)?] += 1;
                next.clients[client].sent += 1;
            }
            Happens::GoOn(client) => self.believe(&mut next, client, Told::Unknown),
            Happens::Receive(answer) => self.receive(&mut next, answer),
            Happens::Arrive { errand, server } => self.arrive(&mut next, errand, server),
            Happens::Begin(server) => self.begin(&mut next, server),
            Happens::Commit(server) => {
                let batch = next.servers[server].batch.as_mut()?;
                let Phase::Open(books) = std::mem::replace(&mut batch.phase, Phase::Committed) else {
                    return None;
                };
                next.books = *books;
            }
            Happens::Lose(server) => {
                let batch = next.servers[server].batch.as_mut()?;
                let Phase::Open(books) = std::mem::replace(&mut batch.phase, Phase::Doubt) else {
                    return None;
                };
                next.lingering = Some(books);
                next.losses_left -= 1;
            }
            Happens::End { committed } => {
                let books = next.lingering.take()?;
                if committed {
                    next.books = *books;
                    self.write_on_top(&mut next);
                }
            }
            Happens::Despair(server) => {
                let told =
                    if self.does(Wrong::DoubtIsFailure) { Told::NothingHappened } else { Told::Unknown };
                let batch = next.servers[server].batch.take()?;
                batch.errands.iter().for_each(|errand| self.tell(&mut next, *errand, told));
            }
            Happens::Answer(server) => self.answer(&mut next, server),
            Happens::Crash(server) => {
                next.servers[server] = Server { is_up: false, queue: Vec::new(), batch: None };
                next.crashes_left -= 1;
            }
            Happens::Restart(server) => next.servers[server].is_up = true,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(NO_OVERSELL, |_, world: &World| {
                world.books.goods.iter().all(|goods| 0 <= goods.allocated && goods.allocated <= goods.on_hand)
            }),
            Property::always(LEDGER_ADDS_UP, |_, world: &World| ledger_adds_up(&world.books)),
            Property::always(ONE_EFFECT, Self::has_one_effect_each),
            Property::always(ACKED_SURVIVES, Self::keeps_what_was_answered),
            Property::always(ONE_ANSWER, |_, world: &World| !world.contradiction),
            Property::always(NOTHING_MEANS_NOTHING, |_, world: &World| {
                let told = world.told.iter().zip(&world.books.effects);
                told.into_iter().all(|(told, effects)| *told != Some(Told::NothingHappened) || *effects == 0)
            }),
            Property::sometimes("everybody knows", |_, world: &World| {
                world.told.iter().all(|told| matches!(told, Some(Told::Done { .. } | Told::KeyReused)))
            }),
            Property::sometimes("two in one batch", |_, world: &World| {
                world.servers.iter().flat_map(|server| &server.batch).any(|batch| batch.errands.len() > 1)
            }),
            Property::sometimes("an answer is repeated", |_, world: &World| {
                world.answers.iter().any(|answer| answer.1 == Told::Done { replayed: true })
            }),
            Property::sometimes("something is refused", |_, world: &World| {
                world.promised.iter().any(|reply| matches!(reply, Some(Reply::Refused(_))))
            }),
        ];
        if self.scenario.losses > 0 {
            properties.push(Property::sometimes("a lost commit had happened", |_, world: &World| {
                in_doubt(world, true)
            }));
            properties.push(Property::sometimes("a lost commit had not happened", |_, world: &World| {
                in_doubt(world, false)
            }));
        }
        properties
    }
}

pub(super) const NO_OVERSELL: &str = "nothing is sold that is not there";
pub(super) const LEDGER_ADDS_UP: &str = "the ledger adds up";
pub(super) const ONE_EFFECT: &str = "a key has one effect";
pub(super) const ACKED_SURVIVES: &str = "what was answered is kept";
pub(super) const ONE_ANSWER: &str = "repetitions are answered alike";
pub(super) const NOTHING_MEANS_NOTHING: &str = "nothing happened where that was said";

/// Whether a commit is in doubt whose transaction has ended so.
fn in_doubt(world: &World, committed: bool) -> bool {
    world.lingering.is_none()
        && world.servers.iter().zip(&world.books.markers).any(|(server, marker)| {
            let doubt = server.batch.as_ref().filter(|batch| batch.phase == Phase::Doubt);
            doubt.is_some_and(|batch| (batch.number == *marker) == committed)
        })
}

/// Levels are what the ledger says, and what is held is held by orders; an order gives back what it took, once.
fn ledger_adds_up(books: &Books) -> bool {
    let levels = (1..).zip(&books.goods).all(|(id, goods)| {
        let of = books.orders.iter().filter(|order| order.product == id);
        let held: i64 = of.map(|order| order.allocated).sum();
        goods.ledger == (goods.on_hand, goods.allocated) && held == goods.allocated
    });
    levels
        && books.orders.iter().all(|order| {
            let (taken, given_back, sent) = order.ledger;
            taken - given_back - sent == order.allocated
                && [0, order.quantity].contains(&taken)
                && (order.status() != Status::Cancelled || order.allocated == 0)
        })
}

impl Play {
    /// Requests of one key share the one effect that it has; a request without a key was sent once.
    fn has_one_effect_each(&self, world: &World) -> bool {
        let effects = |slot: usize| {
            let shares = |(errand, _): &(usize, &u8)| self.slots[*errand].unwrap_or(*errand) == slot;
            world.books.effects.iter().enumerate().filter(shares).map(|(_, effects)| *effects).sum::<u8>()
        };
        (0..self.errands.len()).all(|slot| effects(slot) <= 1)
    }

    /// Whatever was said to be done is in the books, and is what was asked for.
    fn keeps_what_was_answered(&self, world: &World) -> bool {
        let books = &world.books;
        world.promised.iter().enumerate().all(|(errand, promised)| {
            let Some(reply) = promised else { return true };
            let kept = self.slots[errand].is_none_or(|slot| {
                self.does(Wrong::KeepsAnswersLater)
                    || self.does(Wrong::ForgetsRefusals)
                    || books.kept[slot].is_some_and(|(_, kept)| kept == *reply)
            });
            kept && self.stands(books, errand, *reply)
        })
    }

    fn stands(&self, books: &Books, errand: usize, reply: Reply) -> bool {
        let Errand { ask, principal, .. } = self.errands[errand];
        match (ask, reply) {
            (_, Reply::Refused(_)) => books.effects[errand] == 0,
            (Ask::Place(product, quantity, _), Reply::Order(id, Status::Pending)) => {
                books.order(id).is_some_and(|order| {
                    order.by == errand
                        && (order.product, order.quantity) == (product, quantity)
                        && order.owner.map(|owner| owner.0) == Some(principal)
                })
            }
            (Ask::Act(asked, action), Reply::Order(id, _)) => {
                let went = |order: &super::books::Row| match action {
                    Action::Confirm => order.status() != Status::Pending,
                    Action::Pay => order.facts.1 == Payment::Paid,
                    Action::Cancel => order.status() == Status::Cancelled,
                    other => panic!("nobody asks for {other:?}"),
                };
                asked == id && books.order(id).is_some_and(went)
            }
            (Ask::Remove(..), Reply::Adjusted) => books.effects[errand] == 1,
            _ => false,
        }
    }
}
