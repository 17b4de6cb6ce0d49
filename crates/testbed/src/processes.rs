//! Processes: who may run a server, which ones belong to it, and what they are told.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// The user that a server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Account {
    /// The first of these users that the machine has, if this process is root's, and `None` if it is not: then the
    /// server runs as the same user.
    pub(crate) fn for_server(names: &[&str]) -> Result<Option<Self>, Failure> {
        let own = fs::metadata("/proc/self").map_err(|error| format!("cannot read /proc: {error}"))?;
        if own.uid() != 0 {
            return Ok(None);
        }
        let users =
            fs::read_to_string("/etc/passwd").map_err(|error| format!("cannot read /etc/passwd: {error}"))?;
        let account = names.iter().find_map(|name| Self::named(&users, name));
        // A database server refuses to run as root.
        account.map(Some).ok_or_else(|| format!("none of the users {} exists", names.join(", ")))
    }

    fn named(users: &str, name: &str) -> Option<Self> {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some(Self { user: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }
}

/// The processes that belong to the server in a directory: those that run in it. Every process of PostgreSQL and of
/// MariaDB does, whatever session it made for itself (PostgreSQL's do) and whoever its parent is by now. One with
/// a terminal is a person who looks around there.
pub(crate) fn within(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| runs_within(*pid, directory) && !has_terminal(*pid))
        .collect()
}

/// Whether a process runs in a directory or below. One that has ended and waits for its parent runs nowhere.
pub(crate) fn runs_within(pid: u32, directory: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(directory))
}

fn has_terminal(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    terminal(&stat).is_some_and(|terminal| terminal != "0")
}

/// Field 7 of `/proc/PID/stat`, counted behind the name in parentheses, which may itself hold spaces.
fn terminal(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(4)
}

/// Sends a signal, such as `STOP`. A process that has ended in the meantime is no failure.
pub(crate) fn signal(name: &str, pids: &[u32]) -> Result<(), Failure> {
    if pids.is_empty() {
        return Ok(());
    }
    // The shell's own `kill` is there where the program is not installed.
    let mut command = Command::new("sh");
    command.args(["-c", r#"for pid; do kill "-$0" "$pid" 2>/dev/null; done; :"#, name]);
    command.args(pids.iter().map(u32::to_string));
    let status = command.stdin(Stdio::null()).status();
    status.map(|_| ()).map_err(|error| format!("cannot send {name}: {error}"))
}

/// Waits for a process; `None` when it is still there at the deadline.
pub(crate) fn ended(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>, Failure> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| format!("a process is lost: {error}"))? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a program that answers shortly, and ends it when it has not by the deadline.
pub(crate) fn output(command: &mut Command, deadline: Instant) -> Result<Output, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if ended(&mut child, deadline)?.is_none() {
        // Fails only when it has just ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("no answer in time from {command:?}"));
    }
    child.wait_with_output().map_err(|error| format!("the answer of {command:?} is lost: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\n\
        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n\
        nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

    #[test]
    fn users_are_read_from_passwd() {
        assert_eq!(Account::named(USERS, "postgres"), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::named(USERS, "nobody"), Some(Account { user: 65_534, group: 65_534 }));
        assert_eq!(Account::named(USERS, "mysql"), None);
    }

    #[test]
    fn the_terminal_is_found_behind_a_name_with_spaces() {
        assert_eq!(terminal("42 (a b) c) S 1 42 42 34816 -1 4194304"), Some("34816"));
        assert_eq!(terminal("42 (postgres) S 1 42 42 0 -1 4194304"), Some("0"));
    }

    #[test]
    fn an_answer_is_waited_for_until_the_deadline() {
        let soon = Instant::now() + Duration::from_secs(10);
        let answer = output(Command::new("echo").arg("one"), soon).expect("an answer");
        assert_eq!(answer.stdout, b"one\n");
        let failure = output(Command::new("sleep").arg("60"), Instant::now()).expect_err("it sleeps");
        assert!(failure.contains("no answer in time"), "{failure}");
    }

    #[test]
    fn a_process_belongs_to_the_directory_that_it_runs_in() {
        let directory = std::env::temp_dir().canonicalize().expect("a directory");
        let inside = directory.join(format!("stockroom-within-{}", std::process::id()));
        fs::create_dir(&inside).expect("a new directory");
        let mut child =
            Command::new("setsid").args(["sleep", "60"]).current_dir(&inside).spawn().expect("a process");
        let deadline = Instant::now() + Duration::from_secs(10);
        while within(&inside) != [child.id()] {
            assert!(Instant::now() < deadline, "{:?}", within(&inside));
        }
        signal("KILL", &[child.id()]).expect("a signal");
        child.wait().expect("its end");
        assert!(within(&inside).is_empty());
        fs::remove_dir(&inside).expect("an empty directory");
    }
}
