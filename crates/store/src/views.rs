//! What reads answer with: plain values, filled without asking the rules.

use domain::{
    ApiKey, ApiKeyId, MovementKind, Order, OrderId, ProductId, ProductWithStock, Role, Status, User, UserId,
};

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After so many rows. The cost grows with the number.
    Offset(i64),
    /// Right after the row with this sort value and id. The cost does not grow with depth.
    After {
        /// The last row's sort value.
        value: SortValue,
        /// The last row's id.
        id: i64,
    },
}

/// A value that rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortValue {
    /// A number, or a time in microseconds.
    Int(i64),
    /// A text, compared by code point.
    Text(String),
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows.
    pub limit: u32,
    /// Where it starts.
    pub start: Start,
}

/// Rows of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are rows after these.
    pub more: bool,
}

/// Rows of a page, and how many there are on all pages together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<T> {
    /// The page.
    pub listing: Listing<T>,
    /// Exactly how many rows match, of the same state as the page. Counting them costs a look at each.
    pub total: i64,
}

/// What products may be sorted by; ties are broken by id in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductSort {
    /// By id.
    Id,
    /// By name, code point by code point.
    Name,
    /// By SKU.
    Sku,
    /// By price.
    Price,
    /// By available pieces.
    Available,
    /// By creation.
    CreatedAt,
}

/// Which products, in which order.
#[derive(Debug, Clone)]
pub struct ProductQuery {
    /// Text to be found in name or SKU, without regard to case.
    pub text: Option<String>,
    /// Active or inactive ones only.
    pub active: Option<bool>,
    /// Only those at or below their threshold (`true`), or above it (`false`).
    pub low_stock: Option<bool>,
    /// Archived ones only (`true`), or none of them (`false`).
    pub archived: bool,
    /// Sorted by this.
    pub sort: ProductSort,
    /// Largest first.
    pub descending: bool,
    /// Which part.
    pub page: Page,
}

impl ProductQuery {
    /// That page of the whole catalogue by id, archived products left out.
    #[must_use]
    pub const fn catalogue(page: Page) -> Self {
        Self {
            text: None,
            active: None,
            low_stock: None,
            archived: false,
            sort: ProductSort::Id,
            descending: false,
            page,
        }
    }
}

/// What orders may be sorted by; ties are broken by id in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSort {
    /// By id.
    Id,
    /// By time of placement.
    PlacedAt,
    /// By sum.
    TotalAmount,
}

/// Whose orders a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one principal; `None` is the anonymous one.
    Of(Option<UserId>),
}

/// Which orders, in which order.
#[derive(Debug, Clone)]
pub struct OrderQuery {
    /// Whose, by permission.
    pub scope: Scope,
    /// In this status.
    pub status: Option<Status>,
    /// Of this user, by wish.
    pub user_id: Option<UserId>,
    /// With an item of this product.
    pub product_id: Option<ProductId>,
    /// Placed at this time or later, microseconds since 1970 UTC.
    pub placed_from_us: Option<i64>,
    /// Placed before this time.
    pub placed_before_us: Option<i64>,
    /// Sorted by this.
    pub sort: OrderSort,
    /// Largest first.
    pub descending: bool,
    /// Which part.
    pub page: Page,
}

impl OrderQuery {
    /// That page of all orders that may be seen, by id.
    #[must_use]
    pub const fn all(scope: Scope, page: Page) -> Self {
        Self {
            scope,
            status: None,
            user_id: None,
            product_id: None,
            placed_from_us: None,
            placed_before_us: None,
            sort: OrderSort::Id,
            descending: false,
            page,
        }
    }
}

/// An order with the name of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The order with its items.
    pub order: Order,
    /// Display name of its user.
    pub user_name: Option<String>,
}

/// A page of orders, and sums over all orders that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderListing {
    /// The page.
    pub listing: Listing<OrderView>,
    /// How many orders match, on whatever page.
    pub orders: i64,
    /// Sum of the totals of all matching orders, minor units. One order may come close to the largest `i64`.
    pub total_amount_cents: i128,
    /// Sum of the quantities of all matching orders.
    pub total_quantity: i128,
}

