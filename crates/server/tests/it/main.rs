//! The API over real HTTP, each test on a database of its own.

#[cfg(test)]
mod access;
#[cfg(test)]
mod agreement;
#[cfg(test)]
#[expect(dead_code, reason = "each crate uses a part of it")]
#[path = "../../../domain/tests/it/any.rs"]
mod any;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod browsers;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cache_stress;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod dead_tokens;
#[cfg(test)]
mod document;
#[cfg(test)]
mod early_answers;
#[cfg(test)]
mod events;
#[cfg(test)]
mod facade_lists;
#[cfg(test)]
mod facade_races;
#[cfg(test)]
mod forged_cursors;
#[cfg(test)]
mod forged_tokens;
#[cfg(test)]
mod founding;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile_text;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod injections;
#[cfg(test)]
mod late_answers;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod order_change;
#[cfg(test)]
mod order_list;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod permissions;
#[cfg(test)]
#[expect(dead_code, reason = "each crate uses a part of it")]
#[path = "../../../store/tests/it/place.rs"]
mod place;
#[cfg(test)]
mod product_lists;
#[cfg(test)]
mod products;
#[cfg(test)]
mod races;
#[cfg(test)]
mod random_requests;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sessions;
#[cfg(test)]
#[expect(dead_code, reason = "each crate uses a part of it")]
#[path = "../../../domain/tests/it/shop.rs"]
mod shop;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod stock;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod users;
#[cfg(test)]
mod waiting_orders;
#[cfg(test)]
mod wire_habits;
