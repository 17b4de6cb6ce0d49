//! Who is asking: the server's secret, the tokens signed with it, passwords, and how the first administrator is known.

pub mod passwords;
pub mod secret;
pub mod setup;
pub mod throttle;
pub mod tokens;
