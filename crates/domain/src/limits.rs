//! The largest values that the rules accept. They leave room for sums: a limit times a limit is still checked, never assumed.

/// Largest quantity of one line, in pieces.
pub const MAX_QUANTITY: i64 = 1_000_000_000;
/// Largest stock on hand of one product and largest threshold, in pieces.
pub const MAX_STOCK: i64 = 1_000_000_000_000;
/// Largest price of one piece, in minor units of the currency.
pub const MAX_PRICE_CENTS: i64 = 1_000_000_000_000;
/// Most lines in one order, before lines of one product are merged.
pub const MAX_ORDER_LINES: usize = 200;
/// Longest life of a machine's key, in days.
pub const MAX_API_KEY_LIFE_DAYS: i64 = 3650;
/// Most lines in one stock adjustment.
pub const MAX_ADJUSTMENT_LINES: usize = 500;
