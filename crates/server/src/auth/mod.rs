//! Who is asking: the server's secret, the tokens signed with it, and passwords.

pub mod passwords;
pub mod secret;
pub mod tokens;
