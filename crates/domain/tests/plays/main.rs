//! The rules in play: at random under the eyes of a second model, and in every state of small worlds.

#[path = "../it/any.rs"]
#[expect(dead_code, reason = "the tables ask for words, too")]
mod any;
mod auditor;
mod exhaustive;
#[path = "../it/shop.rs"]
mod shop;
