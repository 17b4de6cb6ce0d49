use std::slice::from_ref;

use axum::body::Body;
use axum::http::Request;
use domain::{OrderId, ProductId, UserId};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::driver::{Database, Options};
use tower::ServiceExt;

use super::*;
use crate::app::App;
use crate::auth::secret::Secret;

/// A cache whose follower has just looked.
fn cache(settings: &Settings) -> Cache {
    let cache = Cache::new(settings, Metrics::new());
    cache.follow(&Touched::everything(), 0, clock::monotonic());
    cache
}

/// Looks do not go out of date while a test runs.
fn patient() -> Settings {
    Settings { cache_refresh: Duration::from_secs(3600), ..Settings::default() }
}

const PRODUCT: Slot = Slot::Product(ProductId(1));

fn product() -> Option<Asked> {
    Some(Asked::plain(What::Product(1), Audience::Public))
}

fn ticket(cache: &Cache) -> Ticket {
    cache.look_up(product(), false).unwrap_err().unwrap()
}

fn ready(text: &'static str) -> Ready {
    Ready::text(text.into())
}

fn changed(product: i64) -> Touched {
    Touched { products: vec![ProductId(product)], ..Touched::default() }
}

#[test]
fn an_answer_is_good_until_what_it_shows_is_changed() {
    let cache = cache(&patient());
    cache.keep(ticket(&cache), ready("[1]"), [PRODUCT]);
    assert_eq!(cache.look_up(product(), false).unwrap(), ready("[1]"));
    assert!(cache.look_up(Some(Asked::plain(What::Product(2), Audience::Public)), false).is_err());
    assert!(cache.look_up(Some(Asked::plain(What::Product(1), Audience::Staff)), false).is_err());
    cache.mark(&changed(2), &[]);
    assert_eq!(cache.look_up(product(), false).unwrap(), ready("[1]"));
    cache.mark(&changed(1), &[]);
    let ticket = ticket(&cache);
    cache.keep(ticket, ready("[2]"), [PRODUCT]);
    assert_eq!(cache.look_up(product(), false).unwrap(), ready("[2]"));
    assert!(cache.look_up(product(), true).is_err());
    cache.mark(&Touched::everything(), &[]);
    assert!(cache.look_up(product(), false).is_err());
}

/// Whether an answer is sent again that was read before a change and kept after it.
fn sends_what_was_overtaken(cache: &Cache) -> bool {
    let ticket = ticket(cache);
    cache.mark(&changed(1), &[]);
    cache.keep(ticket, ready("[1]"), [PRODUCT]);
    cache.look_up(product(), false).is_ok()
}

#[test]
fn an_answer_that_was_being_read_while_it_was_changed_is_not_sent_again() {
    assert!(!sends_what_was_overtaken(&cache(&patient())));
    let flawed = cache(&patient());
    flawed.flaw.set((Flaw::BeginsLate, Default::default())).unwrap();
    assert!(sends_what_was_overtaken(&flawed));
}

#[test]
fn either_of_two_things_makes_an_answer_go_out_of_date() {
    let order = || Some(Asked::plain(What::Order(1), Audience::Staff));
    let changes = [
        Touched { orders: vec![(OrderId(1), Some(UserId(5)))], ..Touched::default() },
        Touched { users: vec![UserId(5)], ..Touched::default() },
    ];
    for change in changes {
        let cache = cache(&patient());
        let ticket = cache.look_up(order(), false).unwrap_err().unwrap();
        cache.keep(ticket, ready("{}"), [Slot::Order(OrderId(1)), Slot::Name(UserId(5))]);
        assert!(cache.look_up(order(), false).is_ok());
        cache.mark(&change, &[]);
        assert!(cache.look_up(order(), false).is_err(), "{change:?}");
    }
}

#[test]
fn nothing_is_sent_again_unless_the_log_was_read_lately() {
    let settings = Settings { cache_refresh: Duration::from_millis(50), ..Settings::default() };
    let cache = Cache::new(&settings, Metrics::new());
    // What happened before the first look is not known.
    cache.keep(ticket(&cache), ready("[1]"), [PRODUCT]);
    assert!(cache.look_up(product(), false).is_err());
    cache.follow(&Touched::everything(), 7, clock::monotonic());
    assert!(cache.look_up(product(), false).is_err());
    // The look counts from its beginning, which may be too long ago when it ends.
    let began = clock::monotonic();
    std::thread::sleep(Duration::from_millis(60));
    cache.follow(&Touched::default(), 7, began);
    cache.keep(ticket(&cache), ready("[2]"), [PRODUCT]);
    assert!(cache.look_up(product(), false).is_err());
}

#[test]
fn own_events_are_not_followed_and_those_of_others_are() {
    let cache = Cache::new(&patient(), Metrics::new());
    assert_eq!(cache.followed(), None);
    cache.mark(&changed(1), from_ref(&(1..3)));
    assert_eq!(cache.followed(), None);
    cache.follow(&Touched::everything(), 2, clock::monotonic());
    cache.mark(&changed(1), &[3..5, 5..6]);
    assert_eq!(cache.followed(), Some(5));
    // Another server wrote 6 and 7.
    cache.mark(&changed(1), from_ref(&(8..9)));
    assert_eq!(cache.followed(), Some(5));
    cache.follow(&changed(2), 8, clock::monotonic());
    assert_eq!(cache.followed(), Some(8));
    // A look that ended before the committer went on.
    cache.mark(&changed(1), from_ref(&(9..12)));
    cache.follow(&Touched::default(), 8, clock::monotonic());
    assert_eq!(cache.followed(), Some(11));
    // The log was cut short.
    cache.follow(&Touched::everything(), 4, clock::monotonic());
    assert_eq!(cache.followed(), Some(4));
}

