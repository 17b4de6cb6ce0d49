//! `cargo xtask bench`: measures the release server on a fresh database on the machine's own disk: a SQLite file, or a
//! throwaway PostgreSQL or MariaDB (see `network`).
//!
//! Every figure stands beside the ceiling (`GET /healthz`) measured right before and right after it with as many
//! connections, because a shared machine swings from minute to minute and a ratio swings less.

mod against;
mod disk;
pub(crate) mod http;
mod machine;
mod network;
mod options;
mod reads;
mod report;
mod runs;
pub(crate) mod server;
pub(crate) mod table;
mod usual;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use serde_json::{Value, json};
use testbed::Kind;

use crate::Failure;
use crate::process::{cargo, require};
use http::Client;
use options::Options;
use report::{Report, Shape};
use runs::{Bench, ONE_BY_ONE};
use wrk::{Request, WRK};

/// Products that the spread orders are spread over.
const PRODUCTS: u32 = 1000;

/// Pieces of each product: more than any run can sell.
const STOCK: i64 = 1_000_000_000;

/// How much longer each sync takes in the runs that imitate a plain disk.
const SLOW_SYNC: [&str; 2] = ["--test-sync-delay-us", "3000"];

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
    if let Some(("reads", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return reads::run(rest);
    }
    let options = Options::read(args)?;
    require(&WRK)?;
    options.database.require()?;
    let kind = options.database.kind();
    let [binary, baseline] = programs(&options, kind.is_some())?;
    let workplace = Workplace::new(options.keep)?;
    let (report, command) = match kind {
        None => (measure(&options, &binary, &workplace.path)?, "cargo xtask bench"),
        Some(kind) => {
            let command = match kind {
                Kind::Postgres => "cargo xtask bench --database postgres",
                Kind::MariaDb => "cargo xtask bench --database mysql",
            };
            (network::measure(&options, kind, [&binary, &baseline], &workplace.path)?, command)
        }
    };

    println!("\n{report}");
    if let Some(file) = &options.markdown {
        table::write_into(file, command, &report.to_string())?;
        println!("xtask: written to {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The server, and the baseline where one is needed. What is not given is built, with the release profile and all at
/// once: one after the other, each would compile the dependencies anew for its own choice of their features.
fn programs(options: &Options, with_baseline: bool) -> Result<[PathBuf; 2], Failure> {
    let mut selection = Vec::new();
    if options.binary.is_none() {
        selection.extend(["--package", "stockroom", "--bin", "stockroom"]);
    }
    if with_baseline {
        selection.extend(["--package", "store", "--bench", "usual_way"]);
    }
    let messages = if selection.is_empty() { String::new() } else { build(&selection)? };
    let binary = match &options.binary {
        Some(binary) => {
            binary.canonicalize().map_err(|error| format!("cannot find {}: {error}", binary.display()))?
        }
        None => executable(&messages, "stockroom").ok_or("cargo built no server")?,
    };
    let baseline = match with_baseline {
        true => executable(&messages, "usual_way").ok_or("cargo built no baseline")?,
        false => PathBuf::new(),
    };
    Ok([binary, baseline])
}

/// Builds and answers with what cargo says of it, which alone knows where the programs are: the name of a bench ends
/// in a hash.
fn build(selection: &[&str]) -> Result<String, Failure> {
    println!("xtask: cargo build --release --locked {}", selection.join(" "));
    let output = cargo()
        .args(["build", "--release", "--locked", "--message-format=json-render-diagnostics"])
        .args(selection)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err("the release build failed".to_owned())
    }
}

/// The path of a program, of what cargo says about a build.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut artifacts = messages.filter(|message| message["target"]["name"] == name);
    artifacts.find_map(|artifact| Some(PathBuf::from(artifact["executable"].as_str()?)))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
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

/// Measures on SQLite.
fn measure(options: &Options, binary: &Path, directory: &Path) -> Result<Report, Failure> {
    let mut bench = Bench::new(options, binary, directory, None);
    let server = bench.open()?;
    bench.series(&server, &USUAL)?;
    bench.restart(server)?;
    let slow_one_by_one = [ONE_BY_ONE, SLOW_SYNC].concat();
    for (settings, shape) in [
        (&ONE_BY_ONE[..], Shape::OrdersOneByOne),
        (&SLOW_SYNC[..], Shape::OrdersSlowSync),
        (&slow_one_by_one, Shape::OrdersOneByOneSlowSync),
    ] {
        let server = bench.start(settings)?;
        bench.series(&server, &[(shape, Request::OrderOne)])?;
        server.stop()?;
    }
    bench.close()
}

/// The access tokens of those who put load on the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tokens {
    /// Looks at the shop: all lists of it, and not those of the one who ordered everything.
    staff: String,
    /// Places the orders, as in real use: what staff do is in the audit log besides.
    customer: String,
}

impl Tokens {
    /// Whose request that is.
    fn of(&self, request: Request) -> &str {
        if matches!(request, Request::Get(_)) { &self.staff } else { &self.customer }
    }
}

/// Makes the first account, fills the catalogue with it, and makes a customer.
fn prepare(client: &Client) -> Result<Tokens, Failure> {
    let account = json!({ "username": "bench", "password": "correct horse battery staple" });
    let mut first = account.clone();
    first["role"] = json!("admin");
    client.post("/api/v1/auth/register", &first)?;
    let token = text(&client.post("/api/v1/auth/login", &account)?, "access_token")?;
    let staff = Client { token: Some(token.clone()), ..client.clone() };
    for number in 1..=PRODUCTS {
        let product =
            json!({ "name": format!("Product {number}"), "price_cents": 1999, "stock_quantity": STOCK });
        let made = staff.post("/api/v1/products", &product)?;
        // The scripts count on it.
        if made["id"] != json!(number) {
            return Err(format!("product {number} of a fresh database has the id {}", made["id"]));
        }
    }
    let customer = json!({ "username": "customer", "password": "correct horse battery staple" });
    client.post("/api/v1/auth/register", &customer)?;
    let customer = text(&client.post("/api/v1/auth/login", &customer)?, "access_token")?;
    Ok(Tokens { staff: token, customer })
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
    fn a_program_is_found_in_what_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"store\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"usual_way\"},\"executable\":\"/t/usual_way-1\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages, "usual_way"), Some(PathBuf::from("/t/usual_way-1")));
        assert_eq!(executable(messages, "store"), None);
    }

    #[test]
    fn the_catalogue_is_filled_through_the_api() {
        let stub = stub::Stub::start();
        let client = Client { address: stub.address, token: None };
        let token = || "a-token".to_owned();
        assert_eq!(prepare(&client), Ok(Tokens { staff: token(), customer: token() }));
        let seen = stub.requests();
        assert!(seen[0].starts_with("POST /api/v1/auth/register") && seen[0].contains("\"role\":\"admin\""));
        assert!(seen[1].starts_with("POST /api/v1/auth/login"));
        assert!(seen[2].starts_with("POST /api/v1/products") && seen[2].contains("Bearer a-token"));
        let [.., made, logged_in] = seen.as_slice() else { panic!("{seen:?}") };
        assert!(made.starts_with("POST /api/v1/auth/register") && !made.contains("role"), "{made}");
        assert!(logged_in.starts_with("POST /api/v1/auth/login") && !logged_in.contains("Bearer"));
        assert_eq!(seen.len(), 1004);
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
