//! Any command as one type, and what its outcome shows of the shop.

use domain::{
    AdjustStock, ApiKey, BeginSession, ChangeOrder, Command, Context, CreateApiKey, CreateProduct,
    CreateUser, DeleteProduct, Deleted, Effects, ExpireOrders, ForgetAnswers, Keys, LimitWaits,
    NoteApiKeyUse, NoteSecret, OpenShop, Order, OrderChanged, OrderId, OrderPlaced, PlaceOrder,
    ProductWithStock, Rejection, RestoreProduct, RevokeApiKey, RevokeSessions, SetPassword, Snapshot,
    ToggleProduct, UpdateProduct, UpdateUser, User,
};

use crate::shop::{Shop, ensure};

/// A row as an outcome shows it; it must be the row that is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Order { order: Order, user_name: Option<String> },
    Product(ProductWithStock),
    User(User),
    ApiKey(ApiKey),
}

/// What an outcome shows of the shop.
pub(crate) trait Shows {
    fn shown(&self) -> Vec<Shown>;

    /// Whether anything changed, if the outcome says so.
    fn changed(&self) -> Option<bool> {
        None
    }
}

impl Shows for OrderPlaced {
    fn shown(&self) -> Vec<Shown> {
        vec![Shown::Order { order: self.order.clone(), user_name: self.user_name.clone() }]
    }
}

impl Shows for OrderChanged {
    fn shown(&self) -> Vec<Shown> {
        vec![Shown::Order { order: self.order.clone(), user_name: self.user_name.clone() }]
    }

    fn changed(&self) -> Option<bool> {
        Some(self.changed)
    }
}

impl Shows for ProductWithStock {
    fn shown(&self) -> Vec<Shown> {
        vec![Shown::Product(self.clone())]
    }
}

impl Shows for Vec<ProductWithStock> {
    fn shown(&self) -> Vec<Shown> {
        self.iter().cloned().map(Shown::Product).collect()
    }
}

impl Shows for Deleted {
    fn shown(&self) -> Vec<Shown> {
        match self {
            Self::Archived(product) | Self::AlreadyArchived(product) => product.shown(),
            Self::Erased => Vec::new(),
        }
    }

    fn changed(&self) -> Option<bool> {
        Some(!matches!(self, Self::AlreadyArchived(_)))
    }
}

impl Shows for User {
    fn shown(&self) -> Vec<Shown> {
        vec![Shown::User(self.clone())]
    }
}

impl Shows for ApiKey {
    fn shown(&self) -> Vec<Shown> {
        vec![Shown::ApiKey(self.clone())]
    }
}

impl Shows for () {
    fn shown(&self) -> Vec<Shown> {
        Vec::new()
    }
}

impl Shows for Vec<OrderId> {
    fn shown(&self) -> Vec<Shown> {
        Vec::new()
    }

    fn changed(&self) -> Option<bool> {
        Some(!self.is_empty())
    }
}

impl Shows for bool {
    fn shown(&self) -> Vec<Shown> {
        Vec::new()
    }
}

/// An outcome that differs from what is stored would be a lie to the caller.
pub(crate) fn check_shown(shop: &Shop, verdict: &Verdict) -> Result<(), String> {
    let changes = verdict.effects != Effects::default();
    ensure!(verdict.changed.is_none_or(|changed| changed == changes), "changed, or not? {verdict:?}");
    for row in &verdict.shown {
        match row {
            Shown::Order { order, user_name } => {
                let stored = shop.orders.get(&order.id);
                ensure!(stored == Some(order), "shown {order:?}, stored {stored:?}");
                let user = order.user_id.and_then(|id| shop.users.get(&id));
                let name = user.map(|user| user.full_name.as_ref().unwrap_or(&user.username));
                ensure!(name == user_name.as_ref(), "shown name {user_name:?}, stored {name:?}");
            }
            Shown::Product(product) => {
                let stored = (shop.products.get(&product.product.id), shop.levels.get(&product.product.id));
                let shown = (Some(&product.product), Some(&product.level));
                ensure!(stored == shown, "shown {product:?}, stored {stored:?}");
            }
            Shown::ApiKey(key) => {
                let stored = shop.api_keys.get(&key.id);
                ensure!(stored == Some(key), "shown {key:?}, stored {stored:?}");
            }
            Shown::User(user) => {
                let stored = shop.users.get(&user.id);
                ensure!(stored == Some(user), "shown {user:?}, stored {stored:?}");
            }
        }
    }
    Ok(())
}

