//! `cargo xtask deny`: licences, sources and versions of everything that is compiled in, and dependencies that nothing uses.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::Failure;
use crate::process::{answer, cargo, exit_code};

/// A program of cargo's that comes from the registry and is compiled here, once.
struct Program {
    name: &'static str,
    version: &'static str,
    /// What its `--version` answers.
    answer: &'static str,
    args: &'static [&'static str],
    remedy: &'static str,
}

const PROGRAMS: [Program; 2] = [
    Program {
        name: "cargo-deny",
        version: "0.20.2",
        answer: "cargo-deny 0.20.2",
        // Advisories lie in a repository that not every machine reaches; see deny.toml.
        args: &["--offline", "--locked", "check", "licenses", "bans", "sources"],
        remedy: "see deny.toml",
    },
    Program {
        name: "cargo-machete",
        version: "0.9.2",
        answer: "0.9.2",
        args: &["--with-metadata"],
        remedy: "remove what nothing uses from the Cargo.toml",
    },
];

impl Program {
    /// Where it is, having been compiled if `may_install`.
    fn find(&self, may_install: bool) -> Result<PathBuf, Failure> {
        let own = tools().join("bin").join(self.name);
        for place in [own.as_path(), Path::new(self.name)] {
            if self.is(place) {
                return Ok(place.to_path_buf());
            }
        }
        if !may_install {
            return Err(format!("{} {} is missing; run `cargo xtask deny`", self.name, self.version));
        }
        println!("xtask: compiling {} {} into {}", self.name, self.version, tools().display());
        let mut install = cargo();
        // Without optimisation: it runs for a second, and is compiled on every new machine.
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
        place.to_str().and_then(|place| answer(place, &["--version"])).as_deref() == Some(self.answer)
    }
}

/// Where programs are kept that are compiled for tasks.
fn tools() -> PathBuf {
    PathBuf::from("target/tools")
}

/// Runs all checks and prints what they say.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    match complaints(true) {
        found if found.is_empty() => Ok(ExitCode::SUCCESS),
        found => Err(found.join(", and ")),
    }
}

/// What is wrong with the dependencies. What would have to be compiled first is left out, with a word about it, unless
/// `may_install`.
pub(crate) fn complaints(may_install: bool) -> Vec<Failure> {
    let mut complaints = Vec::new();
    for program in &PROGRAMS {
        let path = match program.find(may_install) {
            Ok(path) => path,
            Err(missing) if may_install => {
                complaints.push(missing);
                continue;
            }
            Err(missing) => {
                eprintln!("xtask: left out: {missing}");
                continue;
            }
        };
        match exit_code(Command::new(path).args(program.args)) {
            Ok(0) => {}
            Ok(_) => complaints.push(format!("{} found something: {}", program.name, program.remedy)),
            Err(failure) => complaints.push(failure),
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let absent = Program {
            name: "cargo-no-such-thing",
            version: "1.2.3",
            answer: "1.2.3",
            args: &[],
            remedy: "none",
        };
        let failure = absent.find(false).expect_err("it does not exist");
        assert_eq!(failure, "cargo-no-such-thing 1.2.3 is missing; run `cargo xtask deny`");
    }

    #[test]
    fn an_older_one_is_not_taken() {
        let echo = |answer| Program { name: "echo", version: "1", answer, args: &[], remedy: "none" };
        assert!(!echo("cargo-deny 0.1.0").is(Path::new("echo")));
    }
}
