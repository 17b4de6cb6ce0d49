//! `cargo xtask postman`: a Postman collection (format v2.1) for every committed OpenAPI document. The same document
//! gives the same bytes: nothing here is random, and nothing knows the time.

mod auth;
mod body;
mod collection;
mod document;
mod id;
mod operation;
mod parameter;
mod request;
mod response;
mod sample;
mod tokens;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::Failure;
use document::Document;

/// Where the collections lie, below the root of the workspace.
const COLLECTIONS: &str = "postman";

/// Where the documents of the façades lie, below the root of the workspace.
const FACADES: &str = "openapi";

/// What the names of collections end with; Postman's own export names them so.
const ENDING: &str = ".postman_collection.json";

/// Writes the collections, and removes those whose document is gone.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    if let Some(arg) = args.first() {
        return Err(format!("postman knows no options, and so not '{arg}'"));
    }
    let wanted = wanted(Path::new("."))?;
    let directory = Path::new(COLLECTIONS);
    fs::create_dir_all(directory).map_err(|error| format!("cannot make {COLLECTIONS}/: {error}"))?;
    for name in committed(Path::new("."))?.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(directory.join(name)).map_err(|error| format!("cannot remove {name}: {error}"))?;
        println!("xtask: removed {COLLECTIONS}/{name}");
    }
    for (name, text) in &wanted {
        fs::write(directory.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))?;
        println!("xtask: wrote {COLLECTIONS}/{name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The collections that belong to the documents, by file name.
fn wanted(root: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut documents = vec![("stockroom".to_owned(), root.join("openapi.json"))];
    for path in json_files(&root.join(FACADES))? {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        documents.push((name, path));
    }
    let mut wanted = BTreeMap::new();
    for (name, path) in documents {
        let text = read(&path)?;
        let document = Document::new(&name, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        let collection =
            collection::collection(&document).map_err(|error| format!("{}: {error}", path.display()))?;
        wanted.insert(format!("{name}{ENDING}"), pretty(collection) + "\n");
    }
    Ok(wanted)
}

/// The collections as they are on disk, by file name.
fn committed(root: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut committed = BTreeMap::new();
    for path in json_files(&root.join(COLLECTIONS))? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(ENDING) {
            committed.insert(name, read(&path)?);
        }
    }
    Ok(committed)
}

/// The JSON files of a directory, by name; none if there is no such directory.
fn json_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| format!("cannot look into {}: {error}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.retain(|path| path.extension() == Some(OsStr::new("json")));
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// JSON over several lines, with sorted members. They are sorted even if another crate of the same build has asked
/// `serde_json` to keep the order of insertion, so that the bytes do not depend on what is built beside xtask.
fn pretty(mut value: Value) -> String {
    value.sort_all_objects();
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_collections_are_those_of_the_committed_documents() {
        let root = crate::root();
        let wanted = wanted(&root).expect("the documents can be converted");
        let committed = committed(&root).expect("the collections can be read");
        // Not the texts themselves: whoever fails here needs a name, not thousands of lines.
        let stale: Vec<&String> = wanted
            .keys()
            .chain(committed.keys().filter(|name| !wanted.contains_key(*name)))
            .filter(|name| wanted.get(*name) != committed.get(*name))
            .collect();
        assert!(stale.is_empty(), "{COLLECTIONS}/ is stale ({stale:?}); run `cargo xtask postman`");
    }

    #[test]
    fn an_option_is_refused_by_name() {
        let failure = run(&["--fast".to_owned()]).expect_err("there are no options");
        assert_eq!(failure, "postman knows no options, and so not '--fast'");
    }

    #[test]
    fn a_directory_that_is_not_there_holds_no_files() {
        assert_eq!(json_files(&crate::root().join("no-such-directory")), Ok(Vec::new()));
    }
}
