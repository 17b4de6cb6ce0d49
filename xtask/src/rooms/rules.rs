//! The rules themselves. Each names what it forbids and why, so that its message can be acted upon.

use super::source::{NamedPath, Source};
use super::{House, Violation};

/// The Rust names of the database drivers.
const DRIVERS: [&str; 5] = ["rusqlite", "tokio_postgres", "deadpool_postgres", "mysql_async", "sqlx"];

/// The façades; what else lies in `compat/` is theirs in common.
const FACADES: [&str; 4] = ["orderflow", "mini_order", "leafcraft", "inventory"];

/// Most lines of code in one file, comments and blank lines not counted.
const LONGEST_FILE: usize = 700;

/// Most lines of a façade's own file, all of them counted: it translates, and has no room for rules.
const LONGEST_FACADE: usize = 350;

/// Words that name nothing, and so no file or module either.
const EMPTY_WORDS: [&str; 7] = ["manager", "helper", "util", "common", "impl", "dto", "info"];

/// What one crate may depend on.
enum Allowed {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// The table at the head of docs/ARCHITECTURE.md. Crates that tests alone use are not held against it.
const DEPENDENCIES: [(&str, Allowed); 6] = [
    ("crates/domain", Allowed::Only(&[])),
    (
        "crates/store",
        Allowed::Only(&[
            "domain",
            "rusqlite",
            "tokio-postgres",
            "tokio-postgres-rustls",
            "mysql_async",
            "deadpool",
            "rustls",
            "rustix",
            "webpki-roots",
            "bytes",
            "futures-util",
            "serde_json",
            "thiserror",
            "tokio",
            "unicode-normalization",
        ]),
    ),
    (
        "crates/server",
        Allowed::AllBut(&[
            "stockroom",
            "testbed",
            "xtask",
            "clap",
            "rusqlite",
            "tokio-postgres",
            "deadpool",
            "mysql_async",
            "sqlx",
        ]),
    ),
    (
        "crates/stockroom",
        Allowed::AllBut(&[
            "testbed",
            "xtask",
            "axum",
            "hyper",
            "utoipa",
            "rusqlite",
            "tokio-postgres",
            "deadpool",
            "mysql_async",
            "sqlx",
        ]),
    ),
    ("crates/testbed", Allowed::Only(&[])),
    ("xtask", Allowed::Only(&["serde_json", "testbed"])),
];

/// Every violation of every rule.
pub(super) fn check(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &house.sources {
        // The rules must be able to name what they forbid.
        if source.path.starts_with("xtask/src/rooms/") {
            continue;
        }
        let paths = source.paths();
        domain_is_pure(source, &paths, &mut found);
        drivers_in_driver(source, &paths, &mut found);
        sql_in_store(house, source, &mut found);
        http_in_server(house, source, &paths, &mut found);
        rooms_of_server(source, &paths, &mut found);
        short_files(source, &mut found);
        words(source, &mut found);
    }
    dependencies(house, &mut found);
    found
}

/// The rules of the shop are functions of their arguments: no clock, no disk, no network, no wire format.
fn domain_is_pure(source: &Source, paths: &[NamedPath], found: &mut Vec<Violation>) {
    if !source.path.starts_with("crates/domain/src/") {
        return;
    }
    for path in paths {
        let first = path.segments[0].as_str();
        let world = matches!(first, "serde" | "serde_json" | "tokio" | "async" | "rand" | "getrandom")
            || first == "std"
                && matches!(
                    path.segments.get(1).map(String::as_str),
                    Some("time" | "fs" | "net" | "env" | "process" | "thread" | "io")
                )
            || path.segments.iter().any(|segment| segment == "SystemTime" || segment == "Instant");
        if world {
            report(found, source, path.line, "domain-is-pure", || {
                format!("names `{}`; the rules in `domain` are functions of their arguments", path.text())
            });
        }
    }
}

/// One module knows the databases apart.
fn drivers_in_driver(source: &Source, paths: &[NamedPath], found: &mut Vec<Violation>) {
    let room = "crates/store/src/driver";
    if source.path.starts_with(&format!("{room}/"))
        || source.path == format!("{room}.rs")
        || ["tests", "benches"].iter().any(|room| source.path.starts_with(&format!("crates/store/{room}/")))
    {
        return;
    }
    for path in paths.iter().filter(|path| DRIVERS.contains(&path.segments[0].as_str())) {
        report(found, source, path.line, "drivers-in-driver", || {
            format!("names `{}`; only crates/store/src/driver names a driver", path.text())
        });
    }
}

/// SQL is written in `store` and nowhere else. `testbed` asks servers about themselves, and knows no table of the shop.
fn sql_in_store(house: &House, source: &Source, found: &mut Vec<Violation>) {
    if ["crates/store/", "crates/testbed/"].iter().any(|room| source.path.starts_with(room)) {
        return;
    }
    for literal in source.literals.iter().filter(|literal| is_sql(&literal.text)) {
        if !house.is_test(source, literal.line) {
            report(found, source, literal.line, "sql-in-store", || {
                "holds an SQL statement; SQL is written in crates/store and nowhere else".to_owned()
            });
        }
    }
}

/// Whether a text is an SQL statement, going by keywords in capitals that belong together.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    let follows = |first: &str, second: &str, within: usize| {
        words.iter().enumerate().any(|(at, word)| {
            *word == first && words[at + 1..].iter().take(within).any(|word| *word == second)
        })
    };
    follows("SELECT", "FROM", usize::MAX)
        || follows("INSERT", "INTO", 1)
        || follows("UPDATE", "SET", 4)
        || follows("DELETE", "FROM", 1)
}

