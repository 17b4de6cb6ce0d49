use super::*;

#[test]
fn writes_rfc_3339() {
    let written = |us| serde_json::to_string(&Rfc3339(us)).unwrap();
    assert_eq!(written(1_705_401_000_000_000), "\"2024-01-16T10:30:00Z\"");
    assert_eq!(written(1_705_401_000_000_001), "\"2024-01-16T10:30:00.000001Z\"");
    assert_eq!(written(1_705_401_000_500_000), "\"2024-01-16T10:30:00.5Z\"");
    assert_eq!(written(0), "\"1970-01-01T00:00:00Z\"");
    assert_eq!(written(-1), "\"1969-12-31T23:59:59.999999Z\"");
    assert!(written(i64::MAX).starts_with("\"9999-12-"));
    assert!(written(i64::MIN).starts_with("\"-009999-"));
}

#[test]
fn reads_times_and_days() {
    let noon = 1_705_406_400_000_000;
    for text in [
        "2024-01-16T12:00:00Z",
        "2024-01-16T14:00:00+02:00",
        "2024-01-16T12:00:00.000000999Z",
        "2024-01-16T06:30:00-05:30",
    ] {
        assert_eq!(Moment::parse(text), Ok(Moment::Instant(noon)), "{text}");
    }
    let day = Moment::parse("2024-01-16").unwrap();
    assert_eq!(day.start_us(), noon - DAY_US / 2);
    assert_eq!(day.end_us(), noon + DAY_US / 2);
    assert_eq!(Moment::Instant(noon).end_us(), noon + 1);
    assert!(Moment::parse("2024-02-29").is_ok());
    assert!(Moment::parse("0001-01-01").is_ok());
    assert_eq!(
        Moment::parse("0001-01-01T00:00:00Z").unwrap().start_us(),
        Moment::parse("0001-01-01").unwrap().start_us()
    );
    // The last day of the calendar is the last, wherever it is written.
    let end = Moment::parse("9999-12-31").unwrap().end_us();
    assert_eq!(end, 253_402_300_800_000_000);
    for text in ["9999-12-31T23:59:59.999999999Z", "9999-12-31T22:59:59.999999-01:00"] {
        assert_eq!(Moment::parse(text).unwrap().end_us(), end, "{text}");
    }
}

#[test]
fn refuses_everything_else() {
    for text in [
        "",
        "today",
        "2024",
        "2024-01",
        "20240116",
        "2024-1-16",
        "16.01.2024",
        "2024-02-30",
        "2024-13-01",
        "0000-01-01",
        "2024-01-16T12:00:00",
        "2024-01-16 12:00:00Z",
        "2024-01-16T12:00Z",
        "2024-01-16T25:00:00Z",
        "+002024-01-16",
        "2024-01-16T12:00:00.Z",
        "2024-01-16T12:00:00.1234567890Z",
        "2024-01-16T12:00:00+2:00",
        "2024-01-16T12:00:00z",
        "2024-01-16T12:00:00Z[UTC]",
        "2024-01-16T12:00:00+99:99",
        "2024-01-16T12:00:00+24:00",
        "2024-01-16T12:00:00+01:60",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01",
        "-2024-01-16",
        "1705406400",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+01:00",
        "２024-01-16",
        "2024-01-16T12:00:00\u{2212}01:00",
    ] {
        assert!(Moment::parse(text).is_err(), "{text}");
    }
}
