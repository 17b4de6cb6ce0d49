//! The rows that commands decide on, as they are at the turn of each command.

use std::collections::{BTreeSet, HashMap};

use crate::{
    ApiKey, ApiKeyId, Change, Holds, Order, OrderId, Product, ProductId, StockLevel, User, UserId,
    username_key,
};

/// The rows a command wants to see. Duplicates are harmless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Users by id.
    pub users: Vec<UserId>,
    /// Products by id, each with its stock level.
    pub products: Vec<ProductId>,
    /// Orders by id, each with its items, their products and stock levels, and its user.
    pub orders: Vec<OrderId>,
    /// Who owns these SKUs?
    pub skus: Vec<String>,
    /// Which products of the catalogue have these names?
    pub names: Vec<String>,
    /// Who owns these login names (in the form of [`username_key`])?
    pub usernames: Vec<String>,
    /// Who owns these e-mail addresses?
    pub emails: Vec<String>,
    /// Does any order refer to these products?
    pub references: Vec<ProductId>,
    /// What do the open orders of these users hold?
    pub holds: Vec<UserId>,
    /// Keys of machines by id.
    pub api_keys: Vec<ApiKeyId>,
    /// How many users and active administrators are there?
    pub census: bool,
    /// In which currency does the shop keep its prices?
    pub currency: bool,
    /// With which secret do the servers of this shop sign?
    pub secret_mark: bool,
}

impl Keys {
    /// Adds another command's keys to these.
    pub fn absorb(&mut self, other: Self) {
        self.users.extend(other.users);
        self.products.extend(other.products);
        self.orders.extend(other.orders);
        self.skus.extend(other.skus);
        self.names.extend(other.names);
        self.usernames.extend(other.usernames);
        self.emails.extend(other.emails);
        self.references.extend(other.references);
        self.holds.extend(other.holds);
        self.api_keys.extend(other.api_keys);
        self.census |= other.census;
        self.currency |= other.currency;
        self.secret_mark |= other.secret_mark;
    }
}

/// The next free identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextIds {
    /// The next product's.
    pub product: i64,
    /// The next order's.
    pub order: i64,
    /// The next order item's.
    pub item: i64,
    /// The next user's.
    pub user: i64,
    /// The next key's.
    pub api_key: i64,
}

impl Default for NextIds {
    fn default() -> Self {
        Self { product: 1, order: 1, item: 1, user: 1, api_key: 1 }
    }
}

/// Numbers about all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Accounts, active or not.
    pub users: i64,
    /// Active accounts with the role of an administrator.
    pub active_admins: i64,
}

/// One evolving view of the loaded rows. A key that was loaded and is not there maps to `None`;
/// asking for a key that nobody loaded is a bug of the command and fails in debug builds.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Identifiers for new rows.
    pub next: NextIds,
    /// Loaded users.
    pub users: HashMap<UserId, Option<User>>,
    /// Loaded products.
    pub products: HashMap<ProductId, Option<Product>>,
    /// Loaded stock levels.
    pub levels: HashMap<ProductId, Option<StockLevel>>,
    /// Loaded orders.
    pub orders: HashMap<OrderId, Option<Order>>,
    /// Owners of the loaded SKUs.
    pub skus: HashMap<String, Option<ProductId>>,
    /// Products of the catalogue (not archived) that have the loaded names, code point by code point.
    pub names: HashMap<String, BTreeSet<ProductId>>,
    /// Owners of the loaded login names.
    pub usernames: HashMap<String, Option<UserId>>,
    /// Owners of the loaded e-mail addresses.
    pub emails: HashMap<String, Option<UserId>>,
    /// Products that orders refer to, for the loaded references.
    pub references: HashMap<ProductId, bool>,
    /// What the open orders of the loaded users hold.
    pub holds: HashMap<UserId, Holds>,
    /// Loaded keys of machines.
    pub api_keys: HashMap<ApiKeyId, Option<ApiKey>>,
    /// Numbers about all users, if loaded.
    pub census: Option<Census>,
    /// The shop's currency, if loaded: `Some(None)` when the shop was never opened.
    pub currency: Option<Option<String>>,
    /// The mark of the secret that was noted last, if loaded: `Some(None)` when none ever was.
    pub secret_mark: Option<Option<String>>,
}

/// Looks a key up that must have been loaded.
macro_rules! loaded {
    ($map:expr, $key:expr, $what:literal) => {{
        let found = $map.get($key);
        debug_assert!(found.is_some(), concat!($what, " {:?} was not named in the keys"), $key);
        found.and_then(Option::as_ref)
    }};
}

