//! Where tokens come from: the login and what else answers with them, and the script that keeps them.

use serde_json::{Value, json};

use super::document::members;
use super::operation::{Media, Operation};
use super::sample::Direction;

/// Members of a login's body, and the variables of the collection that fill them.
const CREDENTIALS: [(&str, &str); 3] =
    [("username", "username"), ("email", "username"), ("password", "password")];

/// The tokens, by the name of their member and of their variable.
const TOKENS: [&str; 2] = ["access_token", "refresh_token"];

/// Members of a request body that are filled from variables, each with the name of its variable.
pub(super) type Filled = Vec<(&'static str, &'static str)>;

/// What an operation has to do with tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    /// The members of the request that are filled from variables.
    pub(super) filled: Filled,
    /// The tokens in the response, as the members that lead to each.
    kept: Vec<Vec<String>>,
}

impl Tokens {
    /// Looks at the request and the response to it.
    pub(super) fn of(operation: &Operation<'_>) -> Self {
        let kept = kept(operation);
        if kept.is_empty() {
            return Self::default();
        }
        let request = operation.request_body();
        let body = request.map(|media| media.sample(operation.document, Direction::Request));
        let sent = |name: &str| body.as_ref().is_some_and(|body| body.get(name).is_some());
        let mut filled = Vec::new();
        if sent("password") && (sent("username") || sent("email")) {
            filled.extend(CREDENTIALS.into_iter().filter(|(name, _)| sent(name)));
        }
        if sent("refresh_token") {
            filled.push(("refresh_token", "refresh_token"));
        }
        Self { filled, kept }
    }

    /// Those of an OAuth2 password grant, which any server answers in the same way.
    pub(super) fn of_password_grant() -> Self {
        let kept = vec![vec!["access_token".to_owned()]];
        Self { filled: vec![("username", "username"), ("password", "password")], kept }
    }

    /// Whether somebody logs in here with name and password.
    pub(super) fn is_login(&self) -> bool {
        self.filled.iter().any(|(_, variable)| *variable == "password")
    }

    /// Whether a refresh token is kept.
    pub(super) fn keeps_refresh_token(&self) -> bool {
        self.kept.iter().any(|path| path.last().is_some_and(|name| name == "refresh_token"))
    }

    /// The script that keeps the tokens, as the events of a request; `None` when there are none to keep.
    pub(super) fn events(&self) -> Option<Value> {
        if self.kept.is_empty() {
            return None;
        }
        let advice = if self.is_login() { " (set the variables username and password)" } else { "" };
        let mut lines = vec![
            format!("pm.test(\"Answered 200 with a token{advice}\", function () {{"),
            "    pm.response.to.have.status(200);".to_owned(),
            "    const answer = pm.response.json();".to_owned(),
        ];
        for path in &self.kept {
            let member: String =
                path.iter().map(|name| format!("[{}]", Value::from(name.as_str()))).collect();
            let variable = path.last().map(String::as_str).unwrap_or_default();
            lines.push(format!("    pm.expect(answer{member}).to.be.a(\"string\").and.not.be.empty;"));
            lines.push(format!("    pm.collectionVariables.set(\"{variable}\", answer{member});"));
        }
        lines.push("});".to_owned());
        Some(json!([{"listen": "test", "script": {"type": "text/javascript", "exec": lines}}]))
    }
}

/// The tokens in the answer 200; none unless an access token is among them.
fn kept(operation: &Operation<'_>) -> Vec<Vec<String>> {
    let document = operation.document;
    let answered = operation.responses().find(|(status, _)| *status == "200");
    let Some(media) = answered.and_then(|(_, response)| Media::easiest(document, response)) else {
        return Vec::new();
    };
    let body = media.sample(document, Direction::Response);
    let paths: Vec<Option<Vec<String>>> = TOKENS.iter().map(|name| path_to(&body, name)).collect();
    if paths[0].is_none() { Vec::new() } else { paths.into_iter().flatten().collect() }
}

/// The members that lead to the first text of this name.
fn path_to(body: &Value, name: &str) -> Option<Vec<String>> {
    if body[name].is_string() {
        return Some(vec![name.to_owned()]);
    }
    members(body)?.iter().find_map(|(member, inner)| {
        let mut path = path_to(inner, name)?;
        path.insert(0, member.clone());
        Some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn tokens(request: &Value, response: &Value) -> Tokens {
        let text = json!({"paths": {"/": {"post": {
            "requestBody": {"content": {"application/json": {"example": request}}},
            "responses": {"200": {"content": {"application/json": {"example": response}}}},
        }}}});
        let document = Document::new("shop", &text.to_string()).expect("a document");
        let operation = document.operations().next().expect("an operation");
        Tokens::of(&operation)
    }

    #[test]
    fn a_login_takes_name_and_password_and_answers_with_a_token() {
        for (request, response, login) in [
            (json!({"username": "a", "password": "b"}), json!({"access_token": "c"}), true),
            (json!({"email": "a", "password": "b"}), json!({"data": {"access_token": "c"}}), true),
            (json!({"username": "a", "password": "b"}), json!({"id": 1}), false),
            (json!({"refresh_token": "a"}), json!({"access_token": "c"}), false),
            (json!({"password": "b"}), json!({"access_token": "c"}), false),
        ] {
            assert_eq!(tokens(&request, &response).is_login(), login, "{request} {response}");
        }
    }

    #[test]
    fn a_refresh_is_filled_with_the_token_that_was_kept() {
        let both = json!({"access_token": "c", "refresh_token": "d"});
        let tokens = tokens(&json!({"refresh_token": "a"}), &both);
        assert_eq!(tokens.filled, [("refresh_token", "refresh_token")]);
        assert!(tokens.keeps_refresh_token());
    }

    #[test]
    fn the_script_keeps_tokens_wherever_they_are_in_the_answer() {
        let tokens =
            tokens(&json!({"username": "a", "password": "b"}), &json!({"data": {"access_token": "c"}}));
        let script = tokens.events().expect("a script").to_string();
        let wanted =
            json!(r#"    pm.collectionVariables.set("access_token", answer["data"]["access_token"]);"#);
        assert!(script.contains(&wanted.to_string()), "{script}");
        assert_eq!(Tokens::default().events(), None);
    }
}
