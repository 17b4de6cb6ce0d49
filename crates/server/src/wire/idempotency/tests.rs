use super::*;
use crate::auth::secret::Secret;

fn key(header: &[u8]) -> Result<Option<Key>, String> {
    Key::parse([header]).map_err(|mut invalid| invalid.errors.remove(0).message)
}

#[test]
fn keys() {
    assert_eq!(Key::parse([]).unwrap(), None);
    assert_eq!(key(b"a-1_!").unwrap().unwrap().as_str(), "a-1_!");
    assert!(key(&[b'x'; 255]).is_ok());
    assert_eq!(key(&[b'x'; 256]).unwrap_err(), "must have at most 255 characters");
    assert_eq!(key(b"").unwrap_err(), "must not be empty");
    for bad in [&b"a b"[..], b"\xc3\xa4", b"\xff", b"a\tb"] {
        assert_eq!(key(bad).unwrap_err(), "must consist of visible ASCII characters");
    }
    assert!(Key::parse([&b"a"[..], b"a"]).is_err());
}

#[test]
fn fingerprints_tell_requests_apart() {
    let secret = |text| Secret::from_text(text).unwrap().fingerprint_key();
    let one = secret("0123456789abcdef0123456789abcdef");
    let other = secret("0123456789abcdef0123456789abcdeg");
    let marks = [
        fingerprint(&one, "POST", "/a", None, b"{}"),
        fingerprint(&other, "POST", "/a", None, b"{}"),
        fingerprint(&one, "PATCH", "/a", None, b"{}"),
        fingerprint(&one, "POST", "/a?x=1", None, b"{}"),
        fingerprint(&one, "POST", "/a", Some(b""), b"{}"),
        fingerprint(&one, "POST", "/a", Some(b"\"1\""), b"{}"),
        fingerprint(&one, "POST", "/a", None, b"{ }"),
        fingerprint(&one, "POST", "/", None, b"a{}"),
    ];
    for (position, mark) in marks.iter().enumerate() {
        assert_eq!(mark.len(), 64);
        assert!(!marks[..position].contains(mark));
    }
    assert_eq!(marks[0], fingerprint(&one, "POST", "/a", None, b"{}"));
}
