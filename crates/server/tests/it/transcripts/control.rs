//! The control: what is wrong must be found, what is right must not. Each case is a transcript of one answer.

use axum::http::{HeaderMap, StatusCode};
use server::settings::Settings;

use crate::harness::Answer;

use super::compare::{Captures, Mismatch, compare};
use super::format::Transcript;
use super::json::Json;
use super::replay::replay;

fn read(text: &str) -> Transcript {
    Transcript::read("control.http", text).unwrap()
}

/// An answer in the same form in which a transcript expects it.
fn answer(status: u16, header: Option<(&'static str, &str)>, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().unwrap());
    }
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, text: body.to_owned() }
}

/// The differences between an expected body and one that came, as `line place: expected / got`.
fn bodies(expected: &str, got: &str) -> Vec<String> {
    let transcript = read(&format!("GET /\n\n=== 200\n\n{expected}\n---\n"));
    let found = compare(&transcript.exchanges[0].answer, &answer(200, None, got), &mut Captures::default());
    found.iter().map(written).collect()
}

fn written(found: &Mismatch) -> String {
    format!("{} {}: {} / {}", found.line, found.place, found.expected, found.got)
}

#[track_caller]
fn same(expected: &str, got: &str) {
    assert_eq!(bodies(expected, got), [""; 0], "{expected} / {got}");
}

#[track_caller]
fn differs(expected: &str, got: &str, found: &[&str]) {
    assert_eq!(bodies(expected, got), found, "{expected} / {got}");
}

