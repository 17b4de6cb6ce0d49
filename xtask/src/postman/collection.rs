//! A collection: its folders, its variables, and how to begin.

use serde_json::{Value, json};

use super::document::Document;
use super::id::id;
use super::tokens::Tokens;
use super::{auth, request};
use crate::Failure;

/// The format of the collections.
const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// Where a server listens unless it is told otherwise.
const ORIGIN: &str = "http://127.0.0.1:8000";

/// The administrator of the sample data that `serve --demo` adds. Its password is another on every server, so that one
/// is left to be filled in.
const DEMO_USERNAME: &str = "admin";

/// Where the canonical API exchanges name and password for tokens.
const CANONICAL_LOGIN: &str = "/api/v1/auth/login";

/// The collection of a document.
pub(super) fn collection(document: &Document) -> Result<Value, Failure> {
    let mut folders: Vec<(Option<&str>, Vec<Value>)> =
        document.tags().iter().map(|(tag, _)| (Some(*tag), Vec::new())).collect();
    folders.push((None, Vec::new()));
    let (mut login, mut refreshes, mut takes_tokens) = (None, false, false);
    for operation in document.operations() {
        let tokens = Tokens::of(&operation);
        if tokens.is_login() {
            login.get_or_insert_with(|| operation.title());
        }
        refreshes |= tokens.keeps_refresh_token();
        let item = request::item(&operation, &tokens)?;
        // What has no `auth` of its own does what the collection does.
        takes_tokens |= item["request"].get("auth").is_none();
        if let Some((_, items)) = folders.iter_mut().find(|(tag, _)| *tag == operation.tag()) {
            items.push(item);
        }
    }

    let mut items = Vec::new();
    // A document whose operations include no login may still say where one is; otherwise it is that of the canonical
    // API, whose tokens are good for every façade.
    let token_url = auth::token_url(document).or_else(|| takes_tokens.then_some(CANONICAL_LOGIN));
    let token_url = token_url.filter(|_| login.is_none());
    if token_url.is_some() {
        items.push(elsewhere(document));
        login = Some(LOGIN_ELSEWHERE.to_owned());
    }
    for (tag, requests) in folders {
        match tag {
            Some(_) if requests.is_empty() => {}
            Some(tag) => items.push(folder(document, tag, &requests)),
            None => items.extend(requests),
        }
    }
    Ok(json!({
        "info": {
            "_postman_id": id(&document.name),
            "name": document.member("info")["title"].as_str().unwrap_or(&document.name),
            "description": description(document, login.as_deref()),
            "schema": SCHEMA,
        },
        "auth": auth::of_collection(),
        "item": items,
        "variable": variables(document, login.is_some(), refreshes, token_url),
    }))
}

/// The folder of a tag.
fn folder(document: &Document, tag: &str, requests: &[Value]) -> Value {
    let mut folder = json!({"id": id(&format!("{}/{tag}", document.name)), "name": tag, "item": requests});
    let tags = document.tags();
    if let Some(description) = tags.iter().find(|(name, _)| *name == tag).and_then(|(_, told)| *told) {
        folder["description"] = json!(description);
    }
    folder
}

/// What the request is called that logs in where the document has no operation for it.
const LOGIN_ELSEWHERE: &str = "Log in";

/// The request that logs in at the URL that the password flow names.
fn elsewhere(document: &Document) -> Value {
    let tokens = Tokens::of_password_grant();
    let field = |key: &str, value: &str| json!({"key": key, "value": value, "type": "text"});
    let mut item = json!({
        "id": id(&format!("{}/{LOGIN_ELSEWHERE}", document.name)),
        "name": LOGIN_ELSEWHERE,
        "request": {
            "method": "POST",
            "url": {"raw": "{{token_url}}", "host": ["{{token_url}}"]},
            "header": [],
            "auth": {"type": "noauth"},
            "body": {"mode": "urlencoded", "urlencoded": [
                field("grant_type", "password"),
                field("username", "{{username}}"),
                field("password", "{{password}}"),
            ]},
        },
        "response": [],
    });
    if let Some(events) = tokens.events() {
        item["event"] = events;
    }
    item
}

