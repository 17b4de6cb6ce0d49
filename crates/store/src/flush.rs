//! Writes what a batch decided, set-wise: one statement a table and kind of change, whatever the size of the batch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Change, Effects, Fact, Movement, Order, OrderId, Product, ProductId, RecordedEvent, Snapshot, Status,
    UserId,
};

use crate::StoreError;
use crate::api_keys::Keyring;
use crate::audit::{self, Author, Watch};
use crate::catalogue::Catalogue;
use crate::driver::{Cell, Rows, Sets, Transaction};
use crate::holds::HoldChanges;
use crate::job::{IdempotencyKey, KeptAnswer};
use crate::load::NextLines;
use crate::marker::Marker;
use crate::rows::{search_text, user_search_text};
use crate::sums::{SumChanges, Sums};
use crate::tables::{
    DELETE_LEVELS, DELETE_PRODUCTS, INSERT_EVENTS, INSERT_ITEMS, INSERT_LEVELS, INSERT_MOVEMENTS,
    INSERT_ORDERS, INSERT_PRODUCTS, INSERT_USERS, UPDATE_COUNTERS, UPDATE_ITEMS, UPDATE_LEVELS,
    UPDATE_ORDERS, UPDATE_PRODUCTS, UPDATE_USERS, UPSERT_ANSWERS, UPSERT_META,
};
use crate::touched::Touched;

/// The oldest answers go first, so many at a time: all other commands wait meanwhile.
const FORGOTTEN_AT_ONCE: i64 = 500;
const LAST_OF_PORTION: &str = "SELECT k.created_at_us FROM idempotency_keys k WHERE k.created_at_us < ? \
     ORDER BY k.created_at_us LIMIT 1 OFFSET ?";
const FORGET_ANSWERS: &str = "DELETE FROM idempotency_keys WHERE created_at_us < ?";

/// The one location there is for now.
pub(crate) const DEFAULT_LOCATION: i64 = 1;

/// What a batch has decided so far. Rows are written as the snapshot has them in the end.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    users: BTreeSet<UserId>,
    products: BTreeSet<ProductId>,
    /// How the products that change were before the batch.
    catalogue: Catalogue,
    erased: BTreeSet<ProductId>,
    levels: BTreeSet<ProductId>,
    /// Each with its status before the batch; a new one had none.
    orders: BTreeMap<OrderId, Option<Status>>,
    movements: Vec<Movement>,
    events: Vec<RecordedEvent>,
    /// By principal and key. One that expires within the batch is written as it is in the end.
    answers: BTreeMap<(i64, String), (IdempotencyKey, KeptAnswer)>,
    open_shop: Option<String>,
    secret_mark: Option<String>,
    forget_before_us: Option<i64>,
    keyring: Keyring,
    audit: Vec<audit::Entry>,
    tells_done: bool,
}

impl Pending {
    /// Takes a decision in and makes it visible to the commands that follow. What an `author` changes is audited.
    pub(crate) fn take(&mut self, snapshot: &mut Snapshot, effects: Effects, author: Option<Author>) {
        self.tell_done();
        let watch = author.map(|author| Watch::begin(author, snapshot, &effects.changes));
        for change in &effects.changes {
            if let Change::PutOrder(order) = change
                && let Entry::Vacant(first) = self.orders.entry(order.id)
            {
                // Of a new one there is nothing in the snapshot, not even that it was looked for.
                let before = snapshot.orders.get(&order.id).and_then(Option::as_ref);
                first.insert(before.map(Order::status));
            }
            if let Change::PutProduct(Product { id, .. }) | Change::EraseProduct(id) = change {
                self.catalogue.note(*id, snapshot);
            }
            snapshot.apply(change);
            match change {
                Change::PutUser(user) => drop(self.users.insert(user.id)),
                Change::PutProduct(product) => drop(self.products.insert(product.id)),
                Change::EraseProduct(id) => {
                    self.products.remove(id);
                    self.levels.remove(id);
                    self.erased.insert(*id);
                }
                Change::PutLevel(level) => drop(self.levels.insert(level.product_id)),
                // Taken in above, before it was visible; and what the audit log alone tells of.
                Change::PutOrder(_) | Change::NoteSession { .. } => {}
                Change::OpenShop { currency } => self.open_shop = Some(currency.clone()),
                Change::NoteSecret { mark } => self.secret_mark = Some(mark.clone()),
                Change::PutApiKey(_) | Change::RevokeApiKeysOf { .. } | Change::NoteApiKeyUse { .. } => {
                    self.keyring.note(change);
                }
                Change::ForgetAnswers { before_us } => {
                    self.forget_before_us = self.forget_before_us.max(Some(*before_us));
                }
            }
        }
        self.movements.extend(effects.movements);
        self.events.extend(effects.events);
        self.audit.extend(watch.into_iter().flat_map(|watch| watch.end(snapshot)));
    }