impl Snapshot {
    /// A loaded user.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&User> {
        loaded!(self.users, &id, "user")
    }

    /// A loaded product.
    #[must_use]
    pub fn product(&self, id: ProductId) -> Option<&Product> {
        loaded!(self.products, &id, "product")
    }

    /// The stock level of a loaded product.
    #[must_use]
    pub fn level(&self, id: ProductId) -> Option<StockLevel> {
        loaded!(self.levels, &id, "stock level").copied()
    }

    /// A loaded order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        loaded!(self.orders, &id, "order")
    }

    /// A loaded key of a machine.
    #[must_use]
    pub fn api_key(&self, id: ApiKeyId) -> Option<&ApiKey> {
        loaded!(self.api_keys, &id, "API key")
    }

    /// The owner of a loaded SKU.
    #[must_use]
    pub fn sku_owner(&self, sku: &str) -> Option<ProductId> {
        loaded!(self.skus, sku, "SKU").copied()
    }

    /// Whether any product of the catalogue has the loaded name; archived ones do not count.
    #[must_use]
    pub fn is_name_taken(&self, name: &str) -> bool {
        let found = self.names.get(name);
        debug_assert!(found.is_some(), "name {name:?} was not named in the keys");
        // Refusing is the answer that spoils nothing.
        found.is_none_or(|ids| !ids.is_empty())
    }

    /// The owner of a loaded login name, given in the form of [`username_key`].
    #[must_use]
    pub fn username_owner(&self, key: &str) -> Option<UserId> {
        loaded!(self.usernames, key, "login name").copied()
    }

    /// The owner of a loaded e-mail address.
    #[must_use]
    pub fn email_owner(&self, email: &str) -> Option<UserId> {
        loaded!(self.emails, email, "e-mail address").copied()
    }

    /// Whether any order refers to the product.
    #[must_use]
    pub fn is_referenced(&self, id: ProductId) -> bool {
        let found = self.references.get(&id);
        debug_assert!(found.is_some(), "references to product {id:?} were not named in the keys");
        // Archiving is the answer that destroys nothing.
        found.copied().unwrap_or(true)
    }

    /// What the open orders of a loaded user hold.
    #[must_use]
    pub fn holds(&self, id: UserId) -> Holds {
        let found = self.holds.get(&id);
        debug_assert!(found.is_some(), "what user {id:?} holds was not named in the keys");
        // Refusing is the answer that gives nothing away.
        found.copied().unwrap_or(Holds { orders: i64::MAX, units: i64::MAX })
    }

    /// Numbers about all users.
    #[must_use]
    pub fn census(&self) -> Census {
        debug_assert!(self.census.is_some(), "the census was not named in the keys");
        self.census.unwrap_or(Census { users: 1, active_admins: 1 })
    }

    /// Makes a change visible to the commands that follow.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::PutUser(user) => self.put_user(user),
            Change::PutProduct(product) => self.put_product(product),
            Change::EraseProduct(id) => self.erase_product(*id),
            Change::PutLevel(level) => {
                self.levels.insert(level.product_id, Some(*level));
            }
            Change::PutOrder(order) => self.put_order(order),
            Change::OpenShop { currency } => self.currency = Some(Some(currency.clone())),
            Change::NoteSecret { mark } => self.secret_mark = Some(Some(mark.clone())),
            Change::PutApiKey(key) => {
                self.next.api_key = self.next.api_key.max(key.id.0 + 1);
                self.api_keys.insert(key.id, Some(key.clone()));
            }
            Change::RevokeApiKeysOf { user_id, at_us } => {
                for key in self.api_keys.values_mut().flatten().filter(|key| key.maker_id == *user_id) {
                    key.revoked_at_us.get_or_insert(*at_us);
                }
            }
            Change::NoteApiKeyUse { id, at_us } => {
                if let Some(key) = self.api_keys.get_mut(id).and_then(Option::as_mut) {
                    key.last_used_at_us = key.last_used_at_us.max(Some(*at_us));
                }
            }
            Change::NoteSession { .. } | Change::ForgetAnswers { .. } => {}
        }
    }

    fn put_user(&mut self, user: &User) {
        self.next.user = self.next.user.max(user.id.0 + 1);
        let before = self.users.insert(user.id, Some(user.clone())).flatten();
        if let Some(census) = &mut self.census {
            let counts = |user: &User| i64::from(user.is_active && user.role == crate::Role::Admin);
            census.users += i64::from(before.is_none());
            census.active_admins += counts(user) - before.as_ref().map_or(0, counts);
        }
        if let Some(email) = before.and_then(|before| before.email) {
            self.emails.insert(email, None);
        }
        if let Some(email) = &user.email {
            self.emails.insert(email.clone(), Some(user.id));
        }
        self.usernames.insert(username_key(&user.username), Some(user.id));
    }

    fn put_product(&mut self, product: &Product) {
        if product.id.0 >= self.next.product {
            self.next.product = product.id.0 + 1;
            self.references.insert(product.id, false);
        }
        let before = self.products.insert(product.id, Some(product.clone())).flatten();
        if let Some(before) = &before {
            self.unlist(before);
        }
        if product.archived_at_us.is_none()
            && let Some(ids) = self.names.get_mut(&product.name)
        {
            ids.insert(product.id);
        }
        if let Some(before) = before.filter(|before| before.sku != product.sku) {
            self.skus.insert(before.sku, None);
        }
        self.skus.insert(product.sku.clone(), Some(product.id));
    }

    fn erase_product(&mut self, id: ProductId) {
        if let Some(before) = self.products.insert(id, None).flatten() {
            self.unlist(&before);
            self.skus.insert(before.sku, None);
        }
        self.levels.insert(id, None);
    }

    /// The product no longer has its name. A name that is not loaded is left alone: it would look as if nobody had it.
    fn unlist(&mut self, before: &Product) {
        if let Some(ids) = self.names.get_mut(&before.name) {
            ids.remove(&before.id);
        }
    }

    fn put_order(&mut self, order: &Order) {
        self.next.order = self.next.order.max(order.id.0 + 1);
        for item in &order.items {
            self.next.item = self.next.item.max(item.id.0 + 1);
            self.references.insert(item.product_id, true);
        }
        let before = self.orders.insert(order.id, Some(order.clone())).flatten();
        if let Some(holds) = order.user_id.and_then(|id| self.holds.get_mut(&id)) {
            *holds = holds.moved(before.map_or_else(Holds::default, |before| before.holds()), order.holds());
        }
    }
}
