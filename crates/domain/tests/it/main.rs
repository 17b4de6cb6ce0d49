//! The rules, one table a command.

mod actors;
mod any;
mod commands;
mod draft;
mod holds;
mod shop;
mod snapshot;
mod words;
