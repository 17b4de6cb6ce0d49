//! Building a test target, and running one test of it under a limit of time.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Failure;
use crate::process::cargo;

/// A test target that was built.
pub(super) struct Program {
    binary: PathBuf,
    /// The directory of its package, in which cargo would run it.
    directory: PathBuf,
}

/// What a test printed, and how it ended: `None` when its time was up.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

impl Program {
    /// Has cargo build the target, and asks it where that is.
    pub(super) fn build(package: &str, target: &str, optimised: bool) -> Result<Self, Failure> {
        let mut build = cargo();
        build.args(["test", "--locked", "--package", package, "--test", target, "--no-run"]);
        build.args(["--message-format", "json-render-diagnostics"]);
        if optimised {
            build.arg("--release");
        }
        let output = build.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("cannot start {build:?}: {error}"))?;
        if !output.status.success() {
            return Err(format!("the tests of {package} could not be built"));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let binary = messages.lines().find_map(|line| executable(line, target));
        let binary = binary.ok_or_else(|| format!("cargo does not say where the tests of {package} are"))?;
        Ok(Self { binary, directory: crate::root().join("crates").join(package) })
    }
}

/// The program that a message of cargo says it has built for a test target.
fn executable(message: &str, target: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "test");
    if !is_test || message["target"]["name"] != target {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

/// Runs one test, showing what it prints, and ends it with all that it has started when its time is up.
pub(super) fn run_tests(
    program: &Program,
    test: &str,
    rounds: Option<u64>,
    database: Option<&str>,
    limit: Duration,
) -> Result<Said, Failure> {
    let mut command = Command::new(&program.binary);
    command.args([test, "--exact", "--nocapture"]).current_dir(&program.directory);
    command.env_remove("STOCKROOM_TORTURE_ROUNDS").env_remove("STOCKROOM_TEST_DATABASE");
    if let Some(rounds) = rounds {
        command.env("STOCKROOM_TORTURE_ROUNDS", rounds.to_string());
    }
    if let Some(url) = database {
        command.env("STOCKROOM_TEST_DATABASE", url);
    }
    // A group of its own, so that the servers that it has started can be ended with it.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let lines = lines_of(&mut child);
    let deadline = Instant::now() + limit;
    let mut text = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("{line}");
                text.push_str(&line);
                text.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                end_group(&child);
                let _ = child.wait();
                return Ok(Said { code: None, text });
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().map_err(|error| format!("the test is lost: {error}"))?;
    // A program that a signal ended has no code of its own.
    Ok(Said { code: Some(status.code().unwrap_or(1)), text })
}

/// What a child prints, line by line, until it has closed its output.
fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn end_group(child: &Child) {
    let kill = format!("kill -KILL -{}", child.id());
    // Fails only when it has just ended by itself.
    let _ = Command::new("sh").args(["-c", &kill]).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        let binary =
            std::env::temp_dir().join(format!("stockroom-torture-{}-{}", std::process::id(), script.len()));
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).expect("a script");
        let mut mode = std::fs::metadata(&binary).expect("its mode").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o700);
        std::fs::set_permissions(&binary, mode).expect("a program");
        Program { binary, directory: std::env::temp_dir() }
    }

    #[test]
    fn a_test_is_told_its_rounds_and_its_database() {
        let program = shell("echo $1 $STOCKROOM_TORTURE_ROUNDS $STOCKROOM_TEST_DATABASE; exit 3");
        let said = run_tests(&program, "a::test", Some(7), Some("mysql://x/"), Duration::from_secs(60));
        std::fs::remove_file(&program.binary).expect("a script");
        let said = said.expect("a run");
        assert_eq!((said.code, said.text.as_str()), (Some(3), "a::test 7 mysql://x/\n"));
    }

    #[test]
    fn a_test_whose_time_is_up_is_ended_with_what_it_started() {
        let program = shell("sleep 1000 & echo $!; wait");
        let said = run_tests(&program, "a::test", None, None, Duration::from_millis(300));
        std::fs::remove_file(&program.binary).expect("a script");
        let said = said.expect("a run");
        assert_eq!(said.code, None);
        let sleep: u32 = said.text.trim().parse().expect("the number of a process");
        // On a busy machine it takes a moment to die. It ends by being gone, or by waiting for somebody to notice.
        let is_alive = || {
            let stat = std::fs::read_to_string(format!("/proc/{sleep}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while is_alive() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn the_program_is_the_one_of_the_target() {
        let message = |kind: &str, name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"{name}"}},"executable":"/x/it-1"}}"#
            )
        };
        assert_eq!(executable(&message("test", "it"), "it"), Some("/x/it-1".into()));
        assert_eq!(executable(&message("bin", "it"), "it"), None);
        assert_eq!(executable(&message("test", "network"), "it"), None);
        assert_eq!(executable("Compiling", "it"), None);
    }
}
