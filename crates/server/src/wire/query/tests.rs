use serde::Deserialize;

use super::*;
use crate::wire::paging::{ByNumber, Position};
use crate::wire::time::Moment;
use crate::wire::values::{Id, Status};

#[derive(Debug, Deserialize)]
struct Filter {
    status: Option<Status>,
    user_id: Option<Id>,
    low_stock: Option<bool>,
    #[serde(alias = "start_date")]
    created_from: Option<Moment>,
    q: Option<String>,
    min: Option<u32>,
}

#[track_caller]
fn check(raw: &str, expected: &[(&str, &str)]) {
    let invalid = parse_query::<Filter>(Some(raw)).unwrap_err();
    let found: Vec<_> =
        invalid.errors.iter().map(|error| (error.field.as_str(), error.message.as_str())).collect();
    assert_eq!(found, expected, "{raw}");
}

#[test]
fn reads_what_is_right() {
    let filter: Filter = parse_query(None).unwrap();
    assert!(filter.status.is_none() && filter.user_id.is_none());
    let raw =
        "status=paid&user_id=7&low_stock=true&q=a%20b+c%2B&&start_date=2024-01-16T10:30:00+02:00&min=3&";
    let filter: Filter = parse_query(Some(raw)).unwrap();
    assert_eq!(filter.q.as_deref(), Some("a b c+"));
    assert_eq!(filter.user_id.map(Id::get), Some(7));
    assert_eq!(filter.low_stock, Some(true));
    assert_eq!(filter.min, Some(3));
    assert_eq!(filter.status, Some(Status(domain::Status::Paid)));
    assert_eq!(filter.created_from, Some(Moment::Instant(1_705_393_800_000_000)));
    assert!(parse_query::<Nothing>(Some("")).is_ok());
    assert!(parse_query::<Nothing>(Some("a=1")).is_err());
}

#[test]
fn names_the_parameter() {
    check("user_id=x", &[("user_id", "must be an integer")]);
    check("user_id=1.0", &[("user_id", "must be an integer")]);
    check("user_id=%201", &[("user_id", "must be an integer")]);
    check("user_id=%2B1", &[("user_id", "must be an integer")]);
    check("user_id=0", &[("user_id", "must be at least 1")]);
    check("user_id=99999999999999999999", &[("user_id", "must be at most 9223372036854775807")]);
    check("min=4294967296", &[("min", "is out of range")]);
    check("min=-1", &[("min", "is out of range")]);
    check("min=99999999999999999999", &[("min", "is out of range")]);
    check("low_stock=1", &[("low_stock", "must be true or false")]);
    check("low_stock=TRUE", &[("low_stock", "must be true or false")]);
    check(
        "status=null",
        &[("status", "must be one of pending, confirmed, paid, shipped, delivered, cancelled")],
    );
    check("colour=red", &[("colour", "is not a known parameter")]);
    check("q=a&q=b", &[("q", "is given more than once")]);
    check("created_from=2024-01-01&start_date=2024-01-02", &[("created_from", "is given more than once")]);
    check("q=", &[("q", "must not be empty; leave the parameter out instead")]);
    check("q", &[("q", "must not be empty; leave the parameter out instead")]);
    check("q=%00", &[("q", "must not contain the NUL character")]);
    check("q=%ff", &[("q", "must be UTF-8")]);
    check("q=%ed%a0%80", &[("q", "must be UTF-8")]);
    for bad in ["%", "%4", "%zz", "a%", "%+1"] {
        check(&format!("q={bad}"), &[("q", "holds a broken percent escape")]);
    }
    check("%00=1", &[("\u{fffd}", "is no name of a parameter")]);
    check("%ff=1", &[("%ff", "is no name of a parameter")]);
    check("=1", &[("query", "is not a known parameter")]);
}

#[test]
fn all_errors_at_once() {
    check(
        "status=x&user_id=y&colour=red&low_stock=maybe",
        &[
            ("status", "must be one of pending, confirmed, paid, shipped, delivered, cancelled"),
            ("user_id", "must be an integer"),
            ("colour", "is not a known parameter"),
            ("low_stock", "must be true or false"),
        ],
    );
    let invalid = parse_paged::<Filter>(Some("limit=0&user_id=y&cursor=x&page=z")).unwrap_err();
    let fields: Vec<_> = invalid.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["user_id", "limit", "page"]);
}

#[test]
fn lists_share_their_parameters() {
    let (filter, paging) = parse_paged::<Filter>(Some("limit=5&user_id=3&offset=10")).unwrap();
    assert_eq!(filter.user_id.map(Id::get), Some(3));
    let page = paging.resolve(&ByNumber("id")).unwrap();
    assert_eq!((page.limit, page.position), (5, Position::Offset(10)));
}
