//! `cargo xtask bench`: measures the release server on a fresh SQLite file on the machine's own disk.
//!
//! Every figure stands beside the ceiling (`GET /healthz`) measured right before and right after it with as many
//! connections, because a shared machine swings from minute to minute and a ratio swings less.

mod disk;
mod http;
mod machine;
mod options;
mod report;
mod server;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::Failure;
use crate::process::{answer, cargo, exit_code, require};
use http::Client;
use options::Options;
use report::{Report, Row, Shape};
use server::{Launch, Server};
use wrk::{Load, Request, WRK};

/// Products that the spread orders are spread over.
const PRODUCTS: u32 = 1000;

/// Pieces of each product: more than any run can sell.
const STOCK: i64 = 1_000_000_000;

/// How much longer each sync takes in the runs that imitate a plain disk.
const SLOW_SYNC: [&str; 2] = ["--test-sync-delay-us", "3000"];

/// One command a transaction.
const ONE_BY_ONE: [&str; 2] = ["--max-batch", "1"];

/// What the server with its usual settings is measured with.
const USUAL: [(Shape, Request); 7] = [
    (Shape::OrdersOnOne, Request::OrderOne),
    (Shape::OrdersSpread, Request::OrderSpread(PRODUCTS)),
    (Shape::OrdersWithKey, Request::OrderWithKey),
    (Shape::GetProduct, Request::Get("/api/v1/products/1")),
    (Shape::GetOrder, Request::Get("/api/v1/orders/1")),
    (Shape::ListProducts, Request::Get("/api/v1/products?limit=20")),
    (Shape::ListOrders, Request::Get("/api/v1/orders?limit=20")),
];

