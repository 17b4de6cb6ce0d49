//! MySQL from 8.0.17 and MariaDB from 10.6 on, and what speaks their language.
//!
//! One connection each, with the statements it has prepared; the pool is in [`super::network`].

mod address;
mod errors;
mod farewell;
mod script;
mod session;
mod statements;
mod values;

pub(super) use address::Address;
pub(super) use errors::is_done_already;

use super::dialect::RowSource;
use super::network::{Access, Link, Role, Sql};
use super::set::SetStatement;
use super::{Options, Row, Rows, Value};
use crate::{StoreError, Violation};
use address::{Endpoint, Tls};
use errors::{Stage, certificate_error, classify, is_stale_statement};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Params, Statement};
use session::Server;
use statements::{Statements, Text};
use std::time::Duration;
use tokio::time::Instant;

/// A connection that has been silent for longer is asked whether it still works before a transaction relies on it.
const FRESH: Duration = Duration::from_secs(1);

/// No value, in rows: what is not a single value becomes NULL. MySQL up to 8.0.20 takes JSON's own `null` for a text.
const NULL: &str = "[]";

/// One connection.
pub(super) struct Connection {
    /// Absent while it is dropped.
    conn: Option<Conn>,
    /// Which server it leads to.
    server: String,
    /// Whether the answer to a statement is awaited.
    is_busy: bool,
    role: Role,
    // Boxed, for it moves from hand to hand and is large otherwise.
    statements: Box<Statements>,
    /// What the server takes at once, in bytes.
    max_packet: usize,
    last_used: Instant,
    /// How long the server lets a connection be silent.
    idle_limit: Duration,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            farewell::close(conn, self.is_busy, std::mem::take(&mut self.server));
        }
    }
}

/// What a statement has answered.
struct Answer {
    rows: Vec<mysql_async::Row>,
    affected: u64,
}

impl Connection {
    async fn open(
        address: &Address,
        endpoint: &Endpoint,
        role: Role,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let mut conn = dial(address, endpoint).await.map_err(|error| classify(error, Stage::Connect))?;
        let server = Server::ask(&mut conn).await?;
        // Of several servers only that which is written to knows the latest.
        if server.is_read_only() && (role == Role::Writer || address.endpoints.all().len() > 1) {
            return Err(StoreError::ConnectionLost("the database server only reads at present".into()));
        }
        server.prepare(&mut conn, role, options).await?;
        let row_source = address.row_source.unwrap_or(server.row_source());
        Ok(Self {
            conn: Some(conn),
            server: server.identity(),
            is_busy: false,
            role,
            statements: Box::new(Statements::new(options.statement_cache, row_source)),
            max_packet: server.max_packet(),
            last_used: Instant::now(),
            idle_limit: server.idle_limit(role, options),
        })
    }

    fn conn(&mut self) -> Result<&mut Conn, StoreError> {
        self.conn.as_mut().ok_or_else(|| StoreError::misuse("the connection was closed"))
    }

    fn done(&mut self) {
        self.is_busy = false;
        self.last_used = Instant::now();
    }

    /// BEGIN and its like: no parameters, no answer.
    async fn control(&mut self, sql: &str, stage: Stage) -> Result<(), StoreError> {
        // A COMMIT that nobody waits for any more comes to its end by itself, and others wait for that.
        self.is_busy = stage != Stage::Commit;
        let answer = self.conn()?.query_drop(sql).await;
        self.done();
        answer.map_err(|error| classify(error, stage))
    }

    async fn run(&mut self, text: Text<'_>, params: Vec<mysql_async::Value>) -> Result<Answer, StoreError> {
        if let Text::Sql(Sql::Dynamic(_)) = text
            && params.is_empty()
        {
            // Most likely never run again.
            let sql = self.statements.sql(text)?;
            let rows = self.conn()?.query(sql).await;
            return self.answer(rows).await;
        }
        let statement = self.prepared(text).await?;
        if usize::from(statement.num_params()) != params.len() {
            return Err(StoreError::misuse("a statement has another number of parameters than it wants"));
        }
        let rows = self.conn()?.exec(&statement, Params::Positional(params)).await;
        if !self.statements.keeps_any() {
            self.close(statement).await?;
        }
        self.answer(rows).await
    }

    async fn answer(&mut self, rows: Result<Vec<mysql_async::Row>, Error>) -> Result<Answer, StoreError> {
        match rows {
            Ok(rows) => Ok(Answer { rows, affected: self.conn()?.affected_rows() }),
            Err(error) => {
                if is_stale_statement(&error) {
                    for statement in self.statements.take() {
                        self.close(statement).await?;
                    }
                }
                Err(classify(error, Stage::Statement(self.role)))
            }
        }
    }

