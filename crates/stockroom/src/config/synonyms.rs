//! The variables of the services that Stockroom replaces: they still name a PostgreSQL database, so that an old
//! `.env` keeps working.

use super::table::{SETTINGS, Setting};

/// The parts of a URL under the names that one of the old services gave them.
struct Family {
    host: &'static str,
    port: &'static str,
    name: &'static str,
    user: &'static str,
    password: &'static str,
    schema: Option<&'static str>,
}

const FAMILIES: [Family; 2] = [
    Family {
        host: "DB_HOST",
        port: "DB_PORT",
        name: "DB_NAME",
        user: "DB_USER",
        password: "DB_PASSWORD",
        schema: Some("DB_SCHEMA"),
    },
    Family {
        host: "database_hostname",
        port: "database_port",
        name: "database_name",
        user: "database_username",
        password: "database_password",
        schema: None,
    },
];

/// The setting, a `postgres://` URL for it, and the variables it was made of; `None` when no host is named. The
/// strongest variables come first. Names are compared without regard to case, as the old services did.
pub(super) fn database_url(
    variables: &[(&str, &str)],
) -> Result<Option<(&'static Setting, String, String)>, String> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == "database_url") else {
        return Ok(None);
    };
    let value = |wanted: &str| {
        variables
            .iter()
            .find(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty())
            .map(|(_, value)| *value)
    };
    for family in &FAMILIES {
        // The host decides: DB_NAME or DB_USER alone may well belong to another program.
        let Some(host) = value(family.host) else { continue };
        let Some(name) = value(family.name) else {
            return Err(format!(
                "{}: is set without {}: set both, or STOCKROOM_DATABASE_URL instead",
                family.host, family.name
            ));
        };
        let port = value(family.port).unwrap_or("5432");
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(format!("{}: database port = {port:?}: write a number from 1 to 65535", family.port));
        }
        let mut url = "postgres://".to_owned();
        if let Some(user) = value(family.user) {
            url += &encode(user);
            if let Some(password) = value(family.password) {
                url += &format!(":{}", encode(password));
            }
            url.push('@');
        } else if value(family.password).is_some() {
            return Err(format!("{}: is set without {}: set both, or neither", family.password, family.user));
        }
        url += &format!("{}:{port}/{}", encode_host(host), encode(name));
        if let Some(schema) = family.schema.and_then(value) {
            url += &format!("?schema={}", encode(schema));
        }
        let parts = [
            Some(family.host),
            Some(family.port),
            Some(family.name),
            Some(family.user),
            Some(family.password),
            family.schema,
        ];
        let used: Vec<&str> = parts.into_iter().flatten().filter(|part| value(part).is_some()).collect();
        return Ok(Some((setting, url, used.join(", "))));
    }
    Ok(None)
}

/// An IPv6 address keeps its colons, between brackets.
fn encode_host(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{bare}]") } else { encode(host) }
}

/// Percent-encodes all but the characters that never mean anything in a URL.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::database_url;

    fn url(variables: &[(&str, &str)]) -> Result<Option<(String, String)>, String> {
        database_url(variables).map(|found| found.map(|(_, url, names)| (url, names)))
    }

    #[test]
    fn old_variables_make_a_url() {
        let all = [
            ("DB_HOST", "db.example"),
            ("DB_PORT", "6543"),
            ("DB_NAME", "shop"),
            ("DB_USER", "tony"),
            ("DB_PASSWORD", "p@ss/w:rd?#"),
            ("DB_SCHEMA", "tony"),
        ];
        let wanted = "postgres://tony:p%40ss%2Fw%3Ard%3F%23@db.example:6543/shop?schema=tony";
        let names = "DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SCHEMA";
        assert_eq!(url(&all), Ok(Some((wanted.to_owned(), names.to_owned()))));

        let lower = [("database_hostname", "::1"), ("DATABASE_NAME", "shop"), ("database_username", "u")];
        let names = "database_hostname, database_name, database_username";
        assert_eq!(url(&lower), Ok(Some(("postgres://u@[::1]:5432/shop".to_owned(), names.to_owned()))));
    }

    #[test]
    fn the_first_of_two_values_counts() {
        let both = [("DB_HOST", "near"), ("DB_NAME", "shop"), ("DB_HOST", "far")];
        assert_eq!(url(&both).unwrap().unwrap().0, "postgres://near:5432/shop");
    }

    #[test]
    fn half_a_database_is_a_mistake_and_no_host_is_none() {
        assert_eq!(url(&[("DB_NAME", "shop"), ("DB_USER", "tony")]), Ok(None));
        assert_eq!(url(&[("DB_HOST", "")]), Ok(None));
        assert!(url(&[("DB_HOST", "h")]).unwrap_err().contains("DB_NAME"));
        assert!(url(&[("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_PORT", "x")]).unwrap_err().contains("65535"));
        let hidden = url(&[("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_PASSWORD", "hush")]).unwrap_err();
        assert!(hidden.contains("DB_USER") && !hidden.contains("hush"));
    }
}
