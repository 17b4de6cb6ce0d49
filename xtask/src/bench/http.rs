//! A client for the dozen calls that prepare a measurement: one connection a call, JSON in and out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::Failure;

/// An answer with its status and its JSON body, `Null` when there is none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// The server to call, and the token to call it with.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
}

impl Client {
    /// Sends one request and reads its answer, whatever its status.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let text = self
            .exchange(method, path, body)
            .map_err(|error| format!("{method} {path} on {}: {error}", self.address))?;
        read(&text).ok_or_else(|| format!("{method} {path} answered no HTTP: {text:.200}"))
    }

    /// Sends one POST that must succeed, and answers with its body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.call("POST", path, Some(body))?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("POST {path} answered {}: {}", answer.status, answer.body));
        }
        Ok(answer.body)
    }

    /// What a path answers, read as text.
    pub(crate) fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.exchange("GET", path, None);
        answer.map_err(|error| format!("GET {path} on {}: {error}", self.address))
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
        let limit = Some(Duration::from_secs(30));
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        if !body.is_empty() {
            request
                .push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Reads an answer whose connection was closed behind it. Its body arrives in one piece: nothing here asks for
/// compression or streams.
fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Some(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_json() {
        let answer = read("HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":1}").expect("HTTP");
        assert_eq!((answer.status, &answer.body["id"]), (201, &Value::from(1)));
        let answer = read("HTTP/1.1 204 No Content\r\n\r\n").expect("HTTP");
        assert_eq!((answer.status, answer.body), (204, Value::Null));
        assert!(read("SSH-2.0-OpenSSH").is_none());
    }
}
