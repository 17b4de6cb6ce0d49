//! A whole server without its socket: what a fuzz target makes up goes through the router, the rules and the database as
//! if it had come over the network.
//!
//! What must hold whatever was sent: no panic, no 5xx, every refusal says why in the words of its contract, no order
//! takes what is not there, and a number that overflows anywhere ends the run.
//!
//! With `STOCKROOM_FUZZ_CONTROL=TEXT` the server is a wrong one: where an answer holds the text, it is taken for an
//! internal error. `cargo xtask torture fuzz` has each target find a place that no seed leads to.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use domain::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use server::app::{App, Committer};
use server::auth::secret::{Secret, SubKey};
use server::auth::tokens::TokenKind;
use server::clock;
use server::http::metrics::Metrics;
use server::settings::Settings;
use store::Store;
use store::driver::{Database, Options};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Orders that a shop takes before another one is opened: one that grows with each run measures how it grows.
const MOST_EFFECTS: u32 = 2_000;

/// A server with three products of which there is nothing, and two orders that wait for them.
pub struct Shop {
    runtime: Runtime,
    router: Router,
    /// The header of the administrator.
    admin: Vec<u8>,
    token_key: SubKey,
    effects: Cell<u32>,
    wrong_at: Option<String>,
    _committer: Committer,
    _home: TempDir,
}

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// How.
    pub method: Method,
    /// Where, with the query.
    pub path: &'a str,
    /// JSON, or what is said to be.
    pub body: Option<Vec<u8>>,
    /// The header `Authorization`.
    pub authorization: Option<&'a [u8]>,
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
    static SHOP: RefCell<Option<Shop>> = const { RefCell::new(None) };
}

/// Gives the shop of this process, which is opened with these settings.
///
/// # Panics
/// When it cannot be opened.
pub fn with_shop_of<T>(settings: fn() -> Settings, ask: impl FnOnce(&Shop) -> T) -> T {
    SHOP.with_borrow_mut(|shop| {
        if shop.as_ref().is_some_and(|shop| shop.effects.get() >= MOST_EFFECTS) {
            *shop = None;
        }
        ask(shop.get_or_insert_with(|| Shop::with(settings())))
    })
}

/// Gives a shop in which whoever brings no token may do everything, so that no time is lost on looking tokens up.
pub fn with_shop<T>(ask: impl FnOnce(&Shop) -> T) -> T {
    let open = || Settings {
        anonymous_role: Some(Role::Admin),
        allow_privileged_anonymous: true,
        // An answer that is kept is not made again.
        cache_bytes: 0,
        ..Settings::default()
    };
    with_shop_of(open, ask)
}

impl Shop {
    /// A server with these settings.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let home = tempfile::tempdir().unwrap();
        let secret = Secret::load_or_create(home.path()).unwrap();
        let (router, committer, token) = runtime.block_on(async {
            let url = format!("sqlite:{}", home.path().join("shop.sqlite").display());
            let database = Database::open(&url, Options::default()).await.unwrap();
            database.migrate(clock::now_us()).await.unwrap();
            let (app, committer) =
                App::start(Store::new(database), &secret, settings, Metrics::new()).unwrap();
            let life = Duration::from_secs(14 * 24 * 60 * 60);
            let token = app.tokens().issue(TokenKind::Access, 1, 1, clock::now_us(), life).unwrap();
            (server::router::build(&app).unwrap(), committer, token)
        });
        let mut shop = Self {
            runtime,
            router,
            admin: format!("Bearer {token}").into_bytes(),
            token_key: secret.token_key(),
            effects: Cell::new(0),
            wrong_at: None,
            _committer: committer,
            _home: home,
        };
        shop.stock();
        shop.wrong_at = std::env::var("STOCKROOM_FUZZ_CONTROL").ok();
        shop
    }

    /// Brings in what the seeds speak of.
    fn stock(&self) {
        let founder = json!({ "username": "founder", "password": "correct horse battery", "role": "admin" });
        self.make("/api/v1/auth/register", &founder);
        for name in ["Nothing", "Chair", "Lamp"] {
            self.make("/api/v1/products", &json!({ "name": name, "price_cents": 1999 }));
        }
        for product in 1..=2 {
            let order = json!({ "items": [{ "product_id": product, "quantity": 2 }] });
            self.make("/compat/leafcraft/orders/create_order", &order);
        }
    }

    fn make(&self, path: &str, body: &Value) {
        // Whoever founds the shop has no token yet.
        let authorization = (!path.ends_with("/register")).then_some(self.admin.as_slice());
        let body = Some(body.to_string().into_bytes());
        let made = self.ask(Asked { method: Method::POST, path, body, authorization });
        assert!(made.as_ref().is_some_and(|answer| answer.status.is_success()), "{path}: {made:?}");
    }

    /// The header that lets the administrator in.
    #[must_use]
    pub fn admin(&self) -> &[u8] {
        &self.admin
    }

    /// The key that nobody has.
    #[must_use]
    pub fn token_key(&self) -> &SubKey {
        &self.token_key
    }

    /// Asks, and looks whether the answer is one that may be given. `None` if this is no request at all.
    ///
    /// # Panics
    /// When it is not.
    pub fn ask(&self, asked: Asked<'_>) -> Option<Answer> {
        let Asked { method, path, body, authorization } = asked;
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(bytes) = authorization {
            request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(bytes).ok()?);
        }
        // As the listener says it.
        request = request.extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let request = request.body(body.map_or_else(Body::empty, Body::from)).ok()?;
        Some(self.runtime.block_on(self.answer(request, path.starts_with("/compat/"))))
    }

    async fn answer(&self, request: Request<Body>, is_facade: bool) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let mut status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        if self.wrong_at.as_ref().is_some_and(|wrong_at| text.contains(wrong_at)) {
            status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(!status.is_server_error(), "{status} {text}");
        if status.is_client_error() {
            let said = if is_facade { &body["detail"] } else { &body["code"] };
            assert!(!said.is_null(), "{status} without a reason: {text}");
        }
        Answer { status, body }
    }

    /// Looks whether the products are as they were, after what may have been an effect.
    ///
    /// # Panics
    /// When they are not.
    pub fn has_sold_nothing(&self) {
        self.effects.set(self.effects.get() + 1);
        let path = "/api/v1/products";
        let asked = Asked { method: Method::GET, path, body: None, authorization: Some(&self.admin) };
        let products = self.ask(asked).expect("a request").body;
        let items = products["products"].as_array().expect("a list");
        let is_untouched = |item: &Value| item["on_hand"] == 0 && item["allocated"] == 0;
        assert!(items.len() == 3 && items.iter().all(is_untouched), "sold what is not there: {products}");
    }
}

/// Bytes as they may stand in the query of a URL: what may not is escaped.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'!'..=b'~'
                if !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') =>
            {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
