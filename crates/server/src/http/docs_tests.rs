use std::io::Read;

use super::super::testing::{Running, header, limits, start};
use super::*;
use crate::http::metrics::Metrics;
use crate::http::middleware::finish;
use crate::settings::Settings;

fn documents() -> Vec<Document> {
    let text = |title: &str| {
        let operations = "x".repeat(3000);
        Bytes::from(format!(
            r#"{{"openapi":"3.1.0","info":{{"title":"{title}","version":"1","description":"{operations}"}},"paths":{{}}}}"#
        ))
    };
    vec![
        Document { name: "Stockroom", path: "/openapi.json", text: text("Stockroom") },
        Document { name: "Other", path: "/compat/other/openapi.json", text: text("Other") },
    ]
}

async fn running() -> Running {
    start(finish(routes(documents(), 0), Router::new(), &Settings::default(), Metrics::new()), limits()).await
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// Every address that an element of the page would load.
fn loaded(html: &str) -> Vec<&str> {
    // What stands inside a script is no element.
    let outside = html.split("<script>").next().unwrap();
    let addresses = outside.split(['"', '\'']).collect::<Vec<_>>();
    addresses
        .windows(2)
        .filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="))
        .map(|pair| pair[1])
        .collect()
}

#[tokio::test]
async fn swagger_ui_loads_its_files_from_here_with_either_path() {
    let server = running().await;
    for (path, base) in [("/docs", "/"), ("/docs/", "/docs/"), ("/docs/index.html", "/docs/")] {
        let page = server.get(path, &[]).await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(page.headers(), "content-type"), "text/html; charset=utf-8");
        assert!(header(page.headers(), "content-security-policy").contains("script-src 'self';"));
        let html = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(!html.contains("http"), "{html}");
        let addresses = loaded(&html);
        assert_eq!(addresses.len(), 7, "{html}");
        for address in addresses {
            let file = format!("{base}{}", address.trim_start_matches("./"));
            assert_eq!(server.get(&file, &[]).await.status(), 200, "{file}");
        }
    }
    assert_eq!(server.get("/docs/../Cargo.toml", &[]).await.status(), 404);
    assert_eq!(server.get("/docs/swagger-ui.js.map", &[]).await.status(), 404);
}

#[tokio::test]
async fn swagger_ui_offers_every_document_and_keeps_the_login() {
    let server = running().await;
    let script = server.get("/docs/swagger-initializer.js", &[]).await;
    let script = String::from_utf8(script.body().to_vec()).unwrap();
    for expected in [
        r#""name": "Stockroom""#,
        r#""url": "/openapi.json""#,
        r#""url": "/compat/other/openapi.json""#,
        r#""persistAuthorization": true"#,
        r#""validatorUrl": "none""#,
        r#""layout": "StandaloneLayout""#,
    ] {
        assert!(script.contains(expected), "{expected} is not in {script}");
    }
    assert!(!script.contains("http"), "{script}");
}

#[tokio::test]
async fn redoc_runs_its_own_script_and_no_other() {
    let server = running().await;
    let page = server.get("/redoc", &[]).await;
    let html = String::from_utf8(page.body().to_vec()).unwrap();
    assert!(loaded(&html).is_empty());
    assert!(!html.contains("cdn.redoc.ly"));
    assert!(html.contains(r#"Redoc.init("/openapi.json""#));
    // The hash must cover the script as the browser cuts it: up to the first closing tag, which must be the last one.
    assert_eq!(html.matches("</script>").count(), 1);
    let script = html.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let policy = header(page.headers(), "content-security-policy");
    assert!(policy.contains(&STANDARD.encode(Sha256::digest(script))), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    assert_eq!(server.get("/redoc/", &[]).await.body(), page.body());
}

#[tokio::test]
async fn copies_are_packed_once_and_named() {
    let server = running().await;
    for path in ["/openapi.json", "/docs/swagger-ui-bundle.js", "/redoc", "/docs/swagger-ui.css"] {
        let plain = server.get(path, &[]).await;
        let packed = server.get(path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(header(packed.headers(), "content-encoding"), "gzip", "{path}");
        assert_eq!(unpack(packed.body()), plain.body()[..], "{path}");
        assert_eq!(header(plain.headers(), "vary"), "Accept-Encoding");
        assert_eq!(header(plain.headers(), "cache-control"), "no-cache");
        let (plain_tag, packed_tag) = (header(plain.headers(), "etag"), header(packed.headers(), "etag"));
        assert_ne!(plain_tag, packed_tag);
        for (sent, encoding, status) in [
            (plain_tag.to_owned(), "identity", 304),
            (format!("\"old\", W/{packed_tag}"), "gzip", 304),
            ("*".to_owned(), "gzip", 304),
            ("\"old\"".to_owned(), "gzip", 200),
        ] {
            let again = server.get(path, &[("accept-encoding", encoding), ("if-none-match", &sent)]).await;
            assert_eq!(again.status(), status, "{path} {sent}");
            assert_eq!(again.body().is_empty(), status == 304);
            assert!(!header(again.headers(), "etag").is_empty());
        }
    }
}
