//! Throwaway database servers for the tests, the measurements and `cargo xtask`.
//!
//! A [`Server`] is a process of its own on a free port of 127.0.0.1 with its data in a temporary directory. It runs
//! as an unprivileged user, shares nothing with a server that is installed on the machine, and is gone when it is
//! dropped, or when the process that owns it ends, however that ends. [`Standby`] adds a synchronous standby to a
//! PostgreSQL server, [`Galera`] makes a cluster of MariaDB servers.
//!
//! Linux alone: the processes of a server are found through `/proc`.

mod directory;
mod galera;
mod mariadb;
mod ports;
mod postgres;
mod processes;
mod programs;
mod server;
mod standby;

pub use galera::Galera;
pub use programs::{Kind, Programs, find};
pub use server::Server;
pub use standby::Standby;

/// Why a server could not be had, as a sentence for the person who runs the tests.
type Failure = String;
