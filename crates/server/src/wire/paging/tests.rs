use super::*;
use crate::wire::query::{Nothing, parse_paged};

fn page(raw: &str) -> Result<Page, Invalid> {
    parse_paged::<Nothing>(Some(raw)).and_then(|(_, params)| params.resolve(&ByNumber("newest")))
}

#[track_caller]
fn refused(raw: &str, field: &str, message: &str) {
    let error = page(raw).unwrap_err().errors.remove(0);
    assert_eq!((error.field.as_str(), error.message.as_str()), (field, message), "{raw}");
}

#[test]
fn offsets_and_pages() {
    assert_eq!(page("").unwrap(), Page { limit: 20, position: Position::Offset(0) });
    assert_eq!(page("limit=100&offset=7").unwrap(), Page { limit: 100, position: Position::Offset(7) });
    assert_eq!(page("page=1").unwrap().position, Position::Offset(0));
    assert_eq!(page("page=3&limit=5").unwrap().position, Position::Offset(10));
    assert_eq!(page("page=10000000000&limit=100").unwrap().position, Position::Offset(999_999_999_900));
    refused("limit=0", "limit", "must be at least 1");
    refused("limit=101", "limit", "must be at most 100");
    refused("limit=-1", "limit", "must be at least 1");
    refused("limit=ten", "limit", "must be an integer");
    refused("offset=-1", "offset", "must be at least 0");
    refused("offset=9223372036854775808", "offset", "must be at most 1000000000000");
    refused("page=0", "page", "must be at least 1");
    refused("page=1&offset=0", "page", "cannot be combined with offset");
    refused("cursor=x&offset=0", "cursor", "cannot be combined with offset");
    refused("cursor=x&page=1", "cursor", "cannot be combined with page");
}

/// By text.
struct ByName;

impl Sort for ByName {
    fn word(&self) -> &'static str {
        "name"
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Text
    }
}

#[track_caller]
fn survives(key: Key, sort: &impl Sort) {
    let cursor = Cursor { key, id: 42 };
    let text = cursor.encode(sort);
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    let (_, params) = parse_paged::<Nothing>(Some(&format!("cursor={text}&limit=3"))).unwrap();
    assert_eq!(params.resolve(sort).unwrap(), Page { limit: 3, position: Position::After(cursor) });
}

#[test]
fn cursors_survive_the_journey() {
    for key in [i64::MIN, 0, i64::MAX] {
        survives(Key::Int(key), &ByNumber("newest"));
    }
    for key in [String::new(), "a|b ä\"😀".repeat(40)] {
        survives(Key::Text(key), &ByName);
    }
}

#[test]
fn cursors_of_another_kind_are_refused() {
    let text = Cursor { key: Key::Text("x".to_owned()), id: 42 };
    assert!(Cursor::decode(&text.encode(&ByNumber("newest")), &ByNumber("newest")).is_err());
    let number = Cursor { key: Key::Int(1), id: 42 };
    assert!(Cursor::decode(&number.encode(&ByName), &ByName).is_err());
}

#[test]
fn broken_cursors_are_refused() {
    let broken = "is not a cursor of this API; take next_cursor of the previous page";
    let good = Cursor { key: Key::Int(5), id: 42 }.encode(&ByNumber("newest"));
    for position in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        refused(&format!("cursor={}", String::from_utf8(bytes).unwrap()), "cursor", broken);
        if position > 0 {
            refused(&format!("cursor={}", &good[..position]), "cursor", broken);
        }
    }
    for bad in ["0", "%20", "a=b", "..", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
        refused(&format!("cursor={bad}"), "cursor", broken);
    }
    refused(&format!("cursor={}", "A".repeat(100_000)), "cursor", broken);
    let other = Cursor { key: Key::Int(5), id: 42 }.encode(&ByNumber("oldest"));
    refused(
        &format!("cursor={other}"),
        "cursor",
        "belongs to a list in another order; start again without it",
    );
}

#[test]
fn the_document_has_the_limits() {
    let parameters = PageParams::into_params(|| None);
    let text = serde_json::to_string(&parameters).unwrap();
    assert!(text.contains(r#""maximum":100,"minimum":1"#), "{text}");
    assert!(!text.contains("$ref"), "{text}");
}
