//! Runs the real binary, each time in a directory and an environment of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what its functions share")]

mod accounts;
mod bad_values;
#[expect(dead_code, reason = "each target uses a part of it")]
mod callers;
// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod clock_jumps;
mod commands;
mod copy;
mod demo;
mod generate;
mod history;
mod http;
mod layers;
mod logs;
#[expect(dead_code, reason = "each crate uses a part of it")]
#[path = "../../../store/tests/it/place.rs"]
mod place;
#[expect(dead_code, reason = "each target uses a part of it")]
mod program;
mod secrets;
mod server;
mod setup;
mod shutdown;
// As above.
#[cfg(test)]
mod sqlite_only;
mod stocks;
mod waiting;