/// What a decision does and shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) effects: Effects,
    pub(crate) shown: Vec<Shown>,
    /// Whether the outcome says that anything changed, if it says so.
    pub(crate) changed: Option<bool>,
}

macro_rules! any_command {
    ($($name:ident),+ $(,)?) => {
        /// Any command.
        #[derive(Clone)]
        pub(crate) enum Any { $($name($name)),+ }

        impl Any {
            pub(crate) fn keys(&self, context: &Context) -> Keys {
                match self { $(Self::$name(command) => command.keys(context)),+ }
            }

            pub(crate) fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
                match self {
                    $(Self::$name(command) => {
                        let decision = command.decide(snapshot, context)?;
                        let (shown, changed) = (decision.outcome.shown(), decision.outcome.changed());
                        Ok(Verdict { effects: decision.effects, shown, changed })
                    })+
                }
            }

            /// The name of the command.
            pub(crate) const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),+ }
            }

            /// What the audit log calls it.
            pub(crate) fn word(&self) -> &'static str {
                match self { $(Self::$name(command) => command.word()),+ }
            }
        }

        $(impl From<$name> for Any {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })+
    };
}

any_command!(
    AdjustStock,
    BeginSession,
    ChangeOrder,
    CreateApiKey,
    CreateProduct,
    CreateUser,
    DeleteProduct,
    ExpireOrders,
    ForgetAnswers,
    LimitWaits,
    NoteApiKeyUse,
    NoteSecret,
    OpenShop,
    PlaceOrder,
    RestoreProduct,
    RevokeApiKey,
    RevokeSessions,
    SetPassword,
    ToggleProduct,
    UpdateProduct,
    UpdateUser,
);

/// Commands that carry a password hash have no `Debug` of their own.
impl std::fmt::Debug for Any {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AdjustStock(command) => command.fmt(f),
            Self::BeginSession(command) => command.fmt(f),
            Self::ChangeOrder(command) => command.fmt(f),
            Self::CreateApiKey(CreateApiKey { name, role, scopes, life_days, .. }) => {
                write!(f, "CreateApiKey {{ {name:?} {role:?} {scopes:?} {life_days} }}")
            }
            Self::CreateProduct(command) => command.fmt(f),
            Self::CreateUser(CreateUser { username, email, role, .. }) => {
                write!(f, "CreateUser {{ {username:?} {email:?} {role:?} }}")
            }
            Self::DeleteProduct(command) => command.fmt(f),
            Self::ExpireOrders(command) => command.fmt(f),
            Self::ForgetAnswers(command) => command.fmt(f),
            Self::LimitWaits(command) => command.fmt(f),
            Self::NoteApiKeyUse(command) => command.fmt(f),
            Self::NoteSecret(command) => command.fmt(f),
            Self::OpenShop(command) => command.fmt(f),
            Self::PlaceOrder(command) => command.fmt(f),
            Self::RestoreProduct(command) => command.fmt(f),
            Self::RevokeApiKey(command) => command.fmt(f),
            Self::RevokeSessions(command) => command.fmt(f),
            Self::SetPassword(SetPassword { user_id, seen_generation, .. }) => {
                write!(f, "SetPassword {{ {user_id:?} {seen_generation:?} }}")
            }
            Self::ToggleProduct(command) => command.fmt(f),
            Self::UpdateProduct(command) => command.fmt(f),
            Self::UpdateUser(command) => command.fmt(f),
        }
    }
}
