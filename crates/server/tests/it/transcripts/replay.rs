//! Says the requests of a transcript to a fresh shop and collects what is answered otherwise.

use std::fmt::Write as _;

use domain::{AllocateAt, Role};
use http_body_util::Full;
use hyper::body::Bytes;
use server::settings::Settings;

use crate::harness::{Answer, TestApp};

use super::compare::{Captures, Mismatch, compare};
use super::format::{Exchange, Header, Transcript};

/// Replays a transcript on a fresh shop whose contract is mounted at `mount`. Gives what is to be reported; nothing if
/// every answer was as expected.
pub(crate) async fn replay(transcript: &Transcript, mount: &str, mut settings: Settings) -> String {
    let file = &transcript.file;
    for (line, name, value) in &transcript.settings {
        if let Err(fault) = set(&mut settings, name, value) {
            return format!("{file}:{line}: {fault}\n");
        }
    }
    let app = TestApp::start_with(settings).await;
    let mut captures = Captures::default();
    let mut report = String::new();
    for exchange in &transcript.exchanges {
        let path = if exchange.elsewhere { String::new() } else { mount.to_owned() } + &exchange.path;
        let found = match request(&app, exchange, &path, &captures) {
            Ok(request) => {
                let answer = app.send_as_written(request).await;
                let found = compare(&exchange.answer, &answer, &mut captures);
                describe(&mut report, file, exchange, &path, &found, Some(&answer));
                continue;
            }
            Err(fault) => fault,
        };
        describe(&mut report, file, exchange, &path, &[found], None);
    }
    let books = app.store.verify().await.unwrap();
    if !books.discrepancies.is_empty() {
        writeln!(report, "{file}: afterwards the books do not add up: {books:?}").unwrap();
    }
    report
}

/// Sets what a line `@name value` says.
fn set(settings: &mut Settings, name: &str, value: &str) -> Result<(), String> {
    let unknown = || format!("{name} is not set to {value}");
    match name {
        "anonymous_role" => settings.anonymous_role = Some(Role::from_word(value).ok_or_else(unknown)?),
        "allocate_at" => settings.allocate_at = AllocateAt::from_word(value).ok_or_else(unknown)?,
        "currency" => value.clone_into(&mut settings.currency),
        "mini_order_min_password" => {
            settings.mini_order_min_password = value.parse().map_err(|_| unknown())?;
        }
        _ => return Err(format!("no setting is called {name}")),
    }
    Ok(())
}

/// The request as it is written: nothing is added but what HTTP itself needs.
fn request(
    app: &TestApp,
    exchange: &Exchange,
    path: &str,
    captures: &Captures,
) -> Result<hyper::Request<Full<Bytes>>, Mismatch> {
    let fill = |line, text: &str| {
        captures.fill(text).map_err(|got| Mismatch {
            line,
            place: "request".to_owned(),
            expected: text.to_owned(),
            got,
        })
    };
    let uri = format!("http://{}{}", app.address, fill(exchange.line, path)?);
    let mut request = hyper::Request::builder().method(exchange.method.as_str()).uri(uri);
    for Header { line, name, value } in &exchange.headers {
        request = request.header(name, fill(*line, value)?);
    }
    let body = Bytes::from(fill(exchange.line, &exchange.body)?);
    request.body(Full::new(body)).map_err(|error| Mismatch {
        line: exchange.line,
        place: "request".to_owned(),
        expected: "what HTTP can carry".to_owned(),
        got: error.to_string(),
    })
}

fn describe(
    report: &mut String,
    file: &str,
    exchange: &Exchange,
    path: &str,
    found: &[Mismatch],
    answer: Option<&Answer>,
) {
    if found.is_empty() {
        return;
    }
    writeln!(report, "\n{} {path}", exchange.method).unwrap();
    for Mismatch { line, place, expected, got } in found {
        writeln!(report, "  {file}:{line}: {place}").unwrap();
        writeln!(report, "      expected  {expected}").unwrap();
        writeln!(report, "      got       {got}").unwrap();
    }
    if let Some(answer) = answer {
        writeln!(report, "  in full: {} {}", answer.status.as_u16(), answer.text).unwrap();
    }
}
