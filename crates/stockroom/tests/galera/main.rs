//! A server on each node of a MariaDB Galera cluster.
//!
//! Every node takes writes, and what two of them do at once is settled when they commit: conflicts are the rule. Each test
//! starts three nodes of its own, which takes a while; `cargo xtask galera` runs them one after the other.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what its functions share")]

#[path = "../it/callers.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod callers;
#[cfg(test)]
mod cluster;
#[path = "../network/crowd.rs"]
mod crowd;
#[cfg(test)]
mod exact;
#[cfg(test)]
mod follower;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/http.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod http;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod measure;
#[path = "../../../store/tests/it/place.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod place;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod program;
#[cfg(test)]
mod sale;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod server;
#[path = "../network/shopper.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod shopper;