#[test]
fn whatever_a_panic_has_touched_is_out_of_date() {
    let cache = cache(&patient());
    cache.keep(ticket(&cache), ready("[1]"), [PRODUCT]);
    Marking::begin(&cache).end(&Touched::default(), &[]);
    assert!(cache.look_up(product(), false).is_ok());
    drop(Marking::begin(&cache));
    assert!(cache.look_up(product(), false).is_err());
}

#[test]
fn bytes_are_bounded_and_none_keep_nothing() {
    let bytes = 64 * 1024;
    let bounded = cache(&Settings { cache_bytes: bytes, ..patient() });
    for id in 0..10_000 {
        let asked = Some(Asked::plain(What::Product(id), Audience::Public));
        let ticket = bounded.look_up(asked, false).unwrap_err().unwrap();
        bounded.keep(ticket, Ready::text(vec![b'x'; 900].into()), [PRODUCT]);
    }
    let weight = bounded.kept.as_ref().unwrap().weight();
    assert!((10_000..=bytes as u64).contains(&weight), "{weight}");
    let off = cache(&Settings { cache_bytes: 0, ..patient() });
    assert!(off.look_up(product(), false).unwrap_err().is_none());
    let page = Page { limit: 20, start: Start::Offset(20) };
    assert_eq!(Asked::page(What::Products, Audience::Public, &page, "offset=20"), None);
    let page = Page { limit: 20, start: Start::Offset(0) };
    assert_eq!(Asked::page(What::Products, Audience::Public, &page, &"q".repeat(257)), None);
}

/// A server without a socket, and its administrator's token.
struct Shop {
    router: axum::Router,
    token: String,
    _directory: tempfile::TempDir,
}

impl Shop {
    async fn open(flaw: Option<Flaw>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("test.sqlite").display());
        let database = Database::open(&url, Options::default()).await.unwrap();
        database.migrate(clock::now_us()).await.unwrap();
        let secret = Secret::load_or_create(directory.path()).unwrap();
        let store = store::Store::new(database);
        let (app, _committer) = App::start(store, &secret, patient(), Metrics::new()).unwrap();
        if let Some(flaw) = flaw {
            app.cache().flaw.set((flaw, Default::default())).unwrap();
        }
        while app.cache().followed().is_none() {
            tokio::task::yield_now().await;
        }
        let router = crate::router::build(&app).unwrap();
        let mut shop = Self { router, token: String::new(), _directory: directory };
        let account = json!({"username": "root", "password": "correct horse battery", "role": "admin",
            "full_name": "Name 0"});
        shop.send("POST", "/api/v1/auth/register", Some(account)).await;
        let login = json!({"username": "root", "password": "correct horse battery"});
        let answer = shop.send("POST", "/api/v1/auth/login", Some(login)).await;
        shop.token = answer["access_token"].as_str().unwrap().to_owned();
        shop
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let here = std::net::SocketAddr::from(([127, 0, 0, 1], 4711));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(axum::extract::ConnectInfo(here))
            .header("host", "localhost")
            .header("content-type", "application/json");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {bytes:?}");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Changes things again and again, and looks after each change whether it shows everywhere; the first path where it
    /// does not.
    async fn first_stale(&self) -> Option<&'static str> {
        let product = json!({"name": "Tea", "price_cents": 0, "stock_quantity": 1000});
        self.send("POST", "/api/v1/products", Some(product)).await;
        let order = json!({"items": [{"product_id": 1, "quantity": 1}]});
        self.send("POST", "/api/v1/orders", Some(order.clone())).await;
        for round in 1..=3 {
            let changes = [
                ("PATCH", "/api/v1/products/1", json!({"price_cents": round})),
                ("PATCH", "/api/v1/users/1", json!({"full_name": format!("Name {round}")})),
                ("POST", "/api/v1/orders", order.clone()),
            ];
            for (done, (method, path, body)) in changes.into_iter().enumerate() {
                self.send(method, path, Some(body)).await;
                // What is not yet changed in this round.
                let price = json!(round);
                let name = json!(format!("Name {}", if done >= 1 { round } else { round - 1 }));
                let orders = if done >= 2 { round + 1 } else { round };
                let expected = [
                    ("/api/v1/products/1", "/price_cents", price.clone()),
                    ("/api/v1/products/1", "/allocated", json!(orders)),
                    ("/api/v1/products", "/products/0/price_cents", price),
                    ("/api/v1/orders/1", "/user_name", name.clone()),
                    ("/api/v1/orders", "/orders/0/user_name", name),
                    ("/api/v1/orders", "/orders/0/order_id", json!(orders)),
                    ("/compat/leafcraft/products/", "/0/stock_quantity", json!(1000 - orders)),
                ];
                for (path, pointer, expected) in expected {
                    let answer = self.send("GET", path, None).await;
                    if answer.pointer(pointer) != Some(&expected) {
                        return Some(path);
                    }
                }
            }
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_show_everywhere_as_soon_as_they_are_answered() {
    assert_eq!(Shop::open(None).await.first_stale().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_marks_late_or_forgets_names_is_noticed() {
    let stale = Shop::open(Some(Flaw::MarksLate)).await.first_stale().await;
    assert!(stale.is_some());
    let stale = Shop::open(Some(Flaw::ForgetsNames)).await.first_stale().await;
    assert_eq!(stale, Some("/api/v1/orders/1"));
}
