//! What a command arrives with: a body, a key to repeat it under, a version it insists on.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::problem::Problem;
use crate::wire::etag::IfMatch;
use crate::wire::extract::{Format, format, parse_form, parse_json, read_body};
use crate::wire::idempotency::{self, Key, fingerprint};
use crate::wire::invalid::Invalid;

/// The body of an operation that takes none: empty, or an empty object.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoBody {}

/// What comes with a command besides its body.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// The key to repeat the request under, with the request's fingerprint.
    pub key: Option<(Key, String)>,
    /// What the body calls its list of lines, for refusals that are about one of them.
    pub lines: Option<&'static str>,
}

/// The request of a command to which no version belongs; `If-Match` is refused, for a condition that is not checked
/// must not seem to hold. Comes last among a handler's arguments, so that permission is settled before the body is
/// looked at.
#[derive(Debug, Clone)]
pub struct Write<T> {
    /// The body.
    pub body: T,
    /// The rest.
    pub conditions: Conditions,
}

/// The request of a command that changes something with a version. Otherwise as [`Write`].
#[derive(Debug, Clone)]
pub struct Edit<T> {
    /// The body.
    pub body: T,
    /// The version that `If-Match` insists on.
    pub if_version: Option<i64>,
    /// The rest.
    pub conditions: Conditions,
}

impl<T: DeserializeOwned + OperationBody> FromRequest<App> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if request.headers().contains_key(IF_MATCH) {
            return Err(Problem::invalid("If-Match", "is not supported here"));
        }
        let (body, conditions) = read(request, app).await?;
        Ok(Self { body, conditions })
    }
}

impl<T: DeserializeOwned + OperationBody> FromRequest<App> for Edit<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let if_version = version(IfMatch::parse(header_values(request.headers(), IF_MATCH.as_str()))?)?;
        let (body, conditions) = read(request, app).await?;
        Ok(Self { body, if_version, conditions })
    }
}

async fn read<T: DeserializeOwned + OperationBody>(
    request: Request,
    app: &App,
) -> Result<(T, Conditions), Problem> {
    let (parts, body) = request.into_parts();
    let key = idempotency_key(&parts.headers)?;
    let format = format(&parts.headers, T::FORMS)?;
    let bytes = read_body(body, app.settings().max_body_bytes).await?;
    let body = match format {
        // What curl sends when nobody told it that this is JSON. Read as a form it would be one strange name,
        // which the refusal would repeat, passwords and all.
        Format::Form if bytes.trim_ascii_start().starts_with(b"{") => parse_json(&bytes)?,
        Format::Form => parse_form(&bytes)?,
        // A body that may be absent is an empty object then.
        Format::Json if bytes.is_empty() && T::MAY_BE_ABSENT => parse_json(b"{}")?,
        Format::Json => parse_json(&bytes)?,
    };
    let key = key.map(|key| {
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let mark = mark(app, &parts, path, &bytes);
        (key, mark)
    });
    Ok((body, Conditions { key, lines: T::LINES }))
}

/// The key under which a request may be repeated, if it has one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Key>, Invalid> {
    Key::parse(header_values(headers, idempotency::HEADER))
}

/// The fingerprint of a request, for which `path` and query stand.
pub(crate) fn mark(app: &App, parts: &Parts, path: &str, body: &[u8]) -> String {
    let condition = parts.headers.get(IF_MATCH).map(|value| value.as_bytes());
    fingerprint(app.fingerprint_key(), parts.method.as_str(), path, condition, body)
}

/// What is particular about reading a body.
pub trait OperationBody {
    /// Whether forms are read besides JSON.
    const FORMS: bool = false;
    /// Whether no body at all stands for an empty object.
    const MAY_BE_ABSENT: bool = false;
    /// What the body calls its list of lines; `None` when the fields of its one line stand at the top.
    const LINES: Option<&'static str> = Some("items");
}

impl OperationBody for NoBody {
    const MAY_BE_ABSENT: bool = true;
}

fn header_values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes())
}

/// The one version that `If-Match` names. A tag that is none of ours matches no version there can be.
fn version(condition: Option<IfMatch>) -> Result<Option<i64>, Problem> {
    match condition {
        None | Some(IfMatch::Any) => Ok(None),
        Some(IfMatch::Versions(versions)) => match versions.as_slice() {
            [] => Ok(Some(0)),
            [version] => Ok(Some(*version)),
            _ => Err(Problem::invalid("If-Match", "must name one version")),
        },
    }
}
