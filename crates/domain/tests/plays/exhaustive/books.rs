//! What the database holds, in little: rows of which the snapshots for the real commands are made, and which take their
//! effects.

use std::sync::{Arc, LazyLock};

use domain::{
    AllocateAt, Change, Context, Effects, Fulfilment, ItemId, Keys, MovementKind, NextIds, Order, OrderId,
    OrderItem, OrderState, Payment, Product, ProductId, Role, Snapshot, Status, StockLevel, User, UserId,
};

use super::scenario::{Errand, Scenario};

/// A stock level, and what the ledger adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Goods {
    pub(super) on_hand: i64,
    pub(super) allocated: i64,
    pub(super) ledger: (i64, i64),
}

/// An order of one item. Its number is its position, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// The request that placed it.
    pub(super) by: usize,
    pub(super) owner: Option<UserId>,
    pub(super) facts: (OrderState, Payment, Fulfilment),
    pub(super) allocate_at: AllocateAt,
    pub(super) version: i64,
    pub(super) product: i64,
    pub(super) quantity: i64,
    pub(super) allocated: i64,
    /// What the ledger says: pieces taken for it, given back by it, sent out for it.
    pub(super) ledger: (i64, i64, i64),
}

impl Row {
    pub(super) fn status(&self) -> Status {
        Status::of(self.facts.0, self.facts.1, self.facts.2)
    }
}

/// What a request came to, as everybody who repeats it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    /// The order, and its status afterwards.
    Order(i64, Status),
    /// The stock was changed.
    Adjusted,
    Refused(&'static str),
}

/// The tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Books {
    pub(super) goods: Vec<Goods>,
    pub(super) orders: Vec<Row>,
    /// Kept answers, by slot, with the request that was answered.
    pub(super) kept: Vec<Option<(usize, Reply)>>,
    /// The numbers of the batches that the servers committed last. A number is never used again, and is only ever compared
    /// with the one before: so two are enough.
    pub(super) markers: Vec<bool>,
    /// How often each request had an effect. No server looks at this.
    pub(super) effects: Vec<u8>,
}

static REQUEST: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("r"));

pub(super) fn context(errand: &Errand) -> Context {
    Context { actor: errand.actor(), now_us: 1, request_id: Arc::clone(&REQUEST), source: None }
}

impl Books {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let goods = |opening: &i64| Goods { on_hand: *opening, allocated: 0, ledger: (*opening, 0) };
        let errands = scenario.errands().count();
        Self {
            goods: scenario.opening.iter().map(goods).collect(),
            orders: Vec::new(),
            kept: vec![None; errands],
            markers: vec![false; scenario.servers],
            effects: vec![0; errands],
        }
    }

    /// The order with this number.
    pub(super) fn order(&self, id: i64) -> Option<&Row> {
        self.orders.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// Loads what the keys name.
    pub(super) fn load(&self, keys: &Keys) -> Snapshot {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX) + 1;
        let orders = number(self.orders.len());
        let next =
            NextIds { product: number(self.goods.len()), order: orders, item: orders, user: 4, api_key: 1 };
        let mut snapshot = Snapshot { next, ..Snapshot::default() };
        for id in &keys.users {
            snapshot.users.insert(*id, Some(user(*id)));
        }
        for id in &keys.products {
            self.load_product(&mut snapshot, *id);
        }
        for id in &keys.orders {
            let row = self.order(id.0);
            if let Some(row) = row {
                self.load_product(&mut snapshot, ProductId(row.product));
                row.owner.map(|owner| snapshot.users.insert(owner, Some(user(owner))));
            }
            snapshot.orders.insert(*id, row.map(|row| order(*id, row)));
        }
        snapshot
    }

    fn load_product(&self, snapshot: &mut Snapshot, id: ProductId) {
        let goods = usize::try_from(id.0 - 1).ok().and_then(|at| self.goods.get(at));
        let level = goods.map(|goods| StockLevel {
            product_id: id,
            on_hand: goods.on_hand,
            allocated: goods.allocated,
            version: 1,
        });
        snapshot.levels.insert(id, level);
        snapshot.products.insert(id, goods.map(|_| product(id)));
    }

    /// Takes the effects of the command of a request.
    pub(super) fn take(&mut self, errand: usize, effects: &Effects) {
        for change in &effects.changes {
            match change {
                Change::PutLevel(level) => {
                    let goods = &mut self.goods[position(level.product_id.0)];
                    (goods.on_hand, goods.allocated) = (level.on_hand, level.allocated);
                }
                Change::PutOrder(order) => self.put_order(errand, order),
                other => panic!("nobody asked for {other:?}"),
            }
        }
        for movement in &effects.movements {
            let goods = &mut self.goods[position(movement.product_id.0)];
            goods.ledger.0 += movement.on_hand_delta;
            goods.ledger.1 += movement.allocated_delta;
            let Some(id) = movement.order_id else { continue };
            let ledger = &mut self.orders[position(id.0)].ledger;
            match movement.kind {
                MovementKind::Allocated => ledger.0 += movement.allocated_delta,
                MovementKind::Released => ledger.1 -= movement.allocated_delta,
                MovementKind::Shipped => ledger.2 -= movement.allocated_delta,
                other => panic!("an order does not cause {other:?}"),
            }
        }
        self.effects[errand] += u8::from(*effects != Effects::default());
    }

    fn put_order(&mut self, errand: usize, order: &Order) {
        let before = self.order(order.id.0).filter(|_| order.version > 1);
        let (by, ledger) = before.map_or((errand, (0, 0, 0)), |row| (row.by, row.ledger));
        let item = &order.items[0];
        let row = Row {
            by,
            owner: order.user_id,
            facts: (order.state, order.payment, order.fulfilment),
            allocate_at: order.allocate_at,
            version: order.version,
            product: item.product_id.0,
            quantity: item.quantity,
            allocated: item.allocated,
            ledger,
        };
        match self.orders.get_mut(position(order.id.0)) {
            Some(place) => *place = row,
            None => self.orders.push(row),
        }
    }
}

fn position(id: i64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

fn user(id: UserId) -> User {
    User {
        id,
        username: String::new(),
        email: None,
        full_name: None,
        role: Role::Customer,
        password_hash: String::new(),
        token_generation: 1,
        is_active: true,
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
    }
}

fn product(id: ProductId) -> Product {
    Product {
        id,
        sku: String::new(),
        name: String::new(),
        description: String::new(),
        price_cents: 1,
        is_active: true,
        archived_at_us: None,
        low_stock_threshold: 0,
        auto_deactivate: false,
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
    }
}

fn order(id: OrderId, row: &Row) -> Order {
    let (state, payment, fulfilment) = row.facts;
    Order {
        id,
        user_id: row.owner,
        state,
        payment,
        fulfilment,
        allocate_at: row.allocate_at,
        total_amount_cents: row.quantity,
        total_quantity: row.quantity,
        version: row.version,
        placed_at_us: 1,
        expires_at_us: None,
        updated_at_us: None,
        items: vec![OrderItem {
            id: ItemId(id.0),
            product_id: ProductId(row.product),
            product_name: String::new(),
            price_cents: 1,
            quantity: row.quantity,
            allocated: row.allocated,
        }],
    }
}
