//! Where Stockroom keeps its records: the only crate in which SQL is written.
//!
//! [`driver`] is the narrow waist: the only module that names a database driver or a dialect.

pub mod driver;
mod error;

pub use error::{Cause, StoreError, Violation};
