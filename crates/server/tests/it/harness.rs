//! A whole server on a fresh database and a free port, and callers that speak HTTP to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use server::app::{App, Committer};
use server::auth::secret::Secret;
use server::http::listener::{self, Limits};
use server::http::metrics::Metrics;
use server::settings::Settings;
use store::Store;
use store::driver::{Database, Options, Transaction};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::place::Place;

/// The password of every account that the harness makes.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running server. Dropping it leaves the server to end with the test's runtime.
pub(crate) struct TestApp {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The store beneath, for looking behind the API.
    pub(crate) store: Store,
    /// The application itself.
    pub(crate) app: App,
    secret: Secret,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    committer: Option<Committer>,
    home: Arc<Home>,
}

/// What outlives a server.
#[derive(Debug)]
pub(crate) struct Home {
    place: Place,
    secrets: TempDir,
}

impl Home {
    async fn open(&self) -> Database {
        Database::open(self.place.url(), Options::default()).await.unwrap()
    }

    /// Where the file is.
    pub(crate) fn directory(&self) -> &std::path::Path {
        match self.place.home() {
            crate::place::Home::File(directory) => directory.path(),
            elsewhere => panic!("not a file: {elsewhere:?}"),
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the status and gives the body as JSON (`null` when there is none).
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts a problem document with this status and code, and gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["status"], status, "{self:?}");
        assert!(body["detail"].is_string(), "{self:?}");
        body
    }

    /// Asserts a validation problem that names exactly these fields.
    #[track_caller]
    pub(crate) fn invalid(&self, fields: &[&str]) {
        let body = self.problem(400, "VALIDATION_ERROR");
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let named: Vec<_> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!(named, fields, "{self:?}");
    }