    /// Keeps an answer for repetitions of its request.
    pub(crate) fn keep(&mut self, key: IdempotencyKey, answer: KeptAnswer) {
        self.answers.insert((key.principal, key.key.clone()), (key, answer));
    }

    /// Somebody will be told that something is done, now or earlier.
    pub(crate) fn tell_done(&mut self) {
        self.tells_done = true;
    }

    /// Whether anybody will be told that something is done, even if there is nothing to write.
    pub(crate) fn tells_done(&self) -> bool {
        self.tells_done
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.products.is_empty()
            && self.erased.is_empty()
            && self.levels.is_empty()
            && self.orders.is_empty()
            && self.movements.is_empty()
            && self.events.is_empty()
            && self.answers.is_empty()
            && self.open_shop.is_none()
            && self.secret_mark.is_none()
            && self.forget_before_us.is_none()
            && self.keyring.is_empty()
            && self.audit.is_empty()
    }

    /// Writes everything. `first` and `lines` are the counters as they were before the batch: rows with ids from
    /// there on are new. `marker` tells a later look whether the batch was committed; `sums` how they are kept.
    pub(crate) async fn write(
        &self,
        transaction: &mut Transaction,
        snapshot: &Snapshot,
        first: domain::NextIds,
        lines: NextLines,
        marker: Option<Marker>,
        sums: Sums,
    ) -> Result<(), StoreError> {
        if let Some(before_us) = self.forget_before_us {
            forget(transaction, before_us).await?;
        }
        self.keyring.revoke_all(transaction).await?;
        let mut sets = Sets::new();
        self.deletions(&mut sets, first);
        self.users(&mut sets, snapshot, first);
        self.products(&mut sets, snapshot, first);
        self.catalogue.grams(&mut sets, snapshot);
        self.catalogue.count(&mut sets, snapshot);
        self.orders(&mut sets, snapshot, first, sums);
        self.keyring.write(&mut sets, snapshot, first);
        self.movements(&mut sets, lines);
        self.events(&mut sets, lines);
        audit::write(&self.audit, &mut sets, lines.audit);
        self.answers(&mut sets);
        self.counters(&mut sets, snapshot, first, lines);
        self.meta(&mut sets);
        if let Some(marker) = marker {
            marker.leave(&mut sets, self.latest_us());
        }
        transaction.write(&sets).await
    }

    fn meta(&self, sets: &mut Sets) {
        let mut rows = Rows::new();
        for (name, value) in [("currency", &self.open_shop), ("secret_mark", &self.secret_mark)] {
            if let Some(value) = value {
                rows.push([name.into(), value.into()]);
            }
        }
        sets.upsert(&UPSERT_META, rows);
    }

    /// What is out of date once this is written.
    pub(crate) fn touched(&self, snapshot: &Snapshot) -> Touched {
        let products = self.products.iter().chain(&self.levels).chain(&self.erased);
        let whose = |id: &OrderId| (*id, snapshot.order(*id).and_then(|order| order.user_id));
        Touched {
            everything: false,
            products: products.copied().collect(),
            orders: self.orders.keys().map(whose).collect(),
            users: self.users.iter().copied().collect(),
        }
    }

    /// The number of the next event, once this is written.
    pub(crate) fn next_event(&self, lines: NextLines) -> i64 {
        lines.event + count(self.events.len())
    }

    /// The time of the latest command in the batch.
    fn latest_us(&self) -> i64 {
        let events = self.events.iter().map(|event| event.at_us);
        let answers = self.answers.values().map(|(key, _)| key.latest_us);
        let lines = self.audit.iter().map(audit::Entry::at_us);
        let others = self.forget_before_us.into_iter().chain(self.keyring.latest_us());
        events.chain(answers).chain(lines).chain(others).max().unwrap_or(0)
    }

    fn deletions(&self, sets: &mut Sets, first: domain::NextIds) {
        let (mut levels, mut products) = (Rows::new(), Rows::new());
        // A product made and erased within one batch never was.
        for id in self.erased.iter().filter(|id| id.0 < first.product) {
            levels.push([id.0.into(), DEFAULT_LOCATION.into()]);
            products.push([id.0.into()]);
        }
        sets.delete(&DELETE_LEVELS, levels);
        sets.delete(&DELETE_PRODUCTS, products);
    }

