//! The rules of Stockroom: pure functions of their arguments.

mod words;
pub use words::{Action, AllocateAt, Fulfilment, MovementKind, OrderState, Payment, Role, Status};
