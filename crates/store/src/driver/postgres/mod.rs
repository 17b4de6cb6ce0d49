//! PostgreSQL: one connection, which sends as much as it can without waiting for answers in between.
//!
//! BEGIN goes out with the first statements. Statements are prepared once for each connection; with
//! [`Options::statement_cache`] = 0 none is, and the session has no settings of its own, so that a pooler that hands
//! out a connection for each transaction may stand in between (PgBouncer in transaction mode, of any version).

mod address;
mod errors;
mod pipeline;
mod session;
mod statements;
mod values;

pub(super) use address::Address;

use super::network::{Access, Link, Role, Sql};
use super::set::SetStatement;
use super::{Options, Row, Rows, Value};
use crate::StoreError;
use address::Schema;
use futures_util::FutureExt as _;
use futures_util::future::join;
use session::{Carrier, Session};
use statements::{Found, Ready, Statements, Wanted};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, SimpleQueryMessage};
use values::Param;

/// A connection that nobody has used for this long is asked for a sign of life before statements depend on it.
const LONG_IDLE: Duration = Duration::from_secs(1);

const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none.
    None,
    /// It is to begin with the next statement.
    Wanted(Access),
    Open,
    /// A statement failed, so that the server will undo it whatever is asked of it.
    Failed,
}

/// One connection.
pub(super) struct Connection {
    // Boxed, for it moves from hand to hand and is large otherwise.
    client: Box<Client>,
    carrier: Carrier,
    statements: Box<Statements>,
    role: Role,
    phase: Phase,
    /// It leads nowhere, or nobody knows where.
    is_broken: bool,
    used_at: Instant,
    begin_write: String,
    schema: Option<Arc<Schema>>,
    /// Whether the open transaction has made the schema.
    makes_schema: bool,
}

// The operations are boxed, each on its own: their futures are nested so deeply that otherwise compiling whoever uses
// the store would take long, or fail.
impl Link for Connection {
    type Address = Address;

    async fn connect(address: &Address, role: Role, options: &Options) -> Result<Self, StoreError> {
        let Session { client, carrier } = session::open(address, role, options).boxed().await?;
        let begin_write = if options.statement_cache == 0 {
            format!("{BEGIN_WRITE}; {}", session::limits(Role::Writer, options, "SET LOCAL"))
        } else {
            BEGIN_WRITE.to_owned()
        };
        Ok(Self {
            client: Box::new(client),
            carrier,
            statements: Box::new(Statements::new(options.statement_cache)),
            role,
            phase: Phase::None,
            is_broken: false,
            used_at: Instant::now(),
            begin_write,
            schema: address.schema(),
            makes_schema: false,
        })
    }

    fn is_open(&self) -> bool {
        !self.is_broken && !self.client.is_closed() && self.carrier.is_running()
    }

