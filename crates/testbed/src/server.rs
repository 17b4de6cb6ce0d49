//! One throwaway server.

use std::env;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::directory::{Directory, only_needed_variables};
use crate::processes::{ended, output, signal, within};
use crate::programs::{Kind, Product, Programs, find};
use crate::{Failure, mariadb, ports, postgres};

/// Longest wait for a server to come up, to answer or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a server that waits for something looks for it.
const PAUSE: Duration = Duration::from_millis(10);

/// Ports that are tried when others take them first.
const PORTS: usize = 5;

/// The database that every server has from the start.
pub(crate) const DATABASE: &str = "stockroom";

/// A throwaway database server on a port of 127.0.0.1, with a user who may do everything and needs no password:
/// `stockroom` on PostgreSQL, `root` on MariaDB.
///
/// Dropping it kills its processes and removes its directory. The same happens when the process that owns it ends,
/// even by SIGKILL.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    durable: bool,
    pub(crate) directory: Directory,
    port: u16,
    /// Options besides those that every server has.
    pub(crate) options: Vec<String>,
    /// A statement, and how its answer ends once the server is of use; besides answering at all.
    pub(crate) awaited: Option<(&'static str, &'static str)>,
    child: Option<Child>,
}

impl Server {
    /// Starts a server with an empty database called `stockroom`, in the directory for temporary files.
    ///
    /// A `durable` one has the database's own defaults. Another forgets its last commits when it is killed, and in
    /// return starts and makes tables sooner.
    ///
    /// # Errors
    /// The programs are not installed, or the server did not come up; then with the end of its log.
    pub fn start(kind: Kind, durable: bool) -> Result<Self, String> {
        Self::start_in(&env::temp_dir(), kind, durable)
    }

