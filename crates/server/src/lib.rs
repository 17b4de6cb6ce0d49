//! The only place where HTTP and JSON are spoken.

mod api;
pub mod app;
pub mod auth;
pub mod clock;
pub mod compat;
pub mod http;
pub mod request;
pub mod router;
pub mod settings;
pub mod wire;
