//! Parameters of paths, queries and headers.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::sample::{self, Direction, SOME_TEXT};

/// Headers that OpenAPI has described elsewhere: by the media types of the bodies, and by the security schemes.
const ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];

/// Path parameters, each with a value to replace.
pub(super) fn path_variables(operation: &Operation<'_>) -> Vec<Value> {
    let variable = |parameter: &Value| entry(parameter, &texts(operation, parameter).join(","));
    operation.parameters_in("path").map(variable).map(Value::Object).collect()
}

/// Query parameters; the optional ones are there, but disabled. A list is a parameter given several times.
pub(super) fn query(operation: &Operation<'_>) -> Vec<Value> {
    let entries = |parameter| {
        let texts = texts(operation, parameter);
        texts.into_iter().map(move |text| Value::Object(may_be_disabled(parameter, entry(parameter, &text))))
    };
    operation.parameters_in("query").flat_map(entries).collect()
}

/// Headers; the optional ones are there, but disabled.
pub(super) fn headers(operation: &Operation<'_>) -> Vec<Value> {
    let wanted = operation.parameters_in("header").filter(|parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        !ELSEWHERE.iter().any(|elsewhere| name.eq_ignore_ascii_case(elsewhere))
    });
    wanted
        .map(|parameter| {
            // A key that stayed the same would make every request after the first a repetition of it.
            let text = match parameter["name"].as_str() {
                Some(name) if name.eq_ignore_ascii_case("idempotency-key") => "{{$guid}}".to_owned(),
                _ => texts(operation, parameter).join(","),
            };
            Value::Object(may_be_disabled(parameter, entry(parameter, &text)))
        })
        .collect()
}

/// A value as it is written in a URL, a header or a form.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn entry(parameter: &Value, text: &str) -> Map<String, Value> {
    let mut entry = Map::from_iter([
        ("key".to_owned(), parameter["name"].clone()),
        ("value".to_owned(), Value::from(text)),
    ]);
    if let Some(description) = parameter["description"].as_str() {
        entry.insert("description".to_owned(), json!(description));
    }
    entry
}

fn may_be_disabled(parameter: &Value, mut entry: Map<String, Value>) -> Map<String, Value> {
    if parameter["required"] != true {
        entry.insert("disabled".to_owned(), Value::Bool(true));
    }
    entry
}

/// The example values of a parameter; at least one, though it may be empty.
fn texts(operation: &Operation<'_>, parameter: &Value) -> Vec<String> {
    let document = operation.document;
    let named = || document.resolve(parameter["examples"].as_object()?.values().next()?).get("value");
    let made = match parameter.get("example").or_else(named) {
        Some(example) => example.clone(),
        None => match told(parameter) {
            Some(example) => Value::from(example),
            None => sample::of_schema(document, &parameter["schema"], Direction::Request),
        },
    };
    match made {
        Value::Array(items) if !items.is_empty() => items.iter().map(text).collect(),
        // A text that means nothing is no help to somebody who enables an optional parameter.
        made if made == SOME_TEXT && parameter["required"] != true => vec![String::new()],
        made => vec![text(&made)],
    }
}

/// The example that the description tells: where a document must not show one, because Swagger UI would send it, it
/// says `For example: …`.
fn told(parameter: &Value) -> Option<&str> {
    let (_, rest) = parameter["description"].as_str()?.rsplit_once("For example: `")?;
    rest.split_once('`').map(|(example, _)| example)
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn check(parameter: &Value, place: fn(&Operation<'_>) -> Vec<Value>, wanted: &Value) {
        let text = json!({"paths": {"/": {"get": {"parameters": [parameter]}}}}).to_string();
        let document = Document::new("shop", &text).expect("a document");
        let operation = document.operations().next().expect("an operation");
        assert_eq!(Value::Array(place(&operation)), *wanted, "{text}");
    }

    #[test]
    fn a_path_parameter_becomes_a_variable_with_its_example() {
        check(
            &json!({"name": "id", "in": "path", "required": true, "example": 7, "description": "Number."}),
            path_variables,
            &json!([{"key": "id", "value": "7", "description": "Number."}]),
        );
        check(
            &json!({"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}),
            path_variables,
            &json!([{"key": "id", "value": "1"}]),
        );
    }

    #[test]
    fn an_optional_query_parameter_is_disabled_and_a_list_is_given_several_times() {
        check(
            &json!({"name": "limit", "in": "query", "description": "Rows. For example: `20`."}),
            query,
            &json!([{"key": "limit", "value": "20", "description": "Rows. For example: `20`.", "disabled": true}]),
        );
        check(
            &json!({"name": "q", "in": "query", "schema": {"type": "string"}}),
            query,
            &json!([{"key": "q", "value": "", "disabled": true}]),
        );
        check(
            &json!({"name": "id", "in": "query", "required": true, "examples": {"two": {"value": [1, 2]}}}),
            query,
            &json!([{"key": "id", "value": "1"}, {"key": "id", "value": "2"}]),
        );
    }

    #[test]
    fn an_idempotency_key_is_new_in_every_request_and_authorization_is_none_of_the_headers() {
        check(
            &json!({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}),
            headers,
            &json!([{"key": "Idempotency-Key", "value": "{{$guid}}", "disabled": true}]),
        );
        check(&json!({"name": "authorization", "in": "header"}), headers, &json!([]));
    }
}
