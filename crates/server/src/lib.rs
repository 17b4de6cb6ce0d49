//! The only place where HTTP and JSON are spoken.

pub mod clock;
pub mod http;
pub mod settings;
