//! Bodies of requests.

use serde_json::{Value, json};

use super::document::{Document, members};
use super::operation::{Media, Operation};
use super::parameter::text;
use super::pretty;
use super::sample::{self, Direction, SOME_TEXT};
use super::tokens::Filled;

/// The body of a request, with the members named in `filled` taken from variables; `None` if it takes none.
pub(super) fn body(operation: &Operation<'_>, filled: &Filled) -> Option<Value> {
    let document = operation.document;
    let media = operation.request_body()?;
    let mut sample = media.sample(document, Direction::Request);
    for (name, variable) in filled {
        if let Some(member) = sample.get_mut(name) {
            *member = Value::from(format!("{{{{{variable}}}}}"));
        }
    }
    Some(match media.kind {
        "application/x-www-form-urlencoded" => {
            json!({"mode": "urlencoded", "urlencoded": fields(document, &media, &sample)})
        }
        "multipart/form-data" => json!({"mode": "formdata", "formdata": fields(document, &media, &sample)}),
        _ if media.is_json() => {
            json!({"mode": "raw", "raw": pretty(sample), "options": {"raw": {"language": "json"}}})
        }
        _ => json!({"mode": "raw", "raw": text(&sample), "options": {"raw": {"language": "text"}}}),
    })
}

/// The header that names the media type. Postman sets that of forms itself, and for multipart it must.
pub(super) fn content_type(operation: &Operation<'_>) -> Option<Value> {
    let media = operation.request_body()?;
    let is_form = matches!(media.kind, "application/x-www-form-urlencoded" | "multipart/form-data");
    (!is_form).then(|| json!({"key": "Content-Type", "value": media.kind}))
}

/// The fields of a form: those of the example, and disabled those that it can do without.
fn fields(document: &Document, media: &Media<'_>, sample: &Value) -> Vec<Value> {
    let schema = document.resolve(media.schema());
    let properties = &schema["properties"];
    let has_example = !media.examples(document).is_empty();
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
    let mut names: Vec<&String> =
        [sample, properties].into_iter().filter_map(members).flat_map(|object| object.keys()).collect();
    names.sort();
    names.dedup();
    let field = |name: &String| {
        let property = document.resolve(&properties[name]);
        let is_file = property["format"] == "binary" || property.get("contentMediaType").is_some();
        let disabled = !(required(name) || has_example && sample.get(name).is_some());
        let mut field = json!({"key": name, "type": if is_file { "file" } else { "text" }});
        if is_file {
            field["src"] = json!([]);
        } else {
            let made = || sample::of_schema(document, property, Direction::Request);
            let value = text(&sample.get(name).cloned().unwrap_or_else(made));
            // A text that means nothing is no help to somebody who enables an optional field.
            field["value"] = json!(if disabled && value == SOME_TEXT { "" } else { &value });
        }
        let described = [&properties[name]["description"], &property["description"]];
        if let Some(description) = described.iter().find_map(|description| description.as_str()) {
            field["description"] = json!(description);
        }
        if disabled {
            field["disabled"] = json!(true);
        }
        field
    };
    names.into_iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &Value, filled: &Filled, wanted: &Value, header: Option<&str>) {
        let text = json!({"paths": {"/": {"post": {"requestBody": {"content": content}}}}}).to_string();
        let document = Document::new("shop", &text).expect("a document");
        let operation = document.operations().next().expect("an operation");
        assert_eq!(body(&operation, filled).as_ref(), Some(wanted), "{text}");
        let named = content_type(&operation).map(|header| header["value"].clone());
        assert_eq!(named, header.map(Value::from));
    }

    #[test]
    fn json_is_written_over_lines_and_filled_from_variables() {
        check(
            &json!({"application/merge-patch+json": {"example": {"username": "john", "note": null}}}),
            &vec![("username", "username"), ("email", "username")],
            &json!({"mode": "raw", "options": {"raw": {"language": "json"}},
                "raw": "{\n  \"note\": null,\n  \"username\": \"{{username}}\"\n}"}),
            Some("application/merge-patch+json"),
        );
    }

    #[test]
    fn a_form_has_its_optional_fields_disabled() {
        check(
            &json!({"application/x-www-form-urlencoded": {"schema": {
                "required": ["password", "username"],
                "properties": {
                    "username": {"type": "string", "description": "Who."},
                    "password": {"type": "string"},
                    "grant_type": {"anyOf": [{"type": "string", "pattern": "^password$"}, {"type": "null"}]},
                    "scope": {"type": "string", "default": ""},
                    "client_id": {"type": "string"},
                },
            }}}),
            &vec![("username", "username"), ("password", "password")],
            &json!({"mode": "urlencoded", "urlencoded": [
                {"key": "client_id", "value": "", "type": "text", "disabled": true},
                {"key": "grant_type", "value": "password", "type": "text", "disabled": true},
                {"key": "password", "value": "{{password}}", "type": "text"},
                {"key": "scope", "value": "", "type": "text", "disabled": true},
                {"key": "username", "value": "{{username}}", "type": "text", "description": "Who."},
            ]}),
            None,
        );
    }

    #[test]
    fn a_file_is_left_to_be_chosen() {
        check(
            &json!({"multipart/form-data": {
                "schema": {"properties": {"file": {"type": "string", "format": "binary"}}},
                "example": {"file": "a.csv", "note": "b"},
            }}),
            &Vec::new(),
            &json!({"mode": "formdata", "formdata": [
                {"key": "file", "type": "file", "src": []},
                {"key": "note", "type": "text", "value": "b"},
            ]}),
            None,
        );
    }

    #[test]
    fn other_text_is_sent_as_it_is() {
        check(
            &json!({"text/csv": {"example": "a,b"}}),
            &Vec::new(),
            &json!({"mode": "raw", "raw": "a,b", "options": {"raw": {"language": "text"}}}),
            Some("text/csv"),
        );
    }
}
