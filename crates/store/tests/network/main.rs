//! What only a database on a network can do to the store: it loses connections, stays away and answers late.
//!
//! Needs a server, whose URL is in the environment variable `STOCKROOM_TEST_DATABASE`, so a plain `cargo test` leaves it
//! out; `cargo xtask test` runs it. Between the store and the server stands a [`proxy`] that does what networks do.

// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod away;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod lane;
#[cfg(test)]
#[path = "../it/meddling.rs"]
#[expect(dead_code, reason = "shared with the other tests of the store, which use the rest")]
mod meddling;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod mysql_only;
#[cfg(test)]
#[path = "../it/place.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod place;
#[cfg(test)]
mod postgres_only;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reads;
#[cfg(test)]
#[path = "../it/shop.rs"]
#[expect(dead_code, reason = "shared with the other tests of the store, which use the rest")]
mod shop;
#[cfg(test)]
#[path = "../it/toys.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod toys;
#[cfg(test)]
mod wire;
