//! The table of all shops side by side, and what misses the wanted figures.

use std::fmt;

use super::load::Times;
use super::probes::{Limit, Probe};
use super::shop::Size;
use crate::bench::table::{Wanted, missing, thousands, write_table};

/// How much longer the largest shop may take than the smallest.
const GROWTH: f64 = 1.3;

/// Differences below this many milliseconds are none: four callers share the machine with the server.
const NOISE_MS: f64 = 0.05;

/// How long answers took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// When the server could give the answer it gave before.
    pub(super) warm: Times,
    /// When it had to ask the database.
    pub(super) cold: Times,
}

impl Measured {
    fn both(&self) -> [Times; 2] {
        [self.warm, self.cold]
    }
}

/// Everything that was measured in one shop.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) size: Size,
    /// One for each probe; `None` where this server does not know what was asked for.
    pub(super) times: Vec<Option<Measured>>,
    /// Orders a second that were generated.
    pub(super) rate: f64,
    /// From starting the server to its first answer.
    pub(super) start_ms: f64,
    /// The most memory that the server ever had.
    pub(super) peak_kb: Option<u64>,
}

/// The same figure in the smallest shop and in the largest.
#[derive(Debug, Clone, Copy)]
struct Growth {
    small_ms: f64,
    large_ms: f64,
}

impl Growth {
    fn ratio(&self) -> f64 {
        self.large_ms / self.small_ms.max(1e-6)
    }

    fn is_small(&self) -> bool {
        self.ratio() <= GROWTH || self.large_ms - self.small_ms <= NOISE_MS
    }
}

/// What one run came to: shops in the order of their size.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) machine: String,
    /// What was asked, named by the first shop.
    pub(super) probes: Vec<Probe>,
    pub(super) columns: Vec<Column>,
}

impl Report {
    fn times(&self, column: &Column, nth: usize) -> Option<Measured> {
        column.times.get(nth).copied().flatten()
    }

    /// How much longer the largest shop takes than the smallest, warm and cold; `None` for one shop.
    fn growth(&self, nth: usize) -> Option<[Growth; 2]> {
        let [first, .., last] = self.columns.as_slice() else { return None };
        let (small, large) = (self.times(first, nth)?, self.times(last, nth)?);
        let of = |small: Times, large: Times| Growth { small_ms: small.p50_ms, large_ms: large.p50_ms };
        Some([of(small.warm, large.warm), of(small.cold, large.cold)])
    }

    /// Whether a figure is what is wanted; `None` where nothing is, or nothing was measured.
    fn is_met(&self, nth: usize, limit: Limit) -> Option<bool> {
        match limit {
            Limit::Free => None,
            Limit::Growth => Some(self.growth(nth)?.iter().all(Growth::is_small)),
            Limit::Milliseconds(most) => {
                let mut all = self.columns.iter().filter_map(|column| self.times(column, nth)).peekable();
                all.peek()?;
                Some(all.flat_map(|times| times.both()).all(|times| times.p50_ms <= most))
            }
        }
    }

    fn cells(&self) -> Vec<Vec<String>> {
        let mut header = vec!["p50 / p99 in ms, of orders:".to_owned()];
        for column in &self.columns {
            header.extend([thousands(column.size.orders as f64), "cold".to_owned()]);
        }
        header.extend(["growth", "cold", "wanted", ""].map(str::to_owned));
        let mut cells = vec![header];
        for (nth, probe) in self.probes.iter().enumerate() {
            let mut row = vec![probe.name.clone()];
            let shown = |times: Times| format!("{:.2} / {:.2}", times.p50_ms, times.p99_ms);
            row.extend(self.columns.iter().flat_map(|column| {
                let times = self.times(column, nth);
                times.map_or_else(|| [missing(), missing()], |times| times.both().map(shown))
            }));
            let growth = self.growth(nth);
            row.extend(growth.map_or_else(
                || [missing(), missing()],
                |both| both.map(|growth| format!("{:.2}", growth.ratio())),
            ));
            row.push(match probe.limit {
                Limit::Growth => format!("growth ≤ {GROWTH}"),
                Limit::Milliseconds(most) => format!("p50 ≤ {most} ms"),
                Limit::Free => missing(),
            });
            row.push(mark(self.is_met(nth, probe.limit)).to_owned());
            cells.push(row);
        }
        cells
    }

