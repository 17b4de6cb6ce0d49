//! One connection that is kept open, as a browser or another service would: a request, its whole answer, the next one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for an answer. A list of a whole large table takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the server may answer out of its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// With the answer it gave a moment ago, if nothing has changed it.
    Warm,
    /// It has to ask the database.
    Cold,
}

/// A connection to the server and the token to use it with.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// Everything after the path, the same for all requests.
    rest: String,
    /// The same, past the answers that the server keeps.
    rest_past: String,
    body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!(" HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n");
        let rest = format!("{head}\r\n");
        let rest_past = format!("{head}Cache-Control: no-cache\r\n\r\n");
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream), rest, rest_past, body: Vec::new() })
    }

    /// Sends a GET and reads its answer to the end: the status and the body.
    pub(super) fn get(&mut self, path: &str, state: State) -> io::Result<(u16, &[u8])> {
        let rest = match state {
            State::Warm => &self.rest,
            State::Cold => &self.rest_past,
        };
        let request = ["GET ", path, rest].concat();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status = read(&mut self.stream, &mut self.body)?;
        Ok((status, &self.body))
    }
}

/// Reads one answer, whose body comes with its length or in chunks.
fn read(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<u16> {
    body.clear();
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP");
    let mut line = String::new();
    let mut status = 0;
    let (mut length, mut is_chunked) = (0, false);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if status == 0 {
            let word = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
            status = word.and_then(|word| word.parse().ok()).ok_or_else(no_http)?;
        } else if let Some((name, value)) = text.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(|_| no_http())?,
                "transfer-encoding" => is_chunked = value.trim() == "chunked",
                _ => {}
            }
        }
    }
    if !is_chunked {
        take(stream, length, body)?;
        return Ok(status);
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(|_| no_http())?;
        take(stream, size, body)?;
        // The line break behind each chunk, and behind the last one, which is empty.
        line.clear();
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(status);
        }
    }
}

fn take(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let before = body.len();
    stream.take(length).read_to_end(body)?;
    if body.len() - before == usize::try_from(length).unwrap_or(usize::MAX) {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_end_and_not_beyond() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc\
                    HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\nA\r\n0123456789\r\n0\r\n\r\n\
                    HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let mut stream = text.as_bytes();
        let mut body = Vec::new();
        for (status, wanted) in [(200, "abc"), (200, "de0123456789"), (404, "")] {
            assert_eq!(read(&mut stream, &mut body).expect("HTTP"), status);
            assert_eq!(body, wanted.as_bytes());
        }
        assert!(read(&mut stream, &mut body).is_err());
        assert!(read(&mut "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na".as_bytes(), &mut body).is_err());
    }
}
