//! Runs the real binary as nobody would want to: killed, stopped, raced and stalled, again and again.
//!
//! A plain `cargo test` does a little of everything. With a number in the environment variable `STOCKROOM_TORTURE_ROUNDS`
//! each test does that many rounds; `cargo xtask torture` knows the numbers that are wanted.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what its functions share")]

#[path = "../../../domain/tests/it/any.rs"]
#[expect(dead_code, reason = "each crate uses a part of it")]
mod any;
#[path = "../it/callers.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod callers;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod guesses;
#[cfg(test)]
mod histories;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/http.rs"]
mod http;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kill;
#[path = "../../../store/tests/it/place.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod place;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod program;
#[cfg(test)]
mod races;
mod rounds;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod server;
#[path = "../../../domain/tests/it/shop.rs"]
mod shop;
#[cfg(test)]
mod sigterm;
#[cfg(test)]
mod slow_clients;
