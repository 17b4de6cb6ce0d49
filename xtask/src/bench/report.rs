//! The table, and what is wanted of it.

use std::fmt;

use super::against::Against;
use super::table::{Wanted, missing, thousands, write_table};
use super::wrk::Load;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    OrdersOnOne,
    OrdersSpread,
    OrdersWithKey,
    OrdersOneByOne,
    OrdersSlowSync,
    OrdersOneByOneSlowSync,
    GetProduct,
    GetOrder,
    ListProducts,
    ListOrders,
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OrdersOnOne => "b: orders, one product",
            Self::OrdersSpread => "c: orders, 1,000 products",
            Self::OrdersWithKey => "b with Idempotency-Key",
            Self::OrdersOneByOne => "d: b, one command a batch",
            Self::OrdersSlowSync => "b, syncs slowed by 3 ms",
            Self::OrdersOneByOneSlowSync => "d, syncs slowed by 3 ms",
            Self::GetProduct => "e: GET product",
            Self::GetOrder => "e: GET order",
            Self::ListProducts => "e: GET products, 20",
            Self::ListOrders => "e: GET orders, 20",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) shape: Shape,
    pub(super) connections: u32,
    pub(super) load: Load,
    /// Requests a second on `/healthz`, the mean of right before and right after.
    pub(super) ceiling: f64,
    /// Processor time of the server for one request, user and system.
    pub(super) cpu_us: Option<f64>,
    /// Resident memory of the server right afterwards.
    pub(super) resident_kb: Option<u64>,
    /// Processor time of the database for one request, user and system; `None` when it is part of the server.
    pub(super) database_cpu_us: Option<f64>,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.load.requests_per_second / self.ceiling
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, rate) = (self.shape.name(), thousands(self.load.requests_per_second));
        write!(f, "{name}, {} connections: {rate}/s, {:.2} a", self.connections, self.ratio())
    }
}

/// Everything that one run measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) machine: String,
    pub(super) rows: Vec<Row>,
    /// Every measurement of the ceiling, with its connections.
    pub(super) ceilings: Vec<(u32, Load)>,
    pub(super) syncs_before: f64,
    pub(super) syncs_after: f64,
    /// From starting the process to its first answer, on an empty data directory.
    pub(super) start_fresh_ms: f64,
    /// The same on the data directory that the usual runs left behind.
    pub(super) start_again_ms: f64,
    /// How it compares with orders placed the usual way; only on databases on a network.
    pub(super) against: Option<Against>,
}

impl Report {
    fn row(&self, shape: Shape, connections: u32) -> Option<&Row> {
        self.rows.iter().find(|row| row.shape == shape && row.connections == connections)
    }

    /// The largest resident memory after any run.
    fn resident_kb(&self) -> Option<u64> {
        self.rows.iter().filter_map(|row| row.resident_kb).max()
    }

    fn wanted(&self) -> Vec<Wanted> {
        let mut list = Vec::new();
        for (name, shape, least) in [
            ("b", Shape::OrdersOnOne, 0.3),
            ("c", Shape::OrdersSpread, 0.2),
            ("GET product", Shape::GetProduct, 0.6),
        ] {
            for connections in [64, 256] {
                let ratio = self.row(shape, connections).map(Row::ratio);
                list.push(Wanted::at_least(format!("{name} ≥ {least} a at {connections}"), ratio, least));
            }
        }
        for (what, fast, slow, least) in [
            ("b ≥ 4 d at 64", Shape::OrdersOnOne, Shape::OrdersOneByOne, 4.0),
            (
                "b ≥ 20 d at 64, syncs slowed by 3 ms",
                Shape::OrdersSlowSync,
                Shape::OrdersOneByOneSlowSync,
                20.0,
            ),
        ] {
            let pair = self.row(fast, 64).zip(self.row(slow, 64));
            let ratio =
                pair.map(|(fast, slow)| fast.load.requests_per_second / slow.load.requests_per_second);
            list.push(Wanted::at_least(what.to_owned(), ratio, least));
        }
        for (name, shape) in [("b", Shape::OrdersOnOne), ("c", Shape::OrdersSpread)] {
            let p99 = self.row(shape, 64).map(|row| row.load.p99_ms);
            list.push(Wanted {
                what: format!("p99 of {name} at 64 ≤ 15 ms"),
                met: p99.map(|p99| p99 <= 15.0),
                measured: p99.map_or_else(missing, |p99| format!("{p99:.2} ms")),
            });
        }
        let resident = self.resident_kb();
        list.push(Wanted {
            what: "resident memory < 100 MB".to_owned(),
            met: resident.map(|kb| kb * 1024 < 100_000_000),
            measured: resident.map_or_else(missing, megabytes),
        });
        let start = self.start_fresh_ms.max(self.start_again_ms);
        list.push(Wanted {
            what: "start to first answer < 200 ms".to_owned(),
            met: Some(start < 200.0),
            measured: format!("{start:.0} ms"),
        });
        list
    }

