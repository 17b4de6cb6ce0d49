//! Where a request ends, so that nobody can hide one in another.
//!
//! A request that says both how long its body is and that the body comes in chunks has two ends. If a proxy in front and
//! this server believe different ones, what one of them takes for a body is the next request to the other, sent in the
//! name of whoever uses the connection next. hyper believes the chunks, as it should, and forgets the length before
//! anybody can see that there was one; so the bytes are looked at before it does. Such a request is answered 400, as is
//! one whose length or coding is given more than once, or in a coding that is not just chunks. And after any body in chunks
//! the connection is closed: where they end, nothing is believed to begin.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::unread::Lingering;

/// No head that hyper reads is longer.
const LONGEST_HEAD: usize = 1024 * 1024;

/// Put into a request whose end is not clear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unclear;

/// What the heads on one connection said about the ends of their requests. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads(Arc<Mutex<Tracker>>);

impl Heads {
    /// Whether the next request has one end. One that was not seen coming has not.
    pub(super) fn next_is_clear(&self) -> bool {
        let mut tracker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tracker.clear.pop_front().unwrap_or(false)
    }
}

/// Follows the bytes of a connection from head to head.
#[derive(Debug, Default)]
struct Tracker {
    at: At,
    /// What has come of a head that is not whole yet.
    head: Vec<u8>,
    /// Of the heads that nobody has asked about: whether the request has one end.
    clear: VecDeque<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// In a head, or before one.
    #[default]
    Head,
    /// In a body of which so much is still to come.
    Body(u64),
    /// Behind the last request of the connection.
    End,
}

impl Tracker {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.at {
                At::End => return,
                At::Body(left) => {
                    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    bytes = &bytes[here..];
                    let left = left - here as u64;
                    self.at = if left == 0 { At::Head } else { At::Body(left) };
                }
                At::Head => bytes = self.take_head(bytes),
            }
        }
    }

    /// Takes what belongs to the head, and gives back the rest.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.head.is_empty() {
            // Empty lines before a request are passed over, as hyper does.
            let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
            let bytes = &bytes[start.unwrap_or(bytes.len())..];
            let Some(end) = end_of_head(bytes, 0) else {
                self.head.extend_from_slice(bytes);
                return &[];
            };
            self.judge(&bytes[..end]);
            return &bytes[end..];
        }
        let before = self.head.len();
        if before > LONGEST_HEAD {
            // hyper has given up on this long ago.
            (self.at, self.head) = (At::End, Vec::new());
            return &[];
        }
        self.head.extend_from_slice(bytes);
        // The end may have begun with the last bytes of what came before.
        let Some(end) = end_of_head(&self.head, before.saturating_sub(3)) else { return &[] };
        let head = std::mem::take(&mut self.head);
        self.judge(&head[..end]);
        &bytes[end - before..]
    }

    fn judge(&mut self, head: &[u8]) {
        let (mut lengths, mut codings, mut left, mut is_clear) = (0, 0, 0, true);
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            if let Some(value) = value_of(line, b"content-length") {
                lengths += 1;
                // What is no number hyper refuses by itself.
                left = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0);
            } else if let Some(value) = value_of(line, b"transfer-encoding") {
                codings += 1;
                is_clear &= value.eq_ignore_ascii_case(b"chunked");
            }
        }
        is_clear &= lengths + codings <= 1;
        self.clear.push_back(is_clear);
        self.at = match left {
            _ if codings > 0 || !is_clear => At::End,
            0 => At::Head,
            left => At::Body(left),
        };
    }
}

/// Where the head ends that begins with `bytes`; the empty line is looked for after so many of them.
fn end_of_head(bytes: &[u8], after: usize) -> Option<usize> {
    let mut at = after;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match &bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The value on a line of this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
}

/// A connection whose bytes are looked at before hyper reads them.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Lingering,
    heads: Heads,
}

impl Watched {
    /// A connection that tells `heads` what comes in.
    pub(super) fn new(stream: Lingering, heads: Heads) -> Self {
        Self { stream, heads }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let mut tracker = self.heads.0.lock().unwrap_or_else(PoisonError::into_inner);
        tracker.take(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in the bytes, however they are cut into pieces.
    fn found(bytes: &[u8]) -> Vec<bool> {
        let whole = |size: usize| {
            let mut tracker = Tracker::default();
            bytes.chunks(size).for_each(|piece| tracker.take(piece));
            tracker.clear.into_iter().collect::<Vec<_>>()
        };
        let first = whole(bytes.len());
        for size in 1..bytes.len() {
            assert_eq!(whole(size), first, "{size}");
        }
        first
    }

    #[test]
    fn heads_are_found_one_after_the_other() {
        for (bytes, heads) in [
            (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n"[..], &[true, true][..]),
            (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", &[true, true]),
            (b"GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\n\r\n", &[true, true]),
            (b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nab\r\nGET / HTTP/1.1\r\n\r\n", &[true, true]),
            (b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", &[true, true]),
            // A body is a body, whatever it looks like.
            (
                b"POST / HTTP/1.1\r\nContent-Length:27\r\n\r\nTransfer-Encoding: chunked\n\nGET / HTTP/1.1\r\n\r\n",
                &[true, true],
            ),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", &[]),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", &[true]),
        ] {
            assert_eq!(found(bytes), heads, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_request_with_two_ends_is_found_out() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "transfer-encoding: chunked\r\nHost: x\r\ncontent-length: 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity",
            "Transfer-Encoding:",
        ] {
            let bytes = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
            assert_eq!(found(bytes.as_bytes()), [false], "{lines}");
        }
    }
}
