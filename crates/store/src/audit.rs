//! What the audit log tells: each thing that a command changed, as it was and as it became.
//!
//! Made where a batch takes decisions in, of the rows themselves, so no command and no handler can forget it. Of what
//! customers do nothing is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{
    Actor, ApiKey, ApiKeyId, Change, Context, Order, OrderId, Product, ProductId, Snapshot, User, UserId,
};
use serde_json::{Map, Value};

use crate::driver::{Cell, Rows, Sets};
use crate::tables::INSERT_AUDIT;

/// What stands for what is told to nobody.
const HIDDEN: &str = "***";

/// Who does something, and what.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    action: &'static str,
    actor: Actor,
    request_id: Arc<str>,
    source: Option<Arc<str>>,
    at_us: i64,
}

impl Author {
    /// Of a command, by its word; `None` where the log is silent.
    pub(crate) fn of(context: &Context, word: impl FnOnce() -> &'static str) -> Option<Self> {
        context.is_audited().then(|| Self {
            action: word(),
            actor: context.actor,
            request_id: Arc::clone(&context.request_id),
            source: context.source.clone(),
            at_us: context.now_us,
        })
    }
}

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Entry {
    author: Arc<Author>,
    thing: Thing,
    was: String,
    became: String,
}

impl Entry {
    pub(crate) fn at_us(&self) -> i64 {
        self.author.at_us
    }
}

/// What a line may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Product(ProductId),
    Order(OrderId),
    User(UserId),
    ApiKey(ApiKeyId),
}

impl Thing {
    /// What a change is about; `None` for the housekeeping of the shop.
    fn of(change: &Change) -> Option<Self> {
        match change {
            Change::PutUser(user) => Some(Self::User(user.id)),
            Change::PutProduct(product) => Some(Self::Product(product.id)),
            Change::EraseProduct(id) => Some(Self::Product(*id)),
            Change::PutLevel(level) => Some(Self::Product(level.product_id)),
            Change::PutOrder(order) => Some(Self::Order(order.id)),
            Change::PutApiKey(key) => Some(Self::ApiKey(key.id)),
            Change::NoteSession { user_id } => Some(Self::User(*user_id)),
            // The line about the user tells why.
            Change::RevokeApiKeysOf { .. }
            | Change::NoteApiKeyUse { .. }
            | Change::OpenShop { .. }
            | Change::NoteSecret { .. }
            | Change::ForgetAnswers { .. } => None,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Product(_) => "product",
            Self::Order(_) => "order",
            Self::User(_) => "user",
            Self::ApiKey(_) => "api_key",
        }
    }

    const fn id(self) -> i64 {
        match self {
            Self::Product(ProductId(id))
            | Self::Order(OrderId(id))
            | Self::User(UserId(id))
            | Self::ApiKey(ApiKeyId(id)) => id,
        }
    }

    /// The thing as it is; nothing where it is not.
    fn facts(self, snapshot: &Snapshot) -> Facts {
        let facts = match self {
            Self::Product(id) => snapshot.products.get(&id).and_then(Option::as_ref).map(|product| {
                let level = snapshot.levels.get(&id).copied().flatten();
                product_facts(product, level.map_or(0, |level| level.on_hand))
            }),
            Self::Order(id) => snapshot.orders.get(&id).and_then(Option::as_ref).map(order_facts),
            Self::User(id) => snapshot.users.get(&id).and_then(Option::as_ref).map(user_facts),
            Self::ApiKey(id) => snapshot.api_keys.get(&id).and_then(Option::as_ref).map(key_facts),
        };
        facts.unwrap_or_default()
    }
}

/// A part of a thing.
#[derive(Debug, PartialEq, Eq)]
enum Fact {
    Shown(Value),
    /// That it changed is told, and nothing else.
    Hidden(String),
    /// Without meaning outside. There is a line when it changed, which does not tell of it.
    Silent(i64),
}