    /// The rows of the table as text, the ceilings first.
    fn cells(&self) -> Vec<Vec<String>> {
        let mut cells = vec![HEADER.map(str::to_owned).to_vec()];
        let mut seen = Vec::new();
        for &(connections, _) in &self.ceilings {
            if !seen.contains(&connections) {
                seen.push(connections);
                cells.push(self.ceiling_cells(connections));
            }
        }
        cells.extend(self.rows.iter().map(|row| {
            vec![
                row.shape.name().to_owned(),
                row.connections.to_string(),
                thousands(row.load.requests_per_second),
                format!("{:.2}", row.ratio()),
                format!("{:.2}", row.load.p50_ms),
                format!("{:.2}", row.load.p99_ms),
                row.cpu_us.map_or_else(missing, |cpu| format!("{cpu:.1}")),
                row.resident_kb.map_or_else(missing, |kb| format!("{:.0}", kb as f64 * 1024.0 / 1e6)),
                row.database_cpu_us.map_or_else(missing, |cpu| format!("{cpu:.1}")),
            ]
        }));
        if self.rows.iter().all(|row| row.database_cpu_us.is_none()) {
            cells.iter_mut().for_each(|row| drop(row.pop()));
        }
        cells
    }

    /// The ceiling at so many connections: the mean of all its measurements, and how far they lay apart.
    fn ceiling_cells(&self, connections: u32) -> Vec<String> {
        let loads: Vec<Load> =
            self.ceilings.iter().filter(|(at, _)| *at == connections).map(|(_, load)| *load).collect();
        let mean = |of: fn(&Load) -> f64| loads.iter().map(of).sum::<f64>() / loads.len() as f64;
        vec![
            "a: GET /healthz (mean)".to_owned(),
            connections.to_string(),
            thousands(mean(|load| load.requests_per_second)),
            "1.00".to_owned(),
            format!("{:.2}", mean(|load| load.p50_ms)),
            format!("{:.2}", mean(|load| load.p99_ms)),
            missing(),
            missing(),
            missing(),
        ]
    }

    /// The slowest and the fastest measurement of the ceiling, requests a second.
    fn ceiling_range(&self) -> (f64, f64) {
        self.ceilings.iter().fold((f64::INFINITY, 0.0), |(low, high), (_, load)| {
            (low.min(load.requests_per_second), high.max(load.requests_per_second))
        })
    }
}

/// The last column is there only where the database is a process of its own.
const HEADER: [&str; 9] = [
    "shape",
    "connections",
    "req/s",
    "of a",
    "p50 ms",
    "p99 ms",
    "CPU µs/req",
    "RSS MB",
    "database CPU µs/req",
];

impl fmt::Display for Report {
    /// Markdown that also reads well on a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        write_table(f, &self.cells())?;
        let (low, high) = self.ceiling_range();
        writeln!(f, "\n- a ranged from {} to {} req/s within this run", thousands(low), thousands(high))?;
        writeln!(
            f,
            "- the disk's own syncs a second (4 KiB + fdatasync): {} before, {} after",
            thousands(self.syncs_before),
            thousands(self.syncs_after)
        )?;
        writeln!(
            f,
            "- start to first answer: {:.0} ms on an empty data directory, {:.0} ms on the one just filled",
            self.start_fresh_ms, self.start_again_ms
        )?;
        writeln!(f, "- largest resident memory: {}", self.resident_kb().map_or_else(missing, megabytes))?;
        writeln!(f, "- stockroom verify: clean\n")?;
        let wanted = match &self.against {
            Some(against) => {
                writeln!(f, "{against}")?;
                against.wanted()
            }
            None => self.wanted(),
        };
        writeln!(f, "Wanted:\n")?;
        wanted.iter().try_for_each(|wanted| writeln!(f, "{wanted}"))
    }
}

fn megabytes(kilobytes: u64) -> String {
    format!("{:.1} MB", kilobytes as f64 * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(shape: Shape, connections: u32, rate: f64) -> Row {
        let load = Load { requests: rate * 5.0, requests_per_second: rate, p50_ms: 1.0, p99_ms: 15.0 };
        Row {
            shape,
            connections,
            load,
            ceiling: 100_000.0,
            cpu_us: Some(9.5),
            resident_kb: Some(50_000),
            database_cpu_us: None,
        }
    }

    fn report() -> Report {
        Report {
            machine: "2 cores".to_owned(),
            rows: vec![
                row(Shape::OrdersOnOne, 64, 30_000.0),
                row(Shape::OrdersSpread, 64, 19_999.0),
                row(Shape::OrdersOneByOne, 64, 7_500.0),
                row(Shape::GetProduct, 64, 60_000.0),
            ],
            ceilings: vec![
                (64, row(Shape::GetProduct, 64, 90_000.0).load),
                (64, row(Shape::GetProduct, 64, 110_000.0).load),
            ],
            syncs_before: 7500.4,
            syncs_after: 300.0,
            start_fresh_ms: 40.0,
            start_again_ms: 200.0,
            against: None,
        }
    }

    #[test]
    fn what_is_wanted_is_judged_at_its_edge() {
        let text = report().to_string();
        for line in [
            "- ✓ b ≥ 0.3 a at 64 (0.30)",
            "- – b ≥ 0.3 a at 256 (–)",
            "- ✗ c ≥ 0.2 a at 64 (0.20)",
            "- ✓ GET product ≥ 0.6 a at 64 (0.60)",
            "- ✓ b ≥ 4 d at 64 (4.00)",
            "- – b ≥ 20 d at 64, syncs slowed by 3 ms (–)",
            "- ✓ p99 of b at 64 ≤ 15 ms (15.00 ms)",
            "- ✓ resident memory < 100 MB (51.2 MB)",
            "- ✗ start to first answer < 200 ms (200 ms)",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_table_is_markdown_of_even_columns() {
        let text = report().to_string();
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 2 + 1 + 4, "{text}");
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{text}");
        assert!(table[2].contains("a: GET /healthz (mean)") && table[2].contains("100,000"), "{text}");
    }
}
