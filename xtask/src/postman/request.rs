//! One request of a collection.

use serde_json::{Value, json};

use super::id::id;
use super::operation::Operation;
use super::tokens::Tokens;
use super::{auth, body, parameter, response};
use crate::Failure;

/// The request of an operation, with its examples, and its script if it brings tokens.
pub(super) fn item(operation: &Operation<'_>, tokens: &Tokens) -> Result<Value, Failure> {
    let mut headers: Vec<Value> = body::content_type(operation).into_iter().collect();
    headers.extend(parameter::headers(operation));
    let mut request = json!({"method": operation.method, "url": url(operation), "header": headers});
    if let Some(description) = description(operation) {
        request["description"] = json!(description);
    }
    if let Some(body) = body::body(operation, &tokens.filled) {
        request["body"] = body;
    }
    if let Some(auth) = auth::of_operation(operation)? {
        request["auth"] = auth;
    }
    let mut item = json!({
        "id": id(&operation.id_name()),
        "name": operation.title(),
        "request": request,
        "response": response::responses(operation),
    });
    if let Some(events) = tokens.events() {
        item["event"] = events;
    }
    Ok(item)
}

/// The URL as Postman's address line shows it: parameters that are disabled are not in it.
pub(super) fn raw_url(operation: &Operation<'_>) -> String {
    let mut raw = format!("{{{{base_url}}}}/{}", segments(operation).join("/"));
    let enabled = parameter::query(operation).into_iter().filter(|entry| entry["disabled"] != true);
    for (entry, separator) in enabled.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
        raw.push(separator);
        raw.push_str(&format!("{}={}", parameter::text(&entry["key"]), parameter::text(&entry["value"])));
    }
    raw
}

/// The URL in its parts.
fn url(operation: &Operation<'_>) -> Value {
    let mut url = json!({
        "raw": raw_url(operation),
        "host": ["{{base_url}}"],
        "path": segments(operation),
    });
    for (member, entries) in
        [("query", parameter::query(operation)), ("variable", parameter::path_variables(operation))]
    {
        if !entries.is_empty() {
            url[member] = Value::Array(entries);
        }
    }
    url
}

/// The segments of the path, parameters as `:name`. One that ends with a slash has an empty segment last.
fn segments(operation: &Operation<'_>) -> Vec<String> {
    let path = operation.path.strip_prefix('/').unwrap_or(operation.path);
    let segment = |segment: &str| {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        name.map_or_else(|| segment.to_owned(), |name| format!(":{name}"))
    };
    path.split('/').map(segment).collect()
}

/// The description, after a word of warning if the operation is deprecated.
fn description(operation: &Operation<'_>) -> Option<String> {
    let told = operation.object["description"].as_str();
    match (operation.object["deprecated"] == true, told) {
        (true, told) => Some(["Deprecated.", told.unwrap_or_default()].join("\n\n").trim_end().to_owned()),
        (false, told) => told.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn request(path: &str, operation: &Value) -> Value {
        let text = json!({"paths": {path: {"get": operation}}}).to_string();
        let document = Document::new("shop", &text).expect("a document");
        let operation = document.operations().next().expect("an operation");
        item(&operation, &Tokens::default()).expect("a request")
    }

    #[test]
    fn a_url_names_host_path_variables_and_query() {
        let item = request(
            "/orders/{order_id}/lines",
            &json!({"parameters": [
                {"name": "order_id", "in": "path", "required": true, "example": 3},
                {"name": "since", "in": "query", "required": true, "example": "2024-01-16"},
                {"name": "kind", "in": "query", "required": true, "example": ["a", "b"]},
                {"name": "limit", "in": "query", "example": 20},
            ]}),
        );
        assert_eq!(
            item["request"]["url"],
            json!({
                "raw": "{{base_url}}/orders/:order_id/lines?since=2024-01-16&kind=a&kind=b",
                "host": ["{{base_url}}"],
                "path": ["orders", ":order_id", "lines"],
                "query": [
                    {"key": "since", "value": "2024-01-16"},
                    {"key": "kind", "value": "a"},
                    {"key": "kind", "value": "b"},
                    {"key": "limit", "value": "20", "disabled": true},
                ],
                "variable": [{"key": "order_id", "value": "3"}],
            })
        );
    }

    #[test]
    fn a_slash_at_the_end_of_a_path_stays() {
        for (path, raw, segments) in [
            ("/", "{{base_url}}/", json!([""])),
            ("/orders/", "{{base_url}}/orders/", json!(["orders", ""])),
            ("/orders", "{{base_url}}/orders", json!(["orders"])),
        ] {
            let url = &request(path, &json!({}))["request"]["url"];
            assert_eq!((&url["raw"], &url["path"]), (&json!(raw), &segments));
        }
    }

    #[test]
    fn a_request_is_called_what_the_operation_is() {
        for (operation, name) in [
            (json!({"summary": "List", "operationId": "list"}), "List"),
            (json!({"operationId": "list"}), "list"),
            (json!({}), "GET /a"),
        ] {
            assert_eq!(request("/a", &operation)["name"], name);
        }
    }

    #[test]
    fn a_deprecated_operation_says_so() {
        for (operation, told) in [
            (json!({"deprecated": true, "description": "Lists."}), json!("Deprecated.\n\nLists.")),
            (json!({"deprecated": true}), json!("Deprecated.")),
            (json!({"description": "Lists."}), json!("Lists.")),
            (json!({}), Value::Null),
        ] {
            assert_eq!(request("/a", &operation)["request"]["description"], told);
        }
    }
}