    async fn begin(&mut self, access: Access) -> Result<(), StoreError> {
        if self.phase != Phase::None {
            return Err(StoreError::misuse("a transaction is open already"));
        }
        self.phase = Phase::Wanted(access);
        self.makes_schema = false;
        match self.schema.clone() {
            Some(schema) if access == Access::Write && !schema.is_there() => {
                self.make_schema(&schema).boxed().await
            }
            _ if self.used_at.elapsed() >= LONG_IDLE => self.send_begin().boxed().await,
            _ => Ok(()),
        }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.phase, Phase::None) {
            Phase::None => Err(StoreError::misuse("there is no transaction to commit")),
            Phase::Wanted(_) => Ok(()),
            Phase::Open => match self.client.batch_execute("COMMIT").boxed().await {
                Ok(()) => {
                    self.end();
                    Ok(())
                }
                Err(error) => Err(self.note(errors::of_commit(error))),
            },
            // COMMIT would be answered as if nothing were wrong, but for a word that the driver does not show.
            Phase::Failed => {
                self.phase = Phase::Failed;
                self.roll_back().await?;
                Err(StoreError::misuse("a transaction with a failed statement cannot be committed"))
            }
        }
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.phase, Phase::None) {
            Phase::None | Phase::Wanted(_) => Ok(()),
            Phase::Open | Phase::Failed => {
                let done = self.client.batch_execute("ROLLBACK").boxed().await;
                self.used_at = Instant::now();
                done.map_err(|error| self.note(errors::of_statement(error, self.role)))
            }
        }
    }

    async fn query(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let params = Param::all(params)?;
        let answers = self.fetch(&[Wanted::Sql(sql)], &[params]).boxed().await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    async fn query_all(
        &mut self,
        queries: &[(&'static str, Vec<Value>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let wanted: Vec<_> = queries.iter().map(|(sql, _)| Wanted::Sql(Sql::Constant(sql))).collect();
        let params = queries.iter().map(|(_, params)| Param::all(params)).collect::<Result<Vec<_>, _>>()?;
        self.fetch(&wanted, &params).boxed().await
    }

    async fn execute(&mut self, sql: Sql<'_>, params: &[Value]) -> Result<u64, StoreError> {
        let params = Param::all(params)?;
        let affected = match sql {
            Sql::Constant(_) => self.run(&[Wanted::Sql(sql)], &[params]).boxed().await?,
            // Most often to define something, and never to be seen again.
            Sql::Dynamic(_) => {
                let text = self.statements.text(Wanted::Sql(sql))?;
                self.send_begin().boxed().await?;
                self.send_writes(&[Ready::Text(text)], &[params]).boxed().await?
            }
        };
        Ok(affected.into_iter().sum())
    }

    async fn run_sets(&mut self, sets: &[(SetStatement, &Rows)]) -> Result<Vec<u64>, StoreError> {
        let wanted: Vec<_> = sets.iter().map(|(statement, _)| Wanted::Set(*statement)).collect();
        let rows =
            sets.iter().map(|(_, rows)| rows.to_value().map(|rows| [rows])).collect::<Result<Vec<_>, _>>()?;
        let params = rows.iter().map(|rows| Param::all(rows)).collect::<Result<Vec<_>, _>>()?;
        self.run(&wanted, &params).boxed().await
    }
}

impl Connection {
    /// Runs queries, in one round trip when they are prepared.
    async fn fetch(
        &mut self,
        wanted: &[Wanted<'_>],
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let ready = self.prepare(wanted).await?;
        check(&ready, params)?;
        let (begin, client) = (self.take_begin(), &*self.client);
        let queries = ready.iter().zip(params).map(|(ready, params)| fetch(client, ready, params));
        let (begun, answers) = join(begin_with(client, begin.as_deref()), pipeline::in_order(queries)).await;
        self.begun(begin.is_some(), begun)?;
        self.first_error(answers)?.iter().map(|rows| values::read(rows)).collect()
    }

    /// Runs statements that write, in one round trip when they are prepared.
    async fn run(
        &mut self,
        wanted: &[Wanted<'_>],
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<u64>, StoreError> {
        let ready = self.prepare(wanted).await?;
        // Sent along with it, they would happen outside any transaction should BEGIN alone fail.
        self.send_begin().await?;
        self.send_writes(&ready, params).await
    }

    async fn send_writes(
        &mut self,
        ready: &[Ready],
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<u64>, StoreError> {
        check(ready, params)?;
        let client = &*self.client;
        let writes = ready.iter().zip(params).map(|(ready, params)| execute(client, ready, params));
        let answers = pipeline::in_order(writes).await;
        self.first_error(answers)
    }

    /// The statements, after preparing those that are not yet, all in one round trip.
    async fn prepare(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Ready>, StoreError> {
        let found =
            wanted.iter().map(|wanted| self.statements.find(*wanted)).collect::<Result<Vec<_>, _>>()?;
        let missing: Vec<_> = found
            .iter()
            .filter_map(|found| if let Found::Missing(text) = found { Some(text) } else { None })
            .collect();
        let mut prepared = Vec::new();
        if !missing.is_empty() {
            let (begin, client) = (self.take_begin(), &*self.client);
            let preparing = pipeline::in_order(missing.into_iter().map(|text| client.prepare(text)));
            let (begun, answers) = join(begin_with(client, begin.as_deref()), preparing).await;
            self.begun(begin.is_some(), begun)?;
            prepared = self.first_error(answers)?;
        }
        let mut prepared = prepared.into_iter();
        let mut ready = Vec::with_capacity(wanted.len());
        for (wanted, found) in wanted.iter().zip(found) {
            ready.push(match found {
                Found::Ready(ready) => ready,
                Found::Missing(_) => {
                    let missing = || StoreError::misuse("a statement was not prepared");
                    let statement = prepared.next().ok_or_else(missing)?;
                    self.statements.keep(*wanted, &statement);
                    Ready::Prepared(statement)
                }
            });
        }
        Ok(ready)
    }

    /// What begins the transaction that is wanted. Whoever takes it, sends it.
    fn take_begin(&mut self) -> Option<String> {
        let Phase::Wanted(access) = self.phase else { return None };
        self.phase = Phase::Open;
        Some(match access {
            Access::Write => self.begin_write.clone(),
            Access::Snapshot => BEGIN_SNAPSHOT.to_owned(),
        })
    }

    async fn send_begin(&mut self) -> Result<(), StoreError> {
        let begin = self.take_begin();
        let begun = begin_with(&self.client, begin.as_deref()).await;
        self.begun(begin.is_some(), begun)
    }

    /// Looks at the answer to BEGIN. When that failed, what was sent along happened outside any transaction.
    fn begun(&mut self, was_sent: bool, answer: Result<(), Error>) -> Result<(), StoreError> {
        answer.map_err(|error| {
            self.is_broken |= was_sent;
            self.note(errors::of_statement(error, self.role))
        })
    }

    /// All answers, or the first error. Those that follow it only say that something has failed before.
    fn first_error<T>(&mut self, answers: Vec<Result<T, Error>>) -> Result<Vec<T>, StoreError> {
        self.used_at = Instant::now();
        let answers: Result<Vec<_>, _> = answers.into_iter().collect();
        answers.map_err(|error| {
            if errors::forgets_statements(&error) {
                self.statements.forget();
            }
            self.note(errors::of_statement(error, self.role))
        })
    }

    /// Remembers what an error means for this connection.
    fn note(&mut self, error: StoreError) -> StoreError {
        if self.phase == Phase::Open {
            self.phase = Phase::Failed;
        }
        self.is_broken |= matches!(error, StoreError::ConnectionLost(_));
        error
    }

    /// After a commit.
    fn end(&mut self) {
        self.used_at = Instant::now();
        if std::mem::take(&mut self.makes_schema)
            && let Some(schema) = &self.schema
        {
            schema.seen();
        }
    }

    /// Begins, and makes the schema as a part of the transaction. Of two servers that do so at once, the second waits
    /// for the first, and is then told to try again.
    async fn make_schema(&mut self, schema: &Schema) -> Result<(), StoreError> {
        self.send_begin().await?;
        let name = schema.name().replace('\'', "''");
        let look = format!("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = '{name}'");
        let found = self.client.simple_query(&look).await;
        let found = found.map_err(|error| self.note(errors::of_statement(error, self.role)))?;
        if found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))) {
            schema.seen();
            return Ok(());
        }
        let made = self.client.batch_execute(&format!("CREATE SCHEMA {}", schema.identifier())).await;
        made.map_err(|error| {
            let may_not = error.code().is_some_and(|code| code.code() == "42501");
            let error = self.note(errors::of_statement(error, self.role));
            if may_not {
                return StoreError::unsupported(
                    "the schema that the database URL names does not exist, and this user may not create it",
                );
            }
            error
        })?;
        self.makes_schema = true;
        Ok(())
    }
}

async fn begin_with(client: &Client, begin: Option<&str>) -> Result<(), Error> {
    match begin {
        Some(begin) => client.batch_execute(begin).await,
        None => Ok(()),
    }
}

/// Whether the parameters are what the statements want, as far as is known here.
fn check(ready: &[Ready], params: &[Vec<Param<'_>>]) -> Result<(), StoreError> {
    ready.iter().zip(params).try_for_each(|(ready, params)| match ready {
        Ready::Prepared(statement) => values::check(params, statement.params()),
        Ready::Text(_) => Ok(()),
    })
}

async fn fetch(
    client: &Client,
    ready: &Ready,
    params: &[Param<'_>],
) -> Result<Vec<tokio_postgres::Row>, Error> {
    match ready {
        Ready::Prepared(statement) => client.query(statement, &untyped(params)).await,
        Ready::Text(sql) => client.query_typed(sql, &typed(params)).await,
    }
}

async fn execute(client: &Client, ready: &Ready, params: &[Param<'_>]) -> Result<u64, Error> {
    match ready {
        Ready::Prepared(statement) => client.execute(statement, &untyped(params)).await,
        Ready::Text(sql) => client.execute_typed(sql, &typed(params)).await,
    }
}

fn untyped<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn typed<'a>(params: &'a [Param<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param as &(dyn ToSql + Sync), param.type_())).collect()
}
