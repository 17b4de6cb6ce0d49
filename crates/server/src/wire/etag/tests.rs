use super::*;

fn if_match(headers: &[&str]) -> Result<Option<IfMatch>, String> {
    IfMatch::parse(headers.iter().map(|header| header.as_bytes())).map_err(|mut invalid| {
        let error = invalid.errors.remove(0);
        assert_eq!(error.field, "If-Match");
        error.message
    })
}

#[test]
fn conditions_of_writes() {
    assert_eq!(if_match(&[]), Ok(None));
    assert_eq!(if_match(&["*"]), Ok(Some(IfMatch::Any)));
    assert_eq!(if_match(&[&of_version(7)]), Ok(Some(IfMatch::Versions(vec![7]))));
    assert_eq!(if_match(&[" \"7\" ,, \"8\"", "\"x,y\""]), Ok(Some(IfMatch::Versions(vec![7, 8]))));
    assert_eq!(if_match(&["\"007\", \"+7\", \"abc\""]), Ok(Some(IfMatch::Versions(Vec::new()))));
    for bad in ["7", "", "\"7", "\"7\" \"8\"", "*, \"7\"", "w/\"7\"", "\"7\";", "\"a b\""] {
        assert!(if_match(&[bad]).unwrap_err().starts_with("must be * or"), "{bad}");
    }
    assert!(if_match(&["*", "\"7\""]).is_err());
    assert!(if_match(&["W/\"7\""]).unwrap_err().starts_with("must not hold weak tags"));
    assert!(if_match(&[&"\"1\",".repeat(50)]).is_err());
    assert!(IfMatch::parse([&b"\"\xff\""[..]]).is_err());
}

#[test]
fn conditions_of_reads() {
    let parse = |header: &str| IfNoneMatch::parse([header.as_bytes()]);
    assert!(parse("W/\"7\"").unwrap().is_fresh("\"7\""));
    assert!(parse("\"1\", \"7\"").unwrap().is_fresh("W/\"7\""));
    assert!(!parse("\"8\"").unwrap().is_fresh("\"7\""));
    assert!(parse("*").unwrap().is_fresh("\"7\""));
    assert_eq!(parse("garbage"), None);
    assert_eq!(IfNoneMatch::parse([]), None);
}

#[test]
fn a_tag_with_the_stock_in_it_names_the_version_before_the_dot() {
    assert_eq!(of_versions(7, 3), "\"7.3\"");
    assert_eq!(if_match(&[&of_versions(7, 0)]), Ok(Some(IfMatch::Versions(vec![7]))));
    assert_eq!(if_match(&["\"7.3\", \"8\""]), Ok(Some(IfMatch::Versions(vec![7, 8]))));
    for foreign in ["\"7.\"", "\".3\"", "\"7.03\"", "\"07.3\"", "\"7.3.1\"", "\"7.x\"", "\"7,3\""] {
        assert_eq!(if_match(&[foreign]), Ok(Some(IfMatch::Versions(Vec::new()))), "{foreign}");
    }
    let read = IfNoneMatch::parse([&b"\"7.3\""[..]]).unwrap();
    assert!(read.is_fresh(&of_versions(7, 3)));
    assert!(!read.is_fresh(&of_versions(7, 4)));
    assert!(!read.is_fresh(&of_version(7)));
}

#[test]
fn a_tag_with_a_name_in_it_names_the_version_before_the_dot() {
    assert_eq!(of_version_and_name(7, None), "\"7\"");
    assert_eq!(of_version_and_name(7, Some("")), "\"7.2166136261\"");
    let john = of_version_and_name(7, Some("John Doe"));
    assert_ne!(john, of_version_and_name(7, Some("Jane Doe")));
    assert_eq!(if_match(&[&john]), Ok(Some(IfMatch::Versions(vec![7]))));
}
