//! What handlers take: who calls, with what, under which conditions. An extractor is the permission: a handler
//! that takes [`Staff`] cannot be reached without it.

mod caller;
mod params;
mod respond;
mod write;

pub use caller::{Admin, Anyone, Caller, Staff, session};
pub use params::{Paged, PathId, Query, if_none_match};
pub use respond::run;
pub use write::{Conditions, Edit, NoBody, OperationBody, Write};
