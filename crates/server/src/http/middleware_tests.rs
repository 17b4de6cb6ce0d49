use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::json;

use super::super::testing::{Running, header, json as json_of, limits, start};
use super::*;

fn router() -> Router {
    Router::new()
        .route("/healthz", get(super::super::healthz))
        .route("/things/{id}", get(async |Path(id): Path<u32>, named: RequestId| format!("{id} {named}")))
        .route("/panic", get(async || panic_now()))
        .route("/fault", get(async || Problem::internal("the secret reason")))
        .route("/full", get(async || Problem::overloaded(1)))
        .route("/taken", post(async || Problem::conflict("SKU_TAKEN", "Taken.").with("sku", "A-1")))
        .route("/never", get(async || std::future::pending::<()>().await))
        .route(
            "/large",
            get(async || ([(CONTENT_TYPE, "application/json")], format!("[{}1]", "1,".repeat(2000)))),
        )
        .route(
            "/page",
            get(async || {
                ([(CONTENT_SECURITY_POLICY, "default-src 'self'"), (CACHE_CONTROL, "no-cache")], "p")
            }),
        )
}

fn panic_now() -> &'static str {
    panic!("on purpose")
}

fn settings() -> Settings {
    Settings {
        request_timeout: Duration::from_millis(300),
        max_body_bytes: 1000,
        cors_origins: vec!["https://shop.example".to_owned()],
        ..Settings::default()
    }
}

async fn running() -> (Running, Metrics) {
    let metrics = Metrics::new();
    (start(finish(router(), Router::new(), &settings(), metrics.clone()), limits()).await, metrics)
}

#[test]
fn of_a_path_words_of_the_route_and_numbers_are_logged() {
    for (path, route, expected) in [
        ("/healthz", "/healthz", "/healthz"),
        ("/things/12/parts/3", "/things/{id}/parts/{part}", "/things/12/parts/3"),
        ("/things/hush", "/things/{id}", "/things/…"),
        ("/things/-1", "/things/{id}", "/things/…"),
        ("/things/123456789012345678901", "/things/{id}", "/things/…"),
        ("/files/hush/hush", "/files/{*rest}", "/files/…"),
        ("/hush/hush", "unmatched", "unmatched"),
    ] {
        assert_eq!(told(path, route), expected, "{path}");
    }
}

