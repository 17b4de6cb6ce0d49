//! Problems as the OpenAPI document tells of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, ToSchema};

use super::problem::FieldError;

/// A refusal or a fault (RFC 9457). Some codes add members of their own.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what Problem writes")]
pub struct ProblemBody {
    /// Always `about:blank`: `code` tells problems apart.
    #[schema(example = "about:blank")]
    r#type: String,
    /// The status in words.
    #[schema(example = "Bad Request")]
    title: String,
    /// The HTTP status.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people; its wording may change.
    #[schema(example = "The request is invalid; see errors.")]
    detail: String,
    /// A word for programs; stays as it is.
    #[schema(example = "VALIDATION_ERROR")]
    code: String,
    /// Names the request in the server's log; also in the header `X-Request-Id`.
    #[schema(example = "0kq3v8x2m5t9a")]
    request_id: String,
    /// With `VALIDATION_ERROR`: what is wrong with which member.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldError>>,
}

/// One documented problem: status, title, code, detail, description.
type Entry = (u16, &'static str, &'static str, &'static str, &'static str);

const BAD_REQUEST: Entry = (
    400,
    "Bad Request",
    "VALIDATION_ERROR",
    "The request is invalid; see errors.",
    "The path, the query or the body is invalid; `errors` names every invalid member (`VALIDATION_ERROR`).",
);
const UNAUTHENTICATED: Entry = (
    401,
    "Unauthorized",
    "UNAUTHENTICATED",
    "Log in and send the access token as a bearer token.",
    "No valid token was sent (`UNAUTHENTICATED`, `INVALID_TOKEN`), or the credentials are wrong \
     (`INVALID_CREDENTIALS`).",
);
const FORBIDDEN: Entry = (
    403,
    "Forbidden",
    "FORBIDDEN",
    "You do not have permission to do this.",
    "The caller's role does not permit this (`FORBIDDEN`).",
);
const NOT_FOUND: Entry = (
    404,
    "Not Found",
    "PRODUCT_NOT_FOUND",
    "Product 7 does not exist.",
    "There is no such thing, or it is not the caller's (`…_NOT_FOUND`).",
);
const USER_NOT_FOUND: Entry = (
    404,
    "Not Found",
    "USER_NOT_FOUND",
    "User 7 does not exist.",
    "There is no such account, or it is not the caller's (`USER_NOT_FOUND`).",
);
const API_KEY_NOT_FOUND: Entry = (
    404,
    "Not Found",
    "API_KEY_NOT_FOUND",
    "API key 7 does not exist.",
    "There is no such key (`API_KEY_NOT_FOUND`).",
);
const TIMED_OUT: Entry = (
    408,
    "Request Timeout",
    "REQUEST_TIMEOUT",
    "The request took too long and may or may not have taken effect; repeat it with the same Idempotency-Key.",
    "The request was not read and answered in time (`REQUEST_TIMEOUT`).",
);
const CONFLICT: Entry = (
    409,
    "Conflict",
    "INSUFFICIENT_STOCK",
    "Only 3 of product 7 are available.",
    "The request does not fit the state of things; `code` says how, and nothing was changed.",
);
const USER_TAKEN: Entry = (
    409,
    "Conflict",
    "USERNAME_TAKEN",
    "The username john.doe is taken.",
    "The name or the address belongs to another (`USERNAME_TAKEN`, `EMAIL_TAKEN`), or a request with this key is still \
        running (`IDEMPOTENCY_IN_PROGRESS`).",
);
const PRECONDITION_FAILED: Entry = (
    412,
    "Precondition Failed",
    "PRECONDITION_FAILED",
    "It has changed since you read it; read it again. If-Match does not match.",
    "`If-Match` names another version than the current one (`PRECONDITION_FAILED`).",
);
const PAYLOAD_TOO_LARGE: Entry = (
    413,
    "Payload Too Large",
    "PAYLOAD_TOO_LARGE",
    "The body may have at most 262144 bytes.",
    "The body is larger than the server takes (`PAYLOAD_TOO_LARGE`).",
);
const UNSUPPORTED_MEDIA_TYPE: Entry = (
    415,
    "Unsupported Media Type",
    "UNSUPPORTED_MEDIA_TYPE",
    "The body must be application/json; see Content-Type.",
    "The body's `Content-Type` is not one that this route reads (`UNSUPPORTED_MEDIA_TYPE`).",
);
const MISDIRECTED: Entry = (
    421,
    "Misdirected Request",
    "MISDIRECTED",
    "This server is not known by the name in the Host header; the setting allowed_hosts lists its names.",
    "The server is not known by the name in `Host` (`MISDIRECTED`).",
);
const KEY_REUSED: Entry = (
    422,
    "Unprocessable Entity",
    "IDEMPOTENCY_KEY_REUSED",
    "This Idempotency-Key belongs to a different request.",
    "The `Idempotency-Key` was used before for a different request (`IDEMPOTENCY_KEY_REUSED`).",
);
const TOO_MANY_REQUESTS: Entry = (
    429,
    "Too Many Requests",
    "TOO_MANY_REQUESTS",
    "Too many attempts; wait before the next one.",
    "Too many attempts; `Retry-After` says in how many seconds the next is welcome (`TOO_MANY_REQUESTS`).",
);
const UNAVAILABLE: Entry = (
    503,
    "Service Unavailable",
    "OVERLOADED",
    "Too much is going on; nothing was done. Try again shortly.",
    "No room for more work (`OVERLOADED`), the database cannot be reached (`UNAVAILABLE`), or its disk failed or is full \
     (`STORAGE_FAILED`); nothing was done. `Retry-After` says when to try again.",
);
const OUTCOME_UNKNOWN: Entry = (
    504,
    "Gateway Timeout",
    "OUTCOME_UNKNOWN",
    "Whether this was done could not be found out in time. Repeat it with the same Idempotency-Key.",
    "The connection to the database was lost or its disk failed while the change was being stored, and whether it was could \
     not be found out in time (`OUTCOME_UNKNOWN`); a repetition with the same `Idempotency-Key` settles it.",
);

