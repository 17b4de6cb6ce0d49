//! A PostgreSQL server that follows another one.

use std::path::Path;

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
        let mut server = Server::new(beside, Kind::Postgres, true)?;
        let copy = server.programs().server.with_file_name("pg_basebackup");
        let mut command = server.directory.command(&copy)?;
        let name = format!("standby_{}", server.port());
        let origin = format!(
            "host=127.0.0.1 port={} user={} sslmode=disable application_name={name}",
            primary.port(),
            postgres::USER
        );
        command.args(["-d", &origin, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"]);
        server.run_to_its_end(command.arg(server.directory.data()))?;
        server.launch_on_any_port()?;

        // After the copy, so that the standby waits for nobody once it is promoted.
        primary.query(DATABASE, "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        primary.query(DATABASE, "SELECT pg_reload_conf()")?;
        let followed = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND sync_state <> 'async'"
        );
        primary.await_answer(DATABASE, &followed, "1")?;
        Ok(Self { server, primary_port: primary.port() })
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
}
