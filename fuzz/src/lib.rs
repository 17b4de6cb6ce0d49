//! A whole server without its socket: what a fuzz target makes up goes through the router, the rules and the database as
//! if it had come over the network.
//!
//! What must hold whatever was sent: no panic, no 5xx, every refusal says why in the words of its contract, and a number
//! that overflows anywhere ends the run.

use std::cell::OnceCell;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use domain::Role;
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::app::{App, Committer};
use server::auth::secret::Secret;
use server::http::metrics::Metrics;
use server::settings::Settings;
use store::Store;
use store::driver::{Database, Options};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Where the façades' orders are placed.
pub const FACADE_ORDERS: [&str; 3] =
    ["/compat/orderflow/orders", "/compat/mini-order/orders", "/compat/leafcraft/orders/"];

/// A server with one product of which there is nothing, so that no order can have an effect.
pub struct Shop {
    runtime: Runtime,
    router: Router,
    _committer: Committer,
    _home: TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, if it is JSON.
    pub body: Value,
}

thread_local! {
    static SHOP: OnceCell<Shop> = const { OnceCell::new() };
}

/// Gives the shop of this process, which is opened once.
pub fn with_shop<T>(ask: impl FnOnce(&Shop) -> T) -> T {
    SHOP.with(|shop| ask(shop.get_or_init(Shop::open)))
}

impl Shop {
    fn open() -> Self {
        // Callers need no token, but where that is what is made up.
        Self::with(Settings {
            anonymous_role: Some(Role::Staff),
            allow_privileged_anonymous: true,
            ..Settings::default()
        })
    }

    /// A server with these settings.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let home = tempfile::tempdir().unwrap();
        let (router, committer) = runtime.block_on(async {
            let url = format!("sqlite:{}", home.path().join("shop.sqlite").display());
            let database = Database::open(&url, Options::default()).await.unwrap();
            database.migrate(0).await.unwrap();
            let secret = Secret::load_or_create(home.path()).unwrap();
            let store = Store::new(database);
            let (app, committer) = App::start(store, &secret, settings, Metrics::new()).unwrap();
            (server::router::build(&app).unwrap(), committer)
        });
        let shop = Self { runtime, router, _committer: committer, _home: home };
        let product = serde_json::json!({ "name": "Nothing", "price_cents": 1 }).to_string();
        let made = shop.ask(Method::POST, "/api/v1/products", Some(product.into_bytes()), None);
        assert!(made.is_some_and(|answer| answer.status.is_success() || answer.status.is_client_error()));
        shop
    }

    /// Asks, and looks whether the answer is one that may be given. `None` if this is no request at all.
    ///
    /// # Panics
    /// When it is not.
    pub fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        authorization: Option<&[u8]>,
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(bytes) = authorization {
            request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(bytes).ok()?);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).ok()?;
        Some(self.runtime.block_on(self.answer(request, path.starts_with("/compat/"))))
    }

    async fn answer(&self, request: Request<Body>, is_facade: bool) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(!status.is_server_error(), "{status} {body}");
        if status.is_client_error() {
            let said = if is_facade { &body["detail"] } else { &body["code"] };
            assert!(!said.is_null(), "{status} without a reason: {}", String::from_utf8_lossy(&bytes));
        }
        Answer { status, body }
    }
}

/// Bytes as they may stand in the query of a URL: what may not is escaped.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