fn responses(entries: &[Entry]) -> BTreeMap<String, RefOr<Response>> {
    entries.iter().map(|entry| (entry.0.to_string(), RefOr::T(response(entry)))).collect()
}

fn response(entry: &Entry) -> Response {
    let (status, _, _, _, description) = *entry;
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ProblemBody")))
        .example(Some(example(entry)))
        .build();
    let response =
        ResponseBuilder::new().description(description).content("application/problem+json", content);
    match header(status) {
        Some((name, header)) => response.header(name, header).build(),
        None => response.build(),
    }
}

/// The header that all answers of a status have.
fn header(status: u16) -> Option<(&'static str, Header)> {
    let (name, kind, description) = match status {
        401 => (
            "WWW-Authenticate",
            Type::String,
            "`Bearer`, and whether the token that was sent is the problem.",
        ),
        429 | 503 | 504 => ("Retry-After", Type::Integer, "Seconds to wait before the next attempt."),
        _ => return None,
    };
    let header = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(kind)));
    Some((name, header.description(Some(description)).build()))
}

fn example(&(status, title, code, detail, _): &Entry) -> Value {
    let mut example = json!({
        "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code,
        "request_id": "0kq3v8x2m5t9a",
    });
    if status == 400 {
        example["errors"] = json!([{"field": "items[0].quantity", "message": "must be at least 1"}]);
    }
    example
}

/// Declares types for `#[utoipa::path(responses(...))]`.
macro_rules! documented {
    ($($(#[$meta:meta])* $name:ident: $($entry:ident),+;)+) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$($entry),+])
            }
        }
    )+};
}

documented! {
    /// 400.
    BadRequest: BAD_REQUEST;
    /// 401.
    Unauthenticated: UNAUTHENTICATED;
    /// 403.
    Forbidden: FORBIDDEN;
    /// 404 of a thing that the path names.
    NotFound: NOT_FOUND;
    /// 404 of an account that the path names.
    UserNotFound: USER_NOT_FOUND;
    /// 404 for a key of a machine.
    ApiKeyNotFound: API_KEY_NOT_FOUND;
    /// 409 of a new account.
    UserTaken: USER_TAKEN;
    /// 412, where `If-Match` is read.
    PreconditionFailed: PRECONDITION_FAILED;
    /// 413 and 415, where a body is read.
    BodyRefused: PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE;
    /// 421, which every operation may answer but those that say how the server is.
    Misdirected: MISDIRECTED;
    /// 422, where `Idempotency-Key` is read.
    KeyReused: KEY_REUSED;
    /// 429, where attempts are limited.
    TooManyRequests: TOO_MANY_REQUESTS;
    /// 408 and 503.
    Unavailable: TIMED_OUT, UNAVAILABLE;
    /// What any read by a caller with a role may answer: 400, 401, 403, 408, 503.
    ReadProblems: BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN, TIMED_OUT, UNAVAILABLE;
    /// What any command with a body may answer: 400, 401, 403, 408, 409, 413, 415, 422, 503, 504.
    WriteProblems: BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN, TIMED_OUT, CONFLICT, PAYLOAD_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE, KEY_REUSED, UNAVAILABLE, OUTCOME_UNKNOWN;
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi;

    use super::*;

    #[utoipa::path(get, path = "/x", responses((status = 200, description = "Fine"), WriteProblems, NotFound))]
    #[expect(dead_code, reason = "only its attribute matters")]
    fn operation() {}

    #[derive(OpenApi)]
    #[openapi(paths(operation), components(schemas(ProblemBody, FieldError)))]
    struct Document;

    #[test]
    fn every_documented_problem_is_described_and_exemplified() {
        let document = serde_json::to_value(Document::openapi()).unwrap();
        let responses = document["paths"]["/x"]["get"]["responses"].as_object().unwrap();
        for status in ["400", "401", "403", "404", "408", "409", "413", "415", "422", "503", "504"] {
            let response = &responses[status];
            assert!(!response["description"].as_str().unwrap().is_empty(), "{status}");
            let content = &response["content"]["application/problem+json"];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/ProblemBody");
            assert_eq!(content["example"]["status"].to_string(), status);
        }
        let schema = &document["components"]["schemas"]["ProblemBody"];
        assert_eq!(schema["required"], json!(["type", "title", "status", "detail", "code", "request_id"]));
    }
}
