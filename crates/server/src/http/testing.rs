//! A server on a real socket, and clients that are as well or as badly behaved as a test wants.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::listener::{Drained, Limits, serve};

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

pub(crate) fn limits() -> Limits {
    Limits {
        max_connections: 100,
        header_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(5),
        shutdown_grace: Duration::from_secs(5),
        max_body_bytes: 256 * 1024,
    }
}

pub(crate) async fn start(router: Router, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // A dropped sender stops the server as well.
        let _ = stopped.await;
    };
    Running { address, stop, ended: tokio::spawn(serve(listener, router, limits, shutdown)) }
}

impl Running {
    /// Begins the shutdown; the handle ends with the server.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        self.ended
    }

    /// Sends a request whose URI is a path.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        send(self.address, request).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

pub(crate) async fn send(address: SocketAddr, mut request: Request<Body>) -> Response<Bytes> {
    *request.uri_mut() = format!("http://{address}{}", request.uri()).parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// Sends exactly these bytes and returns all that comes back until the server hangs up.
pub(crate) async fn raw(address: SocketAddr, bytes: &'static [u8]) -> String {
    let exchange = move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

/// The value of a header, or nothing.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

pub(crate) fn json(response: &Response<Bytes>) -> serde_json::Value {
    serde_json::from_slice(response.body()).unwrap()
}
