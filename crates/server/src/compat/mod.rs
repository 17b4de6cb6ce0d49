//! The façades: the contracts of four older services, translated to the same commands.

/// One of the older contracts. Each is mounted below `/compat/`, and one of them at `/` as well if the settings say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facade {
    /// Stocks and one-line orders; no login.
    Orderflow,
    /// Products and orders with accounts, in envelopes with pages.
    MiniOrder,
    /// Products and orders that take their stock at confirmation.
    Leafcraft,
    /// Products and their stock; no login, no orders.
    Inventory,
}

impl Facade {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Orderflow, Self::MiniOrder, Self::Leafcraft, Self::Inventory];

    /// Its name in paths and settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Orderflow => "orderflow",
            Self::MiniOrder => "mini-order",
            Self::Leafcraft => "leafcraft",
            Self::Inventory => "inventory",
        }
    }
}
