//! A shop in a database of its own, and commands on their way into it.

use crate::place::Place;
use domain::{
    Action, Actor, AllocateAt, ChangeOrder, Command, Context, CreateProduct, CreateUser, Customs, Effects,
    Goal, Keys, Lack, Order, OrderId, OrderLine, PlaceOrder, Product, ProductId, Rejection, Role, Snapshot,
    Status, User, UserId,
};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use store::driver::{Database, Options, Row};
use store::{IdempotencyKey, Job, KeptAnswer, Store, Verdict, VerifyReport};

pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) database: Database,
    /// The time of the next command; moves on by itself.
    pub(crate) now_us: AtomicI64,
    // Dropped last.
    pub(crate) place: Place,
}

/// What became of a command; nothing before its batch, and nothing when it was not decided.
type Slot<O> = Arc<Mutex<Option<Result<O, Rejection>>>>;

/// What became of a command, to be looked at after its batch.
pub(crate) struct Ticket<O>(Slot<O>);

impl<O> Ticket<O> {
    pub(crate) fn get(&self) -> Result<O, Rejection> {
        self.0.lock().unwrap().take().expect("the command was decided")
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

struct Task<C: Command> {
    command: C,
    context: Context,
    key: Option<IdempotencyKey>,
    outcome: Slot<C::Outcome>,
}

impl<C: Command + Send> Job for Task<C>
where
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
        let (outcome, effects) = match self.command.decide(snapshot, &self.context) {
            Ok(decision) => (Ok(decision.outcome), Some(decision.effects)),
            Err(rejection) => (Err(rejection), None),
        };
        *self.outcome.lock().unwrap() = Some(outcome);
        effects
    }

    fn lack(&self) -> Option<(Lack, Context)> {
        let outcome = self.outcome.lock().unwrap();
        let rejection = outcome.as_ref()?.as_ref().err()?;
        rejection.lack().map(|lack| (lack, self.context.clone()))
    }

    fn idempotency(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    fn answer(&mut self) -> KeptAnswer {
        let outcome = self.outcome.lock().unwrap();
        let status = if matches!(*outcome, Some(Ok(_))) { 201 } else { 409 };
        let body = format!("{{\"request\":\"{}\"}}", self.context.request_id);
        KeptAnswer { status, etag: Some("\"1\"".to_owned()), location: None, body }
    }
}

/// Commands that are carried out together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Box<dyn Job>>,
}

