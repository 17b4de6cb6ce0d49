//! Runs the real binary, each time in a directory and an environment of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what its functions share")]

mod bad_values;
mod commands;
mod layers;
mod program;
mod secrets;
