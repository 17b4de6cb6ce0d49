//! A client that is no cleverer than it must be: one connection, one request at a time, no repetitions of its own.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One caller and its connection.
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// Whether the server said that this is the repetition of an earlier answer.
    pub(crate) is_replayed: bool,
    /// In how many seconds another attempt is welcome, if the server said so.
    pub(crate) retry_after: Option<u32>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None, connection: None }
    }

    /// The same with a token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Sends a request and reads its answer. After an error nobody knows whether the request had its effect.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> io::Result<Answer> {
        let key = key.map(|key| ("Idempotency-Key", key));
        self.send_with(method, path, key.as_slice(), body)
    }

    /// The same with any headers.
    pub(crate) fn send_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        connection.get_mut().write_all(request.as_bytes())?;
        let (answer, is_last) = read_answer(&mut connection)?;
        self.connection = (!is_last).then_some(connection);
        Ok(answer)
    }

    /// Sends a request that must be answered.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(method, path, None, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends a request with a key, which must be answered.
    #[track_caller]
    pub(crate) fn call_with_key(
        &mut self,
        method: &str,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Answer {
        self.send(method, path, Some(key), body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Reads what must be there.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, None).expect(200)
    }
}

impl Answer {
    /// The body, provided that the status is this.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }
}

/// The answer, and whether the server ends the connection after it.
fn read_answer(connection: &mut BufReader<TcpStream>) -> io::Result<(Answer, bool)> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    let mut next_line = |connection: &mut BufReader<TcpStream>| -> io::Result<String> {
        line.clear();
        match connection.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let status = next_line(connection)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken("no status"))?;
    let (mut length, mut is_replayed, mut is_last, mut retry_after) = (0, false, false, None);
    loop {
        let line = next_line(connection)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| broken("no length"))?,
            "idempotency-replayed" => is_replayed = value.trim() == "true",
            "retry-after" => retry_after = value.trim().parse().ok(),
            "connection" => is_last = value.trim() == "close",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let text = String::from_utf8(body).map_err(|_| broken("not UTF-8"))?;
    Ok((Answer { status, text, is_replayed, retry_after }, is_last))
}
