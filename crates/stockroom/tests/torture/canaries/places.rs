//! Where a secret can be in a request, good and bad.

use serde_json::{Map, Value, json};

/// An operation of a document.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    /// What a body may have: names, and whether they are for text.
    fields: Vec<(String, bool)>,
}

impl Operation {
    /// Whether something secret belongs into its body.
    pub(super) fn takes_secrets(&self) -> bool {
        self.fields.iter().any(|(name, _)| SECRET_FIELDS.contains(&name.as_str()))
    }
}

/// Every operation of every document.
pub(super) fn operations() -> Vec<Operation> {
    let documents = [
        ("", include_str!("../../../../../openapi.json")),
        ("/compat/orderflow", include_str!("../../../../../openapi/orderflow.json")),
        ("/compat/mini-order", include_str!("../../../../../openapi/mini-order.json")),
        ("/compat/leafcraft", include_str!("../../../../../openapi/leafcraft.json")),
        ("/compat/inventory", include_str!("../../../../../openapi/inventory.json")),
    ];
    let mut all = Vec::new();
    for (prefix, text) in documents {
        let document: Value = serde_json::from_str(text).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, spec) in item.as_object().unwrap() {
                let method = method.to_uppercase();
                all.push(Operation {
                    method,
                    path: format!("{prefix}{path}"),
                    fields: fields(&document, spec),
                });
            }
        }
    }
    assert!(all.len() > 70, "{}", all.len());
    all
}

