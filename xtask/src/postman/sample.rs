//! Examples made from schemas, where the document shows none.

use serde_json::{Map, Number, Value};

use super::document::{Document, members};

/// A text of which the schema says nothing else.
pub(super) const SOME_TEXT: &str = "string";

/// Which way a body goes: some members are only sent, others only answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the client; members that are `readOnly` are left out.
    Request,
    /// From the server; members that are `writeOnly` are left out.
    Response,
}

/// A value that the schema describes, taken from its own examples as far as it has any.
pub(super) fn of_schema(document: &Document, schema: &Value, direction: Direction) -> Value {
    Maker { document, direction, entered: Vec::new() }.make(schema)
}

/// Walks down a schema.
struct Maker<'a> {
    document: &'a Document,
    direction: Direction,
    /// The references on the way here: a schema that holds itself would have no end.
    entered: Vec<&'a str>,
}

impl<'a> Maker<'a> {
    fn make(&mut self, schema: &'a Value) -> Value {
        // What stands beside a reference is more precise than what is behind it.
        if let Some(shown) = shown(schema) {
            return shown.clone();
        }
        if let Some(reference) = schema["$ref"].as_str() {
            if self.entered.contains(&reference) {
                return Value::Null;
            }
            self.entered.push(reference);
            let made = self.make(self.document.resolve(schema));
            self.entered.pop();
            return made;
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(made) = self.chosen(&schema[choice]) {
                return made;
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.united(schema, parts);
        }
        match kind(schema) {
            Some("object") => self.object(schema),
            Some("array") => self.array(schema),
            Some("string") => Value::String(text(schema)),
            Some("integer") => Value::Number(integer(schema)),
            Some("number") => number(schema),
            Some("boolean") => Value::Bool(true),
            _ => Value::Null,
        }
    }

    /// The first of several ways that is more than null.
    fn chosen(&mut self, choices: &'a Value) -> Option<Value> {
        let choices = choices.as_array()?;
        let mut made = choices.iter().map(|choice| self.make(choice));
        made.find(|made| !made.is_null())
    }

    /// The members of all parts; of parts that are no objects, the first.
    fn united(&mut self, schema: &'a Value, parts: &'a [Value]) -> Value {
        let made: Vec<Value> = parts.iter().map(|part| self.make(part)).collect();
        let mut united = Map::new();
        for part in made.iter().filter_map(members) {
            united.extend(part.clone());
        }
        if let Value::Object(own) = self.object(schema) {
            united.extend(own);
        }
        if united.is_empty() {
            return made.into_iter().find(|made| !made.is_null()).unwrap_or(Value::Null);
        }
        Value::Object(united)
    }

    fn object(&mut self, schema: &'a Value) -> Value {
        let hidden = if self.direction == Direction::Request { "readOnly" } else { "writeOnly" };
        let mut object = Map::new();
        for (name, member) in members(&schema["properties"]).into_iter().flatten() {
            if self.document.resolve(member)[hidden] != true && member[hidden] != true {
                object.insert(name.clone(), self.make(member));
            }
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Value) -> Value {
        let items: Vec<Value> = match schema["prefixItems"].as_array() {
            Some(items) => items.iter().map(|item| self.make(item)).collect(),
            None => vec![self.make(&schema["items"])],
        };
        // An item that cannot be made, because its schema holds itself or says nothing, is better left out.
        Value::Array(items.into_iter().filter(|item| !item.is_null()).collect())
    }
}

/// What the schema itself shows: an example, the one value it permits, what is taken when nothing is given, or the
/// first of the values it lists.
fn shown(schema: &Value) -> Option<&Value> {
    let listed = |name: &str| schema[name].as_array().and_then(|values| values.iter().find(|v| !v.is_null()));
    let plain = |name: &str| schema.get(name).filter(|value| !value.is_null());
    plain("example")
        .or_else(|| listed("examples"))
        .or_else(|| plain("const"))
        .or_else(|| plain("default"))
        .or_else(|| listed("enum"))
}

/// The type, or the first of several that is more than null; without one, what the keywords speak of.
fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ if schema.get("properties").is_some() => Some("object"),
        _ if schema.get("items").is_some() => Some("array"),
        _ => None,
    }
}

/// A text of the format, or of the one form that the pattern permits, and of a permitted length.
fn text(schema: &Value) -> String {
    let text = match schema["format"].as_str() {
        Some("date-time") => "2024-01-16T10:30:00Z",
        Some("date") => "2024-01-16",
        Some("time") => "10:30:00Z",
        Some("email") => "john.doe@example.com",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("uri" | "url") => "https://example.com/",
        _ => schema["pattern"].as_str().and_then(literal).unwrap_or(SOME_TEXT),
    };
    let length = |name: &str| schema[name].as_u64().and_then(|length| usize::try_from(length).ok());
    let most = length("maxLength").unwrap_or(usize::MAX);
    let mut text: String = text.chars().take(most).collect();
    // Long enough for what people type; a schema that asks for more has an example.
    let least = length("minLength").unwrap_or(0).min(64);
    while text.chars().count() < least {
        text.push('x');
    }
    text
}

