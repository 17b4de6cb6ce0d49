//! The closed vocabularies of the shop: each word has one spelling, used in the database and on the wire.

/// Declares a closed set of words with one spelling each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling of this word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads a word exactly as [`Self::word`] spells it; `None` for anything else.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// What a principal may do.
    Role {
        /// Sees and touches what is theirs.
        Customer = "customer",
        /// Works with stock and everybody's orders.
        Staff = "staff",
        /// Staff, and in charge of users.
        Admin = "admin",
    }
}

words! {
    /// What a machine's key is good for, within its role.
    Scope {
        /// Look at everything but accounts, keys and the audit log.
        Read = "read",
        /// Place orders and move them along.
        Orders = "orders",
        /// Change stock levels.
        Stock = "stock",
        /// Edit products.
        Catalogue = "catalogue",
        /// Look at and edit the accounts of customers, and look at the audit log.
        Users = "users",
    }
}

words! {
    /// When an order takes its stock; fixed when the order is made.
    AllocateAt {
        /// When the order is placed.
        Creation = "creation",
        /// When the order is confirmed.
        Confirmation = "confirmation",
    }
}

words! {
    /// The life of an order, apart from money and parcels.
    OrderState {
        /// Placed, not yet accepted by the shop.
        Pending = "pending",
        /// Accepted.
        Confirmed = "confirmed",
        /// Delivered and paid: nothing is left to do.
        Completed = "completed",
        /// Called off; holds no stock.
        Cancelled = "cancelled",
    }
}

words! {
    /// Whether the money has come.
    Payment {
        /// Not yet.
        Unpaid = "unpaid",
        /// In full.
        Paid = "paid",
    }
}

words! {
    /// Where the goods are.
    Fulfilment {
        /// In the warehouse.
        Unfulfilled = "unfulfilled",
        /// On their way.
        Shipped = "shipped",
        /// At the customer's.
        Delivered = "delivered",
    }
}

words! {
    /// The one word that sums up the three facts of an order on the wire.
    Status {
        /// Placed.
        Pending = "pending",
        /// Accepted, neither paid nor shipped.
        Confirmed = "confirmed",
        /// Paid, not yet shipped.
        Paid = "paid",
        /// On its way.
        Shipped = "shipped",
        /// At the customer's.
        Delivered = "delivered",
        /// Called off.
        Cancelled = "cancelled",
    }
}

words! {
    /// What may be asked of an order.
    Action {
        /// Accept the order; takes stock when the order allocates at confirmation.
        Confirm = "confirm",
        /// Record the payment; accepts a pending order first.
        Pay = "pay",
        /// Hand the goods to the carrier.
        Ship = "ship",
        /// Record the arrival.
        Deliver = "deliver",
        /// Call the order off and give back what it holds.
        Cancel = "cancel",
    }
}

words! {
    /// Why a stock level changed.
    MovementKind {
        /// Stock the product was created with.
        Opening = "opening",
        /// Goods came in.
        Received = "received",
        /// Goods were taken out by staff.
        Removed = "removed",
        /// Somebody counted and set the level.
        Counted = "counted",
        /// An order took a hold on goods.
        Allocated = "allocated",
        /// A cancelled order let go of its hold.
        Released = "released",
        /// Goods of an order left the house.
        Shipped = "shipped",
        /// The product was erased and its remaining stock written off.
        Erased = "erased",
    }
}
