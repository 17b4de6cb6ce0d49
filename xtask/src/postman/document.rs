//! An OpenAPI document: its references, and its operations in the order in which they were written.

use serde_json::{Map, Value};

use super::operation::Operation;
use crate::Failure;

/// The methods of a path item, in the order of their requests in a collection.
const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// An OpenAPI document all of whose references lead somewhere in it.
pub(super) struct Document {
    /// What the file is called, and the start of the names that ids follow from.
    pub(super) name: String,
    root: Value,
    /// The paths as they follow each other in the text; the parsed object has lost that.
    paths: Vec<String>,
}

impl Document {
    /// Reads a document.
    pub(super) fn new(name: &str, text: &str) -> Result<Self, Failure> {
        let mut root: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        root.sort_all_objects();
        check_references(&root, &root)?;
        let mut paths: Vec<String> =
            members(&root["paths"]).map(|paths| paths.keys().cloned().collect()).unwrap_or_default();
        paths.sort_by_cached_key(|path| text.find(&format!("{}:", Value::from(path.as_str()))));
        Ok(Self { name: name.to_owned(), root, paths })
    }

    /// A member of the document itself, such as `info`.
    pub(super) fn member(&self, name: &str) -> &Value {
        &self.root[name]
    }

    /// The value, or what it refers to.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        // As many steps as a sane chain of references could have; a circle of them ends here as well.
        for _ in 0..16 {
            match value["$ref"].as_str().and_then(|reference| target(&self.root, reference)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    /// The operations, path by path as they are written.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.paths.iter().flat_map(move |path| {
            let item = &self.root["paths"][path];
            METHODS.iter().filter_map(move |method| {
                let description = item.get(*method)?;
                Some(Operation::new(self, path, method, item, description))
            })
        })
    }

    /// The tags, in the order of the document, those it does not describe last and in the order of their use.
    pub(super) fn tags(&self) -> Vec<(&str, Option<&str>)> {
        let described = self.root["tags"].as_array().into_iter().flatten();
        let mut tags: Vec<(&str, Option<&str>)> =
            described.filter_map(|tag| Some((tag["name"].as_str()?, tag["description"].as_str()))).collect();
        for operation in self.operations() {
            if let Some(tag) = operation.tag()
                && !tags.iter().any(|(name, _)| *name == tag)
            {
                tags.push((tag, None));
            }
        }
        tags
    }
}

/// The members of an object.
pub(super) fn members(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

/// What a reference such as `#/components/schemas/Id` leads to.
fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// A reference that leads nowhere would quietly become an empty example.
fn check_references(root: &Value, value: &Value) -> Result<(), Failure> {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                && target(root, reference).is_none()
            {
                return Err(format!("the reference {reference} leads nowhere"));
            }
            members.values().try_for_each(|member| check_references(root, member))
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_references(root, item)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_in_the_order_of_the_text() {
        let document = Document::new(
            "shop",
            r#"{"paths": {"/z": {"patch": {}, "get": {}}, "/a/{id}": {"delete": {}}, "/a": {"post": {}}}}"#,
        )
        .expect("a document");
        let names: Vec<String> = document.operations().map(|operation| operation.id_name()).collect();
        assert_eq!(names, ["shop/GET /z", "shop/PATCH /z", "shop/DELETE /a/{id}", "shop/POST /a"]);
    }

    #[test]
    fn tags_that_are_not_described_come_last() {
        let document = Document::new(
            "shop",
            r#"{"tags": [{"name": "b", "description": "Bs."}],
                "paths": {"/1": {"get": {"tags": ["c"]}, "put": {}}, "/2": {"get": {"tags": ["a", "b"]}}}}"#,
        )
        .expect("a document");
        assert_eq!(document.tags(), [("b", Some("Bs.")), ("c", None), ("a", None)]);
    }

    #[test]
    fn a_reference_is_followed_to_its_end_and_one_that_leads_nowhere_is_refused() {
        let text =
            r##"{"a": {"$ref": "#/b"}, "b": {"$ref": "#/c"}, "c": 1, "circle": {"$ref": "#/circle"}}"##;
        let document = Document::new("shop", text).expect("a document");
        assert_eq!(document.resolve(document.member("a")), 1);
        assert!(document.resolve(document.member("circle")).is_object());
        let failure = Document::new("shop", r##"{"a": [{"$ref": "#/b"}]}"##).err();
        assert_eq!(failure.as_deref(), Some("the reference #/b leads nowhere"));
    }
}
