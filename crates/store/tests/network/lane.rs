//! A shop that is written to through a proxy, and looked at directly, batch after batch.

use crate::place::Place;
use crate::proxy::{Cut, Outcome, Proxy, Recording};
use crate::shop::{Batch, Shop, Ticket, act, new_order, new_product};
use domain::{
    Action, AdjustStock, OrderId, OrderPlaced, ProductId, StockChange, StockLine, UpdateProduct, UserId,
};
use std::sync::Arc;
use std::time::Duration;
use store::driver::{Database, Options};
use store::{IdempotencyKey, KeptAnswer, Store, Verdict, WriterCounts};
use tokio::time::Instant;

/// Longer than any batch takes here, also one that is run again many times.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of everything there is, and the largest numbers, which must be the same.
const LOOK: &str = "SELECT (SELECT COUNT(*) FROM orders), (SELECT COALESCE(MAX(o.id), 0) FROM orders o), \
     (SELECT COUNT(*) FROM order_items), (SELECT COALESCE(MAX(i.id), 0) FROM order_items i), \
     (SELECT COUNT(*) FROM stock_movements), (SELECT COALESCE(MAX(m.id), 0) FROM stock_movements m), \
     (SELECT COUNT(*) FROM events), (SELECT COALESCE(MAX(e.id), 0) FROM events e), \
     (SELECT COUNT(*) FROM orders c WHERE c.state = 'cancelled'), \
     (SELECT COUNT(*) FROM idempotency_keys), (SELECT SUM(p.version) FROM products p), \
     (SELECT SUM(s.on_hand) FROM stock_levels s), (SELECT SUM(s.allocated) FROM stock_levels s)";
const COLUMNS: usize = 13;
/// Pairs of a count and the largest number.
const PAIRS: usize = 4;

/// An answer to [`LOOK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts([i64; COLUMNS]);

impl Counts {
    /// What has been added since.
    pub(crate) fn since(self, earlier: Self) -> Self {
        let mut difference = self.0;
        difference.iter_mut().zip(earlier.0).for_each(|(now, then)| *now -= then);
        Self(difference)
    }

    /// Whether no number is missing or was given twice.
    fn is_gapless(self) -> bool {
        self.0[..2 * PAIRS].chunks(2).all(|pair| pair[0] == pair[1])
    }

    fn orders(self) -> i64 {
        self.0[0]
    }
}

/// What a batch consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One order of two products.
    One,
    /// Two orders, the first one of the batch before cancelled, a product renamed, stock taken in, and an order with
    /// an idempotency key.
    Several,
    /// The order with the key alone.
    Keyed,
    /// A product, which shares no row with the batch before but the counters.
    New,
}

/// A batch and what it owes.
pub(crate) struct Errand {
    pub(crate) batch: Batch,
    orders: Vec<Ticket<OrderPlaced>>,
    /// The key of its last order, and the answer to keep under it.
    pub(crate) keyed: Option<(IdempotencyKey, KeptAnswer)>,
}

pub(crate) struct Lane {
    pub(crate) proxy: Arc<Proxy>,
    /// Reaches the database by way of the proxy.
    pub(crate) store: Store,
    /// Reaches it directly, and is asked nothing but what tests ask.
    pub(crate) direct: Shop,
    products: [ProductId; 3],
    user: UserId,
    work: Work,
    to_cancel: OrderId,
    /// Batches so far.
    done: i64,
    /// What a batch adds.
    pub(crate) growth: Counts,
    /// What goes through the proxy for a batch: on a connection that has run one before, unless `is_cold`.
    pub(crate) recording: Recording,
    /// Whether each batch opens a connection of its own.
    pub(crate) is_cold: bool,
    /// Whether there is a connection that has run a whole batch.
    is_steady: bool,
}

/// What is wrong after a batch.
pub(crate) type Findings = Vec<String>;

impl Lane {
    /// A lane for batches of this kind, in a database of its own.
    pub(crate) async fn of(work: Work) -> Self {
        Self::with(work, Options { lock_timeout: Duration::from_secs(1), ..Options::default() }).await
    }