    fn users(&self, sets: &mut Sets, snapshot: &Snapshot, first: domain::NextIds) {
        let (mut new, mut old) = (Rows::new(), Rows::new());
        for user in self.users.iter().filter_map(|id| snapshot.user(*id)) {
            let key = domain::username_key(&user.username);
            let search = user_search_text(&user.username, user.email.as_deref(), user.full_name.as_deref());
            let rows = if user.id.0 >= first.user { &mut new } else { &mut old };
            rows.push([
                user.id.0.into(),
                (&user.username).into(),
                (&key).into(),
                user.email.as_deref().into(),
                user.full_name.as_deref().into(),
                (&search).into(),
                user.role.word().into(),
                (&user.password_hash).into(),
                user.token_generation.into(),
                user.is_active.into(),
                user.version.into(),
                user.created_at_us.into(),
                user.updated_at_us.into(),
            ]);
        }
        sets.update(&UPDATE_USERS, old);
        sets.insert(&INSERT_USERS, new);
    }

    fn products(&self, sets: &mut Sets, snapshot: &Snapshot, first: domain::NextIds) {
        let (mut new, mut old) = (Rows::new(), Rows::new());
        for product in self.products.iter().filter_map(|id| snapshot.product(*id)) {
            push_product(if product.id.0 >= first.product { &mut new } else { &mut old }, product);
        }
        sets.update(&UPDATE_PRODUCTS, old);
        sets.insert(&INSERT_PRODUCTS, new);
        let (mut new, mut old) = (Rows::new(), Rows::new());
        for level in self.levels.iter().filter_map(|id| snapshot.level(*id)) {
            let id = level.product_id.0;
            let rows = if id >= first.product { &mut new } else { &mut old };
            let (on_hand, allocated) = (level.on_hand, level.allocated);
            rows.push([
                id.into(),
                DEFAULT_LOCATION.into(),
                on_hand.into(),
                allocated.into(),
                level.version.into(),
            ]);
        }
        sets.update(&UPDATE_LEVELS, old);
        sets.insert(&INSERT_LEVELS, new);
    }

    fn orders(&self, sets: &mut Sets, snapshot: &Snapshot, first: domain::NextIds, how: Sums) {
        let (mut new, mut old) = (Rows::new(), Rows::new());
        let (mut new_items, mut old_items) = (Rows::new(), Rows::new());
        let (mut sums, mut holds) = (SumChanges::default(), HoldChanges::default());
        for (id, before) in &self.orders {
            let Some(order) = snapshot.order(*id) else { continue };
            sums.move_order(order, *before);
            holds.move_order(order, *before);
            if order.id.0 >= first.order {
                push_order(&mut new, &mut new_items, order);
            } else {
                old.push([
                    order.id.0.into(),
                    order.state.word().into(),
                    order.payment.word().into(),
                    order.fulfilment.word().into(),
                    order.version.into(),
                    order.updated_at_us.into(),
                    order.expires_at_us.into(),
                ]);
                for item in &order.items {
                    old_items.push([order.id.0.into(), item.id.0.into(), item.allocated.into()]);
                }
            }
        }
        sets.update(&UPDATE_ORDERS, old);
        sets.update(&UPDATE_ITEMS, old_items);
        sets.insert(&INSERT_ORDERS, new);
        sets.insert(&INSERT_ITEMS, new_items);
        sums.write(sets, how);
        holds.write(sets);
    }

    fn movements(&self, sets: &mut Sets, lines: NextLines) {
        let mut rows = Rows::new();
        // As the ledger lies: what belongs to one product, and so to one page, is written together.
        let mut numbered: Vec<_> = (lines.movement..).zip(&self.movements).collect();
        numbered.sort_unstable_by_key(|(id, movement)| (movement.product_id, *id));
        for (id, movement) in numbered {
            rows.push([
                movement.product_id.0.into(),
                id.into(),
                DEFAULT_LOCATION.into(),
                movement.kind.word().into(),
                movement.on_hand_delta.into(),
                movement.allocated_delta.into(),
                movement.on_hand_after.into(),
                movement.allocated_after.into(),
                movement.order_id.map(|id| id.0).into(),
                movement.actor_id.map(|id| id.0).into(),
                movement.reason.as_deref().into(),
                movement.note.as_deref().into(),
                Cell::Text(&movement.request_id),
                movement.at_us.into(),
            ]);
        }
        sets.insert(&INSERT_MOVEMENTS, rows);
    }

