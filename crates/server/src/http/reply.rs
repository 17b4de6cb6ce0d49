//! An answer that can be kept: status, validators and a JSON text, no more.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::KeptAnswer;

use super::compress::Packed;
use super::problem::Problem;

/// Marks the answer to a repeated request.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer, ready to be sent or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Reply {
    status: StatusCode,
    etag: Option<String>,
    location: Option<String>,
    body: String,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, body)
    }

    /// 201 with a body, and where the new thing is.
    pub fn created(location: String, body: &impl Serialize) -> Self {
        Self { location: Some(location), ..Self::with_status(StatusCode::CREATED, body) }
    }

    /// 204 without a body.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, etag: None, location: None, body: String::new() }
    }

    /// 304: the client has it already.
    pub fn not_modified(etag: String) -> Self {
        Self { status: StatusCode::NOT_MODIFIED, etag: Some(etag), location: None, body: String::new() }
    }

    /// Any status with a body.
    pub fn with_status(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status, etag: None, location: None, body },
            // Our own types have text keys and finite numbers, so this is a bug; say so rather than lie.
            Err(error) => Self::of_problem(&Problem::internal(error), ""),
        }
    }

    /// A problem document with the id of the request that met it.
    pub fn of_problem(problem: &Problem, request_id: &str) -> Self {
        Self { status: problem.status(), etag: None, location: None, body: problem.document(request_id) }
    }

    /// Adds the entity tag.
    pub fn etag(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer to a repeated request, marked as such.
    pub fn replayed(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let is_empty = self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !is_empty {
            let failed = self.status.is_client_error() || self.status.is_server_error();
            let kind = if failed { "application/problem+json" } else { "application/json" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        // Both are made here of digits and paths; anything else would be a damaged row and is left out.
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(ETAG, etag);
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

/// Something that was found, ready to be sent as often as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Ready {
    etag: Option<HeaderValue>,
    body: Bytes,
    /// For those who take it so, if it gains by that.
    packed: Option<Packed>,
}

impl Ready {
    /// A JSON text as it is.
    pub fn text(body: Bytes) -> Self {
        Self { etag: None, packed: Packed::of(&body), body }
    }

    /// One thing under its tag.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which is a bug.
    pub fn tagged(body: &impl Serialize, etag: String) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        let etag = HeaderValue::try_from(etag).map_err(Problem::internal)?;
        Ok(Self { etag: Some(etag), ..Self::text(body.into()) })
    }

    /// A list, which has no version: its tag is made of its text.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which is a bug.
    pub fn list(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        let digest = Sha256::digest(&body);
        // Half of it is more than chance or malice can match.
        let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // Weak, because the same tag goes out with and without compression.
        let etag = HeaderValue::try_from(format!("W/\"{digits}\"")).map_err(Problem::internal)?;
        Ok(Self { etag: Some(etag), ..Self::text(body.into()) })
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// How many bytes it takes, once it is compressed as well, which makes half of it at most.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.len() + if self.packed.is_some() { self.len() / 2 } else { 0 }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The tag.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_ref().and_then(|etag| etag.to_str().ok())
    }

    /// 304: the client has it already.
    #[must_use]
    pub fn not_modified(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().extend(self.etag.map(|etag| (ETAG, etag)));
        response
    }
}

impl IntoResponse for Ready {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(etag) = self.etag {
            headers.insert(ETAG, etag);
        }
        if let Some(packed) = self.packed {
            response.extensions_mut().insert(packed);
        }
        response
    }
}

impl From<Reply> for KeptAnswer {
    fn from(reply: Reply) -> Self {
        Self { status: reply.status.as_u16(), etag: reply.etag, location: reply.location, body: reply.body }
    }
}

impl From<KeptAnswer> for Reply {
    fn from(kept: KeptAnswer) -> Self {
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, etag: kept.etag, location: kept.location, body: kept.body }
    }
}
