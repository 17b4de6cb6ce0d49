//! `cargo xtask bench reads`: how long reads take in shops of several sizes, and how that grows.
//!
//! Each shop is generated into a temporary directory and served by the release server. A few connections ask for one thing at
//! a time, as fast as they are answered: what counts is how long an answer takes, not how many there are.

mod load;
mod probes;
mod report;
mod shop;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use self::load::Question;
use self::probes::{Probe, probes};
use self::report::{Column, Measured, Report};
use self::shop::{Shop, Size};
use self::wire::State;
use super::http::Client;
use super::options::Options;
use super::{Workplace, machine, programs, table};
use crate::Failure;

/// The command that a report in a file is marked with.
const COMMAND: &str = "cargo xtask bench reads";

/// What a run was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    /// Sizes of the shops, the smallest first.
    orders: Vec<u64>,
    /// Length of each measurement.
    length: Duration,
    markdown: Option<PathBuf>,
    binary: Option<PathBuf>,
    keep: bool,
}

impl Wish {
    fn read(args: &[String]) -> Result<Self, Failure> {
        let mut wish = Self {
            orders: vec![10_000, 100_000, 1_000_000],
            length: Duration::from_millis(500),
            markdown: None,
            binary: None,
            keep: false,
        };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--orders" => {
                    let list = value()?.split(',').map(|text| count(name, text.trim()));
                    wish.orders = list.collect::<Result<_, _>>()?;
                }
                "--milliseconds" => wish.length = Duration::from_millis(count(name, value()?)?),
                "--markdown" => wish.markdown = Some(PathBuf::from(value()?)),
                "--binary" => wish.binary = Some(PathBuf::from(value()?)),
                "--keep" => wish.keep = true,
                other => return Err(format!("bench reads knows no '{other}'; see cargo xtask help")),
            }
        }
        // Growth is that from the first to the last.
        wish.orders.sort_unstable();
        wish.orders.dedup();
        Ok(wish)
    }
}

/// Reads a number from 1.
fn count(name: &str, text: &str) -> Result<u64, Failure> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{name} takes numbers from 1, not '{text}'"))
}

/// Measures and prints the table. A wanted figure that is missed does not fail the task; a request that is refused does.
pub(super) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let Wish { orders, length, markdown, binary, keep } = Wish::read(args)?;
    let [binary, _] = programs(&Options { binary, ..Options::default() }, false)?;
    let workplace = Workplace::new(keep)?;
    let mut report =
        Report { machine: machine::describe(&workplace.path), probes: Vec::new(), columns: Vec::new() };
    for orders in orders {
        let (probes, column) = visit(&binary, &workplace.path, Size::of(orders), length)?;
        report.columns.push(column);
        if report.probes.is_empty() {
            report.probes = probes;
        }
    }
    println!("\n{report}");
    if let Some(file) = &markdown {
        table::write_into(file, COMMAND, &report.to_string())?;
        println!("xtask: written to {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes one shop and measures everything in it.
fn visit(
    binary: &Path,
    directory: &Path,
    size: Size,
    length: Duration,
) -> Result<(Vec<Probe>, Column), Failure> {
    println!("xtask: a shop of {} orders", size.orders);
    let shop = Shop::open(binary, directory, size)?;
    let probes = probes(&shop)?;
    let mut times = Vec::with_capacity(probes.len());
    for probe in &probes {
        let measured = measure(&shop, probe, length)?;
        let shown = measured.map_or_else(
            || "not known to this server".to_owned(),
            |Measured { warm, cold }| {
                format!(
                    "{:.2} / {:.2} ms, {} answers; cold {:.2} / {:.2} ms",
                    warm.p50_ms, warm.p99_ms, warm.answers, cold.p50_ms, cold.p99_ms
                )
            },
        );
        println!("xtask: {}: {shown}", probe.name);
        times.push(measured);
    }
    let column = Column {
        size,
        times,
        rate: shop.rate,
        start_ms: shop.server.start.as_secs_f64() * 1000.0,
        peak_kb: shop.server.peak_kb(),
    };
    shop.server.stop()?;
    Ok((probes, column))
}

/// One measurement; `None` where the server does not know one of the parameters.
fn measure(shop: &Shop, probe: &Probe, length: Duration) -> Result<Option<Measured>, Failure> {
    let token = if probe.as_customer { &shop.alice } else { &shop.admin };
    let client = Client { token: Some(token.clone()), ..shop.server.client() };
    if let load::Paths::One(path) = &probe.paths
        && path.contains("include=")
        && client.call("GET", path, None)?.status != 200
    {
        return Ok(None);
    }
    let ask = |state| {
        let question = Question { address: shop.server.address, token, paths: &probe.paths, state };
        load::measure(question, length)
    };
    Ok(Some(Measured { cold: ask(State::Cold)?, warm: ask(State::Warm)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, Failure> {
        Wish::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let line = "--orders 100,10,100 --milliseconds 20 --keep --markdown table.md --binary a/stockroom";
        let wanted = Wish {
            orders: vec![10, 100],
            length: Duration::from_millis(20),
            markdown: Some("table.md".into()),
            binary: Some("a/stockroom".into()),
            keep: true,
        };
        assert_eq!(read(line), Ok(wanted));
        assert_eq!(read("").map(|wish| wish.orders), Ok(vec![10_000, 100_000, 1_000_000]));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, word) in [
            ("--orders", "needs a value"),
            ("--orders 10,many", "'many'"),
            ("--milliseconds 0", "--milliseconds"),
            ("--speed", "'--speed'"),
        ] {
            let failure = read(line).expect_err(line);
            assert!(failure.contains(word), "{line}: {failure}");
        }
    }
}
