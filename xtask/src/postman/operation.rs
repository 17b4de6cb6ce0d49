//! One operation of a document, and what it says about bodies.

use serde_json::{Map, Value};

use super::document::Document;
use super::sample::{self, Direction};

/// A method on a path.
pub(super) struct Operation<'a> {
    /// The document that it stands in.
    pub(super) document: &'a Document,
    /// The path, with its parameters in braces.
    pub(super) path: &'a str,
    /// The method in capitals.
    pub(super) method: String,
    /// The operation object itself.
    pub(super) object: &'a Value,
    /// The parameters: those of all methods of the path first, unless the operation has its own of that name.
    pub(super) parameters: Vec<&'a Value>,
}

/// A body in one of its media types.
pub(super) struct Media<'a> {
    /// The media type.
    pub(super) kind: &'a str,
    object: &'a Value,
}

impl<'a> Operation<'a> {
    /// The operation of one method of a path item.
    pub(super) fn new(
        document: &'a Document,
        path: &'a str,
        method: &str,
        item: &'a Value,
        object: &'a Value,
    ) -> Self {
        let list = |of: &'a Value| of["parameters"].as_array().into_iter().flatten();
        let mut parameters: Vec<&Value> = Vec::new();
        for parameter in list(item).chain(list(object)).map(|parameter| document.resolve(parameter)) {
            parameters.retain(|p| p["name"] != parameter["name"] || p["in"] != parameter["in"]);
            parameters.push(parameter);
        }
        Self { document, path, method: method.to_uppercase(), object, parameters }
    }

    /// The tag whose folder holds the request; an operation with several stands in that of the first.
    pub(super) fn tag(&self) -> Option<&'a str> {
        self.object["tags"][0].as_str()
    }

    /// What people call it.
    pub(super) fn title(&self) -> String {
        let named = ["summary", "operationId"].iter().find_map(|member| self.object[*member].as_str());
        named.map_or_else(|| format!("{} {}", self.method, self.path), str::to_owned)
    }

    /// What the id of its request follows from.
    pub(super) fn id_name(&self) -> String {
        format!("{}/{} {}", self.document.name, self.method, self.path)
    }

    /// The parameters in the path, the query or the headers.
    pub(super) fn parameters_in(&self, place: &str) -> impl Iterator<Item = &'a Value> {
        self.parameters.iter().copied().filter(move |parameter| parameter["in"] == place)
    }

    /// The body of the request, in the media type that is easiest to edit.
    pub(super) fn request_body(&self) -> Option<Media<'a>> {
        Media::easiest(self.document, self.document.resolve(&self.object["requestBody"]))
    }

    /// The responses by status.
    pub(super) fn responses(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let document = self.document;
        let responses = self.object["responses"].as_object().into_iter().flat_map(Map::iter);
        responses.map(move |(status, response)| (status.as_str(), document.resolve(response)))
    }
}

impl<'a> Media<'a> {
    /// The media type of a request body or a response that is easiest to read and edit, if there is any.
    pub(super) fn easiest(document: &'a Document, holder: &'a Value) -> Option<Self> {
        let content = document.resolve(holder)["content"].as_object()?;
        let (kind, object) = content.iter().min_by_key(|(kind, _)| rank(kind))?;
        Some(Self { kind, object })
    }

    /// Whether it is JSON, or JSON with a meaning.
    pub(super) fn is_json(&self) -> bool {
        rank(self.kind) == 0
    }

    /// The schema of the body.
    pub(super) fn schema(&self) -> &'a Value {
        &self.object["schema"]
    }

    /// The documented examples, each under its name if it has one.
    pub(super) fn examples(&self, document: &'a Document) -> Vec<(Option<&'a str>, &'a Value)> {
        if let Some(example) = self.object.get("example") {
            return vec![(None, example)];
        }
        let named = self.object["examples"].as_object().into_iter().flat_map(Map::iter);
        named
            .filter_map(|(name, example)| {
                let example = document.resolve(example);
                Some((Some(example["summary"].as_str().unwrap_or(name)), example.get("value")?))
            })
            .collect()
    }

    /// The first documented example, otherwise one made from the schema.
    pub(super) fn sample(&self, document: &'a Document, direction: Direction) -> Value {
        match self.examples(document).first() {
            Some((_, example)) => (*example).clone(),
            None => sample::of_schema(document, self.schema(), direction),
        }
    }
}

fn rank(kind: &str) -> u8 {
    let essence = kind.split(';').next().unwrap_or(kind).trim();
    match essence {
        "application/json" => 0,
        json if json.ends_with("+json") => 0,
        "application/x-www-form-urlencoded" => 1,
        "multipart/form-data" => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_of_the_operation_stands_for_that_of_the_path() {
        let document = Document::new(
            "shop",
            r##"{"components": {"parameters": {"Id": {"name": "id", "in": "path", "description": "All."}}},
                "paths": {"/{id}": {"parameters": [{"$ref": "#/components/parameters/Id"}],
                    "get": {"parameters": [{"name": "id", "in": "query"}]},
                    "put": {"parameters": [{"name": "id", "in": "path", "description": "One."}]}}}}"##,
        )
        .expect("a document");
        let told: Vec<Vec<&Value>> = document
            .operations()
            .map(|operation| operation.parameters_in("path").map(|p| &p["description"]).collect())
            .collect();
        assert_eq!(told, [["All."], ["One."]]);
    }

    #[test]
    fn json_is_easier_than_a_form_and_a_form_than_the_rest() {
        for (kinds, easiest) in [
            (r#"{"application/x-www-form-urlencoded": {}, "application/problem+json": {}}"#, Some(0)),
            (r#"{"application/octet-stream": {}, "application/x-www-form-urlencoded": {}}"#, Some(1)),
            (r#"{"text/plain": {}, "multipart/form-data": {}}"#, Some(2)),
            (r#"{"text/plain; charset=utf-8": {}}"#, Some(3)),
            ("{}", None),
        ] {
            let document = Document::new("shop", &format!(r#"{{"body": {{"content": {kinds}}}}}"#));
            let document = document.expect("a document");
            let media = Media::easiest(&document, document.member("body"));
            assert_eq!(media.map(|media| rank(media.kind)), easiest, "{kinds}");
        }
    }

    #[test]
    fn examples_may_be_one_or_several_under_names() {
        let document = Document::new(
            "shop",
            r#"{"one": {"content": {"application/json": {"example": 1}}},
                "two": {"content": {"application/json": {"examples":
                    {"a": {"summary": "An a", "value": 1}, "b": {"value": 2}, "c": {"externalValue": "x"}}}}},
                "none": {"content": {"application/json": {"schema": {"const": 3}}}}}"#,
        )
        .expect("a document");
        let media = |name| Media::easiest(&document, document.member(name)).expect("a body");
        assert_eq!(media("one").examples(&document), [(None, &Value::from(1))]);
        let two = [(Some("An a"), &Value::from(1)), (Some("b"), &Value::from(2))];
        assert_eq!(media("two").examples(&document), two);
        assert_eq!(media("none").examples(&document), []);
        assert_eq!(media("none").sample(&document, Direction::Request), 3);
    }
}
