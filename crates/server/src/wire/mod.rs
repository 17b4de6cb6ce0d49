//! What travels: reading bodies, queries and headers strictly, and the values they are made of.
//!
//! Nothing in here knows a route, a command or the shape of an error answer. Whatever a client got wrong
//! comes out as [`invalid::Invalid`]: the names of the fields and what is the matter with each.

mod checksum;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod invalid;
pub(crate) mod node;
pub mod paging;
pub mod query;
pub mod time;
pub mod values;
