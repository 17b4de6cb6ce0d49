//! Why a command was refused: a closed set of facts that carry data, not text.

use crate::{ApiKeyId, OrderId, ProductId, Status, UserId};

/// A product of which there is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// Pieces asked for, over all lines.
    pub requested: i64,
    /// Pieces that could have been had.
    pub available: i64,
}

/// What was asked of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// A verb: do this, or leave it if its effect already stands.
    Act(crate::Action),
    /// A status: arrive at exactly this word.
    Reach(Status),
}

/// Why a permission was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The role does not allow the command.
    Role,
    /// A customer placed an order for somebody else.
    OrderForAnother,
    /// A customer's order starts pending.
    InitialStatus,
    /// A customer may cancel only before the order is paid or shipped.
    CancelTooLate,
    /// The order is somebody else's, and the caller's contract says so instead of hiding it.
    ForeignOrder,
    /// Only an administrator hands out roles.
    GrantRole,
    /// Only an administrator activates or deactivates accounts.
    SetActive,
    /// Only a person may do this, not a machine with a key.
    Machine,
}

/// What a refused command was short of, and what expired orders may still hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Products of which there was too little.
    pub products: Vec<ProductId>,
    /// The customer who has too much waiting.
    pub user_id: Option<UserId>,
}

/// A command was refused and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The caller may not do this.
    Forbidden(Denial),
    /// No such products (or not in this catalogue any more).
    ProductsNotFound(Vec<ProductId>),
    /// No such order, or not one of the caller's.
    OrderNotFound(OrderId),
    /// No such user, or none of the caller's business.
    UserNotFound(UserId),
    /// No such key, or none of the caller's business.
    ApiKeyNotFound(ApiKeyId),
    /// The SKU belongs to another product.
    SkuTaken(String),
    /// SKUs of the form `SKU-<number>` are made from ids and cannot be chosen.
    SkuReserved(String),
    /// Another product of the catalogue has this name, and the command wants a name of its own.
    NameTaken(String),
    /// The login name belongs to another user.
    UsernameTaken(String),
    /// The e-mail address belongs to another user.
    EmailTaken(String),
    /// These products take no orders.
    ProductsInactive(Vec<ProductId>),
    /// The product is archived and takes no changes.
    ProductArchived(ProductId),
    /// Too little of these products; nothing was taken of any.
    InsufficientStock(Vec<Shortage>),
    /// Compare-and-set found another value than the caller expected.
    StockChanged {
        /// The product.
        product_id: ProductId,
        /// What the caller had seen.
        expected: i64,
        /// What is there.
        actual: i64,
    },
    /// The level would fall below what open orders hold.
    StockAllocated {
        /// The product.
        product_id: ProductId,
        /// The level asked for.
        requested: i64,
        /// Pieces held by open orders.
        allocated: i64,
    },
    /// The status of the order does not allow this.
    InvalidTransition {
        /// The order.
        order_id: OrderId,
        /// Its status.
        from: Status,
        /// What was asked.
        goal: Goal,
    },
    /// No order starts in this status.
    InvalidInitialStatus(Status),
    /// The caller had seen another version.
    VersionMismatch {
        /// The version the caller had seen.
        expected: i64,
        /// The version that is there.
        actual: i64,
    },
    /// An order or adjustment without lines.
    NoLines,
    /// More lines than are allowed in one call.
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// A number outside its range. `line` is the position in the list of lines, from 0.
    OutOfRange {
        /// Name of the field.
        field: &'static str,
        /// Position of the line, if it was in one.
        line: Option<usize>,
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// The totals of the order cannot be represented.
    TotalOverflow,
    /// The customer has as many open orders as the shop allows.
    TooManyOpenOrders {
        /// The customer.
        user_id: UserId,
        /// Most open orders that one customer may have.
        limit: i64,
        /// How many there are.
        open: i64,
    },
    /// With this order the customer's open orders would ask for more pieces than the shop allows.
    TooManyUnitsHeld {
        /// The customer.
        user_id: UserId,
        /// Most pieces that the open orders of one customer may ask for.
        limit: i64,
        /// For how many they do.
        held: i64,
        /// How many this order asks for.
        requested: i64,
    },
    /// The account is deactivated.
    UserInactive(UserId),
    /// Nobody but administrators makes accounts.
    RegistrationClosed,
    /// The shop would be left without an active administrator.
    LastAdmin,
    /// The password or sessions changed since the caller proved who they are.
    CredentialsChanged,
    /// The shop keeps its prices in another currency.
    CurrencyMismatch {
        /// The currency the shop was opened with.
        shop: String,
    },
}

impl Rejection {
    /// The stable code of this rejection, as published on the wire and counted in the metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "FORBIDDEN",
            Self::ProductsNotFound(_) => "PRODUCT_NOT_FOUND",
            Self::OrderNotFound(_) => "ORDER_NOT_FOUND",
            Self::UserNotFound(_) => "USER_NOT_FOUND",
            Self::ApiKeyNotFound(_) => "API_KEY_NOT_FOUND",
            Self::SkuTaken(_) => "SKU_TAKEN",
            Self::NameTaken(_) => "NAME_TAKEN",
            Self::SkuReserved(_)
            | Self::InvalidInitialStatus(_)
            | Self::NoLines
            | Self::TooManyLines { .. }
            | Self::OutOfRange { .. }
            | Self::TotalOverflow => "VALIDATION_ERROR",
            Self::UsernameTaken(_) => "USERNAME_TAKEN",
            Self::EmailTaken(_) => "EMAIL_TAKEN",
            Self::ProductsInactive(_) => "PRODUCT_INACTIVE",
            Self::ProductArchived(_) => "PRODUCT_ARCHIVED",
            Self::InsufficientStock(_) => "INSUFFICIENT_STOCK",
            Self::StockChanged { .. } => "STOCK_CHANGED",
            Self::StockAllocated { .. } => "STOCK_ALLOCATED",
            Self::InvalidTransition { .. } => "INVALID_TRANSITION",
            Self::VersionMismatch { .. } => "PRECONDITION_FAILED",
            Self::UserInactive(_) => "USER_INACTIVE",
            Self::RegistrationClosed => "REGISTRATION_CLOSED",
            Self::LastAdmin => "LAST_ADMIN",
            Self::CredentialsChanged => "CREDENTIALS_CHANGED",
            Self::CurrencyMismatch { .. } => "CURRENCY_MISMATCH",
            Self::TooManyOpenOrders { .. } => "TOO_MANY_OPEN_ORDERS",
            Self::TooManyUnitsHeld { .. } => "TOO_MANY_UNITS_HELD",
        }
    }

    /// What orders that have expired might give back, so that the command would not be refused for this; `None` when
    /// they cannot help.
    #[must_use]
    pub fn lack(&self) -> Option<Lack> {
        match self {
            Self::InsufficientStock(shortages) => {
                let products = shortages.iter().map(|short| short.product_id).collect();
                Some(Lack { products, user_id: None })
            }
            Self::StockAllocated { product_id, .. } => {
                Some(Lack { products: vec![*product_id], user_id: None })
            }
            Self::TooManyOpenOrders { user_id, .. } | Self::TooManyUnitsHeld { user_id, .. } => {
                Some(Lack { products: Vec::new(), user_id: Some(*user_id) })
            }
            _ => None,
        }
    }
}
