//! Turns the text of a setting into its value. An error says what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use iso_currency::Currency;
use server::settings::{IpNet, network};
use tracing_subscriber::filter::Targets;

/// A whole number within the range.
pub(super) fn whole<T: TryFrom<u64>>(raw: &str, range: RangeInclusive<u64>) -> Result<T, String> {
    let number: Option<u64> = raw.parse().ok().filter(|number| range.contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
}

/// A whole number of units, each of so many seconds.
pub(super) fn duration(raw: &str, range: RangeInclusive<u64>, unit_seconds: u64) -> Result<Duration, String> {
    whole::<u64>(raw, range).map(|count| Duration::from_secs(count * unit_seconds))
}

/// True or false, as people write it into environments.
pub(super) fn switch(raw: &str) -> Result<bool, String> {
    match raw.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(raw: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == raw).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("write one of {}", names.join(", "))
    })
}

/// The path of a file or directory, taken from the working directory when it is relative.
pub(super) fn path(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() || raw.contains('\0') { Err("write a path".to_owned()) } else { Ok(PathBuf::from(raw)) }
}

/// An address and a port.
pub(super) fn listen(raw: &str) -> Result<SocketAddr, String> {
    raw.parse().map_err(|_| "write ADDR:PORT, for example 127.0.0.1:8000".to_owned())
}

/// A level, or a comma separated list of levels and `part=level`.
pub(super) fn log_level(raw: &str) -> Result<String, String> {
    // The crate that reads it takes an unknown level for the name of a part, which would silently log nothing.
    let is_level = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| level.eq_ignore_ascii_case(word))
    };
    let valid = raw.split(',').all(|directive| match directive.split_once('=') {
        Some((part, level)) => !part.is_empty() && is_level(level),
        None => is_level(directive),
    });
    if valid && raw.parse::<Targets>().is_ok() {
        Ok(raw.to_owned())
    } else {
        Err("write off, error, warn, info, debug or trace, also per part of the program: info,store=debug"
            .to_owned())
    }
}

/// The code of a currency in which prices can be written.
pub(super) fn currency(raw: &str) -> Result<String, String> {
    match Currency::from_code(raw) {
        // Precious metals, units of account and test codes have no minor unit, so no price could be written.
        Some(found) if found.exponent().is_none() => {
            Err("this is not money to pay with; write a currency, for example USD".to_owned())
        }
        Some(found) => Ok(found.code().to_owned()),
        None => match Currency::from_code(&raw.to_ascii_uppercase()) {
            Some(meant) => Err(format!("write {}", meant.code())),
            None => Err("write an ISO 4217 code, for example USD, EUR or JPY".to_owned()),
        },
    }
}

/// Comma separated origins as browsers send them, or `*`, or `none`.
pub(super) fn cors_origins(raw: &str) -> Result<Vec<String>, String> {
    let origins: Vec<String> = raw.split(',').map(|origin| origin.trim().to_owned()).collect();
    match origins.as_slice() {
        [only] if only == "none" || only.is_empty() => return Ok(Vec::new()),
        [only] if only == "*" => return Ok(origins),
        _ => {}
    }
    match origins.iter().find(|origin| !is_origin(origin)) {
        None => Ok(origins),
        Some(wrong) if wrong == "*" || wrong == "none" => Err(format!("{wrong} must stand alone")),
        Some(wrong) => Err(format!(
            "{wrong:?} is no origin: write scheme, host in lower case and port without a path, for example https://shop.example:8443"
        )),
    }
}

/// Comma separated addresses and networks, or `none`.
pub(super) fn networks(raw: &str) -> Result<Vec<IpNet>, String> {
    let words: Vec<&str> = raw.split(',').map(str::trim).collect();
    if matches!(words.as_slice(), ["none" | ""]) {
        return Ok(Vec::new());
    }
    let read = |word: &str| {
        // All addresses there are would let everybody say who they are.
        network(word).filter(|network| network.prefix_len() > 0).ok_or_else(|| {
            format!("{word:?} is neither an address nor a network such as 10.0.0.0/8 or fd00::/8")
        })
    };
    words.into_iter().map(read).collect()
}

