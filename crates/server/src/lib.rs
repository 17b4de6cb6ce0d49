//! The only place where HTTP and JSON are spoken.

pub mod settings;
