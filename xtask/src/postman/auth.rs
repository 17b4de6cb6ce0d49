//! Who a request is sent as.

use serde_json::{Map, Value, json};

use super::document::{Document, members};
use super::operation::Operation;
use crate::Failure;

/// What every request does unless it says otherwise: it sends the token of the last login. Without one Postman sends no
/// header at all, so requests that may do without are not harmed.
pub(super) fn of_collection() -> Value {
    let token = json!({"key": "token", "value": "{{access_token}}", "type": "string"});
    json!({"type": "bearer", "bearer": [token]})
}

/// What one request does instead of the collection: nothing, where the operation takes no token.
pub(super) fn of_operation(operation: &Operation<'_>) -> Result<Option<Value>, Failure> {
    let document = operation.document;
    let security = operation.object.get("security").unwrap_or_else(|| document.member("security"));
    let alternatives = security.as_array().into_iter().flatten();
    let mut schemes = alternatives.filter_map(members).flat_map(Map::keys).peekable();
    if schemes.peek().is_none() {
        return Ok(Some(json!({"type": "noauth"})));
    }
    let id_name = operation.id_name();
    schemes.try_for_each(|name| {
        let scheme = document.resolve(&document.member("components")["securitySchemes"][name]);
        is_bearer(scheme).then_some(()).ok_or_else(|| format!("{id_name}: '{name}' is no bearer token"))
    })?;
    Ok(None)
}

/// Whether a scheme means a token in `Authorization: Bearer`, however it is described. An API key in that header is one
/// too: that is how a document asks for the whole header where it offers no login.
fn is_bearer(scheme: &Value) -> bool {
    let is = |member: &str, value: &str| {
        scheme[member].as_str().is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    is("type", "oauth2")
        || is("type", "openIdConnect")
        || is("type", "http") && is("scheme", "bearer")
        || is("type", "apiKey") && is("in", "header") && is("name", "Authorization")
}

/// Where tokens are got according to the password flow of a document, if it has one.
pub(super) fn token_url(document: &Document) -> Option<&str> {
    let schemes = members(&document.member("components")["securitySchemes"])?;
    schemes.values().find_map(|scheme| document.resolve(scheme)["flows"]["password"]["tokenUrl"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(security: &str, wanted: &Result<Option<Value>, Failure>) {
        let text = format!(
            r#"{{"components": {{"securitySchemes": {{
                "bearer": {{"type": "http", "scheme": "Bearer"}},
                "password": {{"type": "oauth2", "flows": {{"password": {{"tokenUrl": "login"}}}}}},
                "header": {{"type": "apiKey", "in": "header", "name": "Authorization"}},
                "basic": {{"type": "http", "scheme": "basic"}}}}}},
                "paths": {{"/": {{"get": {{{security}}}}}}}}}"#
        );
        let document = Document::new("shop", &text).expect("a document");
        let operation = document.operations().next().expect("an operation");
        assert_eq!(of_operation(&operation), *wanted, "{security}");
        assert_eq!(token_url(&document), Some("login"));
    }

    #[test]
    fn a_request_sends_the_token_unless_the_operation_takes_none() {
        let none = json!({"type": "noauth"});
        for (security, wanted) in [
            ("", Ok(Some(none.clone()))),
            (r#""security": []"#, Ok(Some(none.clone()))),
            (r#""security": [{}]"#, Ok(Some(none))),
            (r#""security": [{}, {"bearer": []}]"#, Ok(None)),
            (r#""security": [{"password": ["a"]}]"#, Ok(None)),
            (r#""security": [{"header": []}]"#, Ok(None)),
            (r#""security": [{"basic": []}]"#, Err("shop/GET /: 'basic' is no bearer token".to_owned())),
        ] {
            check(security, &wanted);
        }
    }
}
