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

pub use command::{Actor, Command, Context};
pub use commands::{
    AdjustStock, BeginSession, ChangeOrder, CreateApiKey, CreateProduct, CreateUser, Customs, DeleteProduct,
    Deleted, ExpireOrders, ForgetAnswers, Founding, LimitWaits, NoteApiKeyUse, NoteSecret, OpenShop,
    OrderChanged, OrderLine, OrderPlaced, PlaceOrder, PlacingCustoms, PlacingTerms, ProductWithStock,
    RestoreProduct, RevokeApiKey, RevokeSessions, SetPassword, StockChange, StockLine, ToggleProduct,
    UpdateProduct, UpdateUser, generated_sku,
};
pub use decision::{Cause, Change, Decision, Draft, Effects, Movement};
pub use event::{Event, Fact, RecordedEvent};
pub use ids::{ApiKeyId, ItemId, OrderId, ProductId, UserId};
pub use limits::{
    MAX_ADJUSTMENT_LINES, MAX_API_KEY_LIFE_DAYS, MAX_ORDER_LINES, MAX_PRICE_CENTS, MAX_QUANTITY, MAX_STOCK,
};
pub use model::{ApiKey, Holds, Order, OrderItem, Product, StockLevel, User, username_key};
pub use rejection::{Denial, Goal, Lack, Rejection, Shortage};
pub use snapshot::{Census, Keys, NextIds, Snapshot};
pub use transitions::{Position, Step, TRANSITIONS, action_towards, advance};
pub use words::{Action, AllocateAt, Fulfilment, MovementKind, OrderState, Payment, Role, Scope, Status};
