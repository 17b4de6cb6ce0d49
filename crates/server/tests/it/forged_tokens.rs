//! Tokens that this server never gave out, or that are worth nothing any more: none of them is accepted.
//!
//! The control is a verifier of a few lines that refuses all of them as well, and accepts some as soon as any one of its
//! checks is taken out: so each check has tokens here that nothing else would stop.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use server::clock;
use sha2::Sha256;

use crate::harness::TestApp;

/// A token, and what is wrong with it.
type Forgery = (String, String);

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn sign(message: &str, key: &[u8]) -> String {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn signed(header: &str, claims: &Value, key: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(&claims.to_string()));
    let signature = sign(&message, key);
    format!("{message}.{signature}")
}

/// What the tokens are forged from.
struct Mint {
    key: Vec<u8>,
    /// Keys that somebody might try.
    others: Vec<Vec<u8>>,
    now: i64,
    good: String,
}

impl Mint {
    fn claims(&self) -> Value {
        json!({
            "iss": "stockroom", "aud": "stockroom", "sub": "1", "typ": "access", "gen": 1,
            "iat": self.now, "nbf": self.now, "exp": self.now + 3600,
        })
    }

    /// The good claims with some that are different; `null` takes one away.
    fn but(&self, changes: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    fn all(&self) -> Vec<Forgery> {
        let mut all = self.algorithms();
        all.extend(self.headers());
        all.extend(self.signatures());
        all.extend(self.contents());
        all.extend(self.claimed());
        all.extend(self.shapes());
        all
    }

    fn algorithms(&self) -> Vec<Forgery> {
        let words = [
            "none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
            "ES256", "ES384", "EdDSA", "hs256", "HS256 ", "HS1", "A256GCM", "dir",
        ];
        let mut headers: Vec<String> =
            words.iter().map(|word| json!({"typ": "JWT", "alg": word}).to_string()).collect();
        headers.extend(
            [r#"{"typ":"JWT"}"#, r#"{"alg":null}"#, r#"{"alg":1}"#, r#"{"alg":["HS256"]}"#].map(Into::into),
        );
        let ours = self.good.rsplit('.').next().unwrap();
        let mut all = Vec::new();
        for header in headers {
            let message = format!("{}.{}", part(&header), part(&self.claims().to_string()));
            all.push((format!("{message}."), format!("unsigned {header}")));
            all.push((format!("{message}.{ours}"), format!("another's signature {header}")));
            // As if the key for checking were public, or the word in the header did not matter.
            all.push((signed(&header, &self.claims(), &self.key), format!("signed {header}")));
        }
        all
    }

    fn headers(&self) -> Vec<Forgery> {
        let jwk = json!({"kty": "oct", "k": part("attacker")});
        let more = [
            json!({"jwk": jwk}),
            json!({"jku": "https://evil.example/keys"}),
            json!({"kid": "../../dev/null"}),
            json!({"kid": "1' UNION SELECT 'attacker"}),
            json!({"kid": "stockroom"}),
            json!({"x5u": "https://evil.example/chain"}),
            json!({"x5c": ["MIIB"]}),
            json!({"x5t": "AAAA"}),
            json!({"cty": "JWT"}),
            json!({"crit": ["exp"]}),
            json!({"typ": "at+jwt"}),
            json!({"typ": "JWE"}),
        ];
        let mut all = Vec::new();
        for fields in more {
            let mut header: Value = serde_json::from_str(HEADER).unwrap();
            header.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let header = header.to_string();
            for (key, whose) in [(&b"attacker"[..], "the attacker's"), (&b""[..], "no"), (&self.key, "our")] {
                all.push((signed(&header, &self.claims(), key), format!("{header} signed with {whose} key")));
            }
        }
        all
    }

    fn signatures(&self) -> Vec<Forgery> {
        let (message, signature) = self.good.rsplit_once('.').unwrap();
        let mut all = vec![
            (message.to_owned(), "no signature".to_owned()),
            (format!("{message}."), "an empty signature".to_owned()),
            (format!("{message}.{signature}A"), "one character more".to_owned()),
            (format!("{message}.{signature}=="), "padded".to_owned()),
            (format!("{message}.{signature}{signature}"), "twice".to_owned()),
            (format!("{message}.{}", signature.to_lowercase()), "in lower case".to_owned()),
        ];
        for at in 0..signature.len() {
            let mut letters = signature.as_bytes().to_vec();
            // Another bit in each place; in the last one also such as carry nothing.
            letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(letters).unwrap();
            all.push((format!("{message}.{altered}"), format!("signature altered at {at}")));
        }
        for length in [1, 10, 22, 42] {
            all.push((format!("{message}.{}", &signature[..length]), format!("cut to {length}")));
        }
        for key in &self.others {
            all.push((signed(HEADER, &self.claims(), key), format!("signed with the key {key:?}")));
        }
        all
    }

    /// What is said was altered, and the signature left as it was.
    fn contents(&self) -> Vec<Forgery> {
        let mut parts = self.good.split('.');
        let (header, claims, signature) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let changes = [
            json!({"sub": "2"}),
            json!({"role": "admin"}),
            json!({"gen": 2}),
            json!({"exp": self.now + 360_000}),
            json!({"iat": 0, "nbf": 0}),
        ];
        let mut all: Vec<Forgery> = changes
            .iter()
            .map(|change| {
                let claims = part(&self.but(change).to_string());
                (format!("{header}.{claims}.{signature}"), format!("altered {change}"))
            })
            .collect();
        for at in (0..claims.len()).step_by(5) {
            let mut letters = claims.as_bytes().to_vec();
            letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
            let claims = String::from_utf8(letters).unwrap();
            all.push((format!("{header}.{claims}.{signature}"), format!("claims altered at {at}")));
        }
        all
    }

    /// Signed as it should be, and worth nothing.
    fn claimed(&self) -> Vec<Forgery> {
        let now = self.now;
        let changes = [
            json!({"iss": "evil"}),
            json!({"iss": "Stockroom"}),
            json!({"iss": ""}),
            json!({"iss": null}),
            json!({"iss": ["stockroom"]}),
            json!({"iss": ["evil", "stockroom"]}),
            json!({"aud": "evil"}),
            json!({"aud": "stockroom "}),
            json!({"aud": null}),
            json!({"aud": ["stockroom", "evil"]}),
            json!({"aud": ["stockroom"]}),
            json!({"typ": "refresh"}),
            json!({"typ": "id"}),
            json!({"typ": ""}),
            json!({"typ": null}),
            json!({"exp": now}),
            json!({"exp": now - 1}),
            json!({"exp": 0}),
            json!({"exp": -1}),
            json!({"exp": null}),
            json!({"exp": "9999999999"}),
            json!({"exp": i64::MAX}),
            json!({"exp": 1e30}),
            json!({"nbf": now + 600}),
            json!({"nbf": i64::MAX}),
            json!({"nbf": null}),
            json!({"iat": null}),
            json!({"sub": null}),
            json!({"sub": 1}),
            json!({"sub": ""}),
            json!({"sub": "root"}),
            json!({"sub": "1 "}),
            json!({"sub": "1e0"}),
            json!({"sub": "0"}),
            json!({"sub": "-1"}),
            json!({"sub": "99"}),
            json!({"sub": "9223372036854775808"}),
            json!({"gen": 0}),
            json!({"gen": 2}),
            json!({"gen": -1}),
            json!({"gen": null}),
            json!({"gen": "1"}),
            json!({"gen": 1.5}),
        ];
        let forge =
            |change: &Value| (signed(HEADER, &self.but(change), &self.key), format!("claims {change}"));
        let mut all: Vec<Forgery> = changes.iter().map(forge).collect();
        // Of somebody who is deactivated by now.
        all.push(forge(&json!({"sub": "2"})));
        all
    }

    fn shapes(&self) -> Vec<Forgery> {
        let good = &self.good;
        let (header, rest) = good.split_once('.').unwrap();
        let shapes = [
            ".".to_owned(),
            "..".to_owned(),
            "...".to_owned(),
            "a.b.c".to_owned(),
            header.to_owned(),
            format!("{good}.{good}"),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.AAAA"),
            format!("{header}.{header}.{rest}"),
            format!("{header}..{rest}"),
            good.replace('.', ":"),
            good.to_uppercase(),
            format!("{}A{}", &good[..9], &good[9..]),
            format!("%{good}"),
            format!("\"{good}\""),
            format!("{good},{good}"),
            format!("Bearer {good}"),
            json!({"payload": "e30", "signature": "AA", "protected": header}).to_string(),
            "A".repeat(5000),
            format!("{header}.{}.AA", "A".repeat(4100)),
        ];
        shapes.into_iter().map(|shape| (shape.clone(), format!("shape {shape:.30}"))).collect()
    }
}

async fn mint(app: &TestApp) -> Mint {
    let secret = app.secret();
    let key = secret.token_key().as_bytes().to_vec();
    let mark = secret.mark().into_bytes();
    let document = app.stranger().get("/openapi.json").await.text.into_bytes();
    let fingerprints = secret.fingerprint_key().as_bytes().to_vec();
    let others = [&b""[..], b"secret", b"stockroom", b"changeme", b"HS256", &[0; 32], &[0; 64]];
    let mut others: Vec<Vec<u8>> = others.iter().map(|key| key.to_vec()).collect();
    others.extend([mark, document, fingerprints]);
    let now = clock::now_us() / 1_000_000;
    let mut mint = Mint { key, others, now, good: String::new() };
    mint.good = signed(HEADER, &mint.claims(), &mint.key);
    mint
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_accepted() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.user(&root, "gone", "staff").await;
    root.patch("/api/v1/users/2", json!({"is_active": false})).await.expect(200);
    let mint = mint(&app).await;
    let mut caller = app.stranger();
    caller.token = Some(mint.good.clone());
    caller.get("/api/v1/auth/me").await.expect(200);
    let all = mint.all();
    let different: BTreeSet<&String> = all.iter().map(|(token, _)| token).collect();
    assert!(different.len() >= 200, "{}", different.len());
    for (token, what) in &all {
        assert!(*token != mint.good, "{what}");
        caller.token = Some(token.clone());
        let answer = caller.get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{what}: {token} {answer:?}");
        answer.problem(401, "INVALID_TOKEN");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#, "{what}");
    }
    // Nor in the place of the other token, nor where a token may be left out, nor in a façade.
    for (token, what) in all.iter().step_by(7) {
        let body = json!({"refresh_token": token});
        if !what.contains(r#""typ":"refresh""#) {
            let answer = app.stranger().post("/api/v1/auth/refresh", body).await;
            assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {answer:?}");
        }
        caller.token = Some(token.clone());
        let body = json!({"username": "late", "password": "a longer one", "role": "customer"});
        for path in ["/api/v1/auth/register", "/compat/mini-order/register"] {
            caller.post(path, body.clone()).await.expect(401);
        }
    }
}

/// What a verifier must look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Algorithm,
    Header,
    Signature,
    Issuer,
    Audience,
    Kind,
    Expiry,
    NotBefore,
    Generation,
    Account,
}

const CHECKS: [Check; 10] = [
    Check::Algorithm,
    Check::Header,
    Check::Signature,
    Check::Issuer,
    Check::Audience,
    Check::Kind,
    Check::Expiry,
    Check::NotBefore,
    Check::Generation,
    Check::Account,
];

/// Whether a verifier without one of the checks accepts the token.
fn accepts(mint: &Mint, token: &str, without: Option<Check>) -> Option<bool> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return None };
    let read =
        |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (fields, told) = (read(header)?, read(claims)?);
    let others = fields.as_object()?.iter().any(|(name, _)| name != "typ" && name != "alg");
    let is_good = |check: Check| match check {
        Check::Algorithm => fields["alg"] == "HS256",
        Check::Header => !others && (fields["typ"] == "JWT" || fields["typ"].is_null()),
        Check::Signature => *signature == sign(&format!("{header}.{claims}"), &mint.key),
        Check::Issuer => told["iss"] == "stockroom",
        Check::Audience => told["aud"] == "stockroom",
        Check::Kind => told["typ"] == "access",
        Check::Expiry => told["exp"].as_i64().is_some_and(|exp| exp > mint.now && exp < i64::MAX / 1_000_000),
        Check::NotBefore => {
            told["iat"].is_i64() && told["nbf"].as_i64().is_some_and(|nbf| nbf <= mint.now + 5)
        }
        Check::Generation => told["gen"] == 1,
        // The only account that is active.
        Check::Account => told["sub"] == "1",
    };
    Some(CHECKS.iter().all(|check| Some(*check) == without || is_good(*check)))
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_verifier_without_any_one_check_is_caught() {
    let app = TestApp::start().await;
    let mint = mint(&app).await;
    let accepted = |without: Option<Check>| {
        let all = mint.all().into_iter();
        all.filter(|(token, _)| accepts(&mint, token, without) == Some(true))
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(accepts(&mint, &mint.good, None), Some(true));
    assert_eq!(accepted(None), [""; 0]);
    for check in CHECKS {
        assert!(!accepted(Some(check)).is_empty(), "nothing here needs {check:?}");
    }
}
