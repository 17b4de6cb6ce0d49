//! Tests of the store against real databases: see [`place`] for which.

// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod late;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod meanwhile;
#[cfg(test)]
#[expect(dead_code, reason = "each target uses a part of it")]
mod meddling;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod names;
#[cfg(test)]
#[expect(dead_code, reason = "each crate uses a part of it")]
mod place;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod random_shop;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod search;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod sqlite_only;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod touched;
#[cfg(test)]
mod toys;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod write;
