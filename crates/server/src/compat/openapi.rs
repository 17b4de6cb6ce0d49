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
        let text = match STATUS {
            400 => "The rules of the shop do not allow it",
            401 => "No token was sent, or one that is not good",
            403 => "The role does not allow it",
            404 => "There is no such thing",
            _ => "Refused",
        };
        response(STATUS, text, DetailBody::schema())
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
    #[schema(value_type = Vec<Object>, example = json!(["body", "items", 0, "quantity"]))]
    loc: Vec<String>,
    /// The same for people.
    #[schema(example = "Field required")]
    msg: String,
    /// What was sent.
    #[schema(value_type = Object)]
    input: String,
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
