//! Stockroom on a database on a network, against orders placed the usual way on the same server, and two servers
//! against one.

use std::fmt;

use super::report::Shape;
use super::table::{Wanted, missing, thousands, write_table};
use super::usual::{Orders, POOLS};
use super::wrk::Load;

/// One shape at one number of clients, by Stockroom and the usual way.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) shape: Shape,
    pub(super) connections: u32,
    pub(super) load: Load,
    /// The baseline right before and right after, by size of its pool.
    pub(super) usual: [[Orders; POOLS.len()]; 2],
}

impl Comparison {
    /// The baseline with each pool: the means of before and after.
    fn by_pool(&self) -> [Orders; POOLS.len()] {
        let [before, after] = &self.usual;
        std::array::from_fn(|pool| {
            let mean = |of: fn(&Orders) -> f64| f64::midpoint(of(&before[pool]), of(&after[pool]));
            Orders {
                per_second: mean(|orders| orders.per_second),
                p50_ms: mean(|orders| orders.p50_ms),
                p99_ms: mean(|orders| orders.p99_ms),
            }
        })
    }

    /// The baseline with the pool that makes it fastest.
    fn best(&self) -> Orders {
        let by_pool = self.by_pool();
        by_pool
            .into_iter()
            .reduce(|a, b| if b.per_second > a.per_second { b } else { a })
            .unwrap_or(by_pool[0])
    }

    fn ratio(&self) -> f64 {
        self.load.requests_per_second / self.best().per_second
    }

    fn cells(&self) -> Vec<String> {
        let best = self.best();
        let mut cells = vec![
            self.shape.name().to_owned(),
            self.connections.to_string(),
            thousands(self.load.requests_per_second),
            thousands(best.per_second),
            format!("{:.2}", self.ratio()),
            format!("{:.1}", self.load.p99_ms),
            format!("{:.1}", best.p99_ms),
        ];
        cells.extend(self.by_pool().map(|orders| thousands(orders.per_second)));
        cells
    }
}

/// Orders on one product by two servers on one database, the connections shared out evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Of both servers together.
    pub(super) connections: u32,
    /// What each of the two answered.
    pub(super) both: [Load; 2],
    /// What one of them answered alone at as many connections, right before and right after.
    pub(super) alone: [Load; 2],
}

impl Pair {
    fn together(&self) -> f64 {
        self.both.iter().map(|load| load.requests_per_second).sum()
    }

    fn one(&self) -> f64 {
        f64::midpoint(self.alone[0].requests_per_second, self.alone[1].requests_per_second)
    }

    fn ratio(&self) -> f64 {
        self.together() / self.one()
    }
}

/// Everything that is compared.
#[derive(Debug, Default)]
pub(super) struct Against {
    /// The database and the settings that matter for what it promises.
    pub(super) database: String,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) pair: Option<Pair>,
}

impl Against {
    /// What the comparison is to show; all of it at 64 connections.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let at_64 =
            |shape| self.comparisons.iter().find(|found| found.shape == shape && found.connections == 64);
        let shapes = [("one product", Shape::OrdersOnOne, 5.0), ("1,000 products", Shape::OrdersSpread, 2.0)];
        let mut list = Vec::new();
        for (name, shape, least) in shapes {
            let ratio = at_64(shape).map(Comparison::ratio);
            list.push(Wanted::at_least(format!("{name} ≥ {least:.0} × the usual way at 64"), ratio, least));
        }
        for (name, shape, _) in shapes {
            let pair = at_64(shape).map(|found| (found.load.p99_ms, found.best().p99_ms));
            list.push(Wanted {
                what: format!("p99 of {name} no worse than the usual way's at 64"),
                met: pair.map(|(own, usual)| own <= usual),
                measured: pair.map_or_else(missing, |(own, usual)| format!("{own:.1} ms, {usual:.1} ms")),
            });
        }
        let ratio = self.pair.filter(|pair| pair.connections == 64).map(|pair| pair.ratio());
        let what = "two servers on one product ≥ 1 × one server, 64 connections in all";
        list.push(Wanted::at_least(what.to_owned(), ratio, 1.0));
        list
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "On {}. Against the usual way with the best of its pools:\n", self.database)?;
        let header = ["shape", "clients", "orders/s", "usual way", "ratio", "p99 ms", "usual way p99 ms"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows[0].extend(POOLS.map(|pool| format!("its pool of {pool}")));
        rows.extend(self.comparisons.iter().map(Comparison::cells));
        write_table(f, &rows)?;
        if let Some(pair) = &self.pair {
            let [first, second] = pair.both.map(|load| thousands(load.requests_per_second));
            writeln!(
                f,
                "\nTwo servers, orders on one product, {} connections each: {first} + {second} = {} orders/s, {:.2} of \
                 what one answers at {} ({}); p99 {:.1} ms, alone {:.1} ms.",
                pair.connections / 2,
                thousands(pair.together()),
                pair.ratio(),
                pair.connections,
                thousands(pair.one()),
                f64::max(pair.both[0].p99_ms, pair.both[1].p99_ms),
                f64::midpoint(pair.alone[0].p99_ms, pair.alone[1].p99_ms),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(rate: f64, p99_ms: f64) -> Load {
        Load { requests: rate, requests_per_second: rate, p50_ms: 1.0, p99_ms }
    }

    fn comparison(shape: Shape, rate: f64) -> Comparison {
        let orders = |per_second, p99_ms| Orders { per_second, p50_ms: 1.0, p99_ms };
        // The pool of 4 is the best over both.
        let before = [orders(900.0, 1.0), orders(1100.0, 20.0), orders(1000.0, 1.0)];
        let after = [orders(700.0, 1.0), orders(900.0, 30.0), orders(990.0, 1.0)];
        Comparison { shape, connections: 64, load: load(rate, 25.0), usual: [before, after] }
    }

    #[test]
    fn what_is_wanted_is_judged_against_the_best_pool() {
        let against = Against {
            database: "PostgreSQL 15".to_owned(),
            comparisons: vec![
                comparison(Shape::OrdersOnOne, 5000.0),
                comparison(Shape::OrdersSpread, 1999.0),
            ],
            pair: Some(Pair {
                connections: 64,
                both: [load(2600.0, 9.0), load(2400.0, 7.0)],
                alone: [load(4000.0, 8.0), load(6000.0, 8.0)],
            }),
        };
        let wanted: Vec<String> = against.wanted().iter().map(ToString::to_string).collect();
        assert_eq!(
            wanted,
            [
                "- ✓ one product ≥ 5 × the usual way at 64 (5.00)",
                "- ✗ 1,000 products ≥ 2 × the usual way at 64 (2.00)",
                "- ✓ p99 of one product no worse than the usual way's at 64 (25.0 ms, 25.0 ms)",
                "- ✓ p99 of 1,000 products no worse than the usual way's at 64 (25.0 ms, 25.0 ms)",
                "- ✓ two servers on one product ≥ 1 × one server, 64 connections in all (1.00)",
            ]
        );
        let text = against.to_string();
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{text}");
        assert!(
            text.contains("2,600 + 2,400 = 5,000 orders/s, 1.00 of what one answers at 64 (5,000)"),
            "{text}"
        );
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert!(Against::default().wanted().iter().all(|wanted| wanted.met.is_none()));
    }
}
