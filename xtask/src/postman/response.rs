//! The documented responses, as the examples that Postman keeps beside a request.

use serde_json::{Value, json};

use super::id::id;
use super::operation::{Media, Operation};
use super::parameter::text;
use super::pretty;
use super::request::raw_url;
use super::sample::{self, Direction};

/// What HTTP calls the statuses that shops answer with.
const PHRASES: [(u16, &str); 29] = [
    (200, "OK"),
    (201, "Created"),
    (202, "Accepted"),
    (204, "No Content"),
    (206, "Partial Content"),
    (301, "Moved Permanently"),
    (302, "Found"),
    (303, "See Other"),
    (304, "Not Modified"),
    (307, "Temporary Redirect"),
    (308, "Permanent Redirect"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (412, "Precondition Failed"),
    (413, "Content Too Large"),
    (415, "Unsupported Media Type"),
    (422, "Unprocessable Content"),
    (429, "Too Many Requests"),
    (500, "Internal Server Error"),
    (503, "Service Unavailable"),
    (504, "Gateway Timeout"),
];

/// The saved examples of an operation: one for each response, or for each of its examples if they have names.
pub(super) fn responses(operation: &Operation<'_>) -> Vec<Value> {
    let mut saved = Vec::new();
    for (status, response) in operation.responses() {
        let name = match response["description"].as_str().and_then(|told| told.lines().next()) {
            Some(told) if !told.is_empty() => format!("{status}: {told}"),
            _ => status.to_owned(),
        };
        let media = Media::easiest(operation.document, response);
        let examples = media.as_ref().map(|media| media.examples(operation.document)).unwrap_or_default();
        if examples.iter().any(|(name, _)| name.is_some()) {
            for (example, body) in examples {
                let name = example.map_or_else(|| name.clone(), |example| format!("{status}: {example}"));
                saved.push(one(operation, status, &name, response, media.as_ref(), Some(body)));
            }
        } else {
            let example = examples.first().map(|(_, body)| *body);
            saved.push(one(operation, status, &name, response, media.as_ref(), example));
        }
    }
    saved
}

/// One saved example.
fn one(
    operation: &Operation<'_>,
    status: &str,
    name: &str,
    response: &Value,
    media: Option<&Media<'_>>,
    example: Option<&Value>,
) -> Value {
    let mut saved = json!({
        "id": id(&format!("{}/{name}", operation.id_name())),
        "name": name,
        // Enough for Postman to show what was asked, and to match when it plays the server.
        "originalRequest": {"method": operation.method, "url": raw_url(operation)},
        "header": headers(operation, response, media),
        "_postman_previewlanguage": "text",
    });
    if let Ok(code) = status.parse::<u16>() {
        saved["code"] = json!(code);
        if let Some((_, phrase)) = PHRASES.iter().find(|(known, _)| *known == code) {
            saved["status"] = json!(phrase);
        }
    }
    match media {
        Some(media) if media.is_json() => {
            let made = || sample::of_schema(operation.document, media.schema(), Direction::Response);
            saved["body"] = json!(pretty(example.cloned().unwrap_or_else(made)));
            saved["_postman_previewlanguage"] = json!("json");
        }
        // A text cannot be made up from a schema that says no more than that it is one.
        Some(_) => saved["body"] = json!(example.map(text).unwrap_or_default()),
        None => {}
    }
    saved
}

/// The media type, and the documented headers.
fn headers(operation: &Operation<'_>, response: &Value, media: Option<&Media<'_>>) -> Vec<Value> {
    let document = operation.document;
    let mut headers: Vec<Value> =
        media.iter().map(|media| json!({"key": "Content-Type", "value": media.kind})).collect();
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let header = document.resolve(header);
        let made = || sample::of_schema(document, &header["schema"], Direction::Response);
        let value = text(&header.get("example").cloned().unwrap_or_else(made));
        // Nothing is more honest about an opaque text than nothing.
        let value = if value == sample::SOME_TEXT { String::new() } else { value };
        let mut entry = json!({"key": name, "value": value});
        if let Some(description) = header["description"].as_str() {
            entry["description"] = json!(description);
        }
        headers.push(entry);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn saved(responses: &Value) -> Vec<Value> {
        let text = json!({"paths": {"/a/{id}": {"get": {"responses": responses}}}}).to_string();
        let document = Document::new("shop", &text).expect("a document");
        let operation = document.operations().next().expect("an operation");
        super::responses(&operation)
    }

    #[test]
    fn a_response_has_status_name_headers_and_body() {
        let saved = saved(&json!({"409": {
            "description": "Not enough.\nReally.",
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "Version."},
                "Retry-After": {"example": 5}},
            "content": {"application/problem+json": {"example": {"code": "X"}}},
        }}));
        assert_eq!(saved.len(), 1);
        let saved = &saved[0];
        assert_eq!(saved["code"], 409);
        assert_eq!(saved["status"], "Conflict");
        assert_eq!(saved["name"], "409: Not enough.");
        assert_eq!(saved["body"], "{\n  \"code\": \"X\"\n}");
        assert_eq!(saved["originalRequest"], json!({"method": "GET", "url": "{{base_url}}/a/:id"}));
        assert_eq!(
            saved["header"],
            json!([
                {"key": "Content-Type", "value": "application/problem+json"},
                {"key": "ETag", "value": "", "description": "Version."},
                {"key": "Retry-After", "value": "5"},
            ])
        );
    }

    #[test]
    fn a_body_is_made_where_the_schema_tells_enough() {
        let saved = saved(&json!({
            "200": {"content": {"application/json": {"schema": {"type": "array", "items": {"const": 1}}}}},
            "204": {"description": ""},
            "default": {"content": {"text/plain": {"schema": {"type": "string"}}}},
        }));
        let told: Vec<(&Value, &Value, &Value)> =
            saved.iter().map(|saved| (&saved["name"], &saved["code"], &saved["body"])).collect();
        assert_eq!(
            told,
            [
                (&json!("200"), &json!(200), &json!("[\n  1\n]")),
                (&json!("204"), &json!(204), &Value::Null),
                (&json!("default"), &Value::Null, &json!("")),
            ]
        );
    }

    #[test]
    fn examples_with_names_are_saved_each() {
        let saved = saved(&json!({"200": {"description": "Fine.", "content": {"application/json": {
            "examples": {"a": {"value": 1}, "b": {"summary": "A b", "value": 2}},
        }}}}));
        let names: Vec<&Value> = saved.iter().map(|saved| &saved["name"]).collect();
        assert_eq!(names, ["200: a", "200: A b"]);
        assert_ne!(saved[0]["id"], saved[1]["id"]);
    }
}