#[test]
fn what_is_equal_is_found_equal() {
    same("", "");
    same(r#"{"a": 1, "b": [true, null, "x"]}"#, r#"{"b":[true,null,"\u0078"],"a":1}"#);
    same("[]", "[ ]");
    same("{}", "{}");
    same(r#"{"price": 499.9}"#, r#"{"price":499.9}"#);
    same("-1.5E+3", "-1.5E+3");
}

#[test]
fn a_wrong_member_is_found_with_its_line() {
    differs("{\n\"a\": 1,\n\"b\": {\"c\": 2}\n}", r#"{"a": 1, "b": {"c": 3}}"#, &["7 $.b.c: 2 / 3"]);
    differs(r#"{"a": 1}"#, "{}", &["5 $.a: 1 / nothing"]);
    differs("{}", r#"{"a": 1}"#, &["5 $.a: nothing / 1"]);
    differs(r#"{"a": null}"#, "{}", &["5 $.a: null / nothing"]);
    differs(r#"{"a": 1}"#, r#"{"a": "1"}"#, &[r#"5 $.a: 1 / "1""#]);
    differs("[1, 2]", "[1]", &["5 $[1]: 2 / nothing"]);
    differs("[1]", "[1, 2]", &["5 $[1]: nothing / 2"]);
    differs("[1, 2]", "[2, 1]", &["5 $[0]: 1 / 2", "5 $[1]: 2 / 1"]);
    differs("{}", "[]", &["5 $: {} / []"]);
    differs("", "{}", &["5 body: nothing / {}"]);
    differs("{}", "", &["5 body: {} / no JSON: \"\""]);
    differs("{}", "{} {}", &["5 body: {} / no JSON: \"{} {}\""]);
    differs(r#"{"a": 1}"#, r#"{"a": 1, "a": 1}"#, &[r#"5 body: {"a": 1} / no JSON: "{\"a\": 1, \"a\": 1}""#]);
}

#[test]
fn a_number_is_its_text() {
    let spellings = ["499.9", "499.90", "4.999e2", "4.999E2"];
    for expected in spellings {
        for got in spellings {
            assert_eq!(bodies(expected, got).is_empty(), expected == got, "{expected} / {got}");
        }
    }
    for wrong in ["01", ".5", "1.", "NaN", "1e", "--1", "+1", "1,0", "", "tru"] {
        assert!(Json::read(wrong, 1).is_err(), "{wrong}");
    }
    for right in ["0", "-0", "0.10", "1e400", "10E-7", "123456789012345678901234567890"] {
        assert_eq!(Json::read(right, 1).unwrap().to_string(), right);
    }
}

#[test]
fn a_shape_takes_what_it_describes_and_nothing_else() {
    let values = [
        ("int", "7"),
        ("number", "7.5"),
        ("text", "\"x\""),
        ("bool", "false"),
        ("time", "\"2026-11-20T09:30:00.123456Z\""),
        ("token", "\"aa.b-b.c_c\""),
    ];
    // A shape that is a special case of another.
    let narrower = [("number", "int"), ("text", "time"), ("text", "token")];
    for (shape, _) in values {
        for (of, value) in values {
            let fits = shape == of || narrower.contains(&(shape, of));
            let expected = format!("{{\"a\": \"<<{shape}>>\"}}");
            let got = format!("{{\"a\": {value}}}");
            assert_eq!(bodies(&expected, &got).is_empty(), fits, "{shape}: {value}");
        }
        same("\"<<any>>\"", "{\"a\": null}");
    }
    for no_time in ["2026-11-20", "2026-11-20 09:30:00Z", "2026-11-20T09:30:00", "2026-13-20T09:30:00Z"] {
        assert_eq!(bodies("\"<<time>>\"", &format!("\"{no_time}\"")).len(), 1, "{no_time}");
    }
    same("\"<<time>>\"", "\"2026-11-20T09:30:00+01:00\"");
    differs("\"<<text>>\"", "\"\"", &["5 $: <<text>> / \"\""]);
    differs("{\"a\": \"<<int>>\"}", "{\"a\": 1.0}", &["5 $.a: <<int>> / 1.0"]);
    differs("{\"a\": \"<<color>>\"}", "{\"a\": 1}", &["5 $.a: <<color>> / a shape that does not exist"]);
    differs("{\"a\": \"<<any>>\"}", "{}", &["5 $.a: \"<<any>>\" / nothing"]);
}

#[test]
fn others_and_any_order_hide_nothing_else() {
    same(r#"{"a": 1, "<<others>>": "<<any>>"}"#, r#"{"a": 1, "b": 2}"#);
    differs(r#"{"a": 1, "<<others>>": "<<any>>"}"#, r#"{"a": 2, "b": 2}"#, &["5 $.a: 1 / 2"]);
    differs(r#"{"a": 1, "<<others>>": "<<any>>"}"#, r#"{"b": 2}"#, &["5 $.a: 1 / nothing"]);
    same(r#"["<<any order>>", 1, 2, 2]"#, "[2, 1, 2]");
    same(r#"["<<any order>>"]"#, "[]");
    differs(r#"["<<any order>>", 1, 2]"#, "[2, 3]", &["5 $, the rest[0]: 1 / 3"]);
    differs(r#"["<<any order>>", 1]"#, "[1, 1]", &["5 $, the rest[0]: nothing / 1"]);
    differs(r#"["<<any order>>", 1, 1]"#, "[1]", &["5 $, the rest[0]: 1 / nothing"]);
}

#[test]
fn a_wrong_status_and_a_missing_header_are_found() {
    let check = |expected: &str, got: &Answer| -> Vec<String> {
        let transcript = read(&format!("GET /\n\n=== {expected}\n---\n"));
        let found = compare(&transcript.exchanges[0].answer, got, &mut Captures::default());
        found.iter().map(written).collect()
    };
    let plain = answer(201, Some(("www-authenticate", "Bearer")), "");
    assert_eq!(check("201", &plain), [""; 0]);
    assert_eq!(check("2xx", &plain), [""; 0]);
    assert_eq!(check("200", &plain), ["3 status: 200 / 201"]);
    assert_eq!(check("4xx", &plain), ["3 status: 4xx / 201"]);
    assert_eq!(check("201\nWWW-Authenticate: Bearer", &plain), [""; 0]);
    assert_eq!(check("201\nwww-authenticate: <<text>>", &plain), [""; 0]);
    assert_eq!(check("201\nwww-authenticate: Basic", &plain), ["4 www-authenticate: \"Basic\" / \"Bearer\""]);
    assert_eq!(check("201\nallow: GET", &plain), ["4 allow: GET / nothing"]);
}

#[test]
fn what_was_kept_is_used_and_what_was_not_is_found() {
    let transcript = read(
        "GET /\n\n=== 200\netag: <<tag: text>>\n\n{\"id\": \"<<id: int>>\"}\n---\n\
         GET /{{id}}\n\n=== 200\n\n{\"id\": {{id}}, \"tag\": \"{{tag}}\", \"no\": \"{{none}}\"}\n---\n",
    );
    let mut captures = Captures::default();
    let first = answer(200, Some(("etag", "abc")), r#"{"id": 7}"#);
    assert!(compare(&transcript.exchanges[0].answer, &first, &mut captures).is_empty());
    assert_eq!(captures.fill("/{{id}}?tag={{tag}}&{{ {{x y}}").unwrap(), "/7?tag=abc&{{ {{x y}}");
    assert_eq!(captures.fill("/{{none}}").unwrap_err(), "nothing was kept as {{none}}");
    let second = answer(200, None, r#"{"id": 7, "tag": "abc", "no": ""}"#);
    let found = compare(&transcript.exchanges[1].answer, &second, &mut captures);
    let found: Vec<_> = found.iter().map(written).collect();
    assert_eq!(found, ["12 transcript: JSON with known names / nothing was kept as {{none}}"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    let cases = [
        ("", "control.http: no request"),
        ("# nothing\n", "control.http: no request"),
        ("GET /\n\n---\n", "control.http:1: a request without an answer"),
        ("GET /\n", "control.http:1: a request without an answer"),
        ("GET /\n\n=== 200\n", "control.http:3: an answer without --- at its end"),
        ("\nget /\n\n=== 200\n---\n", "control.http:2: \"get /\" is no request"),
        ("GET x\n\n=== 200\n---\n", "control.http:1: \"GET x\" is no request"),
        ("GET /\n\n=== 20\n---\n", "control.http:3: \"20\" is no status"),
        ("GET /\nno header\n\n=== 200\n---\n", "control.http:2: \"no header\" is no header"),
        ("@currency\nGET /\n\n=== 200\n---\n", "control.http:1: a setting without a value"),
        (
            "GET /\n\n=== 200\n---\n@currency JPY\n",
            "control.http:5: settings belong before the first request",
        ),
    ];
    for (text, fault) in cases {
        assert_eq!(Transcript::read("control.http", text).unwrap_err(), fault, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_reports_everything_that_is_wrong() {
    let wrong = read(
        "GET /healthz\n\n=== 201\nx-nobody: there\n\n{\"status\": \"well\"}\n---\n\
         GET /{{nobody}}\n\n=== 200\n---\n\
         POST /nowhere\ncontent-type: text/plain\n\nBody\n\n=== 404\n\n\"<<any>>\"\n---\n\
         GET !/healthz\n\n=== 200\n\n{\"status\": \"ok\"}\n---\n",
    );
    let report = replay(&wrong, "", Settings::default()).await;
    let wanted = "\nGET /healthz\n  \
        control.http:3: status\n      expected  201\n      got       200\n  \
        control.http:4: x-nobody\n      expected  there\n      got       nothing\n  \
        control.http:6: $.status\n      expected  \"well\"\n      got       \"ok\"\n  \
        in full: 200 {\"status\":\"ok\"}\n\
        \nGET /{{nobody}}\n  \
        control.http:8: request\n      expected  /{{nobody}}\n      got       nothing was kept as {{nobody}}\n";
    assert_eq!(report, wanted);
    // Below a mount only what is marked leaves it.
    let report = replay(&wrong, "/nowhere", Settings::default()).await;
    assert_eq!(report.matches("in full: 404").count(), 1, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_the_server_and_unknown_ones_are_found() {
    let list = "GET /api/v1/products\n\n=== 200\n\n\"<<any>>\"\n---\n";
    let with = |setting: &str| read(&format!("{setting}\n{list}"));
    let report = replay(&with("# none"), "", Settings::default()).await;
    assert!(report.contains("status\n      expected  200\n      got       401"), "{report}");
    assert_eq!(replay(&with("@anonymous_role staff"), "", Settings::default()).await, "");
    let unknown = [
        ("@anonymous_role king", "control.http:1: anonymous_role is not set to king\n"),
        ("@colour red", "control.http:1: no setting is called colour\n"),
    ];
    for (setting, fault) in unknown {
        assert_eq!(replay(&with(setting), "", Settings::default()).await, fault);
    }
}
