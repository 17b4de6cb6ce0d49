//! How the documents of the façades describe what is not a success.
#![expect(unused_qualifications, reason = "utoipa's macro writes them")]

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

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
        _ => "Refused",
    }
}

impl IntoResponses for Invalid {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        response(422, "The request is not what the operation takes", InvalidBody::schema())
    }
}

fn response(
    status: u16,
    text: &str,
    schema: RefOr<utoipa::openapi::Schema>,
) -> BTreeMap<String, RefOr<Response>> {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(text).content("application/json", content).build();
    BTreeMap::from([(status.to_string(), response.into())])
}
