//! The machine that a measurement ran on, so that its figures can be compared with others.

use std::fs;
use std::path::Path;
use std::thread;

use crate::process::answer;

/// One line about the machine, and one about what was measured on it.
pub(super) fn describe(directory: &Path) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let unknown = || "unknown".to_owned();
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| field(&text, "model name"));
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemTotal"));
    let memory = memory.and_then(|text| gibibytes(&text)).unwrap_or_else(unknown);
    let directory = directory.to_string_lossy();
    let line = |program: &str, args: &[&str]| answer(program, args).unwrap_or_else(unknown);
    format!(
        "{cores} cores ({}), {memory} of memory, kernel {}, file system {}\n{}, commit {}, {}",
        model.unwrap_or_else(unknown),
        line("uname", &["-r"]),
        line("stat", &["-f", "-c", "%T", &directory]),
        line("date", &["-u", "+%Y-%m-%d"]),
        line("git", &["rev-parse", "--short", "HEAD"]),
        line("rustc", &["--version"]),
    )
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Turns `16384256 kB` into `15.6 GiB`.
fn gibibytes(text: &str) -> Option<String> {
    let kilobytes: f64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.1} GiB", kilobytes / 1024.0 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_proc() {
        assert_eq!(
            field("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n", "model name").as_deref(),
            Some("A CPU @ 2 GHz")
        );
        assert_eq!(gibibytes("16384000 kB").as_deref(), Some("15.6 GiB"));
        assert_eq!(gibibytes("much"), None);
    }
}