/// HTTP is spoken in `server` and nowhere else.
fn http_in_server(house: &House, source: &Source, paths: &[NamedPath], found: &mut Vec<Violation>) {
    if source.path.starts_with("crates/server/") {
        return;
    }
    for path in paths {
        let http =
            matches!(path.segments[0].as_str(), "axum" | "hyper" | "hyper_util" | "utoipa" | "tower_http");
        if http && !house.is_test(source, path.line) {
            report(found, source, path.line, "http-in-server", || {
                format!("names `{}`; HTTP is spoken in crates/server and nowhere else", path.text())
            });
        }
    }
}

/// `api/` and each façade go through the app: they know neither the store nor each other.
fn rooms_of_server(source: &Source, paths: &[NamedPath], found: &mut Vec<Violation>) {
    let Some(module) = server_module(&source.path) else { return };
    let Some(own) = room(&module) else { return };
    for path in paths {
        let store = path.segments[0] == "store" && (path.imported || path.segments.len() > 1);
        let other = entered(path, &module, &own);
        let what = match (store, other) {
            (true, _) => "the store".to_owned(),
            (false, Some(room)) => room,
            (false, None) => continue,
        };
        report(found, source, path.line, "rooms-of-server", || {
            format!("names `{}`, which is {what}; {own} goes through crate::app", path.text())
        });
    }
}

/// The module path of a file of `server` below the crate's root; `None` for other crates.
fn server_module(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("crates/server/src/")?.strip_suffix(".rs")?;
    let mut segments: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if segments.last().is_some_and(|last| last == "mod" || last == "lib") {
        segments.pop();
    }
    Some(segments)
}

/// The room that a module path leads into. What the façades have in common is nobody's room.
fn room(module: &[String]) -> Option<String> {
    match (module.first()?.as_str(), module.get(1)) {
        ("api", _) => Some("api".to_owned()),
        ("compat", Some(name)) if FACADES.contains(&name.as_str()) => Some(format!("compat/{name}")),
        _ => None,
    }
}

/// The room that a path leads into out of `own`. To `api`, what the façades have in common is closed as well.
fn entered(path: &NamedPath, module: &[String], own: &str) -> Option<String> {
    let target = resolved(path, module)?;
    if own == "api" && target.first().is_some_and(|first| first == "compat") {
        return Some("compat".to_owned());
    }
    room(&target).filter(|room| room != own)
}

/// Where a path leads from the root of the crate; `None` when it leads out of it.
fn resolved(path: &NamedPath, module: &[String]) -> Option<Vec<String>> {
    let mut segments = path.segments.iter();
    let mut target = match segments.next()?.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().saturating_sub(1)].to_vec(),
        _ => return None,
    };
    for segment in segments {
        if segment == "super" {
            target.pop();
        } else {
            target.push(segment.clone());
        }
    }
    Some(target)
}

/// A file that nobody reads to its end is two files.
fn short_files(source: &Source, found: &mut Vec<Violation>) {
    let lines = source.code_lines();
    if lines > LONGEST_FILE {
        report(found, source, lines, "short-files", || {
            format!("has {lines} lines of code; {LONGEST_FILE} is the most")
        });
    }
    let all = source.code.lines().count();
    let is_facade =
        server_module(&source.path).and_then(|module| room(&module)).is_some_and(|room| room != "api");
    if is_facade && all > LONGEST_FACADE {
        report(found, source, all, "short-facades", || {
            format!("has {all} lines; a façade translates, and {LONGEST_FACADE} are enough for that")
        });
    }
}

/// A name says what a thing is.
fn words(source: &Source, found: &mut Vec<Violation>) {
    let file = source.path.split('/').map(|part| (1, part.trim_end_matches(".rs").to_owned()));
    for (line, name) in file.chain(source.modules()) {
        let empty = name.split(['_', '-']).find(|word| {
            EMPTY_WORDS.iter().any(|banned| word == banned || word.strip_suffix('s') == Some(banned))
        });
        if let Some(word) = empty {
            report(found, source, line, "words", || {
                format!("'{name}' is named with '{word}', which says nothing about what it is")
            });
        }
    }
}

/// Each crate depends on what its sentence allows.
fn dependencies(house: &House, found: &mut Vec<Violation>) {
    for manifest in &house.manifests {
        let allowed = manifest
            .path
            .strip_suffix("/Cargo.toml")
            .and_then(|room| DEPENDENCIES.iter().find(|(name, _)| *name == room));
        for (line, name) in &manifest.dependencies {
            let fits = match allowed {
                Some((_, Allowed::Only(names))) => names.contains(&name.as_str()),
                Some((_, Allowed::AllBut(names))) => !names.contains(&name.as_str()),
                None => false,
            };
            if !fits {
                found.push(Violation {
                    path: manifest.path.clone(),
                    line: *line,
                    rule: "dependencies",
                    what: format!("depends on `{name}`, which this crate's sentence does not allow"),
                });
            }
        }
    }
}

impl NamedPath {
    fn text(&self) -> String {
        self.segments.join("::")
    }
}

fn report(
    found: &mut Vec<Violation>,
    source: &Source,
    line: usize,
    rule: &'static str,
    what: impl FnOnce() -> String,
) {
    found.push(Violation { path: source.path.clone(), line, rule, what: what() });
}
