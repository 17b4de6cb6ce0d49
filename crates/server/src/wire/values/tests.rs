use serde::Deserialize as _;
use utoipa::{PartialSchema, ToSchema};

use super::*;

macro_rules! accepts {
    ($type:ident: $($text:expr),+) => { $( assert!($type::new($text).is_ok(), "{:?}: {:?}", $text, $type::new($text)); )+ };
}
macro_rules! refuses {
    ($type:ident: $($text:expr => $message:literal),+ $(,)?) => { $( assert_eq!($type::new($text).unwrap_err(), $message, "{:?}", $text); )+ };
}

#[test]
fn text() {
    accepts!(Sku: "A", "MBP 16", "ä-1/2", &"x".repeat(64), &"😀".repeat(64));
    refuses!(Sku:
        "" => "must not be empty", &"x".repeat(65) => "must have at most 64 characters",
        &"😀".repeat(65) => "must have at most 64 characters",
        " A" => "must not start or end with a space", "A " => "must not start or end with a space",
        "A\tB" => "must consist of visible characters", "A\u{200b}" => "must consist of visible characters",
        "\0" => "must consist of visible characters", "A\u{a0}B" => "must consist of visible characters");
    accepts!(ProductName: "MacBook Pro 16\"", " x ", "ä");
    refuses!(ProductName: "" => "must not be empty", "  " => "must not be blank", "\u{3000}" => "must not be blank",
        "a\nb" => "must not contain line breaks or control characters",
        &"x".repeat(201) => "must have at most 200 characters");
    accepts!(Description: "", "a\nb\tc\r\n", &"ä".repeat(5000));
    refuses!(Description: "a\u{0}" => "must not contain control characters", &"ä".repeat(5001) => "must have at most 5000 characters");
    accepts!(Username: "a", "john.doe", "0_x-Y");
    refuses!(Username: ".a" => "must start with a letter or digit (a-z, A-Z, 0-9)",
        "ä" => "must start with a letter or digit (a-z, A-Z, 0-9)",
        "a b" => "must consist of letters, digits, dots, underscores and hyphens (a-z, A-Z, 0-9, ., _, -)");
    accepts!(Email: "a@b", "john.doe+x@mail.example.com", "x_y%z@1.2-3.de");
    for bad in [
        "abc", "@bb", "aa@", "a@@b", "a@b@c", "a b@c", "a@b c", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.",
        "a@-b", "a@b_c", "ä@b", "a@ä", "a\n@b", "a@b\n",
    ] {
        refuses!(Email: bad => "must be an e-mail address like name@example.com");
    }
    refuses!(Email: &format!("{}@b", "a".repeat(253)) => "must have at most 254 characters");
    assert_eq!(Email::new("John.Doe@Example.COM").unwrap().as_str(), "john.doe@example.com");
    accepts!(NewPassword: "12345 67", "ääääääää", &"😀".repeat(128));
    refuses!(NewPassword: "1234567" => "must have at least 8 characters", "" => "must not be empty",
        &"x".repeat(129) => "must have at most 128 characters", "12345678\0" => "must not contain the NUL character",
        "12345678" => "is one of the passwords that are tried first; choose another");
    accepts!(Password: "x", &"x".repeat(1024));
    refuses!(Password: "" => "must not be empty");
    accepts!(Reason: "stocktake");
    accepts!(Note: "two\nlines");
    refuses!(Note: "\n" => "must not be blank");
}

#[test]
fn integers() {
    let quantity = |value: i64| {
        let value = serde::de::value::I64Deserializer::<serde::de::value::Error>::new(value);
        Quantity::deserialize(value).map(Quantity::get).map_err(|error| error.to_string())
    };
    assert_eq!(quantity(0).unwrap_err(), "must be at least 1");
    assert_eq!(quantity(1_000_000_001).unwrap_err(), "must be at most 1000000000");
    assert_eq!(quantity(1_000_000_000), Ok(Quantity::MAX));
}

#[test]
fn words_are_spelled_one_way() {
    assert_eq!(serde_json::from_str::<Role>("\"staff\"").unwrap(), Role(domain::Role::Staff));
    assert_eq!(serde_json::to_string(&Status(domain::Status::Cancelled)).unwrap(), "\"cancelled\"");
    for bad in ["\"Staff\"", "\" staff\"", "\"\"", "1", "null", "{}"] {
        assert!(
            serde_json::from_str::<Role>(bad)
                .unwrap_err()
                .to_string()
                .contains("must be one of customer, staff, admin"),
            "{bad}"
        );
    }
}

#[test]
fn schemas_carry_the_limits() {
    let json =
        |schema| serde_json::to_value::<utoipa::openapi::RefOr<utoipa::openapi::Schema>>(schema).unwrap();
    let sku = json(Sku::schema());
    assert_eq!(
        (&sku["type"], &sku["minLength"], &sku["maxLength"]),
        (&"string".into(), &1.into(), &64.into())
    );
    let quantity = json(Quantity::schema());
    assert_eq!((&quantity["minimum"], &quantity["maximum"]), (&1.into(), &1_000_000_000.into()));
    assert_eq!(json(Status::schema())["enum"][1], "confirmed");
    assert_eq!(json(NewPassword::schema())["writeOnly"], true);
}

#[derive(utoipa::ToSchema, serde::Deserialize)]
#[expect(dead_code, reason = "only described")]
struct Change {
    #[serde(default)]
    name: Patch<ProductName>,
    #[serde(default)]
    active: Patch<bool>,
    price_cents: PriceCents,
    skus: Vec<Sku>,
    role: Option<Role>,
}

#[test]
fn patches_are_described() {
    let schema = serde_json::to_value(Change::schema()).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["price_cents", "skus"]));
    let mut schemas = Vec::new();
    Change::schemas(&mut schemas);
    let all = serde_json::to_value(std::collections::BTreeMap::from_iter(schemas)).unwrap();
    for property in schema["properties"].as_object().unwrap().values() {
        let text = property.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(all.get(name).is_some(), "{name} is missing in {all}");
        }
    }
    assert_eq!(all["Patch_ProductName"]["oneOf"][0]["type"], "null");
    assert_eq!(all["Patch_ProductName"]["oneOf"][1]["maxLength"], 200);
    assert_eq!(all["Patch_bool"]["oneOf"][1]["type"], "boolean");
}
