//! The program: installed once from the registry of Python, and run with our hooks.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::shop::Caller;
use crate::Failure;
use crate::process::{Tool, answer, exit_code, require};

const VERSION: &str = "4.32.5";

const PYTHON: Tool = Tool {
    program: "python3",
    purpose: "Schemathesis is written in it",
    packages: &["python3", "python3-venv"],
};

/// Schemathesis in an environment of its own.
pub(super) struct Schemathesis {
    program: PathBuf,
    /// Reports, logs and what was passed over.
    directory: PathBuf,
}

/// What is to be looked at.
pub(super) struct Request<'a> {
    /// A URL, or a file.
    pub(super) document: &'a str,
    /// Of the files that it leaves.
    pub(super) name: &'a str,
    /// Where the server is, for a document that is a file.
    pub(super) server: Option<&'a str>,
    pub(super) caller: Option<&'a Caller>,
    /// Accounts and keys that nobody may change.
    pub(super) kept: &'a str,
    /// By their ids; all but logging out everywhere when empty.
    pub(super) operations: &'a [&'a str],
    /// Cases that are made up for each operation.
    pub(super) examples: u32,
    pub(super) seed: &'a str,
    pub(super) limit: Duration,
}

impl Schemathesis {
    /// Finds it below `target/tools`, or installs it there.
    pub(super) fn install() -> Result<Self, Failure> {
        let directory = crate::root().join("target/torture/schemathesis");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|error| format!("no {}: {error}", directory.display()))?;
        let home = crate::root().join("target/tools/schemathesis");
        let program = home.join("bin/st");
        let it = Self { program, directory };
        if it.is_there() {
            return Ok(it);
        }
        require(&PYTHON)?;
        println!("xtask: installing schemathesis {VERSION} into {}", home.display());
        let made = exit_code(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let mut install = Command::new(home.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        install.arg(format!("schemathesis=={VERSION}"));
        if made != 0 || exit_code(&mut install)? != 0 || !it.is_there() {
            return Err(format!("schemathesis {VERSION} cannot be installed (python3-venv may be missing)"));
        }
        Ok(it)
    }

    fn is_there(&self) -> bool {
        let said = self.program.to_str().and_then(|program| answer(program, &["--version"]));
        said.is_some_and(|said| said.ends_with(VERSION))
    }

    /// Where the hooks note what they pass over.
    pub(super) fn notes(&self) -> PathBuf {
        self.file("passed-over")
    }

    /// A file in its directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs all phases, shows what was found, and answers with the report.
    pub(super) fn run(&self, request: &Request<'_>) -> Result<Value, Failure> {
        let (report, log) =
            (self.file(&format!("{}.json", request.name)), self.file(&format!("{}.log", request.name)));
        let mut command = self.command(request, &report);
        let output = fs::File::create(&log).map_err(|error| format!("no {}: {error}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let deadline = Instant::now() + request.limit;
        let status = loop {
            match child.try_wait().map_err(|error| format!("schemathesis is lost: {error}"))? {
                Some(status) => break status,
                None if Instant::now() >= deadline => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("{}: the time is up", request.name));
                }
                None => thread::sleep(Duration::from_millis(50)),
            }
        };
        let told = fs::read_to_string(&log).unwrap_or_default();
        if !status.success() && request.server.is_none() {
            println!("{told}");
        }
        let text =
            fs::read(&report).map_err(|error| format!("{}: no report: {error}\n{told}", request.name))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", report.display()))
    }

    fn command(&self, request: &Request<'_>, report: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let own = crate::root().join("xtask/src/torture/schemathesis");
        command.arg("--config-file").arg(own.join("schemathesis.toml"));
        command.args(["run", request.document, "--no-color", "--continue-on-failure"]);
        command.args(["--max-examples", &request.examples.to_string(), "--seed", request.seed]);
        // Nothing of another run, and no advice about what is not wrong.
        command.args(["--generation-database", "none", "--warnings", "off"]);
        command.args(["--report", "json", "--report-json-path"]).arg(report);
        if let Some(url) = request.server {
            command.args(["--url", url]);
        }
        if let Some(token) = request.caller.and_then(|caller| caller.token.as_ref()) {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
            if request.operations.is_empty() {
                // The caller would be a stranger from then on.
                command.args(["--exclude-operation-id", super::LAST]);
            }
        }
        for operation in request.operations {
            command.args(["--include-operation-id", operation]);
        }
        // Not in the tree of sources: it leaves compiled copies and examples where it is.
        command.current_dir(&self.directory).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PYTHONPATH", own).env("SCHEMATHESIS_HOOKS", "hooks");
        command.env("STOCKROOM_KEPT", request.kept).env("STOCKROOM_EXCLUDED", self.notes());
        command
    }
}