    /// Starts a server as [`Server::start`] does, with further options on its command line, such as `--read-only`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(kind: Kind, durable: bool, options: &[&str]) -> Result<Self, String> {
        let mut server = Self::new(&env::temp_dir(), kind, durable)?;
        server.options = options.iter().map(|option| (*option).to_owned()).collect();
        server.initialise()?;
        server.launch_on_any_port()?;
        server.create_database()?;
        Ok(server)
    }

    /// Starts a server as [`Server::start`] does, with its data below `parent`: on a disk that is to be measured, say.
    /// The server's user must be able to reach that directory.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_in(parent: &Path, kind: Kind, durable: bool) -> Result<Self, String> {
        let mut server = Self::new(parent, kind, durable)?;
        server.initialise()?;
        server.launch_on_any_port()?;
        server.create_database()?;
        Ok(server)
    }

    /// A server that has a directory and a port, but no data, and does not run.
    pub(crate) fn new(parent: &Path, kind: Kind, durable: bool) -> Result<Self, Failure> {
        let programs = find(kind).ok_or_else(|| kind.missing())?;
        let users = match kind {
            Kind::Postgres => postgres::USERS,
            Kind::MariaDb => mariadb::USERS,
        };
        let directory = Directory::new(parent, &users)?;
        let port = ports::free()?;
        Ok(Self { programs, durable, directory, port, options: Vec::new(), awaited: None, child: None })
    }

    /// Makes an empty data directory.
    pub(crate) fn initialise(&self) -> Result<(), Failure> {
        let mut command = self.directory.command(&self.programs.initialise)?;
        match self.kind() {
            Kind::Postgres => postgres::initialise(&mut command, &self.directory.data()),
            Kind::MariaDb => mariadb::initialise(&mut command, &self.programs, &self.directory.data()),
        }
        self.run_to_its_end(&mut command)
    }

    /// Runs a program that prepares the data.
    pub(crate) fn run_to_its_end(&self, command: &mut Command) -> Result<(), Failure> {
        let began = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let what = match ended(&mut child, began + PATIENCE)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("ended with {status}"),
            None => {
                signal("KILL", &within(self.directory.path()))?;
                format!("did not end within {PATIENCE:?}")
            }
        };
        Err(format!("{:?} {what}:\n{}", command.get_args(), self.directory.log_tail()))
    }

    /// Starts the server, on another port if somebody was quicker to take its own.
    pub(crate) fn launch_on_any_port(&mut self) -> Result<(), Failure> {
        for _ in 1..PORTS {
            match self.launch() {
                Err(failure) if failure.contains("Address already in use") => self.port = ports::free()?,
                other => return other,
            }
        }
        self.launch()
    }

    /// Starts the server on its port and waits until it answers.
    pub(crate) fn launch(&mut self) -> Result<(), Failure> {
        let mut command = self.command()?;
        let began = Instant::now();
        self.child = Some(command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?);
        let what = loop {
            if self.answers() {
                return Ok(());
            }
            if !self.runs() {
                break "ended before it answered".to_owned();
            }
            if began.elapsed() > PATIENCE {
                break format!("did not answer within {PATIENCE:?}");
            }
            thread::sleep(PAUSE);
        };
        self.kill()?;
        Err(format!("{} {what}:\n{}", self.programs.title(), self.directory.log_tail()))
    }

    /// The server's program with all its options.
    pub(crate) fn command(&self) -> Result<Command, Failure> {
        let data = self.directory.data();
        let options = match self.kind() {
            Kind::Postgres => postgres::options(&data, self.port, self.durable),
            Kind::MariaDb => mariadb::options(&self.programs, &data, self.port, self.durable),
        };
        let mut command = self.directory.command(&self.programs.server)?;
        command.args(options).args(&self.options);
        Ok(command)
    }

    pub(crate) fn create_database(&self) -> Result<(), Failure> {
        self.query(self.first_database(), &format!("CREATE DATABASE {DATABASE}")).map(|_| ())
    }

    /// Whether this very server answers, and not somebody else's that got the port, and is of use.
    fn answers(&self) -> bool {
        let where_it_keeps = match self.kind() {
            Kind::Postgres => "SHOW data_directory",
            Kind::MariaDb => "SELECT @@datadir",
        };
        let own = self
            .query(self.first_database(), where_it_keeps)
            .is_ok_and(|answer| Path::new(answer.trim()) == self.directory.data());
        own && self.awaited.is_none_or(|(sql, end)| {
            self.query(self.first_database(), sql).is_ok_and(|answer| answer.trim().ends_with(end))
        })
    }

    /// A database that is there before any was made.
    fn first_database(&self) -> &'static str {
        match self.kind() {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        }
    }

    /// What kind of database this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.programs.product {
            Product::Postgres => Kind::Postgres,
            Product::MariaDb | Product::MySql => Kind::MariaDb,
        }
    }

    /// Name and version, such as `PostgreSQL 15.18`.
    #[must_use]
    pub fn title(&self) -> String {
        self.programs.title()
    }

    /// Whether a killed server keeps what it has committed.
    #[must_use]
    pub fn durable(&self) -> bool {
        self.durable
    }

    /// The programs that the server consists of.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The port on 127.0.0.1; it stays when the server is started again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database of this server. An empty name is that of none on MariaDB, and of the one called
    /// `stockroom` on PostgreSQL, where every connection is to a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        match self.kind() {
            Kind::Postgres => {
                let database = if database.is_empty() { DATABASE } else { database };
                format!("postgres://{}@127.0.0.1:{port}/{database}", postgres::USER)
            }
            Kind::MariaDb => format!("mysql://root@127.0.0.1:{port}/{database}"),
        }
    }

    /// Runs one statement in a database and answers with its rows: a line each, with tabs between the columns.
    ///
    /// # Errors
    /// What the server answers, or that it does not.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut client = Command::new(&self.programs.client);
        only_needed_variables(&mut client);
        match self.kind() {
            Kind::Postgres => postgres::ask(&mut client, self.port, database, sql),
            Kind::MariaDb => mariadb::ask(&mut client, self.port, database, sql),
        }
        let answer = output(&mut client, Instant::now() + PATIENCE)?;
        if answer.status.success() {
            Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).trim().to_owned())
        }
    }

    /// Repeats a statement until it answers as wanted.
    pub(crate) fn await_answer(&self, database: &str, sql: &str, wanted: &str) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let answer = self.query(database, sql);
            if answer.as_ref().is_ok_and(|answer| answer.trim() == wanted) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("'{sql}' answers {answer:?} and not '{wanted}'"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The process that the server's others descend from; `None` while it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the server's first process is there.
    fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends the server as an operator does who is in a hurry: open transactions are rolled back, connections cut.
    /// The data stays.
    ///
    /// # Errors
    /// It did not end; then it has been killed.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let request = match self.programs.product {
            Product::Postgres => "INT",
            Product::MariaDb | Product::MySql => "TERM",
        };
        signal(request, &[child.id()])?;
        // One that is paused would not hear it.
        signal("CONT", &within(self.directory.path()))?;
        let in_time = ended(child, Instant::now() + PATIENCE)?.is_some();
        self.kill()?;
        if in_time { Ok(()) } else { Err(format!("{} did not stop within {PATIENCE:?}", self.title())) }
    }

    /// Kills every process of the server by SIGKILL. The data stays as it is at that moment.
    ///
    /// # Errors
    /// A process outlived it.
    pub fn kill(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let pids = within(self.directory.path());
            signal("KILL", &pids)?;
            let gone = match &mut self.child {
                // Its locks are free when all of its threads have ended, which this waits for.
                Some(child) => ended(child, Instant::now())?.is_some(),
                None => true,
            };
            if gone && pids.is_empty() {
                self.child = None;
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{} outlives SIGKILL: {pids:?}", self.title()));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts a stopped or killed server again, on the same port with the same data.
    ///
    /// # Errors
    /// It runs, or it did not come up; then with the end of its log.
    pub fn start_again(&mut self) -> Result<(), String> {
        if self.runs() {
            return Err(format!("{} runs already", self.title()));
        }
        // One that was killed from outside may have left processes behind.
        self.kill()?;
        self.launch()
    }

    /// Lets no process of the server go on: its connections stay open, new ones are accepted by the kernel, and
    /// nothing is answered.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub fn pause(&self) -> Result<(), String> {
        // The first process first, so that it starts no further ones.
        signal("STOP", self.pid().as_slice())?;
        signal("STOP", &within(self.directory.path()))
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub fn resume(&self) -> Result<(), String> {
        signal("CONT", &within(self.directory.path()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.directory.clear();
        if let Some(child) = &mut self.child {
            // Has ended already, unless the guard itself was killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
