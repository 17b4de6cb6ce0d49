//! How a connection ends.
//!
//! A server does not look whether anybody is still there while it carries out a statement. So one that was given up is
//! stopped by way of another connection: otherwise whoever asks for long lists and hangs up would keep the server busy,
//! and a transaction that nobody waits for any more would go on waiting for its locks.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long any of this may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// As `Server::identity` has it.
const IDENTITY: &str = "SELECT CONCAT(@@hostname, ':', @@port)";

/// Closes the socket. A server that is listening is told good-bye; one that is working for it, on `server`, is told to
/// stop. Whatever transaction was open, the server rolls back. Outside a runtime nothing is said.
pub(super) fn close(conn: Conn, is_busy: bool, server: String) {
    let Ok(runtime) = Handle::try_current() else { return };
    if is_busy {
        runtime.spawn(timeout(PATIENCE, stop(conn, server)));
    } else {
        runtime.spawn(timeout(PATIENCE, conn.disconnect()));
    }
}

async fn stop(conn: Conn, server: String) -> Result<(), Error> {
    let (id, options) = (conn.id(), conn.opts().clone());
    drop(conn);
    let mut beside = Conn::new(options).await?;
    // Behind an address there may be several servers, and on each of them a connection with the same number.
    if beside.query_first(IDENTITY).await? == Some(server) {
        beside.query_drop(format!("KILL {id}")).await?;
    }
    beside.disconnect().await
}
