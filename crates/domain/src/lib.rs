//! The rules of Stockroom: pure functions of their arguments.
//!
//! A [`Command`] names the rows it needs ([`Keys`]), is handed them as they are ([`Snapshot`]), and answers with
//! a [`Decision`] or a [`Rejection`]. It never sees a transaction, a clock, a random number or SQL.

mod command;
mod commands;
mod decision;
mod event;
mod ids;
mod limits;
mod model;
mod rejection;
mod snapshot;
mod transitions;
mod words;
pub use words::{Action, AllocateAt, Fulfilment, MovementKind, OrderState, Payment, Role, Status};