fn fields(document: &Value, spec: &Value) -> Vec<(String, bool)> {
    let mut schema = &spec["requestBody"]["content"]["application/json"]["schema"];
    while let Some(reference) = schema["$ref"].as_str() {
        schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let is_text = |rule: &Value| rule["type"].to_string().contains("string") || rule["$ref"].is_string();
    let named = schema["properties"].as_object().into_iter().flatten();
    named.map(|(name, rule)| (name.clone(), is_text(rule))).collect()
}

/// Each place is named once.
macro_rules! places {
    ($($(#[$meaning:meta])* $name:ident,)*) => {
        /// A place in a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Spot {
            $($(#[$meaning])* $name,)*
        }

        use Spot::{$($name),*};

        /// All of them.
        pub(super) const PLACES: &[Spot] = &[$($name),*];
    };
}

places! {
    Bearer,
    TwoTokens,
    Basic,
    Headers,
    SetupCode,
    Query,
    Path,
    BehindThePath,
    /// Where such a thing belongs.
    Field,
    WrongType,
    WrongField,
    /// Whoever sends a name that nobody knows is told so by that name.
    Name,
    Number,
    Half,
    Twice,
    TooLong,
    FarTooLong,
    Form,
    Text,
    Conditions,
    BadHead,
    BadLine,
}

/// What belongs to these is secret.
const SECRET_FIELDS: [&str; 5] =
    ["password", "current_password", "new_password", "refresh_token", "setup_code"];

/// One request with a secret.
pub(super) struct Request<'a> {
    pub(super) operation: &'a Operation,
    pub(super) place: Spot,
    pub(super) secret: &'a str,
    /// The token of an administrator who asks, if one does and the secret is no token itself.
    pub(super) admin: Option<&'a str>,
    pub(super) number: usize,
}

impl Request<'_> {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { operation, place, secret, number, .. } = self;
        let id = if *place == Path { secret } else { "1" };
        let mut path = String::new();
        for part in operation.path.split_inclusive('/') {
            let slash = if part.ends_with('/') { "/" } else { "" };
            path += &if part.starts_with('{') { format!("{id}{slash}") } else { part.to_owned() };
        }
        match place {
            Query => {
                path += &format!("?token={secret}&access_token={secret}&password={secret}&sort={secret}");
            }
            BehindThePath => path += &format!("/{secret}"),
            BadLine => path += &format!(" {secret}"),
            _ => {}
        }
        let body = self.body().unwrap_or_default();
        let mut head =
            format!("{} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", operation.method);
        let kind = match place {
            Form => "application/x-www-form-urlencoded",
            Text => "text/plain",
            _ => "application/json",
        };
        head +=
            &format!("Content-Type: {kind}\r\nX-Request-Id: named-request-{number}\r\n{}", self.headers());
        // The administrator would end what the others live by, and the secret stands where the token would.
        let is_fatal = operation.path.ends_with("logout-everywhere");
        if let (Some(admin), false, false) =
            (self.admin, is_fatal, [Bearer, TwoTokens, Basic].contains(place))
        {
            head += &format!("Authorization: Bearer {admin}\r\n");
        }
        let mut bytes = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend(body.as_bytes());
        bytes
    }

    fn headers(&self) -> String {
        let secret = self.secret;
        match self.place {
            // Its last character is another, or it would be a good one: then nobody is told so either.
            Bearer => format!("Authorization: Bearer {secret}x\r\n"),
            TwoTokens => format!("Authorization: Bearer {secret}\r\nAuthorization: Bearer x{secret}\r\n"),
            Basic => format!("Authorization: Basic {secret}\r\n"),
            Headers => format!(
                "Cookie: session={secret}\r\nX-Api-Key: {secret}\r\nUser-Agent: {secret}\r\nOrigin: https://{secret}\r\nReferer: https://shop/?token={secret}\r\nX-Forwarded-For: {secret}\r\n"
            ),
            SetupCode => format!("Stockroom-Setup-Code: {secret}\r\n"),
            Conditions => format!(
                "If-Match: \"{secret}\"\r\nIf-None-Match: {secret}\r\nRange: {secret}\r\nAccept: {secret}\r\nForwarded: {secret}\r\n"
            ),
            BadHead => format!("{secret}\r\n{secret} : {secret}\r\n"),
            _ => String::new(),
        }
    }

    fn body(&self) -> Option<String> {
        let secret = self.secret;
        Some(match self.place {
            Field => self.object(|_| json!(secret)),
            WrongType => {
                self.object(|at| if at % 2 == 0 { json!([secret]) } else { json!({"secret": secret}) })
            }
            TooLong => self.object(|_| json!(secret.repeat(100))),
            FarTooLong => self.object(|_| json!(secret.repeat(20_000))),
            // Of a kind that is refused, or it would be stored as what it claims to be.
            WrongField => {
                let fields = self.operation.fields.iter().filter(|(_, is_text)| *is_text);
                let mut object: Map<_, _> = fields.map(|(name, _)| (name.clone(), json!([secret]))).collect();
                object.insert("nonsense".to_owned(), json!(secret));
                Value::Object(object).to_string()
            }
            Name => json!({secret: 1, "items": [{secret: 1}]}).to_string(),
            Number => format!("{{\"quantity\": {secret}, \"price_cents\": \"{secret}\"}}"),
            Half => format!("{{\"username\": \"somebody\", \"password\": \"{secret}"),
            Twice => format!(
                "{{\"password\": \"{secret}\", \"password\": \"{secret}\", \"refresh_token\": \"{secret}\"}} {secret}"
            ),
            Form => format!("username=somebody&password={secret}&grant_type={secret}&refresh_token={secret}"),
            Text => secret.to_owned(),
            _ => return None,
        })
    }

    /// A body with a value in each field for secrets, and with something harmless in the others.
    fn object(&self, value: impl Fn(usize) -> Value) -> String {
        let mut object = Map::new();
        for (name, is_text) in &self.operation.fields {
            object.insert(
                name.clone(),
                if *is_text { json!(format!("some-{}", self.number)) } else { json!(1) },
            );
        }
        for (at, name) in SECRET_FIELDS.into_iter().enumerate() {
            object.insert(name.to_owned(), value(at));
        }
        Value::Object(object).to_string()
    }
}
