//! System calls that fail, by way of strace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::program::Place;
use crate::server::Server;

/// What becomes of a system call. Of those that are asked for here, only databases make any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It fails with this error, and nothing happens.
    Error(&'static str),
    /// It answers this number, and nothing happens: a disk, or a program, that lies.
    Lie(u32),
    /// It is done, and answers so many microseconds later.
    Delay(u32),
    /// The process is killed.
    Kill,
}

/// Which call of which kind, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) call: &'static str,
    pub(crate) effect: Effect,
    /// Which one, counted from 1 in each thread.
    pub(crate) nth: usize,
    /// Whether it happens to all after that, too.
    pub(crate) for_good: bool,
}

impl Fault {
    /// How strace puts it.
    fn expression(self) -> String {
        let Self { call, effect, nth, for_good } = self;
        let effect = match effect {
            Effect::Error(name) => format!("error={name}"),
            Effect::Lie(answer) => format!("retval={answer}"),
            Effect::Delay(microseconds) => format!("delay_exit={microseconds}"),
            Effect::Kill => "signal=KILL".to_owned(),
        };
        let plus = if for_good { "+" } else { "" };
        format!("inject={call}:{effect}:when={nth}{plus}")
    }
}

/// Where strace is, and whether it may trace here; `None` with a message when it may not.
pub(crate) fn strace() -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&directories).map(|path| path.join("strace")).find(|path| path.is_file());
    let may = |strace: &PathBuf| {
        let mut command = Command::new(strace);
        command.args(["-q", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let usable = found.filter(may);
    if usable.is_none() {
        let advice = "needs strace (Debian package strace) and the right to trace";
        assert!(std::env::var_os("CI").is_none(), "{advice}");
        println!("left out: {advice}");
    }
    usable
}

/// The file that strace writes what it saw to.
const SEEN: &str = "strace";

/// The command with a fault.
pub(crate) fn under(strace: &Path, place: &Place, command: &Command, fault: Fault) -> Command {
    // What was seen earlier counts no more.
    let _ = std::fs::remove_file(place.path().join(SEEN));
    let mut traced = Command::new(strace);
    // The tracer is a grandchild, so that the process that is started here is the program.
    traced.args(["-D", "-f", "-qqq", "-o", SEEN, "-e", &format!("trace={}", fault.call)]);
    traced.args(["-e", &fault.expression()]).arg(command.get_program()).args(command.get_args());
    traced.current_dir(place.path()).env_clear();
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced
}

/// Lets a server that was started by way of [`under`] go on without any more faults.
pub(crate) fn let_go(server: &Server) {
    let tracer = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        line.unwrap().trim().parse::<u32>().unwrap()
    };
    assert_ne!(tracer(), 0, "nobody traces it");
    // It heeds no other signal, and leaves the server as it is.
    let kill = format!("kill -KILL {}", tracer());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    while tracer() != 0 {
        sleep(Duration::from_millis(10));
    }
}

/// Whether a call was tampered with since [`under`].
pub(crate) fn was_met(place: &Place) -> bool {
    std::fs::read_to_string(place.path().join(SEEN)).unwrap_or_default().contains("(INJECTED)")
}