/// Measures, prints the table and the list of what is wanted. A wanted figure that is missed does not fail the
/// task: the machine may be busy. A refused request, a server that dies and a ledger that does not add up do.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::read(args)?;
    require(&WRK)?;
    let binary = match &options.binary {
        Some(binary) => {
            binary.canonicalize().map_err(|error| format!("cannot find {}: {error}", binary.display()))?
        }
        None => build()?,
    };
    let workplace = Workplace::new(options.keep)?;
    let report = Bench::new(&options, &binary, &workplace.path).measure()?;

    println!("\n{report}");
    if let Some(file) = &options.markdown {
        report::write_into(file, &report.to_string())?;
        println!("xtask: written to {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the release binary and answers with its path.
fn build() -> Result<PathBuf, Failure> {
    println!("xtask: cargo build --release --locked --package stockroom");
    if exit_code(cargo().args(["build", "--release", "--locked", "--package", "stockroom"]))? != 0 {
        return Err("the release build failed".to_owned());
    }
    Ok(target().join("release/stockroom"))
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// A directory of this run alone, on the disk that also holds the build; removed afterwards unless kept.
struct Workplace {
    path: PathBuf,
    keep: bool,
}

impl Workplace {
    fn new(keep: bool) -> Result<Self, Failure> {
        let path = target().join("bench").join(std::process::id().to_string());
        fs::create_dir_all(&path).map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        let path = path.canonicalize().map_err(|error| format!("cannot find {}: {error}", path.display()))?;
        Ok(Self { path, keep })
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if self.keep {
            println!("xtask: kept {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("xtask: cannot remove {}: {error}", self.path.display());
        }
    }
}

/// One whole measurement.
struct Bench<'a> {
    options: &'a Options,
    binary: &'a Path,
    directory: &'a Path,
    /// Ticks of the kernel's clock in a second.
    ticks_per_second: f64,
    /// Set once the first account has logged in; the token outlives restarts.
    token: String,
    /// Runs of wrk so far; tells the idempotency keys of one from those of another.
    runs: u32,
    report: Report,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options, binary: &'a Path, directory: &'a Path) -> Self {
        let ticks = answer("getconf", &["CLK_TCK"]).and_then(|text| text.parse().ok());
        Self {
            options,
            binary,
            directory,
            // 100 on every Linux that anybody runs.
            ticks_per_second: ticks.unwrap_or(100.0),
            token: String::new(),
            runs: 0,
            report: Report { machine: machine::describe(directory), ..Report::default() },
        }
    }

    fn measure(mut self) -> Result<Report, Failure> {
        self.report.syncs_before = disk::syncs_per_second(self.directory)?;

        let server = self.start(&[])?;
        self.report.start_fresh_ms = milliseconds(&server);
        self.token = prepare(&server.client())?;
        self.series(&server, &USUAL)?;
        server.stop()?;

        let server = self.start(&[])?;
        self.report.start_again_ms = milliseconds(&server);
        server.stop()?;

        let slow_one_by_one = [ONE_BY_ONE, SLOW_SYNC].concat();
        for (settings, shape) in [
            (&ONE_BY_ONE[..], Shape::OrdersOneByOne),
            (&SLOW_SYNC[..], Shape::OrdersSlowSync),
            (&slow_one_by_one, Shape::OrdersOneByOneSlowSync),
        ] {
            let server = self.start(settings)?;
            self.series(&server, &[(shape, Request::OrderOne)])?;
            server.stop()?;
        }

        self.verify()?;
        self.report.syncs_after = disk::syncs_per_second(self.directory)?;
        Ok(self.report)
    }

    fn launch<'b>(&'b self, options: &'b [&'b str]) -> Launch<'b> {
        Launch { binary: self.binary, directory: self.directory, options }
    }

    fn start(&self, options: &[&str]) -> Result<Server, Failure> {
        println!("xtask: stockroom serve {}", options.join(" "));
        self.launch(options).start()
    }

    /// Measures each shape with each number of connections, the ceiling before and after.
    fn series(&mut self, server: &Server, shapes: &[(Shape, Request)]) -> Result<(), Failure> {
        for &connections in &self.options.connections {
            let mut before = self.ceiling(server, connections)?;
            for &(shape, request) in shapes {
                let ticks = server.cpu_ticks();
                let load = self.load(server, request, connections)?;
                let spent = ticks.zip(server.cpu_ticks()).map(|(from, to)| to.saturating_sub(from));
                let resident_kb = server.resident_kb();
                let after = self.ceiling(server, connections)?;
                let row = Row {
                    shape,
                    connections,
                    load,
                    ceiling: f64::midpoint(before, after),
                    cpu_us: spent.map(|ticks| self.microseconds(ticks) / load.requests),
                    resident_kb,
                };
                println!("xtask: {row}");
                self.report.rows.push(row);
                before = after;
            }
        }
        Ok(())
    }

    /// Requests a second that the server answers when it has nothing to do.
    fn ceiling(&mut self, server: &Server, connections: u32) -> Result<f64, Failure> {
        let load = self.load(server, Request::Get("/healthz"), connections)?;
        self.report.ceilings.push((connections, load));
        Ok(load.requests_per_second)
    }

    fn load(&mut self, server: &Server, request: Request, connections: u32) -> Result<Load, Failure> {
        self.runs += 1;
        let script = self.directory.join("load.lua");
        fs::write(&script, request.script(&self.token, self.runs))
            .map_err(|error| format!("cannot write {}: {error}", script.display()))?;
        wrk::run(
            &server.address.to_string(),
            &script,
            connections,
            self.options.threads,
            self.options.seconds,
        )
        .map_err(|failure| {
            format!("{request:?}, {connections} connections: {failure}\n{}", self.launch(&[]).log_tail())
        })
    }

    fn microseconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_second * 1_000_000.0
    }

    /// Has the binary prove that the ledger adds up after everything that was written.
    fn verify(&self) -> Result<(), Failure> {
        println!("xtask: stockroom verify");
        match exit_code(&mut self.launch(&[]).command("verify"))? {
            0 => Ok(()),
            code => Err(format!("stockroom verify found fault with the data (exit code {code})")),
        }
    }
}

