//! The rules, one table a command.

mod actors;
mod any;
mod commands;
mod draft;
mod shop;
mod snapshot;
mod words;
