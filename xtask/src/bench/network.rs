//! On a database on a network: the usual shapes, these against orders placed the usual way, and two servers.
//!
//! The database is a throwaway server with its own defaults of durability and buffers that hold the data. Stockroom
//! and the baseline have a database each on it, and take turns.

use std::path::Path;

use testbed::{Kind, Server};

use super::against::{Against, Comparison, Pair};
use super::options::Options;
use super::report::{Report, Shape};
use super::runs::{Bench, Database, ONE_BY_ONE};
use super::usual::{Orders, POOLS, Usual};
use super::wrk::Request;
use super::{PRODUCTS, USUAL};
use crate::Failure;

/// The database that every throwaway server has; Stockroom's.
const OWN: &str = "stockroom";

/// The baseline's.
const USUAL_WAY: &str = "usual_way";

/// What is compared with the usual way: the first of all shapes.
const COMPARED: usize = 2;

/// How many connections two servers share.
const SHARED_OUT: u32 = 64;

/// Measures on a throwaway server below the directory.
pub(super) fn measure(
    options: &Options,
    kind: Kind,
    [binary, baseline]: [&Path; 2],
    directory: &Path,
) -> Result<Report, Failure> {
    let database = start(kind, directory)?;
    let about = describe(&database)?;
    println!("xtask: {about}");
    let usual = Usual { program: baseline, url: database.url(USUAL_WAY) };
    usual.fill(PRODUCTS)?;

    let own = Database { url: database.url(OWN), pid: database.pid() };
    let mut bench = Bench::new(options, binary, directory, Some(own));
    let server = bench.open()?;
    let mut against = Against { database: about, ..Against::default() };
    for &connections in &options.connections {
        for &(shape, request) in &USUAL[..COMPARED] {
            let before = baseline_runs(&usual, options, request, connections)?;
            bench.series_at(&server, connections, &[(shape, request)])?;
            let after = baseline_runs(&usual, options, request, connections)?;
            let load = bench.report.rows.last().ok_or("nothing was measured")?.load;
            against.comparisons.push(Comparison { shape, connections, load, usual: [before, after] });
        }
        bench.series_at(&server, connections, &USUAL[COMPARED..])?;
    }
    against.pair = Some(pair(&mut bench, &server)?);
    bench.restart(server)?;

    let server = bench.start(&ONE_BY_ONE)?;
    bench.series(&server, &[(Shape::OrdersOneByOne, Request::OrderOne)])?;
    server.stop()?;

    bench.report.against = Some(against);
    bench.close()
}

/// The baseline with each size of its pool.
fn baseline_runs(
    usual: &Usual<'_>,
    options: &Options,
    request: Request,
    clients: u32,
) -> Result<[Orders; POOLS.len()], Failure> {
    let products = if let Request::OrderSpread(products) = request { products } else { 1 };
    let mut measured = Vec::with_capacity(POOLS.len());
    for pool in POOLS {
        let orders = usual.orders(products, clients, pool, options.seconds)?;
        println!(
            "xtask: the usual way, products: {products}, clients: {clients}, pool of {pool}: {:.0}/s, p99 {:.1} ms",
            orders.per_second, orders.p99_ms
        );
        measured.push(orders);
    }
    measured.try_into().map_err(|_| "not every pool was measured".to_owned())
}

/// One server alone, two that share the connections, one alone again.
fn pair(bench: &mut Bench<'_>, first: &super::server::Server) -> Result<Pair, Failure> {
    let before = bench.load(first, Request::OrderOne, SHARED_OUT)?;
    let second = bench.start(&[])?;
    let both = bench.load_all([first, &second], Request::OrderOne, SHARED_OUT / 2)?;
    second.stop()?;
    let after = bench.load(first, Request::OrderOne, SHARED_OUT)?;
    println!("xtask: two servers: {both:?}\nxtask: one server: {before:?}, {after:?}");
    Ok(Pair { connections: SHARED_OUT, both, alone: [before, after] })
}

/// Buffers that hold the data, and a log that is not moved aside all the time. PostgreSQL takes the first at its next
/// start alone.
fn settings(kind: Kind) -> [&'static str; 2] {
    match kind {
        Kind::Postgres => {
            ["ALTER SYSTEM SET shared_buffers = '1GB'", "ALTER SYSTEM SET max_wal_size = '4GB'"]
        }
        Kind::MariaDb => [
            "SET GLOBAL innodb_buffer_pool_size = 1073741824",
            "SET GLOBAL innodb_log_file_size = 1073741824",
        ],
    }
}

/// What makes an answered commit outlive a power cut, and must be on.
fn promises(kind: Kind) -> [(&'static str, &'static str, &'static str); 2] {
    match kind {
        Kind::Postgres => {
            [("fsync", "SHOW fsync", "on"), ("synchronous_commit", "SHOW synchronous_commit", "on")]
        }
        Kind::MariaDb => [
            ("innodb_flush_log_at_trx_commit", "SELECT @@innodb_flush_log_at_trx_commit", "1"),
            ("innodb_doublewrite", "SELECT @@innodb_doublewrite", "1"),
        ],
    }
}

/// A durable server with an empty database for each side.
fn start(kind: Kind, directory: &Path) -> Result<Server, Failure> {
    let mut database = Server::start_in(directory, kind, true)?;
    for setting in settings(kind) {
        // Not every version knows every setting by this name; what it keeps then is its own default.
        if let Err(refusal) = database.query(OWN, setting) {
            println!("xtask: {setting}: {refusal}");
        }
    }
    if kind == Kind::Postgres {
        database.stop()?;
        database.start_again()?;
    }
    database.query(OWN, &format!("CREATE DATABASE {USUAL_WAY}"))?;
    Ok(database)
}

/// The database's name and version, and that it keeps what it promises.
fn describe(database: &Server) -> Result<String, Failure> {
    let mut text = database.title();
    for (name, question, wanted) in promises(database.kind()) {
        let answer = database.query(OWN, question)?;
        if answer.trim() != wanted {
            return Err(format!(
                "{text} has {name} = {}, so its figures would be worth nothing",
                answer.trim()
            ));
        }
        text.push_str(&format!(", {name} = {wanted}"));
    }
    Ok(text)
}