/// By the names that the API has for them. Times are told as times by whoever shows the log, which knows them by how their
/// names end.
type Facts = Vec<(&'static str, Fact)>;

fn shown(value: impl Into<Value>) -> Fact {
    Fact::Shown(value.into())
}

/// What orders hold of it follows from the orders, and the ledger tells of it.
fn product_facts(product: &Product, on_hand: i64) -> Facts {
    vec![
        ("sku", shown(product.sku.as_str())),
        ("name", shown(product.name.as_str())),
        ("description", shown(product.description.as_str())),
        ("price_cents", shown(product.price_cents)),
        ("is_active", shown(product.is_active)),
        ("archived_at_us", shown(product.archived_at_us)),
        ("low_stock_threshold", shown(product.low_stock_threshold)),
        ("auto_deactivate", shown(product.auto_deactivate)),
        ("on_hand", shown(on_hand)),
    ]
}

fn order_facts(order: &Order) -> Facts {
    let item = |item: &domain::OrderItem| {
        serde_json::json!({
            "product_id": item.product_id.0, "quantity": item.quantity, "price_cents_at_purchase": item.price_cents,
        })
    };
    vec![
        ("user_id", shown(order.user_id.map(|id| id.0))),
        ("status", shown(order.status().word())),
        ("state", shown(order.state.word())),
        ("payment", shown(order.payment.word())),
        ("fulfilment", shown(order.fulfilment.word())),
        ("allocate_at", shown(order.allocate_at.word())),
        ("total_amount_cents", shown(order.total_amount_cents)),
        ("total_quantity", shown(order.total_quantity)),
        ("expires_at_us", shown(order.expires_at_us)),
        ("items", shown(order.items.iter().map(item).collect::<Vec<_>>())),
    ]
}

fn user_facts(user: &User) -> Facts {
    vec![
        ("username", shown(user.username.as_str())),
        ("email", shown(user.email.as_deref())),
        ("full_name", shown(user.full_name.as_deref())),
        ("role", shown(user.role.word())),
        ("is_active", shown(user.is_active)),
        ("password", Fact::Hidden(user.password_hash.clone())),
        ("token_generation", Fact::Silent(user.token_generation)),
    ]
}

fn key_facts(key: &ApiKey) -> Facts {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.word()).collect();
    vec![
        ("name", shown(key.name.as_str())),
        ("role", shown(key.role.word())),
        ("scopes", shown(scopes)),
        ("maker_id", shown(key.maker_id.0)),
        ("expires_at_us", shown(key.expires_at_us)),
        ("revoked_at_us", shown(key.revoked_at_us)),
    ]
}

/// Of `facts` those that `others` does not have, as a JSON object. What is nothing is left out.
fn difference(facts: &Facts, others: &Facts) -> String {
    let is_other = |fact: &&(&str, Fact)| !others.contains(fact);
    let value = |fact: &Fact| match fact {
        Fact::Shown(value) => Some(value.clone()),
        Fact::Hidden(_) => Some(HIDDEN.into()),
        Fact::Silent(_) => None,
    };
    let told = facts.iter().filter(is_other);
    let told = told.filter_map(|(name, fact)| Some(((*name).to_owned(), value(fact)?)));
    Value::Object(told.collect::<Map<_, _>>()).to_string()
}

/// The things that a decision is about to change, as they are before.
#[derive(Debug)]
pub(crate) struct Watch {
    author: Arc<Author>,
    before: BTreeMap<Thing, Facts>,
    /// Whether there is a line also for what is as it was: the deed was none that changes anything.
    tells_all: bool,
}

impl Watch {
    pub(crate) fn begin(author: Author, snapshot: &Snapshot, changes: &[Change]) -> Self {
        let things = changes.iter().filter_map(Thing::of);
        let before = things.map(|thing| (thing, thing.facts(snapshot))).collect();
        let tells_all = changes.iter().any(|change| matches!(change, Change::NoteSession { .. }));
        Self { author: Arc::new(author), before, tells_all }
    }

    /// What has become of them.
    pub(crate) fn end(self, snapshot: &Snapshot) -> impl Iterator<Item = Entry> {
        let Self { author, tells_all, .. } = self;
        self.before.into_iter().filter_map(move |(thing, before)| {
            let after = thing.facts(snapshot);
            (tells_all || before != after).then(|| Entry {
                author: Arc::clone(&author),
                thing,
                was: difference(&before, &after),
                became: difference(&after, &before),
            })
        })
    }
}

/// Appends the lines, numbered from `first`.
pub(crate) fn write(entries: &[Entry], sets: &mut Sets, first: i64) {
    let mut rows = Rows::new();
    for (id, Entry { author, thing, was, became }) in (first..).zip(entries) {
        rows.push([
            id.into(),
            author.at_us.into(),
            author.action.into(),
            thing.kind().into(),
            thing.id().into(),
            author.actor.user_id.map(|id| id.0).into(),
            author.actor.key.map(|id| id.0).into(),
            author.actor.role.word().into(),
            was.into(),
            became.into(),
            Cell::Text(&author.request_id),
            author.source.as_deref().into(),
        ]);
    }
    sets.insert(&INSERT_AUDIT, rows);
}
