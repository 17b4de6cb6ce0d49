//! The dependencies that a `Cargo.toml` declares, read line by line.

/// The dependencies of one crate.
pub(super) struct Manifest {
    /// Path from the root of the workspace, with `/`.
    pub(super) path: String,
    /// Names under `[dependencies]` and `[build-dependencies]` with their lines, those for one target included.
    /// What only tests use is left out.
    pub(super) dependencies: Vec<(usize, String)>,
}

impl Manifest {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (mut dependencies, mut inside) = (Vec::new(), false);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                let section = header.trim_end_matches(']');
                inside = is_dependencies(section);
                // `[dependencies.name]` declares one by its header.
                if let Some((parent, name)) = section.rsplit_once('.')
                    && is_dependencies(parent)
                {
                    dependencies.push((index + 1, name.to_owned()));
                }
            } else if inside && !line.is_empty() && !line.starts_with('#') {
                let name = line.split(['=', '.', ' ']).next().unwrap_or(line);
                dependencies.push((index + 1, name.trim_matches('"').to_owned()));
            }
        }
        Self { path: path.to_owned(), dependencies }
    }
}

fn is_dependencies(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or(section);
    matches!(last, "dependencies" | "build-dependencies")
}
