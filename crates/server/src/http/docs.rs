//! The documentation pages: OpenAPI documents, Swagger UI and ReDoc, all from within the binary.
//!
//! The pages weigh megabytes and never change while the process runs, so each is compressed once, at its first request,
//! and served with an ETag from then on. No page may load anything from elsewhere, and its policy says so to the browser.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{self, OpenApi, RefOr, Required, Schema};
use utoipa_swagger_ui::{Config, Url};

use super::compress::{accepts_gzip, gzip};
use super::problem::Problem;

/// An OpenAPI document to show.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its name in the drop-down of Swagger UI.
    pub name: &'static str,
    /// Where it is served: `/openapi.json`.
    pub path: &'static str,
    /// The document as JSON.
    pub text: Bytes,
}

/// Files of Swagger UI that its page loads.
const SWAGGER_FILES: [&str; 9] = [
    "favicon-16x16.png",
    "favicon-32x32.png",
    "index.css",
    "oauth2-redirect.html",
    "oauth2-redirect.js",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

/// Swagger UI puts styles on its elements and icons into data URLs. Scripts come from files only.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// The routes of the documents, `/docs` (all of them, that at `primary` shown first) and `/redoc` (that one).
/// Costs next to nothing until used.
pub fn routes(documents: Vec<Document>, primary: usize) -> Router {
    let names: Vec<(&'static str, &'static str)> = documents.iter().map(|it| (it.name, it.path)).collect();
    let config = Arc::new(swagger_config(&names, primary));
    let index = serve(move || swagger_index("./"));
    let mut router = Router::new()
        // Seen from `/docs` the files are one level down. Relative, for there may be a proxy with a prefix in front.
        .route("/docs", serve(move || swagger_index("docs/")))
        .route("/docs/", index.clone())
        .route("/docs/index.html", index);
    for file in SWAGGER_FILES {
        let config = Arc::clone(&config);
        router = router.route(&format!("/docs/{file}"), serve(move || swagger_file(file, config)));
    }
    if let Some((name, path)) = names.get(primary).copied() {
        let page = serve(move || redoc(name, path));
        router = router.route("/redoc", page.clone()).route("/redoc/", page);
    }
    for Document { path, text, .. } in documents {
        let source = move || Some(Source { content_type: "application/json".to_owned(), text, policy: None });
        router = router.route(path, serve(source));
    }
    router
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete]
            .into_iter()
            .flatten()
    })
}

/// Adds to every operation that takes a token what a key without its scope is answered, where nothing like it is there.
pub(crate) fn tell_of_scopes(document: &mut OpenApi, refusals: &BTreeMap<String, RefOr<openapi::Response>>) {
    let public = SecurityRequirement::default();
    for operation in operations(document) {
        let takes_token =
            operation.security.as_ref().is_none_or(|ways| ways.iter().any(|way| *way != public));
        for (status, refusal) in refusals.iter().filter(|_| takes_token) {
            let responses = &mut operation.responses.responses;
            responses.entry(status.clone()).or_insert_with(|| refusal.clone());
        }
    }
}

/// Adds to every operation that looks at `Host` what it answers under a name that is not the server's.
pub(crate) fn tell_of_hosts(document: &mut OpenApi, refusals: &BTreeMap<String, RefOr<openapi::Response>>) {
    let about_server = |operation: &Operation| {
        operation.operation_id.as_deref().is_some_and(|id| ["healthz", "readyz"].contains(&id))
    };
    for operation in operations(document).filter(|operation| !about_server(operation)) {
        operation.responses.responses.extend(refusals.clone());
    }
}

/// Moves the examples of optional parameters into their descriptions. Swagger UI fills its forms with examples, and
/// whoever tries an operation twice would then repeat the example's idempotency key, or insist on its version.
pub(crate) fn unfill_optional_parameters(document: &mut OpenApi) {
    for parameter in operations(document).flat_map(|operation| operation.parameters.iter_mut().flatten()) {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.required == Required::True {
            continue;
        }
        let mut examples = Vec::new();
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
            examples.extend(schema.example.take());
            examples.append(&mut schema.examples);
        }
        let Some(example) = examples.first() else { continue };
        let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        let description = parameter.description.get_or_insert_default();
        description.push_str(&format!(" For example: `{text}`."));
    }
}

/// A file as it is before it is packed.
struct Source {
    content_type: String,
    text: Bytes,
    /// The page's Content-Security-Policy, if it is not the default one of data.
    policy: Option<String>,
}

/// A file ready to be sent.
#[derive(Debug)]
struct Asset {
    content_type: HeaderValue,
    policy: Option<HeaderValue>,
    plain: Bytes,
    etag: HeaderValue,
    /// The smaller copy and its own ETag; `None` where packing gains nothing.
    packed: Option<(Bytes, HeaderValue)>,
}

