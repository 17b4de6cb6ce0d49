//! From where a browser asks. A caller with a token has shown who they are; one without is believed to be on this machine
//! or in this network, and so is every web page that a browser there happens to show.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request that changes something was made by no web page, by one of this very server, or by one of the
/// `allowed` origins. Reading is permitted: the browser keeps what is read from foreign pages.
pub(super) fn is_our_own(parts: &Parts, allowed: &[String]) -> bool {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let site = text(&parts.headers, &SEC_FETCH_SITE);
    match text(&parts.headers, &ORIGIN) {
        Some(origin) => {
            let is_allowed = allowed.iter().any(|allowed| allowed == "*" || allowed == origin);
            let own = text(&parts.headers, &HOST).unwrap_or_default();
            is_allowed || origin.split_once("://").is_some_and(|(_, host)| host.eq_ignore_ascii_case(own))
        }
        None => site.is_none_or(|site| matches!(site, "same-origin" | "none")),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = axum::http::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let ours = ("host", "localhost:8000");
        for (headers, own) in [
            (&[ours][..], true),
            (&[ours, ("origin", "http://localhost:8000")], true),
            (&[ours, ("origin", "https://shop.example")], true),
            (&[ours, ("sec-fetch-site", "same-origin")], true),
            (&[ours, ("sec-fetch-site", "none")], true),
            (&[ours, ("origin", "http://localhost:8001")], false),
            (&[ours, ("origin", "https://evil.example")], false),
            (&[ours, ("origin", "null")], false),
            (&[ours, ("sec-fetch-site", "cross-site")], false),
            (&[ours, ("sec-fetch-site", "same-site")], false),
        ] {
            let allowed = ["https://shop.example".to_owned()];
            assert_eq!(is_our_own(&parts(Method::POST, headers), &allowed), own, "{headers:?}");
            assert!(is_our_own(&parts(Method::GET, headers), &allowed), "{headers:?}");
            assert!(is_our_own(&parts(Method::POST, headers), &["*".to_owned()]) || headers.len() == 2);
        }
    }
}
