//! Orders the usual way: the baseline that `cargo xtask bench` holds Stockroom against on a database on a network.
//!
//! A pool of connections, prepared statements, and one transaction an order: BEGIN, SELECT … FOR UPDATE of the product
//! and its stock, a check, UPDATE of the stock, INSERT of the order, its item, the line of the ledger and the event,
//! COMMIT. It writes the rows that Stockroom writes, into tables of the same shape, one statement a round trip.
//!
//! The comparison is kind to it: there is no HTTP, no JSON and no token; connections and statements are ready before
//! the clock starts; numbers come from a counter in memory, so nobody waits for a row of them; each client has a user
//! of its own.
//!
//! - `usual_way fill URL PRODUCTS` migrates an empty database and fills its catalogue.
//! - `usual_way run URL PRODUCTS CLIENTS CONNECTIONS SECONDS` measures and prints one line of JSON. It fails when the
//!   stock does not add up afterwards.
//!
//! Without one of these words, as `cargo test` starts it, it tries both for a moment in the database that
//! `STOCKROOM_TEST_DATABASE` names, if there is one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is run by hand and by xtask")]

mod load;
mod mysql;
mod postgres;
mod shop;
mod trial;

use std::process::ExitCode;
use std::time::Duration;

use load::{Load, Measured};

/// Why a run stopped, as a sentence for the person who started it.
type Failure = String;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Fill { url: String, products: i64 },
    Run { url: String, load: Load },
    Try,
}

impl Task {
    fn read(args: &[&str]) -> Result<Self, Failure> {
        match *args {
            ["fill", url, products] => Ok(Self::Fill { url: url.to_owned(), products: number(products)? }),
            ["run", url, products, clients, connections, seconds] => {
                let load = Load {
                    products: number(products)?,
                    clients: number(clients)?,
                    connections: number(connections)?,
                    length: Duration::from_secs(number(seconds)?),
                };
                Ok(Self::Run { url: url.to_owned(), load })
            }
            ["fill" | "run", ..] => {
                Err("fill URL PRODUCTS, or run URL PRODUCTS CLIENTS CONNECTIONS SECONDS".to_owned())
            }
            // Whatever else cargo hands to a bench.
            _ => Ok(Self::Try),
        }
    }
}

/// Reads a number from 1.
fn number<N: std::str::FromStr + Default + PartialEq>(text: &str) -> Result<N, Failure> {
    let number = text.parse().ok().filter(|number| *number != N::default());
    number.ok_or_else(|| format!("'{text}' is not a number from 1"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match Task::read(&args) {
        Ok(Task::Fill { url, products }) => shop::fill(&url, products).await,
        Ok(Task::Run { url, load }) => run(&url, &load).await.map(|measured| println!("{}", measured.json())),
        Ok(Task::Try) => trial::run().await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("usual_way: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and looks whether everything that was counted is there and adds up.
async fn run(url: &str, load: &Load) -> Result<Measured, Failure> {
    let before = shop::audit(url).await?;
    let measured = if url.starts_with("postgres") {
        load.measure::<postgres::Connection>(url, before.last_order + 1).await?
    } else {
        load.measure::<mysql::Connection>(url, before.last_order + 1).await?
    };
    let made = shop::audit(url).await?.orders - before.orders;
    if made == measured.orders {
        Ok(measured)
    } else {
        Err(format!("{} orders were placed and {made} are there", measured.orders))
    }
}
