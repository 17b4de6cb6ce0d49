//! Accepts connections and feeds them to the router.
//!
//! `axum::serve` installs no timer, so that a client which never finishes its request head would keep its connection
//! for ever; hence this loop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::Service;

use super::framing::{Heads, Unclear, Watched};
use super::stall::Impatient;
use super::unread::{self, Linger, Lingering};
use crate::settings::Settings;

/// Pause after a failure to accept that will not pass by itself at once, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How much a connection may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at once; further ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// How long a client may take to send a request head, and so how long an idle connection stays open.
    pub header_timeout: Duration,
    /// How long a client may leave an answer unread before its connection is cut.
    pub stall_timeout: Duration,
    /// How long running requests may go on after the shutdown began.
    pub shutdown_grace: Duration,
    /// How much of a body that its handler left unread is read after it, so that the connection can be kept; in bytes.
    pub max_body_bytes: usize,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            max_connections: settings.max_connections,
            header_timeout: settings.header_timeout,
            stall_timeout: settings.request_timeout,
            shutdown_grace: settings.shutdown_grace,
            max_body_bytes: settings.max_body_bytes,
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Connections that were cut because their request outlasted the grace period; 0 after a clean shutdown.
    pub cut: usize,
}

/// Serves `router` on `listener` until `shutdown` completes; then accepts nothing more, closes idle connections, and lets
/// running requests finish within the grace period.
///
/// Handlers find the peer as `ConnectInfo<SocketAddr>`. Must run inside a tokio runtime with time and net.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut shutdown = pin!(shutdown);
    let room = Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    // Done once: otherwise axum would build every handler anew for each request.
    let router: Router = router.with_state(());
    loop {
        let (stream, peer, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let linger = Linger::default();
        let heads = Heads::default();
        let stream = Lingering::new(Impatient::new(stream, limits.stall_timeout), linger.clone());
        let stream = TokioIo::new(Watched::new(stream, heads.clone()));
        let service = service(router.clone(), peer, limits.max_body_bytes, (linger, heads));
        let connection = protocol.serve_connection(stream, service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                // Malformed requests were answered with 400; the rest is clients that went away.
                tracing::trace!(%peer, %error, "connection ended early");
            }
            drop(permit);
        });
    }
    // Refuses newcomers at once, instead of letting them wait for the running requests.
    drop(listener);
    drain(graceful, connections, limits.shutdown_grace).await
}

/// Waits for room, then for a connection. Failures are logged and waited out.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            // Nobody closes the semaphore; without room there is nothing to accept.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An answer is written in one piece; waiting for more to send would only delay it.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::trace!(%peer, %error, "connection without TCP_NODELAY");
                }
                return (stream, peer, permit);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether one client gave up, which says nothing about the next.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The router as hyper calls it for the requests of one connection.
fn service(
    router: Router,
    peer: SocketAddr,
    max_body_bytes: usize,
    (linger, heads): (Linger, Heads),
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> {
    service_fn(move |request: Request<Incoming>| {
        let (mut request, watch) = unread::watch(request);
        request.extensions_mut().insert(ConnectInfo(peer));
        let is_clear = heads.next_is_clear();
        if !is_clear {
            request.extensions_mut().insert(Unclear);
        }
        // What comes behind chunks may be a part of them in the eyes of a proxy.
        let is_last = !is_clear || request.headers().contains_key(TRANSFER_ENCODING);
        let answer = router.clone().call(request);
        let lingers = linger.clone();
        let watch = watch.map(|watch| (watch, linger.clone()));
        async move {
            let response = answer.await?;
            let mut response = match watch {
                Some((watch, linger)) => watch.settle(response, max_body_bytes, &linger).await,
                None => response,
            };
            if is_last {
                lingers.ask();
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

async fn drain(graceful: GracefulShutdown, mut connections: JoinSet<()>, grace: Duration) -> Drained {
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_ok() {
        return Drained { cut: 0 };
    }
    while connections.try_join_next().is_some() {}
    let cut = connections.len();
    connections.shutdown().await;
    tracing::warn!(connections = cut, "the grace period is over: running requests were cut off");
    Drained { cut }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
