//! A shop in memory: plain maps that load exactly what keys name and take changes as a database would,
//! suspiciously. It shares no code with [`Snapshot::apply`].

use std::collections::BTreeMap;

use domain::{
    ApiKey, ApiKeyId, Census, Change, Effects, Fulfilment, Holds, Keys, Movement, NextIds, Order, OrderId,
    OrderState, Payment, Product, ProductId, RecordedEvent, Role, Snapshot, StockLevel, User, UserId,
};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shop {
    pub(crate) next: NextIds,
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) products: BTreeMap<ProductId, Product>,
    pub(crate) levels: BTreeMap<ProductId, StockLevel>,
    pub(crate) orders: BTreeMap<OrderId, Order>,
    pub(crate) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    pub(crate) currency: Option<String>,
    pub(crate) secret_mark: Option<String>,
    pub(crate) ledger: Vec<Movement>,
    pub(crate) events: Vec<RecordedEvent>,
    /// Sums of the ledger's differences per product, erased ones included.
    pub(crate) sums: BTreeMap<ProductId, (i64, i64)>,
}

/// States what must hold; the text says what does not.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => { if !$holds { return Err(format!($($text)+)); } };
}
pub(crate) use ensure;

impl Shop {
    /// Loads what the keys name and nothing else.
    pub(crate) fn load(&self, keys: &Keys) -> Snapshot {
        let mut snapshot = Snapshot { next: self.next, ..Snapshot::default() };
        for id in &keys.users {
            snapshot.users.insert(*id, self.users.get(id).cloned());
        }
        for id in &keys.products {
            self.load_product(&mut snapshot, *id);
        }
        for id in &keys.orders {
            let order = self.orders.get(id);
            for item in order.iter().flat_map(|order| &order.items) {
                self.load_product(&mut snapshot, item.product_id);
            }
            if let Some(user_id) = order.and_then(|order| order.user_id) {
                snapshot.users.insert(user_id, self.users.get(&user_id).cloned());
            }
            snapshot.orders.insert(*id, order.cloned());
        }
        for sku in &keys.skus {
            let owner = self.products.values().find(|product| product.sku == *sku);
            snapshot.skus.insert(sku.clone(), owner.map(|product| product.id));
        }
        for name in &keys.names {
            let called = |product: &&Product| product.name == *name && product.archived_at_us.is_none();
            let ids = self.products.values().filter(called).map(|product| product.id);
            snapshot.names.insert(name.clone(), ids.collect());
        }
        for name in &keys.usernames {
            let owner = self.users.values().find(|user| user.username.to_lowercase() == *name);
            snapshot.usernames.insert(name.clone(), owner.map(|user| user.id));
        }
        for email in &keys.emails {
            let owner = self.users.values().find(|user| user.email.as_ref() == Some(email));
            snapshot.emails.insert(email.clone(), owner.map(|user| user.id));
        }
        for id in &keys.references {
            let mut items = self.orders.values().flat_map(|order| &order.items);
            snapshot.references.insert(*id, items.any(|item| item.product_id == *id));
        }
        for id in &keys.holds {
            snapshot.holds.insert(*id, self.holds(*id));
        }
        for id in &keys.api_keys {
            snapshot.api_keys.insert(*id, self.api_keys.get(id).cloned());
        }
        snapshot.census = keys.census.then(|| self.census());
        snapshot.currency = keys.currency.then(|| self.currency.clone());
        snapshot.secret_mark = keys.secret_mark.then(|| self.secret_mark.clone());
        snapshot
    }

    fn load_product(&self, snapshot: &mut Snapshot, id: ProductId) {
        snapshot.products.insert(id, self.products.get(&id).cloned());
        snapshot.levels.insert(id, self.levels.get(&id).copied());
    }

    /// Counted anew, order by order.
    fn holds(&self, id: UserId) -> Holds {
        let mut holds = Holds::default();
        let is_open = |order: &&Order| {
            let waits = [OrderState::Pending, OrderState::Confirmed].contains(&order.state);
            waits && order.payment == Payment::Unpaid && order.fulfilment == Fulfilment::Unfulfilled
        };
        for order in self.orders.values().filter(|order| order.user_id == Some(id)).filter(is_open) {
            holds.orders += 1;
            holds.units += order.items.iter().map(|item| item.quantity).sum::<i64>();
        }
        holds
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        for user in self.users.values() {
            census.users += 1;
            census.active_admins += i64::from(user.is_active && user.role == Role::Admin);
        }
        census
    }

