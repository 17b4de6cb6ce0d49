//! The rules, one table a command, and random play under the eyes of a second model.

mod any;
mod auditor;
mod commands;
mod draft;
mod exhaustive;
mod shop;
mod snapshot;
mod words;
