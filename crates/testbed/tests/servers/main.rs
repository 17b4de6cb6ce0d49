//! Throwaway servers as the tests of the other crates use them. Needs the databases' packages; `cargo xtask test` runs
//! `postgres` and `mariadb`, one after the other. `galera` is run by hand: `cargo test -p testbed --test servers galera`.

// Said so that the lints know that functions between the tests are tests too.
#[cfg(test)]
mod galera;
#[cfg(test)]
mod life;
#[cfg(test)]
mod mariadb;
#[cfg(test)]
mod postgres;