    pub(crate) async fn with(work: Work, options: Options) -> Self {
        let direct = Shop::open(server_place().await, options.clone()).await;
        let proxy = Arc::new(Proxy::before(direct.place.url()).await);
        let store = Store::new(Database::open(&proxy.url(), options).await.unwrap());
        let mut products = [ProductId(0); 3];
        for (product, sku) in products.iter_mut().zip(["A", "B", "C"]) {
            *product = direct.product(sku, 1_000_000).await.id;
        }
        let user = direct.user("Ann").await.id;
        let to_cancel = direct.place(Some(user), &[(products[0], 1), (products[1], 2)]).await.id;
        let nothing = direct.counts().await;
        let mut lane = Self {
            proxy,
            store,
            direct,
            products,
            user,
            work,
            to_cancel,
            done: 0,
            growth: nothing.since(nothing),
            recording: Recording::default(),
            is_cold: false,
            is_steady: true,
        };
        lane.rehearse().await;
        lane
    }

    /// Runs two batches undisturbed: the first opens a connection and prepares what it needs, the second shows what
    /// all that follow must do.
    async fn rehearse(&mut self) {
        for _ in 0..2 {
            let before = self.direct.counts().await;
            self.proxy.order([]);
            let mut errand = self.errand();
            assert_eq!(self.judge(&self.write(&mut errand).await), Findings::new());
            self.recording = self.proxy.recording();
            self.growth = self.direct.counts().await.since(before);
            assert_eq!(self.settle(&errand).await, Findings::new());
        }
        assert_ne!(self.growth, self.growth.since(self.growth));
    }

    /// The next batch.
    pub(crate) fn errand(&mut self) -> Errand {
        self.done += 1;
        let ([a, b, c], user) = (self.products, Some(self.user));
        let (mut batch, mut orders, mut keyed) = (Batch::default(), Vec::new(), None);
        if self.work == Work::New {
            batch.add(self.direct.context(), new_product(&format!("New {}", self.done), 3));
        }
        if matches!(self.work, Work::One | Work::Several) {
            orders.push(batch.add(self.direct.context(), new_order(user, &[(a, 1), (b, 2)])));
        }
        if self.work == Work::Several {
            orders.push(batch.add(self.direct.context(), new_order(None, &[(b, 1)])));
            batch.add(self.direct.context(), act(self.to_cancel, Action::Cancel));
            batch.add(self.direct.context(), rename(c, format!("The {}th name", self.done)));
            batch.add(self.direct.context(), take_in(c, 5));
        }
        if matches!(self.work, Work::Several | Work::Keyed) {
            let context = self.direct.context();
            let key = IdempotencyKey {
                principal: self.user.0,
                key: format!("key {}", self.done),
                fingerprint: "as it was".to_owned(),
                earliest_us: context.now_us,
                latest_us: context.now_us,
            };
            let body = format!("{{\"request\":\"{}\"}}", context.request_id);
            let answer = KeptAnswer { status: 201, etag: Some("\"1\"".to_owned()), location: None, body };
            orders.push(batch.add_keyed(context, Some(key.clone()), new_order(user, &[(a, 1)])));
            keyed = Some((key, answer));
        }
        Errand { batch, orders, keyed }
    }

    /// Writes a batch through the proxy.
    pub(crate) async fn write(&self, errand: &mut Errand) -> Vec<Verdict> {
        self.write_within(errand, PATIENCE).await
    }

    pub(crate) async fn write_within(&self, errand: &mut Errand, patience: Duration) -> Vec<Verdict> {
        self.store.write(&mut errand.batch.jobs, |_| (), Instant::now() + patience).await.verdicts
    }

    fn judge(&self, verdicts: &[Verdict]) -> Findings {
        let wrong = verdicts.iter().filter(|verdict| !matches!(verdict, Verdict::Decided));
        wrong.map(|verdict| format!("the verdict is {verdict:?}")).collect()
    }

