//! Tests of the store against real database files.

// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod copy;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod log;
#[cfg(test)]
mod random_shop;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod set_or_single;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod write;