fn milliseconds(server: &Server) -> f64 {
    server.start.as_secs_f64() * 1000.0
}

/// Makes the first account, logs it in and fills the catalogue; answers with the access token.
fn prepare(client: &Client) -> Result<String, Failure> {
    let account = json!({ "username": "bench", "password": "correct horse battery staple" });
    let mut first = account.clone();
    first["role"] = json!("admin");
    client.post("/api/v1/auth/register", &first)?;
    let answer = client.post("/api/v1/auth/login", &account)?;
    let token = text(&answer, "access_token")?;

    let client = Client { token: Some(token.clone()), ..client.clone() };
    for number in 1..=PRODUCTS {
        let product =
            json!({ "name": format!("Product {number}"), "price_cents": 1999, "stock_quantity": STOCK });
        let made = client.post("/api/v1/products", &product)?;
        // The scripts count on it.
        if made["id"] != json!(number) {
            return Err(format!("product {number} of a fresh database has the id {}", made["id"]));
        }
    }
    Ok(token)
}

fn text(answer: &Value, member: &str) -> Result<String, Failure> {
    answer[member].as_str().map(str::to_owned).ok_or_else(|| format!("no \"{member}\" in {answer}"))
}

#[cfg(test)]
mod stub;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_filled_through_the_api() {
        let stub = stub::Stub::start();
        let client = Client { address: stub.address, token: None };
        assert_eq!(prepare(&client).as_deref(), Ok("a-token"));
        let seen = stub.requests();
        assert!(seen[0].starts_with("POST /api/v1/auth/register") && seen[0].contains("\"role\":\"admin\""));
        assert!(seen[1].starts_with("POST /api/v1/auth/login"));
        assert!(seen[2].starts_with("POST /api/v1/products") && seen[2].contains("Bearer a-token"));
        assert_eq!(seen.len(), 1002);
    }

    #[test]
    fn a_refused_preparation_names_the_call_and_the_answer() {
        let stub = stub::Stub::start();
        let client = Client { address: stub.address, token: None };
        let failure = client.post("/api/v1/refused", &json!({})).expect_err("a refusal");
        assert!(failure.contains("POST /api/v1/refused answered 409"), "{failure}");
    }

    /// Needs wrk, which only a measurement installs; where it is missing there is nothing to try.
    #[test]
    fn every_script_runs_and_sends_what_it_says() {
        if !crate::process::starts(WRK.program) {
            return;
        }
        let directory = target().join("bench-tests/scripts");
        fs::create_dir_all(&directory).expect("a directory");
        for (request, wanted) in [
            (Request::Get("/healthz"), "GET /healthz"),
            (Request::OrderOne, "\"product_id\":1,"),
            (Request::OrderSpread(1), "\"product_id\":1,"),
            (Request::OrderWithKey, "Idempotency-Key: 9-1-2\r"),
        ] {
            let stub = stub::Stub::start();
            let script = directory.join("load.lua");
            fs::write(&script, request.script("a-token", 9)).expect("a script");
            let load = wrk::run(&stub.address.to_string(), &script, 1, 1, 1).expect("a measurement");
            assert!(load.requests > 1.0, "{load:?}");
            let seen = stub.requests();
            assert!(seen.iter().any(|request| request.contains(wanted)), "{request:?}: {:?}", seen.first());
            assert!(seen[0].contains("Authorization: Bearer a-token"), "{:?}", seen[0]);
        }
        let stub = stub::Stub::start();
        let script = directory.join("refused.lua");
        fs::write(&script, Request::Get("/api/v1/refused").script("a-token", 9)).expect("a script");
        let failure = wrk::run(&stub.address.to_string(), &script, 1, 1, 1).expect_err("refusals");
        assert!(failure.contains("Non-2xx"), "{failure}");
    }
}
