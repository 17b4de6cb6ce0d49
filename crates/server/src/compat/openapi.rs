//! How the documents of the façades describe what is not a success.
#![expect(unused_qualifications, reason = "utoipa's macro writes them")]

use std::collections::BTreeMap;

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, OneOfBuilder, OpenApi, RefOr, Required, Response,
    ResponseBuilder, Schema,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::wire::idempotency;

/// A refusal with this status.
pub(super) struct Detail<const STATUS: u16>;

/// What a refusal says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
struct DetailBody {
    detail: String,
}

impl<const STATUS: u16> IntoResponses for Detail<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        response(STATUS, meaning(STATUS), DetailBody::schema())
    }
}

/// A request that is not what the operation takes.
pub(super) struct Invalid;

/// What is wrong with a request.
#[derive(ToSchema)]
#[schema(as = HTTPValidationError)]
#[expect(dead_code, reason = "only described")]
struct InvalidBody {
    #[schema(inline)]
    detail: Vec<Flaw>,
}

/// One thing that is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
struct Flaw {
    /// What kind of thing.
    #[schema(example = "missing")]
    r#type: String,
    /// Where: `body`, `query`, `path` or `header`, then names and positions.
    #[schema(inline, example = json!(["body", "items", 0, "quantity"]))]
    loc: Vec<Step>,
    /// The same for people.
    #[schema(example = "Field required")]
    msg: String,
    /// What was sent.
    #[schema(value_type = Value)]
    input: serde_json::Value,
}

/// A name, or a position from 0.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
enum Step {
    Name(String),
    Position(u64),
}

/// A refusal of `mini-order` whose `detail` is an object, with this status.
pub(super) struct Failure<const STATUS: u16>;

/// What some refusals say.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
struct FailureBody {
    #[schema(inline)]
    detail: FailureDetail,
}

/// What failed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
struct FailureDetail {
    #[schema(example = false)]
    status: bool,
    message: String,
}

impl<const STATUS: u16> IntoResponses for Failure<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        response(STATUS, meaning(STATUS), FailureBody::schema())
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The rules of the shop do not allow it",
        401 => "No token was sent, or one that is not good",
        403 => "The role does not allow it",
        404 => "There is no such thing",
        408 => "The request was not read and answered in time",
        409 => {
            "Another server on the same database was faster, or the first request with this key is still running"
        }
        413 => "The body is larger than the server takes",
        421 => "The server is not known by the name in `Host`",
        429 => "Too many attempts",
        503 => "No room for more work, or the database or its disk is unavailable; nothing was done",
        504 => {
            "Whether this was done could not be found out in time; a repetition with the same `Idempotency-Key` settles it"
        }
        _ => "Refused",
    }
}

impl IntoResponses for Invalid {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        response(422, "The request is not what the operation takes", InvalidBody::schema())
    }
}

/// What may happen to any request.
const TO_ALL: [u16; 3] = [408, 421, 503];
/// What may happen to any request with a body.
const TO_BODIES: [u16; 2] = [400, 413];
/// What may happen to any command.
const TO_COMMANDS: [u16; 2] = [409, 504];

/// Adds to every operation what it may answer for reasons that have nothing to do with what it is about, and to every
/// command the key to repeat it under.
pub(super) fn tell_of_the_rest(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let PathItem { get, post, put, patch, delete, .. } = item;
        for operation in get.iter_mut() {
            tell_of(operation, &TO_ALL);
        }
        for operation in [post, put, patch, delete].into_iter().flatten() {
            tell_of(operation, &TO_ALL);
            tell_of(operation, &TO_BODIES);
            // A login has no effect that a repetition could double.
            if operation.operation_id.as_deref() != Some("login") {
                tell_of(operation, &TO_COMMANDS);
                tell_of_key(operation);
            }
        }
    }
}

fn tell_of(operation: &mut Operation, statuses: &[u16]) {
    for status in statuses {
        for (status, refusal) in response(*status, meaning(*status), DetailBody::schema()) {
            operation.responses.responses.entry(status).or_insert(refusal);
        }
    }
}

fn tell_of_key(operation: &mut Operation) {
    let text = "The request is not what the operation takes, or the `Idempotency-Key` belongs to a different request";
    let either = OneOfBuilder::new().item(InvalidBody::schema()).item(DetailBody::schema()).build();
    operation.responses.responses.append(&mut response(422, text, Schema::OneOf(either).into()));
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    let parameter = ParameterBuilder::new()
        .name(idempotency::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Your own name for this request: the same request with the same key has one effect.",
        ))
        .schema(Some(Schema::Object(schema.build())));
    operation.parameters.get_or_insert_default().push(parameter.build().into());
}

fn response(status: u16, text: &str, schema: RefOr<Schema>) -> BTreeMap<String, RefOr<Response>> {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response = ResponseBuilder::new().description(text).content("application/json", content);
    let header = match status {
        401 => Some(("WWW-Authenticate", Type::String, "`Bearer`.")),
        429 | 503 | 504 => Some(("Retry-After", Type::Integer, "Seconds to wait before the next attempt.")),
        _ => None,
    };
    if let Some((name, kind, text)) = header {
        let header = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(kind)));
        response = response.header(name, header.description(Some(text)).build());
    }
    BTreeMap::from([(status.to_string(), response.build().into())])
}
