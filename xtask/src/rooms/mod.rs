//! The rooms of the house and the doors between them (docs/ARCHITECTURE.md), as rules over the source text.
//! They hold what Cargo alone cannot: which module may say which word.

mod manifest;
mod rules;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use manifest::Manifest;
use source::Source;

/// Everything the rules look at.
#[derive(Default)]
struct House {
    sources: Vec<Source>,
    manifests: Vec<Manifest>,
}

/// A rule broken at one place.
#[derive(Debug)]
struct Violation {
    path: String,
    line: usize,
    rule: &'static str,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.path, self.line, self.what, self.rule)
    }
}

impl House {
    /// Reads the workspace from disk.
    fn of_the_workspace() -> Self {
        let root = crate::root();
        let mut house = Self::default();
        for room in ["crates", "xtask"] {
            house.read(&root, &root.join(room));
        }
        house.sources.sort_by(|a, b| a.path.cmp(&b.path));
        house
    }

    fn read(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(directory).expect("a directory of the workspace") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                if !name.ends_with("/target") {
                    self.read(root, &path);
                }
            } else if name.ends_with(".rs") || name.ends_with("/Cargo.toml") {
                self.add(&name, &fs::read_to_string(&path).expect("UTF-8 text"));
            }
        }
    }

    fn add(&mut self, path: &str, text: &str) {
        if path.ends_with("Cargo.toml") {
            self.manifests.push(Manifest::new(path, text));
        } else {
            self.sources.push(Source::new(path, text));
        }
    }

    /// Whether this line of the file is compiled into tests alone, by its own marks or by its parent's.
    fn is_test(&self, source: &Source, line: usize) -> bool {
        source.is_test(line) || self.sources.iter().any(|parent| takes_in_for_tests(parent, &source.path))
    }
}

/// Whether `#[cfg(test)] mod name;` in the parent brings in the file.
fn takes_in_for_tests(parent: &Source, path: &str) -> bool {
    let (directory, file) = parent.path.rsplit_once('/').unwrap_or(("", &parent.path));
    let directory = match file {
        "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
        other => format!("{directory}/{}", other.trim_end_matches(".rs")),
    };
    parent.test_modules().iter().any(|name| {
        path == format!("{directory}/{name}.rs") || path.starts_with(&format!("{directory}/{name}/"))
    })
}

