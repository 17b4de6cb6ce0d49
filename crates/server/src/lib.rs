//! The only place where HTTP and JSON are spoken.

pub mod auth;
pub mod settings;
pub mod wire;
