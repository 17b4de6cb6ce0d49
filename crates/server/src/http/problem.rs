//! Problem documents (RFC 9457): the one shape of every answer that is not a success.

use std::borrow::Cow;
use std::fmt::Display;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use super::problem_docs::{
    ApiKeyNotFound, BadRequest, BodyRefused, Forbidden, KeyReused, Misdirected, NotFound, PreconditionFailed,
    ProblemBody, ReadProblems, TooManyRequests, Unauthenticated, Unavailable, UserNotFound, UserTaken,
    WriteProblems,
};

/// What is wrong with one member of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the member: `items[0].quantity`; `body` for the body as a whole.
    #[schema(example = "items[0].quantity")]
    pub field: String,
    /// What is expected of it.
    #[schema(example = "must be at least 1")]
    pub message: String,
}

impl FieldError {
    /// A complaint about one member.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A refusal or a fault, ready to be answered as `application/problem+json`.
///
/// The request id is written into the document by [`super::middleware::finish`], which also counts and logs it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    more: Option<Box<More>>,
    cause: Option<Box<str>>,
    www_authenticate: Option<&'static str>,
    retry_after: Option<u32>,
}

/// The value of `detail` in an older contract, as JSON: a text, or an object or list with its members in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(Box<str>);

impl Said {
    /// Anything but a plain text.
    pub fn of(detail: &(impl Serialize + ?Sized)) -> Self {
        let mut text = Vec::new();
        push(&mut text, detail);
        Self(String::from_utf8(text).unwrap_or_default().into())
    }

    /// The body around it.
    fn document(&self) -> String {
        format!(r#"{{"detail":{}}}"#, self.0)
    }
}

impl From<&str> for Said {
    fn from(detail: &str) -> Self {
        Self::of(detail)
    }
}

/// What few problems have.
#[derive(Debug, Clone, Default)]
struct More {
    /// Further members of the document.
    members: Map<String, Value>,
    /// What a contract says that knows nothing but a `detail`.
    said: Option<Said>,
}

/// Left in the response's extensions for the middleware, which knows the request id.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    /// The code of the problem.
    pub(crate) code: &'static str,
    said: Option<Said>,
    /// The sentence for people.
    detail: Cow<'static, str>,
    /// The document without its request id.
    pub(crate) text: Bytes,
    /// Where in `text` further members go.
    pub(crate) at: usize,
    /// What only the log may know.
    pub(crate) cause: Option<Box<str>>,
    /// The server refuses for lack of room, and is not at fault.
    pub(crate) overloaded: bool,
}

impl Problem {
    /// A problem with a status, a code for programs and a sentence for people.
    pub const fn new(status: StatusCode, code: &'static str, detail: Cow<'static, str>) -> Self {
        Self {
            status,
            code,
            detail,
            errors: Vec::new(),
            more: None,
            cause: None,
            www_authenticate: None,
            retry_after: None,
        }
    }