/// A line of the ledger as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementView {
    /// Number of the line.
    pub id: i64,
    /// The product.
    pub product_id: ProductId,
    /// Why.
    pub kind: MovementKind,
    /// Difference in pieces on hand.
    pub on_hand_delta: i64,
    /// Difference in pieces held by orders.
    pub allocated_delta: i64,
    /// On hand afterwards.
    pub on_hand_after: i64,
    /// Held by orders afterwards.
    pub allocated_after: i64,
    /// The order behind it.
    pub order_id: Option<OrderId>,
    /// Who did it.
    pub actor_id: Option<UserId>,
    /// Their display name.
    pub actor_name: Option<String>,
    /// Reason given.
    pub reason: Option<String>,
    /// Note given.
    pub note: Option<String>,
    /// The request.
    pub request_id: String,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}

/// An event as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Number of the event; whoever has seen it never finds a smaller one later.
    pub id: i64,
    /// Its name.
    pub kind: String,
    /// The order it is about.
    pub order_id: Option<OrderId>,
    /// The product it is about.
    pub product_id: Option<ProductId>,
    /// The user it is about.
    pub user_id: Option<UserId>,
    /// What else there is to know, a JSON object.
    pub payload: String,
    /// Who caused it.
    pub actor_id: Option<UserId>,
    /// Their display name.
    pub actor_name: Option<String>,
    /// The request.
    pub request_id: String,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}

/// Which users.
#[derive(Debug, Clone)]
pub struct UserQuery {
    /// Text to be found in login name, full name or e-mail address, without regard to case.
    pub text: Option<String>,
    /// With this role.
    pub role: Option<Role>,
    /// Active or inactive ones only.
    pub active: Option<bool>,
    /// Which part; users are sorted by id.
    pub page: Page,
}

/// The little that is looked at for each request with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The user's role now.
    pub role: Role,
    /// Whether the account is active.
    pub is_active: bool,
    /// Tokens of other generations are dead.
    pub token_generation: i64,
}

/// What is looked at for each request with a machine's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySession {
    /// The key.
    pub key: ApiKey,
    /// The role of its maker now.
    pub maker_role: Role,
    /// Whether the account of its maker is active.
    pub maker_is_active: bool,
}

/// Which lines of the audit log.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// By this user.
    pub actor_id: Option<UserId>,
    /// By the machine with this key.
    pub key_id: Option<ApiKeyId>,
    /// In which this was done.
    pub action: Option<String>,
    /// About this thing: its kind and its id.
    pub thing: Option<(String, i64)>,
    /// At this time or later, microseconds since 1970 UTC.
    pub from_us: Option<i64>,
    /// Before this time.
    pub before_us: Option<i64>,
    /// Which part; lines are sorted by time, the latest first.
    pub page: Page,
}

impl AuditQuery {
    /// Everything.
    #[must_use]
    pub const fn all(page: Page) -> Self {
        Self { actor_id: None, key_id: None, action: None, thing: None, from_us: None, before_us: None, page }
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditView {
    /// Number of the line.
    pub id: i64,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub kind: String,
    /// To which.
    pub thing_id: i64,
    /// Who did it.
    pub actor_id: Option<UserId>,
    /// Their display name.
    pub actor_name: Option<String>,
    /// The key of the machine that did it.
    pub key_id: Option<ApiKeyId>,
    /// What the key is for.
    pub key_name: Option<String>,
    /// The role in which it was done.
    pub role: Role,
    /// What changed, as it was: a JSON object.
    pub was: String,
    /// The same as it became.
    pub became: String,
    /// The request.
    pub request_id: String,
    /// Where it came from.
    pub source: Option<String>,
}

/// One thing that does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which check found it.
    pub check: &'static str,
    /// What it found, in a sentence.
    pub finding: String,
}

/// What [`crate::Store::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Products looked at.
    pub products: i64,
    /// Orders looked at.
    pub orders: i64,
    /// Ledger lines looked at.
    pub movements: i64,
    /// What does not add up; empty is good.
    pub discrepancies: Vec<Discrepancy>,
}

/// Re-exported so that whoever reads a product finds its view here.
pub type ProductView = ProductWithStock;

/// A machine's key as it is read, digest included; the wire leaves that out.
pub type ApiKeyView = ApiKey;

/// A user as it is read, password hash included; the wire leaves that out.
pub type UserView = User;
