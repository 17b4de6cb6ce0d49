//! A PostgreSQL server that follows another one.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::postgres;
use crate::programs::Kind;
use crate::server::{DATABASE, Server};

/// A streaming standby that its primary waits for: what the primary has answered, the standby has.
///
/// The primary goes on waiting when the standby is gone: that is what synchronous means.
#[derive(Debug)]
pub struct Standby {
    server: Server,
    primary_port: u16,
}

impl Standby {
    /// Copies a durable PostgreSQL server and follows it from then on.
    ///
    /// # Errors
    /// The server is no durable PostgreSQL, or one of the steps failed.
    pub fn of(primary: &Server) -> Result<Self, String> {
        if primary.kind() != Kind::Postgres || !primary.durable() {
            return Err(format!("{} here is not a durable PostgreSQL", primary.title()));
        }
        let beside = primary.directory.path().parent().unwrap_or(Path::new("/tmp"));
        let server = Server::new(beside, Kind::Postgres, true)?;
        let mut standby = Self { server, primary_port: primary.port() };
        standby.copy(primary)?;
        standby.server.launch_on_any_port()?;
        standby.is_awaited_by(primary)?;
        Ok(standby)
    }

    /// Makes a former server, whose data is thrown away, the standby of the one that took its place. Its port stays.
    ///
    /// # Errors
    /// As [`Standby::of`].
    pub fn in_place_of(mut former: Server, primary: &Server) -> Result<Self, String> {
        former.kill()?;
        let data = former.directory.data();
        fs::remove_dir_all(&data).map_err(|error| format!("cannot remove {}: {error}", data.display()))?;
        let mut standby = Self { server: former, primary_port: primary.port() };
        standby.copy(primary)?;
        standby.server.launch()?;
        standby.is_awaited_by(primary)?;
        Ok(standby)
    }

    /// Copies the primary's data, and notes there whom to follow.
    fn copy(&mut self, primary: &Server) -> Result<(), Failure> {
        let copy = self.server.programs().server.with_file_name("pg_basebackup");
        let mut command = self.server.directory.command(&copy)?;
        let origin = format!(
            "host=127.0.0.1 port={} user={} sslmode=disable application_name={}",
            primary.port(),
            postgres::USER,
            self.name()
        );
        command.args(["-d", &origin, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"]);
        self.server.run_to_its_end(command.arg(self.server.directory.data()))
    }

    /// Has the primary wait for the standby. After the copy, so that the standby waits for nobody once it is promoted.
    fn is_awaited_by(&self, primary: &Server) -> Result<(), Failure> {
        primary.query(DATABASE, "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        primary.query(DATABASE, "SELECT pg_reload_conf()")?;
        let name = self.name();
        let followed = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND sync_state <> 'async'"
        );
        primary.await_answer(DATABASE, &followed, "1")
    }

    /// What the primary knows it as.
    fn name(&self) -> String {
        format!("standby_{}", self.server.port())
    }

    /// Makes the standby a primary of its own. The former one must be dead or cut off by then, or there are two.
    ///
    /// # Errors
    /// It did not become one.
    pub fn promote(&self) -> Result<(), String> {
        self.server.query(DATABASE, "SELECT pg_promote()")?;
        self.server.await_answer(DATABASE, "SELECT pg_is_in_recovery()", "f")
    }

    /// The URL of a database of the standby alone.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// The URL of a database of whichever of the two takes writes: the primary's address first, then the standby's.
    #[must_use]
    pub fn pair_url(&self, database: &str) -> String {
        let (own, first) = (format!("127.0.0.1:{}", self.server.port()), self.primary_port);
        let hosts = format!("127.0.0.1:{first},{own}");
        format!("{}?target_session_attrs=read-write", self.server.url(database).replace(&own, &hosts))
    }

    /// The standby's server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The standby's server, to stop and start it.
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The server alone, once it is promoted.
    #[must_use]
    pub fn into_server(self) -> Server {
        self.server
    }
}
