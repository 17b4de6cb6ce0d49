//! Programs of cargo's that come from the registry and are compiled here, once.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::process::{answer, cargo, exit_code};

/// Such a program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What it is asked for its version, and answers.
    pub(crate) ask: &'static [&'static str],
    pub(crate) answer: &'static str,
    /// The task that brings it.
    pub(crate) task: &'static str,
}

impl Program {
    /// Where it is, having been compiled if `may_install`.
    pub(crate) fn find(&self, may_install: bool) -> Result<PathBuf, Failure> {
        // Whoever is given the path may run it from elsewhere.
        let own = crate::root().join(tools()).join("bin").join(self.name);
        for place in [own.as_path(), Path::new(self.name)] {
            if self.is(place) {
                return Ok(place.to_path_buf());
            }
        }
        if !may_install {
            return Err(format!("{} {} is missing; run `{}`", self.name, self.version, self.task));
        }
        println!("xtask: compiling {} {} into {}", self.name, self.version, tools().display());
        let mut install = cargo();
        // Without optimisation: it runs for a second, or waits for others, and is compiled on every new machine.
        install.args(["install", "--debug", "--locked", "--quiet", "--no-default-features", self.name]);
        install.args(["--version", self.version, "--root"]).arg(tools());
        install.env("CARGO_TARGET_DIR", tools().join("target")).env("CARGO_PROFILE_DEV_DEBUG", "0");
        if exit_code(&mut install)? == 0 && self.is(&own) {
            Ok(own)
        } else {
            Err(format!("{} {} cannot be compiled from the registry", self.name, self.version))
        }
    }

    fn is(&self, place: &Path) -> bool {
        place.to_str().and_then(|place| answer(place, self.ask)).as_deref() == Some(self.answer)
    }
}

/// Where programs are kept that are compiled for tasks.
fn tools() -> PathBuf {
    PathBuf::from("target/tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let absent = Program {
            name: "cargo-no-such-thing",
            version: "1.2.3",
            ask: &["--version"],
            answer: "1.2.3",
            task: "cargo xtask deny",
        };
        let failure = absent.find(false).expect_err("it does not exist");
        assert_eq!(failure, "cargo-no-such-thing 1.2.3 is missing; run `cargo xtask deny`");
    }

    #[test]
    fn an_older_one_is_not_taken() {
        let echo = |answer| Program { name: "echo", version: "1", ask: &["--version"], answer, task: "" };
        assert!(!echo("cargo-deny 0.1.0").is(Path::new("echo")));
    }
}