    async fn prepared(&mut self, text: Text<'_>) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.known(text) {
            return Ok(statement);
        }
        let sql = self.statements.sql(text)?;
        let role = self.role;
        let prepared = self.conn()?.prep(sql).await;
        let statement = prepared.map_err(|error| classify(error, Stage::Statement(role)))?;
        if let Some(old) = self.statements.keep(text, statement.clone()) {
            self.close(old).await?;
        }
        Ok(statement)
    }

    /// Forgets a prepared statement on the other side, which does not answer.
    async fn close(&mut self, statement: Statement) -> Result<(), StoreError> {
        let role = self.role;
        self.conn()?.close(statement).await.map_err(|error| classify(error, Stage::Statement(role)))
    }

    /// Runs statements in their order, in one round trip if they fit into one packet. An error tells which it was of.
    async fn run_all(&mut self, all: &[(Text<'_>, Vec<Value>)]) -> Result<Vec<Answer>, (usize, StoreError)> {
        if all.len() > 1
            && let Some(script) = self.script(all).map_err(|error| (0, error))?
        {
            return self.run_script(script, all.len()).await;
        }
        let mut answers = Vec::with_capacity(all.len());
        for (text, params) in all {
            let answer = self.run_one(*text, params).await;
            answers.push(answer.map_err(|error| (answers.len(), error))?);
        }
        Ok(answers)
    }

    /// Runs a script of so many statements.
    async fn run_script(
        &mut self,
        script: String,
        statements: usize,
    ) -> Result<Vec<Answer>, (usize, StoreError)> {
        self.is_busy = true;
        let answers = self.ask_script(script, statements).await;
        self.done();
        answers
    }

    async fn ask_script(
        &mut self,
        script: String,
        statements: usize,
    ) -> Result<Vec<Answer>, (usize, StoreError)> {
        let stage = Stage::Statement(self.role);
        let told = |at: usize| move |error| (at, classify(error, stage));
        let conn = self.conn().map_err(|error| (0, error))?;
        let mut answers = Vec::with_capacity(statements);
        let mut result = conn.query_iter(script).await.map_err(told(0))?;
        for at in 0..statements {
            // Asked for first: reading the last row also reads how the next statement begins.
            let affected = result.affected_rows();
            let rows = result.collect().await.map_err(told(at))?;
            answers.push(Answer { rows, affected });
        }
        Ok(answers)
    }

    async fn run_one(&mut self, text: Text<'_>, params: &[Value]) -> Result<Answer, StoreError> {
        if let Some(unfinished) = self.statements.unfinished(text)? {
            let mut sql = String::new();
            script::append(&mut sql, &unfinished, params)?;
            values::fits(sql.len(), self.max_packet)?;
            self.is_busy = true;
            let rows = self.conn()?.query(sql).await;
            let answer = self.answer(rows).await;
            self.done();
            return answer;
        }
        let params = values::parameters(params, self.max_packet)?;
        self.is_busy = true;
        let answer = self.run(text, params).await;
        self.done();
        answer
    }

    /// All statements as one text, unless it is more than the server takes.
    fn script(&mut self, all: &[(Text<'_>, Vec<Value>)]) -> Result<Option<String>, StoreError> {
        let mut script = String::new();
        for (text, params) in all {
            script::append(&mut script, &self.statements.sql(*text)?, params)?;
        }
        Ok(self.if_it_fits(script))
    }

    /// Runs statements over rows in their order, in one round trip if they fit into one packet. An error tells which it
    /// was of.
    async fn run_all_sets(
        &mut self,
        sets: &[(SetStatement, &Rows)],
    ) -> Result<Vec<Answer>, (usize, StoreError)> {
        if sets.len() > 1 {
            let script = self.set_script(sets).map_err(|error| (0, error))?;
            if let Some(script) = self.if_it_fits(script) {
                return self.run_script(script, sets.len()).await;
            }
        }
        if self.statements.row_source() == RowSource::Literals {
            let mut answers = Vec::with_capacity(sets.len());
            for (at, set) in sets.iter().enumerate() {
                let script = self.set_script(std::slice::from_ref(set)).map_err(|error| (at, error))?;
                values::fits(script.len(), self.max_packet).map_err(|error| (at, error))?;
                answers.extend(self.run_script(script, 1).await.map_err(|(_, error)| (at, error))?);
            }
            return Ok(answers);
        }
        // One by one they are prepared, so their texts must be constant.
        let mut all = Vec::with_capacity(sets.len());
        for (at, (set, rows)) in sets.iter().enumerate() {
            let rows = rows.to_json(NULL).map_err(|error| (at, error))?;
            all.push((Text::Set(*set), vec![Value::Text(rows)]));
        }
        self.run_all(&all).await
    }

    /// Statements over rows as one text.
    fn set_script(&mut self, sets: &[(SetStatement, &Rows)]) -> Result<String, StoreError> {
        let mut script = String::new();
        for (set, rows) in sets {
            if !script::append_set(&mut script, *set, rows)? {
                let sql = self.statements.sql(Text::Set(*set))?;
                script::append(&mut script, &sql, &[Value::Text(rows.to_json(NULL)?)])?;
            }
        }
        Ok(script)
    }

    fn if_it_fits(&self, script: String) -> Option<String> {
        Some(script).filter(|script| values::fits(script.len(), self.max_packet).is_ok())
    }
}

/// The server calls every primary key PRIMARY; above the driver it is `table_column_column` on every database.
fn with_key_name(error: StoreError, set: SetStatement) -> StoreError {
    match (error, set) {
        (
            StoreError::Constraint { violation: Violation::Unique, detail, source },
            SetStatement::Insert(rows) | SetStatement::Upsert(rows),
        ) if detail == "PRIMARY" => {
            let detail = format!("{}_{}", rows.table, rows.key.join("_"));
            StoreError::Constraint { violation: Violation::Unique, detail, source }
        }
        (error, _) => error,
    }
}

/// Connects and logs in.
async fn dial(address: &Address, endpoint: &Endpoint) -> Result<Conn, Error> {
    let is_encrypted = address.tls != Tls::Disabled;
    let error = match Conn::new(address.options(endpoint, is_encrypted, None)).await {
        Ok(conn) => return Ok(conn),
        Err(error) => error,
    };
    match &error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) if address.tls == Tls::Preferred => {
            Conn::new(address.options(endpoint, false, None)).await
        }
        // The driver means to pass over the name in the certificate and fails to (mysql_async 0.37.1). So it is told
        // a name that the certificate has: all else about it was found to be right before its name was looked at.
        Error::Io(IoError::Io(io)) if address.tls != Tls::VerifyIdentity => {
            match certificate_error(io).and_then(name_in_certificate) {
                Some(name) => Conn::new(address.options(endpoint, true, Some(name))).await,
                None => Err(error),
            }
        }
        _ => Err(error),
    }
}

/// A name for which a certificate is valid that was found to be valid, but not for the name that was asked for.
fn name_in_certificate(error: &rustls::CertificateError) -> Option<String> {
    let rustls::CertificateError::NotValidForNameContext { presented, .. } = error else { return None };
    presented.iter().find_map(|name| {
        // As in `DnsName("db.example.com")` and `IpAddress(127.0.0.1)`.
        let (_, name) = name.strip_suffix(')')?.split_once('(')?;
        Some(name.trim_matches('"').replace('*', "any"))
    })
}

impl Link for Connection {
    type Address = Address;

    async fn connect(address: &Address, role: Role, options: &Options) -> Result<Self, StoreError> {
        // What one server refuses is no reason to ask the next.
        let is_final = |error: &StoreError| !matches!(error, StoreError::ConnectionLost(_));
        let open = |endpoint| Self::open(address, endpoint, role, options);
        address.endpoints.first_of_use(options.connect_timeout, is_final, open).await
    }

    fn is_open(&self) -> bool {
        // A little less, for the server's clock began earlier.
        self.last_used.elapsed() < self.idle_limit * 3 / 4
            && self.conn.as_ref().is_some_and(|conn| !conn.is_disconnected())
    }

    async fn begin(&mut self, access: Access) -> Result<(), StoreError> {
        let stage = Stage::Statement(self.role);
        match access {
            // It begins with the first statement (see `Server::rules`), which fails where the connection is lost.
            Access::Write if self.last_used.elapsed() < FRESH => Ok(()),
            Access::Write => self.control("START TRANSACTION", stage).await,
            Access::Snapshot => {
                const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                                        START TRANSACTION WITH CONSISTENT SNAPSHOT";
                self.control(SNAPSHOT, stage).await
            }
        }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.control("COMMIT", Stage::Commit).await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.control("ROLLBACK", Stage::Statement(self.role)).await
    }

    async fn query(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let answer = self.run_one(Text::Sql(sql), params).await?;
        answer.rows.into_iter().map(values::row).collect()
    }

    async fn query_all(
        &mut self,
        queries: &[(&'static str, Vec<Value>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let all: Vec<_> =
            queries.iter().map(|(sql, params)| (Text::Sql(Sql::Constant(sql)), params.clone())).collect();
        let answers = self.run_all(&all).await.map_err(|(_, error)| error)?;
        answers.into_iter().map(|answer| answer.rows.into_iter().map(values::row).collect()).collect()
    }

    async fn execute(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<u64, StoreError> {
        self.run_one(Text::Sql(sql), params).await.map(|answer| answer.affected)
    }

    async fn run_sets(&mut self, sets: &[(SetStatement, &Rows)]) -> Result<Vec<u64>, StoreError> {
        let answers = self.run_all_sets(sets).await.map_err(|(at, error)| match sets.get(at) {
            Some((set, _)) => with_key_name(error, *set),
            None => error,
        })?;
        Ok(answers.iter().map(|answer| answer.affected).collect())
    }
}
