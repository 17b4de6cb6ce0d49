//! Names under which the server is asked for, and pages from which it is: each with each.

use axum::http::Method;
use domain::Role;
use serde_json::json;
use server::settings::Settings;

use crate::harness::{Answer, TestApp};

const OWN_NAME: &str = "shop.example";
const PAGE: &str = "https://pages.example";
const PRODUCT: &str = r#"{"name": "Tea", "price_cents": 350}"#;

/// What a browser lets a page see and do.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The request was carried out.
    done: bool,
    /// The page may read the answer.
    readable: bool,
    /// The browser would have sent a request with a token at all.
    preflight: bool,
}

async fn ask(app: &TestApp, host: &str, origin: &str) -> (Answer, Seen) {
    let stranger = app.stranger();
    let mut headers = vec![("host", host)];
    if !origin.is_empty() {
        headers.push(("origin", origin));
    }
    let answer = stranger.send(Method::POST, "/api/v1/products", &headers, Some(PRODUCT)).await;
    let allows = |answer: &Answer| {
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        [origin, "*"].contains(&answer.header("access-control-allow-origin")) && !origin.is_empty()
    };
    headers.extend([
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ]);
    let before = stranger.send(Method::OPTIONS, "/api/v1/products", &headers, None::<&str>).await;
    let seen = Seen {
        done: answer.status == 201,
        readable: allows(&answer),
        preflight: before.status.is_success() && allows(&before),
    };
    (answer, seen)
}

/// Settings, Host, Origin: who passes. The caller has no token and would have all rights, which is the worst case.
#[tokio::test(flavor = "multi_thread")]
async fn each_origin_under_each_name() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (allowed, origins) in
        [(&[][..], &[][..]), (&[OWN_NAME], &[]), (&[OWN_NAME], &[PAGE]), (&[], &[PAGE]), (&["*"], &["*"])]
    {
        let settings = Settings {
            allowed_hosts: names(allowed),
            cors_origins: names(origins),
            anonymous_role: Some(Role::Admin),
            allow_privileged_anonymous: true,
            ..Settings::default()
        };
        let app = TestApp::start_with(settings).await;
        let own_address = app.address.to_string();
        for host in [own_address.as_str(), "localhost", "[::1]:8000", OWN_NAME, "rebind.evil.example"] {
            let own = format!("http://{host}");
            for origin in ["", &own, PAGE, "https://evil.example", "null"] {
                let (answer, seen) = ask(&app, host, origin).await;
                let plain = host != OWN_NAME && !host.contains("evil");
                let named = plain || allowed.contains(&host) || allowed.contains(&"*");
                let listed = origins.contains(&origin) || origins.contains(&"*") && !origin.is_empty();
                let wanted = Seen {
                    done: named && (origin.is_empty() || origin == own || listed),
                    readable: listed,
                    preflight: listed,
                };
                assert_eq!(seen, wanted, "{allowed:?} {origins:?} {host} {origin} {answer:?}");
                if !named {
                    answer.problem(421, "MISDIRECTED");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_answers_under_a_foreign_name_but_the_two_that_say_nothing() {
    let app = TestApp::start().await;
    let foreign = [("host", "rebind.evil.example")];
    for path in [
        "/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/api/v1/products",
        "/nothing",
        "/compat/orderflow/stocks",
    ] {
        let answer = app.stranger().send(Method::GET, path, &foreign, None::<&str>).await;
        assert_eq!(answer.status, 421, "{path} {answer:?}");
    }
    for path in ["/healthz", "/readyz"] {
        let answer = app.stranger().send(Method::GET, path, &foreign, None::<&str>).await;
        assert_eq!(answer.json(), json!({"status": "ok"}), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_and_no_page_that_it_shows() {
    let settings = Settings { allowed_hosts: vec!["*".to_owned()], ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    for (header, status) in [
        (("host", "localhost:8000"), 200),
        (("host", "127.0.0.1"), 200),
        (("host", "rebind.evil.example"), 401),
        (("x-forwarded-for", "192.0.2.1"), 401),
    ] {
        let answer = app.stranger().send(Method::GET, "/metrics", &[header], None::<&str>).await;
        assert_eq!(answer.status, status, "{header:?}");
    }
}