impl Asset {
    fn new(source: Source) -> Option<Self> {
        let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(&source.text)[..12]);
        let packed = gzip(&source.text, Compression::default());
        let packed = match packed {
            // A strong ETag names the very bytes, so the packed copy has another.
            Some(packed) => Some((packed, HeaderValue::try_from(format!("\"{digest}-gz\"")).ok()?)),
            None => None,
        };
        Some(Self {
            content_type: HeaderValue::try_from(source.content_type).ok()?,
            policy: source.policy.and_then(|policy| HeaderValue::try_from(policy).ok()),
            plain: source.text,
            etag: HeaderValue::try_from(format!("\"{digest}\"")).ok()?,
            packed,
        })
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let packed = self.packed.as_ref().filter(|_| accepts_gzip(request));
        let (body, etag) = packed.map_or((&self.plain, &self.etag), |(body, etag)| (body, etag));
        let known = matches(request, etag);
        let mut response = Response::new(if known { Body::empty() } else { Body::from(body.clone()) });
        let headers = response.headers_mut();
        headers.insert(ETAG, etag.clone());
        // Kept, but asked about each time: the files have no version in their names.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(policy) = &self.policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
            headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if packed.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether the client has this very copy, by `If-None-Match` (compared weakly, as RFC 9110 has it).
fn matches(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let ours = etag.to_str().unwrap_or_default();
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|theirs| theirs == "*" || theirs.strip_prefix("W/").unwrap_or(theirs) == ours)
}

/// A route that makes its file at the first request, once, off the threads that serve.
fn serve<F>(make: F) -> MethodRouter
where
    F: FnOnce() -> Option<Source> + Clone + Send + Sync + 'static,
{
    let cell: Arc<OnceCell<Asset>> = Arc::default();
    get(async move |request: Request| {
        let asset = cell
            .get_or_try_init(|| async move {
                let made = tokio::task::spawn_blocking(move || make().and_then(Asset::new)).await;
                made.ok().flatten().ok_or_else(|| Problem::internal("a documentation page could not be made"))
            })
            .await;
        match asset {
            Ok(asset) => asset.answer(request.headers()),
            Err(problem) => problem.into_response(),
        }
    })
}

fn swagger_config(documents: &[(&'static str, &'static str)], primary: usize) -> Config<'static> {
    let urls =
        documents.iter().enumerate().map(|(at, (name, path))| Url::with_primary(name, path, at == primary));
    Config::new(urls)
        .persist_authorization(true)
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .doc_expansion("list")
        .filter(true)
        // The default asks a public service whether the document is valid.
        .validator_url("none")
}

fn swagger_file(file: &str, config: Arc<Config<'static>>) -> Option<Source> {
    let file = utoipa_swagger_ui::serve(file, config).ok().flatten()?;
    let policy = file.content_type.starts_with("text/html").then(|| SWAGGER_POLICY.to_owned());
    let content_type = with_charset(file.content_type);
    Some(Source { content_type, text: Bytes::from(file.bytes.into_owned()), policy })
}

/// The page of Swagger UI, whose files are at `base`.
fn swagger_index(base: &str) -> Option<Source> {
    let page = swagger_file("index.html", Arc::new(Config::from("")))?;
    let text = String::from_utf8(page.text.into()).ok()?;
    let text = text
        .replace("\"./", &format!("\"{base}"))
        .replace("\"index.css\"", &format!("\"{base}index.css\""))
        .replace("<title>Swagger UI</title>", "<title>Stockroom API</title>");
    Some(Source { text: Bytes::from(text), ..page })
}

/// The page of ReDoc, with its script inside.
fn redoc(name: &str, path: &str) -> Option<Source> {
    let html = aide::redoc::Redoc::new(path).with_title(name).html();
    // The one picture that ReDoc fetches from its makers.
    let html = html.replace("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,");
    let script = html.split_once("<script>")?.1.split_once("</script>")?.0;
    let hash = STANDARD.encode(Sha256::digest(script));
    // Exactly this script may run; the search index lives in a worker that ReDoc makes from a blob.
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}'; worker-src blob:; style-src 'unsafe-inline'; \
         img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    Some(Source {
        content_type: "text/html; charset=utf-8".to_owned(),
        text: html.into(),
        policy: Some(policy),
    })
}

fn with_charset(content_type: String) -> String {
    if content_type.starts_with("text/") { content_type + "; charset=utf-8" } else { content_type }
}

#[cfg(test)]
#[path = "docs_tests.rs"]
mod tests;
