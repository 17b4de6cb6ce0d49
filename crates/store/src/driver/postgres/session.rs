//! Opening a connection and telling the server how it will be used.

use super::address::Address;
use super::{errors, pipeline};
use crate::StoreError;
use crate::driver::Options;
use crate::driver::network::Role;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Error, NoTls, Socket};

/// A transaction whose owner has stopped, but not hung up, is ended by the server this much after the longest
/// statement: until then it keeps everybody from the rows it has locked.
const IDLE_MARGIN: Duration = Duration::from_secs(5);

/// Settings that not every server has that speaks PostgreSQL's protocol. Each is asked for on its own, and its refusal
/// is ignored.
const WISHES: &[&str] = &[
    // Who has hung up does not wait for the answer: the server stops working on it. (PostgreSQL 14)
    "SET client_connection_check_interval = '2s'",
    // A peer that is gone without a word is noticed within half a minute, and its locks are released.
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = '25s'",
    // No statement here runs for so long that compiling it would pay.
    "SET jit = off",
];

/// The same for those who write, and who find each row by its key. A plan is made once for each connection, most often in
/// a shop that is empty, where reading all of a table costs nothing; kept, it would cost more with every order, until
/// the server happens to look at its statistics again. The checks of foreign keys are planned likewise.
const WISHES_OF_WRITERS: &[&str] =
    &["SET enable_seqscan = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off"];

/// An open connection. Dropping it closes the socket at once, whatever is under way.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) carrier: Carrier,
}

/// The task that carries messages between the client and the socket, which it owns.
pub(super) struct Carrier(JoinHandle<Result<(), Error>>);

impl Carrier {
    pub(super) fn is_running(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects to the first host that can be used.
///
/// # Errors
/// [`StoreError::Unsupported`] when one of them says that this will never work, otherwise what the last one said.
pub(super) async fn open(address: &Address, role: Role, options: &Options) -> Result<Session, StoreError> {
    if options.statement_cache == 0 && address.schema().is_some() {
        return Err(StoreError::unsupported(
            "without prepared statements (a statement cache of 0, for poolers that hand out a connection for each \
             transaction) the schema cannot be chosen by the URL; use ALTER ROLE … SET search_path = …",
        ));
    }
    let is_final = |error: &StoreError| matches!(error, StoreError::Unsupported { .. });
    let open = |host| open_one(address, host, role, options);
    address.hosts().first_of_use(options.connect_timeout, is_final, open).await
}

async fn open_one(
    address: &Address,
    host: &Config,
    role: Role,
    options: &Options,
) -> Result<Session, StoreError> {
    let connected = match address.tls() {
        None => connect(host, NoTls).await,
        Some(tls) => match connect(host, tls).await {
            Err(Refusal::Server(error)) if address.may_fall_back() && errors::is_about_tls(&error) => {
                let mut plain = host.clone();
                plain.ssl_mode(SslMode::Disable);
                connect(&plain, NoTls).await
            }
            connected => connected,
        },
    };
    let session = connected.map_err(|refusal| match refusal {
        Refusal::Server(error) => errors::while_connecting(error),
        Refusal::Encoding => StoreError::unsupported(
            "the PostgreSQL database cannot hold every text: create it with ENCODING 'UTF8' TEMPLATE template0",
        ),
    })?;
    // Behind a pooler that hands a connection out for each transaction, settings would reach others.
    if options.statement_cache > 0 {
        prepare(&session.client, address, role, options).await?;
    }
    Ok(session)
}

enum Refusal {
    Server(Error),
    Encoding,
}

async fn connect<T>(host: &Config, tls: T) -> Result<Session, Refusal>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = host.connect(tls).await.map_err(Refusal::Server)?;
    if connection.parameter("server_encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("UTF8"))
    {
        return Err(Refusal::Encoding);
    }
    Ok(Session { client, carrier: Carrier(tokio::spawn(connection)) })
}

/// Makes the settings, all in one round trip.
async fn prepare(
    client: &Client,
    address: &Address,
    role: Role,
    options: &Options,
) -> Result<(), StoreError> {
    let mut settings = format!(
        "SET client_min_messages = warning; SET standard_conforming_strings = on; {}",
        limits(role, options, "SET"),
    );
    if let Some(schema) = address.schema() {
        settings = format!("{settings}; SET search_path TO {}", schema.identifier());
    }
    let of_role = if role == Role::Writer { WISHES_OF_WRITERS } else { &[] };
    let wishes = WISHES.iter().chain(of_role).map(|wish| client.batch_execute(wish));
    let asked = pipeline::in_order(std::iter::once(client.batch_execute(&settings)).chain(wishes));
    match asked.await.into_iter().next() {
        Some(Err(error)) => Err(errors::of_statement(error, role)),
        _ => Ok(()),
    }
}

/// The limits for what a connection or, with `SET LOCAL`, a transaction is for.
pub(super) fn limits(role: Role, options: &Options, set: &str) -> String {
    match role {
        // Nothing cuts a statement short: a COMMIT that waits for a standby would be answered as if the standby had it.
        Role::Writer => format!(
            "{set} statement_timeout = 0; {set} lock_timeout = {}; {set} idle_in_transaction_session_timeout = {}",
            milliseconds(options.lock_timeout),
            milliseconds(options.statement_timeout.saturating_add(IDLE_MARGIN)),
        ),
        Role::Reader => format!(
            "{set} statement_timeout = {}; {set} default_transaction_read_only = on",
            milliseconds(options.statement_timeout)
        ),
    }
}

/// 0 would stand for no limit.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_limited_while_it_waits_and_a_reader_while_it_works() {
        let options = Options {
            lock_timeout: Duration::ZERO,
            statement_timeout: Duration::from_secs(3),
            ..Options::default()
        };
        assert_eq!(
            limits(Role::Writer, &options, "SET LOCAL"),
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 1; SET LOCAL idle_in_transaction_session_timeout = 8000"
        );
        let reader = limits(Role::Reader, &options, "SET");
        assert_eq!(reader, "SET statement_timeout = 3000; SET default_transaction_read_only = on");
        assert_eq!(milliseconds(Duration::MAX), i32::MAX);
    }
}
