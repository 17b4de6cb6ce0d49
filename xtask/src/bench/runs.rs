//! One whole measurement: servers, runs of the load generator, and what they came to.

use std::fs;
use std::path::Path;

use super::options::Options;
use super::report::{Report, Row, Shape};
use super::server::{Launch, Server, family_cpu_ticks};
use super::wrk::{self, Load, Request};
use super::{Tokens, disk, machine, prepare};
use crate::Failure;
use crate::process::{answer, exit_code};

/// One command a transaction.
pub(super) const ONE_BY_ONE: [&str; 2] = ["--max-batch", "1"];

/// A database that is a process of its own.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: String,
    /// The process that its others are children of.
    pub(super) pid: Option<u32>,
}

/// One whole measurement.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    binary: &'a Path,
    directory: &'a Path,
    /// `None` for a file in the data directory.
    database: Option<Database>,
    /// Ticks of the kernel's clock in a second.
    ticks_per_second: f64,
    /// Set once the accounts are made; tokens outlive restarts.
    tokens: Tokens,
    /// Runs of wrk so far; tells the idempotency keys of one from those of another.
    runs: u32,
    pub(super) report: Report,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        options: &'a Options,
        binary: &'a Path,
        directory: &'a Path,
        database: Option<Database>,
    ) -> Self {
        let ticks = answer("getconf", &["CLK_TCK"]).and_then(|text| text.parse().ok());
        Self {
            options,
            binary,
            directory,
            database,
            // 100 on every Linux that anybody runs.
            ticks_per_second: ticks.unwrap_or(100.0),
            tokens: Tokens::default(),
            runs: 0,
            report: Report { machine: machine::describe(directory), ..Report::default() },
        }
    }

    /// Starts the first server, on an empty database, and fills its catalogue.
    pub(super) fn open(&mut self) -> Result<Server, Failure> {
        self.report.syncs_before = disk::syncs_per_second(self.directory)?;
        let server = self.start(&[])?;
        self.report.start_fresh_ms = milliseconds(&server);
        self.tokens = prepare(&server.client())?;
        Ok(server)
    }

    /// Ends the first server and looks how long another takes to start.
    pub(super) fn restart(&mut self, server: Server) -> Result<(), Failure> {
        server.stop()?;
        let server = self.start(&[])?;
        self.report.start_again_ms = milliseconds(&server);
        server.stop()
    }

    /// Looks whether everything adds up.
    pub(super) fn close(mut self) -> Result<Report, Failure> {
        self.verify()?;
        self.report.syncs_after = disk::syncs_per_second(self.directory)?;
        Ok(self.report)
    }

    fn launch<'b>(&'b self, options: &'b [&'b str]) -> Launch<'b> {
        let database = self.database.as_ref().map(|database| database.url.as_str());
        Launch { binary: self.binary, directory: self.directory, database, options }
    }

    pub(super) fn start(&self, options: &[&str]) -> Result<Server, Failure> {
        println!("xtask: stockroom serve {}", options.join(" "));
        self.launch(options).start()
    }

    /// Measures each shape with each number of connections.
    pub(super) fn series(&mut self, server: &Server, shapes: &[(Shape, Request)]) -> Result<(), Failure> {
        for connections in self.options.connections.clone() {
            self.series_at(server, connections, shapes)?;
        }
        Ok(())
    }

    /// Measures each shape, the ceiling before and after.
    pub(super) fn series_at(
        &mut self,
        server: &Server,
        connections: u32,
        shapes: &[(Shape, Request)],
    ) -> Result<(), Failure> {
        let mut before = self.ceiling(server, connections)?;
        for &(shape, request) in shapes {
            let (ticks, database_ticks) = (server.cpu_ticks(), self.database_ticks());
            let load = self.load(server, request, connections)?;
            let spent = |from: Option<u64>, to: Option<u64>| {
                let ticks = from.zip(to).map(|(from, to)| to.saturating_sub(from));
                ticks.map(|ticks| self.microseconds(ticks) / load.requests)
            };
            let cpu_us = spent(ticks, server.cpu_ticks());
            let database_cpu_us = spent(database_ticks, self.database_ticks());
            let resident_kb = server.resident_kb();
            let after = self.ceiling(server, connections)?;
            let ceiling = f64::midpoint(before, after);
            let row = Row { shape, connections, load, ceiling, cpu_us, resident_kb, database_cpu_us };
            println!("xtask: {row}");
            self.report.rows.push(row);
            before = after;
        }
        Ok(())
    }

    fn database_ticks(&self) -> Option<u64> {
        family_cpu_ticks(self.database.as_ref()?.pid?)
    }

    /// Requests a second that the server answers when it has nothing to do.
    fn ceiling(&mut self, server: &Server, connections: u32) -> Result<f64, Failure> {
        let load = self.load(server, Request::Get("/healthz"), connections)?;
        self.report.ceilings.push((connections, load));
        Ok(load.requests_per_second)
    }

    /// Puts load on one server.
    pub(super) fn load(
        &mut self,
        server: &Server,
        request: Request,
        connections: u32,
    ) -> Result<Load, Failure> {
        let [load] = self.load_all([server], request, connections)?;
        Ok(load)
    }

    /// Puts the same load on several servers at once, each with so many connections.
    pub(super) fn load_all<const SERVERS: usize>(
        &mut self,
        servers: [&Server; SERVERS],
        request: Request,
        connections: u32,
    ) -> Result<[Load; SERVERS], Failure> {
        self.runs += 1;
        let script = self.directory.join("load.lua");
        fs::write(&script, request.script(self.tokens.of(request), self.runs))
            .map_err(|error| format!("cannot write {}: {error}", script.display()))?;
        let Options { threads, seconds, .. } = *self.options;
        let measured = std::thread::scope(|scope| {
            let runs = servers.map(|server| {
                let (address, script) = (server.address.to_string(), &script);
                scope.spawn(move || wrk::run(&address, script, connections, threads, seconds))
            });
            runs.map(|run| run.join().unwrap_or_else(|_| Err("wrk could not be watched".to_owned())))
        });
        let mut loads = Vec::with_capacity(SERVERS);
        for load in measured {
            loads.push(load.map_err(|failure| {
                let log = self.launch(&[]).log_tail();
                format!("{request:?}, {connections} connections: {failure}\n{log}")
            })?);
        }
        loads.try_into().map_err(|_| "there are not as many measurements as servers".to_owned())
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
