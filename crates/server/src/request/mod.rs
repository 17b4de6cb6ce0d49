//! What handlers take: who calls, with what, under which conditions. An extractor is the permission: a handler
//! that takes [`Staff`] cannot be reached without it.

mod caller;
mod credentials;
mod founder;
mod origin;
mod params;
mod respond;
mod scope;
mod source;
mod write;

pub use caller::{Admin, Anyone, Caller, Someone, Staff, session};
pub use credentials::{Attempted, admit_newcomer, hash_password, is_password, issue_token, log_in};
pub use founder::Founder;
pub use params::{Again, Paged, PathId, Query, if_none_match};
pub use respond::{carry_out, found, run};
pub use scope::{CATALOGUE, Need, ORDERS, PERSON, READ, STOCK, USERS};
pub use source::Source;
pub use write::{Conditions, Edit, NoBody, OperationBody, Write};
pub(crate) use write::{idempotency_key, mark};
