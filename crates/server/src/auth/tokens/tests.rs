use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::auth::secret::Secret;

const NOW_US: i64 = 1_705_401_000_250_000;
const HOUR: Duration = Duration::from_secs(3600);

fn key(text: &str) -> SubKey {
    Secret::from_text(text).unwrap().token_key()
}

fn ours() -> SubKey {
    key("0123456789abcdef0123456789abcdef")
}

fn claims() -> Value {
    let now = NOW_US / SECOND_US;
    json!({"iss":"stockroom","aud":"stockroom","sub":"7","typ":"access","gen":3,"iat":now,"nbf":now,"exp":now + 60})
}

/// Signs whatever it is given, as an attacker or another library would.
fn sign(header: &Value, claims: &Value, key: &SubKey) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    Tokens::new(&ours()).verify(TokenKind::Access, token, NOW_US)
}

#[test]
fn good_for_its_time_and_kind() {
    let tokens = Tokens::new(&ours());
    let token = tokens.issue(TokenKind::Access, 7, 3, NOW_US, HOUR).unwrap();
    let issued_at_us = NOW_US - NOW_US % SECOND_US;
    let expires_at_us = issued_at_us + 3600 * SECOND_US;
    let expected = Claims { user_id: 7, generation: 3, issued_at_us, expires_at_us };
    let at = |now_us| tokens.verify(TokenKind::Access, &token, now_us);
    assert_eq!(at(NOW_US), Ok(expected));
    assert_eq!(at(expires_at_us - 1), Ok(expected));
    assert_eq!(at(expires_at_us), Err(TokenError::Expired));
    assert_eq!(at(issued_at_us - LEEWAY_US), Ok(expected));
    assert_eq!(at(issued_at_us - LEEWAY_US - 1), Err(TokenError::NotYetValid));
    assert_eq!(tokens.verify(TokenKind::Refresh, &token, NOW_US), Err(TokenError::WrongKind));
    let refresh = tokens.issue(TokenKind::Refresh, 7, 3, NOW_US, HOUR).unwrap();
    assert_eq!(tokens.verify(TokenKind::Access, &refresh, NOW_US), Err(TokenError::WrongKind));
    assert!(tokens.verify(TokenKind::Refresh, &refresh, NOW_US).is_ok());
    assert_eq!(tokens.issue(TokenKind::Access, 7, 3, NOW_US, Duration::MAX), Err(TokenError::Unsigned));
}

#[test]
fn forged_tokens() {
    let header = json!({"typ":"JWT","alg":"HS256"});
    let good = sign(&header, &claims(), &ours());
    assert!(verify(&good).is_ok());
    assert!(verify(&sign(&json!({"alg":"HS256"}), &claims(), &ours())).is_ok());

    for alg in ["none", "None", "nOnE", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ""] {
        let forged = sign(&json!({"typ":"JWT","alg":alg}), &claims(), &ours());
        let unsigned = format!("{}.", forged.rsplit_once('.').unwrap().0);
        assert_eq!(verify(&forged), Err(TokenError::Invalid), "{alg}");
        assert_eq!(verify(&unsigned), Err(TokenError::Invalid), "{alg} unsigned");
    }
    for extra in [
        json!({"kid":"1"}),
        json!({"kid":"../../dev/null"}),
        json!({"jku":"https://example.com/k"}),
        json!({"crit":["exp"]}),
        json!({"x5u":"https://example.com/k"}),
        json!({"jwk":{"kty":"oct","k":"AAAA"}}),
        json!({"b64":false}),
        json!({"typ":"x"}),
    ] {
        let mut header = header.clone();
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(verify(&sign(&header, &claims(), &ours())), Err(TokenError::Invalid), "{extra}");
    }
    let (message, signature) = good.rsplit_once('.').unwrap();
    let mut altered = URL_SAFE_NO_PAD.decode(signature).unwrap();
    altered[0] ^= 1;
    let altered = URL_SAFE_NO_PAD.encode(altered);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        message.into(),
        format!("{message}."),
        "a.b.c".into(),
        format!("{message}.{altered}"),
        format!("{message}.{}", &signature[..20]),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        "ä".repeat(100),
        "\0".into(),
        "A".repeat(5000),
        "A.".repeat(3000),
        format!("{good}{}", "A".repeat(5000)),
        sign(&header, &claims(), &key("another-secret-0123456789-abcdefgh")),
        sign(&header, &json!([]), &ours()),
        sign(&header, &json!({}), &ours()),
        sign(&json!([]), &claims(), &ours()),
    ] {
        assert_eq!(verify(&bad), Err(TokenError::Invalid), "{bad}");
    }
    let other_payload = sign(&header, &json!({"sub":"1"}), &ours());
    let mixed =
        [good.split('.').next().unwrap(), other_payload.split('.').nth(1).unwrap(), signature].join(".");
    assert_eq!(verify(&mixed), Err(TokenError::Invalid));
}

#[test]
fn wrong_claims() {
    let header = json!({"typ":"JWT","alg":"HS256"});
    let now = NOW_US / SECOND_US;
    for (name, value, expected) in [
        ("iss", json!("else"), TokenError::Invalid),
        ("iss", json!(["stockroom"]), TokenError::Invalid),
        ("iss", Value::Null, TokenError::Invalid),
        ("aud", json!("else"), TokenError::Invalid),
        ("aud", json!(["stockroom", "else"]), TokenError::Invalid),
        ("aud", Value::Null, TokenError::Invalid),
        ("sub", json!(7), TokenError::Invalid),
        ("sub", json!("seven"), TokenError::Invalid),
        ("sub", Value::Null, TokenError::Invalid),
        ("typ", json!("refresh"), TokenError::WrongKind),
        ("typ", json!(""), TokenError::WrongKind),
        ("typ", Value::Null, TokenError::Invalid),
        ("gen", Value::Null, TokenError::Invalid),
        ("gen", json!("3"), TokenError::Invalid),
        ("exp", json!(now), TokenError::Expired),
        ("exp", json!(now - 1), TokenError::Expired),
        ("exp", json!(0), TokenError::Expired),
        ("exp", json!(-1), TokenError::Invalid),
        ("exp", json!(i64::MAX), TokenError::Invalid),
        ("exp", json!(u64::MAX), TokenError::Invalid),
        ("exp", json!("9999999999"), TokenError::Invalid),
        ("exp", Value::Null, TokenError::Invalid),
        ("nbf", json!(now + 7), TokenError::NotYetValid),
        ("nbf", Value::Null, TokenError::Invalid),
        ("iat", Value::Null, TokenError::Invalid),
    ] {
        let mut with = claims();
        with[name] = value.clone();
        assert_eq!(verify(&sign(&header, &with, &ours())), Err(expected), "{name}: {value}");
        if value.is_null() {
            with.as_object_mut().unwrap().remove(name);
            assert_eq!(verify(&sign(&header, &with, &ours())), Err(expected), "no {name}");
        }
    }
}
