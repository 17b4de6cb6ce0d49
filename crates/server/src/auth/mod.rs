//! Who is asking: the server's secret, the tokens signed with it, keys of machines, passwords, and how the first
//! administrator is known.

pub mod api_keys;
pub mod passwords;
pub mod secret;
pub mod setup;
pub mod throttle;
pub mod tokens;