impl Batch {
    pub(crate) fn add<C>(&mut self, context: Context, command: C) -> Ticket<C::Outcome>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        self.add_keyed(context, None, command)
    }

    pub(crate) fn add_keyed<C>(
        &mut self,
        context: Context,
        key: Option<IdempotencyKey>,
        command: C,
    ) -> Ticket<C::Outcome>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        let outcome = Arc::new(Mutex::new(None));
        self.jobs.push(Box::new(Task { command, context, key, outcome: Arc::clone(&outcome) }));
        Ticket(outcome)
    }
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::open(Place::new().await, options).await
    }

    pub(crate) async fn open(place: Place, options: Options) -> Self {
        let database = Database::open(place.url(), options).await.unwrap();
        database.migrate(1).await.unwrap();
        let store = Store::new(database.clone());
        Self { store, database, now_us: AtomicI64::new(1_000_000), place }
    }

    /// Closes the database and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        let Self { place, store, database, .. } = self;
        drop((store, database));
        Self::open(place, Options::default()).await
    }

    pub(crate) fn context_of(&self, actor: Actor) -> Context {
        let now_us = self.now_us.fetch_add(1, Ordering::Relaxed);
        Context { actor, now_us, request_id: format!("request-{now_us}").into(), source: None }
    }

    /// As it comes over the wire, from an address.
    pub(crate) fn context_from(&self, actor: Actor, source: &str) -> Context {
        Context { source: Some(source.into()), ..self.context_of(actor) }
    }

    pub(crate) fn context(&self) -> Context {
        self.context_of(Actor::SYSTEM)
    }

    pub(crate) async fn write(&self, batch: &mut Batch) -> Vec<Verdict> {
        let verdicts = self.store.write(&mut batch.jobs, |_| (), deadline()).await.verdicts;
        assert_eq!(verdicts.len(), batch.jobs.len());
        verdicts
    }

    /// Writes a batch of which every command is decided.
    pub(crate) async fn decide(&self, mut batch: Batch) {
        for verdict in self.write(&mut batch).await {
            assert!(matches!(verdict, Verdict::Decided), "{verdict:?}");
        }
    }

    pub(crate) async fn run<C>(&self, command: C) -> Result<C::Outcome, Rejection>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        self.run_as(Actor::SYSTEM, command).await
    }

    pub(crate) async fn run_as<C>(&self, actor: Actor, command: C) -> Result<C::Outcome, Rejection>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        let mut batch = Batch::default();
        let ticket = batch.add(self.context_of(actor), command);
        self.decide(batch).await;
        ticket.get()
    }

    /// Runs a command that came from an address.
    pub(crate) async fn run_from<C>(
        &self,
        actor: Actor,
        source: &str,
        command: C,
    ) -> Result<C::Outcome, Rejection>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        let mut batch = Batch::default();
        let ticket = batch.add(self.context_from(actor, source), command);
        self.decide(batch).await;
        ticket.get()
    }

    pub(crate) async fn product(&self, sku: &str, stock: i64) -> Product {
        self.run(new_product(sku, stock)).await.unwrap().product
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.run(new_user(name)).await.unwrap()
    }

    pub(crate) async fn place(&self, user_id: Option<UserId>, lines: &[(ProductId, i64)]) -> Order {
        self.run(new_order(user_id, lines)).await.unwrap().order
    }

    pub(crate) async fn act(&self, order_id: OrderId, action: Action) -> Order {
        self.run(act(order_id, action)).await.unwrap().order
    }

    /// On hand and allocated.
    pub(crate) async fn level(&self, id: ProductId) -> (i64, i64) {
        let level = self.store.product(id).await.unwrap().unwrap().level;
        (level.on_hand, level.allocated)
    }

    /// Rows of a query for tests alone.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Row> {
        self.database.reader().await.unwrap().query_dynamic_long(sql, &[]).await.unwrap()
    }

    pub(crate) async fn ints(&self, sql: &str) -> Vec<i64> {
        self.query(sql).await.iter().map(|row| row.int(0).unwrap()).collect()
    }

    /// Changes the database behind everybody's back, constraints or not.
    pub(crate) async fn sabotage(&self, sql: &str) {
        self.place.sabotage(sql).await;
    }

    pub(crate) async fn verify(&self) -> VerifyReport {
        self.store.verify().await.unwrap()
    }

    pub(crate) async fn assert_sound(&self) {
        let report = self.verify().await;
        assert!(report.discrepancies.is_empty(), "{:#?}", report.discrepancies);
    }
}

pub(crate) fn actor(user: &User) -> Actor {
    Actor { user_id: Some(user.id), role: user.role, key: None }
}

pub(crate) fn new_product(sku: &str, opening_stock: i64) -> CreateProduct {
    CreateProduct {
        sku: Some(sku.to_owned()),
        name: format!("Name of {sku}"),
        description: String::new(),
        price_cents: 250,
        is_active: true,
        low_stock_threshold: 0,
        auto_deactivate: false,
        opening_stock,
        unique_name: false,
    }
}

pub(crate) fn new_user(name: &str) -> CreateUser {
    CreateUser {
        username: name.to_owned(),
        email: Some(format!("{}@example.com", name.to_lowercase())),
        full_name: None,
        role: Some(Role::Customer),
        founding: domain::Founding::FirstAccount,
        by_invitation: false,
        password_hash: "$argon2id$fake".to_owned(),
    }
}

pub(crate) fn new_order(user_id: Option<UserId>, lines: &[(ProductId, i64)]) -> PlaceOrder {
    let line = |(product_id, quantity): &(ProductId, i64)| OrderLine {
        product_id: *product_id,
        quantity: *quantity,
    };
    PlaceOrder {
        user_id,
        lines: lines.iter().map(line).collect(),
        allocate_at: AllocateAt::Creation,
        status: Status::Pending,
        customs: domain::PlacingCustoms::default(),
        terms: domain::PlacingTerms::default(),
    }
}

pub(crate) fn act(order_id: OrderId, action: Action) -> ChangeOrder {
    ChangeOrder { order_id, goal: Goal::Act(action), if_version: None, customs: Customs::default() }
}

/// Longer than anything here takes.
fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(20)
}