/// What the document says of itself, and how to begin.
fn description(document: &Document, login: Option<&str>) -> String {
    let begin = match login {
        Some(login) => format!(
            "Set the variables `username` and `password`, and send “{login}” first: it keeps the token that the other \
             requests send. The sample data of `stockroom serve --demo` has the user `{DEMO_USERNAME}`, whose password \
             the server prints when it starts."
        ),
        None => "Requests send the variable `access_token` as a bearer token, unless it is empty.".to_owned(),
    };
    let told = document.member("info")["description"].as_str().map(str::trim_end);
    told.into_iter().chain([begin.as_str()]).collect::<Vec<_>>().join("\n\n")
}

fn variables(document: &Document, logs_in: bool, refreshes: bool, token_url: Option<&str>) -> Vec<Value> {
    let base_url = base_url(document);
    let mut variables = vec![
        variable("base_url", &base_url, "Where the server is."),
        variable("access_token", "", "The token that requests send; a login fills it in."),
    ];
    if refreshes {
        variables.push(variable("refresh_token", "", "The token that a refresh sends; a login fills it in."));
    }
    if logs_in {
        variables.push(variable("username", DEMO_USERNAME, "Who logs in."));
        variables.push(variable("password", "", "Their password."));
    }
    if let Some(token_url) = token_url {
        variables.push(variable("token_url", &absolute(token_url, &base_url), "Where tokens are got."));
    }
    variables
}

fn variable(key: &str, value: &str, description: &str) -> Value {
    json!({"key": key, "value": value, "type": "string", "description": description})
}

/// The URL of the document's server, without a slash at its end.
fn base_url(document: &Document) -> String {
    let server = document.member("servers")[0]["url"].as_str().unwrap_or_default();
    absolute(server, ORIGIN).trim_end_matches('/').to_owned()
}