    /// Adds a member to the document. Not for the names that every document has.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.get_or_insert_default().members.insert(name.to_owned(), value.into());
        self
    }

    /// Puts it into the words of an older contract: the value of `detail`, the only member it knows.
    pub fn say(mut self, detail: impl Into<Said>) -> Self {
        self.more.get_or_insert_default().said = Some(detail.into());
        self
    }

    /// Asks the client to come back after so many seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the challenge of a 401.
    pub fn www_authenticate(mut self, challenge: &'static str) -> Self {
        self.www_authenticate = Some(challenge);
        self
    }

    /// Keeps for the log what the client must not see.
    pub fn cause(mut self, cause: &impl Display) -> Self {
        self.cause = Some(cause.to_string().into_boxed_str());
        self
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The code for programs, such as `INSUFFICIENT_STOCK`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with which member; empty unless the input was invalid.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The whole document as JSON, for an answer that is kept. In the words of an older contract there is no request
    /// id.
    #[must_use]
    pub fn document(&self, request_id: &str) -> String {
        if let Some(said) = self.more.as_ref().and_then(|more| more.said.as_ref()) {
            return said.document();
        }
        let (mut text, at) = self.text();
        let mut member = br#","request_id":"#.to_vec();
        push(&mut member, request_id);
        text.splice(at..at, member);
        String::from_utf8(text).unwrap_or_default()
    }

    /// The document as JSON without a request id, and the place where further members go.
    fn text(&self) -> (Vec<u8>, usize) {
        let mut text = Vec::with_capacity(256 + 96 * self.errors.len());
        text.extend_from_slice(br#"{"type":"about:blank","title":"#);
        push(&mut text, self.status.canonical_reason().unwrap_or("Error"));
        text.extend_from_slice(br#","status":"#);
        push(&mut text, &self.status.as_u16());
        text.extend_from_slice(br#","detail":"#);
        push(&mut text, &self.detail);
        text.extend_from_slice(br#","code":"#);
        push(&mut text, self.code);
        let at = text.len();
        if !self.errors.is_empty() {
            text.extend_from_slice(br#","errors":"#);
            push(&mut text, &self.errors);
        }
        for (name, value) in self.more.iter().flat_map(|more| more.members.iter()) {
            text.push(b',');
            push(&mut text, name);
            text.push(b':');
            push(&mut text, value);
        }
        text.push(b'}');
        (text, at)
    }
}

/// Constructors for what is not about the shop.
impl Problem {
    /// 400: the request is invalid, and `errors` says where.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = Cow::Borrowed("The request is invalid; see errors.");
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", detail) }
    }

    /// 400: one member of the request is invalid.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::validation(vec![FieldError::new(field, message)])
    }

    /// 401: no token was sent.
    pub const fn unauthenticated() -> Self {
        let detail = Cow::Borrowed("Log in and send the access token as a bearer token.");
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail);
        problem.www_authenticate = Some("Bearer");
        problem
    }

    /// 401: the token is not ours, has expired or was withdrawn.
    pub const fn invalid_token() -> Self {
        let detail = Cow::Borrowed("The token is invalid or has expired.");
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", detail);
        problem.www_authenticate = Some(r#"Bearer error="invalid_token""#);
        problem
    }

    /// 401: wrong name or password; does not say which.
    pub const fn invalid_credentials() -> Self {
        let detail = Cow::Borrowed("The username or the password is wrong.");
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS", detail);
        problem.www_authenticate = Some("Bearer");
        problem
    }

    /// 403: the caller is known and may not do this.
    pub const fn forbidden() -> Self {
        let detail = Cow::Borrowed("You do not have permission to do this.");
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
    }

    /// 403: the key is good, but not for this.
    pub const fn scope_missing() -> Self {
        let detail = Cow::Borrowed("The API key lacks a scope that this needs, or this takes a person.");
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
    }

    /// 403: nobody but administrators makes accounts here.
    pub const fn registration_closed() -> Self {
        let detail = Cow::Borrowed("Registration is closed; ask an administrator for an account.");
        Self::new(StatusCode::FORBIDDEN, "REGISTRATION_CLOSED", detail)
    }

    /// 403: what was sent is not the code for setting the shop up.
    pub const fn wrong_setup_code() -> Self {
        let detail = Cow::Borrowed("The setup code is wrong, or the shop has an administrator already.");
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
    }

    /// 403: a browser asks on behalf of a page of another site, without a token.
    pub const fn foreign_page() -> Self {
        let detail = Cow::Borrowed(
            "Without a token, browsers may not do this from another site or under another name of this server.",
        );
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
    }

    /// 404: there is no such thing, or not for this caller. `what` is its name for people: `Product 7`.
    pub fn not_found(code: &'static str, what: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, Cow::Owned(format!("{what} does not exist.")))
    }

    /// 404: no route has this path.
    pub const fn route_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND", Cow::Borrowed("No route has this path."))
    }

    /// 405: the path exists, and the `Allow` header says for which methods.
    pub const fn method_not_allowed() -> Self {
        let detail = Cow::Borrowed("This path does not answer to this method; see the Allow header.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
    }

    /// 408: the request was not answered in time. Whether it took effect is unknown.
    pub const fn timeout() -> Self {
        let detail = Cow::Borrowed(
            "The request took too long and may or may not have taken effect; \
             repeat it with the same Idempotency-Key.",
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail)
    }

    /// 409: the request does not fit the state of things.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail.into())
    }

    /// 412: what was to be edited has changed since it was read.
    pub const fn precondition_failed() -> Self {
        let detail =
            Cow::Borrowed("It has changed since you read it; read it again. If-Match does not match.");
        Self::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", detail)
    }

    /// 413: the body is larger than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        let detail = Cow::Owned(format!("The body may have at most {limit} bytes."));
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", detail)
    }

    /// 415: the body is not of a type that this route reads. `expected` names the types.
    pub fn unsupported_media_type(expected: &str) -> Self {
        let detail = Cow::Owned(format!("The body must be {expected}; see Content-Type."));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
    }

    /// 421: the request asks for a server of another name.
    pub const fn misdirected() -> Self {
        let detail = Cow::Borrowed(
            "This server is not known by the name in the Host header; the setting allowed_hosts lists its names.",
        );
        Self::new(StatusCode::MISDIRECTED_REQUEST, "MISDIRECTED", detail)
    }

    /// 422: the idempotency key was used before for another request.
    pub const fn idempotency_key_reused() -> Self {
        let detail = Cow::Borrowed("This Idempotency-Key belongs to a different request.");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", detail)
    }

    /// 429: too many attempts; the next one is welcome after so many seconds.
    pub const fn too_many_requests(retry_after: u32) -> Self {
        let detail = Cow::Borrowed("Too many attempts; wait before the next one.");
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", detail);
        problem.retry_after = Some(retry_after);
        problem
    }

    /// 500: a fault of ours. The cause goes to the log and nowhere else.
    pub fn internal(cause: impl Display) -> Self {
        let detail =
            Cow::Borrowed("Something went wrong on our side. It has been logged under this request id.");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail).cause(&cause)
    }

    /// 503: no room for more work now; nothing was done.
    pub const fn overloaded(retry_after: u32) -> Self {
        let detail = Cow::Borrowed("Too much is going on; nothing was done. Try again shortly.");
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", detail);
        problem.retry_after = Some(retry_after);
        problem
    }

    /// 503: something that is needed, such as the database, cannot be reached. The cause goes to the log.
    pub fn unavailable(cause: impl Display) -> Self {
        let detail = Cow::Borrowed("The service is unavailable for the moment. Try again shortly.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail).retry_after(1).cause(&cause)
    }

    /// 503: the database is set up so that it may forget what it has answered. What exactly goes to the log.
    pub fn unsafe_database(cause: impl Display) -> Self {
        let detail = Cow::Borrowed("The database may forget what it has answered; the log says why.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNSAFE_DATABASE", detail).retry_after(60).cause(&cause)
    }

    /// 503: the disk failed or is full, and nothing was done. The cause goes to the log.
    pub fn storage_failed(cause: impl Display) -> Self {
        let detail = Cow::Borrowed("The storage failed or is full; nothing was done. Try again later.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORAGE_FAILED", detail).retry_after(5).cause(&cause)
    }

    /// 504: the database was lost while it stored the change, and did not come back in time to say whether it had; or the
    /// disk failed in the middle of it.
    pub fn outcome_unknown(cause: impl Display) -> Self {
        let detail = Cow::Borrowed(
            "Whether this was done could not be found out in time. Repeat it with the same Idempotency-Key.",
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "OUTCOME_UNKNOWN", detail).retry_after(1).cause(&cause)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (text, at) = self.text();
        let text = Bytes::from(text);
        let mut response = Response::new(Body::from(text.clone()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.www_authenticate {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let overloaded = self.code == "OVERLOADED";
        response.extensions_mut().insert(Rendered {
            code: self.code,
            said: self.more.and_then(|more| more.said),
            detail: self.detail,
            text,
            at,
            cause: self.cause,
            overloaded,
        });
        response
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        problem.into_response()
    }
}

impl Rendered {
    /// What stands in place of the document in a contract that knows nothing but a `detail`.
    pub(crate) fn detail(&self) -> String {
        let said = self.said.clone().unwrap_or_else(|| Said::from(&*self.detail));
        said.document()
    }

    /// The document with the request id in it.
    pub(crate) fn with_request_id(&self, request_id: &str) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text.len() + request_id.len() + 24);
        text.extend_from_slice(&self.text[..self.at]);
        text.extend_from_slice(br#","request_id":"#);
        push(&mut text, request_id);
        text.extend_from_slice(&self.text[self.at..]);
        text
    }
}

/// Appends `value` as JSON.
fn push<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    // Strings, numbers and JSON values cannot fail to be written into memory; should one, the document stays JSON.
    if serde_json::to_writer(&mut *text, value).is_err() {
        text.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    fn rendered(problem: Problem) -> (Response, Rendered) {
        let mut response = problem.into_response();
        let rendered = response.extensions_mut().remove::<Rendered>().unwrap();
        (response, rendered)
    }

    #[tokio::test]
    async fn writes_the_whole_document_also_without_the_middleware() {
        let problem = Problem::conflict("INSUFFICIENT_STOCK", "Only 3 of \"Tea\" are left.")
            .with("product_id", 7)
            .with("available", 3);
        let (response, rendered) = rendered(problem);
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let mut expected = json!({
            "type": "about:blank", "title": "Conflict", "status": 409, "detail": "Only 3 of \"Tea\" are left.",
            "code": "INSUFFICIENT_STOCK", "product_id": 7, "available": 3,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        expected["request_id"] = json!("a\"b");
        assert_eq!(serde_json::from_slice::<Value>(&rendered.with_request_id("a\"b")).unwrap(), expected);
    }

    #[test]
    fn names_each_invalid_member() {
        let (_, rendered) = rendered(Problem::invalid("items[0].quantity", "must be at least 1"));
        let body: Value = serde_json::from_slice(&rendered.with_request_id("r")).unwrap();
        assert_eq!(body["code"], "VALIDATION_ERROR");
        assert_eq!(body["errors"], json!([{"field": "items[0].quantity", "message": "must be at least 1"}]));
    }

    #[test]
    fn keeps_the_cause_of_a_fault_out_of_the_document() {
        let (response, rendered) = rendered(Problem::internal("disk /dev/sda1 is on fire"));
        assert_eq!(response.status(), 500);
        assert!(!String::from_utf8_lossy(&rendered.text).contains("fire"));
        assert_eq!(rendered.cause.as_deref(), Some("disk /dev/sda1 is on fire"));
    }

    #[test]
    fn sets_the_headers_that_go_with_a_status() {
        assert_eq!(Problem::overloaded(2).into_response().headers()[RETRY_AFTER], "2");
        assert_eq!(Problem::unauthenticated().into_response().headers()[WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn is_small_enough_to_be_an_error_by_value() {
        assert!(size_of::<Problem>() < 128, "{}", size_of::<Problem>());
    }
}
