//! The committed OpenAPI document, and what every operation in it must tell.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use server::compat::Facade;

use crate::document::{Document, Operation};

/// Each document as the code has it, and the file in which it is committed.
fn documents() -> Vec<(String, String)> {
    let facade = |facade: &Facade| {
        (format!("openapi/{}.json", facade.word()), server::compat::document(*facade).unwrap())
    };
    let canonical = ("openapi.json".to_owned(), server::router::openapi().unwrap());
    std::iter::once(canonical).chain(Facade::ALL.iter().map(facade)).collect()
}

#[test]
fn the_committed_documents_are_those_of_the_code() {
    for (name, current) in documents() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&name);
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &current).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == current,
            "{name} is stale: regenerate it by `UPDATE_OPENAPI=1 cargo test -p server --test it openapi::`, then \
             the collections by `cargo xtask postman`"
        );
    }
}

/// Calls `visit` with every object in `value` and the way to it.
fn walk(value: &Value, place: &str, visit: &mut impl FnMut(&Value, &str)) {
    match value {
        Value::Object(members) => {
            visit(value, place);
            members.iter().for_each(|(name, member)| walk(member, &format!("{place}/{name}"), visit));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, &format!("{place}/{at}"), visit));
        }
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document = Document::new();
    let json = document.json();
    assert_eq!(json["openapi"], "3.1.0");
    for name in ["title", "version", "description"] {
        assert!(json["info"][name].as_str().is_some_and(|text| !text.is_empty()), "info.{name}");
    }
    walk(json, "", &mut |object, place| {
        if object.get("$ref").is_some_and(Value::is_string) {
            assert!(!document.resolve(object).is_null(), "{place}");
        }
    });
    for (name, schema) in json["components"]["schemas"].as_object().unwrap() {
        walk(schema, name, &mut |object, place| {
            // OpenAPI 3.0 said it like this; in 3.1 it means nothing.
            assert!(object.get("nullable").is_none_or(|word| !word.is_boolean()), "{place} is nullable");
        });
    }
    let tags: HashSet<_> =
        json["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = HashSet::new();
    for operation in document.operations() {
        assert!(ids.insert(operation.id()), "{} is not the only one", operation.id());
        let used = operation.spec["tags"].as_array().unwrap();
        assert!(
            used.len() == 1 && used.iter().all(|tag| tags.contains(tag.as_str().unwrap())),
            "{}",
            operation.id()
        );
    }
}

/// A parameter of free text tells what it is made of; an empty one is refused, never ignored.
fn check_text(document: &Document, parameter: &Value, id: &str) {
    let (name, schema) = (&parameter["name"], document.resolve(&parameter["schema"]));
    let made_of = ["pattern", "enum"].iter().any(|word| schema.get(word).is_some());
    assert!(made_of, "{id}: what is {name} made of?");
    if parameter["in"] == "query" {
        assert!(document.check(schema, &Value::from(""), "").is_err(), "{id}: {name} may be empty");
    }
}

fn check_parameters(document: &Document, operation: &Operation<'_>) {
    let id = operation.id();
    let in_path: Vec<_> = operation.path.split(['{', '}']).skip(1).step_by(2).collect();
    let described: Vec<_> =
        operation.parameters("path").iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(described, in_path, "{id}");
    let mut seen = HashSet::new();
    for parameter in operation.spec["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        assert!(seen.insert(name), "{id}: {name} twice");
        assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{id}: {name}");
        assert_eq!(parameter["required"] == true, parameter["in"] == "path", "{id}: {name}");
        assert!(document.resolve(&parameter["schema"]).is_object(), "{id}: {name}");
        if parameter["in"] == "header" {
            assert_eq!(parameter["schema"]["type"], "string", "{id}: {name}");
        }
        let is_text = document.resolve(&parameter["schema"])["type"] == "string";
        if is_text && name != "If-None-Match" {
            // An `If-None-Match` that cannot be read is no condition. Every other text must be of use.
            check_text(document, parameter, id);
        }
        // There is no null in an address or a header.
        assert!(
            document.check(&parameter["schema"], &Value::Null, name).is_err(),
            "{id}: {name} may be null"
        );
        if let Some(example) = parameter.get("example") {
            document.check(&parameter["schema"], example, name).unwrap();
        }
    }
    let takes_key = seen.contains("Idempotency-Key");
    assert_eq!(takes_key, operation.method != "GET", "{id}: Idempotency-Key");
    assert_eq!(
        seen.contains("If-Match"),
        operation.answer(412, "application/problem+json").is_some(),
        "{id}: If-Match"
    );
    // Every other change of one thing is conditional; stock has `expected` of its own.
    // A key is revoked, whatever else it is.
    let unconditional = operation.path.contains("/stock/") || id == "revoke_api_key";
    let in_path = !in_path.is_empty() && operation.method != "GET" && !unconditional;
    assert_eq!(seen.contains("If-Match"), in_path, "{id}: If-Match");
    assert_eq!(seen.contains("If-None-Match"), operation.spec["responses"].get("304").is_some(), "{id}: 304");
}

