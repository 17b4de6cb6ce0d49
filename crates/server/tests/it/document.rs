//! The OpenAPI document as tests read it: its operations, and as much of JSON Schema as it uses.

use serde_json::{Map, Value};

/// The document that the code makes.
pub(crate) struct Document(Value);

/// One operation.
pub(crate) struct Operation<'a> {
    /// In upper case.
    pub(crate) method: String,
    /// With the parameters in braces.
    pub(crate) path: &'a str,
    /// What the document says of it.
    pub(crate) spec: &'a Value,
}

impl<'a> Operation<'a> {
    pub(crate) fn id(&self) -> &'a str {
        self.spec["operationId"].as_str().unwrap_or_else(|| panic!("{} {}", self.method, self.path))
    }

    /// The parameters that travel in `place`: `path`, `query` or `header`.
    pub(crate) fn parameters(&self, place: &str) -> Vec<&'a Value> {
        let all = self.spec["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|parameter| parameter["in"] == place).collect()
    }

    /// What answers of `status` hold as `kind`.
    pub(crate) fn answer(&self, status: u16, kind: &str) -> Option<&'a Value> {
        self.spec["responses"].get(status.to_string())?["content"].get(kind)
    }

    /// Whether one may call without a token.
    pub(crate) fn is_public(&self) -> bool {
        let security = self.spec["security"].as_array().unwrap();
        security.iter().any(|requirement| requirement.as_object().unwrap().is_empty())
    }
}

/// Words of a schema that constrain nothing here. Formats and patterns are left to the code's own tests.
const REMARKS: [&str; 9] = [
    "description",
    "example",
    "examples",
    "default",
    "format",
    "pattern",
    "writeOnly",
    "readOnly",
    "deprecated",
];

impl Document {
    pub(crate) fn new() -> Self {
        Self::of(&server::router::openapi().unwrap())
    }

    /// The names that a schema has for what it shows.
    pub(crate) fn names(&self, schema: &str) -> Vec<&str> {
        let shown = self.0["components"]["schemas"][schema]["properties"].as_object();
        shown.unwrap_or_else(|| panic!("{schema}")).keys().map(String::as_str).collect()
    }

    /// Any other document.
    pub(crate) fn of(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, spec) in item.as_object().unwrap() {
                operations.push(Operation { method: method.to_uppercase(), path, spec });
            }
        }
        operations
    }

    /// The schema itself where there is a reference to it.
    #[track_caller]
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads away"));
                self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => schema,
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first thing that the schema does not permit, with its place.
    pub(crate) fn check(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let words = schema.as_object().unwrap_or_else(|| panic!("{place}: {schema} is no schema"));
        for (word, rule) in words {
            let right = match word.as_str() {
                "$ref" => {
                    self.check(self.resolve(schema), value, place)?;
                    true
                }
                "oneOf" => self.count(rule, value) == 1,
                "anyOf" => self.count(rule, value) >= 1,
                "allOf" => self.count(rule, value) == rule.as_array().unwrap().len(),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{place}[{index}]"))?;
                    }
                    true
                }
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        if let Some(rule) = rule.get(name) {
                            self.check(rule, member, &format!("{place}.{name}"))?;
                        }
                    }
                    true
                }
                "additionalProperties" => self.others(words, rule, value, place)?,
                _ => plain(word, rule, value).unwrap_or_else(|| panic!("{place}: what is {word}?")),
            };
            if !right {
                return Err(format!("{place}: {value} is not {word} {rule}"));
            }
        }
        Ok(())
    }

    fn count(&self, schemas: &Value, value: &Value) -> usize {
        let schemas = schemas.as_array().unwrap().iter();
        schemas.filter(|schema| self.check(schema, value, "").is_ok()).count()
    }

    /// Members that no property names.
    fn others(
        &self,
        words: &Map<String, Value>,
        rule: &Value,
        value: &Value,
        place: &str,
    ) -> Result<bool, String> {
        for (name, member) in value.as_object().into_iter().flatten() {
            if words.get("properties").is_some_and(|known| known.get(name).is_some())
                || rule == &Value::Bool(true)
            {
                continue;
            }
            if rule == &Value::Bool(false) {
                return Err(format!("{place}: {name} is unknown"));
            }
            self.check(rule, member, &format!("{place}.{name}"))?;
        }
        Ok(true)
    }
}

/// Rules that need no other schema; `None` for a word that is not known.
fn plain(word: &str, rule: &Value, value: &Value) -> Option<bool> {
    let limit = || usize::try_from(rule.as_u64().unwrap()).unwrap();
    let length = value.as_str().map(|text| text.chars().count());
    let number = |compare: fn(i64, i64) -> bool| {
        // All our numbers are whole; anything else is refused by its type.
        value.as_i64().is_none_or(|number| compare(number, rule.as_i64().unwrap()))
    };
    Some(match word {
        "type" => match rule {
            Value::Array(kinds) => kinds.iter().any(|kind| is_kind(kind, value)),
            kind => is_kind(kind, value),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "minLength" => length.is_none_or(|length| length >= limit()),
        "maxLength" => length.is_none_or(|length| length <= limit()),
        "minItems" => value.as_array().is_none_or(|items| items.len() >= limit()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() <= limit()),
        "minimum" => number(|value, limit| value >= limit),
        "maximum" => number(|value, limit| value <= limit),
        "required" => value.as_object().is_none_or(|members| {
            rule.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }),
        _ if REMARKS.contains(&word) => true,
        _ => return None,
    })
}

fn is_kind(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
