//! Who is asking: the server's secret, the tokens signed with it, keys of machines, and passwords.

pub mod api_keys;
pub mod passwords;
pub mod secret;
pub mod tokens;
