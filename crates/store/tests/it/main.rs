//! Tests of the store against real database files.

mod driver;