/// Comma separated names of hosts, or `*`, or `none`.
pub(super) fn hosts(raw: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = raw.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    match names.as_slice() {
        [only] if only == "none" || only.is_empty() => return Ok(Vec::new()),
        [only] if only == "*" => return Ok(names),
        _ => {}
    }
    match names.iter().find(|name| *name == "none" || !is_host(name)) {
        None => Ok(names),
        Some(wrong) if wrong == "*" || wrong == "none" => Err(format!("{wrong} must stand alone")),
        Some(wrong) => Err(format!(
            "{wrong:?} is no name of a host: write it without scheme, port and path, for example shop.example"
        )),
    }
}

/// Whether this is a name or an address as `Host` has it, without the port and the brackets.
fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.parse::<IpAddr>().is_ok() || !text.is_empty() && text.bytes().all(is_name)
}

/// Whether a browser could send this as `Origin`: an exact comparison decides later, so a slash at the end or a
/// capital letter would never match.
fn is_origin(text: &str) -> bool {
    let Some(place) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !place.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let host_fits = if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        address.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte))
    };
    host_fits && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(whole::<usize>("1", 1..=4096), Ok(1));
        assert_eq!(whole::<usize>("4096", 1..=4096), Ok(4096));
        for wrong in ["0", "4097", "-1", "", " 5", "1e3", "99999999999999999999"] {
            let hint = whole::<usize>(wrong, 1..=4096).unwrap_err();
            assert_eq!(hint, "write a whole number from 1 to 4096", "{wrong:?}");
        }
        assert_eq!(duration("2", 1..=9, 60), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn switches_take_what_people_write() {
        assert_eq!(switch("TRUE"), Ok(true));
        assert_eq!(switch("off"), Ok(false));
        assert!(switch("").is_err() && switch("maybe").is_err());
    }

    #[test]
    fn log_levels() {
        assert_eq!(log_level("INFO"), Ok("INFO".to_owned()));
        assert_eq!(log_level("info,store=debug"), Ok("info,store=debug".to_owned()));
        for wrong in ["", "inof", "info,", "store=", "=debug", "store=loud", "1"] {
            assert!(log_level(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn currencies() {
        assert_eq!(currency("EUR"), Ok("EUR".to_owned()));
        assert_eq!(currency("JPY"), Ok("JPY".to_owned()));
        assert_eq!(currency("eur"), Err("write EUR".to_owned()));
        assert!(currency("XAU").unwrap_err().contains("not money"));
        assert!(currency("ZZZ").unwrap_err().contains("ISO 4217"));
        assert!(currency("").unwrap_err().contains("ISO 4217"));
    }

    #[test]
    fn networks_and_hosts() {
        let shown =
            |raw: &str| networks(raw).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(shown("none"), Ok(vec![]));
        assert_eq!(
            shown("10.0.0.7, 10.1.2.3/8,fd00::1/8"),
            Ok(["10.0.0.7/32", "10.0.0.0/8", "fd00::/8"].map(str::to_owned).to_vec())
        );
        for wrong in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "proxy.example", "10.0.0.1,,", "*", "10.0.0.1,none"]
        {
            assert!(networks(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(hosts("none"), Ok(vec![]));
        assert_eq!(hosts("*"), Ok(vec!["*".to_owned()]));
        assert_eq!(hosts("Shop.example, ::1"), Ok(vec!["shop.example".to_owned(), "::1".to_owned()]));
        for wrong in [
            "https://shop.example",
            "shop.example:80",
            "shop.example/",
            "*,a",
            "none,a",
            "a,,b",
            "*.a.example",
        ] {
            assert!(hosts(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn origins() {
        assert_eq!(cors_origins("none"), Ok(vec![]));
        assert_eq!(cors_origins("*"), Ok(vec!["*".to_owned()]));
        assert_eq!(
            cors_origins("https://a.example, http://localhost:5173"),
            Ok(vec!["https://a.example".to_owned(), "http://localhost:5173".to_owned()])
        );
        assert!(cors_origins("http://[::1]:80").is_ok() && cors_origins("http://[::1]").is_ok());
        for wrong in [
            "*,https://a.example",
            "none,https://a.example",
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://",
            "https://a.example:0",
            "https://a.example:x",
            "https://u@a.example",
            "ftp://a.example",
            "null",
            "https://a.example,,",
        ] {
            assert!(cors_origins(wrong).is_err(), "{wrong:?}");
        }
    }
}
