//! The only place where HTTP and JSON are spoken.

pub mod app;
pub mod auth;
pub mod clock;
pub mod http;
pub mod request;
pub mod settings;
pub mod wire;