    /// Takes the answers to a batch that was decided, holds them against the database, and repeats what can be repeated.
    async fn settle(&mut self, errand: &Errand) -> Findings {
        let mut findings = Findings::new();
        let counts = self.direct.counts().await;
        let mine = i64::try_from(errand.orders.len()).unwrap();
        for (ticket, id) in errand.orders.iter().zip(counts.orders() - mine + 1..) {
            match ticket.get() {
                Ok(placed) if placed.order.id.0 == id => {}
                other => findings.push(format!("order {id} was answered {other:?}")),
            }
        }
        if self.work == Work::Several {
            self.to_cancel = OrderId(counts.orders() - mine + 1);
        }
        if !counts.is_gapless() {
            findings.push(format!("numbers are missing or double: {counts:?}"));
        }
        if let Some((key, answer)) = &errand.keyed {
            findings.extend(self.repeat(key, answer).await);
        }
        findings
    }

    async fn repeat(&self, key: &IdempotencyKey, answer: &KeptAnswer) -> Findings {
        match self.again(key).await {
            Verdict::Replayed(kept) if kept == *answer => Findings::new(),
            other => vec![format!("the repetition of {:?} was answered {other:?}", key.key)],
        }
    }

    /// Asks for the order with a key once more, as its caller would by way of another server.
    pub(crate) async fn again(&self, key: &IdempotencyKey) -> Verdict {
        let mut batch = Batch::default();
        let order = new_order(Some(self.user), &[(self.products[0], 1)]);
        batch.add_keyed(self.direct.context(), Some(key.clone()), order);
        self.direct.write(&mut batch).await.remove(0)
    }

    /// Writes a batch while the proxy carries these orders out, and says what is wrong afterwards.
    pub(crate) async fn suffer(&mut self, orders: impl IntoIterator<Item = Cut>) -> (Outcome, Findings) {
        self.suffer_beside(orders, async {}).await
    }

    /// [`Lane::suffer`], with something that goes on at the same time.
    pub(crate) async fn suffer_beside(
        &mut self,
        orders: impl IntoIterator<Item = Cut>,
        beside: impl Future<Output = ()>,
    ) -> (Outcome, Findings) {
        if self.is_cold {
            self.proxy.hang_up();
        } else if !self.is_steady {
            let mut errand = self.errand();
            assert_eq!(self.judge(&self.write(&mut errand).await), Findings::new());
            assert_eq!(self.settle(&errand).await, Findings::new());
        }
        let (before, met) = (self.direct.counts().await, self.store.writer_counts());
        let mut errand = self.errand();
        self.proxy.order(orders);
        let (verdicts, ()) = tokio::join!(self.write(&mut errand), beside);
        let outcome = self.proxy.outcome();
        let meets = self.store.writer_counts();
        // A batch that was found was not run again, and one that was cut when it was done was not either: what is left
        // then is a connection that knows less than others, or a dead one.
        self.is_steady = outcome.cuts == 0
            || meets.lost_connections > met.lost_connections && meets.found_committed == met.found_committed;
        let mut findings = self.judge(&verdicts);
        let growth = self.direct.counts().await.since(before);
        if growth != self.growth {
            findings.push(format!("{growth:?} were added instead of {:?}", self.growth));
        }
        if findings.is_empty() {
            findings = self.settle(&errand).await;
        }
        (outcome, findings)
    }

    pub(crate) fn writer_counts(&self) -> WriterCounts {
        self.store.writer_counts()
    }
}

/// A database of its own on the server that is to be tested with.
pub(crate) async fn server_place() -> Place {
    let is_named = std::env::var("STOCKROOM_TEST_DATABASE").is_ok_and(|url| !url.is_empty());
    assert!(
        is_named,
        "these tests need a server: set STOCKROOM_TEST_DATABASE to the URL of a PostgreSQL or MariaDB where databases \
         may be made (postgres://USER@127.0.0.1:5432/NAME, mysql://root@127.0.0.1:3306/), or run `cargo xtask test`, \
         which starts one"
    );
    Place::new().await
}

impl Shop {
    pub(crate) async fn counts(&self) -> Counts {
        let rows = self.query(LOOK).await;
        Counts(std::array::from_fn(|column| rows[0].int(column).unwrap()))
    }
}

fn rename(product_id: ProductId, name: String) -> UpdateProduct {
    UpdateProduct { name: Some(name), ..UpdateProduct::nothing(product_id) }
}

fn take_in(product_id: ProductId, quantity: i64) -> AdjustStock {
    let change = StockChange::Increment(quantity);
    AdjustStock { lines: vec![StockLine { product_id, change, reason: None, note: None }] }
}
