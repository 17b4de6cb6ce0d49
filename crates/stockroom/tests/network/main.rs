//! The real binary on databases that fail: they are killed, they hang, another takes their place.
//!
//! Starts database servers of its own besides the one whose URL is in `STOCKROOM_TEST_DATABASE`, so a plain `cargo test`
//! leaves it out; `cargo xtask test` runs it. What only one kind of database can do is in a module called `postgres_only`.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what its functions share")]

#[path = "../it/caller.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod caller;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/http.rs"]
mod http;
#[path = "../../../store/tests/it/place.rs"]
#[expect(dead_code, reason = "each crate uses a part of it")]
mod place;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod program;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod server;
// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod standby;
mod steady;
