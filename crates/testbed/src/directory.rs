//! The directory of a server, and the guard that ends the server with its owner.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failure;
use crate::processes::Account;
use crate::programs::search_path;

/// Lines of the log that a failure's message holds: enough to reach over the advice that some programs end with.
const TAIL: usize = 60;

/// Directories that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A directory of its own for one server. When it is dropped, the guard kills what runs in it and removes it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    account: Option<Account>,
    /// Reads from this process until that closes the pipe or ends, even by SIGKILL.
    guard: Child,
}

impl Directory {
    /// A new directory below `parent` that belongs to the first of these users if this process is root's.
    pub(crate) fn new(parent: &Path, users: &[&str]) -> Result<Self, Failure> {
        let account = Account::for_server(users)?;
        // Processes are told by the path that /proc gives, which has no links.
        let parent =
            parent.canonicalize().map_err(|error| format!("no directory {}: {error}", parent.display()))?;
        let path = create(&parent)?;
        let guard = Command::new("setsid")
            .args(["sh", "-c", include_str!("guard.sh"), "sh"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start setsid and sh: {error}"))?;
        let directory = Self { path, account, guard };
        if let Some(account) = account {
            chown(&directory.path, Some(account.user), Some(account.group))
                .map_err(|error| format!("cannot give {} away: {error}", directory.path.display()))?;
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the server keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// A program that runs in the directory as the server's user, without a terminal and without the settings of
    /// whoever runs the tests. What it prints goes to the log.
    pub(crate) fn command(&self, program: &Path) -> Result<Command, Failure> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(|error| format!("cannot write {}: {error}", self.log().display()))?;
        let errors = log.try_clone().map_err(|error| format!("cannot share the log: {error}"))?;
        // `setsid` becomes the program, so the process that is started here is the program's.
        let mut command = Command::new("setsid");
        command.arg(program).current_dir(&self.path).stdin(Stdio::null()).stdout(log).stderr(errors);
        only_needed_variables(&mut command);
        // MariaDB removes at its start what looks like a temporary table, also those of others.
        command.env("TMPDIR", &self.path);
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The last lines of the log.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Kills what runs in the directory and removes it.
    pub(crate) fn clear(&mut self) {
        // The end of its input is what the guard waits for.
        drop(self.guard.stdin.take());
        // Fails only when somebody else has waited for it.
        let _ = self.guard.wait();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Makes a directory that nobody else can enter, under a name that was not there before.
fn create(parent: &Path) -> Result<PathBuf, Failure> {
    loop {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("stockroom-db-{}-{number}", process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot make {}: {error}", path.display())),
        }
    }
}

/// Leaves a program only the variables that it needs: `PGOPTIONS`, `MYSQL_HOME` and their like would change what it
/// does, a language what it says.
pub(crate) fn only_needed_variables(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C");
    let path = std::env::join_paths(search_path(&["/usr/sbin", "/usr/bin", "/sbin", "/bin"]));
    command.env("PATH", path.unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into()));
    // Servers that were unpacked by hand bring libraries.
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
}
