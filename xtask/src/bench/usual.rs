//! The baseline: the program in `crates/store/benches/usual_way` places orders as they usually are, one transaction an
//! order, on the same database server.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;

/// Sizes of the connection pool that are tried; the best one counts.
pub(super) const POOLS: [u32; 3] = [2, 4, 16];

/// What one run of the baseline measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Orders {
    pub(super) per_second: f64,
    /// Of the latencies, the wait for a connection included, in milliseconds.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// The program and its own database.
#[derive(Debug)]
pub(super) struct Usual<'a> {
    pub(super) program: &'a Path,
    pub(super) url: String,
}

impl Usual<'_> {
    /// Makes the tables and the catalogue.
    pub(super) fn fill(&self, products: u32) -> Result<(), Failure> {
        self.run(&["fill", &self.url, &products.to_string()]).map(drop)
    }

    /// Has `clients` place orders for so many seconds, each for one of the products. The program itself looks
    /// afterwards whether the stock adds up.
    pub(super) fn orders(
        &self,
        products: u32,
        clients: u32,
        pool: u32,
        seconds: u64,
    ) -> Result<Orders, Failure> {
        let [products, clients, pool] = [products, clients, pool].map(|number| number.to_string());
        let said = self.run(&["run", &self.url, &products, &clients, &pool, &seconds.to_string()])?;
        read(&said).ok_or_else(|| format!("the baseline prints no measurement: {said}"))
    }

    fn run(&self, args: &[&str]) -> Result<String, Failure> {
        let output = Command::new(self.program)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot start {}: {error}", self.program.display()))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("the baseline failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

fn read(said: &str) -> Option<Orders> {
    let said: Value = serde_json::from_str(said).ok()?;
    let number = |name: &str| said[name].as_f64();
    Some(Orders {
        per_second: number("orders_per_second")?,
        p50_ms: number("p50_ms")?,
        p99_ms: number("p99_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_prints_is_read() {
        let said =
            "{\"orders\":7,\"orders_per_second\":1.5,\"p50_ms\":0.500,\"p99_ms\":12.25,\"retries\":0}\n";
        assert_eq!(read(said), Some(Orders { per_second: 1.5, p50_ms: 0.5, p99_ms: 12.25 }));
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn a_program_that_fails_is_told_with_its_words() {
        let usual = Usual { program: Path::new("/bin/false"), url: String::new() };
        let failure = usual.fill(1).expect_err("false fails");
        assert!(failure.contains("the baseline failed"), "{failure}");
    }
}