    fn events(&self, sets: &mut Sets, lines: NextLines) {
        let mut rows = Rows::new();
        for (id, recorded) in (lines.event..).zip(&self.events) {
            let event = &recorded.event;
            let payload = payload(event);
            rows.push([
                id.into(),
                event.kind().into(),
                event.order_id().map(|id| id.0).into(),
                event.product_id().map(|id| id.0).into(),
                event.user_id().map(|id| id.0).into(),
                (&payload).into(),
                recorded.actor_id.map(|id| id.0).into(),
                Cell::Text(&recorded.request_id),
                recorded.at_us.into(),
            ]);
        }
        sets.insert(&INSERT_EVENTS, rows);
    }

    fn answers(&self, sets: &mut Sets) {
        let mut rows = Rows::new();
        for (key, answer) in self.answers.values() {
            let kept = answer.to_json();
            rows.push([
                key.principal.into(),
                (&key.key).into(),
                (&key.fingerprint).into(),
                i64::from(answer.status).into(),
                (&kept).into(),
                key.latest_us.into(),
            ]);
        }
        sets.upsert(&UPSERT_ANSWERS, rows);
    }

    fn counters(&self, sets: &mut Sets, snapshot: &Snapshot, first: domain::NextIds, lines: NextLines) {
        let next = snapshot.next;
        let counters = [
            ("product", first.product, next.product),
            ("order", first.order, next.order),
            ("item", first.item, next.item),
            ("user", first.user, next.user),
            ("api_key", first.api_key, next.api_key),
            ("movement", lines.movement, lines.movement + count(self.movements.len())),
            ("event", lines.event, self.next_event(lines)),
            ("audit", lines.audit, lines.audit + count(self.audit.len())),
        ];
        let mut rows = Rows::new();
        for (name, before, after) in counters {
            if before != after {
                rows.push([name.into(), after.into()]);
            }
        }
        sets.update(&UPDATE_COUNTERS, rows);
    }
}

/// Forgets the oldest of the answers that have expired.
async fn forget(transaction: &mut Transaction, before_us: i64) -> Result<(), StoreError> {
    let others = (FORGOTTEN_AT_ONCE - 1).into();
    let last = transaction.query(LAST_OF_PORTION, &[before_us.into(), others]).await?;
    let end_us = last.first().map(|row| row.int(0)).transpose()?.map_or(before_us, |last| last + 1);
    transaction.execute(FORGET_ANSWERS, &[end_us.into()]).await.map(drop)
}

/// A batch has far fewer lines than `i64` has numbers.
fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn push_product(rows: &mut Rows, product: &Product) {
    let search = search_text(&product.sku, &product.name);
    rows.push([
        product.id.0.into(),
        (&product.sku).into(),
        (&product.name).into(),
        (&product.description).into(),
        (&search).into(),
        product.price_cents.into(),
        product.is_active.into(),
        product.archived_at_us.into(),
        product.low_stock_threshold.into(),
        product.auto_deactivate.into(),
        product.version.into(),
        product.created_at_us.into(),
        product.updated_at_us.into(),
    ]);
}

fn push_order(orders: &mut Rows, items: &mut Rows, order: &Order) {
    orders.push([
        order.id.0.into(),
        order.user_id.map(|id| id.0).into(),
        order.state.word().into(),
        order.payment.word().into(),
        order.fulfilment.word().into(),
        order.allocate_at.word().into(),
        order.total_amount_cents.into(),
        order.total_quantity.into(),
        order.version.into(),
        order.placed_at_us.into(),
        order.updated_at_us.into(),
        order.expires_at_us.into(),
    ]);
    for item in &order.items {
        items.push([
            order.id.0.into(),
            item.id.0.into(),
            item.product_id.0.into(),
            (&item.product_name).into(),
            item.price_cents.into(),
            item.quantity.into(),
            item.allocated.into(),
        ]);
    }
}

/// The facts of an event as a JSON object.
fn payload(event: &domain::Event) -> String {
    let facts = event.facts().into_iter().map(|(name, fact)| {
        let value = match fact {
            Fact::Int(value) => value.into(),
            Fact::Text(text) => text.into(),
            Fact::Flag(flag) => flag.into(),
        };
        (name.to_owned(), value)
    });
    serde_json::Value::Object(facts.collect()).to_string()
}