/// A URL as it is meant beside a base that has no slash at its end.
fn absolute(url: &str, base: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let Some(path) = url.strip_prefix('/') else { return format!("{base}/{url}") };
    let origin = match base.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest)),
        None => base.to_owned(),
    };
    format!("{origin}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(document: &Value) -> Value {
        let document = Document::new("shop", &document.to_string()).expect("a document");
        collection(&document).expect("a collection")
    }

    fn value<'a>(collection: &'a Value, key: &str) -> Option<&'a str> {
        let variables = collection["variable"].as_array()?;
        variables.iter().find(|variable| variable["key"] == key)?["value"].as_str()
    }

    fn names(items: &Value) -> Vec<&str> {
        items.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
    }

    #[test]
    fn requests_lie_in_the_folder_of_their_tag() {
        let collection = made(&json!({
            "info": {"title": "Shop", "description": "Sells."},
            "tags": [{"name": "b", "description": "Bs."}, {"name": "unused"}],
            "paths": {
                "/1": {"get": {"tags": ["a"], "summary": "One"}},
                "/2": {"get": {"tags": ["b", "a"], "summary": "Two"}},
                "/3": {"get": {"summary": "Three"}},
            },
        }));
        assert_eq!(collection["info"]["name"], "Shop");
        assert_eq!(collection["info"]["schema"], SCHEMA);
        assert_eq!(names(&collection["item"]), ["b", "a", "Three"]);
        assert_eq!(names(&collection["item"][0]["item"]), ["Two"]);
        assert_eq!(collection["item"][0]["description"], "Bs.");
        assert_eq!(names(&collection["item"][1]["item"]), ["One"]);
    }

    #[test]
    fn a_login_of_the_document_is_used() {
        let collection = made(&json!({
            "components": {"securitySchemes": {"password": {"type": "oauth2",
                "flows": {"password": {"tokenUrl": "/login"}}}}},
            "paths": {
                "/login": {"post": {
                    "summary": "Enter",
                    "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {
                        "required": ["username", "password"],
                        "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
                    }}}},
                    "responses": {"200": {"content": {"application/json": {"schema": {
                        "properties": {"access_token": {"type": "string"}, "token_type": {"type": "string"}},
                    }}}}},
                }},
                "/me": {"get": {"security": [{"password": []}]}},
            },
        }));
        assert_eq!(names(&collection["item"]), ["Enter", "GET /me"]);
        assert_eq!(collection["auth"]["bearer"][0]["value"], "{{access_token}}");
        let login = &collection["item"][0];
        assert_eq!(login["request"]["auth"]["type"], "noauth");
        assert_eq!(login["request"]["body"]["urlencoded"][1]["value"], "{{username}}");
        assert_eq!(login["event"][0]["listen"], "test");
        let other = &collection["item"][1];
        assert_eq!((other["request"].get("auth"), other.get("event")), (None, None));
        assert_eq!(value(&collection, "username"), Some("admin"));
        assert_eq!(value(&collection, "password"), Some(""));
        assert_eq!(value(&collection, "token_url"), None);
        assert_eq!(value(&collection, "refresh_token"), None);
    }

    #[test]
    fn a_login_elsewhere_becomes_a_request_of_its_own() {
        let collection = made(&json!({
            "servers": [{"url": "/compat/shop"}],
            "components": {"securitySchemes": {"password": {"type": "oauth2",
                "flows": {"password": {"tokenUrl": "/api/v1/auth/login"}}}}},
            "paths": {"/stocks": {"get": {"tags": ["stocks"], "security": [{}, {"password": []}]}}},
        }));
        assert_eq!(names(&collection["item"]), ["Log in", "stocks"]);
        assert_eq!(value(&collection, "base_url"), Some("http://127.0.0.1:8000/compat/shop"));
        assert_eq!(value(&collection, "token_url"), Some("http://127.0.0.1:8000/api/v1/auth/login"));
        assert!(collection["item"][0]["event"].is_array());
    }

    #[test]
    fn tokens_for_a_document_that_names_no_login_come_from_the_canonical_one() {
        let collection = made(&json!({
            "servers": [{"url": "/compat/shop"}],
            "components": {"securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"}}},
            "paths": {"/stocks": {"get": {"tags": ["stocks"], "security": [{}, {"token": []}]}}},
        }));
        assert_eq!(names(&collection["item"]), ["Log in", "stocks"]);
        assert_eq!(value(&collection, "token_url"), Some("http://127.0.0.1:8000/api/v1/auth/login"));

        let text = std::fs::read_to_string(crate::root().join("openapi.json")).expect("the document");
        let canonical = Document::new("stockroom", &text).expect("a document");
        assert_eq!(auth::token_url(&canonical), Some(CANONICAL_LOGIN));
    }

    #[test]
    fn without_tokens_there_are_no_credentials() {
        let collection = made(&json!({"paths": {"/stocks": {"get": {}}}}));
        assert_eq!(value(&collection, "base_url"), Some(ORIGIN));
        assert_eq!(value(&collection, "access_token"), Some(""));
        assert_eq!(value(&collection, "username"), None);
    }

    #[test]
    fn a_url_is_meant_beside_its_base() {
        for (url, absolute) in [
            ("https://shop.example/v1", "https://shop.example/v1"),
            ("/login", "http://host:1/login"),
            ("auth/login", "http://host:1/compat/shop/auth/login"),
        ] {
            assert_eq!(super::absolute(url, "http://host:1/compat/shop"), absolute);
        }
    }

    #[test]
    fn ids_are_never_used_twice() {
        let text = std::fs::read_to_string(crate::root().join("openapi.json")).expect("the document");
        let document = Document::new("stockroom", &text).expect("a document");
        let collection = collection(&document).expect("a collection").to_string();
        let mut ids: Vec<&str> =
            collection.split(r#""id":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(ids.len() > 100, "{} ids were found", ids.len());
        ids.sort_unstable();
        assert_eq!(ids.windows(2).find(|pair| pair[0] == pair[1]), None);
    }
}
