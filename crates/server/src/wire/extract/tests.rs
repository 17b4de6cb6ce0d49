use axum::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

use super::*;
use crate::wire::values::{Email, Id, NewPassword, Patch, PriceCents, ProductName, Quantity, Status};

#[derive(Debug, PartialEq, Deserialize)]
struct Line {
    product_id: Id,
    quantity: Quantity,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Order {
    user_id: Option<i64>,
    status: Option<Status>,
    items: Vec<Line>,
    note: Option<String>,
    #[serde(default)]
    urgent: bool,
}

fn errors(body: &str) -> Vec<(String, String)> {
    errors_of::<Order>(body.as_bytes())
}

fn errors_of<T: DeserializeOwned + std::fmt::Debug>(body: &[u8]) -> Vec<(String, String)> {
    let invalid = parse_json::<T>(body).unwrap_err();
    assert!(!invalid.errors.is_empty());
    invalid.errors.into_iter().map(|error| (error.field, error.message)).collect()
}

#[track_caller]
fn check(body: &str, expected: &[(&str, &str)]) {
    let found = errors(body);
    let found: Vec<_> = found.iter().map(|(field, message)| (field.as_str(), message.as_str())).collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn reads_what_is_right() {
    let body =
        br#" {"user_id": 7, "status":"paid", "items": [{"product_id":1,"quantity":2}], "note":"a\u00e4\n"} "#;
    let order: Order = parse_json(body).unwrap();
    assert_eq!(order.items[0].quantity.get(), 2);
    assert_eq!(order.note.as_deref(), Some("aä\n"));
    assert_eq!(order.status, Some(Status(domain::Status::Paid)));
    assert!(parse_json::<Order>(br#"{"items":[],"user_id":null}"#).is_ok());
}

#[test]
fn names_the_field() {
    let line = |line: &str| format!(r#"{{"items":[{{"product_id":1,"quantity":1}},{line}]}}"#);
    check(&line(r#"{"product_id":1,"quantity":0}"#), &[("items[1].quantity", "must be at least 1")]);
    check(&line(r#"{"product_id":1,"quantity":-3}"#), &[("items[1].quantity", "must be at least 1")]);
    check(&line(r#"{"product_id":1,"quantity":"5"}"#), &[("items[1].quantity", "must be an integer")]);
    check(&line(r#"{"product_id":1,"quantity":1.0}"#), &[("items[1].quantity", "must be an integer")]);
    check(&line(r#"{"product_id":1,"quantity":1e2}"#), &[("items[1].quantity", "must be an integer")]);
    check(&line(r#"{"product_id":1,"quantity":true}"#), &[("items[1].quantity", "must be an integer")]);
    check(&line(r#"{"product_id":1,"quantity":null}"#), &[("items[1].quantity", "must be an integer")]);
    check(&line(r#"{"product_id":1,"quantity":[1]}"#), &[("items[1].quantity", "must be an integer")]);
    for huge in ["9223372036854775807", "9223372036854775808", "99999999999999999999999", "1e300"] {
        let body = line(&format!(r#"{{"product_id":1,"quantity":{huge}}}"#));
        check(&body, &[("items[1].quantity", "must be at most 1000000000")]);
    }
    check(&line(r#"{"product_id":1,"quantity":-1e300}"#), &[("items[1].quantity", "must be at least 1")]);
    check(&line(r#"{"product_id":1,"quantity":1e400}"#), &[("items[1].quantity", "is out of range")]);
    check(&line(r#"{"quantity":1}"#), &[("items[1].product_id", "is required")]);
    check(&line(r#"{"product_id":1,"quantity":1,"x":1}"#), &[("items[1].x", "is not a known field")]);
    check(
        &line(r#"{"product_id":1,"product_id":1,"quantity":1}"#),
        &[("items[1].product_id", "is given more than once")],
    );
    check(&line("[1, 2]"), &[("items[1]", "must be an object")]);
    check(&line("null"), &[("items[1]", "must be an object")]);
    check(r#"{"items":{}}"#, &[("items", "must be a list")]);
    check(r#"{"items":[],"user_id":1e19}"#, &[("user_id", "is out of range")]);
    check(r#"{"items":[],"user_id":"1"}"#, &[("user_id", "must be an integer")]);
    check(r#"{"items":[],"urgent":1}"#, &[("urgent", "must be true or false")]);
    check(r#"{"items":[],"note":1}"#, &[("note", "must be text")]);
    check(r#"{"items":[],"note":"a\u0000b"}"#, &[("note", "must not contain the NUL character")]);
    check(
        r#"{"items":[],"status":"Paid"}"#,
        &[("status", "must be one of pending, confirmed, paid, shipped, delivered, cancelled")],
    );
    check(
        r#"{"items":[],"status":3}"#,
        &[("status", "must be one of pending, confirmed, paid, shipped, delivered, cancelled")],
    );
    for surrogate in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800x"] {
        check(
            &format!(r#"{{"items":[],"note":"{surrogate}"}}"#),
            &[("note", "must not contain half of a surrogate pair")],
        );
    }
    check("{\"items\":[],\"note\":\"a\tb\"}", &[("note", "must not contain unescaped control characters")]);
    assert_eq!(
        errors_of::<Order>(b"{\"items\":[],\"note\":\"\xff\"}"),
        [("note".to_owned(), "must be UTF-8".to_owned())]
    );
}

#[test]
fn lists_all_errors_at_once() {
    check(
        r#"{"user_id":"x","items":[{"quantity":0},{"product_id":0,"quantity":"5","colour":1},7],"status":"gone","extra":1}"#,
        &[
            ("user_id", "must be an integer"),
            ("items[0].quantity", "must be at least 1"),
            ("items[0].product_id", "is required"),
            ("items[1].product_id", "must be at least 1"),
            ("items[1].quantity", "must be an integer"),
            ("items[1].colour", "is not a known field"),
            ("items[2]", "must be an object"),
            ("status", "must be one of pending, confirmed, paid, shipped, delivered, cancelled"),
            ("extra", "is not a known field"),
        ],
    );
    check("{}", &[("items", "is required")]);
    let many: String = (0..100).map(|n| format!("\"x{n}\":1,")).collect();
    assert_eq!(errors(&format!("{{{many}\"items\":[]}}")).len(), 20);
    let doubled = r#""note":"a","#.repeat(5000);
    check(&format!("{{{doubled}\"items\":[]}}"), &[("note", "is given more than once")]);
}

#[test]
fn the_body_itself() {
    check("", &[("body", "is required and must be a JSON object")]);
    check(" \n", &[("body", "is required and must be a JSON object")]);
    for body in ["null", "[]", "7", "\"x\"", "[[1,2]]"] {
        check(body, &[("body", "must be an object")]);
    }
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        check(&open.repeat(100_000), &[("body", "is nested too deeply")]);
        check(&(open.repeat(100_000) + "1" + &close.repeat(100_000)), &[("body", "is nested too deeply")]);
    }
    for body in [
        "{",
        "{\"items\":[]} x",
        "{\"items\":[],}",
        "{'items':[]}",
        "NaN",
        "\u{feff}{\"items\":[]}",
        "{}{}",
        "\0",
    ] {
        let found = errors(body);
        assert_eq!(found[0].0, "body", "{body}");
        assert!(found[0].1.starts_with("is not valid JSON: "), "{found:?}");
    }
    assert_eq!(errors_of::<Order>(&[0xff, 0xfe])[0].0, "body");
    // A key of ten thousand characters is not sent back.
    let key = "k".repeat(10_000);
    assert!(errors(&format!("{{\"items\":[],\"{key}\":1}}"))[0].0.len() < 100);
}

#[test]
fn never_panics_on_broken_bodies() {
    let whole = br#"{"user_id":7,"status":"paid","items":[{"product_id":1,"quantity":2}],"note":"a\u00e4\ud83d\ude00"}"#;
    for end in 0..whole.len() {
        assert!(parse_json::<Order>(&whole[..end]).is_err());
    }
    for position in 0..whole.len() {
        for byte in [0, b'"', b'[', b'}', b'\\', b'9', b'-', b'.', 0x80, 0xff] {
            let mut body = whole.to_vec();
            body[position] = byte;
            if let Err(invalid) = parse_json::<Order>(&body) {
                assert!(!invalid.errors.is_empty());
            }
        }
    }
}

#[test]
fn patches_tell_absent_from_null() {
    #[derive(Debug, Deserialize)]
    struct Change {
        #[serde(default)]
        name: Patch<ProductName>,
        #[serde(default)]
        price_cents: Patch<PriceCents>,
    }
    let read = |body: &str| parse_json::<Change>(body.as_bytes());
    assert_eq!(read("{}").unwrap().name, Patch::Absent);
    assert_eq!(read(r#"{"name":null}"#).unwrap().name, Patch::Null);
    assert_eq!(
        read(r#"{"price_cents":0}"#).unwrap().price_cents.into_option().flatten().map(PriceCents::get),
        Some(0)
    );
    assert_eq!(
        errors_of::<Change>(br#"{"name":" ","price_cents":-1}"#),
        [
            ("name".to_owned(), "must not be blank".to_owned()),
            ("price_cents".to_owned(), "must be at least 0".to_owned())
        ]
    );
}

#[test]
fn a_patch_without_default_is_noticed() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only refused")]
    struct Careless {
        name: Patch<ProductName>,
    }
    assert_eq!(errors_of::<Careless>(b"{}"), [("name".to_owned(), "is required".to_owned())]);
    assert_eq!(errors_of::<Careless>(b"{\"name\":3}"), [("name".to_owned(), "must be text".to_owned())]);
}

#[test]
fn secrets_and_addresses() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only refused")]
    struct Register {
        email: Email,
        password: NewPassword,
    }
    assert_eq!(
        errors_of::<Register>(br#"{"email":"nobody","password":"short"}"#),
        [
            ("email".to_owned(), "must be an e-mail address like name@example.com".to_owned()),
            ("password".to_owned(), "must have at least 8 characters".to_owned())
        ]
    );
    let good: Register = parse_json(br#"{"email":"A@B.c","password":"hunter2hunter2"}"#).unwrap();
    assert!(!format!("{good:?}").contains("hunter2"));
    assert!(format!("{good:?}").contains("a@b.c"));
}

#[test]
fn forms() {
    #[derive(Debug, Deserialize)]
    struct Login {
        username: String,
        password: String,
        scope: Option<String>,
    }
    let login: Login = parse_form(b"username=a%20b&password=p%2B%26+%C3%A4&scope=").unwrap();
    assert_eq!((login.username.as_str(), login.password.as_str()), ("a b", "p+& ä"));
    assert_eq!(login.scope.as_deref(), Some(""));
    let field = |body: &[u8]| parse_form::<Login>(body).unwrap_err().errors[0].clone();
    assert_eq!(field(b"username=a").field, "password");
    assert_eq!(field(b"username=%ff&password=x").message, "must be UTF-8");
    assert_eq!(field(b"username=%4&password=x").message, "holds a broken percent escape");
    assert_eq!(field(b"username=\xff&password=x").field, "body");
    assert_eq!(field(b"username=a&password=%00").message, "must not contain the NUL character");
    assert_eq!(field(b"username=a&username=b&password=c").message, "is given more than once");
    assert_eq!(field(b"username=a&password=c&colour=1").field, "colour");
}

#[test]
fn media_types() {
    let of = |value: &str, forms| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
        format(&headers, forms).ok()
    };
    assert_eq!(format(&HeaderMap::new(), false).unwrap(), Format::Json);
    for good in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/merge-patch+json",
        "application/json;charset=\"utf-8\"",
    ] {
        assert_eq!(of(good, false), Some(Format::Json), "{good}");
    }
    for bad in [
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ] {
        assert_eq!(of(bad, false), None, "{bad}");
    }
    assert_eq!(of("application/x-www-form-urlencoded; charset=utf-8", true), Some(Format::Form));
}

#[tokio::test]
async fn bodies_have_a_limit() {
    assert_eq!(read_body(Body::from(vec![b'x'; 10]), 10).await.unwrap().len(), 10);
    let refusal = read_body(Body::from(vec![b'x'; 11]), 10).await;
    assert_eq!(refusal.unwrap_err(), BodyError::TooLarge { limit: 10 });
    let endless = Body::new(Pieces(vec![Ok(Bytes::from("abc")), Ok(Bytes::from("def"))].into_iter()));
    assert_eq!(read_body(endless, 5).await.unwrap_err(), BodyError::TooLarge { limit: 5 });
    let broken = vec![Ok(Bytes::from("abc")), Err(std::io::Error::other("gone"))];
    let broken = Body::new(Pieces(broken.into_iter()));
    assert_eq!(read_body(broken, 50).await.unwrap_err(), BodyError::Incomplete);
}

/// A body that arrives in pieces, of unannounced length.
struct Pieces(std::vec::IntoIter<Result<Bytes, std::io::Error>>);

impl axum::body::HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|piece| piece.map(hyper::body::Frame::data)))
    }
}