fn line(metrics: &Metrics, line: &str) -> bool {
    metrics.render().lines().any(|got| got == line)
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let (server, _) = running().await;
    for path in ["/healthz", "/nowhere", "/panic", "/never", "/things/x"] {
        let response = server.get(path, &[("x-request-id", "mine-1")]).await;
        let headers = response.headers();
        assert_eq!(header(headers, "x-request-id"), "mine-1", "{path}");
        assert_eq!(header(headers, "x-content-type-options"), "nosniff");
        assert_eq!(header(headers, "referrer-policy"), "no-referrer");
        assert_eq!(header(headers, "cache-control"), "no-store");
        assert_eq!(header(headers, "content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(header(headers, "content-length"), response.body().len().to_string());
    }
    let page = server.get("/page", &[]).await;
    assert_eq!(header(page.headers(), "content-security-policy"), "default-src 'self'");
    assert_eq!(header(page.headers(), "cache-control"), "no-cache");
}

#[tokio::test]
async fn names_requests_that_come_without_a_usable_id() {
    let (server, _) = running().await;
    let response = server.get("/things/7", &[("x-request-id", "two words")]).await;
    let id = header(response.headers(), "x-request-id");
    assert_eq!(id.len(), 13);
    assert_eq!(response.body(), &format!("7 {id}"));
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let (server, metrics) = running().await;
    let unknown = server.get("/nowhere", &[("x-request-id", "r-1")]).await;
    assert_eq!(header(unknown.headers(), "content-type"), "application/problem+json");
    assert_eq!(
        json_of(&unknown),
        json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No route has this path.",
            "code": "ROUTE_NOT_FOUND", "request_id": "r-1"})
    );
    let wrong = server.send(Request::delete("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.status(), 405);
    assert_eq!(header(wrong.headers(), "allow"), "GET,HEAD");
    assert_eq!(json_of(&wrong)["code"], "METHOD_NOT_ALLOWED");
    let invented = Request::builder().method("BREW").uri("/nowhere").body(Body::empty()).unwrap();
    assert_eq!(server.send(invented).await.status(), 404);
    for expected in [
        r#"stockroom_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"stockroom_http_requests_total{method="OTHER",route="unmatched",status="404"} 1"#,
        r#"stockroom_http_requests_total{method="DELETE",route="/healthz",status="405"} 1"#,
        r#"stockroom_refusals_total{code="ROUTE_NOT_FOUND"} 2"#,
    ] {
        assert!(line(&metrics, expected), "{expected} is not in\n{}", metrics.render());
    }
}

#[tokio::test]
async fn faults_are_told_to_nobody_and_end_nothing_else() {
    let (server, metrics) = running().await;
    for path in ["/panic", "/fault"] {
        let response = server.get(path, &[]).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        let body = json_of(&response);
        assert_eq!(body["code"], "INTERNAL");
        assert_eq!(body["request_id"], header(response.headers(), "x-request-id"));
        let text = body.to_string();
        assert!(!text.contains("purpose") && !text.contains("secret"), "{text}");
    }
    assert_eq!(server.get("/healthz", &[]).await.body(), r#"{"status":"ok"}"#);
    assert!(line(&metrics, r#"stockroom_http_requests_total{method="GET",route="/panic",status="500"} 1"#));
    assert!(!metrics.render().contains(r#"code="INTERNAL""#));
}

#[tokio::test]
async fn late_answers_are_given_up() {
    let (server, _) = running().await;
    let response = server.get("/never", &[]).await;
    assert_eq!(response.status(), 408);
    assert_eq!(json_of(&response)["code"], "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn refusals_are_counted_and_keep_their_members() {
    let (server, metrics) = running().await;
    let taken = server.send(Request::post("/taken").body(Body::empty()).unwrap()).await;
    assert_eq!(json_of(&taken)["sku"], "A-1");
    let full = server.get("/full", &[]).await;
    assert_eq!((full.status().as_u16(), header(full.headers(), "retry-after")), (503, "1"));
    for code in ["SKU_TAKEN", "OVERLOADED"] {
        assert!(line(&metrics, &format!(r#"stockroom_refusals_total{{code="{code}"}} 1"#)), "{code}");
    }
}

#[tokio::test]
async fn bodies_that_declare_too_much_are_refused_unread() {
    let (server, _) = running().await;
    let response = server.send(Request::post("/taken").body(Body::from(vec![0; 1001])).unwrap()).await;
    assert_eq!(response.status(), 413);
    assert_eq!(json_of(&response)["detail"], "The body may have at most 1000 bytes.");
    let fits = server.send(Request::post("/taken").body(Body::from(vec![0; 1000])).unwrap()).await;
    assert_eq!(fits.status(), 409);
}

#[tokio::test]
async fn large_json_is_compressed_for_those_who_ask() {
    let (server, _) = running().await;
    let plain = server.get("/large", &[]).await;
    assert_eq!(header(plain.headers(), "content-encoding"), "");
    assert_eq!(header(plain.headers(), "vary"), "Accept-Encoding");
    let packed = server.get("/large", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(header(packed.headers(), "content-encoding"), "gzip");
    assert!(packed.body().len() < plain.body().len() / 10);
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&packed.body()[..]);
    std::io::Read::read_to_end(&mut reader, &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body()[..]);
    let small = server.get("/healthz", &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(small.headers(), "content-encoding"), "");
}

#[tokio::test]
async fn only_listed_origins_are_let_in() {
    let (server, _) = running().await;
    let preflight = |origin: &str| {
        Request::options("/taken")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "idempotency-key")
            .body(Body::empty())
            .unwrap()
    };
    let allowed = server.send(preflight("https://shop.example")).await;
    assert_eq!(header(allowed.headers(), "access-control-allow-origin"), "https://shop.example");
    let refused = server.send(preflight("https://evil.example")).await;
    assert_eq!(header(refused.headers(), "access-control-allow-origin"), "");
    let panicked = server.get("/panic", &[("origin", "https://shop.example")]).await;
    assert_eq!(header(panicked.headers(), "access-control-allow-origin"), "https://shop.example");

    let closed = Settings { cors_origins: Vec::new(), ..settings() };
    let server = start(finish(router(), Router::new(), &closed, Metrics::new()), limits()).await;
    assert_eq!(server.send(preflight("https://shop.example")).await.status(), 405);
}

#[tokio::test]
async fn routers_with_a_fallback_of_their_own_keep_it() {
    let facade =
        Router::new().route("/x", get(async || "x")).fallback(async || (StatusCode::NOT_FOUND, "theirs"));
    let app = Router::new().nest("/compat", facade);
    let server = start(finish(app, Router::new(), &settings(), Metrics::new()), limits()).await;
    assert_eq!(server.get("/compat/y", &[]).await.body(), "theirs");
    assert_eq!(json_of(&server.get("/y", &[]).await)["code"], "ROUTE_NOT_FOUND");
}
