//! A server that answers what the measurement's preparation expects, for its tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Most requests remembered: a load run sends many.
const REMEMBERED: usize = 5000;

pub(super) struct Stub {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Listens on a free port until the test process ends.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                // A client that goes away ends its thread.
                thread::spawn(move || serve(&stream, &seen).ok());
            }
        });
        Self { address, seen }
    }

    /// Every request so far, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut products = 0;
    loop {
        let (mut request, mut length) = (String::new(), 0_u64);
        loop {
            let from = request.len();
            if reader.read_line(&mut request)? == 0 {
                return Ok(());
            }
            let line = request[from..].trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        reader.by_ref().take(length).read_to_string(&mut request)?;
        let close = request.contains("Connection: close");
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            products = seen.iter().filter(|earlier| is_product(earlier)).count().max(products);
            if seen.len() < REMEMBERED {
                seen.push(request.clone());
            }
        }
        let (status, body) = if request.contains("/refused ") {
            ("409 Conflict", "{}".to_owned())
        } else if request.starts_with("POST /api/v1/auth/login") {
            ("200 OK", "{\"access_token\":\"a-token\"}".to_owned())
        } else if is_product(&request) {
            ("201 Created", format!("{{\"id\":{}}}", products + 1))
        } else {
            ("200 OK", "{}".to_owned())
        };
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        if close {
            return Ok(());
        }
    }
}

fn is_product(request: &str) -> bool {
    request.starts_with("POST /api/v1/products ")
}
