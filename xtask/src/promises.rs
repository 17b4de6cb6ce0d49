//! That the tests exist by which `SECURITY.md` says its promises are kept.

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;
    use std::path::{Path, PathBuf};

    use crate::root;

    const CRATES: [&str; 5] = ["domain", "store", "server", "stockroom", "xtask"];

    fn sources(directory: &Path) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                all.extend(sources(&path));
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                all.push(path);
            }
        }
        all
    }

    /// Whether a crate has a module of this name and, if one is named, a test in it or below it.
    fn exists(place: &str, module: &str, test: Option<&str>) -> bool {
        let folder = if place == "xtask" { root().join("xtask") } else { root().join("crates").join(place) };
        let mut files = sources(&folder.join("src"));
        files.extend(sources(&folder.join("tests")));
        let is_in = |path: &Path| {
            let part = path.strip_prefix(&folder).unwrap_or(path).with_extension("");
            part.iter().any(|part| part == module)
        };
        files.iter().filter(|path| is_in(path)).any(|path| match test {
            None => read_to_string(path).is_ok_and(|text| text.contains("test]") || text.contains("test(")),
            Some(test) => read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}("))),
        })
    }

    /// The tests that a text names, as `crate: module::test`.
    fn named(text: &str) -> Vec<(&str, &str, Option<&str>)> {
        let quoted = text.split('`').skip(1).step_by(2);
        let of_crate = quoted.filter_map(|words| words.split_once(": "));
        let known = of_crate.filter(|(place, _)| CRATES.contains(place));
        let parts = known.map(|(place, path)| match path.rsplit_once("::") {
            Some((module, test)) => (place, module, Some(test)),
            None => (place, path, None),
        });
        parts.collect()
    }

    #[test]
    fn promises_name_tests_that_exist() {
        let text = read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
        // The example of how they are named is one of them.
        let named = named(&text);
        assert!(named.len() > 150, "{}", named.len());
        let missing: Vec<_> =
            named.into_iter().filter(|(place, module, test)| !exists(place, module, *test)).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn a_promise_without_a_test_is_noticed() {
        let text =
            "`server: permissions::nobody_gets_anything`, `server: castles`, `domain: auditor`, `server::x`";
        let missing = named(text).into_iter().filter(|(place, module, test)| !exists(place, module, *test));
        assert_eq!(missing.map(|it| it.1).collect::<Vec<_>>(), ["permissions", "castles"]);
    }
}