#[test]
fn the_rooms_hold() {
    let house = House::of_the_workspace();
    assert!(house.sources.len() > 5 && house.manifests.len() == 6, "the workspace was not found");
    let violations: Vec<String> = rules::check(&house).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The violations of a house of one file, as `line rule`.
    fn check(path: &str, text: &str) -> Vec<String> {
        let mut house = House::default();
        house.add(path, text);
        rules::check(&house).iter().map(|v| format!("{} {}", v.line, v.rule)).collect()
    }

    #[test]
    fn a_planted_violation_is_found() {
        let long = "fn f() {}\n".repeat(701);
        for (path, text, wanted) in [
            ("crates/domain/src/order.rs", "\nuse serde::Serialize;", "2 domain-is-pure"),
            ("crates/domain/src/order.rs", "#[derive(serde::Serialize)]\nstruct A;", "1 domain-is-pure"),
            ("crates/domain/src/order.rs", "use std::{fmt,\n    time::Duration};", "2 domain-is-pure"),
            ("crates/domain/src/order.rs", "fn f() { ::std::fs::read(p); }", "1 domain-is-pure"),
            ("crates/domain/src/order.rs", "fn f(now: SystemTime) {}", "1 domain-is-pure"),
            ("crates/domain/src/order.rs", "async fn f() {}", "1 domain-is-pure"),
            ("crates/store/src/orders.rs", "use rusqlite::Connection;", "1 drivers-in-driver"),
            ("crates/store/src/lib.rs", "fn f(e: tokio_postgres::Error) {}", "1 drivers-in-driver"),
            ("crates/server/src/app.rs", "const A: &str = \"SELECT id FROM orders\";", "1 sql-in-store"),
            (
                "crates/server/src/app.rs",
                "const A: &str = r#\"\nUPDATE orders\n SET a = 1\"#;",
                "1 sql-in-store",
            ),
            ("crates/stockroom/src/main.rs", "f(\"DELETE FROM users\");", "1 sql-in-store"),
            ("crates/stockroom/src/main.rs", "use axum::Router;", "1 http-in-server"),
            ("crates/store/src/lib.rs", "fn f(r: hyper::Request<()>) {}", "1 http-in-server"),
            ("crates/server/src/api/orders.rs", "use store::Store;", "1 rooms-of-server"),
            ("crates/server/src/api/orders.rs", "use crate::compat::Envelope;", "1 rooms-of-server"),
            ("crates/server/src/api/mod.rs", "use super::compat::orderflow;", "1 rooms-of-server"),
            ("crates/server/src/compat/orderflow.rs", "use crate::api::Page;", "1 rooms-of-server"),
            ("crates/server/src/compat/orderflow.rs", "use super::leafcraft::Order;", "1 rooms-of-server"),
            ("crates/server/src/compat/inventory/mod.rs", "fn f(a: store::A) {}", "1 rooms-of-server"),
            ("crates/store/src/orders.rs", &long, "701 short-files"),
            ("crates/server/src/compat/leafcraft.rs", &long[..351 * 10], "351 short-facades"),
            ("crates/store/src/order_helpers.rs", "", "1 words"),
            ("crates/server/src/common/mod.rs", "", "1 words"),
            ("crates/server/src/lib.rs", "\nmod utils {}", "2 words"),
            ("crates/domain/Cargo.toml", "[dependencies]\nserde = \"1\"", "2 dependencies"),
            ("crates/store/Cargo.toml", "[package]\n[dependencies]\naxum.workspace = true", "3 dependencies"),
            ("crates/server/Cargo.toml", "[dependencies.rusqlite]\nversion = \"1\"", "1 dependencies"),
            (
                "crates/stockroom/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\naxum = \"1\"",
                "2 dependencies",
            ),
            ("xtask/Cargo.toml", "[dependencies]\nreqwest = \"1\"", "2 dependencies"),
            ("crates/testbed/Cargo.toml", "[dependencies]\ntempfile = \"3\"", "2 dependencies"),
            ("crates/store/Cargo.toml", "[dependencies]\ntestbed.workspace = true", "2 dependencies"),
            ("crates/stockroom/Cargo.toml", "[dependencies]\ntestbed.workspace = true", "2 dependencies"),
        ] {
            assert_eq!(check(path, text), [wanted], "{path}: {text:.60}");
        }
    }

    #[test]
    fn what_is_allowed_is_left_alone() {
        for (path, text) in [
            (
                "crates/domain/src/order.rs",
                "// serde and std::time are words here\nuse std::collections::BTreeMap;",
            ),
            (
                "crates/domain/src/order.rs",
                "const A: &str = \"tokio::main\"; /* std::fs */ fn f<'a>(c: char) { c == '\"' }",
            ),
            (
                "crates/domain/Cargo.toml",
                "[dev-dependencies]\nproptest.workspace = true\n[lints]\nworkspace = true",
            ),
            ("crates/store/Cargo.toml", "[dev-dependencies]\ntestbed.workspace = true"),
            ("xtask/Cargo.toml", "[dependencies]\ntestbed.workspace = true"),
            (
                "crates/testbed/src/standby.rs",
                "const A: &str = \"SELECT sync_state FROM pg_stat_replication\";",
            ),
            ("crates/store/src/driver/sqlite.rs", "use rusqlite::Connection;"),
            ("crates/store/benches/usual_way/postgres.rs", "use tokio_postgres::Client;"),
            ("crates/store/src/orders.rs", "const A: &str = \"SELECT id FROM orders\";"),
            (
                "crates/server/src/api/orders.rs",
                "fn f() { store.place(); } use crate::app::App; use axum::Json;",
            ),
            ("crates/server/src/app.rs", "use store::Store; const A: &str = \"UPDATE me, or SELECT one\";"),
            (
                "crates/server/src/compat/orderflow.rs",
                "use super::fastapi::Detail; use super::orderflow::Stock;",
            ),
            ("crates/server/src/compat/mod.rs", "mod orderflow; pub use orderflow::router;"),
            ("crates/stockroom/tests/it/main.rs", "use hyper::Request;"),
            ("crates/stockroom/src/main.rs", "#[cfg(test)]\nmod tests {\n    use axum::Router;\n}"),
            ("crates/store/src/information.rs", "mod simple {}"),
        ] {
            assert_eq!(check(path, text), [""; 0], "{path}: {text}");
        }
    }

    #[test]
    fn a_module_that_only_tests_take_in_counts_as_a_test() {
        let mut house = House::default();
        house.add("crates/stockroom/src/main.rs", "#[cfg(test)]\nmod client;\nmod serve;");
        house.add("crates/stockroom/src/client.rs", "use hyper::Request;");
        assert_eq!(rules::check(&house).len(), 0);
        house.add("crates/stockroom/src/serve.rs", "use hyper::Request;");
        assert_eq!(rules::check(&house).len(), 1);
    }

    #[test]
    fn a_violation_names_its_file_and_line() {
        let mut house = House::default();
        house.add("crates/domain/src/lib.rs", "\n\nuse tokio::net::TcpStream;");
        let message = rules::check(&house)[0].to_string();
        assert!(
            message.starts_with("crates/domain/src/lib.rs:3: names `tokio::net::TcpStream`"),
            "{message}"
        );
    }
}
