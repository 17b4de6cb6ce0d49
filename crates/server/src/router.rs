//! All routes of a server, and the document that describes them.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use serde::Serialize;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{
    Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme,
};
use utoipa::{IntoResponses as _, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api;
use crate::app::{App, Failure};
use crate::compat;
use crate::http::problem::{FieldError, Forbidden, Misdirected, Problem, ProblemBody, Unavailable};
use crate::http::{docs, metrics, middleware};
use crate::request::{READ, Staff};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stockroom",
        description = "Orders and inventory that cannot oversell.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(ProblemBody, FieldError))
)]
struct Base;

/// The names of the security schemes in the document.
const PASSWORD_FLOW: &str = "password";
const BEARER: &str = "bearer";

/// Whether the process runs.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Says whether the process runs
///
/// It takes requests; this says nothing about the database.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "healthz", security(()),
    responses((status = 200, description = "The process runs", body = Health, example = json!({"status": "ok"}))))]
async fn healthz() -> impl IntoResponse {
    crate::http::healthz().await
}

/// Says whether the server can do its work
///
/// The database answers, keeps through a power cut what it has answered, and commands are being carried out.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readyz", security(()),
    responses((status = 200, description = "Ready for work", body = Health, example = json!({"status": "ok"})),
        Unavailable))]
async fn readyz(State(app): State<App>) -> Result<Response, Problem> {
    app.check_ready().await.map_err(|failure| match failure {
        Failure::Unsafe(_) | Failure::Storage(_) => failure.into(),
        failure => Problem::unavailable(&failure),
    })?;
    Ok(axum::Json(Health { status: "ok" }).into_response())
}

/// Numbers for Prometheus
///
/// In the OpenMetrics text format, for callers on this machine and for staff.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    security((), ("bearer" = []), ("password" = [])),
    responses((status = 200, description = "The numbers", body = String,
        content_type = "application/openmetrics-text"),
        crate::http::problem::Unauthenticated, Forbidden))]
#[expect(dead_code, reason = "describes the route that http::metrics brings")]
fn metrics_route() {}

#[derive(OpenApi)]
#[openapi(paths(metrics_route))]
struct MetricsDocument;

fn described() -> (Router<App>, Document) {
    let operations = OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz));
    let (router, mut document) = OpenApiRouter::with_openapi(Base::openapi())
        .nest(api::PREFIX, api::routes())
        .merge(operations)
        .split_for_parts();
    document.merge(MetricsDocument::openapi());
    api::describe(&mut document);
    docs::unfill_optional_parameters(&mut document);
    docs::tell_of_scopes(&mut document, &Forbidden::responses());
    docs::tell_of_hosts(&mut document, &Misdirected::responses());
    let mut flow = Password::new(format!("{}/auth/login", api::PREFIX), Scopes::new());
    flow.refresh_url = None;
    let components = document.components.get_or_insert_default();
    components
        .add_security_scheme(PASSWORD_FLOW, SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)])));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token, or the API key of a machine."))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    (router, document)
}

/// The OpenAPI document of the canonical API, as it is served and as it is committed.
///
/// # Errors
/// When the document cannot be written as JSON, which is a bug.
pub fn openapi() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&described().1)?;
    text.push('\n');
    Ok(text)
}

/// The whole server: API, documentation, operations, and the shell around them.
///
/// # Errors
/// As [`openapi`].
pub fn build(app: &App) -> Result<Router, serde_json::Error> {
    let (router, document) = described();
    let text = Bytes::from(serde_json::to_vec(&document)?);
    let document = docs::Document { name: "Stockroom", path: "/openapi.json", text };
    let root = app.settings().compat_root;
    let (facades, mut documents) = compat::mount(root)?;
    documents.insert(0, document);
    let checker = app.clone();
    let check = move |mut parts: axum::http::request::Parts| {
        let app = checker.clone();
        async move { Staff::<READ>::from_request_parts(&mut parts, &app).await.map(drop) }
    };
    let router = router
        .with_state(app.clone())
        .merge(docs::routes(documents, usize::from(root.is_some())))
        .merge(metrics::routes(app.metrics().clone(), check))
        .route("/", get(async || Redirect::temporary("/docs")))
        // A façade at `/` answers whatever nobody else does, but not in the place of the canonical API.
        .route("/api", any(async || Problem::route_not_found()))
        .route("/api/{*unknown}", any(async || Problem::route_not_found()));
    let facades = facades.with_state(app.clone());
    Ok(middleware::finish(router, facades, app.settings(), app.metrics().clone()))
}