    /// How many of the wanted figures are met, and which are not.
    fn wanted(&self) -> Vec<Wanted> {
        let judged = self.probes.iter().enumerate();
        let judged: Vec<(&Probe, bool)> =
            judged.filter_map(|(nth, probe)| Some((probe, self.is_met(nth, probe.limit)?))).collect();
        let met = judged.iter().filter(|(_, met)| *met).count();
        let mut list = vec![Wanted {
            what: "all figures that are wanted".to_owned(),
            met: Some(met == judged.len()),
            measured: format!("{met} of {}", judged.len()),
        }];
        list.extend(judged.iter().filter(|(_, met)| !met).map(|(probe, _)| Wanted {
            what: probe.name.clone(),
            met: Some(false),
            measured: match probe.limit {
                Limit::Growth => format!("growth ≤ {GROWTH}"),
                Limit::Milliseconds(most) => format!("p50 ≤ {most} ms"),
                Limit::Free => missing(),
            },
        }));
        list
    }
}

fn mark(met: Option<bool>) -> &'static str {
    met.map_or("", |met| if met { "✓" } else { "✗" })
}

impl fmt::Display for Report {
    /// Markdown that also reads well on a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        write_table(f, &self.cells())?;
        writeln!(f)?;
        for column in &self.columns {
            let Size { products, users, orders } = column.size;
            let [products, users, orders] = [products, users, orders].map(|rows| thousands(rows as f64));
            let peak =
                column.peak_kb.map_or_else(missing, |kb| format!("{:.0} MB", kb as f64 * 1024.0 / 1e6));
            writeln!(
                f,
                "- {orders} orders, {products} products, {users} users: generated at {} orders/s; first answer of the \
                 server after {:.0} ms, its largest memory {peak}",
                thousands(column.rate),
                column.start_ms
            )?;
        }
        writeln!(f, "- differences below {NOISE_MS} ms count as none\n\nWanted:\n")?;
        self.wanted().iter().try_for_each(|wanted| writeln!(f, "{wanted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Paths;
    use super::*;

    fn column(orders: u64, p50: [Option<f64>; 4]) -> Column {
        let times = |p50: f64| Times { answers: 100, p50_ms: p50, p99_ms: 2.0 * p50 };
        Column {
            size: Size::of(orders),
            times: p50
                .into_iter()
                .map(|p50| p50.map(times).map(|warm| Measured { warm, cold: warm }))
                .collect(),
            rate: 20_000.0,
            start_ms: 30.0,
            peak_kb: Some(50_000),
        }
    }

    fn report(columns: Vec<Column>) -> String {
        let probe = |name: &str, limit| Probe {
            name: name.to_owned(),
            paths: Paths::One("/".to_owned()),
            limit,
            as_customer: false,
        };
        let probes = vec![
            probe("page", Limit::Growth),
            probe("totals", Limit::Milliseconds(5.0)),
            probe("unknown", Limit::Milliseconds(5.0)),
            probe("whole table", Limit::Free),
        ];
        Report { machine: "2 cores".to_owned(), probes, columns }.to_string()
    }

    #[test]
    fn what_is_wanted_is_judged_over_all_shops() {
        let small = [Some(1.0), Some(0.5), None, Some(1.0)];
        let text = report(vec![column(10, small), column(1_000, [Some(1.29), Some(5.0), None, Some(90.0)])]);
        assert!(text.contains("- ✓ all figures that are wanted (2 of 2)"), "{text}");
        assert!(text.contains("1.29") && text.contains("90.00 / 180.00"), "{text}");
        let text = report(vec![column(10, small), column(1_000, [Some(1.4), Some(5.1), None, Some(1.0)])]);
        for line in
            ["- ✗ all figures that are wanted (0 of 2)", "- ✗ page (growth ≤ 1.3)", "- ✗ totals (p50 ≤ 5 ms)"]
        {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_figure_counts_cold_as_well() {
        let mut columns = [column(10, [Some(1.0); 4]), column(1_000, [Some(1.0); 4])];
        for measured in columns[1].times.iter_mut().flatten() {
            measured.cold.p50_ms = 6.0;
        }
        let text = report(columns.into());
        for line in ["- ✗ page (growth ≤ 1.3)", "- ✗ totals (p50 ≤ 5 ms)"] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.contains("1.00 / 2.00") && text.contains("6.00"), "{text}");
    }

    #[test]
    fn one_shop_has_no_growth_and_noise_is_none() {
        let text = report(vec![column(10, [Some(1.0), Some(0.5), None, None])]);
        assert!(text.contains("(1 of 1)"), "{text}");
        let tiny = |p50| [Some(p50), None, None, None];
        let text = report(vec![column(10, tiny(0.05)), column(1_000, tiny(0.09))]);
        assert!(text.contains("- ✓ all figures that are wanted (1 of 1)"), "{text}");
    }
}