    /// Takes the effects of one decision, or says what is wrong with them.
    pub(crate) fn apply(&mut self, effects: &Effects) -> Result<(), String> {
        let mut movements = effects.movements.iter();
        for change in &effects.changes {
            match change {
                Change::PutUser(user) => {
                    let before = self.users.insert(user.id, user.clone());
                    number(before.map(|row| row.version), user.version, user.id.0, &mut self.next.user)?;
                }
                Change::PutProduct(product) => {
                    let before = self.products.insert(product.id, product.clone());
                    let known = before.map(|row| row.version);
                    number(known, product.version, product.id.0, &mut self.next.product)?;
                }
                Change::EraseProduct(id) => {
                    ensure!(self.products.remove(id).is_some(), "{id:?} is erased, but is not there");
                    self.levels.remove(id);
                }
                Change::PutLevel(level) => self.put_level(level, &mut movements)?,
                Change::PutOrder(order) => self.put_order(order)?,
                Change::OpenShop { currency } => {
                    ensure!(self.currency.is_none(), "opened twice");
                    self.currency = Some(currency.clone());
                }
                Change::NoteSecret { mark } => {
                    ensure!(self.secret_mark.as_ref() != Some(mark), "noted twice");
                    self.secret_mark = Some(mark.clone());
                }
                Change::PutApiKey(key) => {
                    if self.api_keys.insert(key.id, key.clone()).is_none() {
                        number(None, 1, key.id.0, &mut self.next.api_key)?;
                    }
                }
                Change::RevokeApiKeysOf { user_id, at_us } => {
                    for key in self.api_keys.values_mut().filter(|key| key.maker_id == *user_id) {
                        key.revoked_at_us = key.revoked_at_us.or(Some(*at_us));
                    }
                }
                Change::NoteApiKeyUse { id, at_us } => {
                    if let Some(key) = self.api_keys.get_mut(id) {
                        key.last_used_at_us = key.last_used_at_us.max(Some(*at_us));
                    }
                }
                Change::NoteSession { user_id } => {
                    let is_here = self.users.get(user_id).is_some_and(|user| user.is_active);
                    ensure!(is_here, "a session of {user_id:?}, who is not here");
                }
                Change::ForgetAnswers { .. } => {}
            }
        }
        ensure!(movements.len() == 0, "{} ledger lines without a level", movements.len());
        self.events.extend(effects.events.iter().cloned());
        Ok(())
    }

    /// Every change of a level has its line in the ledger, and the line says exactly what changed.
    fn put_level<'a>(
        &mut self,
        level: &StockLevel,
        movements: &mut impl Iterator<Item = &'a Movement>,
    ) -> Result<(), String> {
        let id = level.product_id;
        let before = self.levels.insert(id, *level);
        ensure!(0 <= level.allocated && level.allocated <= level.on_hand, "impossible {level:?}");
        let empty = StockLevel { product_id: id, on_hand: 0, allocated: 0, version: 0 };
        if before.is_none() && *level == empty {
            return Ok(());
        }
        let before = before.unwrap_or(empty);
        let Some(movement) = movements.next() else { return Err(format!("no ledger line for {level:?}")) };
        let deltas = (level.on_hand - before.on_hand, level.allocated - before.allocated);
        let told = (movement.on_hand_delta, movement.allocated_delta);
        let after = (movement.on_hand_after, movement.allocated_after);
        ensure!(
            movement.product_id == id && told == deltas,
            "{movement:?} does not tell {before:?} to {level:?}"
        );
        ensure!(after == (level.on_hand, level.allocated), "{movement:?} does not end at {level:?}");
        ensure!(level.version == before.version + 1, "version of {level:?} after {before:?}");
        let sums = self.sums.entry(id).or_default();
        *sums = (sums.0 + told.0, sums.1 + told.1);
        self.ledger.push(movement.clone());
        Ok(())
    }

    fn put_order(&mut self, order: &Order) -> Result<(), String> {
        let before = self.orders.insert(order.id, order.clone());
        number(before.as_ref().map(|row| row.version), order.version, order.id.0, &mut self.next.order)?;
        if before.is_some() {
            return Ok(());
        }
        for item in &order.items {
            ensure!(item.id.0 == self.next.item, "item {:?}, but {} is next", item.id, self.next.item);
            self.next.item += 1;
        }
        Ok(())
    }

    /// Checks what must hold between any two commands.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let mut held: BTreeMap<ProductId, i64> = BTreeMap::new();
        for order in self.orders.values() {
            for (position, item) in order.items.iter().enumerate() {
                let twice = order.items[..position].iter().any(|other| other.product_id == item.product_id);
                ensure!(!twice, "{:?} appears twice in {order:?}", item.product_id);
                let waits = order.state == OrderState::Pending;
                ensure!(waits || order.expires_at_us.is_none(), "not pending, but expires: {order:?}");
                let idle = order.state == OrderState::Cancelled;
                ensure!(!idle || item.allocated == 0, "cancelled, but holds stock: {order:?}");
                ensure!([0, item.quantity].contains(&item.allocated), "partly held: {order:?}");
                *held.entry(item.product_id).or_default() += item.allocated;
            }
        }
        ensure!(self.levels.keys().eq(self.products.keys()), "products and levels differ");
        for (id, sums) in &self.sums {
            let level = self.levels.get(id).map_or((0, 0), |level| (level.on_hand, level.allocated));
            ensure!(level == *sums, "{id:?}: the ledger adds up to {sums:?}, the level is {level:?}");
        }
        for level in self.levels.values() {
            let held = held.get(&level.product_id).copied().unwrap_or(0);
            ensure!(level.allocated == held, "orders hold {held} of {level:?}");
            let sums = self.sums.get(&level.product_id).copied().unwrap_or_default();
            ensure!(sums == (level.on_hand, level.allocated), "no ledger for {level:?}");
        }
        Ok(())
    }
}

/// New rows take the next number and version 1; known rows move one version on.
fn number(before: Option<i64>, version: i64, id: i64, next: &mut i64) -> Result<(), String> {
    ensure!(version == before.unwrap_or(0) + 1, "version {version} of row {id} after {before:?}");
    if before.is_none() {
        ensure!(id == *next, "new row {id}, but {next} is next");
        *next += 1;
    }
    Ok(())
}