fn check_body(document: &Document, operation: &Operation<'_>) {
    let id = operation.id();
    let Some(body) = operation.spec.get("requestBody") else { return };
    assert!(operation.method != "GET", "{id}");
    for (kind, content) in body["content"].as_object().unwrap() {
        let example = content.get("example").unwrap_or_else(|| panic!("{id}: no example of {kind}"));
        document.check(&content["schema"], example, id).unwrap();
        let schema = document.resolve(&content["schema"]);
        assert_eq!(schema["additionalProperties"], false, "{id}: unknown fields are refused");
        for (name, field) in schema["properties"].as_object().unwrap() {
            let may_be_null = document.check(field, &Value::Null, name).is_ok();
            assert!(kind.ends_with("json") || !may_be_null, "{id}: there is no null in a form: {name}");
        }
    }
    for status in ["400", "413", "415"] {
        assert!(operation.spec["responses"].get(status).is_some(), "{id}: {status}");
    }
}

fn check_answers(document: &Document, operation: &Operation<'_>) {
    let id = operation.id();
    let answers = operation.spec["responses"].as_object().unwrap();
    assert!(answers.keys().any(|status| status.starts_with('2')), "{id}");
    for (status, answer) in answers {
        assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{id}: {status}");
        let content = answer["content"].as_object();
        let failed = status.starts_with(['4', '5']);
        let header = match status.as_str() {
            "304" => Some("ETag"),
            "401" => Some("WWW-Authenticate"),
            "429" | "503" => Some("Retry-After"),
            _ => None,
        };
        if let Some(name) = header {
            assert!(answer["headers"][name].is_object(), "{id}: {status} has {name}");
        }
        assert_eq!(content.is_none(), ["204", "304"].contains(&status.as_str()), "{id}: {status}");
        for (kind, content) in content.into_iter().flatten() {
            assert_eq!(kind == "application/problem+json", failed, "{id}: {status}");
            if kind.ends_with("json") {
                let example =
                    content.get("example").unwrap_or_else(|| panic!("{id}: no example of {status}"));
                document.check(&content["schema"], example, &format!("{id} {status}")).unwrap();
                assert!(
                    !failed || Some(example["status"].as_u64().unwrap()) == status.parse().ok(),
                    "{id}: {status}"
                );
            }
        }
    }
    if let Some(created) = answers.get("201") {
        assert!(created["headers"]["Location"].is_object(), "{id}: Location");
    }
}

#[test]
fn every_operation_tells_what_it_takes_and_gives() {
    let document = Document::new();
    let schemes = document.json()["components"]["securitySchemes"].as_object().unwrap();
    for operation in document.operations() {
        let id = operation.id();
        for name in ["summary", "operationId"] {
            assert!(operation.spec[name].as_str().is_some_and(|text| !text.is_empty()), "{id}: {name}");
        }
        let security = operation.spec["security"].as_array().unwrap_or_else(|| panic!("{id}: security"));
        for requirement in security {
            assert!(requirement.as_object().unwrap().keys().all(|name| schemes.contains_key(name)), "{id}");
        }
        if !operation.is_public() {
            assert!(operation.answer(401, "application/problem+json").is_some(), "{id}: 401");
        }
        check_parameters(&document, &operation);
        check_body(&document, &operation);
        check_answers(&document, &operation);
    }
}
