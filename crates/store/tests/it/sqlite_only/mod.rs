//! Tests of what is particular to SQLite; the other databases are tested without them.

mod driver;
mod log;
mod set_or_single;