    /// A header, or the empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl TestApp {
    /// A server with default settings on an empty shop.
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// A server with these settings on an empty shop.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_wrapped(settings, |router| router).await
    }

    /// The same with something around it that sees its requests first.
    pub(crate) async fn start_wrapped(settings: Settings, wrap: impl FnOnce(Router) -> Router) -> Self {
        let home = Home { place: Place::new().await, secrets: tempfile::tempdir().unwrap() };
        Self::start_wrapped_in(Arc::new(home), settings, wrap).await
    }

    async fn start_in(home: Arc<Home>, settings: Settings) -> Self {
        Self::start_wrapped_in(home, settings, |router| router).await
    }

    async fn start_wrapped_in(
        home: Arc<Home>,
        settings: Settings,
        wrap: impl FnOnce(Router) -> Router,
    ) -> Self {
        // Databases for tests are quick, and forgetful.
        let settings = Settings { allow_unsafe_database: true, ..settings };
        let database = home.open().await;
        database.migrate(server::clock::now_us()).await.unwrap();
        let store = Store::new(database);
        let secret = Secret::load_or_create(home.secrets.path()).unwrap();
        let limits = Limits::from(&settings);
        let (app, committer) = App::start(store.clone(), &secret, settings, Metrics::new()).unwrap();
        let router = wrap(server::router::build(&app).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stopped = async {
                // Not asked to stop: goes on until the runtime ends.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let drained = listener::serve(listener, router, limits, stopped).await;
            assert_eq!(drained.cut, 0);
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            address,
            store,
            app,
            secret,
            client,
            stop: Some(stop),
            server: Some(server),
            committer: Some(committer),
            home,
        }
    }

    /// Another server on the same database, which signs with the same secret.
    pub(crate) async fn beside(&self, settings: Settings) -> Self {
        Self::start_in(Arc::clone(&self.home), settings).await
    }

    /// The same caller, talking to another server.
    pub(crate) fn as_seen_by<'a>(&'a self, caller: &Caller<'_>) -> Caller<'a> {
        let Caller { token, id, refresh_token, .. } = caller.clone();
        Caller { app: self, token, id, refresh_token }
    }

    /// What signs the tokens.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// A number in the answer of `GET /metrics`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.app.metrics().render();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// Another handle to the same database, such as a second server has.
    pub(crate) async fn database(&self) -> Database {
        self.home.open().await
    }

    /// Holds the one lock that all writers need, as another server does, until the transaction ends.
    pub(crate) async fn stall(&self) -> Transaction {
        let mut transaction = self.database().await.begin().await.unwrap();
        let counters = "SELECT c.name FROM counters c ORDER BY c.name {for update}";
        assert!(!transaction.query(counters, &[]).await.unwrap().is_empty());
        transaction
    }

    /// Stops the server gracefully and starts another on the same database.
    pub(crate) async fn restart(self, settings: Settings) -> Self {
        let home = self.stop().await;
        Self::start_in(home, settings).await
    }

    /// Stops the server gracefully: what was accepted is answered, the committer has ended.
    pub(crate) async fn stop(mut self) -> Arc<Home> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
        let committer = self.committer.take();
        let home = Arc::clone(&self.home);
        drop(self);
        tokio::task::spawn_blocking(move || committer.map(Committer::join)).await.unwrap();
        home
    }

    /// Somebody without a token.
    pub(crate) fn stranger(&self) -> Caller<'_> {
        Caller { app: self, token: None, id: 0, refresh_token: String::new() }
    }

    /// The first account: an administrator named `root`. Once per shop.
    pub(crate) async fn admin(&self) -> Caller<'_> {
        self.stranger()
            .post("/api/v1/auth/register", json!({"username": "root", "password": PASSWORD, "role": "admin"}))
            .await
            .expect(201);
        self.log_in("root").await
    }

    /// An account with a role, made by an administrator.
    pub(crate) async fn user(&self, admin: &Caller<'_>, name: &str, role: &str) -> Caller<'_> {
        let body = json!({
            "username": name, "password": PASSWORD, "role": role,
            "email": format!("{name}@example.com"), "full_name": format!("{name} Example"),
        });
        admin.post("/api/v1/users", body).await.expect(201);
        self.log_in(name).await
    }

    /// Logs an account in whose password is [`PASSWORD`].
    pub(crate) async fn log_in(&self, name: &str) -> Caller<'_> {
        let body = json!({"username": name, "password": PASSWORD});
        let answer = self.stranger().post("/api/v1/auth/login", body).await.expect(200);
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let refresh_token = answer["refresh_token"].as_str().unwrap().to_owned();
        let mut caller = Caller { app: self, token: Some(token), id: 0, refresh_token };
        caller.id = caller.get("/api/v1/auth/me").await.expect(200)["id"].as_i64().unwrap();
        caller
    }

    /// A product with stock; gives its id.
    pub(crate) async fn product(&self, staff: &Caller<'_>, name: &str, price_cents: i64, stock: i64) -> i64 {
        let body = json!({"name": name, "price_cents": price_cents, "stock_quantity": stock});
        staff.post("/api/v1/products", body).await.expect(201)["id"].as_i64().unwrap()
    }

    /// Sends a request as it is, with nothing added but what HTTP itself needs.
    pub(crate) async fn send_as_written(&self, request: hyper::Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Asserts that the books add up.
    #[track_caller]
    pub(crate) fn verify(&self) -> impl Future<Output = ()> {
        let store = self.store.clone();
        let at = std::panic::Location::caller();
        async move {
            let report = store.verify().await.unwrap();
            assert!(report.discrepancies.is_empty(), "{at}: {report:?}");
        }
    }
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) app: &'a TestApp,
    /// The access token, if any.
    pub(crate) token: Option<String>,
    /// The account's id; 0 for a stranger.
    pub(crate) id: i64,
    /// The refresh token that came with the access token.
    pub(crate) refresh_token: String,
}

impl Caller<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None::<Bytes>).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None::<Bytes>).await
    }

    /// Sends any request. A body goes as `application/json` unless `headers` say otherwise.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<impl Into<Bytes>>,
    ) -> Answer {
        let mut request =
            hyper::Request::builder().method(method).uri(format!("http://{}{path}", self.app.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(body.map_or_else(Bytes::new, Into::into));
        self.app.send_as_written(request.body(body).unwrap()).await
    }
}
