//! What must not be found.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::callers::PASSWORD;
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// How much of one must be found to give it away.
const TELLING: usize = 14;

/// One secret.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Secret {
    pub(super) fn of(kind: &'static str, text: &str) -> Self {
        Self { kind, text: text.to_owned() }
    }

    /// The part that gives it away: of a token the signature, for the rest is the same for many; of a key what follows
    /// the prefix.
    fn telling(&self) -> [u8; TELLING] {
        let text = self.text.rsplit('.').next().unwrap().trim_start_matches("sr_");
        text.as_bytes()[..TELLING].try_into().unwrap()
    }
}

/// One that nobody has had before, of letters and digits.
pub(super) fn random(kind: &'static str) -> Secret {
    // Each hasher of the standard library has keys of its own.
    use std::hash::{BuildHasher as _, RandomState};
    Secret {
        kind,
        text: format!("{:016x}{:016x}hush", RandomState::new().hash_one(0), RandomState::new().hash_one(1)),
    }
}

/// All of them, to be looked for at once.
pub(super) struct Needles(HashMap<[u8; TELLING], &'static str>);

impl Needles {
    pub(super) fn of(secrets: &[Secret]) -> Self {
        let needles: HashMap<_, _> = secrets.iter().map(|secret| (secret.telling(), secret.kind)).collect();
        assert_eq!(needles.len(), secrets.len(), "two alike");
        Self(needles)
    }

    /// The kinds of those that are in a text.
    pub(super) fn all_in(&self, text: &[u8]) -> Vec<&'static str> {
        let windows = text
            .windows(TELLING)
            .filter(|window| window[0].is_ascii_alphanumeric() || window[0] == b'-' || window[0] == b'_');
        windows.filter_map(|window| self.0.get(window).copied()).collect()
    }
}

/// Makes an administrator and so many secrets that are good for something, each used as it should be. Gives the
/// administrator's token, too, which is one of them.
pub(super) fn mint(place: &Place, server: &Server, count: usize) -> (String, Vec<Secret>) {
    place.add_user("ann", "admin", PASSWORD).succeeded();
    let admin = server.token("ann", PASSWORD);
    let mut secrets = vec![Secret::of("access token", &admin)];
    while secrets.len() < count {
        let name = format!("customer-{}", secrets.len());
        secrets.extend(round(server, &admin, &name));
    }
    secrets.truncate(count);
    (admin, secrets)
}

/// An account with a password that it changes, its tokens, a machine's key, and a password that is wrong.
fn round(server: &Server, admin: &str, name: &str) -> [Secret; 6] {
    let [password, changed, wrong] =
        [random("password"), random("changed password"), random("wrong password")];
    let account = |password: &Secret| json!({"username": name, "password": password.text});
    let mut client = server.client();
    client.call("POST", "/api/v1/auth/register", Some(&account(&password))).expect(201);
    client.call("POST", "/api/v1/auth/login", Some(&account(&wrong))).expect(401);
    let mut token = server.token(name, &password.text);
    let change = json!({"current_password": password.text, "new_password": changed.text});
    let status = Client::new(server.address)
        .with_token(&token)
        .call("POST", "/api/v1/auth/change-password", Some(&change))
        .status;
    assert_eq!(status, 204);
    let tokens = client.call("POST", "/compat/mini-order/login", Some(&account(&changed)));
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    let tokens = client.call("POST", "/api/v1/auth/login", Some(&account(&changed))).expect(200);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    token = text(&tokens, "access_token");
    let refresh = text(&tokens, "refresh_token");
    client.call("POST", "/api/v1/auth/refresh", Some(&json!({"refresh_token": refresh}))).expect(200);
    server.client().with_token(&token).get("/api/v1/auth/me");
    let wish = json!({"name": "till", "role": "staff", "scopes": ["read"]});
    let made = server.client().with_token(admin).call_with_key("POST", "/api/v1/api-keys", name, Some(&wish));
    let key = text(&made.expect(201), "key");
    server.client().with_token(&key).get("/api/v1/products");
    let token = Secret { kind: "access token", text: token };
    let (refresh, key) =
        (Secret { kind: "refresh token", text: refresh }, Secret { kind: "API key", text: key });
    [password, changed, wrong, token, refresh, key]
}
