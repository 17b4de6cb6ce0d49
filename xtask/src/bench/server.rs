//! The server under measurement, as a process of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::http::Client;
use crate::Failure;
use crate::process::answer;

/// All orders are those of a few customers, who order without end.
const NO_LIMITS: [&str; 2] = ["--max-open-orders-per-customer=0", "--max-units-held-per-customer=0"];

/// Longest wait for a server to answer or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends the process, whatever else went wrong.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From starting the process to its first 200 on `/healthz`.
    pub(super) start: Duration,
}

/// How to start a server.
pub(crate) struct Launch<'a> {
    pub(crate) binary: &'a Path,
    /// Holds the data directory and the log; it is also where the process runs.
    pub(crate) directory: &'a Path,
    /// The URL of the database; a file in the data directory when absent.
    pub(crate) database: Option<&'a str>,
    /// Options of `serve` besides the address and the data directory.
    pub(crate) options: &'a [&'a str],
}

impl Launch<'_> {
    /// Where the server keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The binary with one of its commands and the data directory. It sees no setting of whoever runs the
    /// measurement: neither their environment nor their files.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binary);
        command.arg(name).arg("--data-dir").arg(self.data()).current_dir(self.directory).stdin(Stdio::null());
        if let Some(url) = self.database {
            command.args(["--database", url]);
        }
        for (key, _) in std::env::vars_os() {
            let text = key.to_string_lossy();
            if ["STOCKROOM_", "DB_", "database_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&key);
            }
        }
        command
    }

    /// Starts the server on a free port and waits for its first answer.
    pub(crate) fn start(&self) -> Result<Server, Failure> {
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(|error| format!("cannot write {}: {error}", self.log().display()))?;
        let errors = log.try_clone().map_err(|error| format!("cannot share the log: {error}"))?;
        let mut command = self.command("serve");
        command.args(["--listen", &address.to_string()]).args(NO_LIMITS).args(self.options);
        command.stdout(log).stderr(errors);
        let began = Instant::now();
        let child =
            command.spawn().map_err(|error| format!("cannot start {}: {error}", self.binary.display()))?;
        let mut server = Server { child, address, start: Duration::ZERO };
        server.await_first_answer(began).map_err(|failure| format!("{failure}\n{}", self.log_tail()))?;
        Ok(server)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// The last lines that the server printed, for a failure's message.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Server {
    /// A client of this server without a token.
    pub(crate) fn client(&self) -> Client {
        Client { address: self.address, token: None }
    }

    fn await_first_answer(&mut self, began: Instant) -> Result<(), Failure> {
        let client = self.client();
        loop {
            if client.call("GET", "/healthz", None).is_ok_and(|answer| answer.status == 200) {
                self.start = began.elapsed();
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended before it answered ({status})"));
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("the server did not answer within {PATIENCE:?}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Resident memory in kB, from `/proc`.
    pub(super) fn resident_kb(&self) -> Option<u64> {
        kilobytes(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?, "VmRSS:")
    }

    /// The most resident memory that it ever had, in kB.
    pub(super) fn peak_kb(&self) -> Option<u64> {
        kilobytes(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?, "VmHWM:")
    }

    /// Processor time spent so far, user and system, in ticks of the kernel's clock.
    pub(super) fn cpu_ticks(&self) -> Option<u64> {
        cpu_ticks(&fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?)
    }

    /// Asks the server to end, as an operator would, and waits until it has.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        let asked = Instant::now();
        answer("kill", &["-TERM", &self.child.id().to_string()]).ok_or("cannot ask the server to end")?;
        while asked.elapsed() < PATIENCE {
            if let Some(status) =
                self.child.try_wait().map_err(|error| format!("the server is lost: {error}"))?
            {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("the server ended with {status}"))
                };
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the server did not end within {PATIENCE:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process and the children it has now, user and system, in ticks of the kernel's clock: of a
/// database, whether its connections are threads or processes.
pub(super) fn family_cpu_ticks(pid: u32) -> Option<u64> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    let family = stats.filter(|stat| is_of_family(stat, pid).unwrap_or(false));
    Some(family.filter_map(|stat| cpu_ticks(&stat)).sum())
}

/// Whether `/proc/PID/stat` is that of the process itself or of a child.
fn is_of_family(stat: &str, pid: u32) -> Option<bool> {
    let own: u32 = stat.split_whitespace().next()?.parse().ok()?;
    let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some(own == pid || parent == pid)
}

/// An address on the loopback whose port was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// Reads a size such as `VmRSS:` from `/proc/PID/status`.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Adds user and system time from `/proc/PID/stat`: fields 14 and 15, counted behind the name in parentheses,
/// which may itself hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_from_proc() {
        let status = "Name:\tstockroom\nVmHWM:\t  50000 kB\nVmRSS:\t   41232 kB\n";
        assert_eq!(
            ["VmRSS:", "VmHWM:", "VmSwap:"].map(|name| kilobytes(status, name)),
            [Some(41_232), Some(50_000), None]
        );
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 100 1 2";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!([42, 1, 7].map(|pid| is_of_family(stat, pid)), [Some(true), Some(true), Some(false)]);
    }

    #[test]
    fn a_server_that_ends_at_once_is_reported_with_its_log() {
        let directory = crate::root().join("target/bench-tests/ends-at-once");
        fs::create_dir_all(&directory).expect("a directory");
        let launch =
            Launch { binary: Path::new("/bin/false"), directory: &directory, database: None, options: &[] };
        let failure = launch.start().expect_err("false answers nothing");
        assert!(failure.contains("ended before it answered"), "{failure}");
    }
}
