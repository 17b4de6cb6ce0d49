//! Runs the real binary on a database on a network: several servers at once, and databases that stop, die and hang.
//!
//! Needs a server, whose URL is in the environment variable `STOCKROOM_TEST_DATABASE`, so a plain `cargo test` leaves it
//! out; `cargo xtask test` runs it. Where a database is stopped or killed, it is another one of the same kind. What only
//! PostgreSQL can do is in modules called `postgres_only`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, also in what its functions share"
)]

#[path = "../it/callers.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod callers;
mod crowd;
#[cfg(test)]
mod ground;
// Here and below: said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod hang;
#[path = "../it/history.rs"]
mod history;
#[cfg(test)]
mod hot_row;
#[path = "../it/http.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod http;
#[cfg(test)]
mod outage;
#[path = "../../../store/tests/it/place.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod place;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod program;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod server;
mod shopper;
mod site;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod start;
#[cfg(test)]
mod together;
