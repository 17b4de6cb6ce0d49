//! Identifiers: positive `i64`, from 1, never reused.

/// Declares identifier types that cannot be mistaken for one another.
macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);
    )+};
}

ids! {
    /// Identifies a user.
    UserId,
    /// Identifies a product.
    ProductId,
    /// Identifies an order.
    OrderId,
    /// Identifies a machine's key.
    ApiKeyId,
    /// Identifies one item of an order; unique over all orders.
    ItemId,
}
