//! The values of the API: each carries its check and its schema, so that a limit is written once.
//!
//! Deserializing checks; the message of a refusal is the end of a sentence that starts with the field's name.
//! Characters are counted, not bytes.

mod given;
mod integer;
mod patch;
mod text;
mod words;

pub use given::given;
pub use integer::{EventLimit, EventNumber, Id, KeyLife, PriceCents, Quantity, StockCount, Threshold};
pub(crate) use integer::{integer_value, integer_visitor};
pub use patch::Patch;
pub use text::{
    AuditAction, Description, Email, FullName, KeyName, Login, NewPassword, Note, Password, ProductName,
    Reason, RefreshToken, SearchText, SetupCode, Sku, Username,
};
pub use words::{AllocateAt, Fulfilment, MovementKind, OrderState, Payment, Role, Scope, Status};

#[cfg(test)]
mod tests;
