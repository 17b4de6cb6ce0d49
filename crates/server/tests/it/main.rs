//! The API over real HTTP, each test on a database of its own.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod product_lists;
#[cfg(test)]
mod products;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod stock;