/// The text that a pattern such as `^password$` spells out.
fn literal(pattern: &str) -> Option<&str> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(inner)
}

/// One, or what is permitted next to it.
fn integer(schema: &Value) -> Number {
    let limit = |name: &str| schema[name].as_i64();
    let least = limit("minimum").or_else(|| limit("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = limit("maximum").or_else(|| limit("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    1_i64.max(least.unwrap_or(1)).min(most.unwrap_or(i64::MAX)).into()
}

/// One, or what is permitted next to it.
fn number(schema: &Value) -> Value {
    let limit = |name: &str| schema[name].as_f64();
    let least = limit("minimum").or_else(|| limit("exclusiveMinimum").map(|least| least + 1.0));
    let most = limit("maximum").or_else(|| limit("exclusiveMaximum").map(|most| most - 1.0));
    Value::from(1.0_f64.max(least.unwrap_or(1.0)).min(most.unwrap_or(f64::MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, sample: &Value) {
        let text = json!({"components": {"schemas": {
            "Id": {"type": "integer", "examples": [7]},
            "Named": {"type": "object", "properties": {"name": {"type": "string"}}},
            "Tree": {"type": "object", "properties": {
                "id": {"$ref": "#/components/schemas/Id"},
                "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            }},
            "Secret": {"type": "string", "writeOnly": true},
            "Choice": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Named"}]},
        }}});
        let document = Document::new("shop", &text.to_string()).expect("a document");
        assert_eq!(of_schema(&document, schema, Direction::Request), *sample, "{schema}");
    }

    #[test]
    fn what_a_schema_shows_itself_is_taken() {
        for (schema, sample) in [
            (json!({"type": "string", "example": "a", "default": "b"}), json!("a")),
            (json!({"type": "string", "examples": ["a", "b"]}), json!("a")),
            (json!({"type": "string", "default": "b", "enum": ["a", "b"]}), json!("b")),
            (json!({"type": ["string", "null"], "default": null, "enum": [null, "a"]}), json!("a")),
            (json!({"const": "a"}), json!("a")),
            (json!({"$ref": "#/components/schemas/Id"}), json!(7)),
            (json!({"$ref": "#/components/schemas/Id", "example": 8}), json!(8)),
        ] {
            check(&schema, &sample);
        }
    }

    #[test]
    fn what_a_schema_only_describes_is_made() {
        for (schema, sample) in [
            (json!({"type": "boolean"}), json!(true)),
            (json!({"type": ["null", "integer"]}), json!(1)),
            (json!({"type": "integer", "minimum": 0, "maximum": 0}), json!(0)),
            (json!({"type": "integer", "exclusiveMinimum": 4}), json!(5)),
            (json!({"type": "number", "minimum": 2.5}), json!(2.5)),
            (json!({"type": "string", "format": "date"}), json!("2024-01-16")),
            (json!({"type": "string", "format": "email"}), json!("john.doe@example.com")),
            (json!({"type": "string", "pattern": "^password$"}), json!("password")),
            (json!({"type": "string", "pattern": "^[a-z]+$"}), json!("string")),
            (json!({"type": "string", "minLength": 8}), json!("stringxx")),
            (json!({"type": "string", "maxLength": 3}), json!("str")),
            (json!({"type": "array", "items": {"type": "boolean"}}), json!([true])),
            (json!({"items": {"$ref": "#/components/schemas/Named"}}), json!([{"name": "string"}])),
            (json!({"prefixItems": [{"const": 1}, {"const": 2}], "type": "array"}), json!([1, 2])),
            (json!({}), json!(null)),
            (json!(true), json!(null)),
        ] {
            check(&schema, &sample);
        }
    }

    #[test]
    fn parts_are_united_and_choices_made() {
        for (schema, sample) in [
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Named"}, {"properties": {"a": {"const": 1}}}],
                    "properties": {"b": {"const": 2}}}),
                json!({"name": "string", "a": 1, "b": 2}),
            ),
            (json!({"allOf": [{"$ref": "#/components/schemas/Id"}]}), json!(7)),
            (json!({"$ref": "#/components/schemas/Choice"}), json!({"name": "string"})),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), json!(1)),
            (json!({"anyOf": [{"type": "null"}]}), json!(null)),
        ] {
            check(&schema, &sample);
        }
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        check(&json!({"$ref": "#/components/schemas/Tree"}), &json!({"id": 7, "children": []}));
    }

    #[test]
    fn what_the_other_side_alone_sends_is_left_out() {
        let schema = json!({"type": "object", "properties": {
            "id": {"type": "integer", "readOnly": true},
            "password": {"$ref": "#/components/schemas/Secret"},
        }});
        check(&schema, &json!({"password": "string"}));
        let text = r#"{"components": {"schemas": {"Secret": {"type": "string", "writeOnly": true}}}}"#;
        let document = Document::new("shop", text).expect("a document");
        assert_eq!(of_schema(&document, &schema, Direction::Response), json!({"id": 1}));
    }
}
